//! What the sinks of another process have to tell the log: files in `sinks/reports/`, each named by a UUID, which becomes the
//! id of the event. So one that is recorded twice, since a crash came before its file was removed, is recorded once.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::position::sinks;
use super::report::Report;
use crate::store::open_file;

/// Leaves a report in the folder of a log, whole or not at all, and durably.
pub(super) fn leave(folder: &Path, report: &Report) -> io::Result<()> {
    let folder = reports(folder);
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    let name = uuid::Builder::from_random_bytes(random)
        .into_uuid()
        .hyphenated()
        .to_string();
    let new = folder.join(format!("{name}.new"));
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    file.write_all(report.to_json().as_bytes())?;
    file.sync_all()?;
    fs::rename(&new, folder.join(name))?;
    File::open(&folder)?.sync_all()
}

/// A report that was left.
#[derive(Debug)]
pub(crate) struct Left {
    /// The id of its event.
    pub(crate) id: String,
    pub(crate) report: Report,
    path: PathBuf,
}

impl Left {
    /// It is recorded.
    pub(crate) fn remove(&self) -> io::Result<()> {
        fs::remove_file(&self.path)
    }
}

/// Some of the reports that were left in the folder of a log. A file that is no report is removed: nobody else has any there.
pub(crate) fn left(folder: &Path) -> Vec<Left> {
    let entries = fs::read_dir(reports(folder)).into_iter().flatten();
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let named = paths.filter(|path| path.extension().is_none()).take(AT_ONCE_MAX);
    let read = named.filter_map(|path| {
        let left = read(&path);
        if left.is_none() {
            let _ = fs::remove_file(&path);
        }
        left
    });
    read.collect()
}

fn read(path: &Path) -> Option<Left> {
    let id = path.file_name()?.to_str()?.to_owned();
    Uuid::parse_str(&id).ok()?;
    let mut text = String::new();
    let file = open_file(OpenOptions::new().read(true), path).ok()?;
    file.take(BYTES_MAX).read_to_string(&mut text).ok()?;
    Some(Left {
        id,
        report: Report::from_json(&text)?,
        path: path.to_owned(),
    })
}

fn reports(folder: &Path) -> PathBuf {
    sinks(folder).join("reports")
}

const AT_ONCE_MAX: usize = 100;

const BYTES_MAX: u64 = 16 * 1024;

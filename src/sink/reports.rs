//! What the sinks of another process, or of a log that has ended, have to tell the log: files in `sinks/reports/`, each named
//! by a UUID, which becomes the id of the event. So one that is recorded twice, since a crash came before its file was
//! removed, is recorded once.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::position::sinks;
use super::report::Report;
use crate::store::open_file;

/// Leaves a report in the folder of a log, whole or not at all, and durably.
pub(crate) fn leave(folder: &Path, report: &Report) -> io::Result<()> {
    let folder = reports(folder);
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    let name = uuid::Builder::from_random_bytes(random)
        .into_uuid()
        .hyphenated()
        .to_string();
    let (new, named) = (folder.join(format!("{name}.{NEW}")), folder.join(&name));
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
    let left = write(&new, report).and_then(|()| fs::rename(&new, &named));
    // It will be left anew, under another name.
    let left = left.and_then(|()| File::open(&folder)?.sync_all());
    if left.is_err() {
        let _ = fs::remove_file(&new);
        let _ = fs::remove_file(&named);
    }
    left
}

/// Writes a file. Its lock tells that somebody is at it.
fn write(new: &Path, report: &Report) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(new)?;
    file.lock()?;
    file.write_all(report.to_json().as_bytes())?;
    file.sync_all()
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
/// So is what a process began that is gone.
pub(crate) fn left(folder: &Path) -> Vec<Left> {
    let entries = fs::read_dir(reports(folder)).into_iter().flatten();
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let (new, named): (Vec<_>, Vec<_>) = paths.take(AT_ONCE_MAX).partition(|path| path.extension().is_some());
    new.iter().for_each(|path| remove_begun(path));
    let read = named.into_iter().filter_map(|path| match read(&path) {
        Ok(None) => {
            let _ = fs::remove_file(&path);
            None
        }
        // One that cannot be read now may be one all the same.
        left => left.ok().flatten(),
    });
    read.collect()
}

/// Who writes it holds its lock from its first moments on; who loses it then leaves its report anew.
fn remove_begun(path: &Path) {
    let file = open_file(OpenOptions::new().read(true), path);
    if file.is_ok_and(|file| file.try_lock().is_ok()) {
        let _ = fs::remove_file(path);
    }
}

/// `None` for what is no report.
fn read(path: &Path) -> io::Result<Option<Left>> {
    let id = path.file_name().and_then(OsStr::to_str);
    let Some(id) = id.filter(|id| Uuid::parse_str(id).is_ok()) else {
        return Ok(None);
    };
    let mut text = Vec::new();
    match open_file(OpenOptions::new().read(true), path) {
        Ok(file) => file.take(BYTES_MAX).read_to_end(&mut text)?,
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => return Ok(None),
        Err(error) => return Err(error),
    };
    let report = str::from_utf8(&text).ok().and_then(Report::from_json);
    Ok(report.map(|report| Left {
        id: id.to_owned(),
        report,
        path: path.to_owned(),
    }))
}

fn reports(folder: &Path) -> PathBuf {
    sinks(folder).join("reports")
}

const NEW: &str = "new";

const AT_ONCE_MAX: usize = 100;

const BYTES_MAX: u64 = 16 * 1024;

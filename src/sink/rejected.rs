//! What a target will never take, in a file: `sinks/NAME.rejected.jsonl` in the folder of the log.
//!
//! A line is one JSON object: `answer` and `problem` (the target's and the sink's words), `rejected_at`, and the `record`
//! as it is stored but without its personal data. The log has the record whole. Where its content is erased in the log, its
//! line goes from here too.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::delivery::Problem;
use super::position::sinks;
use crate::json::{self, JsonError, Reader};
use crate::record::Record;
use crate::store::open_file;
use crate::timestamp::Timestamp;

/// The file of a sink.
#[derive(Debug)]
pub(super) struct RejectedFile(PathBuf);

impl RejectedFile {
    pub(super) fn of(folder: &Path, name: &str) -> Self {
        Self(sinks(folder).join(format!("{name}{SUFFIX}")))
    }

    /// Sets records aside, durably.
    pub(super) fn add(&self, rejected: &[(&Record, &Problem)], now: Timestamp) -> io::Result<()> {
        let mut lines = Vec::new();
        for (record, problem) in rejected {
            write_line(&mut lines, record, problem, now);
        }
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true).mode(0o600);
        let mut file = open_locked(&options, &self.0)?;
        file.write_all(&lines)?;
        file.sync_all()?;
        self.0.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
    }
}

/// Removes what was set aside of records in `ranges`, both ends inclusive, durably: their content is erased in the log.
pub(crate) fn erase_rejected(folder: &Path, ranges: &[(u64, u64)]) -> io::Result<()> {
    let entries = match fs::read_dir(sinks(folder)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let path = entry?.path();
        if path.to_string_lossy().ends_with(SUFFIX) {
            erase_in(&path, ranges)?;
        }
    }
    Ok(())
}

fn erase_in(path: &Path, ranges: &[(u64, u64)]) -> io::Result<()> {
    let file = open_locked(OpenOptions::new().read(true), path)?;
    let new = path.with_extension("new");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut out = io::BufWriter::new(open_file(&options, &new)?);
    let (mut lines, mut line, mut is_changed) = (BufReader::new(&file), Vec::new(), false);
    while lines.read_until(b'\n', &mut line)? > 0 {
        // A line that cannot be read may hold anything.
        let is_kept = seq_of(&line).is_some_and(|seq| !ranges.iter().any(|(from, to)| (*from..=*to).contains(&seq)));
        match is_kept {
            true => out.write_all(&line)?,
            false => is_changed = true,
        }
        line.clear();
    }
    let out = out.into_inner().map_err(io::IntoInnerError::into_error)?;
    if !is_changed {
        return fs::remove_file(&new);
    }
    out.sync_all()?;
    fs::rename(&new, path)?;
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

/// Opens a file and takes its lock. Who waited for it may find that another file has its name.
fn open_locked(options: &OpenOptions, path: &Path) -> io::Result<File> {
    loop {
        let file = open_file(options, path)?;
        file.lock()?;
        let (is, named) = (file.metadata()?, fs::metadata(path)?);
        if (is.dev(), is.ino()) == (named.dev(), named.ino()) {
            return Ok(file);
        }
    }
}

fn write_line(out: &mut Vec<u8>, record: &Record, problem: &Problem, now: Timestamp) {
    out.push(b'{');
    if let Some(answer) = problem.answer() {
        out.extend_from_slice(b"\"answer\":");
        json::string(out, answer);
        out.push(b',');
    }
    out.extend_from_slice(b"\"problem\":");
    json::string(out, problem.what());
    out.extend_from_slice(b",\"record\":");
    let record = record.clone().without_personal_data();
    out.extend_from_slice(record.line().unwrap_or("null").as_bytes());
    out.extend_from_slice(b",\"rejected_at\":");
    json::string(out, &now.to_string());
    out.extend_from_slice(b",\"seq\":");
    json::unsigned(out, record.seq());
    out.extend_from_slice(b"}\n");
}

fn seq_of(line: &[u8]) -> Option<u64> {
    let mut seq = None;
    let entry = |key: &str, value: &mut Reader<'_>| match key {
        "seq" => {
            seq = Some(value.unsigned()?);
            Ok(())
        }
        _ => value.skip(),
    };
    let mut reader = Reader::new(line.trim_ascii_end(), json::DEPTH_MAX + 1).ok()?;
    reader.object::<JsonError>(entry).ok()?;
    seq
}

const SUFFIX: &str = ".rejected.jsonl";

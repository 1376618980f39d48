//! What a target will never take, in a file: `sinks/NAME.rejected.jsonl` in the folder of the log.
//!
//! A line is one JSON object: `answer` and `problem` (the target's and the sink's words), `rejected_at`, and the `record`
//! as it is stored but without its personal data. The log has the record whole. Where its content is erased in the log, its
//! line goes from here too.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Seek, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
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

    /// Sets records aside, durably, but for those that are gone from the log by now. Who takes a record from the log takes
    /// the lock after that: so either it is known to be gone here, or its line is found there.
    pub(super) fn add(
        &self,
        rejected: &[(&Record, &Problem)],
        now: Timestamp,
        is_gone: impl Fn(&Record) -> bool,
    ) -> io::Result<()> {
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true).mode(0o600);
        let file = open_locked(&options, &self.0)?;
        let mut lines = Vec::new();
        for (record, problem) in rejected.iter().filter(|(record, _)| !is_gone(record)) {
            write_line(&mut lines, record, problem, now);
        }
        append(&file, &lines)?;
        self.0.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
    }
}

/// Appends lines, all or none of them. A line that a crash cut is ended first.
fn append(mut file: &File, lines: &[u8]) -> io::Result<()> {
    let (length, mut last) = (file.metadata()?.len(), [b'\n']);
    if length > 0 {
        file.read_exact_at(&mut last, length - 1)?;
    }
    let begun: &[u8] = if last == [b'\n'] { b"" } else { b"\n" };
    let written = file.write_all(begun).and_then(|()| file.write_all(lines));
    let written = written.and_then(|()| file.sync_all());
    if written.is_err() {
        // What a full disk cut would stand there again with each try.
        file.set_len(length)?;
    }
    written
}

/// Removes what was set aside of records in `ranges`, both ends inclusive, durably: their content is erased in the log.
pub(crate) fn erase_rejected(folder: &Path, ranges: &[(u64, u64)]) -> io::Result<()> {
    let entries = match fs::read_dir(sinks(folder)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let path = entry?.path();
        let name = path.to_string_lossy();
        if name.ends_with(SUFFIX) {
            erase_in(&path, ranges)?;
        } else if name.ends_with(SUFFIX_NEW) && !path.with_extension(EXTENSION).exists() {
            remove_cut(&path)?;
        }
    }
    Ok(())
}

fn erase_in(path: &Path, ranges: &[(u64, u64)]) -> io::Result<()> {
    let mut file = open_locked(OpenOptions::new().read(true), path)?;
    let new = path.with_extension(NEW);
    remove_cut(&new)?;
    // A line that cannot be read may hold anything.
    let is_kept =
        |line: &[u8]| seq_of(line).is_some_and(|seq| !ranges.iter().any(|(from, to)| (*from..=*to).contains(&seq)));
    let mut is_changed = false;
    each_line(&file, |line| {
        is_changed |= !is_kept(line);
        Ok(())
    })?;
    if !is_changed {
        return Ok(());
    }
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut out = io::BufWriter::new(open_file(&options, &new)?);
    file.rewind()?;
    each_line(&file, |line| match is_kept(line) {
        true => out.write_all(line),
        false => Ok(()),
    })?;
    out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
    fs::rename(&new, path)?;
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

/// Removes what an erasure that was cut off wrote, which may hold what is erased now.
fn remove_cut(new: &Path) -> io::Result<()> {
    match fs::remove_file(new) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

fn each_line(file: &File, mut take: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    let (mut lines, mut line) = (BufReader::new(file), Vec::new());
    while lines.read_until(b'\n', &mut line)? > 0 {
        take(&line)?;
        line.clear();
    }
    Ok(())
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

const SUFFIX_NEW: &str = ".rejected.new";

const EXTENSION: &str = "jsonl";

const NEW: &str = "new";

//! The newest checkpoint of a log directory, as a reader may hand it on: of a whole commit, and durable (FORMAT §4).

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::disk::{DiskFile, How};
use super::layout::Layout;
use super::lines::content_end;
use super::reading::{check_whole, is_compressed, open_lines};
use crate::checkpoint::SignedCheckpoint;
use crate::error::{Error, Result};
use crate::record::{LINE_MAX, Line};
use crate::store::{COMMIT_MAX, Lines, Segment};

/// What this process knows to be durable, so that not every read looks for it and syncs it anew.
#[derive(Debug, Default)]
pub(super) struct Newest(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    /// What this process's writer wrote last, while there is one.
    written: Option<SignedCheckpoint>,
    /// What a reader found whole and synced last, and the first record of its segment.
    synced: Option<(u64, SignedCheckpoint)>,
}

impl Newest {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What this process's writer made durable last; `None` where there is no writer any more. Nobody else writes
    /// meanwhile, so that it is the newest.
    pub(super) fn set_written(&self, checkpoint: Option<&SignedCheckpoint>) {
        self.known().written = checkpoint.cloned();
    }

    /// The newest checkpoint.
    ///
    /// Without a writer in this process that is the newest whole commit, once it is synced here. After a sync of a
    /// writer's that failed the page cache can show what the disk does not hold, and this sync succeeds all the same:
    /// only the next opening for writing mends that.
    pub(super) fn checkpoint(&self, layout: &Layout) -> Result<Option<SignedCheckpoint>> {
        if let Some(written) = &self.known().written {
            return Ok(Some(written.clone()));
        }
        match self.look(layout) {
            Err(error) if error.is_gone() => self.look(layout),
            newest => newest,
        }
    }

    fn look(&self, layout: &Layout) -> Result<Option<SignedCheckpoint>> {
        for segment in layout.segments()?.iter().rev().take(2) {
            let path = layout.path(&segment.name);
            let failed = |error| Error::io("read", &path, error);
            let file = layout.disk.open(&path, How::Read).map_err(failed)?;
            let synced = self.known().synced.clone();
            let synced = synced.filter(|(first, _)| *first == segment.first);
            let synced = synced.map(|(_, checkpoint)| checkpoint);
            let known = synced.as_ref().map(SignedCheckpoint::as_str);
            let note = if is_compressed(&segment.name) {
                last_of_all(open_lines(layout, segment, 0)?.as_mut(), segment)?
            } else {
                newest_whole(file.as_ref(), known).map_err(failed)?
            };
            let Some(note) = note else { continue };
            if known == Some(&note) {
                return Ok(synced);
            }
            file.sync().map_err(|error| Error::io("sync", &path, error))?;
            let checkpoint: SignedCheckpoint = note
                .parse()
                .map_err(|error| Error::damaged(&segment.name, None, format!("{error}")))?;
            self.known().synced = Some((segment.first, checkpoint.clone()));
            return Ok(Some(checkpoint));
        }
        Ok(None)
    }
}

/// The last checkpoint line of a segment in which nothing can be looked for from the end.
fn last_of_all(lines: &mut dyn Lines, segment: &Segment) -> Result<Option<String>> {
    let mut newest = None;
    while let Some(raw) = lines.next_line()? {
        check_whole(segment, &raw)?;
        if let Some(note) = note_of(raw.bytes) {
            newest = Some(note);
        }
    }
    Ok(newest)
}

/// The last checkpoint line before which no zero byte stands in its commit. When the power goes, pages of a commit can
/// be on the disk without those before them: in their place the space that was there shows. The commit of a note that is
/// `known` is not looked at again.
fn newest_whole(file: &dyn DiskFile, known: Option<&str>) -> io::Result<Option<String>> {
    let mut newest = last_line(file, content_end(file)?)?;
    while let Some(line) = newest {
        if known == Some(&line.note) {
            return Ok(Some(line.note));
        }
        let before = last_line(file, line.start)?;
        let commit_start = before.as_ref().map_or(0, |before| before.end);
        if !has_zero(file, commit_start.max(reach(line.start)), line.start)? {
            return Ok(Some(line.note));
        }
        newest = before;
    }
    Ok(None)
}

/// A checkpoint line: its note, and where the line begins and ends.
struct CheckpointLine {
    note: String,
    start: u64,
    end: u64,
}

/// The last checkpoint line that ends at or before `end`, not further back than a commit is long: searched block by
/// block.
fn last_line(file: &dyn DiskFile, end: u64) -> io::Result<Option<CheckpointLine>> {
    let mut tail: Vec<u8> = Vec::new();
    let mut start = end;
    while start > reach(end) {
        let count = start.min(BLOCK);
        start -= count;
        let mut block = read_block(file, start, count)?;
        block.extend_from_slice(&tail);
        tail = block;
        // The first line of the block may be cut, unless the file begins here.
        let whole_from = match start {
            0 => 0,
            _ => memchr::memchr2(b'\n', 0, &tail).map_or(tail.len(), |at| at + 1),
        };
        let mut line_end = tail.len();
        while let Some(at) = memchr::memrchr(b'\n', tail.get(whole_from..line_end).unwrap_or_default()) {
            line_end = whole_from + at;
            let before = tail.get(whole_from..line_end).unwrap_or_default();
            let line_start = memchr::memrchr2(b'\n', 0, before).map_or(whole_from, |at| whole_from + at + 1);
            if let Some(note) = tail.get(line_start..line_end).and_then(note_of) {
                let (start, end) = (start + line_start as u64, start + line_end as u64 + 1);
                return Ok(Some(CheckpointLine { note, start, end }));
            }
        }
        tail.truncate(whole_from);
        if tail.len() > 2 * LINE_MAX {
            return Ok(None);
        }
    }
    Ok(None)
}

fn note_of(line: &[u8]) -> Option<String> {
    if !line.starts_with(b"{\"checkpoint\":") {
        return None;
    }
    match Line::parse(line) {
        Ok(Line::Checkpoint(note)) => Some(note.into_owned()),
        _ => None,
    }
}

fn has_zero(file: &dyn DiskFile, start: u64, end: u64) -> io::Result<bool> {
    let mut at = start;
    while at < end {
        let block = read_block(file, at, BLOCK.min(end - at))?;
        if block.is_empty() || block.contains(&0) {
            return Ok(true);
        }
        at += block.len() as u64;
    }
    Ok(false)
}

fn read_block(file: &dyn DiskFile, start: u64, count: u64) -> io::Result<Vec<u8>> {
    let mut block = vec![0; usize::try_from(count.min(BLOCK)).unwrap_or_default()];
    let mut read = 0;
    while read < block.len() {
        match file.read_at(block.get_mut(read..).unwrap_or_default(), start + read as u64)? {
            0 => break,
            more => read += more,
        }
    }
    block.truncate(read);
    Ok(block)
}

/// How far back from `end` the beginning of the last whole commit is looked for.
fn reach(end: u64) -> u64 {
    end.saturating_sub((COMMIT_MAX + LINE_MAX) as u64)
}

const BLOCK: u64 = 64 * 1024;

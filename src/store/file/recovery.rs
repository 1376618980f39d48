//! Finding the newest commit of a log directory, and clearing away what a crash left behind it (FORMAT §8).
//!
//! The order of steps is the safety argument. Nothing is changed before the whole tail is understood and the log accepts
//! the commit that was found: it may know that more was acknowledged. Then the newest commit is written anew and synced, because after a failed sync the page cache can show what the disk does not hold.
//! Then the tail is copied to `recovered/` and synced, and only then cut off.

mod scan;

use std::path::Path;

use super::disk::{DiskFile, How};
use super::layout::{Layout, parse_segment_name};
use super::lines::first_non_zero;
use super::reading::is_compressed;
use crate::checkpoint::SignedCheckpoint;
use crate::error::{Cause, Error, Result};
use crate::hash::Hash;
use crate::record::{Header, LINE_MAX, Line};
use crate::store::{COMMIT_MAX, Head, Moved, Opening, Segment};
use scan::{Commit, Then, find};

/// What recovery found and mended.
#[derive(Debug)]
pub(super) struct Recovered {
    pub(super) head: Option<Head>,
    pub(super) tail: Option<Tail>,
    pub(super) moved: Vec<Moved>,
}

/// The last segment, where the next commit goes.
#[derive(Debug)]
pub(super) struct Tail {
    pub(super) file: Box<dyn DiskFile>,
    pub(super) segment: Segment,
    /// Where its content ends.
    pub(super) end: u64,
    /// Where the file ends: zeros stand between.
    pub(super) size: u64,
}

/// Finds the newest commit, writes it anew, and moves away what a crash left behind it.
pub(super) fn recover(layout: &Layout, opening: &Opening<'_>) -> Result<Recovered> {
    let mut moved = moved_before(layout)?;
    let mut recovered = mend_last(layout, opening)?;
    // Moved by an opening that a crash ended, and now once more.
    moved.retain(|before| recovered.moved.iter().all(|now| now.file != before.file));
    moved.append(&mut recovered.moved);
    recovered.moved = moved;
    Ok(recovered)
}

fn mend_last(layout: &Layout, opening: &Opening<'_>) -> Result<Recovered> {
    let mut segments = layout.segments()?;
    let Some(last) = segments.pop() else {
        (opening.accept)(None)?;
        return Ok(Recovered {
            head: None,
            tail: None,
            moved: Vec::new(),
        });
    };
    let found = find(layout, &last, opening)?;
    let recovered = match (found.newest, segments.pop()) {
        (Some(newest), _) if is_compressed(&last.name) => keep_sealed(layout, opening, &last, newest)?,
        (Some(newest), _) => mend(layout, opening, &last, newest)?,
        // A crash can leave the last segment without a whole commit, but only that one.
        (None, Some(before)) => match find(layout, &before, opening)?.newest {
            Some(newest) => {
                let mended = mend_without_commit(layout, opening, (&last, found.header), (&before, newest));
                mended.map_err(|error| match error.cause() {
                    Cause::Damaged { .. } if found.refused.is_some() => no_commit(&last, found.refused),
                    _ => error,
                })?
            }
            None => return Err(no_commit(&before, found.refused)),
        },
        (None, None) if found.refused.is_some() || last.first > 0 => return Err(no_commit(&last, found.refused)),
        (None, None) => mend_unborn(layout, opening, &last, found.header)?,
    };
    remove_leftovers(layout)?;
    // A writer that was killed may have named a segment and not synced the name.
    layout.sync_folder(&layout.segments_folder())?;
    Ok(recovered)
}

fn no_commit(segment: &Segment, refused: Option<String>) -> Error {
    match refused {
        Some(refused) => Error::configuration("key", format!("{refused} ({})", segment.name)),
        None => Error::damaged(&segment.name, None, "no commit whose checkpoint verifies"),
    }
}

/// The usual case: the last segment holds the newest commit.
fn mend(layout: &Layout, opening: &Opening<'_>, segment: &Segment, newest: Commit) -> Result<Recovered> {
    let path = layout.path(&segment.name);
    let file = open(layout, &path)?;
    let crash = match newest.then {
        Then::End | Then::Space => Crash::nothing(newest.end, newest.head.tree.size()),
        Then::Else => Crash::read(file.as_ref(), &path, segment, newest.end, &newest.head)?,
    };
    (opening.accept)(Some(&newest.head))?;
    let head = write_anew(file.as_ref(), &path, newest)?;
    let moved = move_away(layout, file.as_ref(), &path, &crash)?;
    let size = file.size().map_err(|error| Error::io("read", &path, error))?;
    let tail = Tail {
        file,
        segment: segment.clone(),
        end: crash.start,
        size,
    };
    Ok(Recovered {
        head: Some(head),
        tail: Some(tail),
        moved,
    })
}

/// The newest commit ends a compressed segment, which is not written to again: the next commit begins another.
fn keep_sealed(layout: &Layout, opening: &Opening<'_>, segment: &Segment, newest: Commit) -> Result<Recovered> {
    check_sealed(layout, segment, &newest)?;
    (opening.accept)(Some(&newest.head))?;
    Ok(Recovered {
        head: Some(write_anew_sealed(layout, segment, newest)?),
        tail: None,
        moved: Vec::new(),
    })
}

/// The last segment has no commit yet: the newest one ends the segment before.
fn mend_without_commit(
    layout: &Layout,
    opening: &Opening<'_>,
    (last, header): (&Segment, Option<(Header, u64)>),
    (before, newest): (&Segment, Commit),
) -> Result<Recovered> {
    check_sealed(layout, before, &newest)?;
    check_continues(last, header.as_ref().map(|(header, _)| header), &newest.head)?;
    if is_compressed(&last.name) {
        return keep_sealed(layout, opening, before, newest);
    }
    let path = layout.path(&last.name);
    let file = open(layout, &path)?;
    let header_end = header.map_or(0, |(_, end)| end);
    let crash = Crash::read(file.as_ref(), &path, last, header_end, &newest.head)?;
    (opening.accept)(Some(&newest.head))?;
    let newest_end = newest.end;
    let head = write_anew_sealed(layout, before, newest)?;
    let moved = move_away(layout, file.as_ref(), &path, &crash)?;
    let tail = if header_end > 0 {
        let size = file.size().map_err(|error| Error::io("read", &path, error))?;
        Some(Tail {
            file,
            segment: last.clone(),
            end: header_end,
            size,
        })
    } else {
        layout.remove(&path)?;
        let go_on = |file| Tail {
            file,
            segment: before.clone(),
            end: newest_end,
            size: newest_end,
        };
        match is_compressed(&before.name) {
            true => None,
            false => Some(go_on(open(layout, &layout.path(&before.name))?)),
        }
    };
    Ok(Recovered {
        head: Some(head),
        tail,
        moved,
    })
}

/// Checks that nothing follows the newest commit in a segment that is not written to any more.
fn check_sealed(layout: &Layout, segment: &Segment, newest: &Commit) -> Result<()> {
    let is_end = if is_compressed(&segment.name) {
        newest.then == Then::End
    } else {
        let path = layout.path(&segment.name);
        let file = open(layout, &path)?;
        file.size().map_err(|error| Error::io("read", &path, error))? == newest.end
    };
    if is_end {
        return Ok(());
    }
    let problem = "a segment that is not written to any more goes on after its last commit";
    Err(Error::damaged(&segment.name, None, problem))
}

/// Checks that a segment without commits continues the log that ends at `head`.
fn check_continues(segment: &Segment, header: Option<&Header>, head: &Head) -> Result<()> {
    if segment.first != head.tree.size() {
        let problem = format!(
            "its first record is {}, the records before it end at {}",
            segment.first,
            head.tree.size()
        );
        return Err(Error::damaged(&segment.name, None, problem));
    }
    match header {
        Some(header) if header.peaks != head.tree.peaks() => {
            let problem = "the peaks are not those of the records before";
            Err(Error::damaged(&segment.name, Some(1), problem))
        }
        None if is_compressed(&segment.name) => Err(Error::damaged(&segment.name, None, "no segment header")),
        _ => Ok(()),
    }
}

/// The first segment of a log whose first commit was never whole: the log is made anew.
fn mend_unborn(
    layout: &Layout,
    opening: &Opening<'_>,
    segment: &Segment,
    header: Option<(Header, u64)>,
) -> Result<Recovered> {
    if is_compressed(&segment.name) {
        return Err(no_commit(segment, None));
    }
    let path = layout.path(&segment.name);
    let file = open(layout, &path)?;
    let header_end = header.map_or(0, |(_, end)| end);
    let crash = Crash::read_unborn(file.as_ref(), &path, segment, header_end)?;
    (opening.accept)(None)?;
    let moved = move_away(layout, file.as_ref(), &path, &crash)?;
    layout.remove(&path)?;
    Ok(Recovered {
        head: None,
        tail: None,
        moved,
    })
}

fn open(layout: &Layout, path: &Path) -> Result<Box<dyn DiskFile>> {
    layout
        .disk
        .open(path, How::Write)
        .map_err(|error| Error::io("open", path, error))
}

/// Writes the newest commit's bytes where they stand and syncs them, before anything is built on them.
fn write_anew(file: &dyn DiskFile, path: &Path, newest: Commit) -> Result<Head> {
    rewrite(file, path, newest.start, newest.end)?;
    Ok(newest.head)
}

/// The same in a segment that is not written to any more; of a compressed one, all bytes.
fn write_anew_sealed(layout: &Layout, segment: &Segment, newest: Commit) -> Result<Head> {
    let path = layout.path(&segment.name);
    let file = open(layout, &path)?;
    if !is_compressed(&segment.name) {
        return write_anew(file.as_ref(), &path, newest);
    }
    let size = file.size().map_err(|error| Error::io("read", &path, error))?;
    rewrite(file.as_ref(), &path, 0, size)?;
    Ok(newest.head)
}

fn rewrite(file: &dyn DiskFile, path: &Path, start: u64, end: u64) -> Result<()> {
    let mut at = start;
    while at < end {
        let bytes = read_range(file, path, at, end.min(at + COMMIT_MAX as u64))?;
        if bytes.is_empty() {
            break;
        }
        file.write_all_at(&bytes, at)
            .map_err(|error| Error::io("write", path, error))?;
        at += bytes.len() as u64;
    }
    file.sync().map_err(|error| Error::io("sync", path, error))
}

/// The bytes after the newest commit, understood as what a crash left.
#[derive(Debug)]
struct Crash {
    start: u64,
    /// Without the zeros at the end.
    bytes: Vec<u8>,
    /// The size of the log before them.
    size: u64,
}

impl Crash {
    fn nothing(start: u64, size: u64) -> Self {
        let bytes = Vec::new();
        Self { start, bytes, size }
    }

    /// Reads what follows byte `start`.
    ///
    /// It is what a crash left if it holds at most one whole checkpoint line, with nothing but zeros after it, and
    /// every whole line without a zero byte is a record that continues the log (FORMAT §8). Anything else is damage.
    fn read(file: &dyn DiskFile, path: &Path, segment: &Segment, start: u64, head: &Head) -> Result<Self> {
        let crash = Self::bytes_from(file, path, segment, start, head.tree.size())?;
        crash.check(segment, 0, Some(head.last))?;
        Ok(crash)
    }

    /// Reads the first segment of a log that has no commit yet: all of it is what a crash left, the header too.
    fn read_unborn(file: &dyn DiskFile, path: &Path, segment: &Segment, header_end: u64) -> Result<Self> {
        let crash = Self::bytes_from(file, path, segment, 0, 0)?;
        crash.check(segment, to_usize(header_end), Some(Hash::ZERO))?;
        Ok(crash)
    }

    /// Checks the bytes from `skipped` on. `prev` is the hash of the record before; `None` after lines that are lost.
    fn check(&self, segment: &Segment, skipped: usize, mut prev: Option<Hash>) -> Result<()> {
        let mut seq = self.size;
        let mut rest = self.bytes.get(skipped..).unwrap_or_default();
        while let Some((line, after)) = memchr::memchr(b'\n', rest).and_then(|length| rest.split_at_checked(length + 1))
        {
            rest = after;
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            if line.contains(&0) {
                prev = None;
                continue;
            }
            match Line::parse(line) {
                Ok(Line::Record(record))
                    if prev.map_or(record.seq >= seq, |prev| (seq, prev) == (record.seq, record.prev)) =>
                {
                    seq = record.seq + 1;
                    prev = Some(record.hash());
                }
                Ok(Line::Checkpoint(note)) if note.parse::<SignedCheckpoint>().is_ok() => {
                    if rest.iter().all(|byte| *byte == 0) {
                        return Ok(());
                    }
                    return Err(self.damage(segment, "something follows a checkpoint that is not of a whole commit"));
                }
                _ => return Err(self.damage(segment, "a line that a crash does not explain")),
            }
        }
        Ok(())
    }

    fn bytes_from(file: &dyn DiskFile, path: &Path, segment: &Segment, start: u64, size: u64) -> Result<Self> {
        let failed = |error| Error::io("read", path, error);
        let file_size = file.size().map_err(failed)?;
        let mut crash = Self::nothing(start, size);
        if first_non_zero(file, start).map_err(failed)?.is_none() {
            return Ok(crash);
        }
        let limit = start + (COMMIT_MAX + LINE_MAX) as u64;
        if file_size > limit && first_non_zero(file, limit).map_err(failed)?.is_some() {
            return Err(crash.damage(segment, "more than a commit follows the last whole commit"));
        }
        crash.bytes = read_range(file, path, start, file_size.min(limit))?;
        let length = crash.bytes.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1);
        crash.bytes.truncate(length);
        Ok(crash)
    }

    fn damage(&self, segment: &Segment, problem: &str) -> Error {
        Error::damaged(
            &segment.name,
            None,
            format!("after its whole commits, from byte {}: {problem}", self.start),
        )
    }
}

/// Copies what a crash left to `recovered/`, durably, and cuts it off. Until the log has announced it, its name ends in
/// `.new`.
fn move_away(layout: &Layout, file: &dyn DiskFile, path: &Path, crash: &Crash) -> Result<Vec<Moved>> {
    if crash.bytes.is_empty() {
        return Ok(Vec::new());
    }
    let folder = layout.recovered_folder();
    layout.make_folder(&folder)?;
    let sha256 = Hash::of(&crash.bytes).to_string();
    let name = format!("{:020}-{}", crash.size, &sha256[..16]);
    let copy_path = folder.join(format!("{name}.new"));
    let failed = |error| Error::io("write", &copy_path, error);
    let copy = layout.disk.open(&copy_path, How::Create).map_err(failed)?;
    copy.write_all_at(&crash.bytes, 0).map_err(failed)?;
    copy.sync().map_err(failed)?;
    layout.sync_folder(&folder)?;
    file.set_size(crash.start)
        .map_err(|error| Error::io("truncate", path, error))?;
    file.sync().map_err(|error| Error::io("sync", path, error))?;
    Ok(vec![moved(&name, &crash.bytes)])
}

/// What was moved to `recovered/` by an opening that a crash ended, and is not announced yet.
fn moved_before(layout: &Layout) -> Result<Vec<Moved>> {
    let folder = layout.recovered_folder();
    let mut names = layout.list(&folder)?;
    names.sort();
    let mut before = Vec::new();
    for name in names.iter().filter_map(|name| name.strip_suffix(".new")) {
        let path = folder.join(format!("{name}.new"));
        if let Some(content) = layout.read(&path, (COMMIT_MAX + 2 * LINE_MAX) as u64)? {
            before.push(moved(name, &content));
        }
    }
    Ok(before)
}

fn moved(name: &str, content: &[u8]) -> Moved {
    // The record before a checkpoint may be lost with its LF.
    let mut lines = content.split(|byte| matches!(byte, b'\n' | 0));
    let checkpoint = lines.find_map(|line| match Line::parse(line) {
        Ok(Line::Checkpoint(note)) => note.parse::<SignedCheckpoint>().ok(),
        _ => None,
    });
    Moved {
        bytes: content.len() as u64,
        file: format!("recovered/{name}"),
        sha256: Hash::of(content),
        checkpoint: checkpoint
            .map(|checkpoint| checkpoint.as_str().to_owned())
            .filter(|note| note.len() <= CHECKPOINT_TOLD_MAX),
    }
}

/// The moved bytes stand in a durable announcement: their files get their final names.
pub(super) fn moved_is_announced(layout: &Layout) -> Result<()> {
    let folder = layout.recovered_folder();
    for name in layout.list(&folder)? {
        if let Some(name_announced) = name.strip_suffix(".new") {
            layout.rename(&folder.join(&name), &folder.join(name_announced))?;
        }
    }
    match layout.disk.sync_folder(&folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::io("sync", &folder, error)),
        _ => Ok(()),
    }
}

/// Removes what an interrupted writer left beside the log: space that was being prepared, segments that were being
/// written anew, a compressed segment beside the plain one.
fn remove_leftovers(layout: &Layout) -> Result<()> {
    layout.remove(&layout.spare())?;
    let folder = layout.segments_folder();
    let names = layout.list(&folder)?;
    for name in &names {
        let beside_plain = parse_segment_name(name).is_some_and(|(_, compressed)| compressed)
            && names.iter().any(|plain| name.strip_suffix(".zst") == Some(plain));
        if beside_plain || name.ends_with(".new") {
            layout.remove(&folder.join(name))?;
        }
    }
    Ok(())
}

fn read_range(file: &dyn DiskFile, path: &Path, start: u64, end: u64) -> Result<Vec<u8>> {
    let mut bytes = vec![0; to_usize(end.saturating_sub(start))];
    let mut count = 0;
    while count < bytes.len() {
        match file
            .read_at(&mut bytes[count..], start + count as u64)
            .map_err(|error| Error::io("read", path, error))?
        {
            0 => break,
            more => count += more,
        }
    }
    bytes.truncate(count);
    Ok(bytes)
}

fn to_usize(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// A longer checkpoint may not fit into the event that tells of it.
const CHECKPOINT_TOLD_MAX: usize = 16 * 1024;

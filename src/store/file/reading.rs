//! Reading a segment as it is stored: plain, or compressed.

use super::disk::How;
use super::layout::Layout;
use super::lines::{FileLines, content_end, last_checkpoint};
use crate::checkpoint::SignedCheckpoint;
use crate::error::{Cause, Error, Result};
use crate::record::Line;
use crate::store::{LineEnd, Lines, RawLine, Segment};

/// The lines of a segment from its header, or from a line not after the record `from`.
///
/// A segment that was replaced since it was listed, compressed or plain again, is looked for once more (FORMAT §5).
pub(super) fn open_lines(layout: &Layout, segment: &Segment, from: u64) -> Result<Box<dyn Lines>> {
    match open_as_named(layout, &segment.name, from) {
        Err(error) if is_gone(&error) => {
            let segments = layout.segments()?;
            let replaced = segments.iter().find(|replaced| replaced.first == segment.first);
            match replaced.filter(|replaced| replaced.name != segment.name) {
                Some(replaced) => open_as_named(layout, &replaced.name, from),
                None => Err(error),
            }
        }
        lines => lines,
    }
}

fn open_as_named(layout: &Layout, name: &str, from: u64) -> Result<Box<dyn Lines>> {
    if is_compressed(name) {
        return open_compressed(layout, name);
    }
    let lines = FileLines::open_near(layout.disk.as_ref(), &layout.path(name), from)?;
    Ok(Box::new(lines))
}

#[cfg(feature = "zstd")]
fn open_compressed(layout: &Layout, name: &str) -> Result<Box<dyn Lines>> {
    let lines = super::compressed::CompressedLines::open(layout.disk.as_ref(), &layout.path(name))?;
    Ok(Box::new(lines))
}

#[cfg(not(feature = "zstd"))]
fn open_compressed(_: &Layout, name: &str) -> Result<Box<dyn Lines>> {
    let problem = format!("{name} is compressed: to read it, build indelible with its feature `zstd`");
    Err(Error::configuration("segments", problem))
}

fn is_gone(error: &Error) -> bool {
    matches!(error.cause(), Cause::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound)
}

/// Whether a segment of this name is compressed.
pub(super) fn is_compressed(name: &str) -> bool {
    name.ends_with(".zst")
}

/// The newest checkpoint of the log, once its file is synced: it is never given away while a crash could take it back
/// (FORMAT §4).
pub(super) fn newest_checkpoint(layout: &Layout) -> Result<Option<SignedCheckpoint>> {
    match newest_checkpoint_now(layout) {
        Err(error) if is_gone(&error) => newest_checkpoint_now(layout),
        newest => newest,
    }
}

fn newest_checkpoint_now(layout: &Layout) -> Result<Option<SignedCheckpoint>> {
    for segment in layout.segments()?.iter().rev().take(2) {
        let path = layout.path(&segment.name);
        let failed = |error| Error::io("read", &path, error);
        let file = layout.disk.open(&path, How::Read).map_err(failed)?;
        let note = if is_compressed(&segment.name) {
            last_checkpoint_of_all(open_lines(layout, segment, 0)?.as_mut(), segment)?
        } else {
            let end = content_end(file.as_ref()).map_err(failed)?;
            last_checkpoint(file.as_ref(), end).map_err(failed)?
        };
        if let Some(note) = note {
            file.sync().map_err(|error| Error::io("sync", &path, error))?;
            let checkpoint = note
                .parse()
                .map_err(|error| Error::damaged(&segment.name, None, format!("{error}")))?;
            return Ok(Some(checkpoint));
        }
    }
    Ok(None)
}

/// The last checkpoint line of a segment in which nothing can be looked for from the end.
fn last_checkpoint_of_all(lines: &mut dyn Lines, segment: &Segment) -> Result<Option<String>> {
    let mut newest = None;
    while let Some(raw) = lines.next_line()? {
        check_whole(segment, &raw)?;
        if raw.bytes.starts_with(b"{\"checkpoint\":")
            && let Ok(Line::Checkpoint(note)) = Line::parse(raw.bytes)
        {
            newest = Some(note.into_owned());
        }
    }
    Ok(newest)
}

/// Checks that a line of a segment that is not written to any more is whole.
pub(super) fn check_whole(segment: &Segment, raw: &RawLine<'_>) -> Result<()> {
    let problem = match raw.end {
        LineEnd::Whole => return Ok(()),
        LineEnd::Unreadable => String::from_utf8_lossy(raw.bytes).into_owned(),
        LineEnd::TooLong => "a line is too long".into(),
        LineEnd::Torn | LineEnd::Space | LineEnd::BrokenSpace => "a sealed segment ends within a line".into(),
    };
    Err(Error::damaged(&segment.name, Some(raw.number), problem))
}

//! Reading a segment as it is stored: plain, or compressed.

use std::path::Path;

use super::layout::Layout;
use super::lines::FileLines;
use crate::error::{Error, Result};
use crate::store::{LineEnd, Lines, RawLine, Segment};

/// The lines of a segment from its header, or from a line not after the record `from`.
///
/// A segment that was replaced since it was listed, compressed or plain again, is looked for once more (FORMAT §5).
pub(super) fn open_lines(layout: &Layout, segment: &Segment, from: u64) -> Result<Box<dyn Lines>> {
    match open_as_named(layout, &segment.name, from) {
        Err(error) if error.is_gone() => {
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
        return open_compressed(layout, &layout.path(name), from);
    }
    let lines = FileLines::open_near(layout.disk.as_ref(), &layout.path(name), from)?;
    Ok(Box::new(lines))
}

/// The same of a compressed file, whatever it is called.
#[cfg(feature = "compress")]
pub(super) fn open_compressed(layout: &Layout, path: &Path, from: u64) -> Result<Box<dyn Lines>> {
    let lines = super::compressed::CompressedLines::open_near(layout.disk.as_ref(), path, from)?;
    Ok(Box::new(lines))
}

#[cfg(not(feature = "compress"))]
pub(super) fn open_compressed(_: &Layout, path: &Path, _: u64) -> Result<Box<dyn Lines>> {
    let file = path.display();
    let problem = format!("{file} is compressed: to read it, build indelible with its feature `compress`");
    Err(Error::configuration("segments", problem))
}

/// Whether a segment of this name is compressed.
pub(super) fn is_compressed(name: &str) -> bool {
    name.ends_with(".zst")
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

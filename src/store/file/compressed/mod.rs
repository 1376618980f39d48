//! A compressed segment: the frames of RFC 8878 that FORMAT §5 allows, in bounded memory.
//!
//! What the frames say of themselves is checked before a decoder sees them: a decoder skips frames that hold something
//! else, and may decode a small frame whatever window it asks for.

#![warn(clippy::unwrap_used, clippy::indexing_slicing, clippy::as_conversions)]

mod frame;
mod frames;
mod near;
mod pack;

pub(super) use pack::Packer;

use std::path::{Path, PathBuf};

use frames::{Broken, Frames};

use super::disk::{Disk, How};
use crate::error::{Error, Result};
use crate::record::{LINE_MAX, Line};
use crate::store::{LineEnd, Lines, RawLine};

/// The lines of a compressed segment.
///
/// Space written ahead is for plain segments alone: a zero byte is a byte of its line here.
#[derive(Debug)]
pub(super) struct CompressedLines {
    frames: Frames,
    path: PathBuf,
    buffer: Vec<u8>,
    /// What of the buffer is decompressed and not yet given out.
    start: usize,
    end: usize,
    number: u64,
    finished: bool,
}

impl CompressedLines {
    /// The lines from the header on.
    pub(super) fn open(disk: &dyn Disk, path: &Path) -> Result<Self> {
        let failed = |error| Error::io("open", path, error);
        Ok(Self {
            frames: Frames::new(disk.open(path, How::Read).map_err(failed)?).map_err(failed)?,
            path: path.to_owned(),
            buffer: vec![0; OUTPUT],
            start: 0,
            end: 0,
            number: 0,
            finished: false,
        })
    }

    /// The lines from the header, or from a line not after the record `from`.
    pub(super) fn open_near(disk: &dyn Disk, path: &Path, from: u64) -> Result<Self> {
        let mut lines = Self::open(disk, path)?;
        if from > 0 {
            let offset = near::frame_near(&mut lines, from)?;
            lines.seek(offset)?;
        }
        Ok(lines)
    }

    /// Goes on with the frame that begins at byte `offset` of the file.
    fn seek(&mut self, offset: u64) -> Result<()> {
        let sought = self.frames.seek(offset);
        sought.map_err(|error| Error::io("read", &self.path, error))?;
        (self.start, self.end, self.number, self.finished) = (0, 0, 0, false);
        // What was wrong where it was read before may stand in it.
        self.buffer.resize(OUTPUT, 0);
        Ok(())
    }

    /// The `seq` of the first record from here on. `None` where no line begins here, or none is near.
    fn next_seq(&mut self) -> Result<Option<u64>> {
        for _ in 0..LINES_BEFORE_A_RECORD {
            match self.next_line()? {
                Some(raw) if raw.end == LineEnd::Whole => match Line::parse(raw.bytes) {
                    Ok(Line::Record(record)) => return Ok(Some(record.seq)),
                    Ok(Line::Erased { seq, .. }) => return Ok(Some(seq)),
                    Ok(Line::Header(_) | Line::Checkpoint(_)) => {}
                    Err(_) => return Ok(None),
                },
                _ => return Ok(None),
            }
        }
        Ok(None)
    }

    fn fill(&mut self) -> Result<bool, Broken> {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        let count = self.frames.read(self.buffer.get_mut(self.end..).unwrap_or_default())?;
        self.end += count;
        Ok(count > 0)
    }

    /// The next line as a range of the buffer.
    fn advance(&mut self) -> Result<Option<(usize, usize, LineEnd)>, Broken> {
        if self.number > LINES_FREE + self.frames.offset() / LINE_BYTES_MIN {
            return Err(self
                .frames
                .broken("it unpacks to more lines than it has room for their hashes"));
        }
        let mut searched = 0;
        loop {
            let pending = self.buffer.get(self.start + searched..self.end).unwrap_or_default();
            if let Some(length) = memchr::memchr(b'\n', pending) {
                let line = (self.start, self.start + searched + length, LineEnd::Whole);
                self.start = line.1 + 1;
                return Ok(Some(line));
            }
            searched = self.end - self.start;
            if searched > LINE_MAX {
                self.finished = true;
                return Ok(Some((self.start, self.end, LineEnd::TooLong)));
            }
            if !self.fill()? {
                self.finished = true;
                return Ok((searched > 0).then_some((self.start, self.end, LineEnd::Torn)));
            }
        }
    }
}

impl Lines for CompressedLines {
    fn next_line(&mut self) -> Result<Option<RawLine<'_>>> {
        if self.finished {
            return Ok(None);
        }
        let (start, end, kind) = match self.advance() {
            Ok(Some(line)) => line,
            Ok(None) => return Ok(None),
            Err(Broken::Io(error)) => return Err(Error::io("read", &self.path, error)),
            Err(Broken::Form(problem)) => {
                self.finished = true;
                self.buffer = problem.into_bytes();
                (0, self.buffer.len(), LineEnd::Unreadable)
            }
        };
        self.number += 1;
        Ok(Some(RawLine {
            bytes: self.buffer.get(start..end).unwrap_or_default(),
            number: self.number,
            end: kind,
        }))
    }
}

/// A frame can begin with the checkpoint of the commit before, and the first one with the header.
const LINES_BEFORE_A_RECORD: usize = 2;

/// Each line but a header holds a hash or a salt that no other line has, and 16 bytes at the least do not compress. A file
/// of a few kilobytes that unpacks to gigabytes of short lines would keep its reader for hours: with half of that, and so
/// many lines for nothing, that takes no longer than reading a file of its size.
const LINE_BYTES_MIN: u64 = 8;
const LINES_FREE: u64 = 64 * 1024;

/// Room for the longest line, and for what is decompressed behind it.
const OUTPUT: usize = 2 * LINE_MAX;

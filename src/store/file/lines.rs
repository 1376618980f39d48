//! Reading a segment file line by line, and finding places in it.

use std::io;
use std::path::{Path, PathBuf};

use super::disk::{Disk, DiskFile, How};
use super::space::SPACE_MAX;
use crate::error::{Error, Result};
use crate::record::{LINE_MAX, Line};
use crate::store::{LineEnd, Lines, RawLine};

/// The lines of an uncompressed segment.
#[derive(Debug)]
pub(super) struct FileLines {
    file: Box<dyn DiskFile>,
    path: PathBuf,
    buffer: Vec<u8>,
    /// What of the buffer is read from the file and not yet given out.
    start: usize,
    end: usize,
    /// Where in the file `buffer[start]` stands.
    offset: u64,
    number: u64,
    finished: bool,
}

impl FileLines {
    /// The lines from byte `offset` on, which is where a line begins.
    pub(super) fn open(disk: &dyn Disk, path: &Path, offset: u64) -> Result<Self> {
        let file = disk
            .open(path, How::Read)
            .map_err(|error| Error::io("open", path, error))?;
        Ok(Self {
            file,
            path: path.to_owned(),
            buffer: Vec::new(),
            start: 0,
            end: 0,
            offset,
            number: 0,
            finished: false,
        })
    }

    /// The lines from the header, or from a line not after the record `from`.
    pub(super) fn open_near(disk: &dyn Disk, path: &Path, from: u64) -> Result<Self> {
        let mut lines = Self::open(disk, path, 0)?;
        if from > 0 {
            lines.offset = offset_near(lines.file.as_ref(), path, from)?;
        }
        Ok(lines)
    }

    /// Reads on: little at first, for who wants one record, then more and more.
    fn fill(&mut self) -> io::Result<bool> {
        let length = (4 * self.buffer.len()).clamp(FIRST_READ, BUFFER);
        self.buffer.resize(length, 0);
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        let at = self.offset + (self.end - self.start) as u64;
        let count = self.file.read_at(&mut self.buffer[self.end..], at)?;
        self.end += count;
        Ok(count > 0)
    }

    /// The next line as a range of the buffer.
    fn advance(&mut self) -> io::Result<Option<(usize, usize, LineEnd)>> {
        let mut searched = 0;
        loop {
            let pending = &self.buffer[self.start..self.end];
            if pending.first() == Some(&0) {
                self.finished = true;
                let end = if self.only_zeros_follow()? {
                    LineEnd::Space
                } else {
                    LineEnd::BrokenSpace
                };
                return Ok(Some((self.start, self.start, end)));
            }
            if let Some(length) = memchr::memchr(b'\n', &pending[searched..]) {
                let line = (self.start, self.start + searched + length, LineEnd::Whole);
                self.offset += (line.1 + 1 - line.0) as u64;
                self.start = line.1 + 1;
                return Ok(Some(line));
            }
            searched = pending.len();
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

    fn only_zeros_follow(&mut self) -> io::Result<bool> {
        if self.buffer[self.start..self.end].iter().any(|byte| *byte != 0) {
            return Ok(false);
        }
        let at = self.offset + (self.end - self.start) as u64;
        Ok(first_non_zero(self.file.as_ref(), at)?.is_none())
    }
}

impl Lines for FileLines {
    fn next_line(&mut self) -> Result<Option<RawLine<'_>>> {
        if self.finished {
            return Ok(None);
        }
        match self.advance().map_err(|error| Error::io("read", &self.path, error))? {
            Some((start, end, kind)) => {
                self.number += 1;
                Ok(Some(RawLine {
                    bytes: &self.buffer[start..end],
                    number: self.number,
                    end: kind,
                }))
            }
            None => Ok(None),
        }
    }

    fn pass_over(&mut self, find: &dyn Fn(&[u8]) -> Option<usize>) {
        // What of the buffer is whole lines, but for the last two: one of them is a record, whose `seq` tells how far the
        // reading is.
        let pending = &self.buffer[self.start..self.end];
        let newline_before = |end: usize| memchr::memrchr(b'\n', &pending[..end]);
        let last = newline_before(pending.len()).and_then(newline_before);
        let Some(lines) = last.and_then(newline_before) else {
            return;
        };
        let lines = &pending[..=lines];
        let passed = match find(lines) {
            Some(at) => memchr::memrchr(b'\n', &lines[..at]).map_or(0, |newline| newline + 1),
            None => lines.len(),
        };
        self.start += passed;
        self.offset += passed as u64;
    }
}

/// Where the first byte other than zero stands, from `offset` on. A sparse file has no end of zeros: after
/// [`ZEROS_MAX`] that is an error.
pub(super) fn first_non_zero(file: &dyn DiskFile, offset: u64) -> io::Result<Option<u64>> {
    let mut buffer = vec![0; BUFFER];
    let mut at = offset;
    loop {
        if at - offset > ZEROS_MAX {
            let problem = format!("more than {ZEROS_MAX} zero bytes from byte {offset} on");
            return Err(io::Error::new(io::ErrorKind::InvalidData, problem));
        }
        let count = file.read_at(&mut buffer, at)?;
        if count == 0 {
            return Ok(None);
        }
        if let Some(index) = first_non_zero_byte(&buffer[..count]) {
            return Ok(Some(at + index as u64));
        }
        at += count as u64;
    }
}

fn first_non_zero_byte(bytes: &[u8]) -> Option<usize> {
    // Whole blocks first: the compiler compares them many bytes at a time.
    let blocks = bytes
        .chunks(1024)
        .take_while(|block| block.iter().fold(0, |all, byte| all | byte) == 0)
        .count();
    let start = (blocks * 1024).min(bytes.len());
    bytes[start..]
        .iter()
        .position(|byte| *byte != 0)
        .map(|index| start + index)
}

/// Where the content ends and the space written ahead begins: the first zero byte, if the file ends in zeros as it
/// should. Found by bisection; who verifies looks at every byte.
pub(super) fn content_end(file: &dyn DiskFile) -> io::Result<u64> {
    let (mut low, mut high) = (0, file.size()?);
    let mut byte = [0];
    while low < high {
        let middle = low + (high - low) / 2;
        if file.read_at(&mut byte, middle)? == 1 && byte[0] != 0 {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(low)
}

/// Where a line begins that is not after the record `from`: by bisection, since every record says its `seq`. A file
/// that is not in order gives some line's beginning.
fn offset_near(file: &dyn DiskFile, path: &Path, from: u64) -> Result<u64> {
    let failed = |error| Error::io("read", path, error);
    let (mut low, mut high) = (0, content_end(file).map_err(failed)?);
    let mut buffer = Vec::new();
    // `low` is where a line begins that is not after `from`; what begins at or after `high` is not looked at.
    while high - low > BISECTION_END {
        let middle = low + (high - low) / 2;
        match record_after(file, middle, high, &mut buffer).map_err(failed)? {
            Some((start, seq)) if seq <= from => low = start,
            _ => high = middle,
        }
    }
    Ok(low)
}

/// The first record whose line begins after `offset` and before `end`: where, and its `seq`.
fn record_after(file: &dyn DiskFile, offset: u64, end: u64, buffer: &mut Vec<u8>) -> io::Result<Option<(u64, u64)>> {
    let mut count = 0;
    // Most lines are short: a small read does, unless it does not.
    for wanted in [SHORT_READ, 2 * LINE_MAX + SHORT_READ] {
        buffer.resize(wanted.max(buffer.len()), 0);
        while count < wanted {
            match file.read_at(&mut buffer[count..wanted], offset + count as u64)? {
                0 => break,
                more => count += more,
            }
        }
        let mut line_start = 0;
        for line_end in memchr::memchr_iter(b'\n', &buffer[..count]) {
            let start = offset + line_start as u64;
            if line_start > 0 && start < end {
                match Line::parse(&buffer[line_start..line_end]) {
                    Ok(Line::Record(record)) => return Ok(Some((start, record.seq))),
                    Ok(Line::Erased { seq, .. }) => return Ok(Some((start, seq))),
                    _ => {}
                }
            }
            line_start = line_end + 1;
        }
        if count < wanted {
            break;
        }
    }
    Ok(None)
}

const FIRST_READ: usize = 16 * 1024;

const BUFFER: usize = 512 * 1024;

/// A few records and a checkpoint.
const SHORT_READ: usize = 4096;

/// Below this many bytes a scan is as fast as a bisection.
const BISECTION_END: u64 = 8 * 1024;

/// More space than any writer prepares.
const ZEROS_MAX: u64 = 4 * SPACE_MAX;

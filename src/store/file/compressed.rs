//! Reading a compressed segment: the frames of RFC 8878 that FORMAT §5 allows, in bounded memory.
//!
//! What the frames say of themselves is checked before a decoder sees them: a decoder skips frames that hold something
//! else, and may decode a small frame whatever window it asks for.

#![warn(clippy::unwrap_used, clippy::indexing_slicing, clippy::as_conversions)]

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use zstd::stream::raw::{DParameter, Decoder, Operation, Status};

use super::disk::{Disk, DiskFile, How};
use crate::error::{Error, Result};
use crate::record::LINE_MAX;
use crate::store::{LineEnd, Lines, RawLine};

/// The lines of a compressed segment, from its header on.
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

/// Why a file cannot be read further.
enum Broken {
    Io(io::Error),
    /// It is not what FORMAT §5 allows, in words.
    Form(String),
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// What the frames of a file hold, one after the other.
struct Frames {
    file: Box<dyn DiskFile>,
    decoder: Decoder<'static>,
    input: Vec<u8>,
    /// What of the input is read from the file and not yet decoded.
    start: usize,
    end: usize,
    /// Where in the file `input[end]` stands.
    offset: u64,
    in_frame: bool,
}

impl Frames {
    fn new(file: Box<dyn DiskFile>) -> io::Result<Self> {
        let mut decoder = Decoder::new()?;
        decoder.set_parameter(DParameter::WindowLogMax(WINDOW_LOG_MAX))?;
        Ok(Self {
            file,
            decoder,
            input: vec![0; INPUT],
            start: 0,
            end: 0,
            offset: 0,
            in_frame: false,
        })
    }

    /// Decodes up to `output.len()` bytes; 0 at the end of the last frame.
    fn read(&mut self, output: &mut [u8]) -> Result<usize, Broken> {
        loop {
            if !self.in_frame && !self.begin_frame()? {
                return Ok(0);
            }
            let input = self.input.get(self.start..self.end).unwrap_or_default();
            let step = self.decoder.run_on_buffers(input, output);
            let Status {
                remaining,
                bytes_read,
                bytes_written,
            } = step.map_err(|error| self.broken(&format!("it does not decompress: {error}")))?;
            self.start += bytes_read;
            self.in_frame = remaining > 0;
            if bytes_written > 0 {
                return Ok(bytes_written);
            }
            // It wants more than there is; with no room for more it would want it for ever.
            if self.in_frame && bytes_read == 0 && (self.start < self.end || !self.fill()?) {
                return Err(self.broken("it is cut off within a frame"));
            }
        }
    }

    /// Checks what the next frame says of itself; `false` at the end of the file.
    fn begin_frame(&mut self) -> Result<bool, Broken> {
        while self.end - self.start < FRAME_HEADER_MAX && self.fill()? {}
        let header = self.input.get(self.start..self.end).unwrap_or_default();
        if header.is_empty() && self.offset > 0 {
            return Ok(false);
        }
        check_frame(header).map_err(|problem| self.broken(&problem))?;
        self.in_frame = true;
        Ok(true)
    }

    fn fill(&mut self) -> io::Result<bool> {
        if self.start > 0 {
            self.input.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        let free = self.input.get_mut(self.end..).unwrap_or_default();
        let count = self.file.read_at(free, self.offset)?;
        self.end += count;
        self.offset += u64::try_from(count).unwrap_or(u64::MAX);
        Ok(count > 0)
    }

    fn broken(&self, problem: &str) -> Broken {
        let left = u64::try_from(self.end - self.start).unwrap_or(u64::MAX);
        Broken::Form(format!("near byte {}: {problem}", self.offset.saturating_sub(left)))
    }
}

impl fmt::Debug for Frames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frames")
            .field("file", &self.file)
            .field("offset", &self.offset)
            .finish_non_exhaustive()
    }
}

/// Checks the header of a frame (RFC 8878 §3.1.1.1): no skippable frame and nothing else, a window of at most 8 MiB, no
/// dictionary.
fn check_frame(header: &[u8]) -> Result<(), String> {
    let Some((magic, rest)) = header.split_first_chunk() else {
        return Err("it is no zstd frame".into());
    };
    match u32::from_le_bytes(*magic) {
        FRAME => {}
        magic if magic & !0xf == SKIPPABLE_FRAME => return Err("a skippable frame".into()),
        _ => return Err("it is no zstd frame".into()),
    }
    let cut_off = || "it is cut off within a frame's header".to_owned();
    let (descriptor, mut rest) = rest.split_first().ok_or_else(cut_off)?;
    let single_segment = descriptor & 0x20 != 0;
    let mut window = None;
    if !single_segment {
        let (byte, after) = rest.split_first().ok_or_else(cut_off)?;
        let base = 1_u64 << (10 + (byte >> 3));
        window = Some(base + base / 8 * u64::from(byte & 7));
        rest = after;
    }
    let dictionary_bytes = [0, 1, 2, 4].get(usize::from(descriptor & 3)).copied().unwrap_or(0);
    let content_bytes = match descriptor >> 6 {
        0 => usize::from(single_segment),
        flag => 1 << flag,
    };
    let (dictionary, rest) = rest.split_at_checked(dictionary_bytes).ok_or_else(cut_off)?;
    let content = rest.get(..content_bytes).ok_or_else(cut_off)?;
    if dictionary.iter().any(|byte| *byte != 0) {
        return Err(format!("a frame with the dictionary {}", little_endian(dictionary)));
    }
    // A content size of two bytes counts from 256 on.
    let content = little_endian(content) + if content_bytes == 2 { 256 } else { 0 };
    let window = window.unwrap_or(content);
    if window > WINDOW_MAX {
        return Err(format!("a frame with a window of {window} bytes, at most {WINDOW_MAX}"));
    }
    Ok(())
}

fn little_endian(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .rev()
        .fold(0_u64, |number, byte| number << 8 | u64::from(*byte))
}

/// The magic number of a frame (RFC 8878 §3.1.1), and that of skippable ones without its last four bits (§3.1.2).
const FRAME: u32 = 0xfd2f_b528;
const SKIPPABLE_FRAME: u32 = 0x184d_2a50;

/// A frame's header in bytes, at most: magic number, descriptor, window, dictionary, content size.
const FRAME_HEADER_MAX: usize = 4 + 1 + 1 + 4 + 8;

/// The largest window (FORMAT §5).
const WINDOW_MAX: u64 = 8 * 1024 * 1024;
const WINDOW_LOG_MAX: u32 = 23;

/// Read in one go. More than a frame's header.
const INPUT: usize = 128 * 1024;

/// Room for the longest line, and for what is decompressed behind it.
const OUTPUT: usize = 2 * LINE_MAX;

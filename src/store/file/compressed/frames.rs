//! What the frames of a file hold, decoded one after the other.

use std::fmt;
use std::io;

use zstd::stream::raw::{DParameter, Decoder, Operation, Status};

use super::frame::{FRAME_HEADER_MAX, FrameHeader, WINDOW_LOG_MAX};
use crate::store::file::disk::DiskFile;

/// Why a file cannot be read further.
pub(super) enum Broken {
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
pub(super) struct Frames {
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
    pub(super) fn new(file: Box<dyn DiskFile>) -> io::Result<Self> {
        let mut decoder = Decoder::new()?;
        decoder.set_parameter(DParameter::WindowLogMax(WINDOW_LOG_MAX))?;
        Ok(Self {
            file,
            decoder,
            input: Vec::new(),
            start: 0,
            end: 0,
            offset: 0,
            in_frame: false,
        })
    }

    /// The file.
    pub(super) fn file(&self) -> &dyn DiskFile {
        self.file.as_ref()
    }

    /// How much of the file is read.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// Goes on with the frame that begins at byte `offset` of the file.
    pub(super) fn seek(&mut self, offset: u64) -> io::Result<()> {
        self.decoder.reinit()?;
        self.input.clear();
        (self.start, self.end, self.in_frame) = (0, 0, false);
        self.offset = offset;
        Ok(())
    }

    /// Decodes up to `output.len()` bytes; 0 at the end of the last frame.
    pub(super) fn read(&mut self, output: &mut [u8]) -> Result<usize, Broken> {
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
        FrameHeader::parse(header).map_err(|problem| self.broken(&problem))?;
        self.in_frame = true;
        Ok(true)
    }

    /// Reads on: about a frame at first, for who wants one record, then more.
    fn fill(&mut self) -> io::Result<bool> {
        let length = (2 * self.input.len()).clamp(FIRST_READ, INPUT);
        self.input.resize(length, 0);
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

    pub(super) fn broken(&self, problem: &str) -> Broken {
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

/// A frame of this crate's is smaller, and a frame's header much smaller.
const FIRST_READ: usize = 32 * 1024;

/// Read in one go, at most.
const INPUT: usize = 128 * 1024;

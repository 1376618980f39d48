//! Packing lines into frames.

use std::io;

use zstd::bulk::Compressor;
use zstd::zstd_safe::compress_bound;

/// Packs lines into frames that each begin with a line, so that one record is read without unpacking what stands before
/// it, and that say the size and the checksum of their content.
pub(in crate::store::file) struct Packer {
    compressor: Compressor<'static>,
    /// Lines that are not packed yet.
    content: Vec<u8>,
    frame: Vec<u8>,
}

impl Packer {
    pub(in crate::store::file) fn new() -> io::Result<Self> {
        let mut compressor = Compressor::new(LEVEL)?;
        compressor.include_checksum(true)?;
        Ok(Self {
            compressor,
            content: Vec::with_capacity(FRAME),
            frame: Vec::new(),
        })
    }

    /// Takes a line with its LF, and appends the frame that is full without it to `out`.
    pub(in crate::store::file) fn add(&mut self, line: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        if self.content.len() + line.len() > FRAME {
            self.end(out)?;
        }
        self.content.extend_from_slice(line);
        Ok(())
    }

    /// Appends the last frame to `out`.
    pub(in crate::store::file) fn end(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        if self.content.is_empty() {
            return Ok(());
        }
        self.frame.clear();
        self.frame.reserve(compress_bound(self.content.len()));
        self.compressor.compress_to_buffer(&self.content, &mut self.frame)?;
        out.extend_from_slice(&self.frame);
        self.content.clear();
        Ok(())
    }
}

impl std::fmt::Debug for Packer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Packer").finish_non_exhaustive()
    }
}

/// How much a frame holds, unless one line is longer: one block of zstd's. Of events that take 115 bytes so, half as much
/// takes 4 bytes more, a quarter 12 bytes more, and four times as much 4 bytes less; to read one record, a frame is
/// unpacked for each step of the search.
const FRAME: usize = 128 * 1024;

/// On lines of a log, whose hashes do not compress, higher levels are slower and no smaller.
const LEVEL: i32 = 1;

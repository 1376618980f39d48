//! What an export writes through: in large pieces, counted and hashed.

use std::fmt;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use super::digest::Digest;
use crate::error::{Error, Result};
use crate::hash::Hash;

/// How far an export is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// Records written.
    pub records: u64,
    /// Bytes written.
    pub bytes: u64,
}

/// What is called with it.
pub(super) type Callback = Arc<dyn Fn(Progress) + Send + Sync>;

/// A writer of the host's, or a file.
pub(super) struct Output<'a> {
    to: &'a mut dyn Write,
    /// What an error names.
    path: &'a Path,
    buffer: Vec<u8>,
    digest: Digest,
    bytes: u64,
    records: u64,
    callback: Option<&'a Callback>,
    /// From how many bytes on it is told again.
    told_at: u64,
}

impl<'a> Output<'a> {
    pub(super) fn new(to: &'a mut dyn Write, path: &'a Path, callback: Option<&'a Callback>) -> Self {
        Self {
            to,
            path,
            buffer: Vec::with_capacity(BUFFER),
            digest: Digest::new(),
            bytes: 0,
            records: 0,
            callback,
            told_at: TOLD_EVERY,
        }
    }

    /// Adds bytes.
    ///
    /// # Errors
    ///
    /// What the writer says, once a piece is handed on to it.
    #[inline]
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        if self.buffer.len() + bytes.len() > BUFFER {
            self.hand_on()?;
        }
        // A line longer than the buffer makes it grow to the longest line.
        self.buffer.extend_from_slice(bytes);
        Ok(())
    }

    /// One more record is written.
    #[inline]
    pub(super) fn count(&mut self) {
        self.records += 1;
    }

    /// How many records are written.
    pub(super) fn records(&self) -> u64 {
        self.records
    }

    fn hand_on(&mut self) -> Result<()> {
        self.write_buffer()?;
        let taken = self.digest.take(std::mem::take(&mut self.buffer));
        self.buffer = taken.map_err(|error| Error::export("hash", self.path, error))?;
        if self.bytes >= self.told_at {
            self.tell();
            self.told_at = self.bytes + TOLD_EVERY;
        }
        Ok(())
    }

    fn write_buffer(&mut self) -> Result<()> {
        let written = self.to.write_all(&self.buffer);
        written.map_err(|error| Error::export("write", self.path, error))?;
        self.bytes += u64::try_from(self.buffer.len()).unwrap_or_default();
        Ok(())
    }

    fn tell(&self) {
        let (records, bytes) = (self.records, self.bytes);
        self.callback
            .iter()
            .for_each(|callback| callback(Progress { records, bytes }));
    }

    /// Hands on the rest. Gives the records, the bytes and their SHA-256.
    pub(super) fn finish(mut self) -> Result<(u64, u64, Hash)> {
        self.write_buffer()?;
        let flushed = self.to.flush();
        flushed.map_err(|error| Error::export("write", self.path, error))?;
        self.tell();
        let hash = self.digest.finish(&self.buffer);
        let hash = hash.map_err(|error| Error::export("hash", self.path, error))?;
        Ok((self.records, self.bytes, hash))
    }
}

impl fmt::Debug for Output<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Output")
            .field("path", &self.path)
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}

/// So many bytes are handed on at once.
const BUFFER: usize = 256 * 1024;

/// So often progress is told, in bytes.
const TOLD_EVERY: u64 = 1024 * 1024;

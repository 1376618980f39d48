//! What an export writes through: in large pieces, counted and hashed.

use std::fmt;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use super::compression::Packer;
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
    /// Where the file is compressed.
    packer: Option<Packer>,
    digest: Digest,
    /// Of the file, as it is written.
    bytes: u64,
    records: u64,
    callback: Option<&'a Callback>,
    /// From how many bytes on it is told again.
    told_at: u64,
}

impl<'a> Output<'a> {
    pub(super) fn new(
        to: &'a mut dyn Write,
        path: &'a Path,
        packer: Option<Packer>,
        callback: Option<&'a Callback>,
    ) -> Self {
        Self {
            to,
            path,
            buffer: Vec::with_capacity(BUFFER),
            packer,
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
        match &mut self.packer {
            None => {
                let piece = std::mem::take(&mut self.buffer);
                self.buffer = self.put(piece)?;
            }
            Some(packer) => {
                let packed = packer.pack(&self.buffer);
                let packed = packed.map_err(|error| Error::export("compress", self.path, error))?;
                self.buffer.clear();
                self.put(packed)?;
            }
        }
        if self.bytes >= self.told_at {
            self.tell();
            self.told_at = self.bytes + TOLD_EVERY;
        }
        Ok(())
    }

    /// Writes and hashes a piece of the file, and gives an empty buffer.
    fn put(&mut self, piece: Vec<u8>) -> Result<Vec<u8>> {
        let written = self.to.write_all(&piece);
        written.map_err(|error| Error::export("write", self.path, error))?;
        self.bytes += u64::try_from(piece.len()).unwrap_or_default();
        let taken = self.digest.take(piece);
        taken.map_err(|error| Error::export("hash", self.path, error))
    }

    fn tell(&self) {
        let (records, bytes) = (self.records, self.bytes);
        self.callback
            .iter()
            .for_each(|callback| callback(Progress { records, bytes }));
    }

    /// Hands on the rest. Gives the records, the bytes and their SHA-256.
    pub(super) fn finish(mut self) -> Result<(u64, u64, Hash)> {
        self.hand_on()?;
        if let Some(packer) = self.packer.take() {
            let end = packer.finish();
            self.put(end.map_err(|error| Error::export("compress", self.path, error))?)?;
        }
        let flushed = self.to.flush();
        flushed.map_err(|error| Error::export("write", self.path, error))?;
        self.tell();
        let hash = self.digest.finish();
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

//! A segment that is written anew beside the old one, to take its name: plain, or compressed.

#[cfg(not(feature = "compress"))]
use std::io;
use std::path::{Path, PathBuf};

use super::disk::{Disk, DiskFile, How};
use crate::error::{Error, Result};

#[cfg(feature = "compress")]
use super::compressed::Packer;

/// The new file of a segment.
#[derive(Debug)]
pub(super) struct NewSegment {
    file: Box<dyn DiskFile>,
    path: PathBuf,
    packer: Option<Packer>,
    /// What is to be written behind byte `offset`.
    out: Vec<u8>,
    offset: u64,
}

impl NewSegment {
    /// Makes the file. What stands there is dropped.
    pub(super) fn create(disk: &dyn Disk, path: &Path, compressed: bool) -> Result<Self> {
        let failed = |error| Error::io("write", path, error);
        Ok(Self {
            packer: compressed.then(Packer::new).transpose().map_err(failed)?,
            file: disk.open(path, How::Create).map_err(failed)?,
            path: path.to_owned(),
            out: Vec::with_capacity(2 * BUFFER),
            offset: 0,
        })
    }

    /// Adds a line with its LF.
    pub(super) fn add(&mut self, line: &[u8]) -> Result<()> {
        match &mut self.packer {
            Some(packer) => packer
                .add(line, &mut self.out)
                .map_err(|error| Error::io("write", &self.path, error))?,
            None => self.out.extend_from_slice(line),
        }
        if self.out.len() >= BUFFER { self.write() } else { Ok(()) }
    }

    /// Writes the rest, and gives how many bytes the file has. It is durable when this returns.
    pub(super) fn end(mut self) -> Result<u64> {
        if let Some(packer) = &mut self.packer {
            let ended = packer.end(&mut self.out);
            ended.map_err(|error| Error::io("write", &self.path, error))?;
        }
        self.write()?;
        self.file.sync().map_err(|error| Error::io("sync", &self.path, error))?;
        Ok(self.offset)
    }

    fn write(&mut self) -> Result<()> {
        let written = self.file.write_all_at(&self.out, self.offset);
        written.map_err(|error| Error::io("write", &self.path, error))?;
        self.offset += self.out.len() as u64;
        self.out.clear();
        Ok(())
    }
}

/// Nothing packs without the feature: a compressed segment is not read either.
#[cfg(not(feature = "compress"))]
#[derive(Debug)]
enum Packer {}

#[cfg(not(feature = "compress"))]
impl Packer {
    fn new() -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn add(&mut self, _: &[u8], _: &mut Vec<u8>) -> io::Result<()> {
        match *self {}
    }

    fn end(&mut self, _: &mut Vec<u8>) -> io::Result<()> {
        match *self {}
    }
}

/// Written in one go.
const BUFFER: usize = 1024 * 1024;

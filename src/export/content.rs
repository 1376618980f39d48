//! Reading a file of an export: its bytes as they stand there, and its lines.

#![warn(clippy::unwrap_used, clippy::indexing_slicing, clippy::as_conversions)]

use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};

use sha2::{Digest, Sha256};

use super::chain::{Check, Problem};
use super::compression::{Compression, Unpacker};
use super::report::ExportFindingKind as Kind;
use crate::hash::Hash;

/// What was read of a file.
pub(super) struct Content {
    pub(super) bytes: u64,
    pub(super) sha256: Hash,
    /// The first thing that is wrong with its lines, and the line's number.
    pub(super) problem: Option<(u64, Problem)>,
}

impl Content {
    /// Reads a file, at most one byte more than it should have, and checks its lines where there is a check. Nothing
    /// else is unpacked: the hash is that of the file.
    pub(super) fn of(
        file: File,
        bytes: u64,
        compression: Option<Compression>,
        check: Option<&mut (dyn Check + '_)>,
    ) -> io::Result<Self> {
        let read = Cell::new(0);
        let mut file = Hashed {
            file: file.take(bytes.saturating_add(1)),
            hasher: Sha256::new(),
            read: &read,
        };
        let problem = match check {
            Some(check) => check_lines(&mut file, &read, compression, check)?,
            None => None,
        };
        // What the lines have not taken is hashed all the same.
        let mut buffer = vec![0; BUFFER];
        loop {
            match file.read(&mut buffer) {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Self {
            bytes: read.get(),
            sha256: Hash::from_bytes(file.hasher.finalize().into()),
            problem,
        })
    }
}

/// The first thing that is wrong with the lines of a file: behind it nothing is unpacked.
fn check_lines(
    file: &mut Hashed<'_>,
    read: &Cell<u64>,
    compression: Option<Compression>,
    check: &mut dyn Check,
) -> io::Result<Option<(u64, Problem)>> {
    let malformed = |number: u64, problem: String| Ok(Some((number, (Kind::Malformed, problem))));
    let file = BufReader::with_capacity(BUFFER, file);
    let mut lines = match Unpacker::new(file, compression) {
        Ok(unpacker) => BufReader::with_capacity(BUFFER, unpacker),
        Err(error) => return malformed(0, error.to_string()),
    };
    let line_max = u64::try_from(check.line_max()).unwrap_or(u64::MAX).saturating_add(1);
    let (mut number, mut line) = (0, Vec::new());
    loop {
        line.clear();
        match lines.by_ref().take(line_max).read_until(b'\n', &mut line) {
            Ok(0) => break,
            Ok(_) => number += 1,
            Err(error) if compression.is_none() => return Err(error),
            Err(error) => return malformed(number, format!("it does not decompress: {error}")),
        }
        if compression.is_some() && number > LINES_FREE + read.get() / LINE_BYTES_MIN {
            let problem = "it unpacks to more lines than it has room for their hashes";
            return malformed(number, problem.into());
        }
        let taken = match line.strip_suffix(b"\n") {
            Some(line) => check.take(line),
            None => Err((Kind::Malformed, "the line does not end, or is too long".into())),
        };
        if let Err(problem) = taken {
            return Ok(Some((number, problem)));
        }
    }
    if !lines.into_inner().finish()? {
        return malformed(number, "something follows what is compressed".into());
    }
    Ok(check.finish().err().map(|problem| (number, problem)))
}

/// A file whose bytes are counted and hashed as they are read.
struct Hashed<'a> {
    file: io::Take<File>,
    hasher: Sha256,
    read: &'a Cell<u64>,
}

impl Read for Hashed<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.file.read(buffer)?;
        self.hasher.update(buffer.get(..length).unwrap_or_default());
        let read = self
            .read
            .get()
            .saturating_add(u64::try_from(length).unwrap_or_default());
        self.read.set(read);
        Ok(length)
    }
}

/// So many bytes are read at once.
const BUFFER: usize = 64 * 1024;

/// As in compressed segments: each line but a header holds a hash or a salt that no other line has, and 16 bytes at the
/// least do not compress. With half of that, and so many lines for nothing, a small file does not keep its reader for
/// hours with short lines; a line that is long or wrong ends the reading by itself.
const LINE_BYTES_MIN: u64 = 8;
const LINES_FREE: u64 = 64 * 1024;

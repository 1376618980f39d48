//! How far a sink has come, in a file: `sinks/NAME.position` in the folder of the log.
//!
//! It is before all that the target has not got, or may still lose ([`Sink::unconfirmed`](super::Sink::unconfirmed)).
//!
//! The file has two slots of 512 bytes, written in turn, each with a hash of its own: a crash in the middle of one leaves
//! the other. It is not synced with each batch, since a position that is too old only makes a target get something twice.
//! Who has the file open for writing holds its lock: two processes never deliver for one sink.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::hash::Hash;
use crate::json::{self, JsonError, Reader};
use crate::store::open_file;
use crate::timestamp::Timestamp;

/// How far a sink has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Position {
    /// The first record that it is to get.
    pub(super) next: u64,
    /// The last record that it has got, else one that it was not to get, and its hash: by it the log is known again. In a file
    /// it may be one that the target may still lose.
    pub(super) last: Option<(u64, Hash)>,
    /// The first record after all that were sent, whatever became of them.
    pub(super) given: u64,
    /// Since when nothing is delivered, where the log was told that and not yet that it is over.
    pub(super) failing: Option<Timestamp>,
}

impl Position {
    /// That of a sink that begins there.
    pub(super) fn at(next: u64) -> Self {
        Self {
            next,
            ..Self::default()
        }
    }

    /// The first record that it was never given.
    pub(super) fn had(&self) -> u64 {
        let after_last = self.last.map_or(0, |(seq, _)| seq.saturating_add(1));
        after_last.max(self.next).max(self.given)
    }
}

/// What a file remembers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Saved {
    Nothing,
    Position(Position),
    /// Something, and it cannot be read.
    Damaged,
}

/// The file that remembers it.
#[derive(Debug)]
pub(super) struct PositionFile {
    file: File,
    saves: u64,
}

impl PositionFile {
    /// Opens the file of a sink in the folder of a log, and reads what it remembers.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::WouldBlock`] while another process delivers for it, or another sink of this name.
    pub(super) fn open(folder: &Path, name: &str) -> io::Result<(Self, Saved)> {
        let (log, folder, path) = (folder, sinks(folder), path(folder, name));
        // Where the log is not there yet, this makes its folder too.
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let file = open_file(&options, &path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(io::ErrorKind::WouldBlock.into()),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        let (saves, saved) = match read(&file)? {
            Some((saves, position)) => (saves, Saved::Position(position)),
            None if file.metadata()?.len() == 0 => (0, Saved::Nothing),
            None => (0, Saved::Damaged),
        };
        // The names too are durable before anything counts on them.
        File::open(&folder)?.sync_all()?;
        File::open(log)?.sync_all()?;
        Ok((Self { file, saves }, saved))
    }

    /// Remembers a position. It outlives this process; a loss of power may take it back. Where it fails, the one before is
    /// remembered, however often.
    pub(super) fn save(&mut self, position: &Position) -> io::Result<()> {
        let saves = self.saves + 1;
        let slot = saves % SLOTS * SLOT as u64;
        self.file.write_all_at(&print(saves, position), slot)?;
        self.saves = saves;
        Ok(())
    }

    /// Makes it durable.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}

/// What each sink of a log's folder remembers, by name: also of those that another process drives.
pub(super) fn positions(folder: &Path) -> io::Result<Vec<(String, Saved)>> {
    let entries = match fs::read_dir(sinks(folder)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut positions = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let (Some(name), true) = (
            path.file_stem(),
            path.extension().is_some_and(|extension| extension == EXTENSION),
        ) else {
            continue;
        };
        let file = open_file(OpenOptions::new().read(true), &path);
        let saved = match file.and_then(|file| read(&file)) {
            Ok(Some((_, position))) => Saved::Position(position),
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Ok(None) | Err(_) => Saved::Damaged,
        };
        positions.push((name.to_string_lossy().into_owned(), saved));
    }
    Ok(positions)
}

/// Whether some process delivers for a sink now.
pub(super) fn is_driven(folder: &Path, name: &str) -> bool {
    let file = open_file(OpenOptions::new().read(true), &path(folder, name));
    file.is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

/// The folder of what sinks remember, in that of a log (FORMAT §5).
pub(super) fn sinks(folder: &Path) -> PathBuf {
    folder.join("sinks")
}

fn path(folder: &Path, name: &str) -> PathBuf {
    sinks(folder).join(format!("{name}.{EXTENSION}"))
}

/// The newer of the slots that are whole.
fn read(file: &File) -> io::Result<Option<(u64, Position)>> {
    let mut newest = None;
    for at in 0..SLOTS {
        let mut slot = [0; SLOT];
        match file.read_exact_at(&mut slot, at * SLOT as u64) {
            Ok(()) => {
                newest = [newest, parse(&slot)]
                    .into_iter()
                    .flatten()
                    .max_by_key(|(saves, _)| *saves)
            }
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {}
            Err(error) => return Err(error),
        }
    }
    Ok(newest)
}

/// A slot: one JSON object, spaces, the SHA-256 of both in hexadecimal, LF.
fn print(saves: u64, position: &Position) -> [u8; SLOT] {
    let mut text = b"{".to_vec();
    if let Some(since) = position.failing {
        text.extend_from_slice(b"\"failing\":");
        json::string(&mut text, &since.to_string());
        text.push(b',');
    }
    text.extend_from_slice(b"\"given\":");
    json::unsigned(&mut text, position.given);
    text.push(b',');
    if let Some((seq, hash)) = &position.last {
        text.extend_from_slice(b"\"hash\":\"");
        text.extend_from_slice(&hash.to_hex());
        text.extend_from_slice(b"\",\"last\":");
        json::unsigned(&mut text, *seq);
        text.push(b',');
    }
    text.extend_from_slice(b"\"next\":");
    json::unsigned(&mut text, position.next);
    text.extend_from_slice(b",\"saves\":");
    json::unsigned(&mut text, saves);
    text.push(b'}');
    text.resize(CONTENT, b' ');
    let hash = Hash::of(&text);
    text.extend_from_slice(&hash.to_hex());
    text.push(b'\n');
    let mut slot = [b' '; SLOT];
    slot.iter_mut().zip(text).for_each(|(to, from)| *to = from);
    slot
}

fn parse(slot: &[u8; SLOT]) -> Option<(u64, Position)> {
    let (content, hash) = slot.split_at_checked(CONTENT)?;
    if Hash::of(content).to_hex().as_slice() != hash.get(..64)? {
        return None;
    }
    let (mut failing, mut given, mut hash, mut last, mut next, mut saves) = (None, 0, None, None, None, None);
    let mut reader = Reader::new(content, json::DEPTH_MAX).ok()?;
    let entry = |key: &str, value: &mut Reader<'_>| {
        match key {
            "failing" => failing = value.string()?.parse().ok(),
            "given" => given = value.unsigned()?,
            "hash" => hash = value.string()?.parse().ok(),
            "last" => last = Some(value.unsigned()?),
            "next" => next = Some(value.unsigned()?),
            "saves" => saves = Some(value.unsigned()?).filter(|saves| *saves < json::INTEGER_MAX),
            _ => value.skip()?,
        }
        Ok(())
    };
    reader.object::<JsonError>(entry).ok()?;
    let (next, last) = (next?, last.zip(hash));
    let position = Position {
        next,
        last,
        given,
        failing,
    };
    Some((saves?, position))
}

const EXTENSION: &str = "position";

const SLOTS: u64 = 2;

const SLOT: usize = 512;

const CONTENT: usize = SLOT - 65;

//! The second place: the newest checkpoint, kept outside the log directory, so that a log that was rolled back is not
//! written to (FORMAT §8).

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Mutex, PoisonError};

use crate::checkpoint::SignedCheckpoint;
use crate::error::{Error, Result};
use crate::note::{NOTE_BYTES_MAX, Origin};

/// Where the newest checkpoint is kept.
#[derive(Debug)]
pub(super) struct Place {
    path: PathBuf,
    /// The size of the newest checkpoint that was written. The log's threads write one after the other, and never an
    /// older one over a newer one.
    written: Mutex<u64>,
    /// The log has ended: the file is the next writer's.
    ended: AtomicBool,
}

/// What stands there.
#[derive(Debug)]
pub(super) enum Kept {
    Checkpoint(SignedCheckpoint),
    Missing,
    /// Why it is no checkpoint, in words.
    Unreadable(String),
}

impl Place {
    /// The file at `path`.
    pub(super) fn at(path: PathBuf) -> Self {
        Self {
            path,
            written: Mutex::default(),
            ended: AtomicBool::default(),
        }
    }

    /// Beside the signing key. It is named for the log and not for the key, so that it stays when the key changes.
    pub(super) fn beside(key_file: &Path, origin: &Origin) -> Self {
        let readable = |char: char| {
            if char.is_ascii_alphanumeric() || "._-".contains(char) {
                char
            } else {
                '_'
            }
        };
        let name: String = origin.as_str().chars().map(readable).take(64).collect();
        let hash = crate::hash::Hash::of(origin.as_str().as_bytes()).to_string();
        Self::at(key_file.with_file_name(format!("{name}-{}.checkpoint", &hash[..8])))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The size of the newest checkpoint that was written here.
    pub(super) fn written(&self) -> u64 {
        *self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn read(&self) -> Kept {
        match self.content() {
            Ok(content) => match String::from_utf8(content)
                .map_err(|error| error.to_string())
                .and_then(|note| {
                    note.parse()
                        .map_err(|error: crate::checkpoint::CheckpointError| error.to_string())
                }) {
                Ok(checkpoint) => Kept::Checkpoint(checkpoint),
                Err(problem) => Kept::Unreadable(problem),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => Kept::Missing,
            Err(error) => Kept::Unreadable(error.to_string()),
        }
    }

    /// What a checkpoint may have of bytes, and one more, of a file: a pipe would block.
    fn content(&self) -> io::Result<Vec<u8>> {
        if !fs::metadata(&self.path)?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a file"));
        }
        let mut content = Vec::new();
        let most = NOTE_BYTES_MAX as u64 + 1;
        File::open(&self.path)?.take(most).read_to_end(&mut content)?;
        Ok(content)
    }

    /// Writes nothing more.
    pub(super) fn end(&self) {
        let _written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        self.ended.store(true, Relaxed);
    }

    /// Puts a checkpoint in place of the last one: whole or not at all, and durable. One that is not newer than what was
    /// written does nothing.
    pub(super) fn write(&self, checkpoint: &SignedCheckpoint) -> Result<()> {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let size = checkpoint.checkpoint().size();
        if size <= *written || self.ended.load(Relaxed) {
            return Ok(());
        }
        let mut name = self.path.file_name().unwrap_or_default().to_owned();
        name.push(".new");
        let new = self.path.with_file_name(name);
        let write = || {
            let mut options = OpenOptions::new();
            let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&new)?;
            file.write_all(checkpoint.as_str().as_bytes())?;
            file.sync_data()?;
            fs::rename(&new, &self.path)?;
            let folder = self
                .path
                .parent()
                .filter(|folder| *folder != Path::new(""))
                .unwrap_or(Path::new("."));
            File::open(folder)?.sync_all()
        };
        write().map_err(|error| Error::io("write", &self.path, error))?;
        *written = size;
        Ok(())
    }
}

//! A folder of tiles: files that are made once, and a checkpoint that is replaced.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use super::place::Place;
use crate::error::{Error, Result};

/// A folder that nobody else publishes into meanwhile.
#[derive(Debug)]
pub(super) struct Files {
    path: PathBuf,
    /// Folders in which something is new.
    changed: BTreeSet<PathBuf>,
    written: u64,
    _lock: File,
}

impl Files {
    /// Takes the folder, and makes it where it is not there.
    pub(super) fn open(path: &Path) -> Result<Self> {
        fs::create_dir_all(path).map_err(|error| Error::export("make", path, error))?;
        let name = path.join(LOCK);
        let mut options = OpenOptions::new();
        let lock = options.create(true).write(true).truncate(false).open(&name);
        let lock = lock.map_err(|error| Error::export("open", &name, error))?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::Error(error) => Error::export("lock", &name, error),
            TryLockError::WouldBlock => {
                let busy = io::Error::new(io::ErrorKind::WouldBlock, "it is being published into");
                Error::export("lock", &name, busy)
            }
        })?;
        Ok(Self {
            path: path.to_owned(),
            changed: BTreeSet::new(),
            written: 0,
            _lock: lock,
        })
    }

    /// Makes a folder and those above it.
    fn make(&mut self, folder: &Path) -> io::Result<()> {
        let mut missing = Vec::new();
        for above in folder.ancestors().take_while(|above| above.starts_with(&self.path)) {
            if above.is_dir() {
                break;
            }
            missing.push(above.to_owned());
        }
        for made in missing.into_iter().rev() {
            match DirBuilder::new().create(&made) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
            self.changed.extend(made.parent().map(Path::to_owned));
        }
        Ok(())
    }

    fn removed(&mut self, path: &Path, removed: io::Result<()>) -> Result<()> {
        match removed {
            Ok(()) => {
                self.changed.extend(path.parent().map(Path::to_owned));
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(Error::export("remove", path, error)),
        }
    }
}

impl Place for Files {
    fn address(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    fn read(&mut self, name: &str, most: usize) -> Result<Option<Vec<u8>>> {
        let path = self.address(name);
        let read = || -> io::Result<Vec<u8>> {
            if !fs::metadata(&path)?.is_file() {
                return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a file"));
            }
            let mut content = Vec::new();
            let limit = u64::try_from(most).unwrap_or(u64::MAX);
            File::open(&path)?
                .take(limit.saturating_add(1))
                .read_to_end(&mut content)?;
            match content.len() > most {
                true => Err(io::Error::new(io::ErrorKind::InvalidData, "it is too long")),
                false => Ok(content),
            }
        };
        match read() {
            Ok(content) => Ok(Some(content)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::export("read", &path, error)),
        }
    }

    fn create(&mut self, name: &str, content: Vec<u8>) -> Result<()> {
        if let Some(found) = self.read(name, content.len().max(1))? {
            if found == content {
                return Ok(());
            }
            let problem = "it was published before with other content, and never changes";
            return Err(Error::damaged(self.address(name).display().to_string(), None, problem));
        }
        self.replace(name, &content)
    }

    fn replace(&mut self, name: &str, content: &[u8]) -> Result<()> {
        let path = self.address(name);
        let failed = |error| Error::export("write", &path, error);
        let folder = path.parent().unwrap_or(Path::new("."));
        self.make(folder).map_err(failed)?;
        let new = self.path.join(NEW);
        let write = || {
            // What a crash left, or a link to somewhere else.
            match fs::remove_file(&new) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let mut file = OpenOptions::new().write(true).create_new(true).open(&new)?;
            file.write_all(content)?;
            file.sync_all()?;
            fs::rename(&new, &path)
        };
        write().map_err(failed)?;
        self.changed.insert(folder.to_owned());
        self.written += 1;
        Ok(())
    }

    fn remove(&mut self, name: &str) -> Result<()> {
        let path = self.address(name);
        self.removed(&path, fs::remove_file(&path))
    }

    fn remove_partial(&mut self, name: &str) -> Result<()> {
        let path = self.address(&format!("{name}.p"));
        self.removed(&path, fs::remove_dir_all(&path))
    }

    fn sync(&mut self) -> Result<()> {
        for folder in std::mem::take(&mut self.changed) {
            let synced = File::open(&folder).and_then(|folder| folder.sync_all());
            synced.map_err(|error| Error::export("sync", &folder, error))?;
        }
        Ok(())
    }

    fn written(&self) -> u64 {
        self.written
    }
}

/// What who publishes holds.
const LOCK: &str = ".publish.lock";

/// What is not whole yet.
const NEW: &str = ".publish.new";

//! What a [`FileStore`](super::FileStore) asks of a file system: the one place that calls it, so that a test can put a
//! disk that fails or forgets in its place.

use std::fmt;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

use super::listing::State;

/// A file system. A new, renamed or removed name is durable once its folder is synced.
pub(super) trait Disk: fmt::Debug + Send + Sync {
    /// Opens a file. Files are made with mode 0600.
    fn open(&self, path: &Path, how: How) -> io::Result<Box<dyn DiskFile>>;
    /// The names in a folder, in no order.
    fn list(&self, folder: &Path) -> io::Result<Vec<String>>;
    /// What tells whether a folder changed since; `None` where that is not known.
    fn state(&self, folder: &Path) -> Option<State> {
        let _ = folder;
        None
    }
    fn is_folder(&self, path: &Path) -> bool;
    /// Makes a folder with mode 0700, if it is not there.
    fn create_folder(&self, folder: &Path) -> io::Result<()>;
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    fn remove(&self, path: &Path) -> io::Result<()>;
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;
    /// Takes the lock and leaves this process's id in it, or says who has it.
    fn lock(&self, path: &Path) -> io::Result<Result<Box<dyn Lock>, Option<u32>>>;
    /// Whether somebody has the lock now.
    fn is_locked(&self, path: &Path) -> io::Result<bool>;
    /// Whether caches can be kept in its folders with the calls of this machine.
    fn takes_caches(&self) -> bool {
        true
    }
}

/// How a file is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    Read,
    Write,
    /// For writing; made where it is not there.
    Keep,
    /// For writing; what stands there is dropped.
    Create,
}

/// An open file.
pub(super) trait DiskFile: fmt::Debug + Send + Sync {
    fn size(&self) -> io::Result<u64>;
    /// Reads up to `buffer.len()` bytes; 0 at the end of the file.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Makes the content durable, and the size where it changed.
    fn sync(&self) -> io::Result<()>;
    fn set_size(&self, size: u64) -> io::Result<()>;
}

/// A lock that is held until it is dropped.
pub(super) trait Lock: fmt::Debug + Send + Sync {}

/// The file system of this machine.
#[derive(Debug)]
pub(super) struct RealDisk;

impl Disk for RealDisk {
    fn open(&self, path: &Path, how: How) -> io::Result<Box<dyn DiskFile>> {
        let mut options = OpenOptions::new();
        options.read(true);
        match how {
            How::Read => {}
            How::Write => {
                options.write(true);
            }
            How::Keep => {
                options.write(true).create(true).mode(0o600);
            }
            How::Create => {
                options.write(true).create(true).truncate(true).mode(0o600);
            }
        }
        Ok(Box::new(open_file(&options, path)?))
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(folder)? {
            if let Ok(name) = entry?.file_name().into_string() {
                names.push(name);
            }
        }
        Ok(names)
    }

    fn state(&self, folder: &Path) -> Option<State> {
        State::of(folder)
    }

    fn is_folder(&self, path: &Path) -> bool {
        path.is_dir()
    }

    fn create_folder(&self, folder: &Path) -> io::Result<()> {
        match fs::DirBuilder::new().mode(0o700).create(folder) {
            Err(_) if folder.is_dir() => Ok(()),
            result => result,
        }
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        File::open(folder)?.sync_all()
    }

    fn lock(&self, path: &Path) -> io::Result<Result<Box<dyn Lock>, Option<u32>>> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).mode(0o600);
        let mut file = open_file(&options, path)?;
        match try_lock(&file) {
            Ok(()) => {
                file.set_len(0)?;
                file.write_all(std::process::id().to_string().as_bytes())?;
                Ok(Ok(Box::new(LockFile { _file: file })))
            }
            Err(TryLockError::WouldBlock) => {
                let mut pid = String::new();
                file.take(20).read_to_string(&mut pid)?;
                Ok(Err(pid.trim().parse().ok()))
            }
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn is_locked(&self, path: &Path) -> io::Result<bool> {
        match open_file(OpenOptions::new().read(true), path) {
            Ok(file) => match file.try_lock_shared() {
                Ok(()) => Ok(false),
                Err(TryLockError::WouldBlock) => Ok(true),
                Err(TryLockError::Error(error)) => Err(error),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// Opens a file, and nothing else: a pipe would block, a device would never end.
pub(crate) fn open_file(options: &OpenOptions, path: &Path) -> io::Result<File> {
    match fs::metadata(path) {
        Ok(found) if !found.is_file() => Err(io::Error::new(io::ErrorKind::InvalidInput, "not a file")),
        _ => options.open(path),
    }
}

/// Takes the lock if no writer has it. Who asks whether it is locked holds it for a moment.
fn try_lock(file: &File) -> Result<(), TryLockError> {
    for _ in 0..LOCK_TRIES {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => std::thread::sleep(LOCK_PAUSE),
            result => return result,
        }
    }
    file.try_lock()
}

impl DiskFile for File {
    fn size(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        loop {
            match FileExt::read_at(self, buffer, offset) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        FileExt::write_all_at(self, bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }

    fn set_size(&self, size: u64) -> io::Result<()> {
        self.set_len(size)
    }
}

/// A lock of the whole open file, not of the process: closing another descriptor of the file does not release it, as it
/// would with `fcntl`.
#[derive(Debug)]
struct LockFile {
    _file: File,
}

impl Lock for LockFile {}

/// Who only asks is gone within microseconds.
const LOCK_TRIES: usize = 8;
const LOCK_PAUSE: Duration = Duration::from_micros(500);

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use zeroize::Zeroizing;

use super::{SigningKey, SigningKeyError};
use crate::note::ORIGIN_BYTES_MAX;

impl SigningKey {
    /// Reads the key in a file that [`create_file`](Self::create_file) made: one line with a private key, its line
    /// feed present or not.
    ///
    /// On Unix the file must be its owner's alone, like mode 0600. One that belongs to root may be readable by its
    /// group too, like mode 0640: so containers are given secrets. What was read is cleared from memory.
    ///
    /// # Errors
    ///
    /// [`KeyFileError`] if the file cannot be read, is open to others or is not exactly one key.
    pub fn read_file(path: impl AsRef<Path>) -> Result<Self, KeyFileError> {
        let path = path.as_ref();
        let failed = |source| KeyFileError::Read {
            path: path.into(),
            source: Arc::new(source),
        };
        // Before it is opened: opening a pipe waits for a writer.
        if !fs::metadata(path).map_err(failed)?.is_file() {
            return Err(KeyFileError::NotAFile { path: path.into() });
        }
        let file = File::open(path).map_err(failed)?;
        check_mode(path, &file.metadata().map_err(failed)?)?;
        // Room for all of it from the start: a buffer that grows leaves copies behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(FILE_BYTES_MAX + 1));
        let limit = u64::try_from(FILE_BYTES_MAX + 1).unwrap_or(u64::MAX);
        file.take(limit).read_to_end(&mut bytes).map_err(failed)?;
        let content = |source| KeyFileError::Content {
            path: path.into(),
            source,
        };
        let text = std::str::from_utf8(&bytes).map_err(|_| content(SigningKeyError::Form))?;
        text.strip_suffix('\n').unwrap_or(text).parse().map_err(content)
    }

    /// Writes the key to a new file, which only its owner can read, and syncs the file and its folder. It never
    /// overwrites a file.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("audit.key");
    /// use indelible::{Origin, Signer, SigningKey};
    ///
    /// let key = SigningKey::generate(Origin::new("auth.example.com/audit")?)?;
    /// key.create_file(&path)?;
    /// assert_eq!(SigningKey::read_file(&path)?.vkey(), key.vkey());
    /// assert!(key.create_file(&path).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`KeyFileError::Exists`] if there is such a file, and [`KeyFileError::Create`] if it cannot be written: then
    /// there is none, if it could be removed.
    pub fn create_file(&self, path: impl AsRef<Path>) -> Result<(), KeyFileError> {
        let path = path.as_ref();
        let file = create_options().open(path).map_err(|error| not_made(path, error))?;
        self.write_to(file).and_then(|()| sync_folder(path)).map_err(|error| {
            // Half a key would only be in the way of the next attempt.
            if error.kind() != io::ErrorKind::AlreadyExists {
                let _ = fs::remove_file(path);
            }
            not_made(path, error)
        })
    }

    /// Writes the key to a file that is empty: what a crash left of [`create_file`](Self::create_file).
    pub(crate) fn fill_file(&self, path: &Path) -> Result<(), KeyFileError> {
        let failed = |error| not_made(path, error);
        let file = OpenOptions::new().write(true).open(path).map_err(failed)?;
        check_mode(path, &file.metadata().map_err(failed)?)?;
        self.write_to(file).and_then(|()| sync_folder(path)).map_err(failed)
    }

    /// Writes the key to an empty file, unless another process has done so: it takes an empty file for what a crash
    /// left.
    fn write_to(&self, mut file: File) -> io::Result<()> {
        match file.lock() {
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {}
            locked => locked?,
        }
        if file.metadata()?.len() > 0 {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        file.write_all(self.private_text().as_bytes())?;
        file.write_all(b"\n")?;
        file.sync_all()
    }
}

fn not_made(path: &Path, source: io::Error) -> KeyFileError {
    match source.kind() {
        io::ErrorKind::AlreadyExists => KeyFileError::Exists { path: path.into() },
        _ => KeyFileError::Create {
            path: path.into(),
            source: Arc::new(source),
        },
    }
}

/// Why a key file was not read or not made. It never holds the content of the file.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFileError {
    /// The file cannot be read.
    #[error("cannot read the key file {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: Arc<io::Error>,
    },
    /// It is a folder, a pipe or a device.
    #[error("the key file {} is not a regular file", path.display())]
    NotAFile {
        /// The file.
        path: PathBuf,
    },
    /// Others than its owner have access to it.
    #[error("the key file {} has mode {mode:04o}: set it to 0600, or to 0640 if it is root's", path.display())]
    Mode {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It is not exactly one key.
    #[error("the key file {} does not hold one key: {source}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong with the key.
        source: SigningKeyError,
    },
    /// There is a file already.
    #[error("the file {} exists, and a key never replaces a file", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be made.
    #[error("cannot make the key file {}: {source}", path.display())]
    Create {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: Arc<io::Error>,
    },
}

/// Whether a file with these permission bits and this owner is open to others: the rule by which PostgreSQL reads the
/// key of its server.
#[cfg(unix)]
pub(super) fn is_open(mode: u32, owner: u32) -> bool {
    mode & if owner == ROOT { 0o037 } else { 0o077 } != 0
}

#[cfg(unix)]
fn check_mode(path: &Path, metadata: &fs::Metadata) -> Result<(), KeyFileError> {
    use std::os::unix::fs::MetadataExt;
    if is_open(metadata.mode(), metadata.uid()) {
        return Err(KeyFileError::Mode {
            path: path.into(),
            mode: metadata.mode() & 0o7777,
        });
    }
    Ok(())
}

#[cfg(not(unix))]
fn check_mode(_: &Path, _: &fs::Metadata) -> Result<(), KeyFileError> {
    Ok(())
}

fn create_options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Makes the name of the file durable.
#[cfg(unix)]
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

/// The most bytes of a key file: those of the key with the longest origin, and a line feed.
const FILE_BYTES_MAX: usize = ORIGIN_BYTES_MAX + 67;

#[cfg(unix)]
const ROOT: u32 = 0;

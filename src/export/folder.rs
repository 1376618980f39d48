//! A folder of exports: each file is made once, and a manifest is the last that appears.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::Exported;
use super::place::{Finished, MANIFEST, NewFile, Place, read_manifest};
use crate::error::{Cause, Error, Result};
use crate::note::{NOTE_BYTES_MAX, Origin};

/// A folder that nobody else exports into meanwhile.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    _lock: File,
}

impl Folder {
    /// Takes the folder, and makes it where it is not there.
    ///
    /// # Errors
    ///
    /// Where another process, or thread, exports into it now.
    pub(super) fn open(path: &Path) -> Result<Self> {
        make(path).map_err(|error| Error::export("make", path, error))?;
        let name = path.join(LOCK);
        let mut options = OpenOptions::new();
        let file = options.create(true).write(true).truncate(false).mode(0o600).open(&name);
        let file = file.map_err(|error| Error::export("open", &name, error))?;
        file.try_lock().map_err(|error| match error {
            TryLockError::Error(error) => Error::export("lock", &name, error),
            TryLockError::WouldBlock => {
                let busy = io::Error::new(
                    io::ErrorKind::WouldBlock,
                    "another export into this folder is under way",
                );
                Error::export("lock", &name, busy)
            }
        })?;
        // What a crash left: its manifest is another name of it, or is not there.
        for name in names(path)?.iter().filter(|name| name.ends_with(PART)) {
            remove(&path.join(name))?;
        }
        let path = path.to_owned();
        Ok(Self { path, _lock: file })
    }

    fn manifest(&self, name: &str) -> PathBuf {
        self.path.join(format!("{name}{MANIFEST}"))
    }

    fn sync(&self) -> Result<()> {
        let synced = File::open(&self.path).and_then(|folder| folder.sync_all());
        synced.map_err(|error| Error::export("sync", &self.path, error))
    }
}

impl Place for Folder {
    /// One that no manifest names is what a crash left, and goes first.
    fn begin(&mut self, name: &str) -> Result<NewFile> {
        let manifest = self.manifest(name);
        match fs::symlink_metadata(&manifest) {
            Ok(_) => return Err(Cause::AlreadyExported { path: manifest }.into()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(Error::export("read", &manifest, error)),
        }
        let path = self.path.join(name);
        remove(&path)?;
        let mut options = OpenOptions::new();
        let file = options.write(true).create_new(true).mode(0o600).open(&path);
        let file = file.map_err(|error| Error::export("create", &path, error))?;
        Ok(NewFile {
            path,
            file: Some(file),
            is_kept: false,
        })
    }

    fn keep(&mut self, name: &str, data: &mut NewFile, _: &Exported) -> Result<String> {
        let synced = data.file.take().map_or(Ok(()), |file| file.sync_all());
        synced.map_err(|error| Error::export("sync", &data.path, error))?;
        Ok(name.to_owned())
    }

    fn newest(&mut self, origin: &Origin) -> Result<Option<(PathBuf, String)>> {
        let mut newest = None;
        self.manifests(0, &mut |path, note| {
            let manifest = read_manifest(path, note, origin)?;
            newest = std::mem::take(&mut newest).max(Some((manifest.number, path.to_owned(), note.to_owned())));
            Ok(())
        })?;
        Ok(newest.map(|(_, path, note)| (path, note)))
    }

    fn publish(&mut self, export: &Finished<'_>, data: &mut NewFile) -> Result<[PathBuf; 2]> {
        let manifest = self.manifest(export.name);
        let part = self.path.join(format!("{}{PART}", export.name));
        remove(&part)?;
        self.sync()?;
        let write = || {
            let mut file = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&part)?;
            file.write_all(export.note.as_bytes())?;
            file.sync_all()?;
            // Unlike a rename, a link never takes the place of what is there.
            fs::hard_link(&part, &manifest)
        };
        let written = write();
        let removed = remove(&part);
        match written {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                data.is_kept = true;
                return Err(Cause::AlreadyExported { path: manifest }.into());
            }
            written => written.map_err(|error| Error::export("write", &manifest, error))?,
        }
        data.is_kept = true;
        self.sync()?;
        removed.map(|()| [manifest, self.path.join(export.data)])
    }

    fn manifests(&mut self, from: u64, visit: &mut dyn FnMut(&Path, &str) -> Result<()>) -> Result<()> {
        // The number stands within: all are read.
        let _ = from;
        for name in manifests(&self.path)? {
            let path = self.path.join(&name);
            let note = read_note(&path).map_err(|error| Error::export("read", &path, error))?;
            visit(&path, &note)?;
        }
        Ok(())
    }
}

/// Makes a folder, and those above it that are not there, durably.
fn make(folder: &Path) -> io::Result<()> {
    let missing: Vec<_> = folder.ancestors().take_while(|path| !path.exists()).collect();
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    for made in missing {
        let above = made.parent().filter(|above| *above != Path::new(""));
        File::open(above.unwrap_or(Path::new(".")))?.sync_all()?;
    }
    Ok(())
}

/// The names of the manifests in a folder, in order.
pub(super) fn manifests(folder: &Path) -> Result<Vec<String>> {
    let names = names(folder)?;
    Ok(names.into_iter().filter(|name| name.ends_with(MANIFEST)).collect())
}

/// The names in a folder, in order.
pub(super) fn names(folder: &Path) -> Result<Vec<String>> {
    let failed = |error| Error::export("list", folder, error);
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        // One that is no text is seen, if not to be opened.
        names.push(entry.map_err(failed)?.file_name().to_string_lossy().into_owned());
    }
    names.sort_unstable();
    Ok(names)
}

/// The text of a file that is not longer than a note.
pub(super) fn read_note(path: &Path) -> io::Result<String> {
    let mut note = String::new();
    let most = u64::try_from(NOTE_BYTES_MAX).unwrap_or(u64::MAX);
    open_file(path)?.take(most + 1).read_to_string(&mut note)?;
    Ok(note)
}

/// Opens what is a file: a pipe would block.
pub(super) fn open_file(path: &Path) -> io::Result<File> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a file"));
    }
    File::open(path)
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::export("remove", path, error)),
        _ => Ok(()),
    }
}

/// How the name of one ends that is not whole yet.
const PART: &str = ".manifest.part";

/// What who exports into a folder holds.
pub(super) const LOCK: &str = "export.lock";

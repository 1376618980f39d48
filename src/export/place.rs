//! What a destination must do: take files that are made once, and manifests that follow each other.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::Exported;
use super::manifest::Manifest;
use crate::error::{Error, Result};
use crate::json::INTEGER_MAX;
use crate::note::Origin;

/// Whether what is under way is still wanted: the log is not closing.
pub(crate) type GoesOn<'a> = &'a (dyn Fn() -> bool + Send + Sync);

/// A destination that was taken for one export.
///
/// The steps are in the order of the methods, so that a crash between any two of them leaves either a whole export or
/// none: what no manifest names is no export, and is done anew.
pub(crate) trait Place: fmt::Debug {
    /// Begins a data file of this name.
    ///
    /// # Errors
    ///
    /// [`Cause::AlreadyExported`](crate::Cause::AlreadyExported) where a manifest names it.
    fn begin(&mut self, name: &str) -> Result<NewFile>;

    /// Makes the data durable, and gives the name that it has there.
    fn keep(&mut self, name: &str, data: &mut NewFile, exported: &Exported) -> Result<String>;

    /// The newest manifest, as a text with its address. Whoever signed it, its number is the highest.
    ///
    /// # Errors
    ///
    /// Where one that is read is of another log, or none.
    fn newest(&mut self, origin: &Origin) -> Result<Option<(PathBuf, String)>>;

    /// Puts the manifest of a data file in its place: whole or not at all, and only where there is none. Gives its
    /// address, and that of the data.
    fn publish(&mut self, export: &Finished<'_>, data: &mut NewFile) -> Result<[PathBuf; 2]>;

    /// Visits the manifests whose number is `from` or a later one, as texts with their addresses, in any order.
    fn manifests(&mut self, from: u64, visit: &mut dyn FnMut(&Path, &str) -> Result<()>) -> Result<()>;
}

/// An export whose data is durable, and whose manifest is signed.
#[derive(Debug)]
pub(crate) struct Finished<'a> {
    /// The name that it was begun with.
    pub(super) name: &'a str,
    /// The name of the data.
    pub(super) data: &'a str,
    #[cfg_attr(
        not(feature = "object-store"),
        expect(dead_code, reason = "a folder names files otherwise")
    )]
    pub(super) number: u64,
    pub(super) note: &'a str,
}

/// A data file on its way. Unless it is kept, it is removed again.
#[derive(Debug)]
pub(crate) struct NewFile {
    /// What errors name.
    pub(super) path: PathBuf,
    pub(super) file: Option<File>,
    /// Nothing is to be removed.
    pub(super) is_kept: bool,
}

impl NewFile {
    pub(super) fn writer<'a>(&'a mut self, goes_on: GoesOn<'a>) -> Result<Writer<'a>> {
        let closed = || Error::export("write", Path::new("the export"), io::ErrorKind::NotFound.into());
        let file = self.file.as_mut().ok_or_else(closed)?;
        Ok(Writer { file, goes_on })
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.is_kept {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Writes a data file as long as that is wanted.
pub(super) struct Writer<'a> {
    file: &'a mut File,
    goes_on: GoesOn<'a>,
}

impl Write for Writer<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match (self.goes_on)() {
            true => self.file.write(bytes),
            false => Err(given_up()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Reads a manifest that stands at a destination, and checks that it is of this log. Who signed it is not looked at.
pub(super) fn read_manifest(address: &Path, note: &str, origin: &Origin) -> Result<Manifest> {
    let damaged = |problem: String| Error::damaged(address.display().to_string(), None, problem);
    let manifest = Manifest::unverified(note).map_err(|error| damaged(error.to_string()))?;
    if manifest.origin != *origin {
        let problem = format!("{} is of the log {}", address.display(), manifest.origin);
        return Err(Error::configuration("destination", problem));
    }
    if manifest.number >= INTEGER_MAX {
        return Err(damaged("no number follows that of this manifest".into()));
    }
    Ok(manifest)
}

/// The log is closing.
pub(crate) fn given_up() -> io::Error {
    io::Error::other("it was given up, because the log is closing")
}

/// How the name of a manifest ends.
pub(super) const MANIFEST: &str = ".manifest";

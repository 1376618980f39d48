//! What a place must do that a log is published into: take files that are made once, and two that are replaced.

use std::path::PathBuf;

use super::files::Files;
#[cfg(feature = "object-store")]
use super::objects::Objects;
use crate::error::Result;
use crate::export::place::GoesOn;
use crate::export::{Destination, Kind};

/// A folder or a bucket, for one publication. Names are paths below it.
pub(super) trait Place {
    /// What errors call the file of a name.
    fn address(&self, name: &str) -> PathBuf;

    /// The content of a file of at most so many bytes; `None` where it is not there.
    fn read(&mut self, name: &str, most: usize) -> Result<Option<Vec<u8>>>;

    /// Makes a file, whole or not at all. One that is there must have this content. It may wait until
    /// [`sync`](Self::sync).
    fn create(&mut self, name: &str, content: Vec<u8>) -> Result<()>;

    /// Puts a file in the place of what was read last under this name, whole or not at all.
    fn replace(&mut self, name: &str, content: &[u8]) -> Result<()>;

    /// Removes a file where it is there.
    fn remove(&mut self, name: &str) -> Result<()>;

    /// Removes the partial ones of a tile or a bundle.
    fn remove_partial(&mut self, name: &str) -> Result<()>;

    /// Makes durable what is new, and what is gone.
    fn sync(&mut self) -> Result<()>;

    /// How many files were written.
    fn written(&self) -> u64;
}

/// Takes a destination. What waits there gives up once `goes_on` says so.
#[cfg_attr(not(feature = "object-store"), expect(unused_variables))]
pub(super) fn open<'a>(destination: &Destination, goes_on: GoesOn<'a>) -> Result<Box<dyn Place + 'a>> {
    match destination.kind() {
        Kind::Folder(path) => Ok(Box::new(Files::open(path)?)),
        #[cfg(feature = "object-store")]
        Kind::Bucket(bucket) => Ok(Box::new(Objects::open(bucket, goes_on)?)),
    }
}

//! Where exports go, as a host says it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

#[cfg(feature = "object-store")]
use super::bucket::Bucket;
use super::folder::Folder;
use super::place::{GoesOn, Place};
use crate::error::{Error, Result};

/// Where exports go, or a log is published: a folder or, with the feature `object-store`, a `Bucket`.
///
/// A path is a folder; a text is parsed: `s3://`, `az://` and `gs://` begin a bucket, and anything else is a folder.
///
/// ```
/// use indelible::export::Destination;
///
/// let folder: Destination = "/mnt/auditors".parse()?;
/// assert_eq!(folder, std::path::Path::new("/mnt/auditors").into());
/// assert!("ftp://auditors.example.com".parse::<Destination>().is_err());
/// # Ok::<(), indelible::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination(Kind);

/// What a destination is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    Folder(PathBuf),
    #[cfg(feature = "object-store")]
    Bucket(Bucket),
}

impl Destination {
    /// Takes it for one export, or to read its manifests. What waits there gives up once `goes_on` says so.
    #[cfg_attr(not(feature = "object-store"), expect(unused_variables))]
    pub(crate) fn open<'a>(&self, goes_on: GoesOn<'a>) -> Result<Box<dyn Place + 'a>> {
        match &self.0 {
            Kind::Folder(path) => Ok(Box::new(Folder::open(path)?)),
            #[cfg(feature = "object-store")]
            Kind::Bucket(bucket) => Ok(Box::new(bucket.open(goes_on)?)),
        }
    }

    pub(crate) fn kind(&self) -> &Kind {
        &self.0
    }

    /// The folder, where it is one.
    pub fn as_folder(&self) -> Option<&Path> {
        match &self.0 {
            Kind::Folder(path) => Some(path),
            #[cfg(feature = "object-store")]
            Kind::Bucket(_) => None,
        }
    }
}

impl From<&Path> for Destination {
    fn from(path: &Path) -> Self {
        path.to_owned().into()
    }
}

impl From<&PathBuf> for Destination {
    fn from(path: &PathBuf) -> Self {
        path.clone().into()
    }
}

impl From<&Self> for Destination {
    fn from(destination: &Self) -> Self {
        destination.clone()
    }
}

impl From<PathBuf> for Destination {
    fn from(path: PathBuf) -> Self {
        Self(Kind::Folder(path))
    }
}

#[cfg(feature = "object-store")]
impl From<Bucket> for Destination {
    fn from(bucket: Bucket) -> Self {
        Self(Kind::Bucket(bucket))
    }
}

impl FromStr for Destination {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.split_once("://") {
            None if text.is_empty() => Err(Error::configuration("destination", "it is empty")),
            None => Ok(PathBuf::from(text).into()),
            #[cfg(feature = "object-store")]
            Some(_) => Ok(Bucket::new(text)?.into()),
            #[cfg(not(feature = "object-store"))]
            Some((scheme, _)) => {
                let problem = format!("{scheme}:// needs a build with the feature object-store");
                Err(Error::configuration("destination", problem))
            }
        }
    }
}

impl fmt::Display for Destination {
    /// The folder, or the bucket's address.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Folder(path) => path.display().fmt(f),
            #[cfg(feature = "object-store")]
            Kind::Bucket(bucket) => bucket.fmt(f),
        }
    }
}

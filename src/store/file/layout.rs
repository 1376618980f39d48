//! What stands where in a log directory (FORMAT §5).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::disk::{Disk, How};
use super::listing::Listing;
use crate::error::{Cause, Error, Result};
use crate::store::Segment;

/// A log directory on a disk.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) folder: PathBuf,
    /// The segments, as they were listed last.
    pub(super) listed: Arc<Listing<Vec<Segment>>>,
}

impl Layout {
    pub(super) fn segments_folder(&self) -> PathBuf {
        self.folder.join("segments")
    }

    pub(super) fn keys_folder(&self) -> PathBuf {
        self.folder.join("keys")
    }

    pub(super) fn recovered_folder(&self) -> PathBuf {
        self.folder.join("recovered")
    }

    pub(super) fn caches_folder(&self) -> PathBuf {
        self.folder.join("tree")
    }

    /// Of the indexes that queries use.
    pub(super) fn index_folder(&self) -> PathBuf {
        self.folder.join("index")
    }

    pub(super) fn lock(&self) -> PathBuf {
        self.folder.join("lock")
    }

    pub(super) fn pending(&self) -> PathBuf {
        self.folder.join("pending")
    }

    /// The next segment's file while it is filled with zeros.
    pub(super) fn spare(&self) -> PathBuf {
        self.segments_folder().join("spare")
    }

    pub(super) fn position(&self) -> PathBuf {
        self.caches_folder().join("position")
    }

    /// The path of a segment that is called `name`.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub(super) fn segment(&self, first: u64) -> PathBuf {
        self.path(&segment_name(first))
    }

    /// The segments, oldest first. Where a segment stands there both plain and compressed, the plain one counts.
    pub(super) fn segments(&self) -> Result<Vec<Segment>> {
        let folder = self.segments_folder();
        self.listed
            .get(self.disk.state(&folder), || self.list_segments(&folder))
    }

    fn list_segments(&self, folder: &Path) -> Result<Vec<Segment>> {
        let mut segments: Vec<Segment> = self
            .list(folder)?
            .iter()
            .filter_map(|name| {
                let (first, _) = parse_segment_name(name)?;
                Some(Segment {
                    first,
                    name: format!("segments/{name}"),
                })
            })
            .collect();
        segments.sort_by_key(|segment| (segment.first, segment.name.len()));
        segments.dedup_by_key(|segment| segment.first);
        Ok(segments)
    }

    /// The names in a folder; none where there is no such folder.
    pub(super) fn list(&self, folder: &Path) -> Result<Vec<String>> {
        match self.disk.list(folder) {
            Ok(names) => Ok(names),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(Error::io("list", folder, error)),
        }
    }

    /// Makes a folder durably, if it is not there, and those above it. The name of each is durable before one is made in
    /// it: so where a folder is there, only its own name may need a sync.
    pub(super) fn make_folder(&self, folder: &Path) -> Result<()> {
        let above = folder.parent().filter(|above| *above != Path::new(""));
        if !self.disk.is_folder(folder) {
            match above.map_or(Ok(()), |above| self.make_folder(above)) {
                // Who may not look into a folder has not made the one in it.
                Err(error) if is_denied(&error) => {}
                made => made?,
            }
            self.disk
                .create_folder(folder)
                .map_err(|error| Error::io("create", folder, error))?;
        }
        self.sync_folder(above.unwrap_or(Path::new(".")))
    }

    pub(super) fn sync_folder(&self, folder: &Path) -> Result<()> {
        self.disk
            .sync_folder(folder)
            .map_err(|error| Error::io("sync", folder, error))
    }

    pub(super) fn remove(&self, path: &Path) -> Result<()> {
        self.remove_found(path).map(drop)
    }

    /// Removes a file, and tells whether it was there.
    pub(super) fn remove_found(&self, path: &Path) -> Result<bool> {
        match self.disk.remove(path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(Error::io("remove", path, error)),
        }
    }

    pub(super) fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.disk
            .rename(from, to)
            .map_err(|error| Error::io("rename", from, error))
    }

    /// The whole content of a small file; `None` where it is not there. A file of more than `limit` bytes is an error.
    pub(super) fn read(&self, path: &Path, limit: u64) -> Result<Option<Vec<u8>>> {
        let failed = |error| Error::io("read", path, error);
        let file = match self.disk.open(path, How::Read) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let size = file.size().map_err(failed)?;
        if size > limit {
            return Err(Error::damaged(
                path.display().to_string(),
                None,
                format!("{size} bytes, at most {limit}"),
            ));
        }
        let mut content = vec![0; usize::try_from(size).unwrap_or(0)];
        let mut count = 0;
        while count < content.len() {
            match file.read_at(&mut content[count..], count as u64).map_err(failed)? {
                0 => break,
                more => count += more,
            }
        }
        content.truncate(count);
        Ok(Some(content))
    }

    /// Writes a small file durably under its name: whole or not at all.
    pub(super) fn write(&self, path: &Path, content: &[u8]) -> Result<()> {
        let new = path.with_extension("new");
        let failed = |error| Error::io("write", &new, error);
        let file = self.disk.open(&new, How::Create).map_err(failed)?;
        file.write_all_at(content, 0).map_err(failed)?;
        file.sync().map_err(failed)?;
        self.rename(&new, path)?;
        self.sync_folder(path.parent().unwrap_or(&self.folder))
    }
}

fn is_denied(error: &Error) -> bool {
    matches!(error.cause(), Cause::Io { source, .. } if source.kind() == std::io::ErrorKind::PermissionDenied)
}

/// The path of a plain segment below the log directory.
pub(super) fn segment_name(first: u64) -> String {
    format!("segments/{first:020}.jsonl")
}

/// The first `seq` of a segment file, and whether it is compressed; `None` for a file that is not part of the log.
pub(super) fn parse_segment_name(name: &str) -> Option<(u64, bool)> {
    let (digits, ending) = name.split_at_checked(20)?;
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // One that is beyond all numbers is no record's, and a finding.
    let first = digits.parse().unwrap_or(u64::MAX);
    match ending {
        ".jsonl" => Some((first, false)),
        ".jsonl.zst" => Some((first, true)),
        _ => None,
    }
}

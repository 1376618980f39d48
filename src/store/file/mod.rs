//! A log directory: segment files, one writer, readers in any process (FORMAT §5).

#[cfg(feature = "compress")]
mod compressed;
mod disk;
mod eraser;
mod layout;
mod lines;
mod listing;
mod newest;
mod position;
mod reading;
mod recovery;
mod rewriting;
mod space;
mod writer;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

pub(crate) use disk::open_file;
use disk::{Lock, RealDisk};
use layout::Layout;
pub(crate) use listing::{Listing, State};
use newest::Newest;
use writer::{FileWriter, Options};

use crate::checkpoint::SignedCheckpoint;
use crate::error::{Cause, Error, Result};
use crate::store::{KeptRotation, Lines, Opened, Opening, Segment, Store};

/// A log directory.
///
/// Segments are files of whole commits. The writer holds a lock on the file `lock`; readers need none. Files are made
/// with mode 0600, folders with 0700.
///
/// ```no_run
/// use indelible::FileStore;
///
/// let store = FileStore::new("audit").segment_size(16 * 1024 * 1024);
/// ```
#[derive(Debug, Clone)]
pub struct FileStore {
    layout: Layout,
    options: Options,
    newest: Arc<Newest>,
}

impl FileStore {
    /// The log directory at `folder`. It is made when a log is opened there for writing.
    pub fn new(folder: impl AsRef<Path>) -> Self {
        let layout = Layout {
            disk: Arc::new(RealDisk),
            folder: folder.as_ref().to_owned(),
            listed: Arc::default(),
        };
        let options = Options {
            segment_size: SEGMENT_SIZE,
            segment_age: None,
            space_ahead: true,
        };
        let newest = Arc::default();
        Self {
            layout,
            options,
            newest,
        }
    }

    #[cfg(test)]
    fn on_disk(disk: Arc<dyn disk::Disk>, folder: impl AsRef<Path>) -> Self {
        let mut store = Self::new(folder);
        store.layout.disk = disk;
        store
    }

    /// How large a segment may get, in bytes: 64 MiB unless told otherwise. One commit always fits. With
    /// [space written ahead](Self::space_ahead) a larger one than 1 GiB ends where that space does, after 1 GiB.
    #[must_use]
    pub fn segment_size(mut self, bytes: u64) -> Self {
        self.options.segment_size = bytes.max(1);
        self
    }

    /// How long a segment may be written to, from its first record on: without end unless told otherwise. It is looked
    /// at when there is something to write.
    #[must_use]
    pub fn segment_age(mut self, age: Duration) -> Self {
        self.options.segment_age = Some(age);
        self
    }

    /// Whether space is written ahead (FORMAT §5): yes unless told otherwise. Without, each sync also writes the file's
    /// metadata.
    #[must_use]
    pub fn space_ahead(mut self, ahead: bool) -> Self {
        self.options.space_ahead = ahead;
        self
    }

    fn take_lock(&self, wait: Duration) -> Result<Arc<dyn Lock>> {
        let path = self.layout.lock();
        let began = Instant::now();
        loop {
            match self
                .layout
                .disk
                .lock(&path)
                .map_err(|error| Error::io("lock", &path, error))?
            {
                Ok(lock) => return Ok(Arc::from(lock)),
                Err(pid) => {
                    let waited = began.elapsed();
                    if waited >= wait {
                        return Err(Cause::Locked { path, pid, waited }.into());
                    }
                    std::thread::sleep(LOCK_RETRY.min(wait - waited));
                }
            }
        }
    }
}

impl Store for FileStore {
    fn open(&self, opening: &Opening<'_>) -> Result<Opened> {
        self.layout.make_folder(&self.layout.folder)?;
        let lock = self.take_lock(opening.wait)?;
        self.layout.make_folder(&self.layout.segments_folder())?;
        // Caches never decide whether a log opens (FORMAT §5).
        let _ = self.layout.disk.create_folder(&self.layout.caches_folder());
        let recovered = recovery::recover(&self.layout, opening)?;
        let writer = FileWriter::new(
            self.layout.clone(),
            self.options.clone(),
            opening.origin.clone(),
            recovered.head.clone(),
            recovered.tail,
            (Arc::clone(&self.newest), Arc::clone(&lock)),
        )?;
        let eraser = eraser::FileEraser::new(self.layout.clone(), writer.active_first(), lock);
        Ok(Opened {
            writer: Box::new(writer),
            eraser: Box::new(eraser),
            head: recovered.head,
            moved: recovered.moved,
        })
    }

    fn segments(&self) -> Result<Vec<Segment>> {
        self.layout.segments()
    }

    fn lines(&self, segment: &Segment, from: u64) -> Result<Box<dyn Lines + '_>> {
        reading::open_lines(&self.layout, segment, from)
    }

    fn newest_checkpoint(&self) -> Result<Option<SignedCheckpoint>> {
        self.newest.checkpoint(&self.layout)
    }

    fn has_writer(&self) -> Result<bool> {
        let path = self.layout.lock();
        self.layout
            .disk
            .is_locked(&path)
            .map_err(|error| Error::io("lock", &path, error))
    }

    fn kept_rotations(&self) -> Result<Vec<KeptRotation>> {
        let folder = self.layout.keys_folder();
        let mut names = self.layout.list(&folder)?;
        names.retain(|name| name.len() == 20 && name.bytes().all(|byte| byte.is_ascii_digit()));
        names.sort();
        let mut kept = Vec::new();
        for name in names {
            let content = match self.layout.read(&folder.join(&name), KEPT_ROTATION_BYTES_MAX) {
                Ok(Some(content)) => content,
                Ok(None) => continue,
                // Too large for a rotation: without content it verifies no more than with it.
                Err(error) if matches!(error.cause(), Cause::Damaged { .. }) => Vec::new(),
                Err(error) => return Err(error),
            };
            kept.push(KeptRotation {
                name: format!("keys/{name}"),
                content,
            });
        }
        Ok(kept)
    }

    fn folder(&self) -> Option<PathBuf> {
        self.layout.disk.takes_caches().then(|| self.layout.folder.clone())
    }
}

/// How large a segment gets unless told otherwise.
const SEGMENT_SIZE: u64 = 64 * 1024 * 1024;

const LOCK_RETRY: Duration = Duration::from_millis(20);

/// A record's line and a proof fit.
const KEPT_ROTATION_BYTES_MAX: u64 = 1024 * 1024;

//! The index files of a log directory: `index/`, one for each sealed segment.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};

use xxhash_rust::xxh3::xxh3_64;

use super::Index;
use super::build::build;
use super::pages::{PageWriter, Pages, damaged};
use super::sealed::SegmentIndex;
use super::tail::Tail;
use crate::error::{Error, Result};
use crate::store::{Listing, Segment, State, Store};

/// The indexes of a log, and those of them that are open.
///
/// A name holds the segment's first record and a number that no other index of it has: what is cached under a name that
/// is gone is never looked at again.
#[derive(Debug, Default)]
pub(crate) struct Indexes {
    open: Mutex<BTreeMap<u64, Opened>>,
    /// The index of the segment that is written to, where the log's own threads keep one.
    tail: RwLock<Option<Tail>>,
    /// Their names, as they were listed last.
    listed: Listing<Names>,
    /// The log's writer has them: what is broken is removed, and made anew.
    is_writer: bool,
}

/// The names of indexes, by their segments' first records.
pub(in crate::query) type Names = Arc<BTreeMap<u64, String>>;

/// An index by its name; `None` where it cannot be used.
#[derive(Debug, Clone)]
struct Opened {
    name: String,
    index: Option<Arc<SegmentIndex>>,
}

impl Indexes {
    /// Those of the log's writer.
    pub(crate) fn of_writer() -> Self {
        Self {
            is_writer: true,
            ..Self::default()
        }
    }

    /// The names of the indexes as they are now, by their segments' first records.
    pub(in crate::query) fn names(&self, store: &dyn Store) -> Names {
        let Some(folder) = store.folder().map(|folder| folder.join(FOLDER)) else {
            return Names::default();
        };
        let listed = self.listed.get(State::of(&folder), || {
            let names = list(&folder)?;
            // Of what is purged, erased in or compressed, nothing is kept, nor the file that has no name any more.
            self.open().retain(|first, known| names.get(first) == Some(&known.name));
            Ok::<_, io::Error>(Arc::new(names))
        });
        listed.unwrap_or_default()
    }

    /// The index of a segment that ends before the record `end`; `None` where there is none that can be used.
    pub(in crate::query) fn get(
        &self,
        store: &dyn Store,
        segment: &Segment,
        end: u64,
        name: &str,
    ) -> Option<Arc<SegmentIndex>> {
        if let Some(known) = self.open().get(&segment.first).filter(|known| known.name == name) {
            return known.index.clone();
        }
        match open(store, segment, end, name) {
            Ok(index) => {
                let index = Arc::new(index);
                self.remember(segment.first, name, Some(Arc::clone(&index)));
                Some(index)
            }
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                self.discard(store, segment.first, name);
                None
            }
            Err(_) => None,
        }
    }

    /// The index of the segment that is written to, if it is this one.
    pub(in crate::query) fn tail(&self) -> RwLockReadGuard<'_, Option<Tail>> {
        self.tail.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Brings the index of the last segment up to the first `size` records.
    pub(crate) fn bring_up(
        &self,
        store: &dyn Store,
        size: u64,
        random: [u8; 8],
        goes_on: &dyn Fn() -> bool,
    ) -> Result<()> {
        let Some(segment) = store.segments()?.pop() else {
            return Ok(());
        };
        let tail = || self.tail.write().unwrap_or_else(PoisonError::into_inner);
        let is_of = |tail: &Tail| tail.first() == segment.first;
        if !tail().as_ref().is_some_and(is_of) {
            *tail() = Some(Tail::new(&segment, u64::from_le_bytes(random)));
        }
        // Who asks meanwhile comes in between.
        while goes_on()
            && tail()
                .as_mut()
                .map_or(Ok(false), |tail| tail.bring_up(store, &segment, size))?
        {}
        Ok(())
    }

    /// Forgets the index of the segment that is written to: something was erased in it.
    pub(crate) fn forget_tail(&self) {
        *self.tail.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Has an index that is damaged made anew.
    pub(in crate::query) fn discard(&self, store: &dyn Store, first: u64, name: &str) {
        self.remember(first, name, None);
        if let (true, Some(folder)) = (self.is_writer, store.folder()) {
            let _ = fs::remove_file(folder.join(FOLDER).join(name));
        }
    }

    /// Makes the first index that is missing of the segments that are not written to any more, and says which that was.
    /// Nothing is erased, purged or compressed meanwhile. A segment in `failed` is left out, and one that fails is put
    /// there. Nothing is made once `goes_on` is false.
    pub(crate) fn make_next(
        store: &dyn Store,
        failed: &mut BTreeSet<u64>,
        random: [u8; 16],
        goes_on: &dyn Fn() -> bool,
    ) -> Result<Option<u64>> {
        let Some(folder) = store.folder() else { return Ok(None) };
        let (mut segments, names) = (store.segments()?, list(&folder.join(FOLDER)).unwrap_or_default());
        segments.pop();
        remove_others(&folder, &segments, &names);
        let is_missing = |segment: &&Segment| !names.contains_key(&segment.first) && !failed.contains(&segment.first);
        let Some(segment) = segments.iter().find(is_missing) else {
            return Ok(None);
        };
        failed.insert(segment.first);
        let (seed, name) = random.split_at(8);
        let seed = seed.first_chunk().map_or(0, |seed| u64::from_le_bytes(*seed));
        let Some(mut contents) = build(store, segment, seed, goes_on)? else {
            return Ok(None);
        };
        let path = folder.join(&segment.name);
        contents.header.ends = ends_of(&path).map_err(|error| Error::io("read", &path, error))?;
        let name = format!("{:020}-{}.{INDEX}", segment.first, hex::encode(name));
        let path = folder.join(FOLDER).join(name);
        write(&path, &contents.to_bytes()).map_err(|error| Error::io("write", &path, error))?;
        failed.remove(&segment.first);
        Ok(Some(segment.first))
    }

    fn open(&self) -> MutexGuard<'_, BTreeMap<u64, Opened>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remember(&self, first: u64, name: &str, index: Option<Arc<SegmentIndex>>) {
        let mut open = self.open();
        if open.len() >= OPEN_MAX {
            open.pop_first();
        }
        let name = name.to_owned();
        open.insert(first, Opened { name, index });
    }
}

fn list(folder: &Path) -> io::Result<BTreeMap<u64, String>> {
    let entries = fs::read_dir(folder)?.filter_map(|entry| entry.ok());
    // A link may lead out of the log, and a pipe would block.
    let files = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()));
    let names = files.filter_map(|entry| entry.file_name().into_string().ok());
    Ok(names.filter_map(|name| Some((first_of(&name)?, name))).collect())
}

/// Opens the index of a segment.
///
/// # Errors
///
/// [`io::ErrorKind::InvalidData`] where it is not that of this segment, or damaged.
fn open(store: &dyn Store, segment: &Segment, end: u64, name: &str) -> io::Result<SegmentIndex> {
    let folder = store.folder().ok_or(io::ErrorKind::NotFound)?;
    let path = folder.join(FOLDER).join(name);
    // A pipe would block.
    if !fs::metadata(&path)?.is_file() {
        return Err(damaged("it is no file"));
    }
    let index = SegmentIndex::open(Pages::new(File::open(&path)?))?;
    let segment_path = folder.join(&segment.name);
    let length = fs::metadata(&segment_path)?.len();
    let plain_bytes = segment.name.ends_with(".jsonl").then_some(length);
    let range = (index.first(), (&index as &dyn Index).end());
    let is_of =
        range == (segment.first, end) && index.plain_bytes() == plain_bytes && index.ends() == ends_of(&segment_path)?;
    if is_of {
        Ok(index)
    } else {
        Err(damaged("it is of another segment"))
    }
}

/// The checksum of what a segment's file begins and ends with. There stand hashes of all that came before, or the log's
/// name and key, and the checkpoint over all that it holds: two logs may be the same up to the middle of a segment.
fn ends_of(path: &Path) -> io::Result<u64> {
    let mut bytes = Vec::with_capacity(2 * END);
    let mut file = File::open(path)?;
    (&mut file).take(END as u64).read_to_end(&mut bytes)?;
    file.seek(SeekFrom::Start(file.metadata()?.len().saturating_sub(END as u64)))?;
    file.take(END as u64).read_to_end(&mut bytes)?;
    Ok(xxh3_64(&bytes))
}

/// Removes what is no index of a segment that is there: of one that is purged, or half written by a crash. What this crate
/// does not name so is not its own.
fn remove_others(folder: &Path, segments: &[Segment], names: &BTreeMap<u64, String>) {
    let Ok(entries) = fs::read_dir(folder.join(FOLDER)) else {
        return;
    };
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if first_of(&name.replace(NEW, INDEX)).is_none() {
            continue;
        }
        let first = first_of(name).filter(|first| names.get(first).is_some_and(|known| known == name));
        let is_there = first.is_some_and(|first| segments.iter().any(|segment| segment.first == first));
        if !is_there {
            let _ = fs::remove_file(&path);
        }
    }
}

fn write(path: &PathBuf, content: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let new = path.with_extension(NEW);
    let mut options = OpenOptions::new();
    let file = options.write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    let mut pages = PageWriter::new(io::BufWriter::with_capacity(1 << 20, file));
    pages.write(content)?;
    pages.finish()?.flush()?;
    fs::rename(&new, path)
}

fn first_of(name: &str) -> Option<u64> {
    let (digits, rest) = name.split_at_checked(20)?;
    let is_index = rest.starts_with('-') && rest.strip_suffix(INDEX).is_some_and(|rest| rest.ends_with('.'));
    digits
        .parse()
        .ok()
        .filter(|_| is_index && digits.bytes().all(|digit| digit.is_ascii_digit()))
}

/// What the names end with, of indexes and of those that are being written.
const INDEX: &str = "idx";
const NEW: &str = "new";

/// The folder below the log directory.
const FOLDER: &str = "index";

/// So many bytes of a segment's beginning, and of its end, tell it from one of another log.
const END: usize = 4096;

/// So many files are open at once.
const OPEN_MAX: usize = 256;

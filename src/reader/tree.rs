//! The tree cache: the hashes of complete subtrees beside the log, so that a proof need not read the log (FORMAT §5,
//! C2SP tlog-tiles).
//!
//! One file a tile level holds the hashes of its tiles one after the other: the hash at `index` of level 8·L stands at
//! byte 32·`index` of `tree/L`. A tile is 8 KiB of such a file. Nothing trusts the cache: who makes a proof checks it
//! against the checkpoint.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::hash::{self, Hash};
use crate::merkle::{self, HashReader, ProofError, Tree};

/// The hashes that are kept of a log's tree, in files and, the newest, in memory.
#[derive(Debug)]
pub(crate) struct TreeCache {
    /// `None` where all stays in memory.
    folder: Option<PathBuf>,
    levels: Vec<Level>,
    unwritten_bytes: usize,
    /// How many records the log has. It is behind while it covers fewer of them.
    due: u64,
    /// The tree of the records that are purged: what was lost of the hashes below its peaks is nowhere else.
    purged: Tree,
    /// Nothing is kept: what would be needed before it could not be read.
    disabled: bool,
}

/// The hashes of one tile level.
#[derive(Debug, Default)]
struct Level {
    file: Option<File>,
    /// How many are in the file.
    written: u64,
    /// Those after them.
    pending: Vec<Hash>,
}

impl Level {
    fn len(&self) -> u64 {
        self.written + self.pending.len() as u64
    }

    fn read(&self, index: u64, hashes: &mut [Hash]) -> io::Result<()> {
        for (hash, at) in hashes.iter_mut().zip(index..) {
            if let Some(pending) = at
                .checked_sub(self.written)
                .and_then(|at| self.pending.get(usize::try_from(at).ok()?))
            {
                *hash = *pending;
            }
        }
        let in_file = self.written.saturating_sub(index).min(hashes.len() as u64);
        if let (Some(file), Ok(count @ 1..)) = (&self.file, usize::try_from(in_file)) {
            let mut bytes = vec![0; count * 32];
            file.read_exact_at(&mut bytes, index * 32)?;
            for (hash, bytes) in hashes.iter_mut().zip(bytes.as_chunks::<32>().0) {
                *hash = Hash::from_bytes(*bytes);
            }
        }
        Ok(())
    }

    fn write(&mut self, path: &Path) -> io::Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        if self.file.is_none() {
            self.file = Some(open_for_writing(path)?);
        }
        if let Some(file) = &self.file {
            let bytes: Vec<u8> = self.pending.iter().flat_map(Hash::as_bytes).copied().collect();
            file.write_all_at(&bytes, self.written * 32)?;
            self.written += self.pending.len() as u64;
            self.pending.clear();
        }
        Ok(())
    }
}

impl TreeCache {
    /// A cache in memory alone, of a log that has `size` records.
    pub(crate) fn in_memory(size: u64) -> Self {
        Self {
            folder: None,
            levels: Vec::new(),
            unwritten_bytes: 0,
            due: size,
            purged: Tree::new(),
            disabled: false,
        }
    }

    /// A cache that stays empty: proofs are made from the log itself.
    pub(crate) fn disabled() -> Self {
        Self {
            disabled: true,
            ..Self::in_memory(0)
        }
    }

    /// The cache in a log directory, as far as it covers the first `size` records, for writing.
    pub(crate) fn open(folder: &Path, size: u64) -> io::Result<Self> {
        let folder = folder.join("tree");
        let mut cache = Self::with_files(&folder, size, open_for_writing)?;
        cache.folder = Some(folder);
        Ok(cache)
    }

    /// The same, for reading: nothing is written.
    pub(crate) fn open_read(folder: &Path, size: u64) -> io::Result<Self> {
        Self::with_files(&folder.join("tree"), size, |path| File::open(path))
    }

    fn with_files(folder: &Path, size: u64, open: impl Fn(&Path) -> io::Result<File>) -> io::Result<Self> {
        let mut levels: Vec<Level> = Vec::new();
        for level in 0..=merkle::TILE_LEVEL_MAX {
            let covered = size >> (8 * u32::from(level));
            let path = folder.join(level.to_string());
            if covered == 0 || (level > 0 && !path.exists()) {
                break;
            }
            // A pipe would block.
            if path.exists() && !path.is_file() {
                return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a file"));
            }
            let file = match open(&path) {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::NotFound => break,
                Err(error) => return Err(error),
            };
            let below = levels.last().map_or(u64::MAX, |below: &Level| below.written >> 8);
            let written = (file.metadata()?.len() / 32).min(covered).min(below);
            levels.push(Level {
                file: Some(file),
                written,
                pending: Vec::new(),
            });
        }
        let mut cache = Self {
            folder: None,
            levels,
            unwritten_bytes: 0,
            due: size,
            purged: Tree::new(),
            disabled: false,
        };
        cache.limit_levels();
        cache.complete_levels()?;
        Ok(cache)
    }

    /// Lets go of what of a level would take too long to make the next one of.
    fn limit_levels(&mut self) {
        for level in (0..usize::from(merkle::TILE_LEVEL_MAX)).rev() {
            let above = self.levels.get(level + 1).map_or(0, |above| above.written);
            if let Some(hashes) = self.levels.get_mut(level) {
                hashes.written = hashes.written.min((above + TILES_MADE_MAX) << 8);
            }
        }
    }

    /// Makes each level as long as the one below it says.
    fn complete_levels(&mut self) -> io::Result<()> {
        for level in 1..=usize::from(merkle::TILE_LEVEL_MAX) {
            let complete = self.levels.get(level - 1).map_or(0, Level::len) >> 8;
            if complete == 0 {
                break;
            }
            if self.levels.len() == level {
                self.levels.push(Level::default());
            }
            for tile in self.levels[level].len()..complete {
                let mut hashes = [Hash::ZERO; 256];
                self.levels[level - 1].read(tile << 8, &mut hashes)?;
                let unknown = hashes.contains(&Hash::ZERO);
                self.levels[level]
                    .pending
                    .push(if unknown { Hash::ZERO } else { merkle::root_of(&hashes) });
            }
        }
        Ok(())
    }

    /// How many records it covers.
    pub(crate) fn size(&self) -> u64 {
        self.levels.first().map_or(0, Level::len)
    }

    /// Leaves out the records before `first`, which are purged: zeros stand for hashes that are not known.
    pub(crate) fn skip_to(&mut self, first: u64) -> io::Result<()> {
        for level in 0..=merkle::TILE_LEVEL_MAX {
            let covered = first >> (8 * u32::from(level));
            if covered == 0 {
                break;
            }
            let path = self.folder.as_ref().map(|folder| folder.join(level.to_string()));
            let level = self.level(8 * u32::from(level));
            level.pending.clear();
            match path {
                Some(path) => {
                    let file = open_for_writing(&path)?;
                    file.set_len(level.written * 32)?;
                    file.set_len(covered * 32)?;
                    level.file = Some(file);
                    level.written = covered;
                }
                None => level.pending.resize(usize::try_from(covered).unwrap_or(0), Hash::ZERO),
            }
        }
        Ok(())
    }

    /// Forgets what it holds of the records from `first` on.
    pub(crate) fn truncate(&mut self, first: u64) -> io::Result<()> {
        self.unwritten_bytes = 0;
        for (level, hashes) in self.levels.iter_mut().enumerate() {
            let covered = first >> (8 * level);
            let kept = covered.saturating_sub(hashes.written);
            hashes.pending.truncate(usize::try_from(kept).unwrap_or(usize::MAX));
            hashes.written = hashes.written.min(covered);
            if let Some(file) = &hashes.file {
                file.set_len(hashes.written * 32)?;
            }
        }
        Ok(())
    }

    /// How many records it covers at its end.
    pub(crate) fn due(&self) -> u64 {
        self.due
    }

    pub(crate) fn is_disabled(&self) -> bool {
        self.disabled
    }

    /// Takes the hashes of new records from `first` on, and of the subtrees of tile levels that are complete with them.
    /// `log_bytes` is what they take in the log. While the cache is behind, it only notes that they are due.
    pub(crate) fn extend(&mut self, first: u64, hashes: &[Hash], subtrees: &[(u32, Hash)], log_bytes: usize) {
        self.due = self.due.max(first + hashes.len() as u64);
        if self.size() != first || self.disabled {
            return;
        }
        self.level(0).pending.extend_from_slice(hashes);
        for (level, hash) in subtrees {
            self.level(*level).pending.push(*hash);
        }
        self.unwritten_bytes += log_bytes;
        if self.unwritten_bytes >= WRITE_EVERY {
            self.write();
        }
    }

    /// The hashes of a level of the tree that is a multiple of 8.
    fn level(&mut self, level: u32) -> &mut Level {
        let level = usize::try_from(level / 8).unwrap_or(usize::from(merkle::TILE_LEVEL_MAX));
        while self.levels.len() <= level {
            self.levels.push(Level::default());
        }
        &mut self.levels[level]
    }

    /// Writes what is in memory alone. A write that fails leaves it there, and the next opening reads the log.
    pub(crate) fn write(&mut self) {
        let _ = self.try_write();
    }

    fn try_write(&mut self) -> io::Result<()> {
        self.unwritten_bytes = 0;
        if let Some(folder) = &self.folder {
            for (level, hashes) in self.levels.iter_mut().enumerate() {
                hashes.write(&folder.join(level.to_string()))?;
            }
        }
        Ok(())
    }

    /// Makes the hashes of the first `size` records durable: before a purge, since they are nowhere else then.
    pub(crate) fn sync(&mut self, size: u64) -> io::Result<()> {
        if self.disabled || self.size() < size {
            let problem = "the tree cache does not hold what a purge leaves of the records: open the log anew";
            return Err(io::Error::other(problem));
        }
        self.try_write()?;
        let mut files = self.levels.iter().filter_map(|level| level.file.as_ref());
        files.try_for_each(File::sync_data)?;
        let Some(folder) = &self.folder else { return Ok(()) };
        File::open(folder)?.sync_all()?;
        // Its own name is not durable before.
        folder.parent().map_or(Ok(()), |above| File::open(above)?.sync_all())
    }

    /// The cache as it is now for the first `size` records, for a reader on another thread: it shares the files and has
    /// its own copy of what is in memory.
    pub(crate) fn view(&self, size: u64) -> io::Result<Self> {
        let mut levels = Vec::with_capacity(self.levels.len());
        for (level, hashes) in self.levels.iter().enumerate() {
            let covered = size >> (8 * level);
            let written = hashes.written.min(covered);
            let pending = usize::try_from(covered - written)
                .unwrap_or(usize::MAX)
                .min(hashes.pending.len());
            let file = hashes.file.as_ref().map(File::try_clone).transpose()?;
            levels.push(Level {
                file,
                written,
                pending: hashes.pending[..pending].to_vec(),
            });
        }
        Ok(Self {
            folder: None,
            levels,
            unwritten_bytes: 0,
            due: size,
            purged: self.purged.clone(),
            disabled: false,
        })
    }

    /// Says which tree the records had that are purged.
    pub(crate) fn set_purged(&mut self, purged: Tree) {
        self.purged = purged;
    }

    /// Whether this is the hash that it has there.
    pub(crate) fn holds(&mut self, level: u32, index: u64, hash: Hash) -> bool {
        self.hash(level, index).is_ok_and(|held| held == hash)
    }

    /// The tree of the first `size` records, as the cache has it.
    pub(crate) fn tree_at(&mut self, size: u64) -> Option<Tree> {
        merkle::tree_at(self, size).ok()
    }
}

impl TreeCache {
    /// A hash from the levels that are kept.
    fn kept(&self, level: u32, index: u64) -> Result<Hash, CacheError> {
        let (tile_level, within) = (level / 8, level % 8);
        let hashes = self
            .levels
            .get(usize::try_from(tile_level).unwrap_or(usize::MAX))
            .ok_or(CacheError::Missing)?;
        let (first, count) = (index << within, 1 << within);
        if first + count > hashes.len() {
            return Err(CacheError::Missing);
        }
        let mut below = [Hash::ZERO; 128];
        let below = &mut below[..1 << within];
        hashes.read(first, below)?;
        if below.contains(&Hash::ZERO) {
            return Err(CacheError::Missing);
        }
        Ok(merkle::root_of(below))
    }

    /// A hash over records of which some are purged: a peak of those, or made of its halves.
    fn around_purged(&mut self, level: u32, index: u64) -> Result<Hash, CacheError> {
        let purged = self.purged.size();
        let at = purged >> level;
        if at & 1 == 1 && index == at - 1 {
            let peak = usize::try_from((at >> 1).count_ones()).unwrap_or(usize::MAX);
            return self.purged.peaks().get(peak).copied().ok_or(CacheError::Missing);
        }
        // Its first record is purged, and its last one is not.
        if level == 0 || index != at || index << level == purged {
            return Err(CacheError::Missing);
        }
        let (left, right) = (self.hash(level - 1, 2 * index)?, self.hash(level - 1, 2 * index + 1)?);
        Ok(hash::node(&left, &right))
    }
}

impl HashReader for TreeCache {
    type Error = CacheError;

    fn hash(&mut self, level: u32, index: u64) -> Result<Hash, CacheError> {
        match self.kept(level, index) {
            Err(CacheError::Missing) => self.around_purged(level, index),
            kept => kept,
        }
    }
}

/// Why the cache does not have a hash.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CacheError {
    #[error("the cache does not reach so far")]
    Missing,
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Proof(#[from] ProofError),
}

fn open_for_writing(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
}

/// How far the files may lag the log, in bytes of the log.
const WRITE_EVERY: usize = 512 * 1024;

/// So many tiles' roots are made where a level lacks them: of a million leaves.
const TILES_MADE_MAX: u64 = 4096;

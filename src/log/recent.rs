//! The ids of the last records, so that a retry is known again (EVENTS §1, `id`).

use std::collections::{HashMap, VecDeque};
use std::fs::{File, OpenOptions};
use std::hash::{BuildHasherDefault, Hasher};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use crate::hash::Hash;

/// Half of the SHA-256 of an id. Two ids with the same one cannot be made, and a hit is compared with the record
/// anyway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct IdDigest([u8; 16]);

impl IdDigest {
    pub(super) fn of(id: &[u8]) -> Self {
        let mut digest = [0; 16];
        digest.copy_from_slice(&Hash::of(id).as_bytes()[..16]);
        Self(digest)
    }

    /// For a record whose id is erased: no id has it.
    pub(super) const NONE: Self = Self([0; 16]);
}

/// The ids of the last records, at most [`RECENT_MAX`].
#[derive(Debug)]
pub(super) struct RecentIds {
    /// The digests of the last records in order; the last one is of the record before `next`.
    order: VecDeque<IdDigest>,
    next: u64,
    seq_of: HashMap<IdDigest, u64, BuildHasherDefault<DigestHasher>>,
}

impl RecentIds {
    /// None yet; the next record is `next`.
    pub(super) fn new(next: u64) -> Self {
        Self {
            order: VecDeque::new(),
            next,
            seq_of: HashMap::default(),
        }
    }

    /// None yet of a log of `size` records, where the last ones are to come.
    pub(super) fn before(size: u64) -> Self {
        Self::new(size.saturating_sub(RECENT_MAX as u64))
    }

    /// The `seq` of the next record.
    pub(super) fn size(&self) -> u64 {
        self.next
    }

    /// Which of the last records has this id. Of several it is the newest: it was recorded because the content of the
    /// others is gone.
    pub(super) fn find(&self, id: &IdDigest) -> Option<u64> {
        self.seq_of.get(id).copied()
    }

    /// Takes the id of the next record.
    pub(super) fn push(&mut self, id: IdDigest) {
        if self.order.len() == RECENT_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            let seq = self.next - RECENT_MAX as u64;
            if self.seq_of.get(&oldest) == Some(&seq) {
                self.seq_of.remove(&oldest);
            }
        }
        self.order.push_back(id);
        if id != IdDigest::NONE {
            self.seq_of.insert(id, self.next);
        }
        self.next += 1;
    }

    /// Takes the records from `size` on back: they did not become durable. What they pushed out at the old end stays
    /// out.
    pub(super) fn truncate(&mut self, size: u64) {
        while self.next > size {
            self.next -= 1;
            if let Some(id) = self.order.pop_back()
                && self.seq_of.get(&id) == Some(&self.next)
            {
                self.seq_of.remove(&id);
            }
        }
    }

    /// The first record whose id is known.
    pub(super) fn oldest(&self) -> u64 {
        self.next - self.order.len() as u64
    }

    /// The digest of a record's id.
    pub(super) fn at(&self, seq: u64) -> Option<&IdDigest> {
        self.order.get(usize::try_from(seq.checked_sub(self.oldest())?).ok()?)
    }

    /// The digests of the records from `from` on, and the `seq` of the first of them.
    pub(super) fn since(&self, from: u64) -> (u64, impl Iterator<Item = &IdDigest>) {
        let oldest = self.oldest();
        let from = from.clamp(oldest, self.next);
        let skipped = usize::try_from(from - oldest).unwrap_or(usize::MAX);
        (from, self.order.range(skipped.min(self.order.len())..))
    }
}

/// The cache of recent ids in a log directory: blocks of 1,024 digests in a ring, each with its own hash, so that a
/// block that is torn or old is seen. A block that is missing only makes the next opening read records.
#[derive(Debug)]
pub(super) struct RecentFile {
    file: File,
    saved: u64,
    unsaved_bytes: usize,
}

impl RecentFile {
    /// Opens the cache for writing; what is before `saved` stands there already.
    pub(super) fn open(folder: &Path, saved: u64) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        Ok(Self {
            file: options.open(folder.join(FILE))?,
            saved,
            unsaved_bytes: 0,
        })
    }

    /// Counts bytes of the log, and saves once they are many.
    pub(super) fn advance(&mut self, recent: &RecentIds, log_bytes: usize) {
        self.unsaved_bytes += log_bytes;
        if self.unsaved_bytes >= SAVE_EVERY {
            self.save(recent);
        }
    }

    /// Writes the blocks that are new or longer than before.
    pub(super) fn save(&mut self, recent: &RecentIds) {
        self.unsaved_bytes = 0;
        let mut block = self.saved / BLOCK;
        while block * BLOCK < recent.next {
            let (first, digests) = recent.since(block * BLOCK);
            let digests: Vec<u8> = digests
                .take(to_usize((block + 1) * BLOCK - first))
                .flat_map(|id| id.0)
                .collect();
            let mut bytes = Vec::with_capacity(SLOT);
            bytes.extend_from_slice(&first.to_le_bytes());
            bytes.extend_from_slice(&digests);
            let hash = Hash::of(&bytes);
            bytes.resize(SLOT - 40, 0);
            bytes.extend_from_slice(&((digests.len() / 16) as u64).to_le_bytes());
            bytes.extend_from_slice(hash.as_bytes());
            if self.file.write_all_at(&bytes, block % BLOCKS * SLOT as u64).is_err() {
                return;
            }
            block += 1;
        }
        self.saved = recent.next;
    }

    /// The ids that the cache holds of the last records of a log of `size`, as far as it goes; the rest is in the log.
    pub(super) fn load(folder: &Path, size: u64) -> RecentIds {
        let mut recent = RecentIds::before(size);
        let Ok(content) = std::fs::read(folder.join(FILE)) else {
            return recent;
        };
        recent.seq_of.reserve(RECENT_MAX);
        while recent.next < size {
            let block = recent.next / BLOCK;
            let slot = to_usize(block % BLOCKS) * SLOT;
            let Some((first, digests)) = content.get(slot..slot + SLOT).and_then(read_block) else {
                break;
            };
            let Some(skipped) = recent.next.checked_sub(first) else {
                break;
            };
            let before = recent.next;
            for digest in digests
                .as_chunks::<16>()
                .0
                .iter()
                .skip(to_usize(skipped))
                .take(to_usize(size - before))
            {
                recent.push(IdDigest(*digest));
            }
            if first / BLOCK != block || recent.next == before {
                break;
            }
        }
        recent
    }
}

/// The `seq` of a block's first record, and its digests, if the block is whole.
fn read_block(slot: &[u8]) -> Option<(u64, &[u8])> {
    let (content, rest) = slot.split_at_checked(SLOT - 40)?;
    let (count, hash) = rest.split_first_chunk::<8>()?;
    let count = usize::try_from(u64::from_le_bytes(*count))
        .ok()
        .filter(|count| *count <= to_usize(BLOCK))?;
    let content = content.get(..8 + 16 * count)?;
    if Hash::of(content).as_bytes() != hash {
        return None;
    }
    let (first, digests) = content.split_first_chunk::<8>()?;
    Some((u64::from_le_bytes(*first), digests))
}

fn to_usize(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// A digest is random already: its first bytes are its hash.
#[derive(Debug, Default)]
pub(super) struct DigestHasher(u64);

impl Hasher for DigestHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk() {
            self.0 = u64::from_le_bytes(*first);
        }
    }

    // The length prefix of an array.
    fn write_usize(&mut self, _: usize) {}
}

/// How many records back an id is known again.
pub(super) const RECENT_MAX: usize = 100_000;

const FILE: &str = "tree/ids";

const BLOCK: u64 = 1024;

/// Enough blocks that the last 100,000 are there while one is written.
const BLOCKS: u64 = 100;

/// The `seq` of the first record, the digests, their count, the hash.
const SLOT: usize = 8 + 16 * 1024 + 8 + 32;

/// How far the cache may lag the log, in bytes of the log.
const SAVE_EVERY: usize = 512 * 1024;

const _: () = assert!((BLOCKS - 2) * BLOCK >= RECENT_MAX as u64);

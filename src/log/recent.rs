//! The ids of the last records, so that a retry is known again (EVENTS §1, `id`).

use std::collections::{HashMap, VecDeque};
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use uuid::Uuid;

use crate::hash::Hash;
use crate::store::open_file;

/// What stands for an id, in 16 bytes: a UUIDv7 for itself, any other id by half of its SHA-256. Two ids with the same
/// one cannot be made, and a hit is compared with the record anyway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct IdDigest([u8; 16]);

impl IdDigest {
    pub(super) fn of(id: &[u8]) -> Self {
        if let Some(uuid) = uuid_v7(id) {
            return Self::of_uuid(&uuid);
        }
        let mut digest = [0; 16];
        digest.copy_from_slice(&Hash::of(id).as_bytes()[..16]);
        Self(digest)
    }

    /// That of the lowercase, hyphenated form of a UUIDv7.
    pub(super) fn of_uuid(uuid: &Uuid) -> Self {
        Self(*uuid.as_bytes())
    }

    /// For a record whose id is erased: no id has it.
    pub(super) const NONE: Self = Self([0; 16]);
}

/// The UUIDv7 whose lowercase, hyphenated form this is.
fn uuid_v7(id: &[u8]) -> Option<Uuid> {
    if id.len() != 36 || id.get(14) != Some(&b'7') {
        return None;
    }
    let uuid = Uuid::try_parse_ascii(id).ok()?;
    let mut text = [0; 36];
    (uuid.hyphenated().encode_lower(&mut text).as_bytes() == id).then_some(uuid)
}

/// The ids of the last records, at least [`RECENT_MAX`] once there are so many.
///
/// They are kept in order, and indexed when a host gives an event an id of its own: until then a record's id costs 16
/// bytes and no more.
#[derive(Debug)]
pub(super) struct RecentIds {
    /// The digests of the last records in order; the last one is of the record before `next`.
    order: VecDeque<IdDigest>,
    next: u64,
    /// The newest record of each id, of the records before `indexed`. Some of them may be too old by now.
    seq_of: HashMap<IdDigest, u64>,
    indexed: u64,
}

impl RecentIds {
    /// None yet; the next record is `next`.
    pub(super) fn new(next: u64) -> Self {
        Self {
            order: VecDeque::new(),
            next,
            seq_of: HashMap::new(),
            indexed: next,
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

    /// Which of the last [`RECENT_MAX`] records has this id. Of several it is the newest: it was recorded because the
    /// content of the others is gone.
    pub(super) fn find(&mut self, id: &IdDigest) -> Option<u64> {
        let oldest = self.next.saturating_sub(RECENT_MAX as u64);
        if self.seq_of.len() > 2 * RECENT_MAX {
            self.seq_of.retain(|_, seq| *seq >= oldest);
        }
        let (first, skipped) = self.from(self.indexed);
        for (id, seq) in self.order.range(skipped..).zip(first..) {
            if *id != IdDigest::NONE {
                self.seq_of.insert(*id, seq);
            }
        }
        self.indexed = self.next;
        self.seq_of.get(id).copied().filter(|seq| *seq >= oldest)
    }

    /// Takes the id of the next record.
    pub(super) fn push(&mut self, id: IdDigest) {
        if self.order.len() == RECENT_MAX + COMMIT_RECORDS_MAX {
            self.order.pop_front();
        }
        self.order.push_back(id);
        self.next += 1;
    }

    /// Takes the records from `size` on back: they did not become durable.
    pub(super) fn truncate(&mut self, size: u64) {
        let back = usize::try_from(self.next.saturating_sub(size)).unwrap_or(usize::MAX);
        self.order.truncate(self.order.len().saturating_sub(back));
        self.next = self.next.min(size);
        if self.indexed > self.next {
            self.seq_of.clear();
            self.indexed = self.oldest();
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

    /// The first record from `seq` on whose id is known, and how many ids stand before it.
    fn from(&self, seq: u64) -> (u64, usize) {
        let first = seq.clamp(self.oldest(), self.next);
        (first, to_usize(first - self.oldest()))
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
            file: open_file(&options, &folder.join(FILE))?,
            saved,
            unsaved_bytes: 0,
        })
    }

    /// Counts bytes of the log, and saves once they are many.
    pub(super) fn advance(&mut self, recent: &RecentIds, durable: u64, log_bytes: usize) {
        self.unsaved_bytes += log_bytes;
        if self.unsaved_bytes >= SAVE_EVERY {
            self.save(recent, durable);
        }
    }

    /// Writes the blocks that are new or longer than before, of the records before `durable`: those after them may be
    /// taken back.
    pub(super) fn save(&mut self, recent: &RecentIds, durable: u64) {
        self.unsaved_bytes = 0;
        let mut block = self.saved.max(recent.oldest()) / BLOCK;
        while block * BLOCK < durable {
            let (first, skipped) = recent.from(block * BLOCK);
            let count = to_usize(((block + 1) * BLOCK).min(durable).saturating_sub(first));
            let digests: Vec<u8> = recent.order.range(skipped..).take(count).flat_map(|id| id.0).collect();
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
        self.saved = durable;
    }

    /// The ids that the cache holds of the last records of a log of `size`, as far as it goes; the rest is in the log.
    pub(super) fn load(folder: &Path, size: u64) -> RecentIds {
        let mut recent = RecentIds::before(size);
        let mut content = Vec::new();
        let file = open_file(OpenOptions::new().read(true), &folder.join(FILE));
        let read = file.and_then(|file| file.take(FILE_MAX).read_to_end(&mut content));
        if read.is_err() {
            return recent;
        }
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

/// How many records back an id is known again.
pub(super) const RECENT_MAX: usize = 100_000;

/// More records than one commit has: so many may be taken back, and the ids before them are to be known still.
const COMMIT_RECORDS_MAX: usize = 16 * 1024;

const FILE: &str = "tree/ids";

const BLOCK: u64 = 1024;

/// Enough blocks that the last 100,000 are there while one is written.
const BLOCKS: u64 = 100;

/// The `seq` of the first record, the digests, their count, the hash.
const SLOT: usize = 8 + 16 * 1024 + 8 + 32;

const FILE_MAX: u64 = BLOCKS * SLOT as u64;

/// How far the cache may lag the log, in bytes of the log.
const SAVE_EVERY: usize = 512 * 1024;

const _: () = assert!((BLOCKS - 2) * BLOCK >= RECENT_MAX as u64);

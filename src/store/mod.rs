//! Where commits live: the [`Store`] trait, [`MemoryStore`] and [`FileStore`].
//!
//! A store is a hash-chained append-only log of whole commits. It holds segments of lines (FORMAT §1, §5), gives them
//! to any number of readers, and to one [`Writer`] at a time.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::checkpoint::SignedCheckpoint;
use crate::error::{Cause, Error, Result};
use crate::hash::Hash;
use crate::merkle::Tree;
use crate::note::{Origin, VerifierKey};
use crate::record::Record;
use crate::timestamp::Timestamp;

mod file;
mod memory;
mod rewrite;
#[cfg(any(test, feature = "testing"))]
pub mod testing;

pub use file::FileStore;
pub(crate) use file::{Listing, State, open_file};
pub use memory::MemoryStore;
pub(crate) use rewrite::overlaps;

/// The hash-chained append-only log. Any number of readers, one writer.
///
/// Every method may be called from any thread at any time, also while a [`Writer`] of this store writes, in this
/// process or another.
pub trait Store: fmt::Debug + Send + Sync + 'static {
    /// Takes the log for writing and finds its newest whole commit (FORMAT §8). Until the writer is dropped there is no
    /// other, in any process.
    ///
    /// # Errors
    ///
    /// [`Cause::Locked`] once another writer was waited for as long as `opening` says, [`Cause::Damaged`] where a crash
    /// cannot explain what stands there, and what [`Opening::accept`] says: then nothing was changed.
    fn open(&self, opening: &Opening<'_>) -> Result<Opened>;

    /// The segments as they are now, oldest first.
    fn segments(&self) -> Result<Vec<Segment>>;

    /// The lines of a segment. They begin with its header, or, where `from` is above 0, with a line not after the
    /// record `from`; the store may skip what stands before it.
    ///
    /// # Errors
    ///
    /// Also where the segment was purged since it was listed: list them again (FORMAT §5).
    fn lines(&self, segment: &Segment, from: u64) -> Result<Box<dyn Lines + '_>>;

    /// The newest whole commit, by what it looks like: nothing is verified. It is durable: a reader in another process
    /// syncs before it hands it on. `None` for a log without any.
    fn newest_checkpoint(&self) -> Result<Option<SignedCheckpoint>>;

    /// Whether a writer has the log now, in this process or another.
    fn has_writer(&self) -> Result<bool>;

    /// The rotations of purged segments (FORMAT §6), by `seq`: the name of each and its content, as they stand.
    fn kept_rotations(&self) -> Result<Vec<KeptRotation>>;

    /// Whether another writer can be at the store at the same time, so that [`Writer::append`] reports conflicts. Where
    /// it cannot, the log prepares the next commit while the last one is written.
    fn is_shared(&self) -> bool {
        false
    }

    /// A folder for caches and positions (FORMAT §5), if the store has one.
    fn folder(&self) -> Option<PathBuf> {
        None
    }
}

/// How a log is opened for writing.
pub struct Opening<'a> {
    /// The log's origin.
    pub origin: &'a Origin,
    /// The key in force: the newest checkpoint must verify under it.
    pub vkey: &'a VerifierKey,
    /// How long another writer is waited for.
    pub wait: Duration,
    /// Is asked once the lock is held, with the head that was found and before anything is changed: whether the log may
    /// be opened so. Its error is that of the opening. It may read the store, up to that head.
    pub accept: &'a dyn Fn(Option<&Head>) -> Result<()>,
}

impl fmt::Debug for Opening<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opening")
            .field("origin", &self.origin)
            .field("vkey", &self.vkey)
            .field("wait", &self.wait)
            .finish_non_exhaustive()
    }
}

/// A log that is open for writing.
#[derive(Debug)]
pub struct Opened {
    /// The one writer.
    pub writer: Box<dyn Writer>,
    /// What erases and purges beside it.
    pub eraser: Box<dyn Eraser>,
    /// What the newest commit left; `None` for a new log.
    pub head: Option<Head>,
    /// What a crash left after the newest commit and was moved away, for the log to announce (FORMAT §8).
    pub moved: Vec<Moved>,
}

/// The newest commit of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The tree over all records.
    pub tree: Tree,
    /// The hash of the last record.
    pub last: Hash,
    /// The last record's line, without LF.
    pub last_line: Vec<u8>,
    /// The newest checkpoint.
    pub checkpoint: SignedCheckpoint,
}

impl Head {
    /// When the last record was taken.
    pub(crate) fn recorded_at(&self) -> Option<Timestamp> {
        Record::from_line(&self.last_line).ok()?.recorded_at()
    }

    /// Checks that `vkey` is in force from here on: a rotation's checkpoint verifies under the old key too.
    pub(crate) fn check_in_force(&self, vkey: &VerifierKey) -> Result<()> {
        let Ok(last) = Record::from_line(&self.last_line) else {
            return Ok(());
        };
        if last.action().as_deref() != Some("audit_log.signing_key.rotated") {
            return Ok(());
        }
        let new = last.metadata_text("new").unwrap_or_default();
        if new == vkey.to_string() {
            return Ok(());
        }
        let problem = format!("the key was rotated at seq {}: {new} is in force", last.seq());
        Err(Error::configuration("key", problem))
    }
}

/// Bytes that a crash left after the newest commit (FORMAT §8).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// How many.
    pub bytes: u64,
    /// The file they stand in now, below the log directory.
    pub file: String,
    /// Their SHA-256.
    pub sha256: Hash,
    /// The checkpoint line among them, if there is one that is not too long to be told: its signed note.
    pub checkpoint: Option<String>,
}

/// One commit on its way to the store: its bytes (for files) and its records (for databases).
#[derive(Debug, Clone, Copy)]
pub struct Commit<'a> {
    /// The tree before its first record.
    pub before: &'a Tree,
    /// The tree after its last record.
    pub after: &'a Tree,
    /// The hash of the record before its first: its `prev`.
    pub prev: &'a Hash,
    /// The hashes of its records, in order.
    pub hashes: &'a [Hash],
    /// The lines of its records, then that of its checkpoint, each with LF; at most 8 MiB.
    pub bytes: &'a [u8],
    /// Its checkpoint.
    pub checkpoint: &'a SignedCheckpoint,
}

impl<'a> Commit<'a> {
    /// The `seq` of its first record.
    pub fn first(&self) -> u64 {
        self.before.size()
    }

    /// The size of the log with it.
    pub fn size(&self) -> u64 {
        self.after.size()
    }

    /// The hash of its last record.
    pub fn last(&self) -> Hash {
        self.hashes.last().copied().unwrap_or(*self.prev)
    }

    /// Checks that it continues the head that a store has.
    ///
    /// # Errors
    ///
    /// [`Cause::Conflict`] with that head where it does not; [`Cause::Damaged`] where the store has no record and the
    /// commit is not the first of a log.
    pub fn check_continues(&self, head: Option<&Head>) -> Result<()> {
        match head {
            Some(head) if head.tree.size() != self.first() || head.last != *self.prev => Err(Cause::Conflict {
                expected: self.first(),
                head: Box::new(head.clone()),
            }
            .into()),
            None if self.first() > 0 => {
                let problem = format!("the store is empty where a commit continues {} records", self.first());
                Err(Error::damaged("segments", None, problem))
            }
            _ => Ok(()),
        }
    }

    /// Its records: `seq`, hash and line without LF.
    pub fn records(&self) -> impl Iterator<Item = (u64, Hash, &'a [u8])> + use<'a> {
        let lines = self.bytes.split(|byte| *byte == b'\n');
        (self.first()..)
            .zip(self.hashes)
            .zip(lines)
            .map(|((seq, hash), line)| (seq, *hash, line))
    }
}

/// The one writer of a log. Dropping it and its [`Eraser`] lets the next one in.
///
/// A commit that does not continue the head ([`Commit::check_continues`]) is refused, and nothing is written. After any
/// other error the writer is poisoned: every later call fails with that error, and the log must be opened anew. Nothing
/// is tried again on the same file descriptor.
pub trait Writer: fmt::Debug + Send {
    /// Adds a commit; it is durable when this returns.
    ///
    /// # Errors
    ///
    /// What [`Commit::check_continues`] says, with the head that the store has; then nothing was written.
    fn append(&mut self, commit: &Commit<'_>) -> Result<()>;

    /// Ends the segment, so that every record up to here can be erased and purged.
    fn seal(&mut self) -> Result<()>;

    /// The announcements that were moved are known to the log: they stand in a durable commit.
    fn moved_is_announced(&mut self) -> Result<()>;

    /// Closes the log in order: space written ahead is cut off, and all is durable.
    fn close(&mut self) -> Result<()>;
}

/// Erases and purges beside the [`Writer`], on a thread of its own. What it does was announced in the log before
/// (FORMAT §7).
pub trait Eraser: fmt::Debug + Send {
    /// Names what is about to be announced and done, durably; `None` once it is done. What a crash interrupts is taken
    /// up again from it.
    fn set_pending(&mut self, pending: Option<&[u8]>) -> Result<()>;

    /// What a crash interrupted, as it was given to [`Eraser::set_pending`].
    fn pending(&mut self) -> Result<Option<Vec<u8>>>;

    /// Erases content of the records in `ranges`, both ends inclusive, in order and apart, in sealed segments. Those that are erased
    /// already stay so; each hash stays the same. Durable when this returns.
    fn erase(&mut self, ranges: &[(u64, u64)], what: Erasure) -> Result<()>;

    /// Removes the sealed segments that lie wholly before the record `before`, oldest first, and keeps their rotations
    /// (FORMAT §6). Durable when this returns. Gives the first record that is left.
    fn purge(&mut self, before: u64) -> Result<u64>;

    /// Compresses the oldest sealed segment that lies wholly before the record `before` and is not compressed yet. Its
    /// lines stay the same, and it is there at every moment, also for readers beside. Durable when this returns. It is
    /// called again until nothing is left: then, and for a store that does not compress, it gives zeros.
    fn compress(&mut self, before: u64) -> Result<Compressed> {
        let _ = before;
        Ok(Compressed::default())
    }
}

/// What was compressed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Compressed {
    /// How many segments.
    pub segments: u64,
    /// How many bytes they had before.
    pub bytes_before: u64,
    /// How many they have now.
    pub bytes_after: u64,
}

/// What an erasure takes from a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Erasure {
    /// Its content: only `seq` and hash are left. Records of the log itself are left out.
    Record,
    /// Its personal data: the hashed form is left.
    PersonalData,
}

/// A segment: lines of whole commits under one header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// The `seq` of its first record.
    pub first: u64,
    /// What findings and errors call it: the path below the log directory.
    pub name: String,
}

/// A rotation that a purge kept (FORMAT §6), as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptRotation {
    /// What findings call it: the path below the log directory. It ends in the `seq`, 20 digits.
    pub name: String,
    /// The record's line, LF, the tlog-proof.
    pub content: Vec<u8>,
}

/// The lines of a segment, one after the other, in bounded memory.
pub trait Lines: Send {
    /// The next line, `None` at the end of the segment.
    fn next_line(&mut self) -> Result<Option<RawLine<'_>>>;

    /// Passes over whole lines in which `find` finds nothing, as far as that costs little: who looks for few lines is not
    /// given all the others. `find` gets some lines, and gives a place in the first one that is wanted. Some of the others
    /// come all the same, the last two of a segment among them; [`RawLine::number`] does not count what is passed over. Nothing is, unless a
    /// store does it.
    fn pass_over(&mut self, find: &dyn Fn(&[u8]) -> Option<usize>) {
        let _ = find;
    }
}

/// A line as it stands, and its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RawLine<'a> {
    /// The bytes, without LF.
    pub bytes: &'a [u8],
    /// Its number in the file, from 1. Where reading began in the middle, from where it began.
    pub number: u64,
    /// How it ends.
    pub end: LineEnd,
}

/// How a line ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineEnd {
    /// With LF.
    Whole,
    /// With the segment: its last line has no LF.
    Torn,
    /// With zeros that go on to the end of the segment, where a line would begin: space written ahead. `bytes` is
    /// empty.
    Space,
    /// A zero byte where a line would begin, and something else after the zeros. `bytes` is empty, and nothing follows.
    BrokenSpace,
    /// Longer than any line may be; `bytes` is its beginning, and nothing follows.
    TooLong,
    /// The segment cannot be read further: it is not what its kind says (a compressed file that is broken). `bytes`
    /// says so in words.
    Unreadable,
}

/// The most bytes that a commit has (FORMAT §4).
pub(crate) const COMMIT_MAX: usize = 8 * 1024 * 1024;

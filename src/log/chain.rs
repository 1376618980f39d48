//! The chain: gives records their place and makes commits of them (FORMAT §2, §3, §4). It touches no file.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::clock::{Clock, Instant, record_time};
use super::entropy::Entropy;
use super::recent::{IdDigest, RecentIds};
use crate::checkpoint::{Checkpoint, SignedCheckpoint};
use crate::error::{Cause, Result};
use crate::event::{Event, Fill, Limits, Redaction, action};
use crate::hash::Hash;
use crate::merkle::Tree;
use crate::note::Origin;
use crate::record::{Draft, RECORD_FRAME_MAX, write_checkpoint};
use crate::sign::{SignError, Signer};
use crate::store::{COMMIT_MAX, Commit, Head};
use crate::timestamp::Timestamp;

/// Everything that the next record depends on.
#[derive(Debug)]
pub(super) struct Chain {
    origin: Origin,
    clock: Arc<dyn Clock>,
    entropy: Entropy,
    tree: Tree,
    last: Hash,
    time: Option<Timestamp>,
    recorded_at: [u8; 27],
    recent: RecentIds,
}

/// Records that are chained and become one commit. It is used again for the next one, so that a commit takes no
/// allocation.
#[derive(Debug, Default)]
pub(super) struct Records {
    before: Tree,
    after: Tree,
    prev: Option<Hash>,
    time_before: Option<Timestamp>,
    bytes: Vec<u8>,
    hashes: Vec<Hash>,
    /// The complete subtrees that tiles above the lowest level store, as they came about: level and hash.
    subtrees: Vec<(u32, Hash)>,
}

impl Records {
    pub(super) fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    pub(super) fn byte_count(&self) -> usize {
        self.bytes.len()
    }

    /// How many records the log has with these.
    pub(super) fn size(&self) -> u64 {
        self.after.size()
    }

    pub(super) fn hashes(&self) -> &[Hash] {
        &self.hashes
    }

    pub(super) fn subtrees(&self) -> &[(u32, Hash)] {
        &self.subtrees
    }

    /// How many bytes of lines still fit into the commit.
    pub(super) fn room(&self) -> usize {
        COMMIT_TARGET.saturating_sub(self.bytes.len())
    }

    /// Whether a record fits whose line begins with so many bytes.
    pub(super) fn fits(&self, length: usize) -> bool {
        length + RECORD_FRAME_MAX <= self.room()
    }

    /// The whole commit under its checkpoint.
    pub(super) fn commit<'a>(&'a mut self, checkpoint: &'a SignedCheckpoint) -> Commit<'a> {
        write_checkpoint(&mut self.bytes, checkpoint.as_str());
        Commit {
            before: &self.before,
            after: &self.after,
            prev: self.prev.as_ref().unwrap_or(&Hash::ZERO),
            hashes: &self.hashes,
            bytes: &self.bytes,
            checkpoint,
        }
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.hashes.clear();
        self.subtrees.clear();
    }
}

impl Chain {
    /// The chain that continues `head`; a new one where there is none.
    pub(super) fn new(
        origin: Origin,
        clock: Arc<dyn Clock>,
        entropy: Entropy,
        head: Option<&Head>,
        recent: RecentIds,
    ) -> Self {
        let tree = head.map_or_else(Tree::new, |head| head.tree.clone());
        let last = head.map_or(Hash::ZERO, |head| head.last);
        let time = head.and_then(|head| head.recorded_at());
        Self {
            origin,
            clock,
            entropy,
            tree,
            last,
            time,
            recorded_at: [0; 27],
            recent,
        }
    }

    /// Which of the last records has this id.
    pub(super) fn find(&mut self, id: &IdDigest) -> Option<u64> {
        self.recent.find(id)
    }

    pub(super) fn recent(&self) -> &RecentIds {
        &self.recent
    }

    /// How many records are chained.
    pub(super) fn size(&self) -> u64 {
        self.tree.size()
    }

    /// Begins a commit behind the last record. Its records get the time that it is now.
    pub(super) fn begin(&mut self, records: &mut Records) -> Result<()> {
        records.clear();
        records.before.clone_from(&self.tree);
        records.prev = Some(self.last);
        records.time_before = self.time;
        match record_time(self.clock.now(), self.time) {
            Instant::At(time) => self.set_time(time),
            Instant::SteppedBack { now, by } => {
                self.set_time(now);
                let event = Event::of_log(action::AUDIT_LOG_CLOCK_SKEW_DETECTED);
                self.push_own(records, &event.metadata("seconds", by.as_secs()))?;
            }
        }
        Ok(())
    }

    fn set_time(&mut self, time: Timestamp) {
        self.time = Some(time);
        self.recorded_at = time.to_fixed();
    }

    /// Adds a record, whose line begins with `line`.
    pub(super) fn push(&mut self, records: &mut Records, line: &[u8], draft: &Draft, id: IdDigest) -> (u64, Hash) {
        let seq = self.tree.size();
        records.bytes.extend_from_slice(line);
        let hash = draft.finish(&mut records.bytes, &self.last, &self.recorded_at, seq);
        self.tree.push_noting(hash, |level, subtree| {
            if level.is_multiple_of(8) {
                records.subtrees.push((level, subtree));
            }
        });
        records.hashes.push(hash);
        self.last = hash;
        self.recent.push(id);
        (seq, hash)
    }

    /// Adds an event of the log itself.
    pub(super) fn push_own(&mut self, records: &mut Records, event: &Event) -> Result<(u64, Hash)> {
        let now = self.clock.now();
        let id = self.entropy.uuid(now)?.hyphenated().to_string();
        let fill = Fill {
            id: &id,
            occurred_at: self.time.unwrap_or_else(|| now.into()),
            source: None,
            salt: self.entropy.random()?,
        };
        let (mut line, mut personal) = (Vec::new(), Vec::new());
        Draft::begin(&mut line);
        event
            .write(
                &fill,
                &Limits::default(),
                &Redaction::default(),
                &mut line,
                &mut personal,
            )
            .map_err(Cause::InvalidEvent)?;
        let draft = Draft::end(&mut line, &personal);
        let id = event.fields().id.as_deref().unwrap_or(&id);
        Ok(self.push(
            records,
            line.get(1..).unwrap_or_default(),
            &draft,
            IdDigest::of(id.as_bytes()),
        ))
    }

    /// Signs the commit. It can be called again if a signer fails.
    pub(super) fn sign(&self, records: &mut Records, signers: &[&dyn Signer]) -> Result<SignedCheckpoint, SignError> {
        records.after.clone_from(&self.tree);
        let checkpoint = Checkpoint::new(self.origin.clone(), self.tree.size(), self.tree.root());
        let checkpoint = checkpoint.map_err(|error| SignError::new(error.to_string()))?;
        // A signer is the host's code.
        catch_unwind(AssertUnwindSafe(|| checkpoint.sign(signers)))
            .unwrap_or_else(|_| Err(SignError::new("the signer panicked")))
    }

    /// Takes records back: they were not written.
    pub(super) fn undo(&mut self, records: &mut Records) {
        self.tree.clone_from(&records.before);
        self.last = records.prev.unwrap_or(Hash::ZERO);
        self.time = records.time_before;
        self.recent.truncate(self.tree.size());
        records.clear();
    }

    /// Goes on from another head: another writer was at this store. `ids` are those of its records.
    pub(super) fn continue_from(&mut self, head: &Head, ids: &[IdDigest]) {
        self.tree.clone_from(&head.tree);
        self.last = head.last;
        self.time = self.time.max(head.recorded_at());
        ids.iter().for_each(|id| self.recent.push(*id));
        if self.recent.size() != head.tree.size() {
            self.recent = RecentIds::new(head.tree.size());
        }
    }

    /// The tree over all records that are chained.
    pub(super) fn tree(&self) -> &Tree {
        &self.tree
    }
}

/// How large a commit gets before the next one is begun, in bytes: enough that a sync is well used, and a fraction of
/// what a commit may have.
const COMMIT_TARGET: usize = 2 * 1024 * 1024;

const _: () = assert!(COMMIT_TARGET + 64 * 1024 < COMMIT_MAX);

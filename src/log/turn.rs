//! A turn: events on their way from the queue through commits to their receipts.

use std::time::Instant;

use super::chain::Records;
use super::queue::{Batch, Entry};
use super::shared::Shared;
use super::ticket::Receipt;
use crate::checkpoint::SignedCheckpoint;
use crate::error::{Error, Result};
use crate::hash::Hash;

/// Events on their way through commits, one commit after the other, with those who are to be answered. Used again and
/// again.
#[derive(Debug, Default)]
pub(super) struct Turn {
    pub(super) batches: Vec<Batch>,
    /// The next entry to be chained.
    pub(super) next: Cursor,
    pub(super) records: Records,
    /// Which entries are in the commit: batch and entry, `seq` and hash.
    pub(super) taken: Vec<(usize, usize, u64, Hash)>,
    /// Where the commit is signed: its checkpoint, and when that was begun.
    pub(super) signed: Option<(SignedCheckpoint, Instant)>,
}

/// Where in the batches of a turn an entry stands.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Cursor {
    pub(super) batch: usize,
    pub(super) entry: usize,
    pub(super) byte: usize,
}

impl Turn {
    /// A turn with one event.
    pub(super) fn with_one(&mut self, line: &[u8], entry: Entry) {
        self.clear();
        self.batches.resize_with(1, Batch::default);
        if let [batch] = self.batches.as_mut_slice() {
            batch.clear();
            batch.bytes.extend_from_slice(line);
            batch.entries.push(entry);
        }
    }

    /// Whether it is worth keeping for the next lone event.
    pub(super) fn is_small(&self) -> bool {
        self.records.byte_count() <= SMALL_TURN
    }

    pub(super) fn clear(&mut self) {
        self.next = Cursor::default();
        self.taken.clear();
        self.signed = None;
    }

    /// Whether all entries are chained or answered.
    pub(super) fn is_through(&self) -> bool {
        self.next.batch >= self.batches.len()
    }

    /// Answers for all that is in the commit, which is durable, and says how many were waited for.
    pub(super) fn answer(&mut self, shared: &Shared) -> usize {
        let size = self.records.size();
        let waiters = self.answer_each(shared, |seq, hash| Ok(Receipt { seq, hash, size }));
        self.taken.clear();
        if self.is_through() {
            self.batches.drain(..).for_each(|batch| shared.queue.give_back(batch));
        }
        waiters
    }

    fn answer_each(&self, shared: &Shared, result: impl Fn(u64, Hash) -> Result<Receipt>) -> usize {
        let mut waiters = 0;
        for (batch, entry, seq, hash) in &self.taken {
            if let Some(entry) = self.batches.get(*batch).and_then(|batch| batch.entries.get(*entry)) {
                waiters += usize::from(shared.answer(entry, result(*seq, *hash)));
            }
        }
        waiters
    }

    /// The commit will not be durable.
    pub(super) fn fail(&mut self, shared: &Shared, error: &Error) {
        self.answer_each(shared, |_, _| Err(error.clone()));
        self.taken.clear();
        self.signed = None;
    }

    /// Nor will what is not chained.
    pub(super) fn fail_rest(&mut self, shared: &Shared, error: &Error) {
        let from = self.next;
        for (at, batch) in self.batches.iter().enumerate().skip(from.batch) {
            let skipped = if at == from.batch { from.entry } else { 0 };
            for entry in batch.entries.iter().skip(skipped) {
                shared.answer(entry, Err(error.clone()));
            }
        }
        self.next.batch = self.batches.len();
    }
}

/// A thread of the host's keeps no buffers larger than this, in bytes.
const SMALL_TURN: usize = 64 * 1024;

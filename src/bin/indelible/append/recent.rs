//! The ids that an event may not have again with other content.

use std::collections::{HashSet, VecDeque};
use std::hash::{BuildHasher, RandomState};

use indelible::{AuditLog, Result};

/// The ids of the newest records, by their hashes: an id that is not among them is new to the log. One that is among
/// them may be, too.
pub(super) struct RecentIds {
    hasher: RandomState,
    known: HashSet<u64>,
    in_order: VecDeque<u64>,
}

impl RecentIds {
    /// The ids in the log as it is now.
    pub(super) fn of(log: &AuditLog) -> Result<Self> {
        let mut recent = Self {
            hasher: RandomState::new(),
            known: HashSet::new(),
            in_order: VecDeque::new(),
        };
        let size = log.checkpoint()?.checkpoint().size();
        for record in log.reader().records(size.saturating_sub(REMEMBERED)..)? {
            if let Some(id) = record?.id() {
                recent.insert(&id);
            }
        }
        Ok(recent)
    }

    /// Adds an id, and tells whether it is new.
    pub(super) fn insert(&mut self, id: &str) -> bool {
        let hash = self.hasher.hash_one(id);
        if !self.known.insert(hash) {
            return false;
        }
        self.in_order.push_back(hash);
        if self.in_order.len() > KEPT
            && let Some(oldest) = self.in_order.pop_front()
        {
            self.known.remove(&oldest);
        }
        true
    }
}

/// So many records back a log knows an id again.
const REMEMBERED: u64 = 100_000;

/// Those of the log and of all that may be in its queue.
const KEPT: usize = 150_000;

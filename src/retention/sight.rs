//! What is seen in a segment, and remembered: a run of a retention does not read again what nothing can have changed.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Retention;
use crate::store::overlaps;
use crate::timestamp::Timestamp;

/// What was seen in a segment.
#[derive(Debug, Clone, Default)]
pub(super) struct Sight {
    /// What can be erased, with what is erased already in between.
    pub(super) ranges: Vec<(u64, u64)>,
    /// The end of the last range, and what is erased already behind it.
    pub(super) reach: Option<u64>,
    pub(super) counts: BTreeMap<Option<usize>, u64>,
    /// Of the log itself: they go with the segment alone.
    pub(super) own: BTreeMap<Option<usize>, u64>,
    pub(super) dropped: Vec<(u64, u64)>,
    pub(super) held: BTreeMap<String, u64>,
    pub(super) waiting: u64,
    /// Records that have content.
    pub(super) whole: u64,
    /// Something of it is to be kept.
    pub(super) is_kept: bool,
    /// When the next of its records is over, or is waited for no more.
    pub(super) next_at: Option<Timestamp>,
}

impl Sight {
    /// Nothing changes before this time either.
    pub(super) fn until(&mut self, at: Timestamp) {
        self.next_at = Some(self.next_at.map_or(at, |next| next.min(at)));
    }

    /// How many records can be erased.
    pub(super) fn going(&self) -> u64 {
        self.counts.values().sum()
    }

    /// The same, once they are.
    pub(super) fn erased(self) -> Self {
        Self {
            whole: self.whole - self.going(),
            ranges: Vec::new(),
            reach: None,
            counts: BTreeMap::new(),
            dropped: Vec::new(),
            ..self
        }
    }

    /// Whether a hold that is placed or released makes no difference to it: nothing is over that has content.
    fn is_apart_from_holds(&self) -> bool {
        self.held.is_empty() && self.own.is_empty() && self.waiting == 0
    }
}

/// What a segment is looked at for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Scope {
    pub(super) first: u64,
    /// The record after its last.
    pub(super) end: u64,
    /// Its first record that is still to be delivered.
    pub(super) needed: u64,
}

/// What runs of a retention have seen of segments that stay. It is right until a record is over, the clock steps back,
/// holds or positions change or something is erased otherwise, and in memory alone.
#[derive(Debug, Default)]
pub(crate) struct Sights(Mutex<Remembered>);

#[derive(Debug, Default)]
struct Remembered {
    retention: Option<Retention>,
    /// The version of the holds.
    version: u64,
    /// By the first record of each segment. Each holds from a time on.
    sights: BTreeMap<u64, (Scope, Timestamp, Sight)>,
    /// How often something was forgotten since it was erased.
    changes: u64,
}

impl Sights {
    fn remembered(&self) -> MutexGuard<'_, Remembered> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A run begins, of a log whose first segment begins with `first`.
    pub(super) fn begin(&self, retention: &Retention, version: u64, first: u64) {
        let mut remembered = self.remembered();
        if remembered.retention.as_ref() != Some(retention) {
            remembered.sights.clear();
            remembered.retention = Some(retention.clone());
        }
        if remembered.version != version {
            remembered.version = version;
            remembered.sights.retain(|_, (_, _, sight)| sight.is_apart_from_holds());
        }
        remembered.sights = remembered.sights.split_off(&first);
    }

    /// What was seen in a segment, if that is still right.
    pub(super) fn recall(&self, scope: Scope, now: Timestamp) -> Option<Sight> {
        let remembered = self.remembered();
        let (of, since, sight) = remembered.sights.get(&scope.first)?;
        let is_right = *of == scope && *since <= now && sight.next_at.is_none_or(|next| now < next);
        is_right.then(|| sight.clone())
    }

    /// To be asked before a segment is looked at, and given back with what was seen.
    pub(super) fn changes(&self) -> u64 {
        self.remembered().changes
    }

    /// Remembers what was seen in a segment, unless something was erased since.
    pub(super) fn remember(&self, changes: u64, scope: Scope, now: Timestamp, sight: Sight) {
        let mut remembered = self.remembered();
        if remembered.changes == changes {
            remembered.sights.insert(scope.first, (scope, now, sight));
        }
    }

    /// Forgets the segments in which something was erased otherwise than by a run: ranges in order and apart, both ends
    /// inclusive.
    pub(crate) fn forget(&self, ranges: &[(u64, u64)]) {
        let mut remembered = self.remembered();
        remembered.changes += 1;
        remembered
            .sights
            .retain(|_, (scope, _, _)| !overlaps(ranges, scope.first, scope.end));
    }
}

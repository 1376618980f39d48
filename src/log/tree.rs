//! The tree cache of an open log: each commit extends it, and what it lacks is read from the log beside them, so that
//! opening a log does not wait for it (FORMAT §5).

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::error::{Error, Result};
use crate::merkle::Tree;
use crate::reader::tree::TreeCache;
use crate::reader::{first, push, tree_at_first, walk_near};
use crate::store::Store;

/// The tree cache, and whether it is known to be that of this log.
#[derive(Debug)]
pub(super) struct LogTree {
    cache: Mutex<TreeCache>,
    /// The tree over all records at the opening.
    opened: Tree,
    /// The cache was found to lead to it, and is extended by commits. Who catches up holds this.
    is_whole: Mutex<bool>,
}

impl LogTree {
    /// The cache as it stands, of a log whose records have this tree. One that cannot be had is done without.
    pub(super) fn open(store: &dyn Store, tree: Tree) -> Self {
        let mut cache = match store.folder() {
            Some(folder) => TreeCache::open(&folder, tree.size()).unwrap_or_else(|_| TreeCache::disabled()),
            None => TreeCache::in_memory(tree.size()),
        };
        if let Ok(purged) = tree_at_first(store) {
            cache.set_purged(purged);
        }
        Self {
            cache: Mutex::new(cache),
            opened: tree,
            is_whole: Mutex::default(),
        }
    }

    pub(super) fn cache(&self) -> MutexGuard<'_, TreeCache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads from the log what the cache lacks, and tells whether it is whole now. `goes_on` is asked now and then, with
    /// the number of records that are left.
    pub(super) fn catch_up(&self, store: &dyn Store, goes_on: impl Fn(u64) -> bool) -> Result<bool> {
        let mut is_whole = self.is_whole();
        while !*is_whole {
            match self.read_up(store, &goes_on)? {
                Step::Whole => *is_whole = true,
                Step::Left => return Ok(false),
                // Another log's, garbled, or with holes: what is retained is hashed anew.
                Step::Wrong => self.truncate(store)?,
            }
        }
        Ok(true)
    }

    /// Compares the hashes of the records before `end` with the records: once those are purged, they are nowhere else. A
    /// cache that leads to the log's tree can still be garbled below its peaks. Where it is, it is behind again. Tells
    /// whether there was time for it: `goes_on` is asked now and then.
    pub(super) fn check(&self, store: &dyn Store, end: u64, goes_on: impl Fn() -> bool) -> Result<bool> {
        let mut is_whole = self.is_whole();
        let mut tree = tree_at_first(store)?;
        let (first, mut is_right) = (tree.size(), true);
        while is_right && tree.size() < end {
            if !goes_on() {
                return Ok(false);
            }
            walk_near(store, tree.size(), end.min(tree.size() + STEP), |leaf| {
                let (mut cache, hash) = (self.cache(), leaf.hash());
                is_right &= cache.holds(0, leaf.seq, hash);
                tree.push_noting(hash, |level, hash| {
                    let index = leaf.seq >> level;
                    // Of what begins before the first record, no more than its root is known.
                    if level.is_multiple_of(8) && index << level >= first {
                        is_right &= cache.holds(level, index, hash);
                    }
                });
            })?;
        }
        if !is_right {
            *is_whole = false;
            self.truncate(store)?;
        }
        Ok(true)
    }

    /// Waits until nobody catches up. Once the log has ended, nobody begins to.
    pub(super) fn rest(&self) {
        drop(self.is_whole());
    }

    fn is_whole(&self) -> MutexGuard<'_, bool> {
        self.is_whole.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read_up(&self, store: &dyn Store, goes_on: impl Fn(u64) -> bool) -> Result<Step> {
        let first = first(store)?.unwrap_or(0);
        let (covered, due, is_disabled) = {
            let cache = self.cache();
            (cache.size(), cache.due(), cache.is_disabled())
        };
        if is_disabled {
            return Err(failed(
                store,
                io::Error::other("the tree cache could not be read: open the log anew"),
            ));
        }
        if !goes_on(due - covered.max(first)) {
            return Ok(Step::Left);
        }
        if covered < first {
            self.cache().skip_to(first).map_err(|error| failed(store, error))?;
        }
        let known = match covered <= first {
            true => Some(tree_at_first(store)?),
            false => self.cache().tree_at(covered),
        };
        let Some(mut tree) = known else { return Ok(Step::Wrong) };
        loop {
            if tree.size() == self.opened.size() && tree != self.opened {
                let problem = "the records do not lead to the checkpoint";
                return match covered <= first {
                    true => Err(Error::damaged("segments", None, problem)),
                    false => Ok(Step::Wrong),
                };
            }
            let (covered, due) = {
                let cache = self.cache();
                (cache.size(), cache.due())
            };
            // Commits extend it from here on.
            if covered == due {
                return Ok(Step::Whole);
            }
            if !goes_on(due - covered) {
                return Ok(Step::Left);
            }
            let compared_at = Some(self.opened.size()).filter(|size| tree.size() < *size);
            let until = compared_at.unwrap_or(due).min(tree.size() + STEP);
            walk_near(store, tree.size(), until, |leaf| {
                push(&mut tree, &mut self.cache(), &leaf)
            })?;
        }
    }

    /// Forgets the hashes of what is retained.
    fn truncate(&self, store: &dyn Store) -> Result<()> {
        let first = first(store)?.unwrap_or(0);
        self.cache().truncate(first).map_err(|error| failed(store, error))
    }
}

/// How far the cache was brought.
enum Step {
    Whole,
    /// There was no time for the rest.
    Left,
    /// It is not that of this log.
    Wrong,
}

fn failed(store: &dyn Store, error: io::Error) -> Error {
    Error::io("write", &store.folder().unwrap_or_default().join("tree"), error)
}

/// So many records are read between two questions whether to go on.
const STEP: u64 = 64 * 1024;

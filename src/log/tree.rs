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
    /// The tree over all records at the opening, until the cache was found to lead to it. Who catches up holds it.
    unchecked: Mutex<Option<Tree>>,
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
            unchecked: Mutex::new(Some(tree)),
        }
    }

    pub(super) fn cache(&self) -> MutexGuard<'_, TreeCache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads from the log what the cache lacks, and tells whether it is whole now. `goes_on` is asked now and then, with
    /// the number of records that are left.
    pub(super) fn catch_up(&self, store: &dyn Store, goes_on: impl Fn(u64) -> bool) -> Result<bool> {
        let mut unchecked = self.unchecked.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(opened) = unchecked.as_ref() else {
            return Ok(true);
        };
        loop {
            match self.read_up(store, opened, &goes_on)? {
                Step::Whole => break,
                Step::Left => return Ok(false),
                // Another log's, garbled, or with holes: what is retained is hashed anew.
                Step::Wrong => self.truncate(store)?,
            }
        }
        *unchecked = None;
        Ok(true)
    }

    /// Waits until nobody catches up. Once the log has ended, nobody begins to.
    pub(super) fn rest(&self) {
        drop(self.unchecked.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn read_up(&self, store: &dyn Store, opened: &Tree, goes_on: impl Fn(u64) -> bool) -> Result<Step> {
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
            if tree.size() == opened.size() && tree != *opened {
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
            let compared_at = Some(opened.size()).filter(|size| tree.size() < *size);
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

//! The caches of a log that is opened, brought up to its head. Nothing trusts them: what is wrong in them is made anew
//! from the log (FORMAT §5).

use std::path::Path;

use super::recent::{IdDigest, RecentFile, RecentIds};
use crate::error::Result;
use crate::event::recorded_id;
use crate::merkle::Tree;
use crate::reader::tree::TreeCache;
use crate::reader::{self, record_at, walk_near};
use crate::record::RecordLine;
use crate::store::{Head, Store};

/// The tree cache and the recent ids.
#[derive(Debug)]
pub(super) struct Caches {
    pub(super) tree: TreeCache,
    pub(super) recent: RecentIds,
    /// The record up to which the file of recent ids holds them.
    pub(super) saved: u64,
}

impl Caches {
    /// Reads the caches, and from the log what they lack. One that cannot be had is done without.
    pub(super) fn open(store: &dyn Store, head: Option<&Head>) -> Self {
        let size = head.map_or(0, |head| head.tree.size());
        let first = first(store).unwrap_or(0);
        let folder = store.folder();
        let tree = match &folder {
            Some(folder) => TreeCache::open(folder, size).unwrap_or_else(|_| TreeCache::disabled()),
            None => TreeCache::in_memory(),
        };
        let recent = recent_ids(store, folder.as_deref(), first, size);
        let saved = recent.size();
        let mut caches = Self { tree, recent, saved };
        if let Ok(purged) = reader::tree_at_first(store) {
            caches.tree.set_purged(purged);
        }
        let is_right = |tree: &Tree| head.is_none_or(|head| head.tree == *tree);
        let mut is_up = caches.bring_up(store, first, size).is_some_and(|tree| is_right(&tree));
        if !is_up && caches.tree.truncate(first).is_ok() {
            // Another log's, garbled, or with holes: what is retained is hashed anew.
            is_up = caches.bring_up(store, first, size).is_some_and(|tree| is_right(&tree));
        }
        if !is_up {
            caches.tree = TreeCache::disabled();
        }
        if caches.recent.size() != size {
            caches.recent = RecentIds::new(size);
        }
        caches
    }

    /// Adds the records that they lack, and gives the tree over all.
    fn bring_up(&mut self, store: &dyn Store, first: u64, size: u64) -> Option<Tree> {
        let (cache, recent) = (&mut self.tree, &mut self.recent);
        let mut tree = match cache.size() {
            covered if covered < first => cache
                .skip_to(first)
                .ok()
                .and_then(|()| reader::tree_at_first(store).ok()),
            covered if covered == first => reader::tree_at_first(store).ok(),
            covered => cache.tree_at(covered),
        };
        let from = recent.size().min(tree.as_ref().map_or(size, Tree::size));
        let walked = walk_near(store, from, size, |leaf| {
            if let Some(tree) = tree.as_mut().filter(|tree| tree.size() == leaf.seq) {
                reader::push(tree, cache, &leaf);
            }
            if recent.size() == leaf.seq {
                recent.push(leaf.record.map_or(IdDigest::NONE, id_of));
            }
        });
        walked.ok()?;
        tree.filter(|tree| tree.size() == size)
    }
}

pub(super) fn id_of(record: &RecordLine<'_>) -> IdDigest {
    recorded_id(record.event).map_or(IdDigest::NONE, |id| IdDigest::of(id.as_bytes()))
}

fn first(store: &dyn Store) -> Result<u64> {
    Ok(store.segments()?.first().map_or(0, |segment| segment.first))
}

/// The recent ids in the cache, as far as they are those of this log.
fn recent_ids(store: &dyn Store, folder: Option<&Path>, first: u64, size: u64) -> RecentIds {
    let none = RecentIds::before(size);
    let none = if none.size() < first {
        RecentIds::new(first)
    } else {
        none
    };
    let loaded = folder.map(|folder| RecentFile::load(folder, size));
    loaded
        .filter(|loaded| loaded.size() >= first && is_of(store, loaded, size))
        .unwrap_or(none)
}

/// Whether the last of the ids is that of its record in the log.
fn is_of(store: &dyn Store, ids: &RecentIds, size: u64) -> bool {
    let (oldest, newest) = (ids.oldest(), ids.size());
    let mut fits = (oldest..newest).rev().take(ERASED_MAX).filter_map(|seq| {
        // An erased record says nothing.
        let (record, _) = record_at(store, seq, size).ok()?;
        let id = recorded_id(record.event_json()?.as_bytes())?;
        Some(ids.at(seq) == Some(&IdDigest::of(id.as_bytes())))
    });
    fits.next().unwrap_or(true)
}

/// How many erased records are looked past.
const ERASED_MAX: usize = 16;

#[cfg(test)]
mod tests;

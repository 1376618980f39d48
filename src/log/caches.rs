//! The caches of a log that is opened, brought up to its head. Nothing trusts them: what is wrong in them is made anew
//! from the log (FORMAT §5).

use std::path::Path;

use super::recent::{IdDigest, RecentFile, RecentIds};
use super::tree::LogTree;
use crate::event::recorded_id;
use crate::merkle::Tree;
use crate::reader::{first, record_at, walk_near};
use crate::record::RecordLine;
use crate::store::{Head, Store};

/// The tree cache and the recent ids.
#[derive(Debug)]
pub(super) struct Caches {
    pub(super) tree: LogTree,
    pub(super) recent: RecentIds,
    /// The record up to which the file of recent ids holds them.
    pub(super) saved: u64,
}

impl Caches {
    /// Reads the caches, and from the log what they lack, but for the tree's hashes of many records: they are caught up
    /// with once the log is open. A cache that cannot be had is done without.
    pub(super) fn open(store: &dyn Store, head: Option<&Head>) -> Self {
        let size = head.map_or(0, |head| head.tree.size());
        let first = first(store).ok().flatten().unwrap_or(0);
        let tree = LogTree::open(store, head.map_or_else(Tree::new, |head| head.tree.clone()));
        // An error comes again where a purge needs it.
        let _ = tree.catch_up(store, |lag| lag <= LAG_MAX);
        let mut recent = recent_ids(store, store.folder().as_deref(), first, size);
        let saved = recent.size();
        let walked = walk_near(store, saved, size, |leaf| {
            recent.push(leaf.record().map_or(IdDigest::NONE, id_of));
        });
        if walked.is_err() {
            recent = RecentIds::new(size);
        }
        Self { tree, recent, saved }
    }
}

pub(super) fn id_of(record: &RecordLine<'_>) -> IdDigest {
    recorded_id(record.event).map_or(IdDigest::NONE, |id| IdDigest::of(id.as_bytes()))
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
        let record = record_at(store, seq, size).ok()?;
        let id = recorded_id(record.event_json()?.as_bytes())?;
        Some(ids.at(seq) == Some(&IdDigest::of(id.as_bytes())))
    });
    fits.next().unwrap_or(true)
}

/// How many erased records are looked past.
const ERASED_MAX: usize = 16;

/// So many records' hashes are read before the log is open: many times what the files lag the log after a crash.
const LAG_MAX: u64 = 16 * 1024;

#[cfg(test)]
mod tests;

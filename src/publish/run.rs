//! Publishing, step by step: what changed since the published checkpoint, then the checkpoint.

use std::path::Path;

use super::Published;
use super::files::Files;
use crate::checkpoint::{Checkpoint, SignedCheckpoint};
use crate::error::{Error, Result};
use crate::hash::Hash;
use crate::merkle::{self, HashReader, TILE_LEVEL_MAX, TILE_WIDTH, Tile, tiles};
use crate::note::NOTE_BYTES_MAX;
use crate::reader::tree::TreeCache;
use crate::reader::{self, push, tree_at_first, walk_near};
use crate::store::Store;

/// Publishes a log up to a checkpoint. `cache` is that of its tree, if it can be had.
pub(crate) fn publish(
    store: &dyn Store,
    cache: Option<TreeCache>,
    checkpoint: SignedCheckpoint,
    folder: &Path,
) -> Result<Published> {
    let mut files = Files::open(folder)?;
    let before = published(&files)?;
    let size = checkpoint.checkpoint().size();
    let from = check_continues(store, before.as_ref(), checkpoint.checkpoint(), folder)?;
    let first = reader::first(store)?.unwrap_or_default();
    let mut run = Run {
        files: &mut files,
        hashes: hashes(store, cache, checkpoint.checkpoint())?,
        size,
        first,
        minimum_index: first.next_multiple_of(TILE_WIDTH).min(size),
        withheld: Vec::new(),
    };
    run.entries(store, from.max(first))?;
    run.tiles(from)?;
    let (minimum_index, mut withheld) = (run.minimum_index, run.withheld);
    // All that the checkpoint needs is durable before it is there.
    files.sync()?;
    if before.as_ref() != Some(&checkpoint) {
        files.replace(CHECKPOINT, checkpoint.as_str().as_bytes())?;
        files.sync()?;
    }
    withheld.extend(withdraw(store, &mut files, (first, from), minimum_index)?);
    remove_partial(&mut files, from, size)?;
    files.sync()?;
    withheld.sort_unstable();
    withheld.dedup();
    Ok(Published {
        checkpoint,
        from,
        files: files.written,
        minimum_index,
        withheld,
    })
}

/// The checkpoint that stands in the folder.
fn published(files: &Files) -> Result<Option<SignedCheckpoint>> {
    let Some(note) = files.read(CHECKPOINT, NOTE_BYTES_MAX)? else {
        return Ok(None);
    };
    let damaged = |problem: String| Error::damaged(files.address(CHECKPOINT).display().to_string(), None, problem);
    let note = String::from_utf8(note).map_err(|error| damaged(error.to_string()))?;
    let checkpoint = note.parse::<SignedCheckpoint>();
    checkpoint.map(Some).map_err(|error| damaged(error.to_string()))
}

/// How many records are published, once the log is known to continue them.
fn check_continues(
    store: &dyn Store,
    before: Option<&SignedCheckpoint>,
    now: &Checkpoint,
    folder: &Path,
) -> Result<u64> {
    let Some(before) = before.map(SignedCheckpoint::checkpoint) else {
        return Ok(0);
    };
    let refused = |problem: String| Error::configuration("publish", format!("{}: {problem}", folder.display()));
    if before.origin() != now.origin() {
        return Err(refused(format!("it is of the log {}", before.origin())));
    }
    if before.size() > now.size() {
        let problem = format!("{} records are published, of a log of {}", before.size(), now.size());
        return Err(refused(problem));
    }
    match reader::contains(store, (before.size(), before.root()), (now.size(), now.root()))? {
        true => Ok(before.size()),
        false => Err(refused("the log does not continue what is published there".into())),
    }
}

/// The hashes of the tree, which lead to the checkpoint's root: from the cache, or from all records.
fn hashes(store: &dyn Store, cache: Option<TreeCache>, checkpoint: &Checkpoint) -> Result<TreeCache> {
    let size = checkpoint.size();
    let is_sound = |cache: &mut TreeCache| merkle::root_at(cache, size).is_ok_and(|root| root == checkpoint.root());
    if let Some(mut cache) = reader::ready_cache(store, cache, size)
        && is_sound(&mut cache)
    {
        return Ok(cache);
    }
    let mut tree = tree_at_first(store)?;
    let mut cache = TreeCache::in_memory(size);
    cache.set_purged(tree.clone());
    let skipped = cache.skip_to(tree.size());
    skipped.map_err(|error| Error::io("read", Path::new("the tree cache"), error))?;
    walk_near(store, tree.size(), size, |leaf| push(&mut tree, &mut cache, &leaf))?;
    match is_sound(&mut cache) {
        true => Ok(cache),
        false => Err(lead_elsewhere(size)),
    }
}

struct Run<'a> {
    files: &'a mut Files,
    hashes: TreeCache,
    size: u64,
    /// The first record that is not purged.
    first: u64,
    minimum_index: u64,
    withheld: Vec<u64>,
}

impl Run<'_> {
    /// Writes the bundles that are new, or larger than they were.
    fn entries(&mut self, store: &dyn Store, from: u64) -> Result<()> {
        let first = (from / TILE_WIDTH * TILE_WIDTH).max(self.minimum_index);
        for index in first / TILE_WIDTH..self.size.div_ceil(TILE_WIDTH) {
            let Some(tile) = Tile::of_tree(0, index, self.size) else {
                continue;
            };
            // The last one, while it is partial, where the purge went into it.
            if tile.leaves().start < self.first {
                remove_bundle(self.files, index)?;
                self.withheld.push(index);
                continue;
            }
            let (mut bundle, mut is_whole, mut seq) = (Vec::new(), true, tile.leaves().start);
            let hashes = &mut self.hashes;
            walk_near(store, tile.leaves().start, tile.leaves().end, |leaf| {
                is_whole &= hashes.hash(0, seq).is_ok_and(|hash| hash == leaf.hash()) && leaf.record().is_some();
                seq += 1;
                if let Some(record) = leaf.record() {
                    let form = record.hashed_form();
                    // FORMAT §1 bounds it to what two bytes count.
                    bundle.extend_from_slice(&u16::try_from(form.len()).unwrap_or(u16::MAX).to_be_bytes());
                    bundle.extend_from_slice(&form);
                }
            })?;
            match tile.entries_path().filter(|_| is_whole) {
                Some(path) => self.files.create(&path, &bundle)?,
                None => {
                    remove_bundle(self.files, index)?;
                    self.withheld.push(index);
                }
            }
        }
        Ok(())
    }

    /// Writes the tiles that are new, or larger than they were.
    fn tiles(&mut self, from: u64) -> Result<()> {
        for tile in tiles(from, self.size) {
            let level = 8 * u32::from(tile.level());
            let start = tile.index() * TILE_WIDTH;
            let hashes = (start..start + u64::from(tile.width())).map(|index| self.hashes.hash(level, index));
            // Of what was purged before, hashes may be gone.
            let Ok(hashes) = hashes.collect::<std::result::Result<Vec<Hash>, _>>() else {
                match tile.leaves().start < self.minimum_index {
                    true => continue,
                    false => return Err(lead_elsewhere(self.size)),
                }
            };
            // The root leads to the last tiles, and each hash of a tile to the one below it.
            if tile.is_full() {
                let above = self.hashes.hash(level + 8, tile.index());
                if above.is_ok_and(|above| above != merkle::root_of(&hashes)) {
                    return Err(lead_elsewhere(self.size));
                }
            }
            let bytes: Vec<u8> = hashes.iter().flat_map(Hash::as_bytes).copied().collect();
            self.files.create(&tile.to_string(), &bytes)?;
        }
        Ok(())
    }
}

/// Takes away the entries that were published of records which are purged or erased now. Gives the bundles of the
/// latter.
fn withdraw(store: &dyn Store, files: &mut Files, (first, from): (u64, u64), minimum_index: u64) -> Result<Vec<u64>> {
    for index in 0..minimum_index / TILE_WIDTH {
        remove_bundle(files, index)?;
    }
    let mut erased = Vec::new();
    walk_near(store, first, from.max(first), |leaf| {
        let index = leaf.seq / TILE_WIDTH;
        if leaf.record().is_none() && leaf.seq >= minimum_index && erased.last() != Some(&index) {
            erased.push(index);
        }
    })?;
    for index in &erased {
        remove_bundle(files, *index)?;
    }
    Ok(erased)
}

/// Takes the entries of a bundle away.
fn remove_bundle(files: &mut Files, index: u64) -> Result<()> {
    let Some(path) = Tile::new(0, index, FULL).and_then(|tile| tile.entries_path()) else {
        return Ok(());
    };
    files.remove(&format!("{path}.p"))?;
    files.remove(&path)
}

/// Removes the partial tiles of the earlier checkpoint that are full now.
fn remove_partial(files: &mut Files, from: u64, size: u64) -> Result<()> {
    for level in 0..=TILE_LEVEL_MAX {
        let index = (from >> (8 * u32::from(level))) / TILE_WIDTH;
        if let Some(full) = Tile::of_tree(level, index, size).filter(Tile::is_full) {
            files.remove(&format!("{full}.p"))?;
            if let Some(entries) = full.entries_path() {
                files.remove(&format!("{entries}.p"))?;
            }
        }
    }
    Ok(())
}

fn lead_elsewhere(size: u64) -> Error {
    let problem = format!("the records do not lead to the checkpoint of size {size}");
    Error::damaged("segments", None, problem)
}

const CHECKPOINT: &str = "checkpoint";

/// The width of a full tile.
const FULL: u16 = 256;

//! Publishing, step by step: what changed since the published checkpoint, then the checkpoint, then what it takes away.

use std::collections::BTreeSet;
use std::path::Path;

use super::Published;
use super::place::{self, Place};
use super::withheld::{WITHHELD_BYTES_MAX, Withheld};
use crate::checkpoint::{Checkpoint, SignedCheckpoint};
use crate::error::{Error, Result};
use crate::export::Destination;
use crate::export::place::{GoesOn, given_up};
use crate::hash::Hash;
use crate::merkle::{self, HashReader, TILE_LEVEL_MAX, TILE_WIDTH, Tile, tiles};
use crate::note::NOTE_BYTES_MAX;
use crate::reader::tree::TreeCache;
use crate::reader::{self, push, tree_at_first, walk_near};
use crate::store::Store;

/// Publishes a log up to a checkpoint, as long as that is wanted. `cache` is that of its tree, if it can be had.
pub(crate) fn publish(
    store: &dyn Store,
    cache: Option<TreeCache>,
    checkpoint: SignedCheckpoint,
    (destination, goes_on): (&Destination, GoesOn<'_>),
) -> Result<Published> {
    let mut place = place::open(destination, goes_on)?;
    let before = published(place.as_mut())?;
    let now = checkpoint.checkpoint();
    let from = check_continues(store, before.as_ref(), now, destination)?;
    let first = reader::first(store)?.unwrap_or_default();
    let minimum_index = first.next_multiple_of(TILE_WIDTH).min(now.size());
    let remembered = place.read(WITHHELD, WITHHELD_BYTES_MAX)?;
    let known = before.as_ref().zip(remembered.as_ref());
    let known = known.and_then(|(before, text)| Withheld::parse(text, before.checkpoint()));
    let answer = |files: u64, withheld: BTreeSet<u64>| Published {
        checkpoint: checkpoint.clone(),
        from,
        files,
        minimum_index,
        withheld: withheld.into_iter().collect(),
    };
    if let Some(known) = &known
        && before.as_ref() == Some(&checkpoint)
        && known.minimum_index == minimum_index
    {
        return Ok(answer(0, known.bundles.clone()));
    }
    // Where nothing is remembered, it is found in the whole log.
    let known_before = known.unwrap_or_else(Withheld::none);
    let mut withheld = known_before.at(now, minimum_index);
    let announced = known_before.size.max(first)..now.size();
    withheld.add_announced(store, announced, || wanted(place.as_ref(), goes_on))?;
    let mut run = Run {
        place: place.as_mut(),
        goes_on,
        hashes: hashes(store, cache, now)?,
        size: now.size(),
        first,
        withheld,
    };
    run.entries(store, from.max(first))?;
    run.tiles(from)?;
    let withheld = run.withheld;
    // All that the checkpoint needs is durable before it is there.
    place.sync()?;
    if before.as_ref() != Some(&checkpoint) {
        place.replace(CHECKPOINT, checkpoint.as_str().as_bytes())?;
        place.sync()?;
    }
    // Before anything is published, nothing that is purged was.
    let purged_before = before.map_or(minimum_index, |_| known_before.minimum_index);
    let purged = purged_before / TILE_WIDTH..minimum_index / TILE_WIDTH;
    let erased = withheld.bundles.difference(&known_before.bundles).copied();
    for index in purged.chain(erased) {
        wanted(place.as_ref(), goes_on)?;
        remove_bundle(place.as_mut(), index)?;
    }
    remove_partial(place.as_mut(), from, now.size())?;
    place.sync()?;
    // Only once it is done it is remembered.
    let text = withheld.to_json();
    if remembered.as_deref() != Some(text.as_bytes()) {
        place.replace(WITHHELD, text.as_bytes())?;
        place.sync()?;
    }
    Ok(answer(place.written(), withheld.bundles))
}

fn wanted(place: &dyn Place, goes_on: GoesOn<'_>) -> Result<()> {
    match goes_on() {
        true => Ok(()),
        false => Err(Error::export("publish into", &place.address(""), given_up())),
    }
}

/// The checkpoint that stands there.
fn published(place: &mut dyn Place) -> Result<Option<SignedCheckpoint>> {
    let Some(note) = place.read(CHECKPOINT, NOTE_BYTES_MAX)? else {
        return Ok(None);
    };
    let damaged = |problem: String| Error::damaged(place.address(CHECKPOINT).display().to_string(), None, problem);
    let note = String::from_utf8(note).map_err(|error| damaged(error.to_string()))?;
    let checkpoint = note.parse::<SignedCheckpoint>();
    checkpoint.map(Some).map_err(|error| damaged(error.to_string()))
}

/// How many records are published, once the log is known to continue them.
fn check_continues(
    store: &dyn Store,
    before: Option<&SignedCheckpoint>,
    now: &Checkpoint,
    destination: &Destination,
) -> Result<u64> {
    let Some(before) = before.map(SignedCheckpoint::checkpoint) else {
        return Ok(0);
    };
    let refused = |problem: String| Error::configuration("publish", format!("{destination}: {problem}"));
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
    place: &'a mut dyn Place,
    goes_on: GoesOn<'a>,
    hashes: TreeCache,
    size: u64,
    /// The first record that is not purged.
    first: u64,
    withheld: Withheld,
}

impl Run<'_> {
    /// Writes the bundles that are new, or larger than they were.
    fn entries(&mut self, store: &dyn Store, from: u64) -> Result<()> {
        let first = (from / TILE_WIDTH * TILE_WIDTH).max(self.withheld.minimum_index);
        for index in first / TILE_WIDTH..self.size.div_ceil(TILE_WIDTH) {
            let Some(tile) = Tile::of_tree(0, index, self.size) else {
                continue;
            };
            wanted(self.place, self.goes_on)?;
            // Also the last one, while it is partial, where the purge went into it.
            if self.withheld.bundles.contains(&index) || tile.leaves().start < self.first {
                self.withhold(index)?;
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
                Some(path) => self.place.create(&path, bundle)?,
                None => self.withhold(index)?,
            }
        }
        Ok(())
    }

    fn withhold(&mut self, index: u64) -> Result<()> {
        self.withheld.bundles.insert(index);
        remove_bundle(self.place, index)
    }

    /// Writes the tiles that are new, or larger than they were.
    fn tiles(&mut self, from: u64) -> Result<()> {
        for tile in tiles(from, self.size) {
            wanted(self.place, self.goes_on)?;
            let level = 8 * u32::from(tile.level());
            let start = tile.index() * TILE_WIDTH;
            let hashes = (start..start + u64::from(tile.width())).map(|index| self.hashes.hash(level, index));
            // Of what was purged before, hashes may be gone.
            let Ok(hashes) = hashes.collect::<std::result::Result<Vec<Hash>, _>>() else {
                match tile.leaves().start < self.withheld.minimum_index {
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
            self.place.create(&tile.to_string(), bytes)?;
        }
        Ok(())
    }
}

/// Takes the entries of a bundle away.
fn remove_bundle(place: &mut dyn Place, index: u64) -> Result<()> {
    let Some(path) = Tile::new(0, index, FULL).and_then(|tile| tile.entries_path()) else {
        return Ok(());
    };
    place.remove_partial(&path)?;
    place.remove(&path)
}

/// Removes the partial tiles of the earlier checkpoint that are full now.
fn remove_partial(place: &mut dyn Place, from: u64, size: u64) -> Result<()> {
    for level in 0..=TILE_LEVEL_MAX {
        let index = (from >> (8 * u32::from(level))) / TILE_WIDTH;
        if let Some(full) = Tile::of_tree(level, index, size).filter(Tile::is_full) {
            place.remove_partial(&full.to_string())?;
            if let Some(entries) = full.entries_path() {
                place.remove_partial(&entries)?;
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

const WITHHELD: &str = "withheld";

/// The width of a full tile.
const FULL: u16 = 256;

//! The paths of many records, and of one checkpoint to another.

use std::collections::HashMap;

use super::tree::TreeCache;
use super::walk::{self, tree_at_first};
use crate::checkpoint::Checkpoint;
use crate::error::{Error, Result};
use crate::hash::Hash;
use crate::merkle::{self, HashReader, ProofError};
use crate::store::Store;

/// The paths of records to the root of a checkpoint, from the cache where it is right, else by going over the log once
/// for all of them.
pub(crate) fn paths(
    store: &dyn Store,
    leaves: &[(u64, Hash)],
    checkpoint: &Checkpoint,
    cache: Option<&mut TreeCache>,
) -> Result<Vec<Vec<Hash>>> {
    let (size, root) = (checkpoint.size(), checkpoint.root());
    let sound = |paths: &Vec<Vec<Hash>>| {
        let mut each = leaves.iter().zip(paths);
        each.all(|((seq, hash), path)| merkle::verify_inclusion(*seq, size, *hash, path, &root).is_ok())
    };
    let from_cache = cache.and_then(|cache| {
        let mut known = Known {
            cache,
            hashes: HashMap::new(),
        };
        let path = |(seq, _): &(u64, Hash)| merkle::inclusion_proof(&mut known, *seq, size).ok();
        leaves.iter().map(path).collect::<Option<_>>().filter(sound)
    });
    if let Some(paths) = from_cache {
        return Ok(paths);
    }
    let paths = walk::answer(store, size, |reader| {
        let path = |(seq, _): &(u64, Hash)| merkle::inclusion_proof(reader, *seq, size);
        leaves.iter().map(path).collect::<Result<Vec<_>, _>>()
    })?;
    match sound(&paths) {
        true => Ok(paths),
        false => Err(no_such_tree(size)),
    }
}

/// The proof that the tree of a checkpoint contains that of `old_size` records with `old_root`; from the cache where it
/// is right, else from the log.
pub(crate) fn consistency(
    store: &dyn Store,
    (old_size, old_root): (u64, Hash),
    checkpoint: &Checkpoint,
    cache: Option<&mut TreeCache>,
) -> Result<Vec<Hash>> {
    let (size, root) = (checkpoint.size(), checkpoint.root());
    let sound = |proof: &Vec<Hash>| merkle::verify_consistency(old_size, &old_root, size, &root, proof).is_ok();
    let from_cache = cache.and_then(|cache| merkle::consistency_proof(cache, old_size, size).ok());
    if let Some(proof) = from_cache.filter(sound) {
        return Ok(proof);
    }
    let ask = |reader: &mut dyn HashReader<Error = ProofError>| merkle::consistency_proof(reader, old_size, size);
    let proof = walk::answer(store, size, ask)?;
    sound(&proof).then_some(proof).ok_or_else(|| no_such_tree(size))
}

/// The cache of a log's tree, if it can be had and is right as far as it reaches.
pub(crate) fn ready_cache(store: &dyn Store, cache: Option<TreeCache>, size: u64) -> Option<TreeCache> {
    let mut cache = cache?;
    cache.set_purged(tree_at_first(store).ok()?);
    walk::complete(store, &mut cache, size).ok()?;
    Some(cache)
}

pub(super) fn no_such_tree(size: u64) -> Error {
    let problem = format!("the records do not lead to the checkpoint of size {size}");
    Error::damaged("segments", None, problem)
}

/// A cache of which each node is asked once: the paths of neighbours share most of theirs.
struct Known<'a> {
    cache: &'a mut TreeCache,
    hashes: HashMap<(u32, u64), Hash>,
}

impl HashReader for Known<'_> {
    type Error = <TreeCache as HashReader>::Error;

    fn hash(&mut self, level: u32, index: u64) -> Result<Hash, Self::Error> {
        if let Some(hash) = self.hashes.get(&(level, index)) {
            return Ok(*hash);
        }
        let hash = self.cache.hash(level, index)?;
        self.hashes.insert((level, index), hash);
        Ok(hash)
    }
}

use super::{PeaksError, SIZE_MAX, Tile, Tree};
use crate::hash::{self, Hash};

/// Where the hashes of a tree are read: of its leaves and of its perfect subtrees, which never change once they are
/// full.
///
/// A closure `FnMut(u32, u64) -> Result<Hash, E>` is one; [`TileHashes`](super::TileHashes) is one over tiles.
pub trait HashReader {
    /// Why a hash cannot be read. It takes in what is wrong with the proof that was asked for.
    type Error: From<ProofError>;

    /// The Merkle tree hash of the 2^`level` leaves from leaf `index`·2^`level`, all of which are in the tree. Those
    /// of level 0 are the leaves.
    ///
    /// # Errors
    ///
    /// The reader's own, if it does not have the hash.
    fn hash(&mut self, level: u32, index: u64) -> Result<Hash, Self::Error>;
}

impl<F, E> HashReader for F
where
    F: FnMut(u32, u64) -> Result<Hash, E>,
    E: From<ProofError>,
{
    type Error = E;

    fn hash(&mut self, level: u32, index: u64) -> Result<Hash, E> {
        self(level, index)
    }
}

/// The tree of the first `size` leaves: one hash is read for each 1 bit of `size`.
///
/// # Errors
///
/// [`ProofError::Size`] if `size` is beyond 2^53−1, and those of the reader.
pub fn tree_at<R: HashReader + ?Sized>(reader: &mut R, size: u64) -> Result<Tree, R::Error> {
    let peaks = peaks(reader, 0, size)?;
    Tree::from_peaks(size, peaks).map_err(|error| ProofError::from(error).into())
}

/// The root of the tree of the first `size` leaves.
///
/// # Errors
///
/// Those of [`tree_at`].
pub fn root_at<R: HashReader + ?Sized>(reader: &mut R, size: u64) -> Result<Hash, R::Error> {
    Ok(tree_at(reader, size)?.root())
}

/// The path from leaf `index` to the root of the tree of `size` leaves, the leaf's sibling first (RFC 6962 §2.1.1).
///
/// # Errors
///
/// [`ProofError::Index`] unless `index < size`, [`ProofError::Size`] if `size` is beyond 2^53−1, and those of the
/// reader.
pub fn inclusion_proof<R: HashReader + ?Sized>(reader: &mut R, index: u64, size: u64) -> Result<Vec<Hash>, R::Error> {
    let mut path = Vec::with_capacity(inclusion_length(index, size)?);
    let (mut start, mut end) = (0, size);
    while end - start > 1 {
        let middle = middle(start, end);
        if index < middle {
            path.push(range_root(reader, middle, end)?);
            end = middle;
        } else {
            path.push(range_root(reader, start, middle)?);
            start = middle;
        }
    }
    path.reverse();
    Ok(path)
}

/// What shows that the tree of `new` leaves begins with the tree of `old` (RFC 6962 §2.1.2); nothing where `old` is 0
/// or `new`.
///
/// # Errors
///
/// [`ProofError::Sizes`] unless `old ≤ new`, [`ProofError::Size`] if `new` is beyond 2^53−1, and those of the reader.
pub fn consistency_proof<R: HashReader + ?Sized>(reader: &mut R, old: u64, new: u64) -> Result<Vec<Hash>, R::Error> {
    let mut proof = Vec::with_capacity(consistency_length(old, new)?);
    if old == 0 {
        return Ok(proof);
    }
    let (mut start, mut end) = (0, new);
    while end > old {
        let middle = middle(start, end);
        if old <= middle {
            proof.push(range_root(reader, middle, end)?);
            end = middle;
        } else {
            proof.push(range_root(reader, start, middle)?);
            start = middle;
        }
    }
    // From 0 on, it is the old tree itself, whose root the verifier has.
    if start > 0 {
        proof.push(range_root(reader, start, end)?);
    }
    proof.reverse();
    Ok(proof)
}

/// Checks that `leaf` is leaf `index` of the tree with `size` leaves and `root` (RFC 9162 §2.1.3.2).
///
/// # Errors
///
/// [`ProofError::Index`], [`ProofError::Size`], [`ProofError::Length`] and [`ProofError::Root`].
pub fn verify_inclusion(index: u64, size: u64, leaf: Hash, path: &[Hash], root: &Hash) -> Result<(), ProofError> {
    let expected = inclusion_length(index, size)?;
    if path.len() != expected {
        return Err(ProofError::Length {
            found: path.len(),
            expected,
        });
    }
    let (mut node, mut last) = (index, size - 1);
    let mut found = leaf;
    for sibling in path {
        if node & 1 == 1 || node == last {
            found = hash::node(sibling, &found);
            // Levels at which the node has no sibling.
            let alone = node.trailing_zeros();
            node = node.checked_shr(alone).unwrap_or(0);
            last = last.checked_shr(alone).unwrap_or(0);
        } else {
            found = hash::node(&found, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    matches(found, root)
}

/// Checks that the tree with `new` leaves and `new_root` begins with the one with `old` leaves and `old_root` (RFC
/// 9162 §2.1.4.2).
///
/// Where `old` is `new`, the roots are the same and the proof is empty. Where `old` is 0, the proof is empty too, and
/// `old_root` is the SHA-256 of nothing: any tree continues that one.
///
/// # Errors
///
/// [`ProofError::Sizes`], [`ProofError::Size`], [`ProofError::Length`], [`ProofError::OldRoot`] and
/// [`ProofError::Root`].
pub fn verify_consistency(
    old: u64,
    old_root: &Hash,
    new: u64,
    new_root: &Hash,
    proof: &[Hash],
) -> Result<(), ProofError> {
    let expected = consistency_length(old, new)?;
    if proof.len() != expected {
        return Err(ProofError::Length {
            found: proof.len(),
            expected,
        });
    }
    if old == 0 {
        let empty = Hash::of(&[]);
        matches_old(empty, old_root)?;
        return if new == 0 { matches(empty, new_root) } else { Ok(()) };
    }
    if old == new {
        return matches(*old_root, new_root);
    }
    let shift = (old - 1).trailing_ones();
    let (mut node, mut last) = ((old - 1) >> shift, (new - 1) >> shift);
    let (first, rest) = match proof.split_first() {
        Some((first, rest)) if !old.is_power_of_two() => (first, rest),
        _ => (old_root, proof),
    };
    let (mut found_old, mut found_new) = (*first, *first);
    for sibling in rest {
        if node & 1 == 1 || node == last {
            found_old = hash::node(sibling, &found_old);
            found_new = hash::node(sibling, &found_new);
            let alone = node.trailing_zeros();
            node = node.checked_shr(alone).unwrap_or(0);
            last = last.checked_shr(alone).unwrap_or(0);
        } else {
            found_new = hash::node(&found_new, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    matches_old(found_old, old_root)?;
    matches(found_new, new_root)
}

/// How many hashes the path of leaf `index` in a tree of `size` leaves has: at most 53.
///
/// # Errors
///
/// [`ProofError::Index`] unless `index < size`, and [`ProofError::Size`] if `size` is beyond 2^53−1.
pub fn inclusion_length(index: u64, size: u64) -> Result<usize, ProofError> {
    check_size(size)?;
    if index >= size {
        return Err(ProofError::Index { index, size });
    }
    // One for each level up to where the leaf's way meets that of the last leaf; from there on, one where it goes to
    // the right.
    let below = u64::BITS - (index ^ (size - 1)).leading_zeros();
    Ok(length(below + (index >> below).count_ones()))
}

/// Why a proof shows nothing, or cannot be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProofError {
    /// The tree has no such leaf.
    #[error("a tree of {size} leaves has no leaf {index}")]
    Index {
        /// The leaf, from 0.
        index: u64,
        /// How many leaves the tree has.
        size: u64,
    },
    /// The tree is smaller than the one that it is to continue.
    #[error("a tree of {new} leaves does not continue one of {old}")]
    Sizes {
        /// The size of the earlier tree.
        old: u64,
        /// The size of the later tree.
        new: u64,
    },
    /// No tree has that many leaves.
    #[error("a tree has at most 2^53-1 leaves, not {size}")]
    Size {
        /// The size.
        size: u64,
    },
    /// The proof has too many or too few hashes for these sizes.
    #[error("the proof has {found} hashes, not {expected}")]
    Length {
        /// How many it has.
        found: usize,
        /// How many it should have.
        expected: usize,
    },
    /// The proof leads to another root.
    #[error("the proof leads to the root {found}, not to {expected}")]
    Root {
        /// The root that it leads to.
        found: Hash,
        /// The root of the tree.
        expected: Hash,
    },
    /// The proof leads to another root of the earlier tree.
    #[error("the proof leads to the root {found} of the earlier tree, not to {expected}")]
    OldRoot {
        /// The root that it leads to.
        found: Hash,
        /// The root of the earlier tree.
        expected: Hash,
    },
    /// A reader does not have a hash of the tree.
    #[error("there is no hash {index} of level {level}")]
    Missing {
        /// The level: the hash is of 2^`level` leaves.
        level: u32,
        /// Which hash of that level, from 0.
        index: u64,
    },
    /// A tile was read that does not have the hashes of its name.
    #[error("{tile} has {found} hashes")]
    Tile {
        /// The tile.
        tile: Tile,
        /// How many hashes it has.
        found: usize,
    },
}

impl From<PeaksError> for ProofError {
    fn from(error: PeaksError) -> Self {
        match error {
            PeaksError::Size { size } => Self::Size { size },
            PeaksError::Count { size, found } => Self::Length {
                found,
                expected: length(size.count_ones()),
            },
        }
    }
}

/// How many hashes a consistency proof has.
fn consistency_length(old: u64, new: u64) -> Result<usize, ProofError> {
    check_size(new)?;
    if old > new {
        return Err(ProofError::Sizes { old, new });
    }
    if old == 0 || old == new {
        return Ok(0);
    }
    // The path of the old tree's last leaf, from the largest perfect subtree that it closes; that hash is there too,
    // unless it is the old root.
    let shift = old.trailing_zeros();
    let path = inclusion_length((old - 1) >> shift, ((new - 1) >> shift) + 1)?;
    Ok(path + usize::from(!old.is_power_of_two()))
}

fn check_size(size: u64) -> Result<(), ProofError> {
    if size > SIZE_MAX {
        Err(ProofError::Size { size })
    } else {
        Ok(())
    }
}

fn matches(found: Hash, root: &Hash) -> Result<(), ProofError> {
    if found == *root {
        Ok(())
    } else {
        Err(ProofError::Root { found, expected: *root })
    }
}

fn matches_old(found: Hash, root: &Hash) -> Result<(), ProofError> {
    if found == *root {
        Ok(())
    } else {
        Err(ProofError::OldRoot { found, expected: *root })
    }
}

/// Where RFC 6962 §2.1 splits the leaves from `start` to `end`, at least two: at the largest power of two that is
/// smaller than their number.
fn middle(start: u64, end: u64) -> u64 {
    start + (1 << (end - start - 1).ilog2())
}

/// The Merkle tree hash of the leaves from `start` to `end`, at least one, which a split gave.
fn range_root<R: HashReader + ?Sized>(reader: &mut R, start: u64, end: u64) -> Result<Hash, R::Error> {
    let peaks = peaks(reader, start, end)?;
    super::tree::fold(&peaks).ok_or_else(|| {
        ProofError::Index {
            index: start,
            size: end,
        }
        .into()
    })
}

/// The roots of the maximal perfect subtrees of the leaves from `start` to `end`.
fn peaks<R: HashReader + ?Sized>(reader: &mut R, mut start: u64, end: u64) -> Result<Vec<Hash>, R::Error> {
    check_size(end)?;
    let mut peaks = Vec::with_capacity(length((end - start).count_ones()));
    while start < end {
        let level = (end - start).ilog2();
        peaks.push(reader.hash(level, start >> level)?);
        start += 1 << level;
    }
    Ok(peaks)
}

fn length(bits: u32) -> usize {
    usize::try_from(bits).unwrap_or(usize::MAX)
}

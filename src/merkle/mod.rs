//! The Merkle tree over the hashes of all records (RFC 6962 §2.1): its root, its proofs, and the tiles that it is
//! stored in (C2SP tlog-tiles).
//!
//! A [`Tree`] grows by leaves and knows its root. A [`HashReader`] has the hashes below: over one,
//! [`inclusion_proof`] shows that a leaf is in a tree, and [`consistency_proof`] that a tree continues an earlier
//! one. [`verify_inclusion`] and [`verify_consistency`] check that with nothing else.
//!
//! ```
//! use indelible::hash::leaf;
//! use indelible::merkle::{self, ProofError, TileHashes, Tree};
//!
//! let leaves: Vec<_> = (0..10_u8).map(|byte| leaf(&[byte])).collect();
//! let root = merkle::root_of(&leaves);
//!
//! // A tree of ten leaves is one tile, which holds all of them.
//! let mut hashes = TileHashes::new(10, |tile| {
//!     assert_eq!(tile.to_string(), "tile/0/000.p/10");
//!     Ok::<_, ProofError>(leaves.clone())
//! });
//! let path = merkle::inclusion_proof(&mut hashes, 3, 10)?;
//! merkle::verify_inclusion(3, 10, leaves[3], &path, &root)?;
//!
//! let earlier = merkle::root_at(&mut hashes, 6)?;
//! let proof = merkle::consistency_proof(&mut hashes, 6, 10)?;
//! merkle::verify_consistency(6, &earlier, 10, &root, &proof)?;
//! # Ok::<(), ProofError>(())
//! ```
#![warn(clippy::unwrap_used, clippy::indexing_slicing, clippy::as_conversions)]

mod proof;
#[cfg(test)]
mod tests;
mod tile;
mod tree;

pub use proof::{
    HashReader, ProofError, consistency_proof, inclusion_length, inclusion_proof, root_at, tree_at, verify_consistency,
    verify_inclusion,
};
pub use tile::{TILE_LEVEL_MAX, TILE_WIDTH, Tile, TileError, TileHashes, tiles};
pub use tree::{PeaksError, Tree, root_of};

/// The most leaves that a tree has: sizes are integers that every JSON reader keeps exactly (FORMAT §1).
pub const SIZE_MAX: u64 = (1 << 53) - 1;

use super::SIZE_MAX;
use crate::hash::{self, Hash};

/// A tree that grows by leaves: its size, and the roots of its maximal perfect subtrees, which are all that a writer
/// needs.
///
/// ```
/// use indelible::hash::{self, Hash};
/// use indelible::merkle::Tree;
///
/// let (a, b) = (hash::leaf(b"a"), hash::leaf(b"b"));
/// let mut tree = Tree::new();
/// assert_eq!(tree.root(), Hash::of(b""));
/// tree.push(a);
/// tree.push(b);
/// assert_eq!(tree.root(), hash::node(&a, &b));
/// assert_eq!(Tree::from_peaks(2, vec![tree.root()])?, tree);
/// # Ok::<(), indelible::merkle::PeaksError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tree {
    size: u64,
    peaks: Vec<Hash>,
}

impl Tree {
    /// The empty tree.
    pub fn new() -> Self {
        Self::default()
    }

    /// The tree of `size` leaves with these peaks, the largest first (FORMAT §5).
    ///
    /// # Errors
    ///
    /// [`PeaksError`] unless there is one peak for each 1 bit of `size`, which is at most 2^53−1.
    pub fn from_peaks(size: u64, peaks: Vec<Hash>) -> Result<Self, PeaksError> {
        if size > SIZE_MAX {
            return Err(PeaksError::Size { size });
        }
        if u32::try_from(peaks.len()) != Ok(size.count_ones()) {
            return Err(PeaksError::Count {
                size,
                found: peaks.len(),
            });
        }
        Ok(Self { size, peaks })
    }

    /// How many leaves it has.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The roots of the maximal perfect subtrees from left to right, the largest first: one for each 1 bit of the
    /// size.
    pub fn peaks(&self) -> &[Hash] {
        &self.peaks
    }

    /// Adds a leaf on the right.
    pub fn push(&mut self, leaf: Hash) {
        self.push_noting(leaf, |_, _| {});
    }

    /// Adds a leaf on the right and tells of each inner node that is complete with it: its level, from 1, and its hash.
    pub(crate) fn push_noting(&mut self, leaf: Hash, mut complete: impl FnMut(u32, Hash)) {
        let mut peak = leaf;
        for level in 1..=self.size.trailing_ones() {
            let Some(left) = self.peaks.pop() else { break };
            peak = hash::node(&left, &peak);
            complete(level, peak);
        }
        self.peaks.push(peak);
        self.size += 1;
    }

    /// The Merkle tree hash (RFC 6962 §2.1); that of the empty tree is the SHA-256 of nothing.
    pub fn root(&self) -> Hash {
        fold(&self.peaks).unwrap_or_else(|| Hash::of(&[]))
    }
}

/// The Merkle tree hash over these leaves (RFC 6962 §2.1).
pub fn root_of(leaves: &[Hash]) -> Hash {
    let mut tree = Tree::new();
    leaves.iter().for_each(|leaf| tree.push(*leaf));
    tree.root()
}

/// The root over peaks from left to right; `None` if there are none.
pub(crate) fn fold(peaks: &[Hash]) -> Option<Hash> {
    let (last, rest) = peaks.split_last()?;
    Some(rest.iter().rev().fold(*last, |right, left| hash::node(left, &right)))
}

/// Why there is no tree with these peaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PeaksError {
    /// The size is beyond 2^53−1.
    #[error("a tree has at most 2^53-1 leaves, not {size}")]
    Size {
        /// The size.
        size: u64,
    },
    /// There is not one peak for each 1 bit of the size.
    #[error("a tree of {size} leaves has {} peaks, not {found}", size.count_ones())]
    Count {
        /// The size.
        size: u64,
        /// How many peaks there were.
        found: usize,
    },
}

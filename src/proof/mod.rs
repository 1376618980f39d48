//! Proofs that a record is in a log: C2SP tlog-proof (FORMAT §10).
//!
//! A proof is text: the line `c2sp.org/tlog-proof@v1`, optionally a line `extra` with opaque base64, a line `index`
//! with the record's `seq`, the base64 hashes of the path from the record to the root, an empty line and the
//! checkpoint, verbatim. With the record and the vkey it verifies with nothing else.
//!
//! ```
//! use indelible::merkle::{self, ProofError, TileHashes};
//! use indelible::{Checkpoint, Origin, Proof, Signer, SigningKey, hash};
//!
//! let origin = Origin::new("auth.example.com/audit")?;
//! let key = SigningKey::generate(origin.clone())?;
//! let hashes = [hash::leaf(b"record 0"), hash::leaf(b"record 1"), hash::leaf(b"record 2")];
//! let checkpoint = Checkpoint::new(origin, 3, merkle::root_of(&hashes))?.sign(&[&key])?;
//!
//! let mut tiles = TileHashes::new(3, |_| Ok::<_, ProofError>(hashes.to_vec()));
//! let proof = Proof::new(1, merkle::inclusion_proof(&mut tiles, 1, 3)?, checkpoint)?;
//!
//! let read: Proof = proof.to_string().parse()?;
//! assert_eq!(read.verify(hash::leaf(b"record 1"), key.vkey())?.size(), 3);
//! assert!(read.verify(hash::leaf(b"another"), key.vkey()).is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![warn(clippy::unwrap_used, clippy::indexing_slicing, clippy::as_conversions)]

mod delivered;
#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;

use crate::checkpoint::{Checkpoint, CheckpointError, SignedCheckpoint, decimal};
use crate::hash::Hash;
use crate::merkle::{self, ProofError};
use crate::note::{NOTE_BYTES_MAX, VerifierKey, base64};

pub use delivered::{DeliveredError, DeliveredRecord};

/// What shows that a record is in the log that a checkpoint signs.
///
/// Its form is checked, and that its path has as many hashes as it should. What it says is not, until
/// [`verify`](Self::verify).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    index: u64,
    extra: Vec<u8>,
    path: Vec<Hash>,
    checkpoint: SignedCheckpoint,
}

impl Proof {
    /// The proof that the record with the `seq` `index` is in the log that `checkpoint` signs, by the `path` that
    /// [`merkle::inclusion_proof`] makes.
    ///
    /// # Errors
    ///
    /// [`TlogProofError::Inclusion`] if the checkpoint does not cover that record, or the path has another number of
    /// hashes.
    pub fn new(index: u64, path: Vec<Hash>, checkpoint: SignedCheckpoint) -> Result<Self, TlogProofError> {
        check_length(index, path.len(), &checkpoint)?;
        Ok(Self {
            index,
            extra: Vec::new(),
            path,
            checkpoint,
        })
    }

    /// The same proof with extra data, which nothing authenticates; none, if it is empty.
    ///
    /// # Errors
    ///
    /// [`TlogProofError::Extra`] if it is more than [`EXTRA_BYTES_MAX`].
    pub fn with_extra(mut self, extra: Vec<u8>) -> Result<Self, TlogProofError> {
        if extra.len() > EXTRA_BYTES_MAX {
            return Err(TlogProofError::Extra);
        }
        self.extra = extra;
        Ok(self)
    }

    /// The record's `seq`.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// The hashes from the record's sibling up to the root's child.
    pub fn path(&self) -> &[Hash] {
        &self.path
    }

    /// The extra data, which nothing authenticates: empty if there is none.
    pub fn extra(&self) -> &[u8] {
        &self.extra
    }

    /// The checkpoint that covers the record.
    pub fn checkpoint(&self) -> &SignedCheckpoint {
        &self.checkpoint
    }

    /// Checks that the record with this hash is in the log of `key`, and gives the checkpoint that says so.
    ///
    /// # Errors
    ///
    /// [`TlogProofError::Checkpoint`] with what the checkpoint is signed by, if it is not signed by `key`, and
    /// [`TlogProofError::Inclusion`] if it does not cover the record.
    pub fn verify(&self, record: Hash, key: &VerifierKey) -> Result<&Checkpoint, TlogProofError> {
        self.checkpoint.verify(key)?;
        let checkpoint = self.checkpoint.checkpoint();
        merkle::verify_inclusion(self.index, checkpoint.size(), record, &self.path, &checkpoint.root())?;
        Ok(checkpoint)
    }
}

impl FromStr for Proof {
    type Err = TlogProofError;

    /// Reads a proof: exactly what [`Display`](fmt::Display) prints.
    fn from_str(text: &str) -> Result<Self, TlogProofError> {
        if text.len() > PROOF_BYTES_MAX {
            return Err(TlogProofError::TooLong { bytes: text.len() });
        }
        let (head, checkpoint) = text.split_once("\n\n").ok_or(TlogProofError::NoCheckpoint)?;
        let head = head.strip_prefix(HEADER).ok_or(TlogProofError::Header)?;
        let (extra, head) = match head.strip_prefix("\nextra ") {
            Some(rest) => {
                let (extra, _) = rest.split_once('\n').ok_or(TlogProofError::Index)?;
                (parse_extra(extra)?, rest.get(extra.len()..).unwrap_or_default())
            }
            None => (Vec::new(), head),
        };
        let mut lines = head.strip_prefix("\nindex ").ok_or(TlogProofError::Index)?.split('\n');
        let index = lines.next().and_then(decimal).ok_or(TlogProofError::Index)?;
        let checkpoint: SignedCheckpoint = checkpoint.parse()?;
        check_length(index, lines.clone().count(), &checkpoint)?;
        let path = lines.enumerate().map(|(at, line)| {
            base64::decode(line)
                .map(Hash::from_bytes)
                .ok_or(TlogProofError::Path { hash: at + 1 })
        });
        Ok(Self {
            index,
            extra,
            path: path.collect::<Result<_, _>>()?,
            checkpoint,
        })
    }
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = String::with_capacity(44);
        writeln!(f, "{HEADER}")?;
        if !self.extra.is_empty() {
            base64::encode(&mut line, &self.extra);
            writeln!(f, "extra {line}")?;
        }
        writeln!(f, "index {}", self.index)?;
        for hash in &self.path {
            line.clear();
            base64::encode(&mut line, hash.as_bytes());
            writeln!(f, "{line}")?;
        }
        write!(f, "\n{}", self.checkpoint)
    }
}

/// Why a text is not a proof, or does not show that a record is in a log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TlogProofError {
    /// It has more bytes than a proof has.
    #[error("the proof has {bytes} bytes, more than {PROOF_BYTES_MAX}")]
    TooLong {
        /// How many it has.
        bytes: usize,
    },
    /// The first line is not that of a proof.
    #[error("a proof begins with the line {HEADER}")]
    Header,
    /// The extra data is not base64, empty, or more than is read.
    #[error("the extra line of a proof is the base64 of 1 to {EXTRA_BYTES_MAX} bytes")]
    Extra,
    /// There is no line with an index where it should be.
    #[error("the proof has no line \"index N\" after its first, with a decimal number from 0 to 2^53-1")]
    Index,
    /// A line of the path is not the base64 of 32 bytes.
    #[error("hash {hash} of the proof's path is not the base64 of 32 bytes")]
    Path {
        /// Which one, from 1.
        hash: usize,
    },
    /// No empty line is followed by a checkpoint.
    #[error("the proof has no empty line before its checkpoint")]
    NoCheckpoint,
    /// The checkpoint is none, is of another log, or is not signed by the key.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The path does not lead from the record to the root of the checkpoint.
    #[error(transparent)]
    Inclusion(#[from] ProofError),
}

/// Checks that a path of that many hashes leads from the record to the root of the checkpoint.
fn check_length(index: u64, found: usize, checkpoint: &SignedCheckpoint) -> Result<(), ProofError> {
    let expected = merkle::inclusion_length(index, checkpoint.checkpoint().size())?;
    if found == expected {
        Ok(())
    } else {
        Err(ProofError::Length { found, expected })
    }
}

fn parse_extra(encoded: &str) -> Result<Vec<u8>, TlogProofError> {
    let extra = base64::decode_vec(encoded).ok_or(TlogProofError::Extra)?;
    if (1..=EXTRA_BYTES_MAX).contains(&extra.len()) {
        Ok(extra)
    } else {
        Err(TlogProofError::Extra)
    }
}

/// The first line of a proof.
const HEADER: &str = "c2sp.org/tlog-proof@v1";

/// The most extra data that a proof has, in bytes: as much as an entry of a log.
pub const EXTRA_BYTES_MAX: usize = 65_535;

/// The most bytes that a proof has: room for the longest note, the most extra data and the longest path.
pub const PROOF_BYTES_MAX: usize = NOTE_BYTES_MAX + (1 << 17);

//! Checkpoints: the signed size and root of a log's tree (C2SP tlog-checkpoint, FORMAT §3).
//!
//! A checkpoint is a signed note whose text is exactly three lines: the origin, the size in decimal and the base64 of
//! the root. It has from 1 to 16 signatures.
//!
//! ```
//! use indelible::merkle::Tree;
//! use indelible::{Checkpoint, Origin, Signer, SigningKey};
//!
//! let origin = Origin::new("auth.example.com/audit")?;
//! let key = SigningKey::generate(origin.clone())?;
//! let tree = Tree::new();
//!
//! let checkpoint = Checkpoint::new(origin, tree.size(), tree.root())?;
//! assert_eq!(checkpoint.to_string(), "auth.example.com/audit\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n");
//!
//! let signed = checkpoint.sign(&[&key])?;
//! assert_eq!(Checkpoint::open(signed.as_str(), key.vkey())?, checkpoint);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![warn(clippy::unwrap_used, clippy::indexing_slicing, clippy::as_conversions)]

#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::hash::Hash;
use crate::merkle::SIZE_MAX;
use crate::note::{self, KeyId, NoteError, Origin, OriginError, SignatureLines, VerifierKey, base64};
use crate::sign::{SignError, Signer};

/// What a checkpoint says: this log's tree has this many leaves and this root.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Checkpoint {
    origin: Origin,
    size: u64,
    root: Hash,
}

impl Checkpoint {
    /// The checkpoint of a tree of `size` records.
    ///
    /// # Errors
    ///
    /// [`CheckpointError::Size`] if `size` is beyond 2^53−1.
    pub fn new(origin: Origin, size: u64, root: Hash) -> Result<Self, CheckpointError> {
        if size > SIZE_MAX {
            return Err(CheckpointError::Size);
        }
        Ok(Self { origin, size, root })
    }

    /// Reads a signed checkpoint and checks that it is signed by `key`, whose name is its origin.
    ///
    /// Signatures of other keys have no meaning. It allocates nothing for a checkpoint that is sound.
    ///
    /// # Errors
    ///
    /// [`CheckpointError`] says what breaks the form, or that it is of another log, or not signed by `key`.
    pub fn open(note: &str, key: &VerifierKey) -> Result<Self, CheckpointError> {
        let (text, lines) = note::split(note)?;
        let checkpoint = Self::parse(text, Some(key.name()))?;
        checkpoint.check_signature(text, lines, key)?;
        Ok(checkpoint)
    }

    /// The log's identity.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// How many records the log had.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The Merkle tree hash over the hashes of those records.
    pub fn root(&self) -> Hash {
        self.root
    }

    /// The checkpoint as a note with the signatures of `signers` in this order: one, or while a key is replaced the
    /// old one and the new one (FORMAT §6).
    ///
    /// # Errors
    ///
    /// What a signer says; and an error if there is no signer, more than [`CHECKPOINT_SIGNATURES_MAX`], or one whose
    /// name is not the origin.
    pub fn sign(&self, signers: &[&dyn Signer]) -> Result<SignedCheckpoint, SignError> {
        if signers.len() > CHECKPOINT_SIGNATURES_MAX {
            return Err(SignError::new(format!(
                "a checkpoint has at most {CHECKPOINT_SIGNATURES_MAX} signatures"
            )));
        }
        if let Some(other) = signers.iter().find(|signer| *signer.vkey().name() != self.origin) {
            let message = format!("the signer {} is not of the log {}", other.vkey().key_id(), self.origin);
            return Err(SignError::new(message));
        }
        let note = note::sign(&self.to_string(), signers)?;
        Ok(SignedCheckpoint {
            checkpoint: self.clone(),
            note: note.into(),
        })
    }

    /// Reads the text of a checkpoint. Where its origin is `known`, it shares that text.
    fn parse(text: &str, known: Option<&Origin>) -> Result<Self, CheckpointError> {
        let mut lines = text.split('\n');
        let (Some(origin), Some(size), Some(root), Some(""), None) =
            (lines.next(), lines.next(), lines.next(), lines.next(), lines.next())
        else {
            return Err(CheckpointError::Lines);
        };
        let origin = match known {
            Some(known) if known.as_str() == origin => known.clone(),
            _ => Origin::new(origin)?,
        };
        let size = decimal(size).ok_or(CheckpointError::Size)?;
        let root = base64::decode::<32>(root)
            .map(Hash::from_bytes)
            .ok_or(CheckpointError::Root)?;
        Ok(Self { origin, size, root })
    }

    /// Checks that `key` signed `text`, and gives the position of the first line that it signed. All lines are read,
    /// so that nothing else stands in the note.
    fn check_signature(
        &self,
        text: &str,
        lines: SignatureLines<'_>,
        key: &VerifierKey,
    ) -> Result<usize, CheckpointError> {
        if self.origin != *key.name() {
            return Err(CheckpointError::Origin {
                found: self.origin.clone(),
                expected: key.name().clone(),
            });
        }
        let mut position = None;
        for (at, signature) in lines.clone().enumerate() {
            let signature = signature?;
            if at == CHECKPOINT_SIGNATURES_MAX {
                return Err(NoteError::TooManySignatures {
                    max: CHECKPOINT_SIGNATURES_MAX,
                }
                .into());
            }
            if signature.names(key) {
                if !signature.verify(text, key) {
                    return Err(CheckpointError::Signature { key: key.key_id() });
                }
                position = position.or(Some(at));
            }
        }
        position.ok_or_else(|| CheckpointError::Unsigned {
            key: key.key_id(),
            signers: signers(lines),
        })
    }
}

impl FromStr for Checkpoint {
    type Err = CheckpointError;

    /// Reads the text of a checkpoint, without signatures: exactly what [`Display`](fmt::Display) prints.
    fn from_str(text: &str) -> Result<Self, CheckpointError> {
        Self::parse(text, None)
    }
}

impl fmt::Display for Checkpoint {
    /// The three lines that are signed, each ended by LF.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut root = String::with_capacity(44);
        base64::encode(&mut root, self.root.as_bytes());
        write!(f, "{}\n{}\n{root}\n", self.origin, self.size)
    }
}

/// A checkpoint with its signatures: the note that is stored and handed on. A clone shares the text.
///
/// Its form is checked. Its signatures are not, until [`verify`](Self::verify).
#[derive(Clone, PartialEq, Eq)]
pub struct SignedCheckpoint {
    checkpoint: Checkpoint,
    note: Arc<str>,
}

impl SignedCheckpoint {
    /// What it says.
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The note: the text, an empty line and the signature lines.
    pub fn as_str(&self) -> &str {
        &self.note
    }

    /// The keys that the signature lines name, in their order.
    pub fn signers(&self) -> Vec<KeyId> {
        note::split(&self.note)
            .map(|(_, lines)| signers(lines))
            .unwrap_or_default()
    }

    /// Checks that it is signed by `key`, whose name is its origin, and gives the position of that signature among
    /// the lines, from 0.
    ///
    /// # Errors
    ///
    /// [`CheckpointError::Origin`], [`CheckpointError::Unsigned`] and [`CheckpointError::Signature`].
    pub fn verify(&self, key: &VerifierKey) -> Result<usize, CheckpointError> {
        let (text, lines) = note::split(&self.note)?;
        self.checkpoint.check_signature(text, lines, key)
    }
}

impl FromStr for SignedCheckpoint {
    type Err = CheckpointError;

    /// Reads a note: exactly what [`Display`](fmt::Display) prints.
    fn from_str(note: &str) -> Result<Self, CheckpointError> {
        let (text, lines) = note::split(note)?;
        for (at, signature) in lines.enumerate() {
            signature?;
            if at == CHECKPOINT_SIGNATURES_MAX {
                return Err(NoteError::TooManySignatures {
                    max: CHECKPOINT_SIGNATURES_MAX,
                }
                .into());
            }
        }
        Ok(Self {
            checkpoint: Checkpoint::parse(text, None)?,
            note: note.into(),
        })
    }
}

impl fmt::Display for SignedCheckpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.note)
    }
}

impl fmt::Debug for SignedCheckpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedCheckpoint")
            .field("checkpoint", &self.checkpoint)
            .field("signers", &self.signers())
            .finish()
    }
}

/// Why a text is not a checkpoint, or not one that a key signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// It is not a signed note, or has more signatures than a checkpoint may have.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// The text is not three lines.
    #[error("the text of a checkpoint is exactly three lines: origin, size and root")]
    Lines,
    /// The first line is not an origin.
    #[error("the first line of the checkpoint: {0}")]
    Name(#[from] OriginError),
    /// The size is not a decimal number from 0 to 2^53−1 without leading zeros.
    #[error("the size of a checkpoint is a decimal number from 0 to 2^53-1, without leading zeros")]
    Size,
    /// The root is not the base64 of 32 bytes.
    #[error("the root of a checkpoint is the base64 of 32 bytes")]
    Root,
    /// The checkpoint is of another log than the key.
    #[error("the checkpoint is of the log {found}, not of {expected}")]
    Origin {
        /// The origin in the checkpoint.
        found: Origin,
        /// The name of the key.
        expected: Origin,
    },
    /// The checkpoint names the key, which did not sign it.
    #[error("the checkpoint's signature by {key} is not valid")]
    Signature {
        /// The key.
        key: KeyId,
    },
    /// The checkpoint is not signed by the key.
    #[error("the checkpoint is not signed by {key}, but by {}", list(signers))]
    Unsigned {
        /// The key.
        key: KeyId,
        /// The keys that its signature lines name, unchecked.
        signers: Vec<KeyId>,
    },
}

/// The number from 0 to 2^53−1 that `digits` is the decimal form of, without leading zeros.
pub(crate) fn decimal(digits: &str) -> Option<u64> {
    if digits.len() > 16 || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    if digits.starts_with('0') && digits != "0" {
        return None;
    }
    digits.parse().ok().filter(|number| *number <= SIZE_MAX)
}

fn list(keys: &[KeyId]) -> String {
    keys.iter().map(KeyId::to_string).collect::<Vec<_>>().join(", ")
}

fn signers(lines: SignatureLines<'_>) -> Vec<KeyId> {
    lines
        .filter_map(Result::ok)
        .map(|signature| signature.key_id())
        .collect()
}

/// The most signatures that a checkpoint has (FORMAT §3).
pub const CHECKPOINT_SIGNATURES_MAX: usize = 16;

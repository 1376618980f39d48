//! Verification: whether a log is what the holder of its key recorded (FORMAT §9).
//!
//! A [`Verifier`] is given a vkey, got from outside the log, and perhaps a checkpoint that was kept elsewhere. It reads
//! a log directory or any store and gives a [`Report`]: each breach of the format is a [`Finding`] with its kind, its
//! place and its evidence. What it cannot check at all is an [`Error`](crate::Error).
//!
//! Segments are verified beside each other, in memory that does not grow with the log but for 16 bytes for each range
//! of erased records. A writer may go on meanwhile: the run ends with the last whole commit that it saw first.
//!
//! ```no_run
//! use indelible::Verifier;
//!
//! let vkey = "auth.example.com/audit+aace0f41+AZF8w/cAdUtphcBYYuH6PONVS45QiHlj2WD6dU50U2m9".parse()?;
//! let report = Verifier::new(vkey).verify_dir("audit")?;
//! println!("{report}");
//! assert!(report.is_sound());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! What a sound report does not say: that the end was not cut off at a commit, or that whoever holds the key did not
//! rewrite the whole. That shows against a checkpoint kept elsewhere: give it with [`Verifier::trusted`].
//!
//! # How it is built
//!
//! The core is pure: it is fed lines and says what it found. It takes one segment at a time and believes its header's
//! peaks, to which the segment's checkpoints commit. Then the summaries are followed in order: each segment has to
//! continue the one before. The key in force at the beginning of a segment is guessed first; one that was verified
//! under another key than the one before it left in force is verified again, so that nothing depends on the guess.

#![warn(clippy::unwrap_used, clippy::indexing_slicing, clippy::as_conversions)]

mod chain;
mod clock;
mod commit;
mod coverage;
mod finding;
mod guess;
mod judge;
mod kept;
mod keys;
mod own;
mod progress;
mod ranges;
mod reading;
mod report;
mod run;
mod segment;
mod summary;
mod trust;

#[cfg(test)]
mod tests;

use std::fmt;
use std::num::NonZero;
use std::path::Path;
use std::sync::Arc;
use std::thread;

pub use finding::{Finding, FindingKind, Notice, NoticeKind};
pub use progress::Progress;
pub use report::Report;

use crate::checkpoint::{Checkpoint, CheckpointError, SignedCheckpoint};
use crate::error::Result;
use crate::hash::Hash;
use crate::merkle::{self, ProofError};
use crate::note::VerifierKey;
use crate::proof::{Proof, TlogProofError};
use crate::record::Record;
use crate::store::{FileStore, Segment, Store};

/// Checks logs, records and checkpoints against a key and, if there is one, an earlier checkpoint.
#[derive(Clone)]
pub struct Verifier {
    vkeys: Vec<VerifierKey>,
    trusted: Option<SignedCheckpoint>,
    threads: Option<usize>,
    progress: Option<progress::Callback>,
}

impl Verifier {
    /// A verifier that trusts this vkey.
    ///
    /// It has to be the key in force at the first retained record, or the new key of a rotation that is retained or was
    /// kept (FORMAT §6). Owners publish the newest one: who starts from an older one also believes any history that the
    /// holder of that key writes.
    pub fn new(vkey: VerifierKey) -> Self {
        Self {
            vkeys: vec![vkey],
            trusted: None,
            threads: None,
            progress: None,
        }
    }

    /// Trusts another vkey too. A log is sound if it is under one of them: [`Report::vkey`] says which.
    #[must_use]
    pub fn vkey(mut self, vkey: VerifierKey) -> Self {
        if !self.vkeys.contains(&vkey) {
            self.vkeys.push(vkey);
        }
        self
    }

    /// Asks that the log contains the tree of this checkpoint, which was kept elsewhere.
    #[must_use]
    pub fn trusted(mut self, checkpoint: SignedCheckpoint) -> Self {
        self.trusted = Some(checkpoint);
        self
    }

    /// How many threads verify segments, at least one: as many as the machine runs at once, unless told otherwise.
    #[must_use]
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = Some(threads.max(1));
        self
    }

    /// Calls `progress` now and then, at most once in some megabytes, on any of the threads. What it takes, the
    /// verification waits for.
    #[must_use]
    pub fn progress(mut self, progress: impl Fn(Progress) + Send + Sync + 'static) -> Self {
        self.progress = Some(Arc::new(progress));
        self
    }

    /// Verifies a log directory.
    ///
    /// # Errors
    ///
    /// What cannot be checked: see [`Verifier::verify_store`].
    pub fn verify_dir(&self, folder: impl AsRef<Path>) -> Result<Report> {
        self.verify_store(&FileStore::new(folder))
    }

    /// Verifies the log in a store.
    ///
    /// # Errors
    ///
    /// [`Cause::Unsupported`](crate::Cause::Unsupported) where a segment is of another format,
    /// [`Cause::Io`](crate::Cause::Io) where one cannot be read, [`Cause::Damaged`](crate::Cause::Damaged) where the
    /// store does not give what it lists, and [`Cause::Configuration`](crate::Cause::Configuration) where there is no
    /// log, or one that its writer has just begun.
    pub fn verify_store(&self, store: &dyn Store) -> Result<Report> {
        run::run(self, store)
    }

    /// Verifies one segment of a store by itself.
    ///
    /// The peaks of its header are taken as given, and the checkpoints in it have to agree with them. Whether what is
    /// erased in it was announced is not judged: that stands in later segments. The vkey has to be the key in force at
    /// the segment's first record, or the new key of a rotation in it.
    ///
    /// # Errors
    ///
    /// As [`Verifier::verify_store`].
    pub fn verify_segment(&self, store: &dyn Store, segment: &Segment) -> Result<Report> {
        run::run_segment(self, store, segment)
    }

    /// Checks that a record is in the log, by its proof and nothing else, and gives the checkpoint that says so.
    ///
    /// # Errors
    ///
    /// [`VerifyError`] says what does not fit; under several vkeys, that none of them signed only if none is named.
    pub fn verify_record(&self, record: &Record, proof: &Proof) -> Result<Checkpoint, VerifyError> {
        // The hash of an erased record says nothing of its place.
        if record.seq() != proof.index() {
            return Err(VerifyError::OtherRecord {
                record: record.seq(),
                proof: proof.index(),
            });
        }
        let mut refused = None;
        for vkey in &self.vkeys {
            let error = match proof.verify(record.hash(), vkey) {
                Ok(checkpoint) => return Ok(checkpoint.clone()),
                Err(TlogProofError::Checkpoint(error)) => VerifyError::Checkpoint(error),
                Err(TlogProofError::Inclusion(error)) => VerifyError::Proof(error),
                Err(error) => VerifyError::Form(error),
            };
            if refused.as_ref().is_none_or(VerifyError::is_of_another_key) {
                refused = Some(error);
            }
        }
        Err(refused.unwrap_or(VerifyError::NoVkey))
    }

    /// Checks that the log of the checkpoint `new` continues that of `old`, by a consistency proof (RFC 6962 §2.1.2).
    /// Either may be signed by any of the vkeys.
    ///
    /// # Errors
    ///
    /// [`VerifyError`] says what does not fit.
    pub fn verify_consistency(
        &self,
        old: &SignedCheckpoint,
        new: &SignedCheckpoint,
        proof: &[Hash],
    ) -> Result<(), VerifyError> {
        let (old, new) = (self.verify_checkpoint(old)?, self.verify_checkpoint(new)?);
        if old.origin() != new.origin() {
            let (found, expected) = (new.origin().clone(), old.origin().clone());
            return Err(CheckpointError::Origin { found, expected }.into());
        }
        merkle::verify_consistency(old.size(), &old.root(), new.size(), &new.root(), proof)?;
        Ok(())
    }

    /// Checks that one of the vkeys signed a checkpoint, and gives what it says.
    ///
    /// # Errors
    ///
    /// [`VerifyError`] says what does not fit; under several vkeys, that none of them signed only if none is named.
    pub fn verify_checkpoint<'a>(&self, signed: &'a SignedCheckpoint) -> Result<&'a Checkpoint, VerifyError> {
        let mut refused = None;
        for vkey in &self.vkeys {
            match signed.verify(vkey).map_err(VerifyError::Checkpoint) {
                Ok(_) => return Ok(signed.checkpoint()),
                Err(error) if refused.as_ref().is_none_or(VerifyError::is_of_another_key) => refused = Some(error),
                Err(_) => {}
            }
        }
        Err(refused.unwrap_or(VerifyError::NoVkey))
    }

    fn thread_count(&self) -> usize {
        self.threads
            .unwrap_or_else(|| thread::available_parallelism().map_or(1, NonZero::get))
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier")
            .field("vkeys", &self.vkeys)
            .field("trusted", &self.trusted)
            .field("threads", &self.threads)
            .finish_non_exhaustive()
    }
}

/// Why a record or a checkpoint is not shown to be of the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// The checkpoint is of another log, or not signed by the vkey: it says by whom.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The proof does not lead to the root of the checkpoint.
    #[error(transparent)]
    Proof(#[from] ProofError),
    /// The proof is none.
    #[error(transparent)]
    Form(TlogProofError),
    /// The proof is of another record.
    #[error("the proof is of record {proof}, not of record {record}")]
    OtherRecord {
        /// The `seq` of the record.
        record: u64,
        /// The index in the proof.
        proof: u64,
    },
    /// No vkey was given.
    #[error("no vkey was given")]
    NoVkey,
}

impl VerifyError {
    /// Whether it says no more than that another key signed: under that one, all may fit.
    pub fn is_of_another_key(&self) -> bool {
        matches!(
            self,
            Self::Checkpoint(CheckpointError::Unsigned { .. } | CheckpointError::Origin { .. }) | Self::NoVkey
        )
    }
}

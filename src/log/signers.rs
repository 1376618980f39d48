//! Whose manifests an export follows: those that a key of the log has signed.

use std::path::Path;

use super::shared::Shared;
use crate::action::AUDIT_LOG_SIGNING_KEY_ROTATED;
use crate::error::{Error, Result};
use crate::export::Manifest;
use crate::note::VerifierKey;
use crate::proof::Proof;
use crate::query::{Order, Query};
use crate::reader::LogReader;
use crate::record::Record;
use crate::store::KeptRotation;

/// The keys that may have signed a manifest: the one in force and, once one is met that it did not sign, those that
/// the log's rotations name. A rotation counts only where a checkpoint covers it (FORMAT §7).
pub(super) struct Signers<'a> {
    shared: &'a Shared,
    known: Vec<VerifierKey>,
    are_all: bool,
}

impl<'a> Signers<'a> {
    pub(super) fn new(shared: &'a Shared) -> Self {
        Self {
            shared,
            known: vec![shared.vkey()],
            are_all: false,
        }
    }

    /// Reads a manifest that one of them signed. An error names `address`.
    pub(super) fn open(&mut self, address: &Path, note: &str) -> Result<Manifest> {
        let mut opened = Manifest::open(note, &self.known);
        if opened.is_err() && !self.are_all {
            self.find_all()?;
            opened = Manifest::open(note, &self.known);
        }
        opened.map_err(|error| {
            let problem = format!("no key of this log signed it: {error}");
            Error::damaged(address.display().to_string(), None, problem)
        })
    }

    fn find_all(&mut self) -> Result<()> {
        self.are_all = true;
        let reader = LogReader::of(self.shared.store.clone(), self.shared.indexes.clone());
        let mut query = Query::new()
            .action(AUDIT_LOG_SIGNING_KEY_ROTATED)
            .order(Order::OldestFirst)
            .limit(1000);
        loop {
            let page = reader.query(&query)?;
            for found in page.found {
                if self.shared.is_covered(&found.record)? {
                    self.add(&found.record);
                }
            }
            match page.next {
                Some(next) => query = query.after(next),
                None => break,
            }
        }
        // From the last one back: of each, a key that is known already has signed the commit.
        for kept in self.shared.store.kept_rotations()?.iter().rev() {
            if let Some(rotation) = self.signed(kept) {
                self.add(&rotation);
            }
        }
        Ok(())
    }

    /// The rotation that a purge kept, if a known key has signed a checkpoint that covers it.
    fn signed(&self, kept: &KeptRotation) -> Option<Record> {
        let (line, proof) = std::str::from_utf8(&kept.content).ok()?.split_once('\n')?;
        let (rotation, proof) = (Record::from_line(line.as_bytes()).ok()?, proof.parse::<Proof>().ok()?);
        let is_rotation = rotation.action().as_deref() == Some(AUDIT_LOG_SIGNING_KEY_ROTATED.as_str());
        let has_signed = |key: &VerifierKey| proof.verify(rotation.hash(), key).is_ok();
        (is_rotation && self.known.iter().any(has_signed)).then_some(rotation)
    }

    /// Adds those that a rotation names.
    fn add(&mut self, rotation: &Record) {
        let named = ["old", "new"].map(|key| rotation.metadata_text(key)?.parse().ok());
        for key in named.into_iter().flatten() {
            if !self.known.contains(&key) {
                self.known.push(key);
            }
        }
    }
}

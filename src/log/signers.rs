//! Whose manifests an export follows: those that a key of the log has signed.

use std::path::Path;

use super::shared::Shared;
use crate::error::{Error, Result};
use crate::export::Manifest;
use crate::note::VerifierKey;
use crate::query::{Order, Query};
use crate::reader::LogReader;
use crate::record::Record;

/// The keys that may have signed a manifest: the one in force and, once one is met that it did not sign, those that
/// the log's rotations name.
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
        for kept in self.shared.store.kept_rotations()? {
            let line = kept.content.split(|byte| *byte == b'\n').next().unwrap_or_default();
            Record::from_line(line).iter().for_each(|rotation| self.add(rotation));
        }
        let reader = LogReader::of(self.shared.store.clone(), self.shared.indexes.clone());
        let mut query = Query::new()
            .action(crate::action::AUDIT_LOG_SIGNING_KEY_ROTATED)
            .order(Order::OldestFirst)
            .limit(1000);
        loop {
            let page = reader.query(&query)?;
            page.found.iter().for_each(|found| self.add(&found.record));
            match page.next {
                Some(next) => query = query.after(next),
                None => return Ok(()),
            }
        }
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

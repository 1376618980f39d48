//! The answer to a query, a page at a time.

use std::ops::Range;

use crate::proof::Proof;
use crate::record::Record;

/// A page of the answer to a query.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Page {
    /// The records, in the query's order.
    pub found: Vec<Found>,
    /// The cursor of the next page; `None` where this is the last one.
    pub next: Option<String>,
    /// What cannot be found any more among the records that this page looked at.
    pub gone: Gone,
    /// How many records the log had, purged ones among them.
    pub size: u64,
}

/// A record that a query found.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Found {
    /// The record.
    pub record: Record,
    /// Its proof, where the query wanted one.
    pub proof: Option<Proof>,
}

impl From<Record> for Found {
    fn from(record: Record) -> Self {
        Self { record, proof: None }
    }
}

impl Found {
    /// The record as one JSON object in canonical form: `{"event","hash","recorded_at","seq"}`, the event with its
    /// personal data merged in, and `proof` as a tlog-proof's text where there is one. `None` for a record that is
    /// erased meanwhile.
    pub fn to_json(&self) -> Option<String> {
        let event = self.record.merged_json()?;
        let (hash, seq, recorded_at) = (self.record.hash(), self.record.seq(), self.record.recorded_at()?);
        let proof = self.proof.as_ref().map(|proof| {
            let mut text = br#","proof":"#.to_vec();
            crate::json::string(&mut text, &proof.to_string());
            String::from_utf8(text).unwrap_or_default()
        });
        let proof = proof.unwrap_or_default();
        Some(format!(
            r#"{{"event":{event},"hash":"{hash}"{proof},"recorded_at":"{recorded_at}","seq":{seq}}}"#
        ))
    }
}

/// What a query cannot find: its content is purged or erased. A record of them may have been one that it asks for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Gone {
    /// The records that are purged, by `seq`.
    pub purged: Option<Range<u64>>,
    /// How many records are erased.
    pub erased: u64,
    /// How many records are left without their personal data, where the query asks for that.
    pub personal_erased: u64,
}

impl Gone {
    /// These records are purged too.
    pub(super) fn purge(&mut self, range: Range<u64>) {
        let purged = self.purged.get_or_insert(range.clone());
        *purged = range.start.min(purged.start)..range.end.max(purged.end);
    }
}

//! What the announcements of a log say is done (FORMAT §7).

#![warn(clippy::unwrap_used, clippy::indexing_slicing, clippy::as_conversions)]

use super::shared::Shared;
use crate::error::Result;
use crate::json::{self, JsonError, Reader};
use crate::record::Record;
use crate::store::Erasure;

/// What an announcement says is done.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Announced {
    Purged { before: u64 },
    Erased { ranges: Vec<(u64, u64)>, what: Erasure },
}

/// What a record announces, if it announces anything.
pub(crate) fn announced(record: &Record) -> Option<Announced> {
    let action = record.action()?;
    let what = match action.as_str() {
        "audit_log.purged" => None,
        "audit_log.record.erased" => Some(Erasure::Record),
        "audit_log.personal_data.erased" => Some(Erasure::PersonalData),
        _ => return None,
    };
    let (mut before, mut ranges) = (None, None);
    let mut reader = Reader::new(record.event_json()?.as_bytes(), json::DEPTH_MAX).ok()?;
    let entry = |key: &str, value: &mut Reader<'_>| match key {
        "metadata" => value.object(|key, value| {
            match key {
                "before" => before = Some(value.unsigned()?),
                "ranges" => ranges = Some(read_ranges(value)?),
                _ => value.skip()?,
            }
            Ok(())
        }),
        _ => value.skip(),
    };
    reader.object::<JsonError>(entry).ok()?;
    match what {
        None => Some(Announced::Purged { before: before? }),
        Some(what) => Some(Announced::Erased { ranges: ranges?, what }),
    }
}

fn read_ranges(value: &mut Reader<'_>) -> Result<Vec<(u64, u64)>, JsonError> {
    let mut ranges = Vec::new();
    value.list::<JsonError>(|_, range| {
        let mut ends = Vec::with_capacity(2);
        range.list::<JsonError>(|_, end| {
            ends.push(end.unsigned()?);
            Ok(())
        })?;
        match ends.as_slice() {
            [first, last] => ranges.push((*first, *last)),
            _ => return Err(JsonError::other("a range has two ends")),
        }
        Ok(())
    })?;
    Ok(ranges)
}

impl Shared {
    /// Whether the log's newest checkpoint covers a record, by a proof: only then what it says counts (FORMAT §7).
    pub(super) fn is_covered(&self, record: &Record) -> Result<bool> {
        let (newest, vkey) = {
            // No rotation comes between.
            let core = self.core();
            (self.follow.newest(), core.signer.vkey().clone())
        };
        let Some(newest) = newest else { return Ok(false) };
        // Without the cache, the proof is made from the log.
        let _ = self.catch_up();
        let view = self.tree().view(newest.checkpoint().size()).ok();
        let proof = crate::reader::prove(self.store.as_ref(), record.seq(), newest, view)?;
        Ok(proof.verify(record.hash(), &vkey).is_ok())
    }
}

/// What stands in the line of an announcement.
pub(super) const ANNOUNCED: [&str; 3] = [
    "\"audit_log.purged\"",
    "\"audit_log.record.erased\"",
    "\"audit_log.personal_data.erased\"",
];

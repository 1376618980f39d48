//! Which bundles are not served: remembered beside the checkpoint that they were found with, so that the next
//! publication looks only at what the log announced since.

#![warn(clippy::unwrap_used, clippy::indexing_slicing, clippy::as_conversions)]

use std::collections::BTreeSet;
use std::ops::Range;

use crate::checkpoint::Checkpoint;
use crate::error::Result;
use crate::hash::Hash;
use crate::json::{self, JsonError, Reader, string, unsigned};
use crate::log::announced::{Announced, announced};
use crate::merkle::TILE_WIDTH;
use crate::reader::find_records;
use crate::store::{Erasure, Store};

/// What is withheld up to a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Withheld {
    pub(super) size: u64,
    root: Hash,
    pub(super) minimum_index: u64,
    pub(super) bundles: BTreeSet<u64>,
}

impl Withheld {
    /// Of no tree at all.
    pub(super) fn none() -> Self {
        Self {
            size: 0,
            root: Hash::ZERO,
            minimum_index: 0,
            bundles: BTreeSet::new(),
        }
    }

    /// Reads what was remembered with a checkpoint; `None` where it is of another one, or not exactly as it is written.
    pub(super) fn parse(text: &[u8], with: &Checkpoint) -> Option<Self> {
        let mut ranges = Vec::new();
        let (mut size, mut root, mut minimum_index) = (None, None, None);
        let mut reader = Reader::new(text.trim_ascii_end(), json::DEPTH_MAX).ok()?;
        let read = reader.object(|key, value| {
            match key {
                "bundles" => value.list(|_, value| {
                    let mut ends = Vec::with_capacity(2);
                    value.list(|_, end| {
                        ends.push(end.unsigned()?);
                        Ok::<_, JsonError>(())
                    })?;
                    ranges.push(ends);
                    Ok::<_, JsonError>(())
                })?,
                "minimum_index" => minimum_index = Some(value.unsigned()?),
                "root" => root = value.string()?.parse().ok(),
                "size" => size = Some(value.unsigned()?),
                _ => return Err(JsonError::other("a member that is not known")),
            }
            Ok(())
        });
        read.and_then(|()| reader.end()).ok()?;
        let (size, root): (u64, Hash) = (size?, root?);
        if (size, root) != (with.size(), with.root()) {
            return None;
        }
        let (mut bundles, mut after) = (BTreeSet::new(), 0);
        for range in &ranges {
            match **range {
                // In order and apart: however long the text is, no bundle is taken twice.
                [first, last] if first >= after && last < size.div_ceil(TILE_WIDTH) => {
                    bundles.extend(first..=last);
                    after = last + 1;
                }
                _ => return None,
            }
        }
        let withheld = Self {
            size,
            root,
            minimum_index: minimum_index?,
            bundles,
        };
        (withheld.to_json().as_bytes() == text).then_some(withheld)
    }

    /// Canonical JSON, and LF.
    pub(super) fn to_json(&self) -> String {
        let mut out = b"{\"bundles\":[".to_vec();
        let mut ranges: Vec<(u64, u64)> = Vec::new();
        for index in &self.bundles {
            match ranges.last_mut() {
                Some((_, last)) if *last + 1 == *index => *last = *index,
                _ => ranges.push((*index, *index)),
            }
        }
        for (at, (first, last)) in ranges.into_iter().enumerate() {
            out.extend_from_slice(if at == 0 { b"[" } else { b",[" });
            unsigned(&mut out, first);
            out.push(b',');
            unsigned(&mut out, last);
            out.push(b']');
        }
        out.extend_from_slice(b"],\"minimum_index\":");
        unsigned(&mut out, self.minimum_index);
        out.extend_from_slice(b",\"root\":");
        string(&mut out, &self.root.to_string());
        out.extend_from_slice(b",\"size\":");
        unsigned(&mut out, self.size);
        out.extend_from_slice(b"}\n");
        String::from_utf8(out).unwrap_or_default()
    }

    /// The same at a later checkpoint. Bundles that end before the minimum index are no longer among them.
    pub(super) fn at(&self, now: &Checkpoint, minimum_index: u64) -> Self {
        let is_left = |index: &&u64| (**index + 1) * TILE_WIDTH > minimum_index;
        Self {
            size: now.size(),
            root: now.root(),
            minimum_index,
            bundles: self.bundles.iter().filter(is_left).copied().collect(),
        }
    }

    /// Adds the bundles of the records that are erased, as the log announced it in a range of its records. What is
    /// announced counts, whether it is done yet or not: an announcement stands behind all that it names (FORMAT §7).
    pub(super) fn add_announced(
        &mut self,
        store: &dyn Store,
        range: Range<u64>,
        goes_on: impl Fn() -> Result<()>,
    ) -> Result<()> {
        find_records(store, range, &[ERASED], goes_on, |record| {
            if let Some(Announced::Erased {
                ranges,
                what: Erasure::Record,
            }) = announced(&record)
            {
                for (first, last) in ranges.into_iter().filter(|(_, last)| *last < record.seq()) {
                    let first = (first / TILE_WIDTH).max(self.minimum_index / TILE_WIDTH);
                    self.bundles.extend(first..=last / TILE_WIDTH);
                }
            }
        })
    }
}

/// What stands in the line of an announcement that records are erased.
const ERASED: &str = "\"audit_log.record.erased\"";

/// The longest text: some hundred thousand ranges.
pub(super) const WITHHELD_BYTES_MAX: usize = 16 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_exactly_as_it_is_written_and_with_its_checkpoint_alone() {
        let origin: crate::note::Origin = "auth.example.com/audit".parse().expect("an origin");
        let checkpoint = Checkpoint::new(origin.clone(), 3_000, Hash::of(b"root")).expect("a checkpoint");
        let withheld = Withheld {
            size: 3_000,
            root: Hash::of(b"root"),
            minimum_index: 512,
            bundles: [2, 3, 4, 9, 11].into(),
        };
        let text = withheld.to_json();
        assert!(
            text.starts_with("{\"bundles\":[[2,4],[9,9],[11,11]],\"minimum_index\":512,"),
            "{text}"
        );
        assert_eq!(Withheld::parse(text.as_bytes(), &checkpoint).as_ref(), Some(&withheld));
        let other = Checkpoint::new(origin, 3_000, Hash::of(b"other")).expect("a checkpoint");
        assert_eq!(Withheld::parse(text.as_bytes(), &other), None);
        for (from, to) in [
            ("[11,11]", "[12,12]"),
            ("[11,11]", "[11,9007199254740991]"),
            ("[2,4]", "[2,3],[4,4]"),
            ("[2,4]", "[4,2]"),
            ("[2,4]", "[2]"),
            (":3000", ":3001"),
            ("}\n", "}"),
            ("{", "{\"a\":1,"),
        ] {
            let changed = text.replacen(from, to, 1);
            assert_ne!(changed, text);
            assert_eq!(Withheld::parse(changed.as_bytes(), &checkpoint), None, "{to}");
        }
        for length in 0..text.len() {
            assert_eq!(Withheld::parse(text.as_bytes().split_at(length).0, &checkpoint), None);
        }
    }

    #[test]
    fn who_repeats_a_range_again_and_again_keeps_nobody_waiting() {
        let (size, root) = (25_600_000, Hash::of(b"root"));
        let origin = "auth.example.com/audit".parse().expect("an origin");
        let checkpoint = Checkpoint::new(origin, size, root).expect("a checkpoint");
        let ranges = vec!["[0,99999]"; 100_000].join(",");
        let text = format!("{{\"bundles\":[{ranges}],\"minimum_index\":0,\"root\":\"{root}\",\"size\":{size}}}\n");
        let began = std::time::Instant::now();
        assert_eq!(Withheld::parse(text.as_bytes(), &checkpoint), None);
        assert!(began.elapsed().as_secs() < 30, "{:?}", began.elapsed());
    }
}

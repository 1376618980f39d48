//! What applying a retention did, or would do.

use std::collections::BTreeMap;
use std::ops::{Range, RangeInclusive};

use serde::ser::{Serialize, SerializeMap, Serializer};

use super::sight::Sight;
use super::survey::{Step, Taken};
use crate::json;
use crate::timestamp::Timestamp;

/// What [`AuditLog::apply_retention`](crate::AuditLog::apply_retention) did, or would do
/// ([`plan_retention`](crate::AuditLog::plan_retention)).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetentionReport {
    /// The time at which it was judged what is over.
    pub at: Timestamp,
    /// The records that go with their segments, by `seq`.
    pub purged: Option<Range<u64>>,
    /// Those segments.
    pub segments: Vec<String>,
    /// The records that are erased one by one, by `seq`. What was erased before may stand between them.
    pub erased: Vec<RangeInclusive<u64>>,
    /// How many records lose their content, by the rule that says so, as it is written.
    pub by_rule: BTreeMap<String, u64>,
    /// Of them, what a sink or an export had not got at the [limit](super::Retention::delivery_limit).
    pub dropped: Vec<RangeInclusive<u64>>,
    /// How many more entries there are than `segments`, `erased` and `dropped` list: of each, the first 100,000.
    pub unlisted: u64,
    /// How many records are over and stay, by the legal hold that keeps them.
    pub held: BTreeMap<String, u64>,
    /// How many records are over and stay, since a sink or an export has not got them.
    pub waiting: u64,
    /// How many records the log is left with. In a segment that is too young to be looked into, those that were erased
    /// by hand count too.
    pub left: u64,
}

impl Serialize for RetentionReport {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let ranges = |ranges: &[RangeInclusive<u64>]| -> Vec<(u64, u64)> {
            ranges.iter().map(|range| (*range.start(), *range.end())).collect()
        };
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("at", &self.at.to_string())?;
        map.serialize_entry("by_rule", &self.by_rule)?;
        map.serialize_entry("dropped", &ranges(&self.dropped))?;
        map.serialize_entry("erased", &ranges(&self.erased))?;
        map.serialize_entry("held", &self.held)?;
        map.serialize_entry("left", &self.left)?;
        if let Some(purged) = &self.purged {
            map.serialize_entry("purged", &(purged.start, purged.end.saturating_sub(1)))?;
        }
        map.serialize_entry("records", &self.records())?;
        map.serialize_entry("segments", &self.segments)?;
        map.serialize_entry("unlisted", &self.unlisted)?;
        map.serialize_entry("waiting", &self.waiting)?;
        map.end()
    }
}

impl RetentionReport {
    pub(crate) fn new(at: Timestamp) -> Self {
        Self {
            at,
            purged: None,
            segments: Vec::new(),
            erased: Vec::new(),
            by_rule: BTreeMap::new(),
            dropped: Vec::new(),
            unlisted: 0,
            held: BTreeMap::new(),
            waiting: 0,
            left: 0,
        }
    }

    /// How many records lose their content.
    pub fn records(&self) -> u64 {
        self.by_rule.values().sum()
    }

    /// The report as one JSON object in canonical form, with the names of its fields; ranges as `[first, last]`, both ends
    /// inclusive. `purged` is left out where nothing is.
    pub fn to_json(&self) -> String {
        json::to_text(self)
    }

    /// What stays is counted anew.
    pub(super) fn forget_what_stays(&mut self) {
        self.held.clear();
        (self.waiting, self.left) = (0, 0);
    }

    /// Adds what stays of a segment once all is erased in it that can be.
    pub(super) fn stays(&mut self, sight: &Sight) {
        self.left += sight.whole - sight.going();
        self.waiting += sight.waiting;
        for (hold, count) in &sight.held {
            *self.held.entry(hold.clone()).or_default() += count;
        }
    }

    /// Adds what a step takes.
    pub(crate) fn add(&mut self, taken: Taken, name: impl Fn(Option<usize>) -> String) {
        for (rule, count) in taken.counts {
            *self.by_rule.entry(name(rule)).or_default() += count;
        }
        let ranges = |ranges: Vec<(u64, u64)>| ranges.into_iter().map(|(from, to)| from..=to).collect();
        self.unlisted += list(&mut self.dropped, ranges(taken.dropped));
        match taken.step {
            Step::Purge {
                first,
                before,
                segments,
            } => {
                let first = self.purged.as_ref().map_or(first, |purged| purged.start);
                self.purged = Some(first..before);
                self.unlisted += list(&mut self.segments, segments);
            }
            Step::Erase { ranges: erased } => self.unlisted += list(&mut self.erased, ranges(erased)),
        }
    }
}

/// Lists more, and gives how many are left out: a run over a large log may have millions.
fn list<T>(listed: &mut Vec<T>, mut more: Vec<T>) -> u64 {
    let rest = more.split_off(more.len().min(LISTED_MAX - listed.len().min(LISTED_MAX)));
    listed.append(&mut more);
    u64::try_from(rest.len()).unwrap_or(u64::MAX)
}

const LISTED_MAX: usize = 100_000;

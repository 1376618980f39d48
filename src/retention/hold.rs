//! Legal holds: what must not go, whatever else says that it may.

use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::error::{Cause, Result};
use crate::event::scan::{members, text};
use crate::json;
use crate::query::{Matcher, Query};
use crate::reader::walk_ranges;
use crate::record::{Record, RecordLine};
use crate::store::{Erasure, Store};
use crate::timestamp::Timestamp;

/// A legal hold that is in force: what it covers is neither erased nor purged.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Hold {
    /// Its name.
    pub name: String,
    /// What it covers, as [`Query::parse`] reads it; empty for every record. `None` where that cannot be read any more:
    /// then it covers every record.
    pub filter: Option<String>,
    /// Why it was placed.
    pub reason: String,
    /// The id of who placed it.
    pub by: String,
    /// The record that places it (`audit_log.legal_hold.placed`).
    pub seq: u64,
    /// When it was placed.
    pub placed_at: Timestamp,
}

impl Serialize for Hold {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("by", &self.by)?;
        if let Some(filter) = &self.filter {
            map.serialize_entry("filter", filter)?;
        }
        map.serialize_entry("name", &self.name)?;
        map.serialize_entry("placed_at", &self.placed_at.to_string())?;
        map.serialize_entry("reason", &self.reason)?;
        map.serialize_entry("seq", &self.seq)?;
        map.end()
    }
}

impl Hold {
    /// The hold as one JSON object in canonical form, with the names of its fields; `filter` is left out where it cannot
    /// be read.
    pub fn to_json(&self) -> String {
        json::to_text(self)
    }

    /// The hold that a record places.
    fn placed(record: &Record) -> Option<Self> {
        let event = record.event_json()?.as_bytes();
        let actor = members(event).find(|(key, _)| *key == b"actor")?.1;
        let by = members(actor).find(|(key, _)| *key == b"id")?.1;
        Some(Self {
            name: metadata(record, "name")?,
            filter: metadata(record, "filter"),
            reason: metadata(record, "reason").unwrap_or_default(),
            by: text(by).into_owned(),
            seq: record.seq(),
            placed_at: record.recorded_at()?,
        })
    }
}

/// What a log's own records say about what is kept, up to some record.
#[derive(Debug, Clone, Default)]
pub(crate) struct InForce {
    /// All records before this one were looked at.
    pub(crate) read_to: u64,
    /// Changes with each hold that is placed or released.
    pub(crate) version: u64,
    /// Each with what it covers; `None` for every record.
    holds: Vec<(Hold, Option<Query>)>,
    /// The retention that was last said to be applied.
    pub(crate) policy: Option<String>,
}

impl InForce {
    /// What stands in the line of each record that [`take`](Self::take) looks for.
    pub(crate) const TEXTS: [&str; 2] = [
        "\"action\":\"audit_log.legal_hold.",
        "\"action\":\"audit_log.retention_policy.updated\"",
    ];

    /// Whether it is a record that [`take`](Self::take) looks for.
    pub(crate) fn concerns(record: &Record) -> bool {
        let actions = [PLACED, RELEASED, POLICY];
        record.action().is_some_and(|action| actions.contains(&&*action))
    }

    /// Takes the next record of those that it [`concerns`](Self::concerns).
    pub(crate) fn take(&mut self, record: &Record) {
        match record.action().as_deref() {
            Some(PLACED) => {
                let Some(hold) = Hold::placed(record) else { return };
                self.holds.retain(|(other, _)| other.name != hold.name);
                let query = hold.filter.as_deref().and_then(|filter| Query::parse(filter).ok());
                self.holds.push((hold, query));
                self.version = record.seq() + 1;
            }
            Some(RELEASED) => {
                let name = metadata(record, "name");
                self.holds.retain(|(hold, _)| Some(&hold.name) != name.as_ref());
                self.version = record.seq() + 1;
            }
            Some(POLICY) => self.policy = metadata(record, "policy"),
            _ => {}
        }
    }

    /// The holds in force, in the order in which they were placed.
    pub(crate) fn holds(&self) -> impl Iterator<Item = &Hold> {
        self.holds.iter().map(|(hold, _)| hold)
    }

    pub(crate) fn find(&self, name: &str) -> Option<&Hold> {
        self.holds().find(|hold| hold.name == name)
    }

    /// Ready to look at many records.
    pub(crate) fn covers(&self) -> Covers<'_> {
        let covers = self.holds.iter().map(|(hold, query)| {
            let filter = query.as_ref().map(|query| &query.filter);
            (hold, filter.map(|filter| Matcher::new(filter, filter.start())))
        });
        Covers(covers.collect())
    }

    /// Refuses what would take anything that a hold covers from the records in `ranges`, both ends inclusive.
    ///
    /// # Errors
    ///
    /// [`Cause::Held`] with the first record that is covered, and where the records cannot be read.
    pub(crate) fn check(&self, store: &dyn Store, ranges: &[(u64, u64)], what: Taking) -> Result<()> {
        if self.holds.is_empty() {
            return Ok(());
        }
        let held = |hold: &Hold, seq: u64| {
            let hold = hold.name.clone();
            Err(Cause::Held { hold, seq }.into())
        };
        // What a hold covers stands in the record that places it, in its personal data where it says something personal.
        let loses = |(hold, query): &&(Hold, Option<Query>)| match what {
            Taking::Content(Erasure::Record) => false,
            Taking::Content(Erasure::PersonalData)
                if query.as_ref().is_some_and(|query| !query.filter.is_personal()) =>
            {
                false
            }
            _ => ranges.iter().any(|(from, to)| (*from..=*to).contains(&hold.seq)),
        };
        if let Some((hold, _)) = self.holds.iter().find(loses) {
            return held(hold, hold.seq);
        }
        let covers = self.covers();
        let mut found = None;
        walk_ranges(store, ranges, |leaf| {
            if let (None, Some(record)) = (found, leaf.record()) {
                found = covers.find(record).map(|hold| (hold, leaf.seq));
            }
        })?;
        found.map_or(Ok(()), |(hold, seq)| held(hold, seq))
    }
}

/// What is about to be taken from records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taking {
    Content(Erasure),
    /// With the records themselves.
    Everything,
}

/// The holds in force and what each covers.
#[derive(Debug)]
pub(crate) struct Covers<'a>(Vec<(&'a Hold, Option<Matcher<'a>>)>);

impl<'a> Covers<'a> {
    /// A hold that covers a record.
    pub(crate) fn find(&self, record: &RecordLine<'_>) -> Option<&'a Hold> {
        let mut covers = self.0.iter();
        let found = covers.find(|(_, matcher)| matcher.as_ref().is_none_or(|matcher| matcher.matches(record)));
        found.map(|(hold, _)| *hold)
    }
}

/// A text in the metadata of a record of the log itself, personal or not.
fn metadata(record: &Record, name: &str) -> Option<String> {
    let parts = [record.event_json(), record.personal_json()];
    parts.into_iter().flatten().find_map(|part| {
        let metadata = members(part.as_bytes()).find(|(key, _)| *key == b"metadata")?.1;
        let value = members(metadata).find(|(key, _)| *key == name.as_bytes())?.1;
        value.starts_with(b"\"").then(|| text(value).into_owned())
    })
}

const PLACED: &str = "audit_log.legal_hold.placed";
const RELEASED: &str = "audit_log.legal_hold.released";
const POLICY: &str = "audit_log.retention_policy.updated";

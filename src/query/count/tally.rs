//! Adding up.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use super::{CountBy, Group};
use crate::event::{Action, scan};
use crate::query::TimeField;
use crate::query::error::{Problem, QueryError};
use crate::query::field::Field;
use crate::query::matcher::{key_is, spelled};
use crate::query::visit::{Place, fields, spelled_target};
use crate::record::{Personal, RecordLine};
use crate::timestamp::Timestamp;

/// How many records there are, by what they are counted.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) total: u64,
    /// Those whose personal data is erased.
    pub(super) personal_erased: u64,
    /// By the beginning of the part of time.
    groups: BTreeMap<Option<i64>, Values>,
}

#[derive(Debug, Default)]
struct Values {
    /// Without a value.
    none: u64,
    each: HashMap<Box<str>, u64>,
}

impl Tally {
    /// So many records that match, in a part of time.
    pub(super) fn add(&mut self, records: u64) {
        self.total += records;
    }

    /// So many records with this value, or with none.
    pub(super) fn add_value(&mut self, start: Option<i64>, value: Option<&str>, records: u64) {
        if records == 0 {
            return;
        }
        let values = self.groups.entry(start).or_default();
        let Some(value) = value else {
            values.none += records;
            return;
        };
        match values.each.get_mut(value) {
            Some(count) => *count += records,
            None => _ = values.each.insert(value.into(), records),
        }
    }

    /// One record more.
    pub(super) fn add_record(&mut self, record: &RecordLine<'_>, by: &CountBy, time: TimeField) {
        self.total += 1;
        let personal = match record.personal {
            Personal::Present(personal) => personal,
            Personal::Erased(_) => {
                self.personal_erased += 1;
                &[]
            }
        };
        let start = by.bucket.and_then(|bucket| {
            let time = match time {
                TimeField::RecordedAt => Timestamp::from_fixed(record.recorded_at.as_bytes()),
                TimeField::OccurredAt => scan::members(record.event)
                    .find(|(key, _)| *key == b"occurred_at")
                    .and_then(|(_, value)| Timestamp::from_fixed(value.strip_prefix(b"\"")?.strip_suffix(b"\"")?)),
            };
            time.map(|time| bucket.start_of(time.unix_micros()))
        });
        let mut values: Vec<Cow<'_, str>> = Vec::new();
        if let Some(field) = &by.field {
            let mut visit = |place: Place<'_>, value: &'_ [u8]| {
                if let Some(value) = value_of(field, &place, value).filter(|value| !values.contains(value)) {
                    values.push(Cow::Owned(value.into_owned()));
                }
            };
            fields(record.event, &mut visit);
            fields(personal, &mut visit);
        }
        if values.is_empty() {
            self.add_value(start, None, 1);
        }
        for value in values {
            self.add_value(start, Some(&value), 1);
        }
    }

    /// The same and what another one has.
    ///
    /// # Errors
    ///
    /// More groups than are counted.
    pub(super) fn and(&mut self, other: Self) -> Result<(), QueryError> {
        self.total += other.total;
        self.personal_erased += other.personal_erased;
        for (start, values) in other.groups {
            self.add_value(start, None, values.none);
            for (value, records) in values.each {
                self.add_value(start, Some(&value), records);
            }
        }
        self.check()
    }

    /// # Errors
    ///
    /// More groups than are counted.
    pub(super) fn check(&self) -> Result<(), QueryError> {
        let groups: usize = self.groups.values().map(|values| 1 + values.each.len()).sum();
        match groups > GROUPS_MAX {
            true => Err(QueryError::new("by", Problem::TooMany { max: GROUPS_MAX })),
            false => Ok(()),
        }
    }

    pub(super) fn groups(self) -> Vec<Group> {
        let mut groups = Vec::new();
        for (start, values) in self.groups {
            let start = start.and_then(Timestamp::from_unix_micros);
            let none = (None, values.none);
            let each = values
                .each
                .into_iter()
                .map(|(value, records)| (Some(value.into()), records));
            let mut each: Vec<(Option<String>, u64)> =
                each.chain([none].into_iter().filter(|(_, none)| *none > 0)).collect();
            each.sort_unstable_by(|(one, ones), (other, others)| others.cmp(ones).then_with(|| one.cmp(other)));
            let group = |(value, records)| Group { start, value, records };
            groups.extend(each.into_iter().map(group));
        }
        groups
    }
}

/// A value of a field, if this is one.
fn value_of<'a>(field: &Field, place: &Place<'_>, value: &'a [u8]) -> Option<Cow<'a, str>> {
    match (field, place) {
        (Field::Category, Place::Field(Field::EventType)) => {
            Some(Cow::Owned(Action::from(&*spelled(value)).category().to_owned()))
        }
        (Field::UserId, Place::Field(Field::ActorId | Field::OnBehalfOfId | Field::TargetId)) => Some(spelled(value)),
        (Field::Metadata(name), Place::Metadata(key)) => key_is(key, name).then(|| spelled(value)),
        (Field::Target, Place::Target) => Some(Cow::Owned(spelled_target(value))),
        (field, Place::Field(place)) => (field == place).then(|| spelled(value)),
        (_, Place::Metadata(_) | Place::Target) => None,
    }
}

/// More groups are not counted: whoever wants them asks for less at once.
const GROUPS_MAX: usize = 100_000;

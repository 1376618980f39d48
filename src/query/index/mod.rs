//! The index of a sealed segment: which of its records may be those that a query asks for.
//!
//! It is a cache (FORMAT §5): made in the background, made anew where it is missing or damaged, and never believed. What
//! it leads to is compared with the query.
//!
//! Values of fields that have few of them in a segment are listed, each with a bitmap of its records. Of all other values
//! the hash is kept: in a bitmap's place in a list, if many records have it, else in a [table](terms) that takes some 27
//! bits for each. Times are summed up for every 256 records. So no text of a personal field stands in an index.

mod build;
mod candidates;
mod decided;
mod files;
mod format;
mod pages;
mod sealed;
mod tail;
mod terms;

use std::io;
use std::ops::Range;
use std::sync::Arc;

use roaring::RoaringBitmap;
use xxhash_rust::xxh3::{Xxh3, xxh3_64_with_seed};

use super::field::Field;
use super::matcher::Matcher;
use format::Zone;

pub(super) use decided::{Decided, Times};
pub(crate) use files::Indexes;
pub(super) use files::Names;
pub(super) use sealed::SegmentIndex;

/// What is known of the first records of a segment.
pub(super) trait Index {
    /// The segment's first record.
    fn first(&self) -> u64;

    /// Whether its segment is not written to any more: then it holds nothing up, however long it is asked.
    fn is_sealed(&self) -> bool;

    /// Whether it tells of the segment as it is now: no record of it was erased meanwhile.
    fn is_current(&self) -> bool;

    /// How many records it knows.
    fn records(&self) -> u32;

    /// How values are hashed.
    fn term(&self) -> Term;

    /// The records that may have a value with this hash.
    fn hashed(&self, hash: u64) -> io::Result<RoaringBitmap>;

    /// Whether all values of the field at this place of [`LISTED`] are known.
    fn is_listed(&self, place: usize) -> bool;

    /// The values of that field that are asked for, each with its records.
    fn listed(&self, place: usize, is: &dyn Fn(&str) -> bool) -> io::Result<Vec<ListedValue<'_>>>;

    /// The times of every [`ZONE`](build::ZONE) records.
    fn zones(&self) -> io::Result<&[Zone]>;

    /// The times of all records.
    fn all_times(&self) -> io::Result<Zone>;

    /// The records that are erased, and those without personal data.
    fn lost(&self) -> (&RoaringBitmap, &RoaringBitmap);

    /// Where in the segment's file a record or one shortly before it begins, and where what follows it begins at the
    /// latest; `None` where that is not known.
    fn lines_of(&self, seq: u64) -> io::Result<Option<Range<u64>>>;
}

/// A value, and the records that have it.
pub(super) type ListedValue<'a> = (&'a str, Arc<RoaringBitmap>);

impl dyn Index + '_ {
    /// The `seq` after the last record that it knows.
    pub(super) fn end(&self) -> u64 {
        self.first().saturating_add(self.records().into())
    }

    /// The records of a range that may be those that are asked for; `None` where the index does not know, since nothing is
    /// asked that it could tell.
    pub(super) fn candidates(&self, matcher: &Matcher<'_>, range: &Range<u64>) -> io::Result<Option<Candidates>> {
        let Some(mut numbers) = candidates::find(self, matcher)? else {
            return Ok(None);
        };
        let range = self.numbers(range);
        numbers.remove_range(..range.start);
        numbers.remove_range(range.end..);
        let first = self.first();
        Ok(Some(Candidates { first, numbers }))
    }

    /// What the index alone tells of which records of a range are those that are asked for; `None` where it does not.
    pub(super) fn decided(&self, matcher: &Matcher<'_>, range: &Range<u64>) -> io::Result<Option<Decided>> {
        decided::decide(self, matcher, self.numbers(range))
    }

    /// The values of a field, each with its records; `None` where not all are known.
    pub(super) fn values(&self, field: &Field) -> io::Result<Option<Vec<ListedValue<'_>>>> {
        let place = LISTED.iter().position(|listed| listed == field);
        let place = place.filter(|place| self.is_listed(*place));
        place.map(|place| self.listed(place, &|_| true)).transpose()
    }

    /// How many records of a range are erased, and how many without personal data.
    pub(super) fn lost_in(&self, range: &Range<u64>) -> (u64, u64) {
        let range = self.numbers(range);
        let (erased, personal) = self.lost();
        (
            erased.range_cardinality(range.clone()),
            personal.range_cardinality(range),
        )
    }

    pub(super) fn is_erased(&self, seq: u64) -> bool {
        self.number(seq).is_some_and(|number| self.lost().0.contains(number))
    }

    pub(super) fn is_personal_erased(&self, seq: u64) -> bool {
        self.number(seq).is_some_and(|number| self.lost().1.contains(number))
    }

    /// The number of a record.
    fn number(&self, seq: u64) -> Option<u32> {
        u32::try_from(seq.checked_sub(self.first())?).ok()
    }

    /// The numbers of the records of a range.
    fn numbers(&self, range: &Range<u64>) -> Range<u32> {
        let number = |seq: u64| u32::try_from(seq.saturating_sub(self.first())).unwrap_or(u32::MAX);
        number(range.start).min(self.records())..number(range.end).min(self.records())
    }
}

/// The records that an index leads to.
#[derive(Debug)]
pub(super) struct Candidates {
    first: u64,
    numbers: RoaringBitmap,
}

impl Candidates {
    /// By `seq`, in order.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = u64> + '_ {
        self.numbers.iter().map(|number| self.first + u64::from(number))
    }

    /// The range that they are in, where they are a good part of it.
    pub(super) fn dense(&self) -> Option<Range<u64>> {
        let (min, max) = (self.numbers.min()?, self.numbers.max()?);
        let span = u64::from(max - min) + 1;
        let is_dense = self.numbers.len() > DENSE_MIN && self.numbers.len() * DENSE >= span;
        is_dense.then(|| self.first + u64::from(min)..self.first + u64::from(max) + 1)
    }
}

/// The hashes of values.
#[derive(Debug, Clone, Copy)]
pub(super) struct Term {
    seed: u64,
}

impl Term {
    fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// That of a field's value.
    fn of(self, field: &Field, text: &str) -> u64 {
        let place = Field::ALL
            .iter()
            .position(|known| known == field)
            .unwrap_or(Field::ALL.len());
        let seed = self.seed.wrapping_add(place as u64);
        match field {
            // One address is spelled in several ways.
            Field::Ip => match text.parse::<std::net::IpAddr>() {
                Ok(address) => xxh3_64_with_seed(address.to_canonical().to_string().as_bytes(), seed),
                Err(_) => xxh3_64_with_seed(text.as_bytes(), seed),
            },
            _ => xxh3_64_with_seed(text.as_bytes(), seed),
        }
    }

    /// That of a value of metadata.
    fn of_metadata(self, key: &str, text: &str) -> u64 {
        let mut hasher = Xxh3::with_seed(self.seed.wrapping_add(Field::ALL.len() as u64));
        hasher.update(&(key.len() as u64).to_le_bytes());
        hasher.update(key.as_bytes());
        hasher.update(text.as_bytes());
        hasher.digest()
    }
}

/// The fields whose values are listed, unless they are many. None of them is personal.
const LISTED: [Field; 10] = [
    Field::EventType,
    Field::Outcome,
    Field::Severity,
    Field::Reason,
    Field::ActorType,
    Field::TargetType,
    Field::TenantId,
    Field::AuthMethod,
    Field::ClientId,
    Field::Source,
];

/// Where so many records are looked at, and one of so many is a candidate, they are read one after the other.
const DENSE_MIN: u64 = 64;
const DENSE: u64 = 4;

#[cfg(test)]
mod tests;

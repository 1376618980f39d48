//! Which records match, where an index tells it without the records.

use std::collections::BTreeSet;
use std::io;
use std::ops::Range;

use roaring::{MultiOps, RoaringBitmap};

use super::build::ZONE;
use super::candidates::{listed, meets};
use super::format::Zone;
use super::{Index, ListedValue};
use crate::event::Severity;
use crate::query::field::{Field, Value};
use crate::query::matcher::Matcher;

/// What an index tells of a range of records, by their numbers in the segment.
#[derive(Debug)]
pub(in crate::query) struct Decided {
    /// Those that match, but for their times.
    pub(in crate::query) matching: RoaringBitmap,
    /// The first and the last of the times of every [`ZONE`] records.
    zones: Vec<(i64, i64)>,
    /// When the time that is asked for begins and ends.
    period: Option<(i64, i64)>,
}

/// What is known of the times of some records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::query) enum Times {
    /// They are those that are asked for, and in this bucket.
    In(Option<i64>),
    /// They are not those that are asked for.
    Out,
    Unsure,
}

/// `None` where the values that the index lists do not decide.
pub(super) fn decide(index: &dyn Index, matcher: &Matcher<'_>, range: Range<u32>) -> io::Result<Option<Decided>> {
    let Some(mut matching) = matching(index, matcher)? else {
        return Ok(None);
    };
    matching.remove_range(..range.start);
    matching.remove_range(range.end..);
    let times = |zone: &Zone| zone.times(matcher.filter.time);
    Ok(Some(Decided {
        matching,
        zones: index.zones()?.iter().map(times).collect(),
        period: matcher.period(),
    }))
}

fn matching(index: &dyn Index, matcher: &Matcher<'_>) -> io::Result<Option<RoaringBitmap>> {
    let filter = matcher.filter;
    if !filter.words.is_empty() {
        return Ok(None);
    }
    let union = |values: Vec<ListedValue<'_>>| values.iter().map(|(_, records)| records.as_ref()).union();
    let mut matching = RoaringBitmap::new();
    matching.insert_range(0..index.records());
    matching -= index.lost().0;
    for (field, condition) in &filter.conditions {
        let Some(place) = listed(index, field) else {
            return Ok(None);
        };
        let one_of = |values: &BTreeSet<Value>, text: &str| values.iter().any(|value| meets(field, value, text));
        if !condition.any.is_empty() {
            matching &= union(index.listed(place, &|text| one_of(&condition.any, text))?);
        }
        if !condition.none.is_empty() {
            matching -= union(index.listed(place, &|text| one_of(&condition.none, text))?);
        }
    }
    if let Some(min) = filter.severity_min {
        let Some(place) = listed(index, &Field::Severity) else {
            return Ok(None);
        };
        matching &= union(index.listed(place, &|text| Severity::named(text) >= Some(min))?);
    }
    Ok(Some(matching))
}

impl Decided {
    /// What is known of the times of all records, stretch by stretch in order, where `bucket` gives the bucket of a time.
    pub(in crate::query) fn stretches(&self, bucket: Option<&dyn Fn(i64) -> i64>) -> Vec<(Times, Range<u32>)> {
        if self.period.is_none() && bucket.is_none() {
            return vec![(Times::In(None), 0..u32::MAX)];
        }
        let mut stretches: Vec<(Times, Range<u32>)> = Vec::new();
        for (number, (first, last)) in (0_u32..).zip(&self.zones) {
            let times = self.times((*first, *last), bucket);
            let zone = number.saturating_mul(ZONE)..(number + 1).saturating_mul(ZONE);
            match stretches.last_mut() {
                Some((before, stretch)) if *before == times => stretch.end = zone.end,
                _ => stretches.push((times, zone)),
            }
        }
        stretches
    }

    fn times(&self, (first, last): (i64, i64), bucket: Option<&dyn Fn(i64) -> i64>) -> Times {
        let (start, end) = self.period.unwrap_or((i64::MIN, i64::MAX));
        let is_all_time = self.period.is_none();
        // Where all records are erased there are no times.
        if first > last || !is_all_time && (last < start || first >= end) {
            return Times::Out;
        }
        if !is_all_time && (first < start || last >= end) {
            return Times::Unsure;
        }
        match bucket.map(|bucket| (bucket(first), bucket(last))) {
            None => Times::In(None),
            Some((first, last)) if first == last => Times::In(Some(first)),
            Some(_) => Times::Unsure,
        }
    }
}

//! The index of a sealed segment: which of its records may be those that a query asks for.
//!
//! It is a cache (FORMAT §5): made in the background, made anew where it is missing or damaged, and never believed. What
//! it leads to is compared with the query.
//!
//! Values of fields that have few of them in a segment are listed, each with a bitmap of its records. Of all other values
//! the hash is kept: in a bitmap's place in a list, if many records have it, else in a [table](terms) that takes some 27
//! bits for each. Times are summed up for every 256 records. So no text of a personal field stands in an index.

mod build;
mod files;
mod format;
mod pages;
mod terms;

use std::io;
use std::ops::Range;

use roaring::RoaringBitmap;
use xxhash_rust::xxh3::{Xxh3, xxh3_64_with_seed};

use super::TimeField;
use super::condition::Condition;
use super::field::{Field, Value};
use super::matcher::Matcher;
use crate::event::{Action, Severity};
use build::{OFFSET_EVERY, ZONE};
use format::{Header, Listed, Zone};
use pages::{Pages, to_usize};

pub(crate) use files::Indexes;

/// The index of a segment, open for reading.
#[derive(Debug)]
pub(super) struct SegmentIndex {
    pages: Pages,
    header: Header,
    /// Where the header ends.
    parts: u64,
    erased: RoaringBitmap,
    personal_erased: RoaringBitmap,
}

impl SegmentIndex {
    fn open(pages: Pages) -> io::Result<Self> {
        let (header, parts) = Header::read(&pages)?;
        let erased = header.erased.read(&pages, parts)?;
        let personal_erased = header.personal_erased.read(&pages, parts)?;
        Ok(Self {
            pages,
            header,
            parts,
            erased,
            personal_erased,
        })
    }

    /// The `seq` after the segment's last record.
    pub(super) fn end(&self) -> u64 {
        self.header.first.saturating_add(self.header.records.into())
    }

    /// How many records of a range are erased, and how many without personal data.
    pub(super) fn lost(&self, range: &Range<u64>) -> (u64, u64) {
        let range = self.numbers(range);
        let count = |records: &RoaringBitmap| records.range_cardinality(range.clone());
        (count(&self.erased), count(&self.personal_erased))
    }

    pub(super) fn is_personal_erased(&self, seq: u64) -> bool {
        seq.checked_sub(self.header.first)
            .and_then(|number| u32::try_from(number).ok())
            .is_some_and(|number| self.personal_erased.contains(number))
    }

    /// The records of a range that may be those that are asked for, by `seq`; `None` where the index does not know, since
    /// nothing is asked that it could tell.
    pub(super) fn candidates(&self, matcher: &Matcher<'_>, range: &Range<u64>) -> io::Result<Option<Vec<u64>>> {
        let Some(mut found) = self.find(matcher)? else {
            return Ok(None);
        };
        let range = self.numbers(range);
        found.remove_range(..range.start);
        found.remove_range(range.end..);
        let seq = |number: u32| self.header.first + u64::from(number);
        Ok(Some(found.into_iter().map(seq).collect()))
    }

    /// Where in the segment's file a record or one shortly before it begins, and where what follows it begins at the
    /// latest; `None` for a compressed segment.
    pub(super) fn lines_of(&self, seq: u64) -> io::Result<Option<Range<u64>>> {
        let number = seq
            .checked_sub(self.header.first)
            .filter(|number| *number < self.header.records.into());
        let (true, Some(number)) = (self.header.is_plain, number) else {
            return Ok(None);
        };
        let block = number / u64::from(OFFSET_EVERY);
        let is_last = block + 1 == u64::from(self.header.records.div_ceil(OFFSET_EVERY));
        let length = if is_last { 8 } else { 16 };
        let bytes = self.pages.read(self.parts + self.header.offsets + 8 * block, length)?;
        let mut offsets = bytes
            .as_chunks::<8>()
            .0
            .iter()
            .map(|offset| u64::from_le_bytes(*offset));
        let start = offsets.next().unwrap_or_default();
        let end = offsets.next().unwrap_or(self.header.segment_bytes);
        Ok((start < end && end <= self.header.segment_bytes).then_some(start..end))
    }

    /// The numbers of the records of a range.
    fn numbers(&self, range: &Range<u64>) -> Range<u32> {
        let number = |seq: u64| u32::try_from(seq.saturating_sub(self.header.first)).unwrap_or(u32::MAX);
        number(range.start).min(self.header.records)..number(range.end).min(self.header.records)
    }

    fn find(&self, matcher: &Matcher<'_>) -> io::Result<Option<RoaringBitmap>> {
        let mut found = Found(None);
        for (field, condition) in &matcher.filter.conditions {
            if let Some(records) = self.hashed(field, condition)? {
                found.and(records);
            }
        }
        // Few records are sooner read than a bitmap is.
        if found.is_few() {
            return Ok(found.0);
        }
        for (field, condition) in &matcher.filter.conditions {
            if let Some(listed) = self.listed(field) {
                let is_wanted = |text: &str| condition.any.iter().any(|value| meets(field, value, text));
                let is_unwanted = |text: &str| condition.none.iter().any(|value| meets(field, value, text));
                self.narrow(
                    &mut found,
                    listed,
                    (!condition.any.is_empty()).then_some(&is_wanted),
                    &is_unwanted,
                )?;
            }
        }
        if let (Some(min), Some(listed)) = (matcher.filter.severity_min, self.listed(&Field::Severity)) {
            let is_wanted = |text: &str| {
                let severity = Severity::ALL.into_iter().find(|severity| severity.as_str() == text);
                severity >= Some(min)
            };
            self.narrow(&mut found, listed, Some(&is_wanted), &|_| false)?;
        }
        if matcher.start.is_some() || matcher.filter.end.is_some() {
            self.narrow_by_time(&mut found, matcher)?;
        }
        Ok(found.0)
    }

    /// The records that may have one of the values, by the hashes of these; `None` where the hashes do not tell.
    fn hashed(&self, field: &Field, condition: &Condition) -> io::Result<Option<RoaringBitmap>> {
        let places = match field {
            Field::UserId => &[Field::ActorId, Field::OnBehalfOfId, Field::TargetId][..],
            // It is derived of the action.
            Field::Category => return Ok(None),
            field if self.listed(field).is_some() => return Ok(None),
            field => std::slice::from_ref(field),
        };
        let texts: Option<Vec<String>> = condition.any.iter().map(|value| value.exact()).collect();
        let Some(texts) = texts.filter(|texts| !texts.is_empty()) else {
            return Ok(None);
        };
        let term = Term::new(self.header.seed);
        let mut found = RoaringBitmap::new();
        for (place, text) in places
            .iter()
            .flat_map(|place| texts.iter().map(move |text| (place, text)))
        {
            let hash = match place {
                Field::Metadata(key) => term.of_metadata(key, text),
                place => term.of(place, text),
            };
            let frequent = self.header.frequent.binary_search_by_key(&hash, |(hash, _)| *hash);
            match frequent.ok().and_then(|at| self.header.frequent.get(at)) {
                Some((_, bitmap)) => found |= bitmap.read(&self.pages, self.parts)?,
                None => {
                    let table = (self.parts + self.header.directory, self.parts + self.header.entries);
                    found.extend(terms::find(&self.pages, self.header.shape, table, hash)?);
                }
            }
        }
        Ok(Some(found))
    }

    /// The listed field whose values decide on a field.
    fn listed(&self, field: &Field) -> Option<&Listed> {
        let field = if *field == Field::Category {
            &Field::EventType
        } else {
            field
        };
        let place = LISTED.iter().position(|listed| listed == field)?;
        self.header
            .listed
            .iter()
            .find(|listed| usize::from(listed.field) == place)
    }

    fn narrow(
        &self,
        found: &mut Found,
        listed: &Listed,
        is_wanted: Option<&dyn Fn(&str) -> bool>,
        is_unwanted: &dyn Fn(&str) -> bool,
    ) -> io::Result<()> {
        let union = |is: &dyn Fn(&str) -> bool| {
            let mut union = RoaringBitmap::new();
            for (_, bitmap) in listed.values.iter().filter(|(text, _)| is(text)) {
                union |= bitmap.read(&self.pages, self.parts)?;
            }
            Ok::<_, io::Error>(union)
        };
        if let Some(is_wanted) = is_wanted {
            found.and(union(is_wanted)?);
        }
        let unwanted = union(is_unwanted)?;
        if !unwanted.is_empty() {
            let all = || RoaringBitmap::from_sorted_iter(0..self.header.records).unwrap_or_default();
            *found.0.get_or_insert_with(all) -= unwanted;
        }
        Ok(())
    }

    fn narrow_by_time(&self, found: &mut Found, matcher: &Matcher<'_>) -> io::Result<()> {
        let start = matcher.start.map_or(i64::MIN, |start| start.unix_micros());
        let end = matcher.filter.end.map_or(i64::MAX, |end| end.unix_micros());
        let count = to_usize(self.header.records.div_ceil(ZONE).into());
        let zones = self.pages.read(self.parts + self.header.zones, count * Zone::LENGTH)?;
        let mut inside = RoaringBitmap::new();
        let mut is_all = true;
        for (zone, number) in zones.chunks_exact(Zone::LENGTH).map(Zone::from_bytes).zip(0_u32..) {
            let (first, last) = match matcher.filter.time {
                TimeField::OccurredAt => zone.occurred,
                TimeField::RecordedAt => zone.recorded,
            };
            if first < end && last >= start {
                inside.insert_range(number * ZONE..(number + 1).saturating_mul(ZONE).min(self.header.records));
            } else {
                is_all = false;
            }
        }
        // Where all records may be meant, reading them is as good.
        if !is_all || found.0.is_some() {
            found.and(inside);
        }
        Ok(())
    }
}

/// What may be asked for: all records where nothing is known yet.
struct Found(Option<RoaringBitmap>);

impl Found {
    fn and(&mut self, records: RoaringBitmap) {
        match &mut self.0 {
            Some(found) => *found &= records,
            none => *none = Some(records),
        }
    }

    fn is_few(&self) -> bool {
        self.0.as_ref().is_some_and(|found| found.len() <= FEW)
    }
}

fn meets(field: &Field, value: &Value, text: &str) -> bool {
    match field {
        Field::Category => value.is(Action::from(text).category()),
        _ => value.is(text),
    }
}

/// The hashes of values.
#[derive(Debug, Clone, Copy)]
struct Term {
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

/// So many records are read rather than looked for any further.
const FEW: u64 = 32;

#[cfg(test)]
mod tests;

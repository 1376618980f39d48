//! Making the index of a segment from its records.

use std::borrow::Cow;
use std::collections::HashMap;

use roaring::RoaringBitmap;

use super::format::{Bitmap, Contents, Header, Listed, Zone};
use super::terms::{self, Posting, Shape};
use super::{LISTED, Term};
use crate::error::{Error, Result};
use crate::event::scan::members;
use crate::query::matcher::spelled;
use crate::query::visit::{Place, fields};
use crate::record::{Line, Personal, RecordLine};
use crate::store::{LineEnd, Segment, Store};
use crate::timestamp::Timestamp;

/// Makes the index of a segment that is not written to any more; `None` once `goes_on` is false.
pub(super) fn build(
    store: &dyn Store,
    segment: &Segment,
    seed: u64,
    goes_on: &dyn Fn() -> bool,
) -> Result<Option<Contents>> {
    let mut builder = Builder::new(segment, seed);
    let mut lines = store.lines(segment, 0)?;
    while let Some(raw) = lines.next_line()? {
        let damaged = |problem: String| Error::damaged(&segment.name, Some(raw.number), problem);
        if raw.number.is_multiple_of(ASKED_EVERY) && !goes_on() {
            return Ok(None);
        }
        if raw.end != LineEnd::Whole {
            return Err(damaged("it ends within a line".into()));
        }
        let line = Line::parse(raw.bytes).map_err(|error| damaged(error.to_string()))?;
        builder.take(&line).map_err(damaged)?;
        builder.offset += raw.bytes.len() as u64 + 1;
    }
    Ok(Some(builder.finish()))
}

#[derive(Debug)]
pub(super) struct Builder {
    term: Term,
    first: u64,
    is_plain: bool,
    records: u32,
    /// Where the next line begins.
    offset: u64,
    offsets: Vec<u64>,
    zones: Vec<Zone>,
    erased: RoaringBitmap,
    personal_erased: RoaringBitmap,
    listed: Vec<Values>,
    hashed: Vec<Posting>,
}

/// The values of a field, each with its records; `None` once they are too many to be listed.
#[derive(Debug)]
struct Values(Option<HashMap<Box<str>, RoaringBitmap>>);

impl Builder {
    pub(super) fn new(segment: &Segment, seed: u64) -> Self {
        Self {
            term: Term::new(seed),
            first: segment.first,
            is_plain: segment.name.ends_with(".jsonl"),
            records: 0,
            offset: 0,
            offsets: Vec::new(),
            zones: Vec::new(),
            erased: RoaringBitmap::new(),
            personal_erased: RoaringBitmap::new(),
            listed: LISTED.iter().map(|_| Values(Some(HashMap::new()))).collect(),
            hashed: Vec::new(),
        }
    }

    /// Takes the next record; other lines are nothing.
    pub(super) fn take(&mut self, line: &Line<'_>) -> Result<(), String> {
        let Some(seq) = line.seq() else { return Ok(()) };
        let due = self.first + u64::from(self.records);
        if seq != due {
            return Err(format!("seq {seq} where {due} is due"));
        }
        if self.records.is_multiple_of(OFFSET_EVERY) {
            self.offsets.push(self.offset);
        }
        if self.records.is_multiple_of(ZONE) {
            self.zones.push(Zone::EMPTY);
        }
        match line {
            Line::Record(record) => self.record(record),
            _ => _ = self.erased.insert(self.records),
        }
        self.records = self.records.checked_add(1).ok_or("too many records")?;
        Ok(())
    }

    fn record(&mut self, record: &RecordLine<'_>) {
        let time = |text: &[u8]| Timestamp::from_fixed(text).map(Timestamp::unix_micros);
        let occurred_at = members(record.event).find(|(key, _)| *key == b"occurred_at");
        let occurred_at = occurred_at.and_then(|(_, value)| time(value.strip_prefix(b"\"")?.strip_suffix(b"\"")?));
        if let Some(zone) = self.zones.last_mut() {
            zone.take(occurred_at, time(record.recorded_at.as_bytes()));
        }
        let mut visit = |place: Place<'_>, value: &[u8]| self.value(&place, value);
        fields(record.event, &mut visit);
        match record.personal {
            Personal::Present(personal) => fields(personal, &mut visit),
            Personal::Erased(_) => _ = self.personal_erased.insert(self.records),
        }
    }

    fn value(&mut self, place: &Place<'_>, value: &[u8]) {
        let text = spelled(value);
        let listed = match place {
            Place::Field(field) => LISTED.iter().zip(&mut self.listed).find(|(listed, _)| *listed == field),
            Place::Metadata(_) | Place::Target => None,
        };
        if let Some((field, values)) = listed
            && values.0.is_some()
        {
            values.add(&text, self.records);
            if let Some(overflown) = values.take_overflown() {
                for (text, records) in overflown {
                    let hash = self.term.of(field, &text);
                    self.hashed.extend(records.into_iter().map(|record| (hash, record)));
                }
            }
            return;
        }
        let hash = match place {
            Place::Field(field) => self.term.of(field, &text),
            Place::Metadata(key) => self.term.of_metadata(&unquoted(key), &text),
            // By its id.
            Place::Target => return,
        };
        self.hashed.push((hash, self.records));
    }

    fn finish(mut self) -> Contents {
        self.hashed.sort_unstable();
        self.hashed.dedup();
        let frequent = self.take_frequent();
        let shape = Shape {
            count: u32::try_from(self.hashed.len()).unwrap_or(u32::MAX),
            records: self.records,
        };
        let (directory, entries) = terms::write(shape, &self.hashed);
        let mut contents = Contents::new(Header {
            seed: self.term.seed,
            first: self.first,
            records: self.records,
            segment_bytes: self.offset,
            is_plain: self.is_plain,
            shape,
            ..Header::default()
        });
        contents.header.directory = contents.add(&directory);
        contents.header.entries = contents.add(&entries);
        let offsets: Vec<u8> = self.offsets.iter().flat_map(|offset| offset.to_le_bytes()).collect();
        contents.header.offsets = contents.add(&offsets);
        let zones: Vec<u8> = self.zones.iter().flat_map(|zone| zone.to_bytes()).collect();
        contents.header.zones = contents.add(&zones);
        contents.header.erased = contents.add_bitmap(self.erased);
        contents.header.personal_erased = contents.add_bitmap(self.personal_erased);
        for (hash, records) in frequent {
            let bitmap = contents.add_bitmap(records);
            contents.header.frequent.push((hash, bitmap));
        }
        for (field, values) in (0_u8..).zip(self.listed) {
            let Some(values) = values.0 else { continue };
            let mut values: Vec<(Box<str>, RoaringBitmap)> = values.into_iter().collect();
            values.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
            let mut add = |(text, records)| -> (Box<str>, Bitmap) { (text, contents.add_bitmap(records)) };
            let values = values.into_iter().map(&mut add).collect();
            contents.header.listed.push(Listed { field, values });
        }
        contents
    }

    pub(super) fn first(&self) -> u64 {
        self.first
    }

    pub(super) fn records(&self) -> u32 {
        self.records
    }

    pub(super) fn term(&self) -> Term {
        self.term
    }

    pub(super) fn zones(&self) -> &[Zone] {
        &self.zones
    }

    pub(super) fn lost(&self) -> (&RoaringBitmap, &RoaringBitmap) {
        (&self.erased, &self.personal_erased)
    }

    /// The values of a listed field, while they are not too many.
    pub(super) fn values(&self, place: usize) -> Option<&HashMap<Box<str>, RoaringBitmap>> {
        self.listed.get(place)?.0.as_ref()
    }

    /// The postings that came since they were taken last.
    pub(super) fn take_postings(&mut self) -> Vec<Posting> {
        std::mem::take(&mut self.hashed)
    }

    /// Takes the values out of the table that many records have.
    fn take_frequent(&mut self) -> Vec<(u64, RoaringBitmap)> {
        let mut frequent = Vec::new();
        let mut rare = Vec::with_capacity(self.hashed.len());
        for group in self.hashed.chunk_by(|(one, _), (other, _)| one == other) {
            match group {
                [(hash, _), ..] if group.len() > FREQUENT => {
                    let records = group.iter().map(|(_, record)| *record);
                    frequent.push((*hash, RoaringBitmap::from_sorted_iter(records).unwrap_or_default()));
                }
                _ => rare.extend_from_slice(group),
            }
        }
        self.hashed = rare;
        frequent
    }
}

impl Values {
    fn add(&mut self, text: &str, record: u32) {
        let Some(values) = &mut self.0 else { return };
        let records = match values.get_mut(text) {
            Some(records) => records,
            None => values.entry(text.into()).or_default(),
        };
        // Two targets may have the same type: then it is there already.
        records.insert(record);
    }

    /// The values, once they are more than are listed.
    fn take_overflown(&mut self) -> Option<HashMap<Box<str>, RoaringBitmap>> {
        let length = self.0.as_ref().map_or(0, HashMap::len);
        if length > LISTED_MAX { self.0.take() } else { None }
    }
}

/// A key of metadata, which stands between quotes.
fn unquoted(key: &[u8]) -> Cow<'_, str> {
    match key.contains(&b'\\') {
        true => Cow::Owned(crate::event::scan::text(&[b"\"", key, b"\""].concat()).into_owned()),
        false => String::from_utf8_lossy(key),
    }
}

/// After so many lines it is asked whether to go on.
const ASKED_EVERY: u64 = 4096;

/// The offset of each of so many records is kept.
pub(super) const OFFSET_EVERY: u32 = 8;

/// The times of so many records are summed up.
pub(super) const ZONE: u32 = 256;

/// A value that more records of a segment have gets a bitmap.
const FREQUENT: usize = 255;

/// A field with more values in a segment is not listed.
const LISTED_MAX: usize = 256;

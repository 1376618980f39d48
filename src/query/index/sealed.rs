//! The index of a sealed segment, in its file.

use std::collections::HashMap;
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use roaring::RoaringBitmap;

use super::build::{OFFSET_EVERY, ZONE};
use super::format::{Bitmap, Header, Listed, Zone};
use super::pages::{Pages, to_usize};
use super::{Index, ListedValue, Term, terms};

/// The index of a segment, open for reading.
#[derive(Debug)]
pub(in crate::query) struct SegmentIndex {
    pages: Pages,
    header: Header,
    /// Where the header ends.
    parts: u64,
    erased: RoaringBitmap,
    personal_erased: RoaringBitmap,
    /// Bitmaps that were read, by their places: those of listed values are asked for again and again.
    kept: Mutex<HashMap<u64, Arc<RoaringBitmap>>>,
    /// The times, once they were asked for: of all records, and of every [`ZONE`] of them.
    zones: OnceLock<(Zone, Vec<Zone>)>,
}

impl SegmentIndex {
    pub(super) fn open(pages: Pages) -> io::Result<Self> {
        let (header, parts) = Header::read(&pages)?;
        let erased = header.erased.read(&pages, parts)?;
        let personal_erased = header.personal_erased.read(&pages, parts)?;
        Ok(Self {
            pages,
            header,
            parts,
            erased,
            personal_erased,
            kept: Mutex::default(),
            zones: OnceLock::new(),
        })
    }

    /// The length of the segment's lines, where it is not compressed.
    pub(super) fn plain_bytes(&self) -> Option<u64> {
        self.header.is_plain.then_some(self.header.segment_bytes)
    }

    /// The checksum of what the segment's file begins and ends with.
    pub(super) fn ends(&self) -> u64 {
        self.header.ends
    }

    fn bitmap(&self, bitmap: Bitmap) -> io::Result<Arc<RoaringBitmap>> {
        let kept = || self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(records) = kept().get(&bitmap.place()) {
            return Ok(Arc::clone(records));
        }
        let records = Arc::new(bitmap.read(&self.pages, self.parts)?);
        kept().insert(bitmap.place(), Arc::clone(&records));
        Ok(records)
    }

    fn times(&self) -> io::Result<&(Zone, Vec<Zone>)> {
        if let Some(zones) = self.zones.get() {
            return Ok(zones);
        }
        let count = to_usize(self.header.records.div_ceil(ZONE).into());
        let bytes = self.pages.read(self.parts + self.header.zones, count * Zone::LENGTH)?;
        let zones: Vec<Zone> = bytes.chunks_exact(Zone::LENGTH).map(Zone::from_bytes).collect();
        Ok(self.zones.get_or_init(|| (Zone::over(&zones), zones)))
    }

    fn values(&self, place: usize) -> Option<&Listed> {
        self.header
            .listed
            .iter()
            .find(|listed| usize::from(listed.field) == place)
    }
}

impl Index for SegmentIndex {
    fn first(&self) -> u64 {
        self.header.first
    }

    fn is_sealed(&self) -> bool {
        true
    }

    fn is_current(&self) -> bool {
        self.pages.is_there()
    }

    fn records(&self) -> u32 {
        self.header.records
    }

    fn term(&self) -> Term {
        Term::new(self.header.seed)
    }

    fn hashed(&self, hash: u64) -> io::Result<RoaringBitmap> {
        let frequent = self.header.frequent.binary_search_by_key(&hash, |(hash, _)| *hash);
        match frequent.ok().and_then(|at| self.header.frequent.get(at)) {
            Some((_, bitmap)) => Ok(self.bitmap(*bitmap)?.as_ref().clone()),
            None => {
                let table = (self.parts + self.header.directory, self.parts + self.header.entries);
                let found = terms::find(&self.pages, self.header.shape, table, hash)?;
                Ok(RoaringBitmap::from_sorted_iter(found).unwrap_or_default())
            }
        }
    }

    fn is_listed(&self, place: usize) -> bool {
        self.values(place).is_some()
    }

    fn listed(&self, place: usize, is: &dyn Fn(&str) -> bool) -> io::Result<Vec<ListedValue<'_>>> {
        let values = self.values(place).map_or(&[][..], |listed| &listed.values);
        let values = values.iter().filter(|(text, _)| is(text));
        values
            .map(|(text, bitmap)| Ok((&**text, self.bitmap(*bitmap)?)))
            .collect()
    }

    fn zones(&self) -> io::Result<&[Zone]> {
        Ok(&self.times()?.1)
    }

    fn all_times(&self) -> io::Result<Zone> {
        Ok(self.times()?.0)
    }

    fn lost(&self) -> (&RoaringBitmap, &RoaringBitmap) {
        (&self.erased, &self.personal_erased)
    }

    fn lines_of(&self, seq: u64) -> io::Result<Option<Range<u64>>> {
        let number = seq.checked_sub(self.header.first);
        let number = number.filter(|number| *number < self.header.records.into());
        let (Some(bytes), Some(number)) = (self.plain_bytes(), number) else {
            return Ok(None);
        };
        let block = number / u64::from(OFFSET_EVERY);
        let is_last = block + 1 == u64::from(self.header.records.div_ceil(OFFSET_EVERY));
        let length = if is_last { 8 } else { 16 };
        let offsets = self.pages.read(self.parts + self.header.offsets + 8 * block, length)?;
        let mut offsets = offsets
            .as_chunks::<8>()
            .0
            .iter()
            .map(|offset| u64::from_le_bytes(*offset));
        let start = offsets.next().unwrap_or_default();
        let end = offsets.next().unwrap_or(bytes);
        Ok((start < end && end <= bytes).then_some(start..end))
    }
}

//! What an index file holds: a header, and the parts that it points to.

use std::io;

use roaring::RoaringBitmap;

use super::pages::{Pages, damaged, to_usize};
use super::terms::Shape;
use crate::query::TimeField;

/// An index in memory, on its way to a file: the header and the parts behind it.
#[derive(Debug)]
pub(super) struct Contents {
    pub(super) header: Header,
    parts: Vec<u8>,
}

/// Where everything stands. Places are counted from the end of the header.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Header {
    /// Of the hashes of values.
    pub(super) seed: u64,
    /// The segment's first record.
    pub(super) first: u64,
    pub(super) records: u32,
    /// The length of the segment's lines.
    pub(super) segment_bytes: u64,
    /// The checksum of what the segment's file begins and ends with: no other log has a segment of which both are so.
    pub(super) ends: u64,
    /// The segment is not compressed: offsets are those of its file.
    pub(super) is_plain: bool,
    pub(super) shape: Shape,
    pub(super) directory: u64,
    pub(super) entries: u64,
    pub(super) offsets: u64,
    pub(super) zones: u64,
    pub(super) erased: Bitmap,
    pub(super) personal_erased: Bitmap,
    /// The hashes of values that many records have, in order.
    pub(super) frequent: Vec<(u64, Bitmap)>,
    pub(super) listed: Vec<Listed>,
}

/// Where a bitmap stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Bitmap {
    place: u64,
    length: u32,
    pub(super) count: u32,
}

/// A field, all of whose values are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listed {
    /// Its place in [`LISTED`](super::LISTED).
    pub(super) field: u8,
    /// In order.
    pub(super) values: Vec<(Box<str>, Bitmap)>,
}

/// The first and the last of the times of some records, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::query) struct Zone {
    pub(super) occurred: (i64, i64),
    pub(super) recorded: (i64, i64),
}

impl Zone {
    pub(super) const EMPTY: Self = Self {
        occurred: (i64::MAX, i64::MIN),
        recorded: (i64::MAX, i64::MIN),
    };

    pub(super) fn take(&mut self, occurred: Option<i64>, recorded: Option<i64>) {
        let widen = |range: &mut (i64, i64), time: Option<i64>| {
            *range = match time {
                Some(time) => (range.0.min(time), range.1.max(time)),
                // A time that is none is in no range: the records are to be looked at.
                None => (i64::MIN, i64::MAX),
            };
        };
        widen(&mut self.occurred, occurred);
        widen(&mut self.recorded, recorded);
    }

    /// The times of all of them.
    pub(super) fn over(zones: &[Self]) -> Self {
        let join = |one: (i64, i64), other: (i64, i64)| (one.0.min(other.0), one.1.max(other.1));
        zones.iter().fold(Self::EMPTY, |all, zone| Self {
            occurred: join(all.occurred, zone.occurred),
            recorded: join(all.recorded, zone.recorded),
        })
    }

    /// The first and the last of the times that are meant.
    pub(super) fn times(self, field: TimeField) -> (i64, i64) {
        match field {
            TimeField::OccurredAt => self.occurred,
            TimeField::RecordedAt => self.recorded,
        }
    }

    pub(super) fn to_bytes(self) -> [u8; Self::LENGTH] {
        let mut bytes = [0; Self::LENGTH];
        let times = [self.occurred.0, self.occurred.1, self.recorded.0, self.recorded.1];
        for (to, time) in bytes.chunks_exact_mut(8).zip(times) {
            to.copy_from_slice(&time.to_le_bytes());
        }
        bytes
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Self {
        let mut times = bytes.as_chunks::<8>().0.iter().map(|time| i64::from_le_bytes(*time));
        let mut next = || times.next().unwrap_or_default();
        Self {
            occurred: (next(), next()),
            recorded: (next(), next()),
        }
    }

    pub(super) const LENGTH: usize = 32;
}

impl Contents {
    pub(super) fn new(header: Header) -> Self {
        let parts = Vec::new();
        Self { header, parts }
    }

    pub(super) fn add(&mut self, part: &[u8]) -> u64 {
        let place = self.parts.len() as u64;
        self.parts.extend_from_slice(part);
        place
    }

    pub(super) fn add_bitmap(&mut self, mut records: RoaringBitmap) -> Bitmap {
        records.optimize();
        let mut bytes = Vec::with_capacity(records.serialized_size());
        // To a vector, nothing fails.
        let _ = records.serialize_into(&mut bytes);
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        Bitmap {
            place: self.add(&bytes),
            length,
            count: u32::try_from(records.len()).unwrap_or(u32::MAX),
        }
    }

    /// The whole stream of the file.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let header = self.header.to_bytes();
        let mut bytes = Vec::with_capacity(PREFIX + header.len() + self.parts.len());
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&(header.len() as u64).to_le_bytes());
        bytes.extend_from_slice(&header);
        bytes.extend_from_slice(&self.parts);
        bytes
    }
}

impl Header {
    /// Reads the header of a file, and says where it ends.
    pub(super) fn read(pages: &Pages) -> io::Result<(Self, u64)> {
        let prefix = pages.read(0, PREFIX)?;
        let (magic, length) = prefix.split_at(MAGIC.len());
        if magic != MAGIC {
            return Err(damaged("it is of another version, or none"));
        }
        let length = length.first_chunk().map_or(0, |length| u64::from_le_bytes(*length));
        let bytes = pages.read(PREFIX as u64, to_usize(length))?;
        let header = Decoder(&bytes).header().ok_or_else(|| damaged("its header"))?;
        Ok((header, PREFIX as u64 + length))
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut out = Encoder(Vec::new());
        for number in [self.seed, self.first, self.segment_bytes, self.ends] {
            out.u64(number);
        }
        for number in [self.records, self.shape.count, u32::from(self.is_plain)] {
            out.u32(number);
        }
        for place in [self.directory, self.entries, self.offsets, self.zones] {
            out.u64(place);
        }
        out.bitmap(self.erased);
        out.bitmap(self.personal_erased);
        out.count(self.frequent.len());
        for (hash, bitmap) in &self.frequent {
            out.u64(*hash);
            out.bitmap(*bitmap);
        }
        out.count(self.listed.len());
        for listed in &self.listed {
            out.0.push(listed.field);
            out.count(listed.values.len());
            for (text, bitmap) in &listed.values {
                out.count(text.len());
                out.0.extend_from_slice(text.as_bytes());
                out.bitmap(*bitmap);
            }
        }
        out.0
    }
}

impl Bitmap {
    /// No other bitmap of the index has it.
    pub(super) fn place(self) -> u64 {
        self.place
    }

    /// Reads it. `parts` is where the header ends.
    pub(super) fn read(self, pages: &Pages, parts: u64) -> io::Result<RoaringBitmap> {
        let bytes = pages.read(parts + self.place, to_usize(self.length.into()))?;
        RoaringBitmap::deserialize_from(bytes.as_slice()).map_err(|_| damaged("a bitmap"))
    }
}

struct Encoder(Vec<u8>);

impl Encoder {
    fn u64(&mut self, number: u64) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    fn u32(&mut self, number: u32) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    fn count(&mut self, count: usize) {
        self.u32(u32::try_from(count).unwrap_or(u32::MAX));
    }

    fn bitmap(&mut self, bitmap: Bitmap) {
        self.u64(bitmap.place);
        self.u32(bitmap.length);
        self.u32(bitmap.count);
    }
}

struct Decoder<'a>(&'a [u8]);

impl Decoder<'_> {
    fn header(&mut self) -> Option<Header> {
        let mut header = Header {
            seed: self.u64()?,
            first: self.u64()?,
            segment_bytes: self.u64()?,
            ends: self.u64()?,
            records: self.u32()?,
            ..Header::default()
        };
        header.shape = Shape {
            count: self.u32()?,
            records: header.records,
        };
        header.is_plain = self.u32()? == 1;
        header.directory = self.place()?;
        header.entries = self.place()?;
        header.offsets = self.place()?;
        header.zones = self.place()?;
        header.erased = self.bitmap()?;
        header.personal_erased = self.bitmap()?;
        for _ in 0..self.u32()? {
            header.frequent.push((self.u64()?, self.bitmap()?));
        }
        for _ in 0..self.u32()? {
            let field = self.bytes::<1>()?[0];
            let mut values = Vec::new();
            for _ in 0..self.u32()? {
                let length = usize::try_from(self.u32()?).ok()?;
                let (text, rest) = self.0.split_at_checked(length)?;
                self.0 = rest;
                values.push((std::str::from_utf8(text).ok()?.into(), self.bitmap()?));
            }
            header.listed.push(Listed { field, values });
        }
        Some(header)
    }

    fn bytes<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (bytes, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.bytes().map(u64::from_le_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.bytes().map(u32::from_le_bytes)
    }

    /// One that an index can have: what is added to it does not overflow.
    fn place(&mut self) -> Option<u64> {
        self.u64().filter(|place| *place <= PLACE_MAX)
    }

    fn bitmap(&mut self) -> Option<Bitmap> {
        Some(Bitmap {
            place: self.place()?,
            length: self.u32()?,
            count: self.u32()?,
        })
    }
}

/// What a file begins with: its kind and version.
const MAGIC: &[u8; 8] = b"indelix3";

/// No index is as large as this: 1 TiB.
const PLACE_MAX: u64 = 1 << 40;

/// The magic bytes and the length of the header.
const PREFIX: usize = 16;

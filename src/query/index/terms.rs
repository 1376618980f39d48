//! Which records have a value: for values that few records of a segment have.
//!
//! A value stands there as a part of its hash. The entries are sorted by hash and stand in buckets by its first bits;
//! each has the next eight bits and the record's number in the segment, packed. So a look-up reads a few bytes, and finds
//! one record too many about once in sixteen times: who asks compares the record.

use std::io;

use super::pages::{Pages, damaged, to_usize};

/// The hash of a value, and a record that has it.
pub(super) type Posting = (u64, u32);

/// How a table stands in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Shape {
    /// How many entries there are.
    pub(super) count: u32,
    /// How many records the segment has.
    pub(super) records: u32,
}

impl Shape {
    fn bucket_bits(self) -> u32 {
        (self.count / BUCKET).checked_ilog2().map_or(0, |bits| bits + 1)
    }

    fn record_bits(self) -> u32 {
        u32::BITS - self.records.leading_zeros()
    }

    fn entry_bits(self) -> u32 {
        self.record_bits() + FINGERPRINT
    }

    /// The bytes of the beginnings of the buckets.
    pub(super) fn directory_length(self) -> usize {
        ((1_usize << self.bucket_bits()) + 1) * 4
    }

    fn bucket(self, hash: u64) -> u64 {
        hash.checked_shr(u64::BITS - self.bucket_bits()).unwrap_or(0)
    }

    fn fingerprint(self, hash: u64) -> u64 {
        hash.checked_shl(self.bucket_bits()).unwrap_or(0) >> (u64::BITS - FINGERPRINT)
    }
}

/// The table of these postings, which are sorted: directory and entries.
pub(super) fn write(shape: Shape, postings: &[Posting]) -> (Vec<u8>, Vec<u8>) {
    let mut directory = Vec::with_capacity(shape.directory_length());
    let mut entries = BitWriter::default();
    let mut next = 0_u64;
    for (at, (hash, record)) in (0_u32..).zip(postings) {
        while next <= shape.bucket(*hash) {
            directory.extend_from_slice(&at.to_le_bytes());
            next += 1;
        }
        entries.push(shape.fingerprint(*hash), FINGERPRINT);
        entries.push(u64::from(*record), shape.record_bits());
    }
    directory.resize(shape.directory_length(), 0);
    for end in directory.chunks_exact_mut(4).skip(to_usize(next)) {
        end.copy_from_slice(&shape.count.to_le_bytes());
    }
    (directory, entries.finish())
}

/// The records that may have a value with this hash, in order.
pub(super) fn find(pages: &Pages, shape: Shape, (directory, entries): (u64, u64), hash: u64) -> io::Result<Vec<u32>> {
    if shape.count == 0 {
        return Ok(Vec::new());
    }
    let ends = pages.read(directory + 4 * shape.bucket(hash), 8)?;
    let (start, end) = ends.split_at(4);
    let number = |bytes: &[u8]| bytes.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes));
    let (start, end) = (u64::from(number(start)), u64::from(number(end)));
    if start > end || end > u64::from(shape.count) {
        return Err(damaged("a bucket is out of order"));
    }
    let width = u64::from(shape.entry_bits());
    let (first_bit, last_bit) = (start * width, end * width);
    let first_byte = first_bit / 8;
    let bytes = pages.read_once(entries + first_byte, to_usize(last_bit.div_ceil(8) - first_byte))?;
    let wanted = shape.fingerprint(hash);
    let mut found = Vec::new();
    for entry in start..end {
        let bit = entry * width - first_byte * 8;
        let value = bits_at(&bytes, bit, shape.entry_bits());
        if value & ((1 << FINGERPRINT) - 1) == wanted {
            found.extend(u32::try_from(value >> FINGERPRINT));
        }
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

/// Up to 56 bits that begin at a bit, the lowest first.
fn bits_at(bytes: &[u8], bit: u64, count: u32) -> u64 {
    let mut word = [0; 8];
    let rest = bytes.get(to_usize(bit / 8)..).unwrap_or_default();
    for (to, from) in word.iter_mut().zip(rest) {
        *to = *from;
    }
    (u64::from_le_bytes(word) >> (bit % 8)) & ((1 << count) - 1)
}

/// Packs numbers, the lowest bit first.
#[derive(Debug, Default)]
struct BitWriter {
    bytes: Vec<u8>,
    pending: u64,
    count: u32,
}

impl BitWriter {
    fn push(&mut self, value: u64, bits: u32) {
        self.pending |= value << self.count;
        self.count += bits;
        while self.count >= 8 {
            let [lowest, ..] = self.pending.to_le_bytes();
            self.bytes.push(lowest);
            self.pending >>= 8;
            self.count -= 8;
        }
    }

    fn finish(mut self) -> Vec<u8> {
        if self.count > 0 {
            let [lowest, ..] = self.pending.to_le_bytes();
            self.bytes.push(lowest);
        }
        self.bytes
    }
}

/// How many bits of the hash stand in an entry, behind those that say its bucket.
const FINGERPRINT: u32 = 8;

/// How many entries a bucket has at most, in the mean.
const BUCKET: u32 = 16;

#[cfg(test)]
mod tests {
    use std::io::Write;

    use proptest::prelude::*;

    use super::*;
    use crate::query::index::pages::PageWriter;

    proptest! {
        #[test]
        fn every_posting_is_found_and_few_others(
            mut postings in prop::collection::vec((any::<u64>(), 0_u32..5000), 0..3000),
            others in prop::collection::vec(any::<u64>(), 300),
        ) {
            postings.sort_unstable();
            let shape = Shape { count: u32::try_from(postings.len()).unwrap(), records: 5000 };
            let (directory, entries) = write(shape, &postings);
            prop_assert_eq!(directory.len(), shape.directory_length());
            let mut file = tempfile::tempfile().unwrap();
            let mut writer = PageWriter::new(Vec::new());
            writer.write(b"before").unwrap();
            writer.write(&directory).unwrap();
            writer.write(&entries).unwrap();
            file.write_all(&writer.finish().unwrap()).unwrap();
            let pages = Pages::new(file);
            let find = |hash| find(&pages, shape, (6, 6 + directory.len() as u64), hash).unwrap();
            for (hash, record) in &postings {
                prop_assert!(find(*hash).contains(record));
            }
            let more: usize = others.iter().map(|hash| find(*hash).len()).sum();
            prop_assert!(more <= 60, "{more} of 300 look-ups find what is not there");
        }
    }
}

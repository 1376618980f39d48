//! Finds the bytes that end or interrupt a string, many at a time.
//!
//! Eight bytes are one number, the first byte its lowest. Of `x − 1`, computed for all bytes at once, the top bit shows
//! which bytes of `x` were zero: it is borrowed from. A borrow also reaches the byte above one that is found, so only
//! the lowest top bit is sure to be right.

#![warn(clippy::unwrap_used, clippy::indexing_slicing, clippy::as_conversions)]

/// Whether a string escapes this byte (RFC 8785 §3.2.2.2): a quote, a backslash or a control character below 0x20.
#[inline(always)]
pub(super) fn is_special(byte: u8) -> bool {
    (byte ^ 2 <= b' ') | (byte == b'\\')
}

/// Where the first special byte stands; the end of the text if there is none.
#[inline]
pub(super) fn find_special(text: &[u8]) -> usize {
    let (words, rest) = text.as_chunks();
    for (place, word) in words.iter().enumerate() {
        let marks = special_marks(word);
        if marks != 0 {
            return place * 8 + index(marks) / 8;
        }
    }
    match text.last_chunk() {
        // Of the last eight bytes, the first are known not to be special.
        Some(word) => match special_marks(word) {
            0 => text.len(),
            marks => text.len() - 8 + index(marks) / 8,
        },
        None => rest.iter().position(|byte| is_special(*byte)).unwrap_or(rest.len()),
    }
}

/// The top bit of each byte that is special; others may be set above.
#[inline(always)]
fn special_marks(word: &[u8; 8]) -> u64 {
    let word = u64::from_le_bytes(*word);
    let below_space = word.wrapping_sub(ONES * 0x20) & !word;
    (zeros(word ^ (ONES * 0x22)) | zeros(word ^ (ONES * 0x5c)) | below_space) & TOPS
}

/// Whether all bytes are ASCII.
#[inline]
pub(super) fn is_ascii(text: &[u8]) -> bool {
    let is_ascii = |block: &[u8; 64]| block.iter().fold(0, |all, byte| all | byte) < 0x80;
    let (blocks, rest) = text.as_chunks();
    blocks.iter().all(is_ascii) && text.last_chunk().map_or_else(|| rest.is_ascii(), is_ascii)
}

/// Where the special bytes of a text stand.
///
/// It holds a bit for each of the next bytes: to ask is then a matter of a load and a shift, however short or long the
/// strings are.
#[derive(Debug)]
pub(super) struct Specials<'a> {
    text: &'a [u8],
    /// Where in the text the bits begin and end.
    start: usize,
    end: usize,
    /// The lowest bit of the first byte is for the first byte of the text. Zeros fill up the last load.
    bits: [u8; BITS / 8 + 8],
}

impl<'a> Specials<'a> {
    #[inline]
    pub(super) fn new(text: &'a [u8]) -> Self {
        Self {
            text,
            start: 0,
            end: 0,
            bits: [0; BITS / 8 + 8],
        }
    }

    /// Where the first special byte stands from `position` on; the end of the text if there is none.
    #[inline(always)]
    pub(super) fn first(&mut self, position: usize) -> usize {
        match self.window(position) {
            0 => self.search(position),
            bits => position + index(bits),
        }
    }

    /// The bits from `position` on: at least 57 of them, unless they end before.
    #[inline(always)]
    fn window(&self, position: usize) -> u64 {
        let offset = position.wrapping_sub(self.start);
        let bits = self.bits.get(offset / 8..).and_then(|bits| bits.first_chunk());
        bits.map_or(0, |bits| u64::from_le_bytes(*bits) >> (offset % 8))
    }

    #[cold]
    fn search(&mut self, mut position: usize) -> usize {
        while position < self.text.len() {
            let end = self.text.len().min(position + 57);
            if position < self.start || self.end < end {
                self.fill(position);
            }
            match self.window(position) {
                0 => position += 57,
                bits => return position + index(bits),
            }
        }
        self.text.len()
    }

    /// Marks the bytes from `start` on.
    fn fill(&mut self, start: usize) {
        let text = self.text.get(start..).unwrap_or_default();
        let (blocks, rest) = text.as_chunks();
        self.bits = [0; BITS / 8 + 8];
        let mut words = self.bits.as_chunks_mut().0.iter_mut().take(BITS / 64);
        for (block, word) in blocks.iter().zip(words.by_ref()) {
            mark(word, block);
        }
        if let Some(word) = words.next() {
            match text.last_chunk() {
                // The last bytes are marked with those before them, which are then shifted out.
                Some(last) => {
                    mark(word, last);
                    let before = u32::try_from(64 - rest.len()).unwrap_or(64);
                    *word = u64::from_le_bytes(*word).unbounded_shr(before).to_le_bytes();
                }
                None => mark(word, &padded(rest)),
            }
        }
        self.start = start;
        self.end = start + BITS;
    }
}

/// A bit for each byte of a block that is special, the lowest of the first for the first.
#[inline(always)]
fn mark(bits: &mut [u8; 8], block: &[u8; 64]) {
    // The compiler makes vector instructions of the first loop. Multiplying moves the lowest bits of eight bytes into
    // the highest byte.
    let mut flags = [0; 64];
    for (flag, byte) in flags.iter_mut().zip(block) {
        *flag = u8::from(is_special(*byte));
    }
    for (bits, flags) in bits.iter_mut().zip(flags.as_chunks().0) {
        [.., *bits] = u64::from_le_bytes(*flags)
            .wrapping_mul(0x0102_0408_1020_4080)
            .to_le_bytes();
    }
}

/// The first eight bytes of the `length` at `start`, filled up with zeros, as a number that is ordered as they are.
#[inline(always)]
pub(super) fn prefix(text: &[u8], start: usize, length: usize) -> u64 {
    let rest = text.get(start..).unwrap_or_default();
    let word = rest
        .first_chunk()
        .map_or_else(|| u64::from_be_bytes(padded(rest)), |word| u64::from_be_bytes(*word));
    word & PREFIXES.get(length.min(8)).copied().unwrap_or_default()
}

/// Whether the bytes of a word are ASCII.
#[inline(always)]
pub(super) fn is_ascii_word(word: u64) -> bool {
    word & TOPS == 0
}

/// The bytes, filled up with zeros.
#[cold]
fn padded<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut block = [0; N];
    for (to, from) in block.iter_mut().zip(bytes) {
        *to = *from;
    }
    block
}

/// The top bit of each byte that is zero; others may be set above.
#[inline(always)]
fn zeros(word: u64) -> u64 {
    word.wrapping_sub(ONES) & !word
}

/// The place of the lowest bit.
#[inline(always)]
fn index(bits: u64) -> usize {
    let [lowest, ..] = bits.trailing_zeros().to_le_bytes();
    usize::from(lowest)
}

const ONES: u64 = u64::from_le_bytes([1; 8]);
const TOPS: u64 = u64::from_le_bytes([0x80; 8]);

/// The bits of the first n bytes of eight.
const PREFIXES: [u64; 9] = [
    0,
    u64::MAX << 56,
    u64::MAX << 48,
    u64::MAX << 40,
    u64::MAX << 32,
    u64::MAX << 24,
    u64::MAX << 16,
    u64::MAX << 8,
    u64::MAX,
];

/// How many bytes are marked at once: most lines as a whole.
const BITS: usize = 1024;

//! Looking for bytes in the lines of a log, as they are or in any letter case: by those of them that are rare there.

use aho_corasick::packed::{Config, MatchKind, Searcher};
use memchr::arch::all::packedpair::HeuristicFrequencyRank;
use memchr::memmem::{Finder, FinderBuilder};

/// A word of ASCII letters, digits and punctuation.
#[derive(Debug)]
pub(super) struct Word {
    /// In lower case.
    bytes: Vec<u8>,
    /// A few of its bytes that are rare, in every letter case: several places are compared at a time. `None` where this
    /// processor cannot.
    rare: Option<Searcher>,
    /// How many bytes stand before these.
    before: usize,
}

impl Word {
    /// `word` is in lower case.
    pub(super) fn new(word: &str) -> Self {
        let bytes = word.as_bytes();
        let length = bytes.len().min(RARE_LENGTH);
        let windows = bytes.windows(length.max(1)).enumerate();
        let rarest = windows.min_by_key(|(_, window)| window.iter().map(|byte| frequency(*byte)).sum::<usize>());
        let (before, rare) = rarest.unwrap_or((0, bytes));
        let searcher = Config::new()
            .match_kind(MatchKind::LeftmostFirst)
            .builder()
            .extend(spellings(rare))
            .build();
        Self {
            bytes: bytes.to_vec(),
            rare: searcher,
            before,
        }
    }

    pub(super) fn length(&self) -> usize {
        self.bytes.len()
    }

    /// Where it stands first.
    pub(super) fn find(&self, text: &[u8]) -> Option<usize> {
        let is_here = |start: usize| {
            let found = text.get(start..start + self.bytes.len());
            found.is_some_and(|found| found.eq_ignore_ascii_case(&self.bytes))
        };
        let Some(searcher) = &self.rare else {
            let first = *self.bytes.first()?;
            return memchr::memchr2_iter(first, first.to_ascii_uppercase(), text).find(|start| is_here(*start));
        };
        let mut at = self.before;
        while let Some(rest) = text.get(at..) {
            let found = at + searcher.find(rest)?.start();
            if is_here(found - self.before) {
                return Some(found - self.before);
            }
            at = found + 1;
        }
        None
    }
}

/// The bytes in every letter case.
fn spellings(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut spellings = vec![Vec::new()];
    for byte in bytes {
        let upper = byte.to_ascii_uppercase();
        let more = if upper == *byte { Vec::new() } else { spellings.clone() };
        spellings.iter_mut().for_each(|spelling| spelling.push(*byte));
        spellings.extend(more.into_iter().map(|mut spelling| {
            spelling.push(upper);
            spelling
        }));
    }
    spellings
}

/// What looks for some bytes as they are.
pub(super) fn finder(bytes: &[u8]) -> Finder<'static> {
    FinderBuilder::new()
        .build_forward_with_ranker(Frequency, bytes)
        .into_owned()
}

struct Frequency;

impl HeuristicFrequencyRank for Frequency {
    fn rank(&self, byte: u8) -> u8 {
        u8::try_from(5 * frequency(byte)).unwrap_or(u8::MAX)
    }
}

/// How often a byte stands in the lines of a log, roughly: letters as in English, digits of numbers and of hashes.
fn frequency(byte: u8) -> usize {
    let rank = BY_FREQUENCY.iter().position(|known| *known == byte);
    rank.map_or(0, |rank| BY_FREQUENCY.len() - rank)
}

const BY_FREQUENCY: &[u8] = b"\":,0123456789eationsrcdlmu_hpf.gby-wv{}kxjzq";

/// Of so many bytes: in every letter case these are at most eight texts.
const RARE_LENGTH: usize = 3;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_word_is_found_where_it_stands_first(
            word in "[a-z0-9@.-]{1,8}",
            text in "[a-zA-Z0-9@.-]{0,60}",
            at in 0_usize..60,
        ) {
            let mut text = text.into_bytes();
            let at = at.min(text.len());
            let spelled: Vec<u8> = word.bytes().enumerate().map(|(at, byte)| match at % 2 {
                0 => byte.to_ascii_uppercase(),
                _ => byte,
            }).collect();
            for is_there in [false, true] {
                if is_there {
                    text.splice(at..at, spelled.iter().copied());
                }
                let lower = text.to_ascii_lowercase();
                let plain = lower.windows(word.len()).position(|window| window == word.as_bytes());
                prop_assert_eq!(Word::new(&word).find(&text), plain);
            }
        }
    }
}

//! Prints an object whose keys come in any order, and finds the entries of one that is printed.

#![warn(clippy::unwrap_used, clippy::indexing_slicing, clippy::as_conversions)]

use std::borrow::Cow;
use std::cmp::Ordering;
use std::ops::Range;

use super::error::Problem;
use super::{JsonError, write};

/// Writes one object to the end of a buffer, with its keys sorted by UTF-16 code units (RFC 8785 §3.2.3).
///
/// Each [`key`](Self::key) is followed by a value that the caller appends. Entries that come sorted stay where they
/// were written; others are sorted by [`end`](Self::end).
#[derive(Debug)]
pub(crate) struct ObjectWriter {
    start: usize,
    /// The key before, as it is printed, without its quotes.
    previous: Option<Range<usize>>,
    sorted: bool,
}

impl ObjectWriter {
    /// Opens an object.
    pub(crate) fn begin(out: &mut Vec<u8>) -> Self {
        let start = out.len();
        out.push(b'{');
        Self {
            start,
            previous: None,
            sorted: true,
        }
    }

    /// Appends a key. Its value comes next.
    ///
    /// # Errors
    ///
    /// When it is the same as the key before it. Other duplicates are found by [`end`](Self::end).
    pub(crate) fn key(&mut self, out: &mut Vec<u8>, key: &str) -> Result<(), JsonError> {
        if self.previous.is_some() {
            out.push(b',');
        }
        let start = out.len() + 1;
        write::string(out, key);
        let range = start..out.len() - 1;
        if let Some(previous) = self.previous.replace(range.clone()) {
            match key_order(bytes(out, &previous), bytes(out, &range)) {
                Ordering::Less => {}
                Ordering::Equal => return Err(Problem::duplicate_key(key).into()),
                Ordering::Greater => self.sorted = false,
            }
        }
        out.push(b':');
        Ok(())
    }

    /// Closes the object.
    ///
    /// # Errors
    ///
    /// When two keys are the same.
    pub(crate) fn end(self, out: &mut Vec<u8>) -> Result<(), JsonError> {
        out.push(b'}');
        if self.sorted {
            return Ok(());
        }
        let object = out.split_off(self.start);
        let mut entries = Entries::new(&object).collect::<Vec<_>>();
        entries.sort_unstable_by(|a, b| key_order(a.key, b.key));
        for pair in entries.windows(2) {
            if let [a, b] = pair
                && a.key == b.key
            {
                return Err(Problem::duplicate_key(&unescaped(a.key)).into());
            }
        }
        for (index, entry) in entries.iter().enumerate() {
            out.push(if index == 0 { b'{' } else { b',' });
            out.extend_from_slice(entry.bytes);
        }
        out.push(b'}');
        Ok(())
    }
}

/// An entry of an object in canonical form.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry<'a> {
    /// The key as it is printed, without its quotes.
    pub(super) key: &'a [u8],
    pub(super) value: &'a [u8],
    /// Key, colon and value.
    pub(super) bytes: &'a [u8],
}

/// The entries of an object that is known to be without white space.
pub(super) struct Entries<'a>(&'a [u8]);

impl<'a> Entries<'a> {
    pub(super) fn new(object: &'a [u8]) -> Self {
        Self(object.get(1..).unwrap_or_default())
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        let rest = self.0;
        let key_length = string_length(rest)?;
        let value = rest.get(key_length + 1..)?;
        let (value, after) = value.split_at_checked(value_length(value))?;
        self.0 = after.get(1..).unwrap_or_default();
        Some(Entry {
            key: rest.get(1..key_length - 1)?,
            value,
            bytes: rest.get(..key_length + 1 + value.len())?,
        })
    }
}

/// The items of a list that is known to be without white space.
pub(super) struct Items<'a>(&'a [u8]);

impl<'a> Items<'a> {
    pub(super) fn new(list: &'a [u8]) -> Self {
        let items = list.get(1..).unwrap_or_default();
        Self(if items == b"]" { &[] } else { items })
    }
}

impl<'a> Iterator for Items<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        if self.0.is_empty() {
            return None;
        }
        let (value, after) = self.0.split_at_checked(value_length(self.0))?;
        self.0 = after.get(1..).unwrap_or_default();
        Some(value)
    }
}

/// How long the value is that `text` begins with: up to the comma or bracket that ends it.
fn value_length(text: &[u8]) -> usize {
    let mut depth = 0_usize;
    let mut position = 0;
    while let Some(byte) = text.get(position) {
        match byte {
            b'"' => {
                position += string_length(text.get(position..).unwrap_or_default()).unwrap_or(1);
                continue;
            }
            b'{' | b'[' => depth += 1,
            b',' if depth == 0 => break,
            b'}' | b']' if depth == 0 => break,
            b'}' | b']' => depth -= 1,
            _ => {}
        }
        position += 1;
    }
    position
}

/// How long the string is that `text` begins with, with its quotes.
fn string_length(text: &[u8]) -> Option<usize> {
    let mut position = 1;
    if text.first() != Some(&b'"') {
        return None;
    }
    loop {
        match text.get(position)? {
            b'"' => return Some(position + 1),
            b'\\' => position += 2,
            _ => position += 1,
        }
    }
}

/// The order of two keys in canonical form, without their quotes: that of the UTF-16 code units of their text (RFC 8785
/// §3.2.3).
///
/// It is the order of the bytes, but for escapes and for characters beyond U+FFFF, which stand before those from U+E000
/// on.
pub(super) fn key_order(a: &[u8], b: &[u8]) -> Ordering {
    let same = a.iter().zip(b).take_while(|(a, b)| a == b && **a != b'\\').count();
    let plain = |byte: Option<&u8>| byte.is_none_or(|byte| *byte < U_E000 && *byte != b'\\');
    let (next_a, next_b) = (a.get(same), b.get(same));
    match plain(next_a) && plain(next_b) {
        true => next_a.cmp(&next_b),
        false => unescaped(a).encode_utf16().cmp(unescaped(b).encode_utf16()),
    }
}

/// The text of a string in canonical form, given without its quotes.
pub(super) fn unescaped(string: &[u8]) -> Cow<'_, str> {
    if memchr::memchr(b'\\', string).is_none()
        && let Ok(text) = str::from_utf8(string)
    {
        return Cow::Borrowed(text);
    }
    let text = String::from_utf8_lossy(string);
    let mut unescaped = String::with_capacity(string.len());
    let mut rest = text.as_ref();
    while let Some((plain, escaped)) = rest.split_once('\\') {
        unescaped.push_str(plain);
        let mut characters = escaped.chars();
        match characters.next() {
            Some('b') => unescaped.push('\u{8}'),
            Some('t') => unescaped.push('\t'),
            Some('n') => unescaped.push('\n'),
            Some('f') => unescaped.push('\u{c}'),
            Some('r') => unescaped.push('\r'),
            Some('u') => {
                let digits = escaped.get(1..5).unwrap_or_default();
                unescaped.extend(u32::from_str_radix(digits, 16).ok().and_then(char::from_u32));
                characters = escaped.get(5..).unwrap_or_default().chars();
            }
            other => unescaped.extend(other),
        }
        rest = characters.as_str();
    }
    unescaped.push_str(rest);
    Cow::Owned(unescaped)
}

fn bytes<'a>(out: &'a [u8], range: &Range<usize>) -> &'a [u8] {
    out.get(range.clone()).unwrap_or_default()
}

/// The first byte of U+E000 in UTF-8.
const U_E000: u8 = 0xee;

//! Goes over bytes that are canonical already, and shows that they are.
//!
//! Canonical means that printing what the bytes say gives the same bytes: keys strictly ascending by UTF-16 code units,
//! the shortest escapes, numbers as ECMAScript prints them, no white space. Every byte that is verified passes here, so
//! nothing is allocated, but to compare keys that have escapes, and nothing is printed, but the rare number that is no
//! short decimal.

#![warn(clippy::unwrap_used, clippy::indexing_slicing, clippy::as_conversions)]

use std::borrow::Cow;
use std::cmp::Ordering;
use std::ops::Range;

use super::error::Problem;
use super::object::{key_order, unescaped};
use super::read::{number_length, parse_number};
use super::scan::{Specials, is_ascii, is_ascii_word, prefix};
use super::{INTEGER_MAX, JsonError};

/// A cursor over one line.
///
/// Every call takes what comes next, and refuses what is not canonical. After an error the cursor stands where it
/// stood.
#[derive(Debug)]
pub(crate) struct Canonical<'a> {
    text: &'a [u8],
    specials: Specials<'a>,
    position: usize,
    depth: usize,
}

impl<'a> Canonical<'a> {
    /// A cursor at the start of `line`, in which objects and lists may nest `depth` deep.
    ///
    /// # Errors
    ///
    /// When `line` is not UTF-8.
    #[inline]
    pub(crate) fn new(line: &'a [u8], depth: usize) -> Result<Self, JsonError> {
        if !is_ascii(line) {
            str::from_utf8(line).map_err(|error| JsonError::at(Problem::Utf8, error.valid_up_to()))?;
        }
        Ok(Self {
            text: line,
            specials: Specials::new(line),
            position: 0,
            depth,
        })
    }

    /// Takes exactly these bytes.
    ///
    /// # Errors
    ///
    /// When others come next.
    #[inline]
    pub(crate) fn literal(&mut self, bytes: &[u8]) -> Result<(), JsonError> {
        if !self.at(bytes) {
            return Err(JsonError::at(Problem::bytes(bytes), self.position));
        }
        self.position += bytes.len();
        Ok(())
    }

    /// Whether these bytes come next.
    #[inline]
    pub(crate) fn at(&self, bytes: &[u8]) -> bool {
        self.rest(self.position).starts_with(bytes)
    }

    /// Takes a value and gives its bytes.
    ///
    /// # Errors
    ///
    /// When none comes next, or one that is not canonical.
    #[cfg(test)]
    pub(crate) fn value(&mut self) -> Result<&'a [u8], JsonError> {
        let end = self.take_value(self.position, self.depth)?;
        Ok(self.take_until(end))
    }

    /// Takes an object and gives its bytes, and those of the value that it has under `wanted`, a key without escapes.
    ///
    /// # Errors
    ///
    /// When none comes next, or one that is not canonical.
    pub(crate) fn object_with(&mut self, wanted: &'static [u8]) -> Result<(&'a [u8], Option<&'a [u8]>), JsonError> {
        if self.byte(self.position) != b'{' {
            return Err(expected("an object", self.position));
        }
        let text = self.text;
        let mut found = None;
        let end = self.take_members(self.position + 1, self.depth, |key, value| {
            if text.get(key) == Some(wanted) {
                found = text.get(value);
            }
        })?;
        Ok((self.take_until(end), found))
    }

    /// Takes a string and gives its text.
    ///
    /// # Errors
    ///
    /// When none comes next, or one that is not canonical.
    pub(crate) fn string(&mut self) -> Result<Cow<'a, str>, JsonError> {
        if self.byte(self.position) != b'"' {
            return Err(expected("a string", self.position));
        }
        let end = self.take_string(self.position + 1)?;
        let quoted = self.take_until(end);
        Ok(unescaped(quoted.get(1..quoted.len() - 1).unwrap_or_default()))
    }

    /// Takes as many bytes as they stand, whatever they are: the caller checks them.
    ///
    /// # Errors
    ///
    /// When the line ends before.
    #[inline]
    pub(crate) fn bytes<const COUNT: usize>(&mut self) -> Result<&'a [u8; COUNT], JsonError> {
        let bytes = self.rest(self.position).first_chunk();
        let bytes = bytes.ok_or_else(|| expected("more bytes", self.position))?;
        self.position += COUNT;
        Ok(bytes)
    }

    /// Takes an integer from 0 to 2^53−1.
    ///
    /// # Errors
    ///
    /// When none comes next, or one that is not canonical.
    pub(crate) fn unsigned(&mut self) -> Result<u64, JsonError> {
        let digits = digits(self.rest(self.position));
        let problem = || expected("an integer from 0 to 2^53-1", self.position);
        if digits.is_empty() || digits.len() > 16 || (digits.len() > 1 && digits.starts_with(b"0")) {
            return Err(problem());
        }
        let integer = digits
            .iter()
            .fold(0, |integer, digit| integer * 10 + u64::from(digit - b'0'));
        let end = self.position + digits.len();
        if integer > INTEGER_MAX || matches!(self.byte(end), b'.' | b'e' | b'E') {
            return Err(problem());
        }
        self.position = end;
        Ok(integer)
    }

    /// Checks that nothing is left.
    ///
    /// # Errors
    ///
    /// When something is.
    #[inline]
    pub(crate) fn end(&self) -> Result<(), JsonError> {
        if self.position < self.text.len() {
            return Err(JsonError::at(Problem::Trailing, self.position));
        }
        Ok(())
    }

    // What follows is given where something begins, and gives where it ends.

    #[inline(always)]
    fn take_value(&mut self, start: usize, depth: usize) -> Result<usize, JsonError> {
        match self.byte(start) {
            b'"' => self.take_string(start + 1),
            b'{' => self.take_object(start + 1, depth),
            b'[' => self.take_list(start + 1, depth),
            b'-' | b'0'..=b'9' => self.take_number(start),
            b't' => self.take_word(start, "true"),
            b'f' => self.take_word(start, "false"),
            b'n' => self.take_word(start, "null"),
            _ => Err(expected("a value", start)),
        }
    }

    /// Takes an object from behind its brace.
    fn take_object(&mut self, start: usize, depth: usize) -> Result<usize, JsonError> {
        self.take_members(start, depth, |_, _| {})
    }

    /// Takes an object from behind its brace, and tells where each key and value stands.
    #[inline(always)]
    fn take_members(
        &mut self,
        start: usize,
        depth: usize,
        mut member: impl FnMut(Range<usize>, Range<usize>),
    ) -> Result<usize, JsonError> {
        let depth = nested(depth, start)?;
        let mut position = start;
        if self.byte(position) == b'}' {
            return Ok(position + 1);
        }
        // Where the key before stands, and its first bytes as a number of the same order.
        let mut previous = 0;
        let mut previous_prefix = 0;
        loop {
            if self.byte(position) != b'"' {
                return Err(expected("a key", position));
            }
            let key = position + 1;
            let mut key_prefix = u64::MAX;
            position = self.specials.first(key);
            if self.byte(position) == b'"' {
                key_prefix = prefix(self.text, key, position - key);
                position += 1;
            } else {
                position = self.take_escaped(position)?;
            }
            // UTF-8 and UTF-16 agree on the order of ASCII. A prefix that is filled up with zeros is before all longer
            // ones.
            if previous_prefix >= key_prefix || !is_ascii_word(previous_prefix | key_prefix) {
                self.check_order(previous, key, position - 1)?;
            }
            (previous, previous_prefix) = (key, key_prefix);
            if self.byte(position) != b':' {
                return Err(expected("a colon", position));
            }
            let (key, value) = (key..position - 1, position + 1);
            position = self.take_value(value, depth)?;
            member(key, value..position);
            match self.byte(position) {
                b',' => position += 1,
                b'}' => return Ok(position + 1),
                _ => return Err(expected("a comma or the end of the object", position)),
            }
        }
    }

    /// Checks that a key sorts after the one before it, which begins at `previous`; 0 where there is none.
    #[cold]
    fn check_order(&mut self, previous: usize, start: usize, end: usize) -> Result<(), JsonError> {
        if previous == 0 {
            return Ok(());
        }
        let previous_end = self.take_string(previous)? - 1;
        let previous = self.text.get(previous..previous_end).unwrap_or_default();
        let key = self.text.get(start..end).unwrap_or_default();
        match key_order(previous, key) {
            Ordering::Less => Ok(()),
            Ordering::Equal => Err(JsonError::at(Problem::duplicate_key(&unescaped(key)), start - 1)),
            Ordering::Greater => Err(JsonError::at(Problem::key_order(&unescaped(key)), start - 1)),
        }
    }

    /// Takes a list from behind its bracket.
    fn take_list(&mut self, start: usize, depth: usize) -> Result<usize, JsonError> {
        let depth = nested(depth, start)?;
        let mut position = start;
        if self.byte(position) == b']' {
            return Ok(position + 1);
        }
        loop {
            position = self.take_value(position, depth)?;
            match self.byte(position) {
                b',' => position += 1,
                b']' => return Ok(position + 1),
                _ => return Err(expected("a comma or the end of the list", position)),
            }
        }
    }

    /// Takes a string from behind its first quote.
    #[inline(always)]
    fn take_string(&mut self, start: usize) -> Result<usize, JsonError> {
        let end = self.specials.first(start);
        if self.byte(end) == b'"' {
            Ok(end + 1)
        } else {
            self.take_escaped(end)
        }
    }

    /// Takes the rest of a string from an escape on.
    #[cold]
    fn take_escaped(&mut self, start: usize) -> Result<usize, JsonError> {
        let mut position = start;
        loop {
            position += match self.rest(position) {
                [b'"', ..] => return Ok(position + 1),
                [b'\\', b'b' | b't' | b'n' | b'f' | b'r' | b'"' | b'\\', ..] => 2,
                // A control character that has no short escape.
                [b'\\', b'u', b'0', b'0', b'0', b'0'..=b'7' | b'b' | b'e' | b'f', ..] => 6,
                [b'\\', b'u', b'0', b'0', b'1', b'0'..=b'9' | b'a'..=b'f', ..] => 6,
                [b'\\', ..] => return Err(JsonError::at(Problem::EscapeForm, position)),
                [] => return Err(expected("the end of the string", position)),
                _ => return Err(JsonError::at(Problem::Control, position)),
            };
            position = self.specials.first(position);
        }
    }

    fn take_number(&self, start: usize) -> Result<usize, JsonError> {
        let rest = self.rest(start);
        if let Some(length) = short_number(rest) {
            return Ok(start + length);
        }
        let token = number_length(rest)
            .and_then(|length| rest.get(..length))
            .and_then(|token| str::from_utf8(token).ok());
        let token = token.ok_or_else(|| expected("a number", start))?;
        let number = parse_number(token, start)?;
        if ryu_js::Buffer::new().format_finite(number) != token {
            return Err(JsonError::at(Problem::NumberForm, start));
        }
        Ok(start + token.len())
    }

    #[inline]
    fn take_word(&self, start: usize, word: &'static str) -> Result<usize, JsonError> {
        if !self.rest(start).starts_with(word.as_bytes()) {
            return Err(expected(word, start));
        }
        Ok(start + word.len())
    }

    /// The byte at `position`; behind the end a zero, which stands nowhere in canonical JSON.
    #[inline(always)]
    fn byte(&self, position: usize) -> u8 {
        self.text.get(position).copied().unwrap_or_default()
    }

    #[inline]
    fn rest(&self, start: usize) -> &'a [u8] {
        self.text.get(start..).unwrap_or_default()
    }

    fn take_until(&mut self, end: usize) -> &'a [u8] {
        let taken = self.text.get(self.position..end).unwrap_or_default();
        self.position = end;
        taken
    }
}

/// How long the number is that comes next, if it is canonical without being printed: an integer or decimal of at most
/// 15 digits. Such a number is the shortest of its double, since no two of them have the same one. ECMAScript prints it
/// without an exponent from 10^-6 on.
#[inline]
fn short_number(text: &[u8]) -> Option<usize> {
    let unsigned = text.strip_prefix(b"-").unwrap_or(text);
    let integer = digits(unsigned);
    let zero = integer.starts_with(b"0");
    if integer.is_empty() || (zero && integer.len() > 1) {
        return None;
    }
    let mut length = integer.len();
    let mut significant = length;
    match unsigned.get(length) {
        Some(b'.') => {
            let fraction = digits(unsigned.get(length + 1..)?);
            if fraction.last().is_none_or(|digit| *digit == b'0') || (zero && fraction.starts_with(b"000000")) {
                return None;
            }
            length += 1 + fraction.len();
            significant += fraction.len();
        }
        // Minus zero is printed as zero.
        _ if zero && unsigned.len() < text.len() => return None,
        _ => {}
    }
    let exponent = matches!(unsigned.get(length), Some(b'e' | b'E'));
    (significant <= 15 && !exponent).then_some(text.len() - unsigned.len() + length)
}

/// The digits that `text` begins with.
#[inline]
fn digits(text: &[u8]) -> &[u8] {
    let count = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    text.get(..count).unwrap_or_default()
}

#[inline]
fn nested(depth: usize, start: usize) -> Result<usize, JsonError> {
    depth
        .checked_sub(1)
        .ok_or_else(|| JsonError::at(Problem::Depth, start - 1))
}

#[cold]
fn expected(what: &'static str, offset: usize) -> JsonError {
    JsonError::at(Problem::Expected(what), offset)
}

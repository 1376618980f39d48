//! The JSON values of a stream, one after the other.

use std::io::{BufRead, Read};

use crate::failure::Failure;

/// Reads JSON values, each on one line or on many, and holds one of them at a time.
///
/// What is no JSON ends with its line; where brackets stay open, that is the end of the stream.
#[derive(Debug)]
pub(crate) struct Values<R> {
    input: R,
    bytes_max: u64,
    row: Vec<u8>,
    /// How much of the row is taken.
    taken: usize,
    /// Of the row, from 1.
    line: usize,
}

/// What may be a value.
#[derive(Debug, Default)]
pub(crate) struct Value {
    pub(crate) text: Vec<u8>,
    /// On which it begins.
    pub(crate) line: usize,
}

impl<R: BufRead> Values<R> {
    /// No value may have more than `bytes_max` bytes.
    pub(crate) fn new(input: R, bytes_max: u64) -> Self {
        Self {
            input,
            bytes_max,
            row: Vec::new(),
            taken: 0,
            line: 0,
        }
    }

    /// The next one, if there is one.
    pub(crate) fn next(&mut self) -> Result<Option<Value>, Failure> {
        let mut value = Value::default();
        let mut place = Place::default();
        loop {
            let rest = self.row.get(self.taken..).unwrap_or_default();
            let rest = match value.text.is_empty() {
                true => rest.trim_ascii_start(),
                false => rest,
            };
            if value.text.is_empty() {
                value.line = self.line;
            }
            let length = rest.iter().position(|byte| place.ends_with(*byte)).map(|at| at + 1);
            value
                .text
                .extend_from_slice(rest.get(..length.unwrap_or(rest.len())).unwrap_or_default());
            self.taken = self.row.len() - (rest.len() - length.unwrap_or(rest.len()));
            if length.is_some() {
                return Ok(Some(value));
            }
            if !self.read_row(value.text.len())? {
                return Ok(Some(value).filter(|value| !value.text.is_empty()));
            }
        }
    }

    /// Reads the next line, where a value has so many bytes already.
    fn read_row(&mut self, before: usize) -> Result<bool, Failure> {
        let most = self.bytes_max.saturating_sub(u64::try_from(before)?);
        self.row.clear();
        let mut limited = self.input.by_ref().take(most.saturating_add(1));
        let read = limited.read_until(b'\n', &mut self.row)?;
        self.line += 1;
        self.taken = match self.line == 1 && self.row.starts_with(BYTE_ORDER_MARK) {
            true => BYTE_ORDER_MARK.len(),
            false => 0,
        };
        match u64::try_from(read)? <= most {
            true => Ok(read > 0),
            false => Err(Failure::new(format!(
                "line {}: a JSON value has more than {} bytes",
                self.line, self.bytes_max
            ))),
        }
    }
}

/// Where in a value one is.
#[derive(Debug, Default)]
struct Place {
    depth: usize,
    in_string: bool,
    is_escaped: bool,
}

impl Place {
    /// Whether what may be a value ends with this byte.
    fn ends_with(&mut self, byte: u8) -> bool {
        match (self.in_string, byte) {
            // No string goes on.
            (true, b'\n') => return true,
            (true, _) if self.is_escaped => self.is_escaped = false,
            (true, b'\\') => self.is_escaped = true,
            (true, b'"') => self.in_string = false,
            (false, b'"') => self.in_string = true,
            (false, b'{' | b'[') => self.depth += 1,
            (false, b'}' | b']') => {
                self.depth = self.depth.saturating_sub(1);
                return self.depth == 0;
            }
            (false, b'\n') => return self.depth == 0,
            _ => {}
        }
        false
    }
}

/// Some programs begin a file so.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

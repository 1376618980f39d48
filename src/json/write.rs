//! Prints strings and numbers in canonical form (RFC 8785 §3.2.2).

#![warn(clippy::unwrap_used, clippy::indexing_slicing, clippy::as_conversions)]

use super::error::Problem;
use super::{INTEGER_MAX, JsonError, scan};

/// Appends `text` as a JSON string: quoted, with the escapes of RFC 8785 §3.2.2.2 and no others.
#[inline]
pub(crate) fn string(out: &mut Vec<u8>, text: &str) {
    out.reserve(text.len().saturating_add(2));
    out.push(b'"');
    let mut rest = text.as_bytes();
    loop {
        let (plain, special) = rest.split_at(scan::find_special(rest));
        out.extend_from_slice(plain);
        let Some((byte, after)) = special.split_first() else {
            break;
        };
        escape(out, *byte);
        rest = after;
    }
    out.push(b'"');
}

/// How many bytes [`string`] appends for `text`.
#[cfg(any(feature = "splunk", feature = "datadog", feature = "otlp", feature = "token"))]
pub(crate) fn string_size(text: &str) -> usize {
    let extra = |byte: u8| match byte {
        b'"' | b'\\' | 0x08 | b'\t' | b'\n' | 0x0c | b'\r' => 1,
        0..0x20 => 5,
        _ => 0,
    };
    text.len() + 2 + text.bytes().map(extra).sum::<usize>()
}

/// Appends an integer that the caller knows to be at most 2^53−1.
#[inline]
pub(crate) fn unsigned(out: &mut Vec<u8>, number: u64) {
    debug_assert!(number <= INTEGER_MAX, "{number} is beyond 2^53-1");
    decimal(out, number);
}

/// Appends an integer.
///
/// # Errors
///
/// When it is beyond ±(2^53−1).
pub(crate) fn integer(out: &mut Vec<u8>, number: i64) -> Result<(), JsonError> {
    if number.unsigned_abs() > INTEGER_MAX {
        return Err(Problem::IntegerRange.into());
    }
    if number < 0 {
        out.push(b'-');
    }
    decimal(out, number.unsigned_abs());
    Ok(())
}

/// Appends a number in the form that ECMAScript gives it (RFC 8785 §3.2.2.3); −0 is printed as 0.
///
/// # Errors
///
/// When it is NaN or infinite, or when its form has neither fraction nor exponent and it is beyond ±(2^53−1): from 2^53
/// to below 10^21.
pub(crate) fn float(out: &mut Vec<u8>, number: f64) -> Result<(), JsonError> {
    if !number.is_finite() {
        return Err(Problem::NotFinite.into());
    }
    if is_integer_out_of_range(number) {
        return Err(Problem::IntegerRange.into());
    }
    out.extend_from_slice(ryu_js::Buffer::new().format_finite(number).as_bytes());
    Ok(())
}

/// Whether ECMAScript prints the number with neither fraction nor exponent, and it is beyond ±(2^53−1).
pub(super) fn is_integer_out_of_range(number: f64) -> bool {
    (INTEGER_END..EXPONENT_START).contains(&number.abs())
}

fn escape(out: &mut Vec<u8>, byte: u8) {
    let short = match byte {
        0x08 => b'b',
        b'\t' => b't',
        b'\n' => b'n',
        0x0c => b'f',
        b'\r' => b'r',
        b'"' | b'\\' => byte,
        _ => {
            out.extend_from_slice(b"\\u00");
            out.extend_from_slice(&[b'0' + (byte >> 4), hex_digit(byte & 15)]);
            return;
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}

fn hex_digit(nibble: u8) -> u8 {
    if nibble < 10 { b'0' + nibble } else { b'a' - 10 + nibble }
}

fn decimal(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0; 20];
    let mut start = digits.len();
    for digit in digits.iter_mut().rev() {
        let [low, ..] = (number % 10).to_le_bytes();
        *digit = b'0' + low;
        number /= 10;
        start -= 1;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(start..).unwrap_or_default());
}

/// 2^53, the first integer that is out of bounds.
const INTEGER_END: f64 = 9_007_199_254_740_992.0;

/// 10^21, from which on ECMAScript prints a number with an exponent.
const EXPONENT_START: f64 = 1e21;

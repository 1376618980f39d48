//! Goes over JSON that this crate has put into canonical form, without reading it into values.
//!
//! On bytes that are not canonical JSON the results mean nothing, but nothing panics.

use std::borrow::Cow;

use crate::json::read::Reader;

/// The members of an object: each key as it stands between its quotes, and the bytes of its value. Another value has
/// none.
pub(crate) fn members(object: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let object = Some(object)
        .filter(|object| object.starts_with(b"{"))
        .unwrap_or_default();
    let mut position = 1;
    std::iter::from_fn(move || {
        let key = string_end(object, position)?;
        let value = value_end(object, key + 1)?;
        let member = (object.get(position + 1..key - 1)?, object.get(key + 1..value)?);
        position = value + 1;
        Some(member)
    })
}

/// The items of a list. Another value has none.
pub(crate) fn items(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    let list = Some(list).filter(|list| list.starts_with(b"[")).unwrap_or_default();
    let mut position = 1;
    std::iter::from_fn(move || {
        let end = value_end(list, position)?;
        let item = list.get(position..end)?;
        position = end + 1;
        Some(item)
    })
}

/// The end of the string that begins at `start`; `None` where none does.
pub(crate) fn string_end(text: &[u8], start: usize) -> Option<usize> {
    let mut rest = text.get(start..)?.strip_prefix(b"\"")?;
    let mut end = start + 1;
    loop {
        let length = memchr::memchr2(b'"', b'\\', rest)?;
        if rest.get(length) == Some(&b'"') {
            return Some(end + length + 1);
        }
        // An escape: whatever comes after the backslash does not end the string.
        rest = rest.get(length + 2..)?;
        end += length + 2;
    }
}

/// The end of the value that begins at `start`.
pub(crate) fn value_end(text: &[u8], start: usize) -> Option<usize> {
    let (mut position, mut depth) = (start, 0usize);
    loop {
        match *text.get(position)? {
            b'"' => position = string_end(text, position)?,
            b'{' | b'[' => {
                depth += 1;
                position += 1;
            }
            // No value begins with the end of what it stands in.
            b'}' | b']' | b',' if depth == 0 => return None,
            b'}' | b']' => {
                depth -= 1;
                position += 1;
            }
            _ => position += 1,
        }
        if depth == 0 && matches!(text.get(position), None | Some(b'}' | b']' | b',')) {
            return Some(position);
        }
    }
}

/// The text of a string, given with its quotes.
pub(crate) fn text(string: &[u8]) -> Cow<'_, str> {
    match string {
        [b'"', plain @ .., b'"'] if !plain.contains(&b'\\') => String::from_utf8_lossy(plain),
        _ => Reader::new(string, 0)
            .and_then(|mut reader| reader.string())
            .unwrap_or_default(),
    }
}

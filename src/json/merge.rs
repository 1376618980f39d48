//! Lays the personal part of a record over its event (EVENTS §1, "Merging").

#![warn(clippy::unwrap_used, clippy::indexing_slicing, clippy::as_conversions)]

use std::cmp::Ordering;

use super::error::Problem;
use super::object::{Entries, Entry, Items, key_order};
use super::{DEPTH_MAX, JsonError};

/// Appends `event` with `personal` merged in, in canonical form. Both are objects in canonical form.
///
/// Objects are merged key by key, lists of the same length element by element. Where both hold a leaf, or things of
/// different kinds or lengths, that of `event` stands. The `salt` of `personal` is left out.
///
/// # Errors
///
/// When one is no object, or they nest deeper than a line may. `out` is then as before. Bytes that are not canonical
/// give no error and a result without meaning.
pub(crate) fn merge(out: &mut Vec<u8>, event: &[u8], personal: &[u8]) -> Result<(), JsonError> {
    if !event.starts_with(b"{") || !personal.starts_with(b"{") {
        return Err(Problem::Expected("an object").into());
    }
    let start = out.len();
    let personal = Entries::new(personal).filter(|entry| entry.key != b"salt");
    let result = merge_objects(out, Entries::new(event), personal, DEPTH_MAX);
    if result.is_err() {
        out.truncate(start);
    }
    result
}

fn merge_values(out: &mut Vec<u8>, event: &[u8], personal: &[u8], depth: usize) -> Result<(), JsonError> {
    match (event, personal) {
        ([b'{', ..], [b'{', ..]) => merge_objects(out, Entries::new(event), Entries::new(personal), depth),
        ([b'[', ..], [b'[', ..]) if Items::new(event).count() == Items::new(personal).count() => {
            let depth = depth.checked_sub(1).ok_or(Problem::Depth)?;
            out.push(b'[');
            for (index, (event, personal)) in Items::new(event).zip(Items::new(personal)).enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                merge_values(out, event, personal, depth)?;
            }
            out.push(b']');
            Ok(())
        }
        _ => {
            out.extend_from_slice(event);
            Ok(())
        }
    }
}

fn merge_objects<'a>(
    out: &mut Vec<u8>,
    event: Entries<'a>,
    personal: impl Iterator<Item = Entry<'a>>,
    depth: usize,
) -> Result<(), JsonError> {
    let depth = depth.checked_sub(1).ok_or(Problem::Depth)?;
    let (mut event, mut personal) = (event.peekable(), personal.peekable());
    let mut separator = b'{';
    loop {
        let order = match (event.peek(), personal.peek()) {
            (Some(event), Some(personal)) => key_order(event.key, personal.key),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => break,
        };
        out.push(separator);
        separator = b',';
        let event = event.next_if(|_| order.is_le());
        let personal = personal.next_if(|_| order.is_ge());
        match (event, personal) {
            (Some(event), Some(personal)) => {
                out.extend_from_slice(event.bytes.strip_suffix(event.value).unwrap_or_default());
                merge_values(out, event.value, personal.value, depth)?;
            }
            (event, personal) => event
                .or(personal)
                .into_iter()
                .for_each(|entry| out.extend_from_slice(entry.bytes)),
        }
    }
    if separator == b'{' {
        out.push(b'{');
    }
    out.push(b'}');
    Ok(())
}

//! Puts the two parts of a record together again, as `append` reads an event and `cat` prints it (EVENTS §1).

#![warn(clippy::unwrap_used, clippy::indexing_slicing, clippy::as_conversions)]

use crate::json::{self, JsonError};

use super::scan;

/// Gives `event` with `personal` merged in, and a top-level `personal` that marks which metadata and changes came from
/// there: nobody else can know, and without it they would be kept for good where the event is appended again.
///
/// # Errors
///
/// As [`json::merge`].
pub(crate) fn merged(event: &[u8], personal: &[u8]) -> Result<Vec<u8>, JsonError> {
    let mut merged = Vec::with_capacity(event.len() + personal.len());
    json::merge(&mut merged, event, personal)?;
    let Some(marks) = marks(personal) else {
        return Ok(merged);
    };
    let mut marked = Vec::with_capacity(merged.len() + marks.len());
    json::merge(&mut marked, &merged, marks.as_bytes())?;
    Ok(marked)
}

/// The marks, as an object with that one member; `None` where there is nothing to mark.
fn marks(personal: &[u8]) -> Option<String> {
    let part = |name: &[u8]| {
        let mut members = scan::members(personal).filter(|(key, _)| *key == name);
        members.next().map(|(_, value)| value).unwrap_or_default()
    };
    let changes = scan::items(part(b"changes")).enumerate();
    let changes = changes.filter(|(_, change)| *change != b"{}");
    let keys = scan::members(part(b"metadata")).map(|(key, _)| format!("\"{}\"", String::from_utf8_lossy(key)));
    let lists = [
        list("changes", changes.map(|(index, _)| index.to_string())),
        list("metadata", keys),
    ];
    let lists: Vec<_> = lists.into_iter().flatten().collect();
    (!lists.is_empty()).then(|| format!(r#"{{"personal":{{{}}}}}"#, lists.join(",")))
}

/// A list as the member of an object, unless it is empty.
fn list(name: &str, items: impl Iterator<Item = String>) -> Option<String> {
    let items: Vec<_> = items.collect();
    (!items.is_empty()).then(|| format!("\"{name}\":[{}]", items.join(",")))
}

//! A message as a row of a table.

use super::time_generated;
use crate::json;
use crate::sink::{Message, Rejection};
use crate::timestamp::Timestamp;

/// How many bytes a row has, at most.
pub(super) fn size(message: &Message) -> usize {
    json::string_size(message.text()) + AROUND
}

/// The rows of messages as one list, and the messages that no row takes.
pub(super) fn write_all(messages: &[Message], now: Timestamp) -> (Vec<u8>, Vec<Rejection>) {
    let (mut body, mut rejected) = (Vec::new(), Vec::new());
    body.push(b'[');
    for (at, message) in messages.iter().enumerate() {
        if at > 0 {
            body.push(b',');
        }
        if !write(&mut body, message, now) {
            let what = format!(
                "it has {} bytes, and a row takes {}",
                message.text().len(),
                PART_BYTES_MAX * PARTS_MAX
            );
            rejected.push(Rejection::new(at, what));
        }
    }
    body.push(b']');
    (body, rejected)
}

/// Whether the row takes all of it.
fn write(row: &mut Vec<u8>, message: &Message, now: Timestamp) -> bool {
    let summary = message.summary();
    let mut field = |name: &str, value: &str| {
        row.push(if row.ends_with(b"\"") { b',' } else { b'{' });
        json::string(row, name);
        row.push(b':');
        json::string(row, value);
    };
    field("MessageId", &message.id());
    field("Action", &summary.action);
    field("Severity", summary.severity.as_str());
    field("OccurredAt", &summary.occurred_at.to_string());
    field("RecordedAt", &message.recorded_at().to_string());
    field("TimeGenerated", &time_generated(message.recorded_at(), now).to_string());
    if let Some(hash) = message.hash() {
        field("Hash", &hash.to_string());
    }
    let mut rest = message.text();
    for part in 1..=PARTS_MAX {
        let end = (0..=PART_BYTES_MAX.min(rest.len())).rfind(|end| rest.is_char_boundary(*end));
        let (text, after) = rest.split_at_checked(end.unwrap_or(0)).unwrap_or((rest, ""));
        match part {
            1 => field("Message", text),
            _ if text.is_empty() => break,
            _ => field(&format!("Message{part}"), text),
        }
        rest = after;
    }
    if let Some(seq) = message.seq() {
        row.extend_from_slice(b",\"Seq\":");
        json::unsigned(row, seq);
    }
    row.push(b'}');
    rest.is_empty()
}

/// Half of what a column takes: whether Azure counts the 64 KB in UTF-8 or in UTF-16 it does not say.
const PART_BYTES_MAX: usize = 32_000;

const PARTS_MAX: usize = 9;

/// More than the other columns have.
const AROUND: usize = 1_000;

//! A message as a row of a table.

use std::time::SystemTime;

use super::time_generated;
use crate::json;
use crate::sink::http::compressed;
use crate::sink::{Delivery, Encoded, Encoder, Message};
use crate::timestamp::Timestamp;

/// How many bytes a row has, at most.
pub(super) fn size(message: &Message) -> usize {
    json::string_size(message.text()) + AROUND
}

/// Why no row takes a message, if none does.
pub(super) fn too_long(message: &Message) -> Option<String> {
    let bytes = message.text().len();
    (bytes > BYTES_MAX).then(|| format!("it has {bytes} bytes, and a row takes {BYTES_MAX}"))
}

/// The rows of messages as one list.
pub(super) struct Rows;

impl Encoder for Rows {
    fn encode(&self, messages: &[Message]) -> Result<Encoded, Delivery> {
        let (now, mut body) = (SystemTime::now().into(), vec![b'[']);
        for (at, message) in messages.iter().enumerate() {
            if at > 0 {
                body.push(b',');
            }
            write(&mut body, message, now);
        }
        body.push(b']');
        Ok(compressed(body))
    }
}

fn write(row: &mut Vec<u8>, message: &Message, now: Timestamp) {
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
}

/// Half of what a column takes: whether Azure counts the 64 KB in UTF-8 or in UTF-16 it does not say.
const PART_BYTES_MAX: usize = 32_000;

const PARTS_MAX: usize = 9;

/// In any case: a part may end some bytes before it is full, so as not to cut a character.
const BYTES_MAX: usize = PARTS_MAX * (PART_BYTES_MAX - 3);

/// More than the other columns have.
const AROUND: usize = 1_000;

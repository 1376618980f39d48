//! Events as the collector takes them.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use crate::json;
use crate::sink::Message;
use crate::sink::http::write_entry;
use crate::sink::window::Window;

/// Writes messages as events, one behind the other, without separators.
///
/// An event has `time`, the metadata, `fields` and `event`, and nothing else: at a key that it does not know, Splunk stops
/// reading the request and answers 200.
pub(super) fn write_events(
    body: &mut Vec<u8>,
    messages: &[Message],
    metadata: &BTreeMap<&'static str, String>,
    fields: &BTreeMap<String, String>,
) {
    body.clear();
    let now = SystemTime::now();
    let mut around = Vec::new();
    for (key, value) in metadata {
        write_entry(&mut around, key, value);
    }
    for message in messages {
        let placed = WINDOW.place(message.summary().occurred_at, now);
        let micros = placed.time.unix_micros();
        let time = format!("{{\"time\":{}.{:06}", micros / 1_000_000, micros % 1_000_000);
        body.extend_from_slice(time.as_bytes());
        body.extend_from_slice(&around);
        let original = placed.original.map(|time| time.to_string());
        let original = original.as_deref().map(|time| ("original_time", time));
        let fields = fields.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        write_fields(body, fields.chain(original));
        body.extend_from_slice(b",\"event\":");
        match message.is_json() {
            true => body.extend_from_slice(message.text().as_bytes()),
            false => json::string(body, message.text()),
        }
        body.push(b'}');
    }
}

/// The indexed fields, where there are any: a flat object of texts.
fn write_fields<'a>(body: &mut Vec<u8>, fields: impl Iterator<Item = (&'a str, &'a str)>) {
    let start = body.len();
    for (name, value) in fields {
        write_entry(body, name, value);
    }
    if body.len() > start {
        drop(body.splice(start..=start, *b",\"fields\":{"));
        body.push(b'}');
    }
}

/// More than what stands around a message, its metadata and its fields.
pub(super) const AROUND: usize = 256;

/// A day less than what Splunk has by default.
const WINDOW: Window = Window {
    past: Duration::from_secs(1999 * 86_400),
    ahead: Duration::from_secs(86_400),
};

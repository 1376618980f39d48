//! Events as the collector takes them.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use crate::json;
use crate::sink::http::{compressed, write_entry};
use crate::sink::window::Window;
use crate::sink::{Delivery, Encoded, Encoder, Message};

/// How events are written: one behind the other, without separators.
///
/// An event has `time`, the metadata, `fields` and `event`, and nothing else: at a key that it does not know, Splunk stops
/// reading the request and answers 200.
#[derive(Debug, Clone)]
pub(super) struct Encoding {
    pub(super) metadata: BTreeMap<&'static str, String>,
    pub(super) fields: BTreeMap<String, String>,
}

impl Encoding {
    /// How many bytes an event has, at most.
    pub(super) fn size_of(&self, message: &Message) -> usize {
        let metadata = self.metadata.iter().map(|(key, value)| key.len() + value.len());
        let fields = self.fields.iter().map(|(key, value)| key.len() + value.len());
        let text = match message.is_json() {
            true => message.text().len(),
            false => json::string_size(message.text()),
        };
        text + metadata.chain(fields).sum::<usize>() + AROUND
    }
}

impl Encoder for Encoding {
    fn encode(&self, messages: &[Message]) -> Result<Encoded, Delivery> {
        let now = SystemTime::now();
        let (mut body, mut around) = (Vec::new(), Vec::new());
        for (key, value) in &self.metadata {
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
            let fields = self.fields.iter().map(|(name, value)| (name.as_str(), value.as_str()));
            write_fields(&mut body, fields.chain(original));
            body.extend_from_slice(b",\"event\":");
            match message.is_json() {
                true => body.extend_from_slice(message.text().as_bytes()),
                false => json::string(&mut body, message.text()),
            }
            body.push(b'}');
        }
        Ok(compressed(body))
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
const AROUND: usize = 256;

/// A day less than what Splunk has by default.
const WINDOW: Window = Window {
    past: Duration::from_secs(1999 * 86_400),
    ahead: Duration::from_secs(86_400),
};

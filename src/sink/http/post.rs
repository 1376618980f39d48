//! Posting JSON, compressed where that is worth it.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::answer::Answer;
use super::client::{Client, Request};
#[cfg(any(feature = "splunk", feature = "datadog"))]
use crate::json;
use crate::sink::Delivery;

impl Client {
    /// Posts a JSON text, compressed by gzip unless it is short, and reads the answer, whatever its status.
    ///
    /// # Errors
    ///
    /// What became of a batch whose request got no answer.
    pub(in crate::sink) fn post_json(
        &mut self,
        url: &str,
        headers: &[(&str, &str)],
        text: &[u8],
    ) -> Result<Answer, Delivery> {
        let mut headers: Vec<_> = headers.to_vec();
        headers.push(("content-type", "application/json"));
        let compressed = match text.len() < COMPRESSED_MIN {
            true => None,
            false => gzip(text),
        };
        if compressed.is_some() {
            headers.push(("content-encoding", "gzip"));
        }
        self.send(&Request {
            method: "POST",
            url,
            headers: &headers,
            body: compressed.as_deref().unwrap_or(text),
        })
    }
}

/// A text as gzip (RFC 1952): fast rather than small. In memory nothing fails; if it does, the text goes as it is.
fn gzip(text: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(text.len() / 4), Compression::fast());
    encoder.write_all(text).ok()?;
    encoder.finish().ok()
}

/// Writes an entry of an object: a comma, the key and a text.
#[cfg(any(feature = "splunk", feature = "datadog"))]
pub(in crate::sink) fn write_entry(out: &mut Vec<u8>, key: &str, value: &str) {
    out.push(b',');
    json::string(out, key);
    out.push(b':');
    json::string(out, value);
}

/// What is shorter fits into a packet or two anyway.
const COMPRESSED_MIN: usize = 2048;

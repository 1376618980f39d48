//! Posting JSON, compressed where that is worth it.

use std::io::{self, Write};

use flate2::Compression;
use flate2::write::GzEncoder;

use super::answer::Answer;
use super::client::{Client, Request};
#[cfg(any(feature = "splunk", feature = "datadog"))]
use crate::json;
use crate::sink::{Delivery, Encoded};

impl Client {
    /// Posts a JSON text, which may be [`compressed`], and reads the answer, whatever its status.
    ///
    /// # Errors
    ///
    /// What became of a batch whose request got no answer.
    pub(in crate::sink) fn post_json(
        &mut self,
        url: &str,
        headers: &[(&str, &str)],
        text: &Encoded,
    ) -> Result<Answer, Delivery> {
        let mut headers = headers.to_vec();
        headers.push(("content-type", "application/json"));
        headers.extend(text.headers());
        self.send(&Request {
            method: "POST",
            url,
            headers: &headers,
            body: &text.body,
        })
    }
}

/// A JSON text as gzip (RFC 1952), fast rather than small, unless it is short. In memory nothing fails; if it does, the text
/// goes as it is.
pub(in crate::sink) fn compressed(text: Vec<u8>) -> Encoded {
    let gzipped = (text.len() >= COMPRESSED_MIN).then(|| gzip(&text));
    match gzipped {
        Some(Ok(gzipped)) => Encoded::new(gzipped).with_header("content-encoding", "gzip"),
        _ => Encoded::new(text),
    }
}

fn gzip(text: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(text.len() / 4), Compression::fast());
    encoder.write_all(text)?;
    encoder.finish()
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

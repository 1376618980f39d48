//! How a body, or a part of a URL, is written.

use std::fmt::Write as _;
use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;

/// A body compressed by gzip (RFC 1952), fast rather than small.
pub(in crate::sink) fn gzip(body: &[u8]) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::with_capacity(body.len() / 4), Compression::fast());
    // A list of bytes takes what is written to it.
    let _ = packed.write_all(body);
    packed.finish().unwrap_or_default()
}

/// Percent-encoded: all but the unreserved characters of RFC 3986 §2.3.
pub(in crate::sink) fn percent(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(char::from(byte)),
            _ => {
                let _ = write!(encoded, "%{byte:02X}");
            }
        }
    }
    encoded
}

/// How long a text is inside a JSON string, at most.
pub(in crate::sink) fn escaped_len(text: &str) -> usize {
    let length = |byte| match byte {
        b'"' | b'\\' => 2,
        0..=0x1f => 6,
        _ => 1,
    };
    text.bytes().map(length).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_reserved_is_encoded() {
        assert_eq!(percent("a/b c~d-é.%"), "a%2Fb%20c~d-%C3%A9.%25");
    }

    #[test]
    fn a_text_is_no_longer_in_json_than_is_said() {
        let text = "a\"b\\c\n\u{1}é";
        let mut json = Vec::new();
        crate::json::string(&mut json, text);
        assert!(json.len() - 2 <= escaped_len(text));
        assert_eq!(escaped_len("plain"), 5);
    }
}

//! How a part of a URL, or of a form, is written.

use std::fmt::Write;

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

#[cfg(test)]
mod tests {
    use super::percent;

    #[test]
    fn what_is_reserved_is_encoded() {
        assert_eq!(percent("a/b c~d-é.%"), "a%2Fb%20c~d-%C3%A9.%25");
    }
}

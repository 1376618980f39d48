//! Keeps secrets out of the log (EVENTS §1, OWASP ASVS 16.2.5).

use super::scan;

/// Which keys name a secret: its value is replaced by `"[redacted]"` before an event is recorded.
///
/// A key names a secret if, lower-cased and without `_`, `-` and `.`, it ends in `password`, `passwd`, `secret`,
/// `token`, `authorization`, `cookie`, `apikey` or `privatekey`. It may stand at any depth of `metadata` or of a
/// change's values, or be a change's `field`. A host may add endings, and exempt keys.
///
/// ```
/// use indelible::event::Redaction;
///
/// let redaction = Redaction::default().key("pin_code").exempt("next_token");
/// assert!(redaction.covers("client-secret") && redaction.covers("card.PinCode"));
/// assert!(!redaction.covers("nextToken") && !redaction.covers("token_count"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Redaction {
    endings: Vec<String>,
    exempt: Vec<String>,
}

impl Redaction {
    /// Also redacts what stands under keys that end so, in the same sense. An ending of nothing but `_`, `-` and
    /// `.` is ignored.
    #[must_use]
    pub fn key(mut self, ending: impl AsRef<str>) -> Self {
        self.endings
            .extend(Some(plain(ending.as_ref())).filter(|ending| !ending.is_empty()));
        self
    }

    /// Does not redact what stands under this key: the whole key, lower-cased and without `_`, `-` and `.`.
    #[must_use]
    pub fn exempt(mut self, key: impl AsRef<str>) -> Self {
        self.exempt.push(plain(key.as_ref()));
        self
    }

    /// Whether a key names a secret.
    pub fn covers(&self, key: &str) -> bool {
        if key.is_ascii() {
            self.covers_ascii(key)
        } else {
            // Letters outside ASCII may become ASCII: U+212A, the Kelvin sign, is a `k` in lower case.
            self.covers_ascii(&key.to_lowercase())
        }
    }

    fn covers_ascii(&self, key: &str) -> bool {
        let Some(last) = letters_from_end(key).next() else {
            return false;
        };
        let is_ending = |ending: &str| ending.as_bytes().last() == Some(&last) && ends_in(key, ending);
        let is_secret = ENDINGS.into_iter().any(is_ending) || self.endings.iter().any(|ending| is_ending(ending));
        is_secret && !self.exempt.iter().any(|exempt| *exempt == plain(key))
    }

    /// Appends a value in canonical form, with what stands under keys that name a secret replaced.
    pub(super) fn copy(&self, out: &mut Vec<u8>, value: &[u8]) {
        if !matches!(value.first(), Some(b'{' | b'[')) {
            return out.extend_from_slice(value);
        }
        let (mut copied, mut position) = (0, 0);
        while let Some(quote) = value
            .get(position..)
            .and_then(|rest| rest.iter().position(|byte| *byte == b'"'))
        {
            let start = position + quote;
            let Some(end) = scan::string_end(value, start) else {
                break;
            };
            position = end;
            // Only a key is followed by a colon.
            if value.get(end) == Some(&b':') && self.covers(&scan::text(&value[start..end])) {
                let Some(value_end) = scan::value_end(value, end + 1) else {
                    break;
                };
                out.extend_from_slice(&value[copied..=end]);
                out.extend_from_slice(REDACTED);
                (copied, position) = (value_end, value_end);
            }
        }
        out.extend_from_slice(&value[copied..]);
    }
}

/// What stands in place of a secret.
pub(super) const REDACTED: &[u8] = br#""[redacted]""#;

/// Whether a key ends in a plain ending. Bytes outside ASCII are no part of an ending that is all ASCII.
fn ends_in(key: &str, ending: &str) -> bool {
    let mut letters = letters_from_end(key);
    ending.bytes().rev().all(|byte| letters.next() == Some(byte))
}

/// The bytes of a key from its end, ASCII letters in lower case, without `_`, `-` and `.`.
fn letters_from_end(key: &str) -> impl Iterator<Item = u8> {
    key.bytes()
        .rev()
        .filter(|byte| !matches!(byte, b'_' | b'-' | b'.'))
        .map(|byte| byte.to_ascii_lowercase())
}

/// Lower-cased, without `_`, `-` and `.`.
fn plain(key: &str) -> String {
    key.to_lowercase().replace(['_', '-', '.'], "")
}

const ENDINGS: [&str; 8] = [
    "password",
    "passwd",
    "secret",
    "token",
    "authorization",
    "cookie",
    "apikey",
    "privatekey",
];

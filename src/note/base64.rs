//! Standard base64 with padding (RFC 4648 §4), in its one canonical spelling: what decodes prints the same text
//! again.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The `N` bytes that `text` is the base64 of; `None` if it is anything else.
pub(crate) fn decode<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    decode_into(text, &mut bytes)?;
    Some(bytes)
}

/// Fills `bytes` with what `text` is the base64 of; `None`, and `bytes` with any content, if it is not exactly as
/// many.
pub(crate) fn decode_into(text: &str, bytes: &mut [u8]) -> Option<()> {
    let length = STANDARD.decode_slice(text, bytes).ok()?;
    (length == bytes.len()).then_some(())
}

/// The bytes that `text` is the base64 of, at most three for each four of its characters.
pub(crate) fn decode_vec(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

/// Checks that `text` is base64, and gives its first four bytes and how many follow; `None` if it is not, or of less
/// than four bytes.
pub(crate) fn scan(text: &str) -> Option<([u8; 4], usize)> {
    let mut first = None;
    let mut length = 0;
    let mut rest = text.as_bytes();
    while !rest.is_empty() {
        let (chunk, after) = rest.split_at_checked(CHUNK).unwrap_or((rest, &[]));
        if chunk.last() == Some(&b'=') && !after.is_empty() {
            return None;
        }
        let mut bytes = [0; CHUNK / 4 * 3];
        length += STANDARD.decode_slice(chunk, &mut bytes).ok()?;
        first = first.or(bytes.first_chunk().copied());
        rest = after;
    }
    Some((first?, length.checked_sub(4)?))
}

/// Appends the base64 of `bytes`.
pub(crate) fn encode(out: &mut String, bytes: &[u8]) {
    STANDARD.encode_string(bytes, out);
}

/// The base64 of `bytes`, written in `out`, for which it must have the room: for secrets, of which nothing else keeps
/// a copy.
pub(crate) fn encode_slice<'a>(bytes: &[u8], out: &'a mut [u8]) -> &'a str {
    let length = STANDARD.encode_slice(bytes, out).unwrap_or_default();
    out.get(..length)
        .and_then(|text| std::str::from_utf8(text).ok())
        .unwrap_or_default()
}

/// Characters that are decoded at once: a multiple of four that holds an Ed25519 signature line's 92.
const CHUNK: usize = 1024;

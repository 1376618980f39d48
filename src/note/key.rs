use std::fmt;
use std::hash::{Hash as StdHash, Hasher};
use std::str::FromStr;
use std::sync::Arc;

use ed25519_dalek::{Signature, VerifyingKey};

use super::{Origin, OriginError, base64, plain};
use crate::hash::Hash;

/// A public key under the name of its log, as a verifier is given it: a C2SP vkey.
///
/// Printed, and read, as `name+id+key`: the origin, the key ID in 8 lowercase hexadecimal digits, and the base64 of
/// the type byte 0x01 and the 32 bytes of an Ed25519 public key (RFC 8032 §5.1.5). Reading accepts exactly what is
/// printed. A key that is not canonical, or of small order, is refused (FORMAT §3).
///
/// ```
/// use indelible::VerifierKey;
///
/// let text = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
/// let key: VerifierKey = text.parse()?;
/// assert_eq!(key.name().as_str(), "PeterNeumann");
/// assert_eq!(key.id(), 0xc74f20a3);
/// assert_eq!(key.to_string(), text);
/// # Ok::<(), indelible::note::VerifierKeyError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: Origin,
    id: u32,
    key: VerifyingKey,
}

impl VerifierKey {
    /// The key with this name and these 32 bytes of an Ed25519 public key.
    ///
    /// # Errors
    ///
    /// [`VerifierKeyError::Point`] and [`VerifierKeyError::Weak`].
    pub fn new(name: Origin, key: &[u8; 32]) -> Result<Self, VerifierKeyError> {
        let key = VerifyingKey::from_bytes(key).map_err(|_| VerifierKeyError::Point)?;
        // Decoding is lenient (ZIP 215); encoding is not.
        if VerifyingKey::from(key.to_edwards()).as_bytes() != key.as_bytes() {
            return Err(VerifierKeyError::Point);
        }
        if key.is_weak() {
            return Err(VerifierKeyError::Weak);
        }
        let id = key_id(&name, key.as_bytes());
        Ok(Self { name, id, key })
    }

    /// The name: the origin of the log that signs with this key.
    pub fn name(&self) -> &Origin {
        &self.name
    }

    /// The key ID: the first four bytes, big-endian, of `SHA-256(name ‖ LF ‖ 0x01 ‖ key)` (C2SP signed-note
    /// "Signatures").
    pub fn id(&self) -> u32 {
        self.id
    }

    /// The name and the ID: what a signature line names the key by.
    pub fn key_id(&self) -> KeyId {
        KeyId::new(self.name.as_str(), self.id)
    }

    /// The 32 bytes of the Ed25519 public key.
    pub fn public_key(&self) -> &[u8; 32] {
        self.key.as_bytes()
    }

    /// Whether `signature` is this key's over `text`: strictly, without cofactor, with `S < L` and canonical
    /// encodings, points of small order refused (FORMAT §3).
    pub fn verify(&self, text: &[u8], signature: &[u8; 64]) -> bool {
        let signature = Signature::from_bytes(signature);
        is_reduced(signature.s_bytes()) && self.key.verify_strict(text, &signature).is_ok()
    }
}

impl FromStr for VerifierKey {
    type Err = VerifierKeyError;

    fn from_str(text: &str) -> Result<Self, VerifierKeyError> {
        if text.starts_with(PRIVATE_PREFIX) {
            return Err(VerifierKeyError::Private);
        }
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(VerifierKeyError::Form);
        };
        let id = parse_id(id).ok_or(VerifierKeyError::Form)?;
        let (key_type, key) = match base64::decode::<33>(key) {
            Some([key_type, key @ ..]) => (key_type, key),
            None => return Err(VerifierKeyError::Form),
        };
        if key_type != ED25519 {
            return Err(VerifierKeyError::Type { found: key_type });
        }
        let key = Self::new(Origin::new(name)?, &key)?;
        if key.id != id {
            return Err(VerifierKeyError::Id {
                found: id,
                expected: key.id,
            });
        }
        Ok(key)
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::with_capacity(44);
        let mut bytes = [ED25519; 33];
        for (byte, from) in bytes.iter_mut().skip(1).zip(self.public_key()) {
            *byte = *from;
        }
        base64::encode(&mut text, &bytes);
        write!(f, "{}+{:08x}+{text}", self.name, self.id)
    }
}

impl fmt::Debug for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifierKey({self})")
    }
}

impl StdHash for VerifierKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
        self.key.hash(state);
    }
}

/// The name and the ID of a key, as a signature line states them; printed `name+id`, the ID in 8 hexadecimal digits. The
/// name is printed shortened, and with control characters escaped: anyone may have chosen it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId {
    name: Arc<str>,
    id: u32,
}

impl KeyId {
    pub(crate) fn new(name: &str, id: u32) -> Self {
        Self { name: name.into(), id }
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The ID.
    pub fn id(&self) -> u32 {
        self.id
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name.char_indices().nth(NAME_SHOWN_MAX) {
            Some((end, _)) => write!(f, "{}…", plain(self.name.get(..end).unwrap_or_default()))?,
            None => f.write_str(&plain(&self.name))?,
        }
        write!(f, "+{:08x}", self.id)
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why a text is not a [`VerifierKey`]. It never repeats the text, which may be a private key given by mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VerifierKeyError {
    /// It is not of the form.
    #[error("a vkey has the form name+id+key: an origin, 8 lowercase hexadecimal digits, the base64 of 33 bytes")]
    Form,
    /// It is the private key.
    #[error("this is a private key, which stays with the writer: a verifier is given its vkey")]
    Private,
    /// The name is no origin.
    #[error("the name of the vkey: {0}")]
    Name(#[from] OriginError),
    /// It is a key of another kind than Ed25519.
    #[error("the vkey is of type {found:#04x}: only 0x01, Ed25519, is known")]
    Type {
        /// The type byte.
        found: u8,
    },
    /// The ID is not that of the name and the key.
    #[error("the vkey says that its id is {found:08x}, but its name and key have {expected:08x}")]
    Id {
        /// The ID in the text.
        found: u32,
        /// The ID of the name and the key.
        expected: u32,
    },
    /// The 32 bytes are not the canonical encoding of a point of the curve (RFC 8032 §5.1.3).
    #[error("the vkey is not a canonical Ed25519 public key")]
    Point,
    /// The key is a point of small order, under which one signature fits any text.
    #[error("the vkey is a point of small order, which anyone can sign for")]
    Weak,
}

/// The ID of the Ed25519 key `key` under the name `name`.
fn key_id(name: &Origin, key: &[u8; 32]) -> u32 {
    let mut named = Vec::with_capacity(name.as_str().len() + 34);
    named.extend_from_slice(name.as_str().as_bytes());
    named.extend_from_slice(&[b'\n', ED25519]);
    named.extend_from_slice(key);
    let [a, b, c, d, ..] = *Hash::of(&named).as_bytes();
    u32::from_be_bytes([a, b, c, d])
}

/// The key ID of 8 lowercase hexadecimal digits.
pub(crate) fn parse_id(digits: &str) -> Option<u32> {
    let exact = digits.len() == 8 && digits.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
    exact.then(|| u32::from_str_radix(digits, 16).ok()).flatten()
}

/// Whether `S < L` (RFC 8032 §5.1.7). ed25519-dalek checks it too, unless another crate of the host turns on its
/// `legacy_compatibility`.
pub(super) fn is_reduced(s: &[u8; 32]) -> bool {
    s.iter().rev().lt(ORDER.iter().rev())
}

/// What a private key begins with (Go x/mod/sumdb/note).
pub(crate) const PRIVATE_PREFIX: &str = "PRIVATE+KEY+";

/// The signature type of Ed25519 (C2SP signed-note "Signature types").
pub(crate) const ED25519: u8 = 0x01;

/// How many characters of a key's name a message shows.
const NAME_SHOWN_MAX: usize = 128;

/// `L`, the order of the base point, little-endian: 2^252 + 27742317777372353535851937790883648493.
const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

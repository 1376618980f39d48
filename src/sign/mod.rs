//! Keys that sign: the [`Signer`] of a host's key service, and [`SigningKey`], an Ed25519 key in a file.
#![warn(clippy::unwrap_used, clippy::indexing_slicing, clippy::as_conversions)]

mod file;
#[cfg(test)]
mod tests;

use std::error::Error as StdError;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use ed25519_dalek::Signer as _;
use zeroize::Zeroizing;

pub use self::file::KeyFileError;
use crate::note::key::{ED25519, PRIVATE_PREFIX, parse_id};
use crate::note::{Origin, OriginError, VerifierKey, VerifierKeyError, base64};

/// What signs checkpoints: a key in this process, or one in a key service or a hardware module.
///
/// A failed call is no failure of the log: the commit waits and the signer is asked again. It may block for as long
/// as the host's deadline allows.
pub trait Signer: Send + Sync {
    /// The public key, under the origin of the log that it signs for. It is the same at every call.
    fn vkey(&self) -> &VerifierKey;

    /// The Ed25519 signature (RFC 8032 §5.1.6, not prehashed) of [`vkey`](Self::vkey) over the bytes of `text`.
    ///
    /// # Errors
    ///
    /// [`SignError`] if the signer cannot be reached or refuses.
    fn sign(&self, text: &[u8]) -> Result<[u8; 64], SignError>;
}

impl<S: Signer + ?Sized> Signer for &S {
    fn vkey(&self) -> &VerifierKey {
        (**self).vkey()
    }

    fn sign(&self, text: &[u8]) -> Result<[u8; 64], SignError> {
        (**self).sign(text)
    }
}

impl<S: Signer + ?Sized> Signer for Box<S> {
    fn vkey(&self) -> &VerifierKey {
        (**self).vkey()
    }

    fn sign(&self, text: &[u8]) -> Result<[u8; 64], SignError> {
        (**self).sign(text)
    }
}

impl<S: Signer + ?Sized> Signer for Arc<S> {
    fn vkey(&self) -> &VerifierKey {
        (**self).vkey()
    }

    fn sign(&self, text: &[u8]) -> Result<[u8; 64], SignError> {
        (**self).sign(text)
    }
}

/// Why a [`Signer`] did not sign. It holds no secret: what a signer puts in it reaches logs.
#[derive(Debug, Clone)]
pub struct SignError {
    message: Arc<str>,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

impl SignError {
    /// An error that says `message`: lower case, without a full stop.
    pub fn new(message: impl AsRef<str>) -> Self {
        Self {
            message: message.as_ref().into(),
            source: None,
        }
    }

    /// The same error with what caused it.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into().into());
        self
    }
}

impl fmt::Display for SignError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for SignError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match &self.source {
            Some(source) => Some(&**source),
            None => None,
        }
    }
}

/// An Ed25519 private key under the origin of the log that it signs for.
///
/// Neither `Debug` nor any error shows the secret, and the memory that holds it is cleared when the key is dropped.
/// The key is written as `PRIVATE+KEY+name+id+seed`, as Go's `x/mod/sumdb/note` does it: `name` and `id` are those of
/// the vkey, `seed` is the base64 of the type byte 0x01 and the 32-byte seed of RFC 8032 §5.1.5.
///
/// ```
/// use indelible::{Origin, Signer, SigningKey};
///
/// let key = SigningKey::generate(Origin::new("auth.example.com/audit")?)?;
/// let signature = key.sign(b"text")?;
/// assert!(key.vkey().verify(b"text", &signature));
///
/// let kept = key.private_text();
/// assert_eq!(kept.parse::<SigningKey>()?.vkey(), key.vkey());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct SigningKey {
    key: ed25519_dalek::SigningKey,
    vkey: VerifierKey,
}

impl SigningKey {
    /// A new key for the log `origin`, from the random source of the operating system.
    ///
    /// # Errors
    ///
    /// [`SigningKeyError::Random`] if there is none.
    pub fn generate(origin: Origin) -> Result<Self, SigningKeyError> {
        let mut seed = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *seed).map_err(|error| SigningKeyError::Random {
            code: error.raw_os_error(),
        })?;
        Self::from_seed(origin, &seed)
    }

    /// The key for the log `origin` with this 32-byte seed (RFC 8032 §5.1.5), which must be secret and random.
    ///
    /// # Errors
    ///
    /// [`SigningKeyError::Vkey`] if the seed gives a key that no verifier accepts; none is known.
    pub fn from_seed(origin: Origin, seed: &[u8; 32]) -> Result<Self, SigningKeyError> {
        let key = ed25519_dalek::SigningKey::from_bytes(seed);
        let vkey = VerifierKey::new(origin, key.verifying_key().as_bytes())?;
        Ok(Self { key, vkey })
    }

    /// The private key as text, without a line feed. Whoever has it can sign for the log.
    pub fn private_text(&self) -> Zeroizing<String> {
        let name = self.vkey.name().as_str();
        // Enough room from the start: a string that grows leaves copies behind.
        let mut text = Zeroizing::new(String::with_capacity(PRIVATE_PREFIX.len() + name.len() + 54));
        text.push_str(PRIVATE_PREFIX);
        text.push_str(name);
        text.push_str(&format!("+{:08x}+", self.vkey.id()));
        let mut typed = Zeroizing::new([ED25519; 33]);
        for (byte, from) in typed.iter_mut().skip(1).zip(self.key.as_bytes()) {
            *byte = *from;
        }
        let mut encoded = Zeroizing::new([0; 44]);
        text.push_str(base64::encode_slice(&*typed, &mut *encoded));
        text
    }
}

impl Signer for SigningKey {
    fn vkey(&self) -> &VerifierKey {
        &self.vkey
    }

    fn sign(&self, text: &[u8]) -> Result<[u8; 64], SignError> {
        Ok(self.key.sign(text).to_bytes())
    }
}

impl FromStr for SigningKey {
    type Err = SigningKeyError;

    /// Reads what [`private_text`](SigningKey::private_text) gives, and nothing else.
    fn from_str(text: &str) -> Result<Self, SigningKeyError> {
        let mut parts = text
            .strip_prefix(PRIVATE_PREFIX)
            .ok_or(SigningKeyError::Form)?
            .splitn(3, '+');
        let (Some(name), Some(id), Some(seed)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(SigningKeyError::Form);
        };
        let id = parse_id(id).ok_or(SigningKeyError::Form)?;
        let mut typed = Zeroizing::new([0; 33]);
        base64::decode_into(seed, &mut *typed).ok_or(SigningKeyError::Form)?;
        let [key_type, seed @ ..] = &*typed;
        if *key_type != ED25519 {
            return Err(SigningKeyError::Type { found: *key_type });
        }
        let key = Self::from_seed(Origin::new(name)?, seed)?;
        if key.vkey.id() != id {
            return Err(SigningKeyError::Id {
                found: id,
                expected: key.vkey.id(),
            });
        }
        Ok(key)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("vkey", &self.vkey)
            .finish_non_exhaustive()
    }
}

/// Why there is no [`SigningKey`]. It never holds the text that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SigningKeyError {
    /// The text is not of the form.
    #[error(
        "a private key has the form PRIVATE+KEY+name+id+seed: an origin, 8 hexadecimal digits, the base64 of 33 bytes"
    )]
    Form,
    /// The name is no origin.
    #[error("the name of the private key: {0}")]
    Name(#[from] OriginError),
    /// It is a key of another kind than Ed25519.
    #[error("the private key is of type {found:#04x}: only 0x01, Ed25519, is known")]
    Type {
        /// The type byte.
        found: u8,
    },
    /// The ID is not that of the name and the key.
    #[error("the private key says that its id is {found:08x}, but its name and seed have {expected:08x}")]
    Id {
        /// The ID in the text.
        found: u32,
        /// The ID of the name and the key.
        expected: u32,
    },
    /// The public key of the seed is one that no verifier accepts.
    #[error("the public key of the seed: {0}")]
    Vkey(#[from] VerifierKeyError),
    /// The operating system gave no random bytes.
    #[error("the operating system gave no random bytes (error {code:?})")]
    Random {
        /// Its error code, if it has one.
        code: Option<i32>,
    },
}

//! Signed notes: text with the signatures of one or more keys, and the names of those keys (C2SP signed-note).
//!
//! A note is a text that ends in LF, an empty line, and one or more signature lines `— name base64`, each ended by
//! LF. The base64 is of the key ID, 4 bytes big-endian, and the signature over the text. A note is UTF-8 without
//! control characters other than LF. The text may hold empty lines: the last one of the note separates.
//!
//! ```
//! use indelible::note::{self, Note};
//! use indelible::{Origin, Signer, SigningKey};
//!
//! let key = SigningKey::generate(Origin::new("example.com/poems")?)?;
//! let signed = note::sign("Ognuno sta solo sul cuor della terra\n", &[&key])?;
//! let note = Note::parse(&signed)?;
//! assert_eq!(note.open(std::slice::from_ref(key.vkey()))?.verified.len(), 1);
//! assert_eq!(note.to_string(), signed);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![warn(clippy::unwrap_used, clippy::indexing_slicing, clippy::as_conversions)]

pub(crate) mod base64;
pub(crate) mod key;
pub(crate) mod origin;
mod plain;
#[cfg(test)]
mod tests;

use std::fmt;

pub use key::{KeyId, VerifierKey, VerifierKeyError};
pub use origin::{ORIGIN_BYTES_MAX, Origin, OriginError};

pub(crate) use plain::plain;

use crate::sign::{SignError, Signer};

/// A note whose form was checked. Its text says nothing until [`Note::open`] has checked its signatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note<'a> {
    text: &'a str,
    signatures: Vec<Signature<'a>>,
}

impl<'a> Note<'a> {
    /// Reads a note of at most [`NOTE_BYTES_MAX`] bytes and [`NOTE_SIGNATURES_MAX`] signatures. It accepts exactly
    /// what [`Display`](fmt::Display) prints.
    ///
    /// # Errors
    ///
    /// [`NoteError`] says what breaks the form.
    pub fn parse(note: &'a str) -> Result<Self, NoteError> {
        let (text, lines) = split(note)?;
        let signatures = lines.take(NOTE_SIGNATURES_MAX + 1).collect::<Result<Vec<_>, _>>()?;
        if signatures.len() > NOTE_SIGNATURES_MAX {
            return Err(NoteError::TooManySignatures {
                max: NOTE_SIGNATURES_MAX,
            });
        }
        Ok(Self { text, signatures })
    }

    /// The text, with its last LF: what is signed.
    pub fn text(&self) -> &'a str {
        self.text
    }

    /// The signatures, of known and unknown keys, in their order.
    pub fn signatures(&self) -> &[Signature<'a>] {
        &self.signatures
    }

    /// Checks the signatures that the `known` keys made, and tells them from those of unknown keys, which have no
    /// meaning (C2SP signed-note "Signatures").
    ///
    /// Every line of a known key has to be valid; the first one is given. Of an unknown key each line that differs is
    /// given.
    ///
    /// # Errors
    ///
    /// [`OpenError::Invalid`] if a line names a known key that did not make it, [`OpenError::Ambiguous`] if it names
    /// two of the known keys, and [`OpenError::Unverified`] if no known key signed.
    pub fn open(&self, known: &[VerifierKey]) -> Result<Opened<'a>, OpenError> {
        let mut opened = Opened {
            text: self.text,
            verified: Vec::new(),
            unverified: Vec::new(),
        };
        for signature in &self.signatures {
            let mut named = known.iter().filter(|key| signature.names(key));
            match (named.next(), named.next()) {
                (Some(_), Some(_)) => {
                    return Err(OpenError::Ambiguous {
                        key: signature.key_id(),
                    });
                }
                (Some(key), None) if !signature.verify(self.text, key) => {
                    return Err(OpenError::Invalid {
                        key: signature.key_id(),
                    });
                }
                (Some(key), None) if opened.verified.iter().any(|earlier| earlier.names(key)) => {}
                (Some(_), None) => opened.verified.push(*signature),
                (None, _) if opened.unverified.contains(signature) => {}
                (None, _) => opened.unverified.push(*signature),
            }
        }
        if opened.verified.is_empty() {
            return Err(OpenError::Unverified);
        }
        Ok(opened)
    }
}

impl fmt::Display for Note<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures
            .iter()
            .try_for_each(|signature| writeln!(f, "{signature}"))
    }
}

/// What [`Note::open`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened<'a> {
    /// The text that the keys of `verified` signed.
    pub text: &'a str,
    /// The signatures of known keys, each checked; at least one.
    pub verified: Vec<Signature<'a>>,
    /// The signatures of unknown keys.
    pub unverified: Vec<Signature<'a>>,
}

/// A signature line of a note: `— name base64`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signature<'a> {
    name: &'a str,
    id: u32,
    encoded: &'a str,
}

impl<'a> Signature<'a> {
    /// The name of the key.
    pub fn name(&self) -> &'a str {
        self.name
    }

    /// The ID of the key.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// The name and the ID of the key.
    pub fn key_id(&self) -> KeyId {
        KeyId::new(self.name, self.id)
    }

    /// The bytes of the signature, without the key ID: 64 for Ed25519, up to some thousand for other types.
    pub fn bytes(&self) -> Vec<u8> {
        base64::decode_vec(self.encoded).unwrap_or_default().split_off(4)
    }

    /// Whether the line says that it is by `key`.
    pub fn names(&self, key: &VerifierKey) -> bool {
        self.id == key.id() && self.name == key.name().as_str()
    }

    /// Whether this is a signature of `key` over `text`.
    pub fn verify(&self, text: &str, key: &VerifierKey) -> bool {
        match base64::decode::<68>(self.encoded) {
            Some([_, _, _, _, signature @ ..]) => self.names(key) && key.verify(text.as_bytes(), &signature),
            None => false,
        }
    }

    /// Reads a line without its LF.
    fn parse(line: &'a str) -> Option<Self> {
        let (name, encoded) = line.strip_prefix(LINE_PREFIX)?.split_once(' ')?;
        let (id, length) = base64::scan(encoded)?;
        let id = u32::from_be_bytes(id);
        (length > 0 && origin::is_key_name(name)).then_some(Self { name, id, encoded })
    }
}

impl fmt::Display for Signature<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{LINE_PREFIX}{} {}", self.name, self.encoded)
    }
}

/// Why a text is not a [`Note`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoteError {
    /// It has more than [`NOTE_BYTES_MAX`] bytes.
    #[error("the note has {bytes} bytes, more than {NOTE_BYTES_MAX}")]
    TooLong {
        /// How many it has.
        bytes: usize,
    },
    /// It has a control character other than LF.
    #[error("the note has the control character {byte:#04x} at byte {at}")]
    Control {
        /// The character.
        byte: u8,
        /// Where it stands, in bytes from 0.
        at: usize,
    },
    /// No empty line separates a text from signatures.
    #[error("the note has no empty line before its signatures")]
    NoSeparator,
    /// Nothing follows the text.
    #[error("the note has no signature")]
    NoSignature,
    /// It does not end in LF.
    #[error("the note does not end in a line feed")]
    Unended,
    /// What follows the text is not a signature line.
    #[error("line {line} of the note's signatures is not of the form \"— name base64\"")]
    Signature {
        /// Which line after the empty one, from 1.
        line: usize,
    },
    /// It has more signatures than are read.
    #[error("the note has more than {max} signatures")]
    TooManySignatures {
        /// How many it may have.
        max: usize,
    },
}

/// Why a note says nothing to who knows these keys.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// No known key signed it.
    #[error("the note is not signed by a known key")]
    Unverified,
    /// A line names a known key, which did not make it.
    #[error("the note's signature by {key} is not valid")]
    Invalid {
        /// The key that the line names.
        key: KeyId,
    },
    /// Two of the known keys have the name and the ID of a line.
    #[error("two of the known keys are {key}")]
    Ambiguous {
        /// What they are both named.
        key: KeyId,
    },
}

/// The note of `text` with the signatures of `signers` in this order.
///
/// # Errors
///
/// What a signer says; and an error if `text` does not end in LF or has another control character, or if there is no
/// signer or more than [`NOTE_SIGNATURES_MAX`].
pub fn sign(text: &str, signers: &[&dyn Signer]) -> Result<String, SignError> {
    if !text.ends_with('\n') || control_character(text).is_some() {
        return Err(SignError::new(
            "the text of a note ends in a line feed and has no other control characters",
        ));
    }
    if signers.is_empty() || signers.len() > NOTE_SIGNATURES_MAX {
        return Err(SignError::new(format!(
            "a note has from 1 to {NOTE_SIGNATURES_MAX} signatures"
        )));
    }
    let lines_length: usize = signers
        .iter()
        .map(|signer| signer.vkey().name().as_str().len() + 98)
        .sum();
    let mut note = String::with_capacity(text.len() + 1 + lines_length);
    note.push_str(text);
    note.push('\n');
    for signer in signers {
        let signature = signer.sign(text.as_bytes())?;
        let mut bytes = [0; 68];
        let id = signer.vkey().id().to_be_bytes();
        for (byte, from) in bytes.iter_mut().zip(id.iter().chain(&signature)) {
            *byte = *from;
        }
        note.push_str(LINE_PREFIX);
        note.push_str(signer.vkey().name().as_str());
        note.push(' ');
        base64::encode(&mut note, &bytes);
        note.push('\n');
    }
    Ok(note)
}

/// The text of a note and its signature lines, which are checked as they are read.
pub(crate) fn split(note: &str) -> Result<(&str, SignatureLines<'_>), NoteError> {
    if note.len() > NOTE_BYTES_MAX {
        return Err(NoteError::TooLong { bytes: note.len() });
    }
    if let Some((at, byte)) = control_character(note) {
        return Err(NoteError::Control { byte, at });
    }
    let separator = note.rfind("\n\n").ok_or(NoteError::NoSeparator)?;
    let (text, lines) = note.split_at_checked(separator + 1).ok_or(NoteError::NoSeparator)?;
    let lines = lines.strip_prefix('\n').unwrap_or(lines);
    if lines.is_empty() {
        return Err(NoteError::NoSignature);
    }
    if !lines.ends_with('\n') {
        return Err(NoteError::Unended);
    }
    Ok((
        text,
        SignatureLines {
            lines: lines.split_terminator('\n'),
            count: 0,
        },
    ))
}

/// The signature lines of a note, at least one.
#[derive(Debug, Clone)]
pub(crate) struct SignatureLines<'a> {
    lines: std::str::SplitTerminator<'a, char>,
    count: usize,
}

impl<'a> Iterator for SignatureLines<'a> {
    type Item = Result<Signature<'a>, NoteError>;

    fn next(&mut self) -> Option<Self::Item> {
        let line = self.lines.next()?;
        self.count += 1;
        Some(Signature::parse(line).ok_or(NoteError::Signature { line: self.count }))
    }
}

fn control_character(text: &str) -> Option<(usize, u8)> {
    text.bytes()
        .enumerate()
        .find(|(_, byte)| *byte < b' ' && *byte != b'\n')
}

/// The most bytes that a note has: more than a hundred signatures of a post-quantum type.
pub const NOTE_BYTES_MAX: usize = 1 << 20;

/// The most signatures that a note has; a checkpoint has at most
/// [`CHECKPOINT_SIGNATURES_MAX`](crate::checkpoint::CHECKPOINT_SIGNATURES_MAX).
pub const NOTE_SIGNATURES_MAX: usize = 100;

/// What a signature line begins with: an em dash and a space.
const LINE_PREFIX: &str = "\u{2014} ";

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// The identity of a log, and the name of its keys: `auth.example.com/audit`.
///
/// Not empty, at most [`ORIGIN_BYTES_MAX`] bytes, without white space, `+` and control characters (FORMAT §3, C2SP
/// signed-note "Format"). It should be a schema-less URL of the log's owner. A clone shares the text.
///
/// ```
/// use indelible::Origin;
///
/// let origin: Origin = "auth.example.com/audit".parse()?;
/// assert_eq!(origin.as_str(), "auth.example.com/audit");
/// assert!("auth example com".parse::<Origin>().is_err());
/// # Ok::<(), indelible::note::OriginError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin(Arc<str>);

impl Origin {
    /// Checks that `text` is an origin.
    ///
    /// # Errors
    ///
    /// [`OriginError`] says what stands against it.
    pub fn new(text: &str) -> Result<Self, OriginError> {
        check(text)?;
        Ok(Self(text.into()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Origin {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, OriginError> {
        Self::new(text)
    }
}

impl AsRef<str> for Origin {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

/// Why a text is not an [`Origin`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OriginError {
    /// It has no characters.
    #[error("the origin is empty")]
    Empty,
    /// It has more than [`ORIGIN_BYTES_MAX`] bytes.
    #[error("the origin has {bytes} bytes, more than {ORIGIN_BYTES_MAX}")]
    TooLong {
        /// How many it has.
        bytes: usize,
    },
    /// It has white space, a `+` or a control character.
    #[error("the origin has {character:?} at byte {at}: it has no white space, no '+' and no control characters")]
    Character {
        /// The first such character.
        character: char,
        /// Where it begins, in bytes from 0.
        at: usize,
    },
}

/// Whether `text` can be the name of anyone's key (C2SP signed-note "Format"); the control characters that a note can
/// hold are allowed in it.
pub(crate) fn is_key_name(text: &str) -> bool {
    if text.is_ascii() {
        !text.is_empty() && text.bytes().all(|byte| byte > b' ' && byte != b'+')
    } else {
        !text.contains(|character: char| character.is_whitespace() || character == '+' || character < ' ')
    }
}

fn check(text: &str) -> Result<(), OriginError> {
    if text.is_empty() {
        return Err(OriginError::Empty);
    }
    if text.len() > ORIGIN_BYTES_MAX {
        return Err(OriginError::TooLong { bytes: text.len() });
    }
    let wrong = |character: &char| character.is_whitespace() || *character == '+' || character.is_control();
    match text.char_indices().find(|(_, character)| wrong(character)) {
        Some((at, character)) => Err(OriginError::Character { character, at }),
        None => Ok(()),
    }
}

/// The longest origin, in bytes: record 0 names it twice in at most 65,535 bytes (FORMAT §1, §2).
pub const ORIGIN_BYTES_MAX: usize = 32_767;

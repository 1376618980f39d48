//! What is wrong with a JSON text, or with a value that has no JSON form.

use std::fmt;

use thiserror::Error;

/// Why a text is not JSON of the kind that the log takes, or why a value has no such form.
///
/// It says what is wrong and, where a text was read, at which byte (counted from 0). An offending key is quoted,
/// shortened; a value never is, since it may be personal or a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonError(Box<Inner>);

impl JsonError {
    /// Where in the text that was read, in bytes from its start. `None` where none was read: a value could not be
    /// written.
    pub fn offset(&self) -> Option<usize> {
        self.0.offset
    }

    /// Says it in words, for what is JSON and still not what it should be.
    pub(crate) fn other(problem: impl fmt::Display) -> Self {
        serde::ser::Error::custom(problem)
    }

    // Out of line, so that the readers' fast paths stay small.
    #[cold]
    pub(super) fn at(problem: Problem, offset: usize) -> Self {
        Self(Box::new(Inner {
            problem,
            offset: Some(offset),
        }))
    }
}

impl From<Problem> for JsonError {
    #[cold]
    fn from(problem: Problem) -> Self {
        Self(Box::new(Inner { problem, offset: None }))
    }
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.problem.fmt(f)?;
        self.0.offset.map_or(Ok(()), |offset| write!(f, " at byte {offset}"))
    }
}

impl std::error::Error for JsonError {}

impl serde::ser::Error for JsonError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Problem::Custom(shortened(&message.to_string(), 200)).into()
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Inner {
    problem: Problem,
    offset: Option<usize>,
}

/// The kinds of what can be wrong.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) enum Problem {
    #[error("expected {0}")]
    Expected(&'static str),
    #[error("expected {0}")]
    Bytes(Box<str>),
    #[error("invalid UTF-8")]
    Utf8,
    #[error("byte order mark")]
    ByteOrderMark,
    #[error("duplicate key \"{0}\"")]
    DuplicateKey(Box<str>),
    #[error("key \"{0}\" stands after one that it sorts before")]
    KeyOrder(Box<str>),
    #[error("a key is a string, a character, an integer or a boolean")]
    KeyType,
    #[error("a number is not in canonical form")]
    NumberForm,
    #[error("a number is beyond the range of a double")]
    NumberRange,
    #[error("an integer is beyond ±(2^53-1)")]
    IntegerRange,
    #[error("NaN and infinity have no JSON form")]
    NotFinite,
    #[error("objects and lists nest too deep")]
    Depth,
    #[error("lone surrogate")]
    Surrogate,
    #[error("invalid escape")]
    Escape,
    #[error("escape is not in canonical form")]
    EscapeForm,
    #[error("control character that is not escaped")]
    Control,
    #[error("bytes after the end of the value")]
    Trailing,
    #[error("{0}")]
    Custom(Box<str>),
}

impl Problem {
    pub(super) fn bytes(expected: &[u8]) -> Self {
        Self::Bytes(shortened(&String::from_utf8_lossy(expected), 40))
    }

    pub(super) fn duplicate_key(key: &str) -> Self {
        Self::DuplicateKey(shortened(key, 40))
    }

    pub(super) fn key_order(key: &str) -> Self {
        Self::KeyOrder(shortened(key, 40))
    }
}

/// The first `length` characters, with control characters escaped for the terminal that shows the message.
fn shortened(text: &str, length: usize) -> Box<str> {
    let mut short = String::new();
    for character in text.chars().take(length) {
        match character.is_control() {
            true => short.extend(character.escape_default()),
            false => short.push(character),
        }
    }
    if text.chars().nth(length).is_some() {
        short.push('…');
    }
    short.into()
}

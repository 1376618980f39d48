//! What was changed, and what a host adds of its own (EVENTS §1).

use std::fmt;

use serde::Serialize;

use crate::json::{self, JsonError};

/// A JSON value in canonical form (RFC 8785), as a host's value is recorded.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Json(Vec<u8>);

impl Json {
    /// The canonical text.
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.0).unwrap_or_default()
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// A text that is canonical already.
    pub(super) fn from_canonical(text: Vec<u8>) -> Self {
        Self(text)
    }

    /// The canonical text of a value, in which objects and lists nest at most `depth` deep.
    pub(super) fn of<T: Serialize + ?Sized>(value: &T, depth: usize) -> Result<Self, JsonError> {
        let mut text = Vec::with_capacity(16);
        json::serialize::serialize(&mut text, value, depth)?;
        Ok(Self(text))
    }
}

/// Without the value: it may be personal, or a secret.
impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Json").finish_non_exhaustive()
    }
}

/// One change of a configuration or a profile.
///
/// Values are whatever serde can serialize into I-JSON (RFC 7493): no NaN or infinity, integers within ±(2^53−1). A
/// value of another kind is reported when the event is recorded. Values of a `field` that is named like a secret are
/// redacted then (see [`Redaction`](crate::event::Redaction)).
///
/// ```
/// use indelible::Change;
///
/// let lifetime = Change::new("session.max_age", 86400, 3600);
/// let moved = Change::new("address", "1 Old Road", "2 New Street").personal();
/// let password = Change::named("password_hash");
/// assert_eq!(lifetime.new.unwrap().as_str(), "3600");
/// ```
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct Change {
    /// What was changed. Kept for good.
    pub field: String,
    /// The value before, if there was one.
    pub old: Option<Json>,
    /// The value after, if there is one.
    pub new: Option<Json>,
    /// Whether the values are personal: then they can be erased.
    pub personal: bool,
    /// What is wrong with a value, and with which.
    pub(super) problem: Option<(&'static str, JsonError)>,
}

impl Change {
    /// A change from one value to another.
    pub fn new(field: impl Into<String>, old: impl Serialize, new: impl Serialize) -> Self {
        Self::named(field).with_old(&old).with_new(&new)
    }

    /// A change of what had no value before.
    pub fn added(field: impl Into<String>, new: impl Serialize) -> Self {
        Self::named(field).with_new(&new)
    }

    /// A change of what has no value any more.
    pub fn removed(field: impl Into<String>, old: impl Serialize) -> Self {
        Self::named(field).with_old(&old)
    }

    /// A change that tells no values.
    pub fn named(field: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            old: None,
            new: None,
            personal: false,
            problem: None,
        }
    }

    /// The same change, its values marked as personal: they can be erased. `field` is kept for good all the same.
    #[must_use]
    pub fn personal(mut self) -> Self {
        self.personal = true;
        self
    }

    fn with_old(mut self, value: &impl Serialize) -> Self {
        match Json::of(value, VALUE_DEPTH_MAX) {
            Ok(value) => self.old = Some(value),
            Err(problem) => self.problem = Some(("old", problem)),
        }
        self
    }

    fn with_new(mut self, value: &impl Serialize) -> Self {
        match Json::of(value, VALUE_DEPTH_MAX) {
            Ok(value) => self.new = Some(value),
            Err(problem) => self.problem = self.problem.or(Some(("new", problem))),
        }
        self
    }
}

/// Without the values: they may be personal, or a secret.
impl fmt::Debug for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Change")
            .field("field", &self.field)
            .field("personal", &self.personal)
            .finish_non_exhaustive()
    }
}

/// How deep a value nests at most: it stands in a change, in a list, in `event` or `personal`, in the line (FORMAT §1).
pub(super) const VALUE_DEPTH_MAX: usize = json::DEPTH_MAX - 4;

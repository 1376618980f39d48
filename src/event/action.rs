//! What was done: a name for each kind of event (EVENTS §2).
//!
//! The actions of the [`catalogue`](fn@crate::event::catalogue) are constants here. A host's own actions need no
//! registration: any name of the form `noun.verb_in_the_past`, with as many segments as it takes, is an action.

mod constants;

use std::borrow::Cow;
use std::fmt;
use std::hash::{Hash, Hasher};

use super::catalogue::{self, Entry};
use super::levels::{Outcome, Severity};

pub use constants::*;

/// What was done and how it ended, as a dotted lower-case name such as `auth.login.failed`.
///
/// An action of the catalogue brings its default outcome and severity. Any other has outcome `unknown` and severity
/// `informational` unless its event says otherwise. Its form, `[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+` in at most 128
/// bytes, is checked when its event is recorded.
///
/// ```
/// use indelible::{Action, action};
///
/// const INVOICE_PAID: Action = Action::from_static("billing.invoice.paid");
///
/// assert_eq!(action::AUTH_LOGIN_FAILED.category(), "authentication");
/// assert_eq!(Action::from("auth.login.failed"), action::AUTH_LOGIN_FAILED);
/// assert_eq!(INVOICE_PAID.category(), "billing");
/// ```
#[derive(Clone)]
pub struct Action(Name);

#[derive(Clone)]
enum Name {
    Listed(&'static Entry),
    Other(Cow<'static, str>),
}

impl Action {
    /// The action with this name, for a host's constants.
    pub const fn from_static(name: &'static str) -> Self {
        match catalogue::lookup_const(name) {
            Some(entry) => Self(Name::Listed(entry)),
            None => Self(Name::Other(Cow::Borrowed(name))),
        }
    }

    /// The action of the catalogue at this place of its table.
    const fn listed(index: usize) -> Self {
        Self(Name::Listed(catalogue::entry_at(index)))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Name::Listed(entry) => entry.action,
            Name::Other(name) => name,
        }
    }

    /// Its entry, if it is in the catalogue.
    pub fn entry(&self) -> Option<&'static Entry> {
        match self.0 {
            Name::Listed(entry) => Some(entry),
            Name::Other(_) => None,
        }
    }

    /// Its category: that of the catalogue's actions with the same first segment, else that segment.
    pub fn category(&self) -> &str {
        match &self.0 {
            Name::Listed(entry) => entry.category,
            Name::Other(name) => catalogue::category_of(name),
        }
    }

    /// The outcome of an event that names none.
    pub fn default_outcome(&self) -> Outcome {
        self.entry().map_or(Outcome::Unknown, |entry| entry.outcome)
    }

    /// The severity of an event that names none.
    pub fn default_severity(&self) -> Severity {
        self.entry().map_or(Severity::Informational, |entry| entry.severity)
    }

    /// Whether only the log itself may record it (EVENTS §1).
    pub(crate) fn is_reserved(&self) -> bool {
        let name = self.as_str();
        name.starts_with("audit_log.") && !OPEN_TO_HOSTS.contains(&name)
    }
}

impl From<&str> for Action {
    fn from(name: &str) -> Self {
        match catalogue::lookup(name) {
            Some(entry) => Self(Name::Listed(entry)),
            None => Self(Name::Other(Cow::Owned(name.to_owned()))),
        }
    }
}

impl From<String> for Action {
    fn from(name: String) -> Self {
        match catalogue::lookup(&name) {
            Some(entry) => Self(Name::Listed(entry)),
            None => Self(Name::Other(Cow::Owned(name))),
        }
    }
}

impl From<&Action> for Action {
    fn from(action: &Action) -> Self {
        action.clone()
    }
}

impl AsRef<str> for Action {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl PartialEq for Action {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Action {}

impl PartialEq<str> for Action {
    fn eq(&self, name: &str) -> bool {
        self.as_str() == name
    }
}

impl PartialEq<&str> for Action {
    fn eq(&self, name: &&str) -> bool {
        self.as_str() == *name
    }
}

impl PartialOrd for Action {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Action {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl Hash for Action {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// What a host does with the log and the log cannot see (EVENTS §1).
const OPEN_TO_HOSTS: [&str; 4] = [
    "audit_log.accessed",
    "audit_log.archived",
    "audit_log.exported",
    "audit_log.review.completed",
];

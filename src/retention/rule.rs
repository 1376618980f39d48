//! Who is kept for how long.

use std::fmt;
use std::str::FromStr;

use super::error::RetentionError;
use super::period::Period;
use crate::event::Severity;
use crate::query::{Field, Query};
use crate::timestamp::Timestamp;

/// How long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    For(Period),
    Forever,
}

impl Keep {
    /// When it is over; `None` for never.
    pub(crate) fn over_at(self, recorded_at: Timestamp) -> Option<Timestamp> {
        match self {
            Self::For(period) => Some(period.after(recorded_at)),
            Self::Forever => None,
        }
    }
}

impl fmt::Display for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::For(period) => period.fmt(f),
            Self::Forever => f.write_str(FOREVER),
        }
    }
}

impl FromStr for Keep {
    type Err = RetentionError;

    fn from_str(text: &str) -> Result<Self, RetentionError> {
        match text {
            FOREVER => Ok(Self::Forever),
            _ => text.parse().map(Self::For).map_err(|_| RetentionError::keep(text)),
        }
    }
}

/// Keeps some records for a period of their own: those of a tenant, an action, a category or a severity.
///
/// Conditions on different fields are "and", values of one field are "or". As text, a rule is a period or `forever`, a
/// space, and what it is for as [`Query::parse`] reads it: `event_type` (or `action`), `category`, `severity` and
/// `tenant_id`, each also with `.not`, and `severity_min`.
///
/// ```
/// use indelible::{Severity, retention::{Period, Rule}};
///
/// let rule = Rule::keep(Period::YEARS_7).tenant("org_acme").action("auth.login.*");
/// assert_eq!(rule.to_string(), "7y event_type=auth.login.*&tenant_id=org_acme");
/// assert_eq!("forever severity_min=high".parse(), Ok(Rule::keep_forever().severity_min(Severity::High)));
/// # Ok::<(), indelible::retention::RetentionError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[must_use = "a rule does nothing until a retention has it"]
pub struct Rule {
    pub(super) keep: Keep,
    pub(super) query: Query,
}

impl Rule {
    /// Keeps the records that it is for so long.
    pub fn keep(period: Period) -> Self {
        Self::of(Keep::For(period))
    }

    /// Keeps the records that it is for without end.
    pub fn keep_forever() -> Self {
        Self::of(Keep::Forever)
    }

    fn of(keep: Keep) -> Self {
        let query = Query::new();
        Self { keep, query }
    }

    /// For this organization.
    pub fn tenant(self, id: impl AsRef<str>) -> Self {
        self.with(Field::TenantId, id)
    }

    /// For this action, or with `auth.login.*` all that begin so.
    pub fn action(self, pattern: impl AsRef<str>) -> Self {
        self.with(Field::EventType, pattern)
    }

    /// For this category of actions, such as `authentication`.
    pub fn category(self, category: impl AsRef<str>) -> Self {
        self.with(Field::Category, category)
    }

    /// For this severity.
    pub fn severity(self, severity: Severity) -> Self {
        self.with(Field::Severity, severity.as_str())
    }

    /// For this severity and higher ones.
    pub fn severity_min(mut self, severity: Severity) -> Self {
        self.query = self.query.severity_min(severity);
        self
    }

    fn with(mut self, field: Field, value: impl AsRef<str>) -> Self {
        self.query = self.query.with(field, value);
        self
    }

    /// Whether it is one that can be applied.
    ///
    /// # Errors
    ///
    /// Names what is wrong, and what it takes.
    pub fn check(&self) -> Result<(), RetentionError> {
        let check = || {
            self.query.check().map_err(RetentionError::filter)?;
            if !self.query.asks_only(&FIELDS) {
                return Err(RetentionError::field());
            }
            match self.query == Query::new() {
                true => Err(RetentionError::everything()),
                false => Ok(()),
            }
        };
        check().map_err(|error| error.in_rule(&self.to_string()))
    }
}

/// As it is read.
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.keep, self.query.filter)
    }
}

impl FromStr for Rule {
    type Err = RetentionError;

    fn from_str(text: &str) -> Result<Self, RetentionError> {
        let text = text.trim();
        let read = || {
            let (keep, filter) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
            let keep = keep.parse()?;
            let query = Query::parse(filter.trim()).map_err(RetentionError::filter)?;
            Ok(Self { keep, query })
        };
        let rule: Self = read().map_err(|error: RetentionError| error.in_rule(text))?;
        rule.check()?;
        Ok(rule)
    }
}

/// What a rule looks at. None of it is personal, so that no erasure changes how long a record is kept.
const FIELDS: [Field; 4] = [Field::TenantId, Field::EventType, Field::Category, Field::Severity];

pub(super) const FOREVER: &str = "forever";

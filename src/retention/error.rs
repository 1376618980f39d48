//! What is wrong with a retention.

use std::fmt;

use crate::query::QueryError;

/// Why a [`Retention`](super::Retention), one of its rules or a [`Period`](super::Period) is none: it names what is
/// wrong, and what it takes.
///
/// ```
/// use indelible::retention::Retention;
///
/// let error = "1y; 90 tenant_id=org_acme".parse::<Retention>().unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "rule \"90 tenant_id=org_acme\": takes a period such as 90d, 6m or 7y, or forever, not \"90\""
/// );
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetentionError {
    /// The rule that is wrong, as it was given.
    rule: Option<String>,
    problem: Problem,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum Problem {
    #[error("takes a period such as 90d, 6m or 7y, of at most a thousand years, not \"{0}\"")]
    Period(String),
    #[error("takes a period such as 90d, 6m or 7y, or forever, not \"{0}\"")]
    Keep(String),
    #[error("{0}")]
    Filter(QueryError),
    #[error("a rule is for some of tenant_id, event_type, category, severity and severity_min, and for nothing else")]
    Field,
    #[error("it is for every record, as only the default is")]
    Everything,
    #[error("it says no default: a period, or forever")]
    NoDefault,
    #[error("it says two defaults")]
    TwoDefaults,
    #[error("as text it has more than {0} bytes")]
    TooLong(usize),
}

impl RetentionError {
    pub(super) fn period(text: &str) -> Self {
        Problem::Period(shortened(text)).into()
    }

    pub(super) fn keep(text: &str) -> Self {
        Problem::Keep(shortened(text)).into()
    }

    pub(super) fn filter(error: QueryError) -> Self {
        Problem::Filter(error).into()
    }

    pub(super) fn field() -> Self {
        Problem::Field.into()
    }

    pub(super) fn everything() -> Self {
        Problem::Everything.into()
    }

    pub(super) fn no_default() -> Self {
        Problem::NoDefault.into()
    }

    pub(super) fn two_defaults() -> Self {
        Problem::TwoDefaults.into()
    }

    pub(super) fn too_long(max: usize) -> Self {
        Problem::TooLong(max).into()
    }

    /// The same, said of a rule.
    pub(super) fn in_rule(mut self, rule: &str) -> Self {
        self.rule.get_or_insert_with(|| shortened(rule));
        self
    }

    /// The rule that is wrong, as it was given, shortened; `None` where it is none of the rules.
    pub fn rule(&self) -> Option<&str> {
        self.rule.as_deref()
    }
}

impl From<Problem> for RetentionError {
    fn from(problem: Problem) -> Self {
        Self { rule: None, problem }
    }
}

impl fmt::Display for RetentionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.rule {
            Some(rule) => write!(f, "rule \"{rule}\": {}", self.problem),
            None => self.problem.fmt(f),
        }
    }
}

impl std::error::Error for RetentionError {}

/// The first characters, with control characters escaped for the terminal that shows the message.
fn shortened(text: &str) -> String {
    let mut short: String = text.chars().take(SHOWN_MAX).flat_map(char::escape_debug).collect();
    if text.chars().nth(SHOWN_MAX).is_some() {
        short.push('…');
    }
    short
}

const SHOWN_MAX: usize = 80;

//! What is wrong with a query.

use std::borrow::Cow;
use std::fmt;

/// Why a query is none: it names the parameter, and what that takes.
///
/// ```
/// use indelible::Query;
///
/// let error = Query::parse("outcome=failed").unwrap_err();
/// assert_eq!(error.parameter(), "outcome");
/// assert_eq!(error.to_string(), "outcome: takes one of success, failure, denied, unknown, not \"failed\"");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryError {
    parameter: Cow<'static, str>,
    problem: Problem,
}

impl QueryError {
    pub(super) fn new(parameter: impl Into<Cow<'static, str>>, problem: Problem) -> Self {
        let parameter = parameter.into();
        Self { parameter, problem }
    }

    /// The parameter, as it is written in a query.
    pub fn parameter(&self) -> &str {
        &self.parameter
    }
}

impl fmt::Display for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parameter = shortened(&self.parameter, 80);
        write!(f, "{parameter}: {}", self.problem)
    }
}

impl std::error::Error for QueryError {}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Problem {
    #[error("no such parameter; those that there are: {}", super::parse::NAMES)]
    Unknown,
    #[error("takes {takes}, not \"{value}\"")]
    Value { value: String, takes: String },
    #[error("is given more than once, and takes one value")]
    Repeated,
    #[error("cannot be negated")]
    Negated,
    #[error("is not before {other}")]
    NotBefore { other: &'static str },
    #[error("cannot be given together with {other}")]
    Together { other: &'static str },
    #[error("at most {max} of them")]
    TooMany { max: usize },
    #[error("is of another query, or damaged")]
    Cursor,
    #[error("is for pages, and here are none")]
    Unpaged,
    #[error("is not percent-encoded UTF-8")]
    Encoding,
}

impl Problem {
    pub(super) fn value(value: &str, takes: &str) -> Self {
        Self::Value {
            value: shortened(value, 40),
            takes: takes.to_owned(),
        }
    }
}

/// The first characters, with control characters escaped for the terminal that shows the message.
fn shortened(text: &str, length: usize) -> String {
    let mut short: String = text.chars().take(length).flat_map(char::escape_debug).collect();
    if text.chars().nth(length).is_some() {
        short.push('…');
    }
    short
}

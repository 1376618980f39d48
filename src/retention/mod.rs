//! How long records are kept: periods, rules, legal holds.
//!
//! A [`Retention`] says for each record when it is over: a default, and [`Rule`]s by tenant, action, category or
//! severity. Of several rules that are for a record, the longest wins. [`Period`] is a length of time on the calendar. A [`Hold`]
//! keeps records whatever a retention says.
//!
//! Time is that at which the log took the record (`recorded_at`), so that no host's clock shortens a period.

#![warn(clippy::unwrap_used, clippy::indexing_slicing, clippy::as_conversions)]

mod error;
mod hold;
mod period;
mod rule;

use std::fmt;
use std::str::FromStr;

pub use error::RetentionError;
pub use hold::Hold;
pub(crate) use hold::{InForce, Taking};
pub use period::Period;
pub use rule::Rule;

use rule::Keep;

use crate::query::Matcher;
use crate::record::{Line, Record, RecordLine};
use crate::timestamp::Timestamp;

/// How long the records of a log are kept.
///
/// Its methods take and give it, so that it is written in one expression. None of them fails: what is wrong is said by
/// [`check`](Self::check), and by who applies it. As text it is the default and the rules, with `;` or a line break
/// between them.
///
/// ```
/// use indelible::retention::{Period, Retention, Rule};
///
/// let retention = Retention::keep(Period::DAYS_90)
///     .rule(Rule::keep(Period::YEAR_1).category("authentication"))
///     .rule(Rule::keep(Period::YEARS_7).tenant("org_acme"))
///     .rule(Rule::keep_forever().action("user.deleted"));
///
/// let text = "90d; 1y category=authentication; 7y tenant_id=org_acme; forever event_type=user.deleted";
/// assert_eq!(retention, text.parse()?);
/// assert_eq!(retention.to_string(), text);
/// # Ok::<(), indelible::retention::RetentionError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[must_use = "a retention does nothing until it is applied to a log"]
pub struct Retention {
    default: Keep,
    rules: Vec<Rule>,
}

impl Retention {
    /// Keeps records so long that no rule is for.
    pub fn keep(period: Period) -> Self {
        Self::of(Keep::For(period))
    }

    /// Keeps records without end that no rule is for.
    pub fn keep_forever() -> Self {
        Self::of(Keep::Forever)
    }

    fn of(default: Keep) -> Self {
        Self {
            default,
            rules: Vec::new(),
        }
    }

    /// Keeps some records for a period of their own. Where several rules are for a record, the one that keeps it longest
    /// wins; the default is for those alone that no rule is for. At most 1,000 rules.
    pub fn rule(mut self, rule: Rule) -> Self {
        self.rules.push(rule);
        self
    }

    /// Whether it can be applied.
    ///
    /// # Errors
    ///
    /// Names the rule that is wrong, and what it takes.
    pub fn check(&self) -> Result<(), RetentionError> {
        if self.rules.len() > RULES_MAX {
            return Err(RetentionError::too_many(RULES_MAX));
        }
        self.rules.iter().try_for_each(Rule::check)
    }

    /// When a record is over; `None` for never. Nothing is left to keep of one that is erased: it is `None` too.
    ///
    /// Legal holds are not looked at: they may keep it longer.
    ///
    /// ```
    /// use indelible::{Actor, AuditLog, Event, MemoryStore, SigningKey, action};
    /// use indelible::retention::{Period, Retention, Rule};
    ///
    /// # let key = SigningKey::generate("auth.example.com/audit".parse()?)?;
    /// # let log = AuditLog::builder("auth.example.com/audit")
    /// #     .signer(key)
    /// #     .without_checkpoint_file()
    /// #     .open(MemoryStore::new())?;
    /// let receipt = log.append(Event::new(action::AUTH_LOGIN_FAILED).actor(Actor::user("usr_alice123")))?;
    /// let record = log.reader().record(receipt.seq)?;
    ///
    /// let retention = Retention::keep(Period::DAYS_90).rule(Rule::keep(Period::HIPAA).action("auth.*"));
    /// let over_at = Period::HIPAA.after(record.recorded_at().unwrap());
    /// assert_eq!(retention.over_at(&record), Some(over_at));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn over_at(&self, record: &Record) -> Option<Timestamp> {
        match Line::parse(record.line()?.as_bytes()) {
            Ok(Line::Record(record)) => Judge::new(self).judge(&record).over_at,
            _ => None,
        }
    }
}

/// As it is read.
impl fmt::Display for Retention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.default.fmt(f)?;
        self.rules.iter().try_for_each(|rule| write!(f, "; {rule}"))
    }
}

impl FromStr for Retention {
    type Err = RetentionError;

    fn from_str(text: &str) -> Result<Self, RetentionError> {
        let (mut default, mut rules) = (None, Vec::new());
        let parts = text.split([';', '\n']).map(str::trim);
        for part in parts.filter(|part| !part.is_empty()) {
            if part.contains(char::is_whitespace) {
                rules.push(part.parse()?);
            } else if default.replace(part.parse()?).is_some() {
                return Err(RetentionError::two_defaults());
            }
        }
        let retention = Self {
            rules,
            ..Self::of(default.ok_or_else(RetentionError::no_default)?)
        };
        retention.check()?;
        Ok(retention)
    }
}

/// A retention, made ready to look at many records.
#[derive(Debug)]
pub(crate) struct Judge<'a> {
    retention: &'a Retention,
    rules: Vec<(Keep, Matcher<'a>)>,
}

/// What a retention says of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Judgement {
    /// `None` for never.
    pub(crate) over_at: Option<Timestamp>,
    /// The rule that says so; `None` for the default.
    pub(crate) rule: Option<usize>,
}

impl<'a> Judge<'a> {
    pub(crate) fn new(retention: &'a Retention) -> Self {
        let matcher = |rule: &'a Rule| (rule.keep, Matcher::new(&rule.query.filter, None));
        Self {
            retention,
            rules: retention.rules.iter().map(matcher).collect(),
        }
    }

    /// Which rule keeps a record longest, and until when. What has no valid time is never over.
    pub(crate) fn judge(&self, record: &RecordLine<'_>) -> Judgement {
        let never = Judgement {
            over_at: None,
            rule: None,
        };
        let Some(recorded_at) = Timestamp::from_fixed(record.recorded_at.as_bytes()) else {
            return never;
        };
        let rules = self.rules.iter().enumerate();
        let judgements = rules
            .filter(|(_, (_, matcher))| matcher.matches(record))
            .map(|(at, (keep, _))| Judgement {
                over_at: keep.over_at(recorded_at),
                rule: Some(at),
            });
        let longest = judgements.max_by_key(|judgement| (judgement.over_at.is_none(), judgement.over_at));
        longest.unwrap_or_else(|| Judgement {
            over_at: self.retention.default.over_at(recorded_at),
            ..never
        })
    }
}

/// More rules than any host has.
const RULES_MAX: usize = 1_000;

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::as_conversions)]
mod tests;

//! How long records are kept: periods, rules, legal holds.
//!
//! A [`Retention`] says for each record when it is over: a default, and [`Rule`]s by tenant, action, category or
//! severity. Of several rules that are for a record, the longest wins. [`AuditLog::apply_retention`] then takes from the
//! log what is over, and [`AuditLog::plan_retention`] says what that would be.
//!
//! - [`Period`] is a length of time on the calendar.
//! - A segment of which every record is over is purged, if none before it stays. Elsewhere the records that are over are
//!   erased one by one: their hashes stay.
//! - Records of the log itself (`audit_log.*`) are never erased one by one (FORMAT §7). The rules and the default are for
//!   them as for any other: until they are over, their segment is not purged. That is how long a log shows what was done
//!   to it.
//! - Nothing is taken that a [`Hold`] covers, or that a sink or an export has not got yet
//!   ([`Builder::keep_for`](crate::Builder::keep_for)).
//!
//! Time is that at which the log took the record (`recorded_at`), so that no time that an event says shortens a period.
//!
//! [`manual::retention`](crate::manual::retention) tells operators what a run does and costs.
//!
//! [`AuditLog::apply_retention`]: crate::AuditLog::apply_retention
//! [`AuditLog::plan_retention`]: crate::AuditLog::plan_retention

#![warn(clippy::unwrap_used, clippy::indexing_slicing, clippy::as_conversions)]

mod error;
mod hold;
mod period;
mod report;
mod rule;
mod sight;
mod survey;

use std::fmt;
use std::str::FromStr;

pub use error::RetentionError;
pub use hold::Hold;
pub(crate) use hold::{InForce, Taking};
pub use period::Period;
pub use report::RetentionReport;
pub use rule::Rule;
pub(crate) use sight::Sights;
pub(crate) use survey::{Step, Survey, Taken};

use rule::Keep;

use crate::error::{Error, Result};
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
    pub(crate) delivery_limit: Option<Period>,
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
            delivery_limit: None,
        }
    }

    /// Keeps some records for a period of their own. Where several rules are for a record, the one that keeps it longest
    /// wins; the default is for those alone that no rule is for. As text, all of it has at most 24 KiB.
    pub fn rule(mut self, rule: Rule) -> Self {
        self.rules.push(rule);
        self
    }

    /// How long after its end a record is still kept for a sink or an export that has not got it
    /// ([`Builder::keep_for`](crate::Builder::keep_for)): without end unless told otherwise. Beyond that
    /// `audit_log.events.dropped` names the records first, and then they go. It is not part of the text form.
    pub fn delivery_limit(mut self, period: Period) -> Self {
        self.delivery_limit = Some(period);
        self
    }

    /// Whether it can be applied.
    ///
    /// # Errors
    ///
    /// Names the rule that is wrong, and what it takes.
    pub fn check(&self) -> Result<(), RetentionError> {
        self.rules.iter().try_for_each(Rule::check)?;
        match self.to_string().len() > TEXT_BYTES_MAX {
            true => Err(RetentionError::too_long(TEXT_BYTES_MAX)),
            false => Ok(()),
        }
    }

    /// The same, said of an option of the log.
    pub(crate) fn check_option(&self) -> Result<()> {
        self.check()
            .map_err(|error| Error::configuration("retention", error.to_string()))
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

/// As it is read, but for the delivery limit.
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

    /// When a record of this time is over at the earliest, whatever it is; `None` for never.
    pub(crate) fn earliest(&self, recorded_at: Timestamp) -> Option<Timestamp> {
        let rules = self.rules.iter().map(|(keep, _)| *keep);
        let keeps = rules.chain([self.retention.default]);
        keeps.filter_map(|keep| keep.over_at(recorded_at)).min()
    }

    /// What a rule is called in reports.
    pub(crate) fn name(&self, rule: Option<usize>) -> String {
        match rule.and_then(|at| self.retention.rules.get(at)) {
            Some(rule) => rule.to_string(),
            None => self.retention.default.to_string(),
        }
    }
}

/// The log records it, in one record.
const TEXT_BYTES_MAX: usize = 24 * 1024;

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::as_conversions)]
mod tests;

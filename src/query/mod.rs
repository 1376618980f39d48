//! Asking a log: filters, pages, counts.
//!
//! A [`Query`] says which records are wanted, in which order and how many at a time. [`AuditLog::query`] and
//! [`LogReader::query`] answer with a [`Page`], whose cursor leads to the next one.
//!
//! - [`Query`] is the builder; [`Query::parse`] reads it from the query of a URL, and its `Display` prints it so.
//! - [`Field`] is what is filtered by.
//! - [`Page`] holds what was [`Found`], and says what is [`Gone`]: what is purged or erased can match nothing.
//!
//! Filters of different fields are "and", values of one field are "or".
//!
//! [`AuditLog::query`]: crate::AuditLog::query
//! [`LogReader::query`]: crate::LogReader::query

mod condition;
mod count;
mod cursor;
mod error;
mod fetch;
mod field;
mod index;
mod lines;
mod matcher;
mod network;
mod page;
mod parse;
mod parts;
mod scan;
mod source;
mod step;
mod visit;
mod word;

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::{Duration, SystemTime};

pub(crate) use count::count;
pub use count::{Bucket, CountBy, Counts, Group};
pub use error::QueryError;
pub use field::Field;
pub(crate) use index::Indexes;
pub(crate) use lines::seq_of;
pub(crate) use matcher::Matcher;
pub use page::{Found, Gone, Page};
#[cfg(feature = "config")]
pub(crate) use parse::period;
pub(crate) use scan::{Stepped, answer, each, step};

use condition::Condition;
use error::Problem;

use crate::event::{Actor, Severity};
use crate::merkle::SIZE_MAX;
use crate::timestamp::Timestamp;

/// What is asked of a log.
///
/// Its methods take and give the query, so that it is written in one expression. None of them fails: what is wrong with
/// a value is said by [`check`](Self::check), and by who answers the query.
///
/// ```
/// use indelible::{Query, query::Field};
///
/// let query = Query::new()
///     .action("auth.login.*")
///     .actor_id("usr_alice123")
///     .with(Field::Outcome, "failure")
///     .with(Field::Outcome, "denied")
///     .without(Field::Ip, "10.0.0.0/8")
///     .since("2026-02-01T00:00:00Z".parse::<indelible::Timestamp>()?);
///
/// let url = "actor_id=usr_alice123&event_type=auth.login.*&ip.not=10.0.0.0/8&outcome=failure,denied\
///            &start_time=2026-02-01T00:00:00Z";
/// assert_eq!(Query::parse(url)?, query);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[must_use = "a query does nothing until a log is asked"]
pub struct Query {
    pub(crate) filter: Filter,
    pub(crate) order: Order,
    pub(crate) limit: usize,
    pub(crate) cursor: Option<String>,
    pub(crate) with_proofs: bool,
    pub(crate) reader: Option<Actor>,
    /// The first value that the builder could not take.
    problem: Option<QueryError>,
}

/// Which records are wanted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Filter {
    conditions: BTreeMap<Field, Condition>,
    severity_min: Option<Severity>,
    /// In lower case, each once, in order.
    words: Vec<String>,
    time: TimeField,
    start: Option<Timestamp>,
    end: Option<Timestamp>,
    last: Option<Duration>,
    seq_from: Option<u64>,
    seq_to: Option<u64>,
}

impl Filter {
    /// Whether personal data decides on what matches, and may stand in the filter.
    pub(crate) fn is_personal(&self) -> bool {
        !self.words.is_empty() || self.conditions.keys().any(Field::is_personal)
    }

    /// When its time begins, where that does not depend on when it is asked.
    pub(crate) fn start(&self) -> Option<Timestamp> {
        self.start
    }

    /// Whether it takes every record of a range of `seq`.
    pub(crate) fn is_range(&self) -> bool {
        let Self { seq_from, seq_to, .. } = *self;
        *self
            == Self {
                time: self.time,
                seq_from,
                seq_to,
                ..Self::default()
            }
    }

    pub(crate) fn seq_from(&self) -> Option<u64> {
        self.seq_from
    }

    pub(crate) fn seq_to(&self) -> Option<u64> {
        self.seq_to
    }

    /// The records among the first `size` that it can take, by `seq`.
    pub(crate) fn range(&self, size: u64) -> Range<u64> {
        self.seq_from.unwrap_or(0)..self.seq_to.unwrap_or(size).min(size)
    }

    /// The same for records of any `seq`.
    pub(crate) fn without_range(mut self) -> Self {
        (self.seq_from, self.seq_to) = (None, None);
        self
    }

    /// The same with the beginning of its period in the place of the period.
    pub(crate) fn at(mut self, now: SystemTime) -> Self {
        if let Some(last) = self.last.take() {
            self.start = Some(beginning(now, last));
        }
        self
    }
}

/// Which time of a record is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum TimeField {
    /// `occurred_at`: when it happened, as the host says.
    #[default]
    OccurredAt,
    /// `recorded_at`: when the log took it.
    RecordedAt,
}

/// In which order records come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Order {
    /// By `seq`, from the last one.
    #[default]
    NewestFirst,
    /// By `seq`, from the first one.
    OldestFirst,
}

impl Default for Query {
    fn default() -> Self {
        Self::new()
    }
}

impl Query {
    /// All records, newest first, 100 at a time.
    pub fn new() -> Self {
        Self {
            filter: Filter::default(),
            order: Order::NewestFirst,
            limit: LIMIT_DEFAULT,
            cursor: None,
            with_proofs: false,
            reader: None,
            problem: None,
        }
    }

    /// Only records whose field has this value, or another one that is given for it. See [`Field`] for what each takes.
    pub fn with(mut self, field: Field, value: impl AsRef<str>) -> Self {
        self.add(field, value.as_ref(), false);
        self
    }

    /// Only records whose field has not this value. A record without the field is one of them.
    pub fn without(mut self, field: Field, value: impl AsRef<str>) -> Self {
        self.add(field, value.as_ref(), true);
        self
    }

    /// Only records whose field has this value, whatever other values were given for the field before: for a host that
    /// bounds what a user may see, once it has read the user's query.
    ///
    /// ```
    /// use indelible::{Query, query::Field};
    ///
    /// let asked = Query::parse("tenant_id=org_acme,org_other&outcome=denied")?;
    /// let bounded = asked.only(Field::TenantId, "org_acme");
    /// assert_eq!(bounded.to_string(), "outcome=denied&tenant_id=org_acme");
    /// # Ok::<(), indelible::query::QueryError>(())
    /// ```
    pub fn only(mut self, field: Field, value: impl AsRef<str>) -> Self {
        if let Some(condition) = self.filter.conditions.get_mut(&field) {
            condition.any.clear();
        }
        self.with(field, value)
    }

    /// Only this action, or with `auth.login.*` all that begin so.
    pub fn action(self, pattern: impl AsRef<str>) -> Self {
        self.with(Field::EventType, pattern)
    }

    /// Only what this actor did.
    pub fn actor_id(self, id: impl AsRef<str>) -> Self {
        self.with(Field::ActorId, id)
    }

    /// Only what was done to this target.
    pub fn target_id(self, id: impl AsRef<str>) -> Self {
        self.with(Field::TargetId, id)
    }

    /// The history of a target: all that was done to it, oldest first. [`Fields::changes`](crate::event::Fields::changes)
    /// of each event has the values before and after.
    ///
    /// ```
    /// use indelible::{Actor, AuditLog, Change, Event, MemoryStore, Query, SigningKey, Target, action};
    ///
    /// # let key = SigningKey::generate("auth.example.com/audit".parse()?)?;
    /// # let log = AuditLog::builder("auth.example.com/audit")
    /// #     .signer(key)
    /// #     .without_checkpoint_file()
    /// #     .open(MemoryStore::new())?;
    /// for (old, new) in [(12, 14), (14, 20)] {
    ///     let event = Event::new(action::CONFIG_UPDATED)
    ///         .actor(Actor::admin("usr_bob"))
    ///         .target(Target::new("setting", "password_policy"))
    ///         .change(Change::new("min_length", old, new));
    ///     log.append(event)?;
    /// }
    /// let page = log.query(&Query::history("setting", "password_policy"))?;
    /// let event = page.found[1].record.event()?.expect("it is not erased");
    /// assert_eq!(event.fields().changes[0].old.as_ref().map(|old| old.as_str()), Some("14"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn history(target_type: impl AsRef<str>, id: impl AsRef<str>) -> Self {
        let target = format!("{}:{}", target_type.as_ref(), id.as_ref());
        Self::new().with(Field::Target, target).order(Order::OldestFirst)
    }

    /// All about a person, oldest first: what they did, what was done in their name, and what was done to them. With it
    /// their data is handed over (GDPR Art. 15) and erased (Art. 17).
    ///
    /// It goes by the id that the host gives people (`user_id`). Where they occur elsewhere, such as in metadata, ask for
    /// that too.
    pub fn subject(id: impl AsRef<str>) -> Self {
        Self::new().with(Field::UserId, id).order(Order::OldestFirst)
    }

    /// Only what belongs to this organization.
    pub fn tenant(self, id: impl AsRef<str>) -> Self {
        self.with(Field::TenantId, id)
    }

    /// Only events of this severity or a higher one.
    pub fn severity_min(mut self, severity: Severity) -> Self {
        self.filter.severity_min = Some(severity);
        self
    }

    /// Only records in whose values each of these words occurs, in any letter case, also within other words.
    pub fn words(mut self, words: impl AsRef<str>) -> Self {
        let words = words.as_ref().split_whitespace().map(matcher::folded);
        self.filter.words.extend(words);
        self.filter.words.sort_unstable();
        self.filter.words.dedup();
        self
    }

    /// Only what happened at this time or later.
    pub fn since(mut self, start: impl Into<Timestamp>) -> Self {
        self.filter.start = Some(start.into());
        self
    }

    /// Only what happened before this time.
    pub fn until(mut self, end: impl Into<Timestamp>) -> Self {
        self.filter.end = Some(end.into());
        self
    }

    /// Only what happened in this time before the query is answered first, to the second. The pages that follow have the
    /// same beginning. What a reader may see at all is bounded by [`since`](Self::since): a cursor that the reader made up
    /// can begin a period earlier.
    pub fn last(mut self, period: Duration) -> Self {
        self.filter.last = Some(Duration::from_secs(period.as_secs()));
        self
    }

    /// Which time [`since`](Self::since), [`until`](Self::until) and [`last`](Self::last) mean: `occurred_at` unless told
    /// otherwise.
    pub fn by(mut self, time: TimeField) -> Self {
        self.filter.time = time;
        self
    }

    /// Only the record of this `seq` and those after it.
    pub fn seq_from(mut self, seq: u64) -> Self {
        self.filter.seq_from = Some(seq.min(SIZE_MAX));
        self
    }

    /// Only the records before this `seq`.
    pub fn seq_to(mut self, seq: u64) -> Self {
        self.filter.seq_to = Some(seq.min(SIZE_MAX));
        self
    }

    /// The order of the records: newest first unless told otherwise.
    pub fn order(mut self, order: Order) -> Self {
        self.order = order;
        self
    }

    /// How many records a page has at most: from 1 to 1,000, 100 unless told otherwise.
    pub fn limit(mut self, records: usize) -> Self {
        self.limit = records;
        self
    }

    /// The page to which this cursor leads ([`Page::next`]): of the same filters in the same order.
    pub fn after(mut self, cursor: impl Into<String>) -> Self {
        self.cursor = Some(cursor.into());
        self
    }

    /// With a proof for each record that is found ([`Found::proof`]).
    pub fn with_proofs(mut self) -> Self {
        self.with_proofs = true;
        self
    }

    /// Who asks: the actor of `audit_log.accessed`, which [`AuditLog::query`](crate::AuditLog::query) records.
    pub fn asked_by(mut self, reader: Actor) -> Self {
        self.reader = Some(reader);
        self
    }

    /// Whether it asks for every record: it has no filter.
    pub fn is_unfiltered(&self) -> bool {
        let time = self.filter.time;
        self.filter
            == Filter {
                time,
                ..Filter::default()
            }
    }

    /// Whether a log would answer it.
    ///
    /// # Errors
    ///
    /// Names the parameter that is wrong, and says what it takes.
    pub fn check(&self) -> Result<(), QueryError> {
        if let Some(problem) = &self.problem {
            return Err(problem.clone());
        }
        let wrong = |parameter: &'static str, problem| Err(QueryError::new(parameter, problem));
        let filter = &self.filter;
        if !(1..=LIMIT_MAX).contains(&self.limit) {
            return wrong("limit", Problem::value(&self.limit.to_string(), "1 to 1000"));
        }
        if filter
            .last
            .is_some_and(|last| !(1..=SIZE_MAX).contains(&last.as_secs()))
        {
            return wrong(
                "last",
                Problem::value(&format!("{:?}", filter.last.unwrap_or_default()), LAST),
            );
        }
        if filter.last.is_some() && filter.start.is_some() {
            return wrong("last", Problem::Together { other: "start_time" });
        }
        if filter.start.zip(filter.end).is_some_and(|(start, end)| start >= end) {
            return wrong("start_time", Problem::NotBefore { other: "end_time" });
        }
        if filter.seq_from.zip(filter.seq_to).is_some_and(|(from, to)| from >= to) {
            return wrong("seq_from", Problem::NotBefore { other: "seq_to" });
        }
        if filter.words.len() > WORDS_MAX {
            return wrong("q", Problem::TooMany { max: WORDS_MAX });
        }
        if filter.conditions.len() > FIELDS_MAX {
            return wrong("metadata", Problem::TooMany { max: FIELDS_MAX });
        }
        let crowded = filter
            .conditions
            .iter()
            .find(|(_, condition)| condition.count() > VALUES_MAX);
        crowded.map_or(Ok(()), |(field, _)| {
            Err(QueryError::new(field.name(), Problem::TooMany { max: VALUES_MAX }))
        })
    }

    /// The same, for an export: which has no pages.
    pub(crate) fn check_unpaged(&self) -> Result<(), QueryError> {
        if self.cursor.is_some() {
            return Err(QueryError::new("cursor", Problem::Unpaged));
        }
        self.check()
    }

    /// Whether it asks for nothing but these fields and a severity.
    pub(crate) fn asks_only(&self, fields: &[Field]) -> bool {
        let filter = Filter {
            conditions: self.filter.conditions.clone(),
            severity_min: self.filter.severity_min,
            ..Filter::default()
        };
        let others = self.filter.conditions.keys().any(|field| !fields.contains(field));
        !others && *self == Self { filter, ..Self::new() }
    }

    fn add(&mut self, field: Field, value: &str, negated: bool) {
        match field.value(value) {
            Ok(value) => self.filter.conditions.entry(field).or_default().add(value, negated),
            Err(problem) => _ = self.problem.get_or_insert(problem),
        }
    }
}

/// When a period began that ends now.
fn beginning(now: SystemTime, last: Duration) -> Timestamp {
    Timestamp::from(now.checked_sub(last).unwrap_or(SystemTime::UNIX_EPOCH))
}

/// How many records a page has unless told otherwise, and at most.
const LIMIT_DEFAULT: usize = 100;
const LIMIT_MAX: usize = 1_000;

/// What `last` takes.
const LAST: &str = "a period such as 90s, 15m, 24h, 7d or 2w";

/// How many fields, values of a field and words a query has at most.
const FIELDS_MAX: usize = 64;
const VALUES_MAX: usize = 1_000;
const WORDS_MAX: usize = 32;

#[cfg(test)]
mod tests;

//! Counting what a query finds.

mod answer;
mod bucket;
mod tally;

use std::str::FromStr;

pub(crate) use answer::count;
pub use bucket::Bucket;

use super::error::{Problem, QueryError};
use super::field::Field;
use super::page::Gone;
use crate::json;
use crate::timestamp::Timestamp;

/// By what the records that a query finds are counted: by a field, by time, by both, or all together.
///
/// ```
/// use indelible::query::{Bucket, CountBy, Field};
///
/// let by = CountBy::new().every(Bucket::HOUR).field(Field::Outcome);
/// assert_eq!("1h,outcome".parse(), Ok(by));
/// assert_eq!("".parse(), Ok(CountBy::new()));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CountBy {
    field: Option<Field>,
    bucket: Option<Bucket>,
}

impl CountBy {
    /// All together.
    pub fn new() -> Self {
        Self::default()
    }

    /// For each value of a field. A record with several values counts once for each of them, and one with none counts
    /// for none.
    #[must_use]
    pub fn field(mut self, field: Field) -> Self {
        self.field = Some(field);
        self
    }

    /// For each part of time, of the time that the query means ([`Query::by`](super::Query::by)): a histogram.
    #[must_use]
    pub fn every(mut self, bucket: Bucket) -> Self {
        self.bucket = Some(bucket);
        self
    }
}

impl FromStr for CountBy {
    type Err = QueryError;

    /// A field, a [`Bucket`], or both with a comma between; nothing for all together.
    fn from_str(text: &str) -> Result<Self, QueryError> {
        let mut by = Self::new();
        for part in text.split(',').filter(|_| !text.is_empty()) {
            match (part.parse::<Bucket>(), part.parse::<Field>()) {
                (Ok(bucket), _) if by.bucket.is_none() => by.bucket = Some(bucket),
                (Err(_), Ok(field)) if by.field.is_none() => by.field = Some(field),
                (Err(_), Err(_)) => {
                    let takes = "a field such as outcome, a period such as 15m, 1h, 1d, 1w or month, or both";
                    return Err(QueryError::new("by", Problem::value(part, takes)));
                }
                _ => return Err(QueryError::new("by", Problem::Repeated)),
            }
        }
        Ok(by)
    }
}

/// How many records a query finds.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// All of them.
    pub total: u64,
    /// By what they are counted: by time first, and within it by number, the most first. None is empty.
    pub groups: Vec<Group>,
    /// What cannot be counted any more.
    pub gone: Gone,
    /// How many records the log had, purged ones among them.
    pub size: u64,
}

/// Records that are counted together.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Group {
    /// When their part of time begins; `None` where they are not counted by time, or have none.
    pub start: Option<Timestamp>,
    /// Their value; `None` where they are not counted by a field, or have no value.
    pub value: Option<String>,
    /// How many they are.
    pub records: u64,
}

impl Group {
    /// The group as one JSON object in canonical form: `{"records","start","value"}`, without what it does not have.
    ///
    /// ```
    /// # use indelible::{AuditLog, MemoryStore, Query, SigningKey, query::{CountBy, Field}};
    /// # let key = SigningKey::generate("auth.example.com/audit".parse()?)?;
    /// # let log = AuditLog::builder("auth.example.com/audit").signer(key).without_checkpoint_file();
    /// # let log = log.open(MemoryStore::new())?;
    /// let counts = log.count(&Query::new(), &CountBy::new().field(Field::Category))?;
    /// assert_eq!(counts.groups[0].to_json(), r#"{"records":2,"value":"audit_log"}"#);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn to_json(&self) -> String {
        let mut out = format!(r#"{{"records":{}"#, self.records).into_bytes();
        if let Some(start) = self.start {
            out.extend_from_slice(format!(r#","start":"{start}""#).as_bytes());
        }
        if let Some(value) = &self.value {
            out.extend_from_slice(br#","value":"#);
            json::string(&mut out, value);
        }
        out.push(b'}');
        String::from_utf8(out).unwrap_or_default()
    }
}

//! What a sink gets: which records, in which form, from where on.

use std::fmt;
use std::str::FromStr;
use std::time::SystemTime;

use super::Sink;
use super::message::{Message, checkpoint_text, record_text};
use crate::checkpoint::SignedCheckpoint;
use crate::error::{Error, Result};
use crate::proof::Proof;
use crate::query::Query;
use crate::record::Record;
use crate::schema;
use crate::timestamp::Timestamp;

/// A sink, and what it gets of a log. It is given to [`Builder::sink`](crate::Builder::sink) or
/// [`AuditLog::add_sink`](crate::AuditLog::add_sink).
///
/// Unless it is told otherwise, a sink gets every record from the first one that the log still has, as it is stored, with
/// its personal data, and the newest checkpoint at most once a second: whoever has that finds out a log that was cut off or
/// written anew (FORMAT §9).
///
/// ```
/// use indelible::sink::{Feed, FileSink};
/// use indelible::Query;
///
/// let denied = Feed::new("denied", FileSink::new("/var/log/denied.jsonl"))
///     .filter(Query::parse("outcome=denied,failure&severity_min=medium")?)
///     .without_personal_data()
///     .with_proofs();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a feed does nothing until a log has it"]
#[derive(Debug)]
pub struct Feed {
    pub(super) name: String,
    pub(super) sink: Box<dyn Sink>,
    pub(super) query: Query,
    pub(super) start: Start,
    pub(super) content: Content,
}

/// What of a record and a checkpoint a sink gets.
#[derive(Debug, Clone, Copy)]
pub(super) struct Content {
    form: Form,
    has_personal_data: bool,
    pub(super) has_checkpoints: bool,
}

/// Where a sink without a saved position begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    Now,
    Seq(u64),
}

/// The form in which a sink gets a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Form {
    /// The record as it is stored, one JSON object: `event`, `hash`, `personal`, `prev`, `recorded_at`, `seq`, and `proof`
    /// where it is asked for. Whoever has it and the vkey verifies it, also once a target has parsed it and printed it anew
    /// (FORMAT §10).
    #[default]
    Record,
    /// OCSF 1.8.0 ([`schema::ocsf`](crate::schema::ocsf)).
    Ocsf,
    /// ECS 9.4 ([`schema::ecs`](crate::schema::ecs)).
    Ecs,
    /// CEF ([`schema::cef`](crate::schema::cef)).
    Cef,
}

impl Form {
    /// Its name: `record`, `ocsf`, `ecs` or `cef`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Record => "record",
            Self::Ocsf => "ocsf",
            Self::Ecs => "ecs",
            Self::Cef => "cef",
        }
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Form {
    type Err = String;

    /// Reads a form by its name.
    fn from_str(name: &str) -> Result<Self, String> {
        let all = [Self::Record, Self::Ocsf, Self::Ecs, Self::Cef];
        let found = all.into_iter().find(|form| form.as_str() == name);
        found.ok_or_else(|| "a form is record, ocsf, ecs or cef".to_owned())
    }
}

impl Feed {
    /// What `sink` gets. `name` is its own among the sinks of a log and stays the same after a restart: its position is
    /// saved under it. It has 1 to 64 lower-case letters, digits, `-` and `_`.
    pub fn new(name: impl Into<String>, sink: impl Sink) -> Self {
        Self {
            name: name.into(),
            sink: Box::new(sink),
            query: Query::new(),
            start: Start::Seq(0),
            content: Content {
                form: Form::default(),
                has_personal_data: true,
                has_checkpoints: true,
            },
        }
    }

    /// Only the records that a query finds, from the position on: another filter brings nothing back that the one before
    /// it passed over. Its order and limit mean nothing here; it has no range of `seq`, and no period before now (`last`).
    pub fn filter(mut self, mut query: Query) -> Self {
        query.with_proofs |= self.query.with_proofs;
        self.query = query;
        self
    }

    /// In this form.
    pub fn form(mut self, form: Form) -> Self {
        self.content.form = form;
        self
    }

    /// Without the personal data: in its place stands its hash, and the record verifies all the same (FORMAT §2).
    pub fn without_personal_data(mut self) -> Self {
        self.content.has_personal_data = false;
        self
    }

    /// Each record with a proof that it is in the log (C2SP tlog-proof, FORMAT §10): one alone, copied out of the target,
    /// then verifies with nothing but the vkey. A proof has some 2 KB, and takes a read or two of the tree.
    ///
    /// In a [`Form`] other than the record itself, the record with its proof stands in the field that the schema has for the
    /// original: `raw_data` in OCSF, `event.original` in ECS, `rawEvent` in CEF.
    pub fn with_proofs(mut self) -> Self {
        self.query = self.query.with_proofs();
        self
    }

    /// Without the log's checkpoints: then the target cannot tell a log that was cut off.
    pub fn without_checkpoints(mut self) -> Self {
        self.content.has_checkpoints = false;
        self
    }

    /// From what is recorded after now on, where no position is saved yet.
    pub fn from_now_on(mut self) -> Self {
        self.start = Start::Now;
        self
    }

    /// From the record `seq` on, where no position is saved yet.
    pub fn from_seq(mut self, seq: u64) -> Self {
        self.start = Start::Seq(seq);
        self
    }

    /// Checks it.
    ///
    /// # Errors
    ///
    /// `Cause::Configuration` for a name that is none, a filter that is of pages, of a range of `seq` or of the last days, or
    /// a setting of its sink.
    pub(super) fn check(&self) -> Result<()> {
        let is_name = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_');
        if !(1..=NAME_BYTES_MAX).contains(&self.name.len()) || !self.name.bytes().all(is_name) {
            let problem = format!(
                "the name {:?} has other than 1 to {NAME_BYTES_MAX} lower-case letters, digits, - and _",
                self.name
            );
            return Err(Error::configuration("sink", problem));
        }
        self.check_filter()?;
        let wrong = |error: Error| Error::configuration("sink", format!("{}: {error}", self.name));
        self.check_sink().map_err(wrong)
    }

    /// Checks its sink alone.
    pub(crate) fn check_sink(&self) -> Result<()> {
        self.sink.check()
    }

    /// Checks its filter alone.
    pub(crate) fn check_filter(&self) -> Result<()> {
        let wrong = |problem: &str| Error::configuration("sink", format!("{}: {problem}", self.name));
        let query = &self.query;
        query.check_unpaged().map_err(|error| wrong(&error.to_string()))?;
        match query.filter == query.filter.clone().without_range().at(SystemTime::UNIX_EPOCH) {
            true => Ok(()),
            // What is late would be passed over.
            false => Err(wrong(
                "its filter takes neither seq_from nor seq_to (see Feed::from_seq), nor last",
            )),
        }
    }
}

impl Content {
    /// The message of a record; `None` where its content is erased.
    pub(super) fn message(self, record: Record, proof: Option<&Proof>) -> Option<Message> {
        let record = match self.has_personal_data {
            true => record,
            false => record.without_personal_data(),
        };
        let original = || proof.and_then(|proof| record_text(&record, Some(proof)));
        let text = match self.form {
            Form::Record => record_text(&record, proof),
            Form::Ocsf => schema::ocsf::record(&record, original().as_deref()),
            Form::Ecs => schema::ecs::record(&record, original().as_deref()),
            Form::Cef => schema::cef::record(&record, original().as_deref()),
        };
        Message::of_record(record, text?)
    }

    /// The message of a checkpoint.
    pub(super) fn checkpoint(self, checkpoint: &SignedCheckpoint, now: Timestamp) -> Message {
        let text = match self.form {
            Form::Record => checkpoint_text(checkpoint),
            Form::Ocsf => schema::ocsf::checkpoint(checkpoint, now),
            Form::Ecs => schema::ecs::checkpoint(checkpoint, now),
            Form::Cef => schema::cef::checkpoint(checkpoint, now),
        };
        Message::of_checkpoint(checkpoint, text, now)
    }
}

const NAME_BYTES_MAX: usize = 64;

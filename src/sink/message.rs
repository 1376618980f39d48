//! What is delivered: a record, or a checkpoint, as a text.

use std::borrow::Cow;

use crate::checkpoint::SignedCheckpoint;
use crate::event::Severity;
use crate::event::scan::{members, text};
use crate::hash::Hash;
use crate::json;
use crate::proof::Proof;
use crate::record::Record;
use crate::timestamp::Timestamp;

/// A record, or the newest checkpoint, in the form that a sink is to get.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    text: String,
    recorded_at: Timestamp,
    what: What,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum What {
    Record(Record),
    /// Of so many records.
    Checkpoint(u64),
}

impl Message {
    /// A record as a text; `None` where its content is erased.
    pub(super) fn of_record(record: Record, text: String) -> Option<Self> {
        Some(Self {
            text,
            recorded_at: record.recorded_at()?,
            what: What::Record(record),
        })
    }

    pub(super) fn of_checkpoint(checkpoint: &SignedCheckpoint, text: String, now: Timestamp) -> Self {
        Self {
            text,
            recorded_at: now,
            what: What::Checkpoint(checkpoint.checkpoint().size()),
        }
    }

    /// The message itself: one JSON object in canonical form, or a line of CEF. It has no line end.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether the text is JSON.
    pub fn is_json(&self) -> bool {
        self.text.starts_with('{')
    }

    /// The record; `None` for a checkpoint. Without its personal data, where the sink is to get none.
    pub fn record(&self) -> Option<&Record> {
        match &self.what {
            What::Record(record) => Some(record),
            What::Checkpoint(_) => None,
        }
    }

    /// The record's `seq`; `None` for a checkpoint.
    pub fn seq(&self) -> Option<u64> {
        self.record().map(Record::seq)
    }

    /// The record's hash; `None` for a checkpoint.
    pub fn hash(&self) -> Option<Hash> {
        self.record().map(Record::hash)
    }

    /// Its own among all messages of a log, and the same when it is delivered again: `SEQ-` and the first 32 digits of the
    /// record's hash, or `checkpoint-SIZE`.
    pub fn id(&self) -> String {
        match &self.what {
            What::Record(record) => format!("{}-{:.32}", record.seq(), record.hash().to_string()),
            What::Checkpoint(size) => format!("checkpoint-{size}"),
        }
    }

    /// When the log took the record; for a checkpoint, when it was read. From one message to the next it decreases only
    /// where the clock was set back by more than a minute.
    pub fn recorded_at(&self) -> Timestamp {
        self.recorded_at
    }

    /// What the event says of itself, for targets that have a place for it.
    pub fn summary(&self) -> Summary<'_> {
        match self.record().and_then(Record::event_json) {
            Some(event) => Summary::read(event, self.recorded_at),
            None => Summary {
                action: Cow::Borrowed("audit_log.checkpoint"),
                severity: Severity::Informational,
                occurred_at: self.recorded_at,
            },
        }
    }

    /// The size of the checkpoint, if it is one.
    pub(super) fn checkpoint_size(&self) -> Option<u64> {
        match self.what {
            What::Record(_) => None,
            What::Checkpoint(size) => Some(size),
        }
    }
}

/// What an event says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary<'a> {
    /// Its action; `audit_log.checkpoint` for a checkpoint.
    pub action: Cow<'a, str>,
    /// Its severity.
    pub severity: Severity,
    /// When it happened.
    pub occurred_at: Timestamp,
}

impl<'a> Summary<'a> {
    /// Of a record's event, whose form was checked when the record was read.
    fn read(event: &'a str, recorded_at: Timestamp) -> Self {
        let mut summary = Self {
            action: Cow::Borrowed(""),
            severity: Severity::Informational,
            occurred_at: recorded_at,
        };
        for (key, value) in members(event.as_bytes()) {
            match key {
                b"action" => summary.action = text(value),
                b"occurred_at" => summary.occurred_at = text(value).parse().unwrap_or(recorded_at),
                b"severity" => {
                    summary.severity = Severity::named(&text(value)).unwrap_or(summary.severity);
                    // The keys are sorted: it comes last.
                    break;
                }
                _ => {}
            }
        }
        summary
    }
}

/// A record as one JSON object in canonical form: its line, with `hash` and, where there is one, `proof`. Both are left
/// out again to verify it (FORMAT §10). `None` for an erased record.
pub(super) fn record_text(record: &Record, proof: Option<&Proof>) -> Option<String> {
    let (line, event) = (record.line()?, record.event_json()?);
    let (before_hash, rest) = line.split_at_checked(EVENT.len() + event.len())?;
    let proof = proof.map(|proof| {
        let mut text = Vec::new();
        json::string(&mut text, &proof.to_string());
        String::from_utf8(text).unwrap_or_default()
    });
    let mut text = String::with_capacity(line.len() + 96 + proof.as_ref().map_or(0, String::len));
    text.push_str(before_hash);
    text.push_str(",\"hash\":\"");
    text.push_str(str::from_utf8(&record.hash().to_hex()).ok()?);
    text.push('"');
    match proof {
        None => text.push_str(rest),
        Some(proof) => {
            let (before_proof, rest) = rest.split_at_checked(rest.rfind(PREV)? + PREV.len() + 64 + 1)?;
            text.push_str(before_proof);
            text.push_str(",\"proof\":");
            text.push_str(&proof);
            text.push_str(rest);
        }
    }
    Some(text)
}

/// A checkpoint as one JSON object: its line (FORMAT §1).
pub(super) fn checkpoint_text(checkpoint: &SignedCheckpoint) -> String {
    let mut text = b"{\"checkpoint\":".to_vec();
    json::string(&mut text, checkpoint.as_str());
    text.push(b'}');
    String::from_utf8(text).unwrap_or_default()
}

const EVENT: &str = "{\"event\":";

const PREV: &str = ",\"prev\":\"";

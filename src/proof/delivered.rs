//! A record as a target of delivery gave it back, with its proof.

use std::fmt;

use super::{Proof, TlogProofError};
use crate::checkpoint::SignedCheckpoint;
use crate::hash::Hash;
use crate::json::{self, JsonError, Kind, Reader};
use crate::record::Record;

/// A record that a sink delivered ([`Form::Record`](crate::sink::Form::Record)), copied out of a SIEM, with its proof if it
/// was delivered with one. With that and the vkey it verifies offline ([`Verifier::verify_record`](crate::Verifier::verify_record)).
///
/// It may stand in whatever a SIEM puts around it, as an object or as a string that holds one, and be printed anew: keys in
/// another order, `1.0` for `1`, other escapes, spaces. What is added beside the record is passed over. Its JSON values must
/// be those that were delivered (FORMAT §10).
///
/// ```
/// use indelible::proof::DeliveredRecord;
/// use indelible::{AuditLog, Event, Actor, MemoryStore, Query, SigningKey, Verifier, action};
///
/// # let key = SigningKey::generate("auth.example.com/audit".parse()?)?;
/// # let log = AuditLog::builder("auth.example.com/audit")
/// #     .signer(key)
/// #     .without_checkpoint_file()
/// #     .open(MemoryStore::new())?;
/// # let receipt = log.append(Event::new(action::AUTH_LOGIN_FAILED).actor(Actor::user("usr_alice123")))?;
/// # let (record, proof) = (log.reader().record(receipt.seq)?, log.prove(receipt.seq)?);
/// # let line = record.line().unwrap().strip_suffix('}').unwrap();
/// # let proof = proof.to_string().replace('\n', "\\n");
/// let found_in_the_siem = format!(r#"{{ "result": {{ "_raw": {line}, "proof": "{proof}" }} }} }}"#);
///
/// let delivered = DeliveredRecord::from_json(found_in_the_siem.as_bytes())?;
/// let proof = delivered.proof().ok_or("it was delivered without a proof")?;
/// let checkpoint = Verifier::new(log.vkey()).verify_record(delivered.record(), proof)?;
/// assert_eq!(checkpoint.size(), receipt.size);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveredRecord {
    record: Record,
    proof: Option<Proof>,
}

impl DeliveredRecord {
    /// Finds the record in a JSON text.
    ///
    /// # Errors
    ///
    /// [`DeliveredError`]: there is none, there are several, or it is not whole.
    pub fn from_json(text: &[u8]) -> Result<Self, DeliveredError> {
        let mut all = Self::all_from_json(text)?;
        match (all.pop(), all.is_empty()) {
            (Some(only), true) => only,
            (Some(_), false) => Err(DeliveredError::Several),
            (None, _) => Err(DeliveredError::NoRecord),
        }
    }

    /// Finds the records in a JSON text that holds a list of events, as SIEMs export them: one of each event. There is at
    /// least one. Checkpoints in the list are passed over.
    ///
    /// # Errors
    ///
    /// [`DeliveredError::Json`], [`DeliveredError::NoRecord`] and [`DeliveredError::Checkpoint`]. What is wrong with a
    /// record stands in its place, and [`DeliveredError::NoRecord`] after a list in which only some objects have one.
    pub fn all_from_json(text: &[u8]) -> Result<Vec<Result<Self, DeliveredError>>, DeliveredError> {
        let mut reader = Reader::new(text, DEPTH_MAX).map_err(DeliveredError::Json)?;
        let found = find(&mut reader, STRINGS_MAX).map_err(DeliveredError::Json)?;
        reader.end().map_err(DeliveredError::Json)?;
        match (found.records.is_empty(), found.checkpoint) {
            (true, Some(checkpoint)) => Err(DeliveredError::Checkpoint(checkpoint)),
            (true, None) => Err(DeliveredError::NoRecord),
            (false, _) => {
                let other = found.has_other.then_some(Err(DeliveredError::NoRecord));
                Ok(found.records.into_iter().map(Parts::delivered).chain(other).collect())
            }
        }
    }

    /// The record.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// Its proof, if it was delivered with one.
    pub fn proof(&self) -> Option<&Proof> {
        self.proof.as_ref()
    }
}

/// Why no record is found in a text, or not a whole one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DeliveredError {
    /// The text is not JSON.
    #[error("not JSON: {0}")]
    Json(JsonError),
    /// Nowhere in it is an object with `event`, `personal`, `prev`, `recorded_at` and `seq`.
    #[error("there is no record in it: an object with event, personal, prev, recorded_at and seq")]
    NoRecord,
    /// There is a checkpoint in it, as sinks deliver them between the records, and no record.
    #[error("there is no record in it, but a checkpoint of the log's first {} records", .0.checkpoint().size())]
    Checkpoint(SignedCheckpoint),
    /// It is a list with more than one.
    #[error("there are several records in it")]
    Several,
    /// What is there is no record.
    #[error("the record is not as the log has it: {0}")]
    Record(JsonError),
    /// The record is not the one that was delivered.
    #[error("the record was changed: its hash is {found}, and was {delivered} when it was delivered")]
    Changed {
        /// The hash that stands beside it.
        delivered: String,
        /// Its hash.
        found: Hash,
    },
    /// What stands as its proof is none.
    #[error(transparent)]
    Proof(TlogProofError),
}

/// The parts of an object that may be a record, each as canonical JSON.
#[derive(Default)]
struct Parts([Option<Vec<u8>>; NAMES.len()]);

impl fmt::Debug for Parts {
    /// Shows no content: a record may hold personal data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts").finish_non_exhaustive()
    }
}

impl Parts {
    fn is_record(&self) -> bool {
        self.0.iter().take(RECORD).all(Option::is_some)
    }

    fn delivered(self) -> Result<DeliveredRecord, DeliveredError> {
        let [event, personal, prev, recorded_at, seq, hash, proof] = self.0.map(Option::unwrap_or_default);
        let parts = [event, personal, prev, recorded_at, seq];
        let mut line = Vec::new();
        for (name, value) in NAMES.iter().zip(parts) {
            line.push(if line.is_empty() { b'{' } else { b',' });
            json::string(&mut line, name);
            line.push(b':');
            line.extend_from_slice(&value);
        }
        line.push(b'}');
        let record = Record::from_line(&line).map_err(DeliveredError::Record)?;
        let found = record.hash();
        match text(&hash) {
            Some(delivered) if delivered != found.to_string() => {
                return Err(DeliveredError::Changed { delivered, found });
            }
            _ => {}
        }
        let proof = text(&proof).map(|proof| proof.parse().map_err(DeliveredError::Proof));
        let proof = proof.transpose()?;
        Ok(DeliveredRecord { record, proof })
    }
}

/// What is found in a value.
#[derive(Debug, Default)]
struct Found {
    records: Vec<Parts>,
    /// The first one.
    checkpoint: Option<SignedCheckpoint>,
    /// A list has records, and objects with neither.
    has_other: bool,
}

impl Found {
    fn add(&mut self, other: Self) {
        self.records.extend(other.records);
        self.checkpoint = self.checkpoint.take().or(other.checkpoint);
        self.has_other |= other.has_other;
    }

    fn is_empty(&self) -> bool {
        self.records.is_empty() && self.checkpoint.is_none()
    }
}

/// Finds the first record in a value; of a list, that of each item. Strings within it may hold JSON, so many one in the other.
fn find(value: &mut Reader<'_>, strings: usize) -> Result<Found, JsonError> {
    let mut found = Found::default();
    match value.kind()? {
        Kind::Object => {
            let mut parts = Parts::default();
            value.object::<JsonError>(|key, value| {
                if let Some(at) = NAMES.iter().position(|name| *name == key) {
                    let mut part = Vec::new();
                    value.canonical(&mut part)?;
                    if let Some(place) = parts.0.get_mut(at) {
                        *place = Some(part);
                    }
                } else if found.records.is_empty() {
                    found.add(find(value, strings)?);
                } else {
                    value.skip()?;
                }
                Ok(())
            })?;
            if parts.is_record() {
                found = Found::default();
                found.records.push(parts);
                return Ok(found);
            }
            for part in parts.0.iter().flatten() {
                if found.records.is_empty() {
                    found.add(find(&mut Reader::new(part, DEPTH_MAX)?, strings)?);
                }
            }
        }
        Kind::List => {
            value.list::<JsonError>(|_, value| {
                let is_event = value.kind()? == Kind::Object;
                let item = find(value, strings)?;
                found.has_other |= is_event && item.is_empty();
                found.add(item);
                Ok(())
            })?;
            found.has_other &= !found.records.is_empty();
        }
        Kind::String => {
            let text = value.string()?;
            found.checkpoint = text.parse().ok();
            if strings > 0 && text.trim_start().starts_with(['{', '[']) {
                // A text that only begins like JSON is none.
                let reader = Reader::new(text.as_bytes(), DEPTH_MAX);
                found = reader
                    .and_then(|mut reader| find(&mut reader, strings - 1))
                    .unwrap_or_default();
            }
        }
        _ => value.skip()?,
    }
    Ok(found)
}

/// The text that a value is, if it is one.
fn text(value: &[u8]) -> Option<String> {
    let mut reader = Reader::new(value, 1).ok()?;
    match reader.kind() {
        Ok(Kind::String) => Some(reader.string().ok()?.into_owned()),
        _ => None,
    }
}

/// What a record has, in canonical order, and what is delivered with it.
const NAMES: [&str; 7] = ["event", "personal", "prev", "recorded_at", "seq", "hash", "proof"];

/// So many of them are the record's.
const RECORD: usize = 5;

/// A record nests 32 deep (FORMAT §1); the rest is for what a SIEM puts around it.
const DEPTH_MAX: usize = 64;

/// So many strings that hold JSON stand one in the other.
const STRINGS_MAX: usize = 4;

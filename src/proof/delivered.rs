//! A record as a target of delivery gave it back, with its proof.

use std::collections::BTreeMap;
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
        let is_record = |one: &Result<_, _>| !matches!(one, Err(DeliveredError::Checkpoint(_)));
        match all.iter().any(is_record) {
            true => all.retain(is_record),
            false => all.truncate(1),
        }
        match (all.pop(), all.is_empty()) {
            (Some(only), true) => only,
            (Some(_), false) => Err(DeliveredError::Several),
            (None, _) => Err(DeliveredError::NoRecord),
        }
    }

    /// Finds the records in a JSON text that holds several events, as SIEMs export them. There is at least one item. A copy
    /// of a record in the same object, such as the event as it came beside what the SIEM read in it, is no other.
    ///
    /// # Errors
    ///
    /// [`DeliveredError::Json`] and [`DeliveredError::NoRecord`]. What is wrong with a record stands in its place,
    /// [`DeliveredError::Checkpoint`] for each checkpoint between them, and [`DeliveredError::NoRecord`] after a list in which
    /// only some objects have either.
    pub fn all_from_json(text: &[u8]) -> Result<Vec<Result<Self, DeliveredError>>, DeliveredError> {
        let mut reader = Reader::new(text, DEPTH_MAX).map_err(DeliveredError::Json)?;
        let found = find(&mut reader, STRINGS_MAX).map_err(DeliveredError::Json)?;
        reader.end().map_err(DeliveredError::Json)?;
        let other = found.has_other.then_some(Err(DeliveredError::NoRecord));
        match found.items.is_empty() {
            true => Err(DeliveredError::NoRecord),
            false => Ok(found.items.into_iter().map(Item::delivered).chain(other).collect()),
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
    /// It is a checkpoint, as sinks deliver them between the records, and no record.
    #[error("there is no record in it, but a checkpoint of the log's first {} records", .0.checkpoint().size())]
    Checkpoint(SignedCheckpoint),
    /// There is more than one in it.
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

    /// The line of the record.
    fn line(&self) -> Vec<u8> {
        let mut line = Vec::new();
        for (name, value) in NAMES.iter().zip(&self.0).take(RECORD) {
            line.push(if line.is_empty() { b'{' } else { b',' });
            json::string(&mut line, name);
            line.push(b':');
            line.extend_from_slice(value.as_deref().unwrap_or_default());
        }
        line.push(b'}');
        line
    }

    fn delivered(self) -> Result<DeliveredRecord, DeliveredError> {
        let record = Record::from_line(&self.line()).map_err(DeliveredError::Record)?;
        let [.., hash, proof] = self.0.map(Option::unwrap_or_default);
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

/// A record or a checkpoint.
#[derive(Debug)]
enum Item {
    Record(Parts),
    Checkpoint(SignedCheckpoint),
}

impl Item {
    fn delivered(self) -> Result<DeliveredRecord, DeliveredError> {
        match self {
            Self::Record(parts) => parts.delivered(),
            Self::Checkpoint(checkpoint) => Err(DeliveredError::Checkpoint(checkpoint)),
        }
    }

    /// What it is of.
    fn id(&self) -> Hash {
        match self {
            Self::Record(parts) => Hash::of(&parts.line()),
            Self::Checkpoint(checkpoint) => Hash::of(checkpoint.as_str().as_bytes()),
        }
    }

    /// Whether the other one has all that this one has.
    fn is_in(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Record(parts), Self::Record(other)) => {
                let mut pairs = parts.0.iter().zip(&other.0);
                pairs.all(|(part, other)| part.is_none() || part == other)
            }
            (Self::Checkpoint(checkpoint), Self::Checkpoint(other)) => checkpoint == other,
            _ => false,
        }
    }
}

/// What is found in a value.
#[derive(Debug, Default)]
struct Found {
    items: Vec<Item>,
    /// A list has records or checkpoints, and objects with neither.
    has_other: bool,
    /// Where each of the items is, so far as that was asked.
    places: BTreeMap<Hash, usize>,
    placed: usize,
}

impl Found {
    /// Adds what the next item of a list has.
    fn add(&mut self, other: Self) {
        self.items.extend(other.items);
        self.has_other |= other.has_other;
    }

    /// Adds what another value of an object has, less the copies of what is there.
    fn merge(&mut self, mut other: Self) {
        if !self.items.is_empty() && !other.items.is_empty() {
            for (at, item) in self.items.iter().enumerate().skip(self.placed) {
                self.places.entry(item.id()).or_insert(at);
            }
            self.placed = self.items.len();
            other.items.retain_mut(|item| {
                let place = self.places.get(&item.id()).and_then(|at| self.items.get_mut(*at));
                let Some(same) = place else {
                    return true;
                };
                if same.is_in(item) {
                    // It may have the proof.
                    std::mem::swap(same, item);
                }
                !item.is_in(same)
            });
        }
        self.add(other);
    }
}

/// Finds the records and the checkpoints in a value. Strings within it may hold JSON, so many one in the other.
fn find(value: &mut Reader<'_>, strings: usize) -> Result<Found, JsonError> {
    let mut found = Found::default();
    match value.kind()? {
        Kind::Object => {
            let mut parts = Parts::default();
            value.object::<JsonError>(|key, value| {
                let Some(at) = NAMES.iter().position(|name| *name == key) else {
                    found.merge(find(value, strings)?);
                    return Ok(());
                };
                let mut part = Vec::new();
                value.canonical(&mut part)?;
                if let Some(place) = parts.0.get_mut(at) {
                    *place = Some(part);
                }
                Ok(())
            })?;
            if parts.is_record() {
                found.merge(Found {
                    items: vec![Item::Record(parts)],
                    ..Found::default()
                });
                return Ok(found);
            }
            for part in parts.0.iter().flatten() {
                found.merge(find(&mut Reader::new(part, DEPTH_MAX)?, strings)?);
            }
        }
        Kind::List => {
            value.list::<JsonError>(|_, value| {
                let is_event = value.kind()? == Kind::Object;
                let item = find(value, strings)?;
                found.has_other |= is_event && item.items.is_empty();
                found.add(item);
                Ok(())
            })?;
            found.has_other &= !found.items.is_empty();
        }
        Kind::String => {
            let text = value.string()?;
            if let Ok(checkpoint) = text.parse() {
                found.items.push(Item::Checkpoint(checkpoint));
            } else if strings > 0 && text.trim_start().starts_with(['{', '[']) {
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

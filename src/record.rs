//! The lines of a log (FORMAT §1, §2): the one place that reads and writes them.

#![warn(clippy::unwrap_used, clippy::indexing_slicing, clippy::as_conversions)]

use std::borrow::Cow;
use std::fmt;

use sha2::{Digest, Sha256};

use crate::event::{self, Event, EventError};
use crate::hash::Hash;
use crate::json::{self, Canonical, JsonError, Reader};
use crate::timestamp::Timestamp;

#[cfg(test)]
mod tests;

/// One line of a log, without its LF.
#[derive(Debug)]
pub(crate) enum Line<'a> {
    Header(Header),
    Record(RecordLine<'a>),
    /// The signed note of a checkpoint.
    Checkpoint(Cow<'a, str>),
    Erased {
        hash: Hash,
        seq: u64,
    },
}

/// The first line of a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) first: u64,
    pub(crate) origin: String,
    /// One for each 1 bit of `first`, the largest subtree first.
    pub(crate) peaks: Vec<Hash>,
}

/// A record's line, taken apart.
#[derive(Debug)]
pub(crate) struct RecordLine<'a> {
    line: &'a [u8],
    pub(crate) event: &'a [u8],
    pub(crate) personal: Personal<'a>,
    /// The value of `action` within `event`, where it is a string.
    pub(crate) action: Option<Cow<'a, str>>,
    pub(crate) prev: Hash,
    /// As it stands there: whether it is a valid instant is for the verifier to say.
    pub(crate) recorded_at: Cow<'a, str>,
    pub(crate) seq: u64,
}

/// What stands at `personal`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Personal<'a> {
    /// The object, with its salt.
    Present(&'a [u8]),
    /// Erased: the digest of the object that stood there.
    Erased(Hash),
}

/// Why a line is none of the four kinds of FORMAT §1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LineError {
    /// A segment header of another format.
    #[error("unsupported format {0}")]
    Unsupported(u64),
    /// Anything else.
    #[error("{0}")]
    Malformed(String),
}

impl From<JsonError> for LineError {
    fn from(error: JsonError) -> Self {
        Self::Malformed(error.to_string())
    }
}

impl<'a> Line<'a> {
    /// Reads a line, strictly: canonical form, the exact keys of one kind, the limits of FORMAT §1.
    pub(crate) fn parse(line: &'a [u8]) -> Result<Self, LineError> {
        if line.len() > LINE_MAX {
            return Err(malformed(format!(
                "the line has {} bytes, at most {LINE_MAX}",
                line.len()
            )));
        }
        let mut cursor = Canonical::new(line, json::DEPTH_MAX - 1)?;
        if cursor.at(EVENT) {
            RecordLine::read(line, &mut cursor).map(Line::Record)
        } else if cursor.at(CHECKPOINT) {
            cursor.literal(CHECKPOINT)?;
            let note = cursor.string()?;
            close(&mut cursor)?;
            Ok(Line::Checkpoint(note))
        } else if cursor.at(ERASED) {
            cursor.literal(ERASED)?;
            let hash = hash(&mut cursor)?;
            cursor.literal(SEQ)?;
            let seq = cursor.unsigned()?;
            close(&mut cursor)?;
            Ok(Line::Erased { hash, seq })
        } else if cursor.at(SEGMENT) {
            Header::read(line, &mut cursor).map(Line::Header)
        } else {
            Err(malformed(
                "neither a segment header, a record, a checkpoint nor an erased record",
            ))
        }
    }
}

impl Line<'_> {
    /// The `seq` of a record or an erased record.
    pub(crate) fn seq(&self) -> Option<u64> {
        match self {
            Line::Record(RecordLine { seq, .. }) | Line::Erased { seq, .. } => Some(*seq),
            Line::Header(_) | Line::Checkpoint(_) => None,
        }
    }
}

impl Header {
    fn read(line: &[u8], cursor: &mut Canonical<'_>) -> Result<Self, LineError> {
        if let Some(format) = foreign_format(line) {
            return Err(LineError::Unsupported(format));
        }
        cursor.literal(SEGMENT)?;
        cursor.literal(b"{\"first\":")?;
        let first = cursor.unsigned()?;
        cursor.literal(b",\"format\":1,\"origin\":")?;
        let origin = cursor.string()?.into_owned();
        cursor.literal(b",\"peaks\":[")?;
        let mut peaks = Vec::new();
        while !cursor.at(b"]") {
            if peaks.len() == 64 {
                return Err(malformed("more than 64 peaks"));
            }
            if !peaks.is_empty() {
                cursor.literal(b",")?;
            }
            peaks.push(hash(cursor)?);
        }
        cursor.literal(b"]}")?;
        close(cursor)?;
        if peaks.len() != usize::try_from(first.count_ones()).unwrap_or(usize::MAX) {
            return Err(malformed(format!("{} peaks for {first} records before", peaks.len())));
        }
        Ok(Self { first, origin, peaks })
    }

    /// Appends the header's line.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(SEGMENT);
        out.extend_from_slice(b"{\"first\":");
        json::unsigned(out, self.first);
        out.extend_from_slice(b",\"format\":1,\"origin\":");
        json::string(out, &self.origin);
        out.extend_from_slice(b",\"peaks\":[");
        for (index, peak) in self.peaks.iter().enumerate() {
            out.extend_from_slice(if index == 0 { b"\"" } else { b",\"" });
            out.extend_from_slice(&peak.to_hex());
            out.push(b'"');
        }
        out.extend_from_slice(b"]}}\n");
    }
}

impl<'a> RecordLine<'a> {
    fn read(line: &'a [u8], cursor: &mut Canonical<'a>) -> Result<Self, LineError> {
        cursor.literal(EVENT)?;
        let (event, action) = cursor.object_with(b"action")?;
        cursor.literal(PERSONAL)?;
        let personal = if cursor.at(b"\"") {
            Personal::Erased(hash(cursor)?)
        } else {
            let (personal, salt) = cursor.object_with(b"salt")?;
            if !salt.is_some_and(is_salt) {
                return Err(malformed("personal has no salt of 32 lowercase hexadecimal digits"));
            }
            Personal::Present(personal)
        };
        cursor.literal(b",\"prev\":")?;
        let prev = hash(cursor)?;
        cursor.literal(b",\"recorded_at\":")?;
        let recorded_at = cursor.string()?;
        cursor.literal(SEQ)?;
        let seq = cursor.unsigned()?;
        close(cursor)?;
        let record = Self {
            line,
            event,
            personal,
            action: action.and_then(text),
            prev,
            recorded_at,
            seq,
        };
        let hashed_form = record.hashed_form_len();
        if hashed_form > HASHED_FORM_MAX {
            return Err(malformed(format!(
                "the hashed form has {hashed_form} bytes, at most {HASHED_FORM_MAX}"
            )));
        }
        Ok(record)
    }

    fn hashed_form_len(&self) -> usize {
        match self.personal {
            Personal::Present(personal) => self.line.len() - personal.len() + 66,
            Personal::Erased(_) => self.line.len(),
        }
    }

    /// The two parts of the line around the value of `personal`.
    fn around_personal(&self, personal: &[u8]) -> (&'a [u8], &'a [u8]) {
        let start = EVENT.len() + self.event.len() + PERSONAL.len();
        let before = self.line.get(..start).unwrap_or_default();
        let after = self.line.get(start + personal.len()..).unwrap_or_default();
        (before, after)
    }

    /// The hash of the record: `SHA-256(0x00 ‖ hashed form)`. What is hashed is put together in `scratch`.
    pub(crate) fn hash_in(&self, scratch: &mut Vec<u8>) -> Hash {
        scratch.clear();
        scratch.push(0);
        self.write_hashed_form(scratch);
        Hash::of(scratch)
    }

    /// The hash of the record: `SHA-256(0x00 ‖ hashed form)`.
    pub(crate) fn hash(&self) -> Hash {
        self.hash_in(&mut Vec::with_capacity(1 + self.hashed_form_len()))
    }

    /// The hashed form: the line with the digest of `personal` in its place (FORMAT §2).
    pub(crate) fn hashed_form(&self) -> Cow<'a, [u8]> {
        match self.personal {
            Personal::Erased(_) => Cow::Borrowed(self.line),
            Personal::Present(_) => {
                let mut form = Vec::with_capacity(self.hashed_form_len());
                self.write_hashed_form(&mut form);
                Cow::Owned(form)
            }
        }
    }

    fn write_hashed_form(&self, out: &mut Vec<u8>) {
        match self.personal {
            Personal::Erased(_) => out.extend_from_slice(self.line),
            Personal::Present(personal) => {
                let (before, after) = self.around_personal(personal);
                out.extend_from_slice(before);
                out.push(b'"');
                out.extend_from_slice(&Hash::of(personal).to_hex());
                out.push(b'"');
                out.extend_from_slice(after);
            }
        }
    }

    /// Whether this is a record of the log itself.
    pub(crate) fn is_own(&self) -> bool {
        self.action
            .as_deref()
            .is_some_and(|action| action.starts_with("audit_log."))
    }
}

/// An event on its way into the log: its part of the line is in the caller's buffer, and the hash has run over all of
/// it that does not depend on the record's place in the chain. So the committer hashes three blocks a record and not
/// twelve.
#[derive(Clone)]
pub(crate) struct Draft {
    hasher: Sha256,
}

impl fmt::Debug for Draft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Draft").finish_non_exhaustive()
    }
}

impl Draft {
    /// Begins a line in an empty buffer: the byte 0x00, which only the hash takes (FORMAT §2), and `{"event":`. The event
    /// comes next.
    pub(crate) fn begin(buffer: &mut Vec<u8>) {
        buffer.push(0);
        buffer.extend_from_slice(EVENT);
    }

    /// Ends what [`Draft::begin`] began: appends `,"personal":…,"prev":"`. The line is what stands behind the first byte.
    pub(crate) fn end(buffer: &mut Vec<u8>, personal: &[u8]) -> Self {
        buffer.extend_from_slice(PERSONAL);
        let mut hasher = Sha256::new_with_prefix(&buffer);
        let mut rest = [b'"'; 66 + PREV.len()];
        rest[1..65].copy_from_slice(&Hash::of(personal).to_hex());
        rest[66..].copy_from_slice(PREV);
        hasher.update(rest);
        buffer.extend_from_slice(personal);
        buffer.extend_from_slice(PREV);
        Self { hasher }
    }

    /// Appends the rest of the line with its LF behind what [`Draft::begin`] wrote, and gives the record's hash.
    pub(crate) fn finish(&self, line: &mut Vec<u8>, prev: &Hash, recorded_at: &[u8], seq: u64) -> Hash {
        let start = line.len();
        line.extend_from_slice(&prev.to_hex());
        line.extend_from_slice(b"\",\"recorded_at\":\"");
        line.extend_from_slice(recorded_at);
        line.extend_from_slice(b"\",\"seq\":");
        json::unsigned(line, seq);
        line.push(b'}');
        let mut hasher = self.hasher.clone();
        hasher.update(line.get(start..).unwrap_or_default());
        line.push(b'\n');
        Hash::from_bytes(hasher.finalize().into())
    }
}

/// A record as a reader gets it: its line, taken apart, or what is left of it after an erasure.
#[derive(Clone, PartialEq, Eq)]
pub struct Record {
    seq: u64,
    hash: Hash,
    content: Option<Content>,
}

#[derive(Clone, PartialEq, Eq)]
struct Content {
    line: String,
    event: std::ops::Range<usize>,
    /// `None` where the personal data is erased.
    personal: Option<std::ops::Range<usize>>,
    prev: Hash,
    recorded_at: Timestamp,
}

impl Record {
    /// Reads a record or an erased record from its line, without LF. The JSON must be canonical. Nothing is verified:
    /// a [`Proof`](crate::Proof) shows that the record is in a log.
    ///
    /// # Errors
    ///
    /// Says in words what breaks FORMAT §1 and §2: the form, the keys, the lengths, the salt, `recorded_at`.
    pub fn from_line(line: &[u8]) -> Result<Self, JsonError> {
        let line = Line::parse(line).map_err(JsonError::other)?;
        Self::from_line_parts(line).map_err(JsonError::other)
    }

    pub(crate) fn from_line_parts(line: Line<'_>) -> Result<Self, String> {
        match line {
            Line::Record(record) => Self::from_parts(&record),
            Line::Erased { hash, seq } => Ok(Self {
                seq,
                hash,
                content: None,
            }),
            Line::Header(_) | Line::Checkpoint(_) => Err("not a record".into()),
        }
    }

    /// Reads a record in any JSON spelling, as a SIEM may have printed it anew: it is put back into canonical form
    /// first (FORMAT §10).
    ///
    /// # Errors
    ///
    /// Says what is wrong with the text, in words.
    pub fn from_json(text: &[u8]) -> Result<Self, JsonError> {
        Self::from_line(&json::canonicalize(text, json::DEPTH_MAX)?)
    }

    pub(crate) fn from_parts(record: &RecordLine<'_>) -> Result<Self, String> {
        let line = std::str::from_utf8(record.line)
            .map_err(|error| error.to_string())?
            .to_owned();
        let recorded_at = Timestamp::from_fixed(record.recorded_at.as_bytes())
            .ok_or_else(|| format!("recorded_at {:?} is not a valid instant", record.recorded_at))?;
        let event = EVENT.len()..EVENT.len() + record.event.len();
        let personal = match record.personal {
            Personal::Present(personal) => {
                let start = event.end + PERSONAL.len();
                Some(start..start + personal.len())
            }
            Personal::Erased(_) => None,
        };
        let content = Content {
            line,
            event,
            personal,
            prev: record.prev,
            recorded_at,
        };
        Ok(Self {
            seq: record.seq,
            hash: record.hash(),
            content: Some(content),
        })
    }

    /// Its place in the log, from 0.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// Its hash: the link of the chain and the leaf of the tree.
    pub fn hash(&self) -> Hash {
        self.hash
    }

    /// Whether its content is erased; then only `seq` and the hash are left.
    pub fn is_erased(&self) -> bool {
        self.content.is_none()
    }

    /// When the log took it; `None` once the record is erased.
    pub fn recorded_at(&self) -> Option<Timestamp> {
        self.content.as_ref().map(|content| content.recorded_at)
    }

    /// The hash of the record before it, 64 zeros for record 0; `None` once the record is erased.
    pub fn prev(&self) -> Option<Hash> {
        self.content.as_ref().map(|content| content.prev)
    }

    /// The line as the log has it, without LF; `None` once the record is erased.
    pub fn line(&self) -> Option<&str> {
        self.content.as_ref().map(|content| content.line.as_str())
    }

    /// `event`: what happened, as canonical JSON; `None` once the record is erased.
    pub fn event_json(&self) -> Option<&str> {
        self.content
            .as_ref()
            .and_then(|content| content.line.get(content.event.clone()))
    }

    /// `personal`: what identifies people, as canonical JSON with its salt; `None` once it, or the record, is erased.
    pub fn personal_json(&self) -> Option<&str> {
        let content = self.content.as_ref()?;
        content.line.get(content.personal.clone()?)
    }

    /// The same record without its personal data: in its place stands its hash, as after an erasure (FORMAT §2). It
    /// verifies as the record itself does.
    pub fn without_personal_data(self) -> Self {
        let stripped = self
            .personal_json()
            .and_then(|_| match Line::parse(self.line()?.as_bytes()) {
                Ok(Line::Record(record)) => Self::from_line(&record.hashed_form()).ok(),
                _ => None,
            });
        stripped.unwrap_or(self)
    }

    /// The event as people see it: `event` with `personal` merged in (EVENTS §1), as canonical JSON. A top-level
    /// `personal` marks which metadata and changes are personal, so that [`Event::from_json`] reads the same event
    /// back. `None` once the record is erased.
    pub fn merged_json(&self) -> Option<String> {
        let event = self.event_json()?;
        match self.personal_json() {
            Some(personal) => String::from_utf8(event::merged(event.as_bytes(), personal.as_bytes()).ok()?).ok(),
            None => Some(event.to_owned()),
        }
    }

    /// The event, read back; `None` once the record is erased. What was personal is marked so, and what was redacted
    /// stays `"[redacted]"`.
    ///
    /// # Errors
    ///
    /// Where another program wrote the record, and put something into it that is not of EVENTS §1.
    pub fn event(&self) -> Result<Option<Event>, EventError> {
        let merged = self.merged_json();
        merged.map(|json| Event::from_json(json.as_bytes())).transpose()
    }

    /// A text in `metadata` of the event.
    pub(crate) fn metadata_text(&self, key: &str) -> Option<String> {
        let mut reader = Reader::new(self.event_json()?.as_bytes(), json::DEPTH_MAX).ok()?;
        let mut found = None;
        let metadata = |name: &str, value: &mut Reader<'_>| match name {
            "metadata" => value.object(|name, value| match name == key && value.kind()? == json::Kind::String {
                true => {
                    found = Some(value.string()?.into_owned());
                    Ok(())
                }
                false => value.skip(),
            }),
            _ => value.skip(),
        };
        reader.object::<JsonError>(metadata).ok()?;
        found
    }

    /// The value of `action`; `None` once the record is erased.
    pub fn action(&self) -> Option<String> {
        self.event_text("action")
    }

    /// The value of `id`: the host's own, or the UUID that the log gave it; `None` once the record is erased.
    pub fn id(&self) -> Option<String> {
        self.event_text("id")
    }

    /// A text at the top of the event.
    fn event_text(&self, name: &str) -> Option<String> {
        let mut reader = Reader::new(self.event_json()?.as_bytes(), json::DEPTH_MAX).ok()?;
        let mut found = None;
        reader
            .object(|key, value| {
                if key == name {
                    found = Some(value.string()?.into_owned());
                    Ok(())
                } else {
                    value.skip()
                }
            })
            .ok()?;
        found
    }
}

impl fmt::Debug for Record {
    /// Shows no content: a record may hold personal data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record")
            .field("seq", &self.seq)
            .field("hash", &self.hash)
            .field("erased", &self.is_erased())
            .finish_non_exhaustive()
    }
}

/// Appends the line of a checkpoint.
pub(crate) fn write_checkpoint(out: &mut Vec<u8>, note: &str) {
    out.extend_from_slice(CHECKPOINT);
    json::string(out, note);
    out.extend_from_slice(b"}\n");
}

/// Appends the line of an erased record.
pub(crate) fn write_erased(out: &mut Vec<u8>, hash: &Hash, seq: u64) {
    out.extend_from_slice(ERASED);
    out.push(b'"');
    out.extend_from_slice(&hash.to_hex());
    out.push(b'"');
    out.extend_from_slice(SEQ);
    json::unsigned(out, seq);
    out.extend_from_slice(b"}\n");
}

fn close(cursor: &mut Canonical<'_>) -> Result<(), LineError> {
    cursor.literal(b"}")?;
    Ok(cursor.end()?)
}

fn hash(cursor: &mut Canonical<'_>) -> Result<Hash, LineError> {
    cursor.literal(b"\"")?;
    let digits = cursor.bytes::<64>()?;
    let hash = Hash::from_hex(digits).ok_or_else(|| malformed("a hash is 64 lowercase hexadecimal digits"))?;
    cursor.literal(b"\"")?;
    Ok(hash)
}

fn is_salt(value: &[u8]) -> bool {
    let digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    // All digits are looked at, many at a time.
    matches!(value, [b'"', salt @ .., b'"'] if salt.len() == 32 && salt.iter().fold(true, |all, byte| all & digit(byte)))
}

/// The string that a canonical value is, if it is one.
fn text(value: &[u8]) -> Option<Cow<'_, str>> {
    if let [b'"', plain @ .., b'"'] = value
        && memchr::memchr(b'\\', plain).is_none()
    {
        return std::str::from_utf8(plain).ok().map(Cow::Borrowed);
    }
    Canonical::new(value, 1).and_then(|mut cursor| cursor.string()).ok()
}

/// The `format` of a header, if it has one other than 1, whatever else stands there.
fn foreign_format(line: &[u8]) -> Option<u64> {
    let mut format = None;
    let mut reader = Reader::new(line, json::DEPTH_MAX).ok()?;
    reader
        .object::<JsonError>(|_, segment| {
            segment.object(|key, value| {
                if key == "format" {
                    format = Some(value.unsigned()?);
                    Ok(())
                } else {
                    value.skip()
                }
            })
        })
        .ok()?;
    format.filter(|format| *format != 1)
}

fn malformed(problem: impl Into<String>) -> LineError {
    LineError::Malformed(problem.into())
}

/// The longest line (FORMAT §1). A writer counts its LF too.
pub(crate) const LINE_MAX: usize = 262_144;

/// The longest hashed form: the bound of a tlog-tiles entry (FORMAT §1).
pub(crate) const HASHED_FORM_MAX: usize = 65_535;

/// What a record's line has beside `event` and `personal`, at most: keys, `prev`, `recorded_at`, 16 digits of `seq`,
/// LF.
pub(crate) const RECORD_FRAME_MAX: usize = EVENT.len() + PERSONAL.len() + PREV.len() + 64 + 17 + 27 + 8 + 16 + 2;

const EVENT: &[u8] = b"{\"event\":";
const PERSONAL: &[u8] = b",\"personal\":";
const PREV: &[u8] = b",\"prev\":\"";
const SEQ: &[u8] = b",\"seq\":";
/// What the line of a checkpoint begins with.
pub(crate) const CHECKPOINT: &[u8] = b"{\"checkpoint\":";
const ERASED: &[u8] = b"{\"erased\":";
const SEGMENT: &[u8] = b"{\"segment\":";

//! Records of the log itself that the format gives a meaning: what their `metadata` says.

use std::borrow::Cow;

use super::ranges::Range;
use crate::hash::Hash;
use crate::json::{DEPTH_MAX, JsonError, Reader, read::Kind};
use crate::note::{Origin, VerifierKey};

pub(super) const CREATED: &str = "audit_log.created";
pub(super) const ROTATED: &str = "audit_log.signing_key.rotated";
pub(super) const PURGED: &str = "audit_log.purged";
pub(super) const RECORD_ERASED: &str = "audit_log.record.erased";
pub(super) const PERSONAL_DATA_ERASED: &str = "audit_log.personal_data.erased";
pub(super) const CLOCK_SKEW: &str = "audit_log.clock_skew.detected";

/// What record 0 says (FORMAT §2).
#[derive(Debug, Default)]
pub(super) struct Genesis {
    pub(super) format: Option<u64>,
    pub(super) origin: Option<String>,
    pub(super) vkey: Option<String>,
}

impl Genesis {
    /// Each field is read by itself: one that is not of its type says nothing of the others.
    pub(super) fn read(event: &[u8]) -> Self {
        let text = |value: &mut Reader<'_>| value.string().map(Cow::into_owned);
        Self {
            format: field(event, "format", Reader::unsigned),
            origin: field(event, "origin", text),
            vkey: field(event, "vkey", text),
        }
    }
}

fn field<'a, T>(event: &'a [u8], name: &str, read: impl Fn(&mut Reader<'a>) -> Result<T, JsonError>) -> Option<T> {
    let mut found = None;
    let entry = |key: &str, value: &mut Reader<'a>| match key == name {
        true => read(value).map(|value| found = Some(value)),
        false => value.skip(),
    };
    metadata(event, entry).ok()?;
    found
}

/// A change of the key in force, as the record says it (FORMAT §6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rotation {
    pub(super) seq: u64,
    /// The record's hash.
    pub(super) record: Hash,
    pub(super) old: VerifierKey,
    pub(super) new: VerifierKey,
}

impl Rotation {
    /// Reads the rotation of the log `origin`; says what is wrong with it, in words.
    pub(super) fn read(seq: u64, record: Hash, event: &[u8], origin: &Origin) -> Result<Self, String> {
        let (mut old, mut new) = (None, None);
        let read = metadata(event, |key, value| {
            match key {
                "old" => old = Some(value.string()?.into_owned()),
                "new" => new = Some(value.string()?.into_owned()),
                _ => value.skip()?,
            }
            Ok(())
        });
        read.map_err(|error| format!("the metadata of the rotation: {error}"))?;
        let key = |name: &str, text: Option<String>| {
            let text = text.ok_or_else(|| format!("the rotation has no `{name}`"))?;
            let key: VerifierKey = text
                .parse()
                .map_err(|error| format!("`{name}` of the rotation: {error}"))?;
            if key.name() != origin {
                return Err(format!("`{name}` of the rotation is not a key of this log"));
            }
            // All keys of the log share one copy of its name, however many rotations there are.
            VerifierKey::new(origin.clone(), key.public_key()).map_err(|error| error.to_string())
        };
        Ok(Self {
            seq,
            record,
            old: key("old", old)?,
            new: key("new", new)?,
        })
    }
}

/// What an announcement announces (FORMAT §7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Announced {
    /// The purge of what comes before this `seq`.
    Purge(u64),
    /// The erasure of records.
    Records,
    /// The erasure of personal data.
    PersonalData,
}

/// Reads the announcement that is record `seq`, and appends the ranges that it names to `ranges`. Says what is wrong
/// with it, in words; `ranges` is then as before.
pub(super) fn read_announcement(
    action: &str,
    seq: u64,
    event: &[u8],
    ranges: &mut Vec<Range>,
) -> Result<Announced, String> {
    let start = ranges.len();
    let read = match action {
        PURGED => read_purge(seq, event).map(Announced::Purge),
        RECORD_ERASED => read_ranges(seq, event, 1, ranges).map(|()| Announced::Records),
        _ => read_ranges(seq, event, 0, ranges).map(|()| Announced::PersonalData),
    };
    if read.is_err() {
        ranges.truncate(start);
    }
    read
}

fn read_purge(seq: u64, event: &[u8]) -> Result<u64, String> {
    let mut before = None;
    let read = metadata(event, |key, value| match key {
        "before" => value.unsigned().map(|number| before = Some(number)),
        _ => value.skip(),
    });
    read.map_err(|error| format!("the metadata of the announcement: {error}"))?;
    match before {
        None => Err("the announcement has no `before`".into()),
        Some(before) if before > seq => Err(format!("`before` of the announcement is {before}, after its own seq")),
        Some(before) => Ok(before),
    }
}

/// `lowest` is the first record that may be named: record 0 is the log's own.
fn read_ranges(seq: u64, event: &[u8], lowest: u64, ranges: &mut Vec<Range>) -> Result<(), String> {
    let (mut named, mut reason, mut broken) = (false, false, None);
    let read = metadata(event, |key, value| match key {
        "ranges" => {
            named = true;
            value.list(|_, range| {
                let (first, last) = read_range(range)?;
                if first > last || last >= seq || first < lowest {
                    broken = broken.or(Some((first, last)));
                }
                ranges.push((first, last));
                Ok(())
            })
        }
        "reason" => value.string().map(|_| reason = true),
        _ => value.skip(),
    });
    read.map_err(|error| format!("the metadata of the announcement: {error}"))?;
    match broken {
        _ if !named => Err("the announcement has no `ranges`".into()),
        _ if !reason => Err("the announcement has no `reason`".into()),
        Some((first, last)) if first < lowest && first <= last => Err(format!(
            "the range [{first},{last}] of the announcement names a record of the log itself"
        )),
        Some((first, last)) => Err(format!(
            "the range [{first},{last}] of the announcement is not of records before its own, in order"
        )),
        None => Ok(()),
    }
}

fn read_range(value: &mut Reader<'_>) -> Result<Range, JsonError> {
    let (mut count, mut ends) = (0, [0; 2]);
    value.list::<JsonError>(|index, end| {
        count += 1;
        match ends.get_mut(index) {
            Some(place) => *place = end.unsigned()?,
            None => end.skip()?,
        }
        Ok(())
    })?;
    let [first, last] = ends;
    if count == 2 {
        Ok((first, last))
    } else {
        Err(serde::ser::Error::custom("a range has two ends"))
    }
}

/// Goes over the entries of an event's `metadata`.
fn metadata<'a>(
    event: &'a [u8],
    mut entry: impl FnMut(&str, &mut Reader<'a>) -> Result<(), JsonError>,
) -> Result<(), JsonError> {
    let mut reader = Reader::new(event, DEPTH_MAX)?;
    reader.object(|key, value| match (key, value.kind()?) {
        ("metadata", Kind::Object) => value.object(&mut entry),
        _ => value.skip(),
    })
}

//! An event on its way into another schema.

#![warn(clippy::unwrap_used, clippy::indexing_slicing, clippy::as_conversions)]

use std::borrow::Cow;
use std::net::IpAddr;

use crate::event::Severity;
use crate::event::scan::{items, members, text};
use crate::timestamp::Timestamp;

/// A value of an event. Fields are taken out of it one by one, and what is left at the end has no field in the schema:
/// so nothing is dropped, whatever the event holds.
#[derive(Debug)]
pub(super) enum Source<'a> {
    /// As it stands in the event, in canonical form.
    Json(&'a [u8]),
    /// Taken apart: the keys as they stand between their quotes.
    Object(Vec<(&'a [u8], Source<'a>)>),
    /// Taken apart.
    List(Vec<Source<'a>>),
    /// Taken; it may be taken again.
    Taken(&'a [u8]),
}

impl<'a> Source<'a> {
    /// An event in canonical form.
    pub(super) fn new(event: &'a str) -> Self {
        Self::Json(event.as_bytes())
    }

    /// The value at a path of names, such as `context.auth.method`.
    pub(super) fn at(&mut self, path: &str) -> Option<&mut Self> {
        path.split('.').try_fold(self, |value, name| value.member(name))
    }

    /// The items of the list at a path.
    pub(super) fn items(&mut self, path: &str) -> &mut [Self] {
        let Some(list) = self.at(path) else {
            return &mut [];
        };
        if let Self::Json(json) = list
            && json.starts_with(b"[{")
        {
            *list = Self::List(items(json).map(Self::Json).collect());
        }
        match list {
            Self::List(items) => items,
            _ => &mut [],
        }
    }

    /// The value at a path, if it is of this kind. It stays.
    pub(super) fn look(&mut self, path: &str, is_kind: Kind) -> Option<&'a [u8]> {
        match self.at(path)? {
            Self::Json(json) | Self::Taken(json) if is_kind(json) => Some(*json),
            _ => None,
        }
    }

    /// Takes the value at a path, if it is of this kind. Else it is left.
    pub(super) fn take(&mut self, path: &str, is_kind: Kind) -> Option<&'a [u8]> {
        let value = self.at(path)?;
        match *value {
            Self::Json(json) | Self::Taken(json) if is_kind(json) => {
                *value = Self::Taken(json);
                Some(json)
            }
            _ => None,
        }
    }

    /// The text at a path. It stays.
    pub(super) fn text(&mut self, path: &str) -> Option<Cow<'a, str>> {
        self.look(path, is_text).map(text)
    }

    /// Appends what is left, and says whether anything is. Of a list of objects some of which are taken, `{}` holds the
    /// place of those, as it does in the personal part of a record (EVENTS §1).
    pub(super) fn write_rest(&self, out: &mut Vec<u8>) -> bool {
        let start = out.len();
        let mut is_left = false;
        match self {
            Self::Taken(_) => {}
            Self::Json(json) => {
                out.extend_from_slice(json);
                is_left = true;
            }
            Self::Object(members) => {
                for (key, value) in members {
                    let undo = out.len();
                    out.extend_from_slice(if is_left { b",\"" } else { b"{\"" });
                    out.extend_from_slice(key);
                    out.extend_from_slice(b"\":");
                    match value.write_rest(out) {
                        true => is_left = true,
                        false => out.truncate(undo),
                    }
                }
                out.push(b'}');
            }
            Self::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    out.push(if index == 0 { b'[' } else { b',' });
                    match item.write_rest(out) {
                        true => is_left = true,
                        false => out.extend_from_slice(b"{}"),
                    }
                }
                out.push(b']');
            }
        }
        if !is_left {
            out.truncate(start);
        }
        is_left
    }

    /// What is left, as JSON; `None` where nothing is.
    pub(super) fn rest(&self) -> Option<Vec<u8>> {
        let mut rest = Vec::new();
        (self.write_rest(&mut rest) && rest != b"{}").then_some(rest)
    }

    fn member(&mut self, name: &str) -> Option<&mut Self> {
        // An empty object is left as it is: with no members in it, it would be lost.
        if let Self::Json(json) = self
            && json.starts_with(b"{\"")
        {
            *self = Self::Object(members(json).map(|(key, value)| (key, Self::Json(value))).collect());
        }
        match self {
            Self::Object(members) => {
                let mut found = members.iter_mut().filter(|(key, _)| *key == name.as_bytes());
                found.next().map(|(_, value)| value)
            }
            _ => None,
        }
    }
}

/// Whether a value in canonical form is what a field holds.
pub(super) type Kind = fn(&[u8]) -> bool;

pub(super) fn is_text(json: &[u8]) -> bool {
    json.starts_with(b"\"")
}

pub(super) fn is_filled_text(json: &[u8]) -> bool {
    is_text(json) && json != b"\"\""
}

pub(super) fn is_boolean(json: &[u8]) -> bool {
    matches!(json, b"true" | b"false")
}

pub(super) fn is_number(json: &[u8]) -> bool {
    matches!(json.first(), Some(b'-' | b'0'..=b'9'))
}

pub(super) fn is_integer(json: &[u8]) -> bool {
    is_number(json) && !json.iter().any(|byte| matches!(byte, b'.' | b'e'))
}

pub(super) fn is_texts(json: &[u8]) -> bool {
    json.starts_with(b"[\"") && items(json).all(is_text)
}

pub(super) fn is_ips(json: &[u8]) -> bool {
    is_texts(json) && items(json).all(is_ip)
}

/// An IP address in the form of RFC 5952: not every reader knows the others.
pub(super) fn is_ip(json: &[u8]) -> bool {
    is_text(json) && {
        let text = text(json);
        text.parse::<IpAddr>().is_ok_and(|ip| ip.to_string() == text)
    }
}

/// A time in the fixed form.
pub(super) fn is_timestamp(json: &[u8]) -> bool {
    is_text(json) && Timestamp::from_fixed(text(json).as_bytes()).is_some()
}

/// A severity of EVENTS §1.
pub(super) fn is_severity(json: &[u8]) -> bool {
    is_text(json) && Severity::named(&text(json)).is_some()
}

/// A service as hosts write it into `source`: its name, and its version behind a slash.
pub(super) fn service(source: &str) -> (&str, Option<&str>) {
    match source.split_once('/') {
        Some((name, version)) if !name.is_empty() && !version.is_empty() => (name, Some(version)),
        _ => (source, None),
    }
}

/// Whether a target of this type is somebody who can act.
pub(super) fn is_person(target_type: &str) -> bool {
    is_one_of(target_type, &PERSONS)
}

/// Whether a target of this type is something that has members.
pub(super) fn is_group(target_type: &str) -> bool {
    is_one_of(target_type, &GROUPS)
}

/// Whether the last word of a type, such as `AWS::IAM::User`, is one of these.
fn is_one_of(target_type: &str, words: &[&str]) -> bool {
    let word = target_type.rsplit([':', '.', '/']).next().unwrap_or_default();
    words.iter().any(|known| known.eq_ignore_ascii_case(word))
}

const PERSONS: [&str; 8] = [
    "user",
    "admin",
    "service_account",
    "account",
    "member",
    "agent",
    "customer",
    "employee",
];

const GROUPS: [&str; 5] = ["group", "team", "organization", "organisation", "tenant"];

//! CEF: the Common Event Format of ArcSight (*Implementing ArcSight Common Event Format*, version 0 of the format), one
//! line an event.
//!
//! ```text
//! CEF:0|indelible|audit log|0.1.0|auth.login.failed|A login failed.|5|act=auth.login.failed cat=authentication …
//! ```
//!
//! | event | CEF |
//! | --- | --- |
//! | `action` | the event class id of the header, `act`; the name in the header is its sentence in the catalogue |
//! | its [category](crate::Action::category) | `cat` |
//! | `severity` | the severity of the header: informational 1, low 3, medium 5, high 8, critical 10 |
//! | `outcome`, `reason` | `outcome`, `reason` |
//! | `id` | `externalId` |
//! | `occurred_at` | `start`, in milliseconds since 1970 |
//! | `source` | `sourceServiceName` |
//! | `actor` | `suid`, `suser` (the e-mail address, else the name); its `type` in `cs4`, label `actorType` |
//! | `targets` | the first person: `duid`, `duser` (the e-mail address, else the name) |
//! | `context.ip` | `src`; an IPv6 address `c6a2`, label `Source IPv6 Address` |
//! | `context.user_agent` | `requestClientApplication` |
//! | `context.http` | `requestMethod`, `request` (the path), `cn2`, label `httpStatus` |
//! | `context.session_id`, `auth.method`, `request_id` | `cs2`, label `sessionId`; `cs5`, label `authMethod`; `cs6`, label `requestId` |
//! | `context.risk.score` | `cfp1`, label `riskScore` |
//! | `tenant_id` | `cs3`, label `tenantId` |
//! | `seq` of the record | `cn1`, label `seq` |
//! | hash of the record | `cs1`, label `hash` |
//! | `recorded_at` of the record | `rt`, in milliseconds since 1970 |
//! | what is given as `original` | `rawEvent` |
//! | everything else | `indelibleUnmapped`, as JSON with the names of EVENTS §1 |
//!
//! A text that is empty, or longer than the dictionary of CEF allows, is left in `indelibleUnmapped`: nothing is cut.
//! So is one with a control character, such as a tab or an escape, for which JSON has an escape and CEF has none; and an
//! `occurred_at` with microseconds. `rawEvent` and `indelibleUnmapped` may be longer than any field of the dictionary; they
//! stand last.
//!
//! In the header `|` and `\` are escaped by `\`, in values `=`, `\`, LF (`\n`) and CR (`\r`). A header has no
//! line breaks: they become spaces there.

#![warn(clippy::unwrap_used, clippy::indexing_slicing, clippy::as_conversions)]

use std::fmt::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::source::{Kind, Source, is_filled_text, is_integer, is_number, is_person, is_severity, is_text};
use super::{CHECKPOINT, CHECKPOINT_MESSAGE, Essence, PRODUCT, PRODUCT_VERSION, millis};
use crate::checkpoint::SignedCheckpoint;
use crate::event::scan::text;
use crate::event::{Action, Severity};
use crate::record::Record;
use crate::timestamp::Timestamp;

/// A record as a line of CEF; `None` for a record that is erased.
/// `original` goes as it is into `rawEvent`.
///
/// ```
/// # use indelible::{Actor, AuditLog, Event, MemoryStore, SigningKey, Target, action};
/// use indelible::schema::cef;
///
/// # let log = AuditLog::builder("auth.example.com/audit")
/// #     .signer(SigningKey::generate("auth.example.com/audit".parse()?)?)
/// #     .without_checkpoint_file()
/// #     .open(MemoryStore::new())?;
/// let receipt = log.append(
///     Event::new(action::AUTH_LOGIN_FAILED)
///         .actor(Actor::user("usr_alice123").email("alice@example.com"))
///         .reason("code=7"),
/// )?;
/// let event = cef::record(&log.reader().record(receipt.seq)?, None).unwrap();
///
/// assert!(event.starts_with("CEF:0|indelible|audit log|"));
/// assert!(event.contains(r" outcome=failure reason=code\=7 "));
/// assert!(event.contains("suid=usr_alice123 suser=alice@example.com"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn record(record: &Record, original: Option<&str>) -> Option<String> {
    let event = record.merged_json()?;
    let recorded_at = record.recorded_at()?;
    let mut source = Source::new(&event);
    let essence = Essence::of(&mut source, recorded_at);

    let mut line = Line::begin(&essence.action, essence.message(), severity(essence.severity));
    source.take("severity", is_severity);
    line.number("rt", millis(recorded_at));
    line.number("start", millis(essence.time));
    source.take("occurred_at", is_millis);
    line.labelled("cn1", "seq", &record.seq().to_string());
    line.labelled("cs1", "hash", &record.hash().to_string());
    line.put("cat", Action::from(&*essence.action).category());
    for (key, label, from, is_kind, chars_max) in FIELDS {
        line.take(key, label, &mut source, from, is_kind, chars_max);
    }
    who(&mut line, &mut source, ["suid", "suser"], "actor");
    if let Some(person) = person(&mut source) {
        who(&mut line, person, ["duid", "duser"], "");
    }
    if let Some(original) = original {
        line.put("rawEvent", original);
    }
    if let Some(rest) = source.rest() {
        line.put("indelibleUnmapped", &String::from_utf8_lossy(&rest));
    }
    Some(line.text)
}

/// A checkpoint as a line of CEF: `cs1` is the root, `cn1` the size, `cs2` the origin and `rawEvent` the note.
///
/// A checkpoint does not say when it was made; `time` is when it is handed on, as `rt`.
///
/// ```
/// # use indelible::{Checkpoint, Origin, SigningKey, Hash};
/// use indelible::schema::cef;
///
/// let origin = Origin::new("auth.example.com/audit")?;
/// let key = SigningKey::generate(origin.clone())?;
/// let checkpoint = Checkpoint::new(origin, 42, Hash::of(b"root"))?.sign(&[&key])?;
///
/// let event = cef::checkpoint(&checkpoint, "2026-02-01T00:00:04Z".parse()?);
/// assert!(event.contains("|audit_log.checkpoint|The size and the root of the audit log, signed.|1|rt=1769904004000 cn1=42 "));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn checkpoint(checkpoint: &SignedCheckpoint, time: Timestamp) -> String {
    let said = checkpoint.checkpoint();
    let mut line = Line::begin(CHECKPOINT, CHECKPOINT_MESSAGE, severity(Some(Severity::Informational)));
    line.number("rt", millis(time));
    line.labelled("cn1", "size", &said.size().to_string());
    line.labelled("cs1", "root", &said.root().to_string());
    line.labelled("cs2", "origin", said.origin().as_str());
    line.put("rawEvent", checkpoint.as_str());
    line.text
}

/// A line on its way.
#[derive(Debug)]
struct Line {
    text: String,
    /// Whether it has nothing but the header.
    is_bare: bool,
}

impl Line {
    /// The header.
    fn begin(class_id: &str, name: &str, severity: u8) -> Self {
        let mut line = String::with_capacity(1024);
        line.push_str("CEF:0|");
        for field in [PRODUCT, "audit log", PRODUCT_VERSION, class_id, name] {
            let field = if field.is_empty() { "unknown" } else { field };
            for char in field.chars() {
                match char {
                    '\n' | '\r' => line.push(' '),
                    '|' | '\\' => line.extend(['\\', char]),
                    _ => line.push(char),
                }
            }
            line.push('|');
        }
        // Writing into memory does not fail.
        let _ = write!(line, "{severity}|");
        Self {
            text: line,
            is_bare: true,
        }
    }

    fn put(&mut self, key: &str, value: &str) {
        if !self.is_bare {
            self.text.push(' ');
        }
        self.is_bare = false;
        self.text.push_str(key);
        self.text.push('=');
        let mut rest = value;
        while let Some(at) = rest.find(['=', '\\', '\n', '\r']) {
            let (plain, special) = rest.split_at(at);
            self.text.push_str(plain);
            self.text.push('\\');
            self.text.push(match special.as_bytes().first() {
                Some(b'\n') => 'n',
                Some(b'\r') => 'r',
                Some(b'=') => '=',
                _ => '\\',
            });
            rest = special.get(1..).unwrap_or_default();
        }
        self.text.push_str(rest);
    }

    fn labelled(&mut self, key: &str, label: &str, value: &str) {
        self.put(key, value);
        if !label.is_empty() {
            self.put(&format!("{key}Label"), label);
        }
    }

    fn number(&mut self, key: &str, number: i64) {
        self.put(key, &number.to_string());
    }

    /// Moves a field of the event that is of this kind, and not longer than its key allows.
    fn take(&mut self, key: &str, label: &str, source: &mut Source<'_>, from: &str, is_kind: Kind, chars_max: usize) {
        let Some(json) = source.look(from, is_kind) else {
            return;
        };
        let value = match is_text(json) {
            true => text(json),
            false => String::from_utf8_lossy(json),
        };
        if value.chars().count() <= chars_max {
            self.labelled(key, label, &value);
            source.take(from, is_kind);
        }
    }
}

/// Puts the id of somebody, and the address or else the name.
fn who(line: &mut Line, source: &mut Source<'_>, [id_key, name_key]: [&str; 2], path: &str) {
    let Some(person) = (match path {
        "" => Some(source),
        _ => source.at(path),
    }) else {
        return;
    };
    line.take(id_key, "", person, "id", is_plain_text, 1023);
    let name = match person.look("email", is_plain_text) {
        Some(_) => "email",
        None => "name",
    };
    line.take(name_key, "", person, name, is_plain_text, 1023);
}

/// The first target that is a person.
fn person<'s, 'a>(source: &'s mut Source<'a>) -> Option<&'s mut Source<'a>> {
    let mut targets = source.items("targets").iter_mut();
    targets.find_map(|target| {
        let kind = target.text("type")?;
        is_person(&kind).then_some(target)
    })
}

/// 0 to 3 is low for CEF, up to 6 medium, up to 8 high, up to 10 very high.
fn severity(severity: Option<Severity>) -> u8 {
    match severity {
        None => 0,
        Some(Severity::Informational) => 1,
        Some(Severity::Low) => 3,
        Some(Severity::Medium) => 5,
        Some(Severity::High) => 8,
        Some(Severity::Critical) => 10,
    }
}

/// A time of which milliseconds hold all.
fn is_millis(json: &[u8]) -> bool {
    is_text(json) && Timestamp::from_fixed(text(json).as_bytes()).is_some_and(|time| time.unix_micros() % 1000 == 0)
}

/// A text that a value of CEF can hold: receivers of syslog replace control characters, and terminals obey them.
fn is_plain_text(json: &[u8]) -> bool {
    let has_escape = |char: char| char >= ' ' || matches!(char, '\n' | '\r');
    is_filled_text(json) && text(json).chars().all(has_escape)
}

fn is_ipv4(json: &[u8]) -> bool {
    is_text(json) && text(json).parse::<Ipv4Addr>().is_ok()
}

fn is_ipv6(json: &[u8]) -> bool {
    is_text(json) && text(json).parse::<Ipv6Addr>().is_ok()
}

/// The fields that go where they go whatever the event is: key, label, path, kind, and the most characters that the
/// dictionary of CEF allows.
const FIELDS: [(&str, &str, &str, Kind, usize); 17] = [
    ("act", "", "action", is_plain_text, 63),
    ("outcome", "", "outcome", is_plain_text, 63),
    ("reason", "", "reason", is_plain_text, 1023),
    ("externalId", "", "id", is_plain_text, 40),
    ("sourceServiceName", "", "source", is_plain_text, 1023),
    ("src", "", "context.ip", is_ipv4, 15),
    ("c6a2", "Source IPv6 Address", "context.ip", is_ipv6, 45),
    (
        "requestClientApplication",
        "",
        "context.user_agent",
        is_plain_text,
        1023,
    ),
    ("requestMethod", "", "context.http.method", is_plain_text, 1023),
    ("request", "", "context.http.path", is_plain_text, 1023),
    ("cn2", "httpStatus", "context.http.status", is_integer, 20),
    ("cfp1", "riskScore", "context.risk.score", is_number, 64),
    ("cs2", "sessionId", "context.session_id", is_plain_text, 4000),
    ("cs3", "tenantId", "tenant_id", is_plain_text, 4000),
    ("cs4", "actorType", "actor.type", is_plain_text, 4000),
    ("cs5", "authMethod", "context.auth.method", is_plain_text, 4000),
    ("cs6", "requestId", "context.request_id", is_plain_text, 4000),
];

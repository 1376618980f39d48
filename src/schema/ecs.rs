//! ECS 9.4: the Elastic Common Schema (<https://www.elastic.co/docs/reference/ecs>), one JSON object an event.
//!
//! An action of the [catalogue](crate::event::catalogue) has its kind, categories and types there
//! ([`Entry::ecs`](crate::event::Entry::ecs)). Another action is of kind `event` and type `info`, in the category that
//! most actions of its [category](crate::Action::category) have, and in none where that is the host's own.
//!
//! | event | ECS |
//! | --- | --- |
//! | `action` | `event.action`; `message` is its sentence in the catalogue |
//! | `outcome` | `event.outcome`; `denied` is a `failure` and stands in `labels.outcome` too |
//! | `severity` | `log.level`, and as 1 to 5 `event.severity` |
//! | `reason` | `event.reason` |
//! | `id` | `event.id` |
//! | `occurred_at` | `@timestamp`, with all its digits |
//! | `tenant_id` | `organization.id` |
//! | `source` | `event.provider`; `service.name` and `service.version` |
//! | `actor` | `user.id`, `name`, `email`; its `type` is a label |
//! | `on_behalf_of` | `user.effective.id`, `name`, `email`; its `type` is a label |
//! | `targets` | the first person as `user.target`, the first group as `group`; the others are a label |
//! | `context.ip`, `location` | `source.ip`, `source.geo` |
//! | `context.user_agent`, `device.os` | `user_agent.original`, `user_agent.os.full` |
//! | `context.http` | `http.request.method`, `url.path`, `http.response.status_code` |
//! | `context.request_id`, `trace_id` | `http.request.id`, `trace.id` |
//! | `context.risk.score` | `event.risk_score` |
//! | `seq` of the record | `event.sequence`, a number |
//! | hash of the record | `event.hash`, `related.hash` |
//! | `recorded_at` of the record | `event.created` |
//! | what is given as `original` | `event.original` |
//! | everything else | `labels` |
//!
//! Ids, names and addresses are collected in `related.user` and `related.ip`.
//!
//! **Labels** are flat, and keywords: a label's name is the path of the field with `_` between its parts and for each
//! `.` in a key, such as `context_auth_method` and `metadata_attempt`. Its value is a text, a list of texts, or
//! the JSON of anything else; where two fields come to the same name, it has the values of both. Objects in `metadata`
//! are JSON, not labels of their own, so that an event does not add to the fields of an index without end.
//! Elasticsearch does not index a keyword beyond 1024 characters; it keeps it.
//!
//! Who is a person or a group is said in [`ocsf`](super::ocsf). The keys are in canonical order (RFC 8785).

#![warn(clippy::unwrap_used, clippy::indexing_slicing, clippy::as_conversions)]

use std::borrow::Cow;

use super::document::{Document, string};
use super::source::{
    Kind, Source, is_group, is_integer, is_ip, is_number, is_person, is_severity, is_text, is_texts, is_timestamp,
    service,
};
use super::{CHECKPOINT, CHECKPOINT_MESSAGE, Essence, PRODUCT, unsigned};
use crate::checkpoint::SignedCheckpoint;
use crate::event::scan::{items, members, text};
use crate::event::{Action, Severity, lookup};
use crate::json::{self, ObjectWriter};
use crate::record::Record;
use crate::timestamp::Timestamp;

/// The version of the schema.
pub const VERSION: &str = "9.4.0";

/// A record as an ECS event, one line of JSON; `None` for a record that is erased.
/// `original` goes as it is into `event.original`.
///
/// ```
/// # use indelible::{Actor, AuditLog, Event, MemoryStore, SigningKey, Target, action};
/// use indelible::schema::ecs;
///
/// # let log = AuditLog::builder("auth.example.com/audit")
/// #     .signer(SigningKey::generate("auth.example.com/audit".parse()?)?)
/// #     .without_checkpoint_file()
/// #     .open(MemoryStore::new())?;
/// let receipt = log.append(
///     Event::new(action::AUTH_LOGIN_FAILED)
///         .actor(Actor::user("usr_alice123").email("alice@example.com"))
///         .metadata("attempt", 3),
/// )?;
/// let event = ecs::record(&log.reader().record(receipt.seq)?, None).unwrap();
///
/// assert!(event.contains(r#""category":["authentication"]"#));
/// assert!(event.contains(r#""labels":{"actor_type":"user","metadata_attempt":"3"}"#));
/// assert!(event.contains(r#""user":{"email":"alice@example.com","id":"usr_alice123"}"#));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn record(record: &Record, original: Option<&str>) -> Option<String> {
    let event = record.merged_json()?;
    let recorded_at = record.recorded_at()?;
    let mut source = Source::new(&event);
    let essence = Essence::of(&mut source, recorded_at);
    let hash = record.hash().to_string();

    let mut document = Document::default();
    head(&mut document, essence.time, essence.message());
    classify(&mut document, &essence);
    related(&mut document, &mut source, &hash);
    document.integer("event.sequence", unsigned(record.seq()));
    document.text("event.hash", &hash);
    document.text("event.created", &recorded_at.to_string());
    if let Some(original) = original {
        document.text("event.original", original);
    }
    if let Some(from) = source.text("source") {
        let (name, version) = service(&from);
        document.text("service.name", name);
        if let Some(version) = version {
            document.text("service.version", version);
        }
    }
    // What stands there already.
    if essence
        .outcome
        .is_some_and(|outcome| outcome.as_str() == outcome.ecs_outcome())
    {
        source.take("outcome", is_text);
    }
    source.take("occurred_at", is_timestamp);
    for (to, from, is_kind) in FIELDS {
        document.take(to, &mut source, from, is_kind);
    }
    location(&mut document, &mut source);
    targets(&mut document, &mut source);
    labels(&mut document, &source);
    document.into_line()
}

/// A checkpoint as an ECS event of kind `state`: `event.original` is the note, the labels are origin, size and root. One
/// line of JSON.
///
/// A checkpoint does not say when it was made; `time` is when it is handed on.
///
/// ```
/// # use indelible::{Checkpoint, Origin, SigningKey, Hash};
/// use indelible::schema::ecs;
///
/// let origin = Origin::new("auth.example.com/audit")?;
/// let key = SigningKey::generate(origin.clone())?;
/// let checkpoint = Checkpoint::new(origin, 42, Hash::of(b"root"))?.sign(&[&key])?;
///
/// let event = ecs::checkpoint(&checkpoint, "2026-02-01T00:00:04Z".parse()?);
/// assert!(event.contains(r#""kind":"state""#) && event.contains(r#""size":"42""#));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn checkpoint(checkpoint: &SignedCheckpoint, time: Timestamp) -> String {
    let mut document = Document::default();
    head(&mut document, time, CHECKPOINT_MESSAGE);
    let said = checkpoint.checkpoint();
    document.word("event.kind", "state");
    document.word("event.action", CHECKPOINT);
    document.text("event.original", checkpoint.as_str());
    document.text("labels.origin", said.origin().as_str());
    document.text("labels.root", &said.root().to_string());
    document.text("labels.size", &said.size().to_string());
    document.into_line().unwrap_or_default()
}

/// What every event has.
fn head(document: &mut Document<'_>, time: Timestamp, message: &str) {
    document.text("@timestamp", &time.to_string());
    document.word("ecs.version", VERSION);
    document.word("event.module", PRODUCT);
    document.word("event.dataset", "indelible.audit");
    document.text("message", message);
}

fn classify(document: &mut Document<'_>, essence: &Essence<'_>) {
    let (kind, categories, types) = match lookup(&essence.action) {
        Some(entry) => (entry.ecs.kind, entry.ecs.category, entry.ecs.types),
        None => ("event", categories(&essence.action), &["info"][..]),
    };
    document.word("event.kind", kind);
    if !categories.is_empty() {
        document.json("event.category", keywords(categories.iter()));
    }
    document.json("event.type", keywords(types.iter()));
    let outcome = essence.outcome.map_or("unknown", |outcome| outcome.ecs_outcome());
    document.word("event.outcome", outcome);
    if let Some(severity) = essence.severity {
        document.integer("event.severity", Severity::ocsf_severity_id(severity));
    }
}

/// The categories of an action that is not in the catalogue.
fn categories(action: &str) -> &'static [&'static str] {
    match Action::from(action).category() {
        "authentication" | "mfa" => &["authentication"],
        "session" => &["session"],
        "access" | "consent" | "credential" | "group" | "organization" | "provisioning" | "token"
        | "user_lifecycle" => &["iam"],
        "api" | "data" | "privacy" => &["api"],
        "application" | "audit_log" | "config" | "sso" => &["configuration"],
        "security" => &["intrusion_detection"],
        _ => &[],
    }
}

/// Puts who and what the event is about, each once.
fn related<'a>(document: &mut Document<'a>, source: &mut Source<'a>, hash: &str) {
    let mut users = Vec::new();
    for who in ["actor", "on_behalf_of"] {
        users.extend(source.at(who).into_iter().flat_map(names));
    }
    let targets = source.items("targets").iter_mut();
    let people = targets.filter_map(|target| is_of(target, is_person).then_some(target));
    users.extend(people.flat_map(names));
    users.sort_unstable();
    users.dedup();
    if !users.is_empty() {
        document.json("related.user", list(&users));
    }
    if let Some(ip) = source.look("context.ip", is_ip) {
        document.json("related.ip", list(&[ip]));
    }
    document.json("related.hash", keywords([hash].iter()));
}

/// The id, the name and the address of somebody.
fn names<'a>(person: &mut Source<'a>) -> impl Iterator<Item = &'a [u8]> + use<'a> {
    ["email", "id", "name"]
        .map(|name| person.look(name, is_text))
        .into_iter()
        .flatten()
}

/// `source.geo`. A country is a code where it looks like one, and a place needs both its coordinates.
fn location<'a>(document: &mut Document<'a>, source: &mut Source<'a>) {
    let is_code = |json: &[u8]| matches!(json, [b'"', b'A'..=b'Z', b'A'..=b'Z', b'"']);
    if !document.take(
        "source.geo.country_iso_code",
        source,
        "context.location.country",
        is_code,
    ) {
        document.take("source.geo.country_name", source, "context.location.country", is_text);
    }
    let (latitude, longitude) = ("context.location.latitude", "context.location.longitude");
    if source.look(latitude, is_latitude).is_some() && source.look(longitude, is_longitude).is_some() {
        document.take("source.geo.location.lat", source, latitude, is_latitude);
        document.take("source.geo.location.lon", source, longitude, is_longitude);
    }
}

/// The first person and the first group.
fn targets<'a>(document: &mut Document<'a>, source: &mut Source<'a>) {
    let targets = source.items("targets");
    if let Some(person) = first(targets, is_person) {
        document.take("user.target.id", person, "id", is_text);
        document.take("user.target.name", person, "name", is_text);
        document.take("user.target.email", person, "email", is_text);
    }
    if let Some(group) = first(targets, is_group) {
        document.take("group.id", group, "id", is_text);
        document.take("group.name", group, "name", is_text);
    }
}

fn first<'s, 'a>(targets: &'s mut [Source<'a>], is_kind: fn(&str) -> bool) -> Option<&'s mut Source<'a>> {
    let mut targets = targets.iter_mut();
    targets.find_map(|target| is_of(target, is_kind).then_some(target))
}

fn is_of(target: &mut Source<'_>, is_kind: fn(&str) -> bool) -> bool {
    target.text("type").is_some_and(|kind| is_kind(&kind))
}

/// Puts what has no field.
fn labels<'a>(document: &mut Document<'a>, source: &Source<'_>) {
    let Some(rest) = source.rest() else {
        return;
    };
    let mut labels = Vec::new();
    flatten(&mut labels, "", &rest, 0);
    labels.sort_by(|left, right| left.name.cmp(&right.name));
    let mut out = Vec::with_capacity(rest.len() + 64);
    let mut object = ObjectWriter::begin(&mut out);
    for same in labels.chunk_by(|left, right| left.name == right.name) {
        if let Some(first) = same.first() {
            // No two groups have the same name.
            let _ = object.key(&mut out, &first.name);
        }
        match same {
            [label] if !label.is_in_list => json::string(&mut out, &label.text),
            same => out.extend_from_slice(&keywords(same.iter().map(|label| &label.text))),
        }
    }
    let _ = object.end(&mut out);
    document.json("labels", out);
}

/// A label, or one of its values.
#[derive(Debug)]
struct Label<'a> {
    name: String,
    text: Cow<'a, str>,
    is_in_list: bool,
}

/// Collects the labels of a value whose name is `name`.
fn flatten<'a>(labels: &mut Vec<Label<'a>>, name: &str, value: &'a [u8], depth: usize) {
    let is_open = depth < 2 || depth == 2 && name.starts_with("context_");
    if value.starts_with(b"{\"") && is_open {
        for (key, value) in members(value) {
            let key = text(&[b"\"", key, b"\""].concat()).replace('.', "_");
            let name = match name {
                // A field needs a name.
                "" if key.trim().is_empty() => "_".to_owned(),
                "" => key,
                _ => format!("{name}_{key}"),
            };
            flatten(labels, &name, value, depth + 1);
        }
        return;
    }
    let mut put = |value: &'a [u8], is_in_list| {
        let text = match is_text(value) {
            true => text(value),
            false => String::from_utf8_lossy(value),
        };
        let name = name.to_owned();
        labels.push(Label { name, text, is_in_list });
    };
    match is_texts(value) {
        true => items(value).for_each(|item| put(item, true)),
        false => put(value, false),
    }
}

/// Texts as a list.
fn keywords(texts: impl Iterator<Item = impl AsRef<str>>) -> Vec<u8> {
    let texts: Vec<_> = texts.map(|text| string(text.as_ref())).collect();
    list(&texts)
}

/// JSON as a list.
fn list(items: &[impl AsRef<[u8]>]) -> Vec<u8> {
    let mut out = vec![b'['];
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        out.extend_from_slice(item.as_ref());
    }
    out.push(b']');
    out
}

fn is_latitude(json: &[u8]) -> bool {
    is_within(json, 90.0)
}

fn is_longitude(json: &[u8]) -> bool {
    is_within(json, 180.0)
}

/// Elasticsearch refuses a document with another number.
fn is_single_precision(json: &[u8]) -> bool {
    is_within(json, f32::MAX.into())
}

fn is_within(json: &[u8], bound: f64) -> bool {
    let number = str::from_utf8(json).ok().and_then(|number| number.parse::<f64>().ok());
    is_number(json) && number.is_some_and(|number| number.abs() <= bound)
}

/// The fields that go where they go whatever the event is.
const FIELDS: [(&str, &str, Kind); 23] = [
    ("event.action", "action", is_text),
    ("log.level", "severity", is_severity),
    ("event.reason", "reason", is_text),
    ("event.id", "id", is_text),
    ("organization.id", "tenant_id", is_text),
    ("event.provider", "source", is_text),
    ("user.id", "actor.id", is_text),
    ("user.name", "actor.name", is_text),
    ("user.email", "actor.email", is_text),
    ("user.effective.id", "on_behalf_of.id", is_text),
    ("user.effective.name", "on_behalf_of.name", is_text),
    ("user.effective.email", "on_behalf_of.email", is_text),
    ("source.ip", "context.ip", is_ip),
    ("source.geo.city_name", "context.location.city", is_text),
    ("source.geo.region_name", "context.location.region", is_text),
    ("user_agent.original", "context.user_agent", is_text),
    ("user_agent.os.full", "context.device.os", is_text),
    ("http.request.method", "context.http.method", is_text),
    ("http.request.id", "context.request_id", is_text),
    ("http.response.status_code", "context.http.status", is_integer),
    ("url.path", "context.http.path", is_text),
    ("trace.id", "context.trace_id", is_text),
    ("event.risk_score", "context.risk.score", is_single_precision),
];

//! What the tests of mappings share.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::as_conversions)]

mod cef;
mod ecs;
mod interface;
mod json_schema;
mod ocsf;
mod whole;

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::event::tests::{parts, strategy};
use crate::event::{Actor, Event, catalogue};
use crate::record::Record;

/// A record of the two parts of an event, in any spelling.
fn recorded(event: &str, personal: &str) -> Record {
    let prev = "0".repeat(64);
    let line = format!(
        r#"{{"event":{event},"personal":{personal},"prev":"{prev}","recorded_at":"2026-02-01T00:00:05.000123Z","seq":7}}"#
    );
    Record::from_json(line.as_bytes()).unwrap()
}

fn record_of(event: &Event) -> Record {
    let (event, personal) = parts(event);
    recorded(&event, &personal)
}

/// An event that has every field.
fn full(action: &str) -> Record {
    let parts: Value = serde_json::from_str(include_str!("../../tests/vectors/schemas/full-event.json")).unwrap();
    let event = parts["event"].to_string().replace("ACTION", action);
    recorded(&event, &parts["personal"].to_string())
}

/// An event that has nothing but what it must have.
fn bare(action: &str) -> Record {
    let event = Event::of_log(action.into()).actor(Actor::anonymous());
    record_of(&event)
}

/// All actions of the catalogue, and others: one for each category, and some of the hosts' own.
fn actions() -> impl Iterator<Item = String> {
    let listed = catalogue().map(|entry| entry.action.to_owned());
    let unlisted = catalogue().map(|entry| format!("{}.made_up", entry.action.split('.').next().unwrap()));
    let others = ["billing.invoice.paid", "a.b"].map(String::from);
    listed.chain(unlisted).chain(others)
}

/// 2,900 real events.
fn real() -> impl Iterator<Item = Record> {
    let lines = include_str!("../../tests/vectors/cloudtrail/cloudtrail.jsonl").lines();
    lines.map(|line| record_of(&Event::from_json(line.as_bytes()).unwrap()))
}

/// Records that another program may have written: any JSON, under the names that events have and others.
fn wild() -> impl Strategy<Value = Record> {
    let leaf = prop_oneof![
        4 => strategy::value(),
        1 => prop::sample::select(&["user", "group", "203.0.113.7", "::1", "high", "denied", "GET", "role", "NO"][..]).prop_map(Value::from),
        1 => (0..600_i64).prop_map(Value::from),
    ];
    let value = leaf.prop_recursive(3, 40, 8, |inner| {
        prop_oneof![
            3 => object(inner.clone()),
            1 => prop::collection::vec(object(inner.clone()), 0..4).prop_map(Value::from),
            1 => prop::collection::vec(inner, 0..3).prop_map(Value::from),
        ]
    });
    (object(value.clone()), object(value)).prop_map(|(event, mut personal)| {
        personal["salt"] = "a5".repeat(16).into();
        recorded(&event.to_string(), &personal.to_string())
    })
}

fn object(value: impl Strategy<Value = Value> + 'static) -> impl Strategy<Value = Value> {
    let name = prop_oneof![8 => prop::sample::select(&NAMES[..]).prop_map(String::from), 1 => any::<String>()];
    let members = prop::collection::btree_map(name, value, 0..12);
    members.prop_map(|members| Value::Object(members.into_iter().collect()))
}

const NAMES: [&str; 44] = [
    "action",
    "actor",
    "auth",
    "changes",
    "city",
    "client_id",
    "connection",
    "context",
    "correlation_id",
    "country",
    "device",
    "email",
    "factor",
    "forwarded_for",
    "http",
    "id",
    "ip",
    "latitude",
    "location",
    "longitude",
    "metadata",
    "method",
    "mfa",
    "name",
    "occurred_at",
    "on_behalf_of",
    "os",
    "outcome",
    "path",
    "reason",
    "reasons",
    "region",
    "request_id",
    "risk",
    "score",
    "session_id",
    "severity",
    "source",
    "status",
    "targets",
    "tenant_id",
    "trace_id",
    "type",
    "user_agent",
];

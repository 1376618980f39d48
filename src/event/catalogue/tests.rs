use std::fmt::Write as _;
use std::path::Path;

use serde_json::Value;

use super::*;
use crate::event::action::{self, Action};

/// The actions of the data file, in the order of their names.
fn data() -> Vec<Value> {
    let data: Value = serde_json::from_str(include_str!("../catalogue.json")).unwrap();
    let mut events = data["events"].as_array().unwrap().clone();
    events.sort_by(|left, right| left["action"].as_str().cmp(&right["action"].as_str()));
    events
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap()
}

fn list(value: &Value) -> Vec<&str> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item.as_str().unwrap())
        .collect()
}

/// `auth.login.failed` as the name of its constant.
fn constant(action: &str) -> String {
    action.replace('.', "_").to_uppercase()
}

fn capitalized(word: &str) -> String {
    word[..1].to_uppercase() + &word[1..]
}

fn table_source(events: &[Value]) -> String {
    let mut source = String::from(
        "//! The catalogue as a table, in the order of the actions' names. Generated from `catalogue.json`; do not edit.\n\n\
         use super::{Entry, entry};\n\
         use crate::event::levels::{Outcome::*, Severity::*};\n\n",
    );
    writeln!(
        source,
        "#[rustfmt::skip]\npub(super) static TABLE: [Entry; {}] = [",
        events.len()
    )
    .unwrap();
    for event in events {
        let (ocsf, ecs) = (&event["ocsf"], &event["ecs"]);
        let levels = (
            capitalized(text(event, "default_outcome")),
            capitalized(text(event, "severity")),
        );
        writeln!(
            source,
            "    entry({:?}, {:?}, ({}, {}), ({}, {:?}, {}, {:?}),\n        ({:?}, &{:?}, &{:?}), {:?}),",
            text(event, "action"),
            text(event, "category"),
            levels.0,
            levels.1,
            ocsf["class_uid"],
            text(ocsf, "class_name"),
            ocsf["activity_id"],
            text(ocsf, "activity_name"),
            text(ecs, "kind"),
            list(&ecs["category"]),
            list(&ecs["type"]),
            text(event, "description"),
        )
        .unwrap();
    }
    source + "];\n"
}

fn constants_source(events: &[Value]) -> String {
    let mut source = String::from(
        "//! The actions of the catalogue. Generated from `catalogue.json`; do not edit.\n\n\
         use super::Action;\n\n",
    );
    for (index, event) in events.iter().enumerate() {
        let action = text(event, "action");
        writeln!(source, "/// `{action}`: {}", text(event, "description")).unwrap();
        writeln!(
            source,
            "pub const {}: Action = Action::listed({index});",
            constant(action)
        )
        .unwrap();
    }
    source
}

#[test]
fn generated_code_is_that_of_the_data() {
    let events = data();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/event");
    for (file, source) in [
        ("catalogue/table.rs", table_source(&events)),
        ("action/constants.rs", constants_source(&events)),
    ] {
        let path = folder.join(file);
        if std::env::var_os("INDELIBLE_WRITE_CATALOGUE").is_some() {
            std::fs::write(&path, &source).unwrap();
        }
        let found = std::fs::read_to_string(&path).unwrap();
        assert!(
            found == source,
            "{file} is not what catalogue.json says: see src/event/catalogue.md"
        );
    }
}

#[test]
fn entries_are_those_of_the_data() {
    let events = data();
    assert_eq!(catalogue().len(), events.len());
    assert_eq!(catalogue().len(), 189);
    for (entry, event) in catalogue().zip(&events) {
        let (ocsf, ecs) = (&event["ocsf"], &event["ecs"]);
        let syslog = text(event, "syslog_severity")
            .rsplit_once('(')
            .unwrap()
            .1
            .trim_end_matches(')');
        assert_eq!(entry.action, text(event, "action"));
        assert_eq!(entry.description, text(event, "description"));
        assert_eq!(entry.category, text(event, "category"));
        assert_eq!(entry.outcome.as_str(), text(event, "default_outcome"));
        assert_eq!(entry.severity.as_str(), text(event, "severity"));
        assert_eq!(entry.syslog_severity, syslog.parse::<u8>().unwrap());
        assert_eq!(entry.ocsf.category_uid, ocsf["category_uid"]);
        assert_eq!(entry.ocsf.class_uid, ocsf["class_uid"]);
        assert_eq!(entry.ocsf.class_name, ocsf["class_name"]);
        assert_eq!(entry.ocsf.activity_id, ocsf["activity_id"]);
        assert_eq!(entry.ocsf.activity_name, ocsf["activity_name"]);
        assert_eq!(entry.ocsf.type_uid, ocsf["type_uid"]);
        assert_eq!(entry.ocsf.status_id, ocsf["status_id"]);
        assert_eq!(entry.ocsf.severity_id, ocsf["severity_id"]);
        assert_eq!(entry.ecs.kind, ecs["kind"]);
        assert_eq!(entry.ecs.category, list(&ecs["category"]));
        assert_eq!(entry.ecs.types, list(&ecs["type"]));
        assert_eq!(entry.ecs.outcome, ecs["outcome"]);
    }
}

#[test]
fn every_entry_is_found() {
    assert!(catalogue().is_sorted_by(|left, right| left.action < right.action));
    for entry in catalogue() {
        assert!(std::ptr::eq(lookup(entry.action).unwrap(), entry));
        assert!(std::ptr::eq(lookup_const(entry.action).unwrap(), entry));
        assert_eq!(category_of(entry.action), entry.category);
        assert_eq!(Action::from(entry.action).entry(), Some(entry));
    }
    for name in [
        "",
        "auth",
        "auth.login",
        "auth.login.failed.",
        "auth.login.failee",
        "zz",
        "a",
    ] {
        assert_eq!(lookup(name), None);
        assert_eq!(lookup_const(name), None);
    }
}

#[test]
fn categories_of_other_actions_follow_their_first_segment() {
    assert_eq!(category_of("password.pepper.rotated"), "credential");
    assert_eq!(category_of("session.paused"), "session");
    assert_eq!(category_of("billing.invoice.paid"), "billing");
    assert_eq!(category_of("billing"), "billing");
}

#[test]
fn constants_have_their_names() {
    assert_eq!(action::AUTH_LOGIN_FAILED.as_str(), "auth.login.failed");
    assert_eq!(
        action::AUDIT_LOG_PERSONAL_DATA_ERASED.as_str(),
        "audit_log.personal_data.erased"
    );
    assert_eq!(action::USER_UPDATED.as_str(), "user.updated");
    assert_eq!(action::ACCESS_DENIED.as_str(), "access.denied");
}

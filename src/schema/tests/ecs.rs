use std::sync::OnceLock;

use serde_json::json;

use super::super::ecs;
use super::*;
use crate::json::canonicalize;

/// The values and the fields of the schema.
fn values() -> &'static Value {
    static VALUES: OnceLock<Value> = OnceLock::new();
    let text = include_str!("../../../tests/vectors/ecs-9.4.0/values.json");
    VALUES.get_or_init(|| serde_json::from_str(text).unwrap())
}

/// The event that a record becomes, which conforms to the schema.
fn mapped(record: &Record) -> Value {
    conforming(&ecs::record(record, None).unwrap())
}

fn conforming(line: &str) -> Value {
    assert_eq!(canonicalize(line.as_bytes(), 40).unwrap(), line.as_bytes(), "canonical");
    let event: Value = serde_json::from_str(line).unwrap();
    check("", &event);
    let said = &event["event"];
    for name in ["kind", "category", "type", "outcome"] {
        let allowed = &values()[format!("event.{name}")];
        let all = said[name]
            .as_array()
            .cloned()
            .unwrap_or_else(|| vec![said[name].clone()]);
        for value in all.iter().filter_map(Value::as_str) {
            assert!(allowed.get(value).is_some(), "event.{name} {value}");
        }
    }
    let categories = said["category"].as_array().into_iter().flatten();
    let expected: Vec<_> = categories
        .flat_map(|category| {
            values()["event.category"][category.as_str().unwrap()]["expected_event_types"]
                .as_array()
                .unwrap()
        })
        .collect();
    for kind in said["type"].as_array().into_iter().flatten() {
        assert!(expected.is_empty() || expected.contains(&kind), "{kind} in {line}");
    }
    event
}

/// Checks that a field is of the schema, and holds what it may.
fn check(path: &str, value: &Value) {
    if path == "labels" {
        for (name, label) in value.as_object().unwrap() {
            let is_keyword = |value: &Value| value.is_string();
            assert!(!name.is_empty() && !name.contains('.'), "{name}");
            assert!(
                is_keyword(label) || label.as_array().unwrap().iter().all(is_keyword),
                "{name}: {label}"
            );
        }
        return;
    }
    let field = &values()["_fields"][path];
    if field["type"] != "geo_point"
        && let Value::Object(members) = value
    {
        for (name, value) in members {
            check([path, name].join(".").trim_start_matches('.'), value);
        }
        return;
    }
    let is_list = field["normalize"] == json!(["array"]);
    assert_eq!(is_list, value.is_array(), "{path}: {value}");
    for value in value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice) {
        let fits = match field["type"]
            .as_str()
            .unwrap_or_else(|| panic!("{path} is not of the schema"))
        {
            "keyword" | "wildcard" | "match_only_text" => value.is_string(),
            "date" => value.as_str().unwrap().parse::<Timestamp>().is_ok(),
            "long" => value.is_i64() || value.is_u64(),
            "float" => value.as_f64().is_some_and(|number| (number as f32).is_finite()),
            "ip" => value.as_str().unwrap().parse::<std::net::IpAddr>().is_ok(),
            "geo_point" => {
                value["lat"].as_f64().unwrap().abs() <= 90.0 && value["lon"].as_f64().unwrap().abs() <= 180.0
            }
            other => panic!("{path}: {other}"),
        };
        assert!(fits, "{path}: {value}");
    }
}

#[test]
fn every_action_conforms() {
    for action in actions() {
        for record in [bare(&action), full(&action)] {
            let event = mapped(&record);
            assert_eq!(event["event"]["action"], *action);
            assert_eq!(event["event"]["sequence"], 7);
            assert_eq!(event["event"]["hash"], record.hash().to_string());
            if let Some(entry) = lookup(&action) {
                assert_eq!(event["event"]["category"], json!(entry.ecs.category));
                assert_eq!(event["event"]["type"], json!(entry.ecs.types));
                assert_eq!(event["event"]["kind"], entry.ecs.kind);
            }
        }
    }
}

#[test]
fn real_events_conform() {
    let mapped: Vec<_> = real().map(|record| mapped(&record)).collect();
    assert_eq!(mapped.len(), 2900);
}

#[test]
fn each_thing_stands_in_its_place() {
    let record = full("group.member.added");
    let event = mapped(&record);
    assert_eq!(event["@timestamp"], "2026-02-01T00:00:04.156010Z");
    assert_eq!(event["event"]["created"], "2026-02-01T00:00:05.000123Z");
    assert_eq!(event["event"]["severity"], 4);
    assert_eq!(event["log"], json!({"level": "high"}));
    assert_eq!(event["service"], json!({"name": "auth-service", "version": "1.4.2"}));
    assert_eq!(event["user"]["id"], "usr_alice123");
    assert_eq!(
        event["user"]["effective"],
        json!({"email": "bob@example.com", "id": "usr_bob", "name": "Bob"})
    );
    assert_eq!(event["user"]["target"]["name"], "Carol");
    assert_eq!(event["group"], json!({"id": "grp_ops", "name": "Operations"}));
    assert_eq!(event["source"]["geo"]["location"], json!({"lat": 59.91, "lon": 10.75}));
    assert_eq!(event["source"]["geo"]["country_iso_code"], "NO");
    assert_eq!(event["related"]["user"].as_array().unwrap().len(), 9);
    assert_eq!(event["related"]["hash"], json!([record.hash().to_string()]));
    let labels = &event["labels"];
    assert_eq!(labels["outcome"], "denied");
    assert_eq!(labels["actor_type"], "admin");
    assert_eq!(labels["context_auth_mfa"], "true");
    assert_eq!(labels["context_forwarded_for"], json!(["203.0.113.7", "unknown"]));
    assert_eq!(labels["metadata_attempt"], "3");
    assert_eq!(labels["metadata_a_b"], json!(["1", "c=d"]));
    assert_eq!(labels["metadata_nested"], r#"{"list":[1.5,null,{"k":"v|w"}]}"#);
    assert_eq!(labels["personal_metadata"], json!(["note"]));
}

#[test]
fn actions_outside_the_catalogue_have_the_category_of_others() {
    let said = |action: &str| mapped(&bare(action))["event"].clone();
    assert_eq!(said("session.paused")["category"], json!(["session"]));
    assert_eq!(said("billing.invoice.paid")["category"], Value::Null);
    assert_eq!(said("billing.invoice.paid")["type"], json!(["info"]));
}

#[test]
fn checkpoints_conform() {
    let event = conforming(&ecs::checkpoint(&interface::checkpoint(), Timestamp::MIN));
    assert_eq!(
        (&event["event"]["kind"], &event["labels"]["size"]),
        (&json!("state"), &json!("42"))
    );
    assert_eq!(event["event"]["original"], interface::checkpoint().as_str());
}

proptest! {
    #[test]
    fn any_event_conforms(event in strategy::event()) {
        mapped(&record_of(&event));
    }

    #[test]
    fn whatever_stands_in_a_record_conforms(record in wild()) {
        mapped(&record);
    }
}

use serde_json::json;

use super::*;
use crate::json::merge::merge;

fn merged(event: &str, personal: &str) -> Result<String, JsonError> {
    let mut out = b"before".to_vec();
    let result = merge(&mut out, event.as_bytes(), personal.as_bytes());
    let out = String::from_utf8(out).unwrap();
    let out = out.strip_prefix("before").unwrap();
    assert!(result.is_ok() || out.is_empty());
    result.map(|()| out.to_owned())
}

/// The rule of EVENTS §1 over values.
fn reference(event: &Value, personal: &Value) -> Value {
    match (event, personal) {
        (Value::Object(event), Value::Object(personal)) => {
            let mut merged = personal.clone();
            for (key, value) in event {
                let value = personal
                    .get(key)
                    .map_or_else(|| value.clone(), |personal| reference(value, personal));
                merged.insert(key.clone(), value);
            }
            merged.into()
        }
        (Value::Array(event), Value::Array(personal)) if event.len() == personal.len() => event
            .iter()
            .zip(personal)
            .map(|(event, personal)| reference(event, personal))
            .collect(),
        _ => event.clone(),
    }
}

fn object(entries: Vec<(String, Value)>) -> Value {
    Value::Object(entries.into_iter().collect())
}

/// Two values of which one was the other, before some of its parts were left out or changed.
fn alike() -> impl Strategy<Value = (Value, Value)> {
    let objects = || prop::collection::vec((key(), value()), 0..6).prop_map(object);
    (objects(), objects(), any::<u64>()).prop_map(|(one, other, mut seed)| {
        let mut event = reference(&one, &other);
        let mut personal = event.clone();
        thin(&mut event, &mut seed);
        thin(&mut personal, &mut seed);
        (event, personal)
    })
}

fn thin(value: &mut Value, seed: &mut u64) {
    *seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
    let choice = *seed >> 60;
    match value {
        Value::Object(entries) => {
            let keys: Vec<_> = entries.keys().cloned().collect();
            for (index, key) in keys.iter().enumerate() {
                if choice >> (index % 4) & 1 == 1 {
                    entries.remove(key);
                }
            }
            entries.values_mut().for_each(|value| thin(value, seed));
        }
        Value::Array(items) if choice == 0 => drop(items.pop()),
        Value::Array(items) => items.iter_mut().for_each(|item| thin(item, seed)),
        leaf if choice < 4 => *leaf = json!({}),
        _ => {}
    }
}

#[test]
fn the_parts_of_an_event_come_together() {
    let event = concat!(
        r#"{"action":"user.updated","actor":{"id":"u1","type":"user"},"changes":[{"field":"email"},{"field":"x","new":1}],"#,
        r#""targets":[{"id":"a","type":"application"},{"id":"u2","type":"user"}]}"#
    );
    let personal = concat!(
        r#"{"actor":{"email":"a@example.com","name":"A"},"changes":[{"new":"b@example.com","old":null},{}],"#,
        r#""context":{"ip":"203.0.113.1"},"salt":"00","targets":[{},{"name":"B"}]}"#
    );
    let whole = concat!(
        r#"{"action":"user.updated","actor":{"email":"a@example.com","id":"u1","name":"A","type":"user"},"#,
        r#""changes":[{"field":"email","new":"b@example.com","old":null},{"field":"x","new":1}],"context":{"ip":"203.0.113.1"},"#,
        r#""targets":[{"id":"a","type":"application"},{"id":"u2","name":"B","type":"user"}]}"#
    );
    assert_eq!(merged(event, personal).unwrap(), whole);
    assert_eq!(merged(event, r#"{"salt":"00"}"#).unwrap(), event);
    assert_eq!(merged(event, "{}").unwrap(), event);
}

#[test]
fn what_the_event_holds_stands() {
    assert_eq!(
        merged(r#"{"a":1,"b":null}"#, r#"{"a":2,"b":{"c":3}}"#).unwrap(),
        r#"{"a":1,"b":null}"#
    );
    assert_eq!(merged(r#"{"a":[1,2]}"#, r#"{"a":[3]}"#).unwrap(), r#"{"a":[1,2]}"#);
    assert_eq!(merged(r#"{"a":[]}"#, r#"{"a":[]}"#).unwrap(), r#"{"a":[]}"#);
    assert_eq!(merged(r#"{"a":[1,{}]}"#, r#"{"a":{}}"#).unwrap(), r#"{"a":[1,{}]}"#);
    assert_eq!(merged(r#"{"salt":1}"#, r#"{"salt":2}"#).unwrap(), r#"{"salt":1}"#);
    assert_eq!(
        merged("{}", r#"{"a":{"salt":2},"salt":3}"#).unwrap(),
        r#"{"a":{"salt":2}}"#
    );
    assert_eq!(merged("{}", "{}").unwrap(), "{}");
}

#[test]
fn odd_input_is_no_panic() {
    assert_eq!(message(merged("{}", r#""00""#)), "expected an object");
    assert_eq!(message(merged("", "{}")), "expected an object");
    for odd in [
        "{",
        "{\"",
        "{\"a\"",
        "{\"a\":",
        "{\"a\":\"",
        "{\"a\":\"\\",
        "{]",
        "{}}",
        "{\"\\",
        "{\"a\":]",
        "{\"a\":[}",
        "{a:1}",
    ] {
        let _ = (
            merged(odd, "{}"),
            merged("{}", odd),
            merged(odd, odd),
            merged(r#"{"a":[1]}"#, odd),
        );
    }
    let deep = "{\"a\":".repeat(DEPTH_MAX) + "1" + &"}".repeat(DEPTH_MAX);
    assert_eq!(merged(&deep, &deep).unwrap(), deep);
    let deep = "{\"a\":".repeat(100_000) + "1" + &"}".repeat(100_000);
    assert_eq!(message(merged(&deep, &deep)), "objects and lists nest too deep");
}

proptest! {
    #[test]
    fn texts_are_merged_as_values_are((event, mut personal) in alike()) {
        let text = merged(&serialized(&event).unwrap(), &serialized(&personal).unwrap()).unwrap();
        personal.as_object_mut().unwrap().remove("salt");
        prop_assert_eq!(text, serialized(&reference(&event, &personal)).unwrap());
    }

    #[test]
    fn any_bytes_are_merged_without_panic(event in "\\{[\\[\\]{}\",:\\\\a1]{0,12}", personal in "\\{[\\[\\]{}\",:\\\\a1]{0,12}") {
        let _ = merged(&event, &personal);
    }
}

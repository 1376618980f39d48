use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::strategy::event;
use super::*;

/// The merging of EVENTS §1 by its words, where nothing stands in both parts.
fn reference_merge(kept: Value, personal: Value) -> Value {
    match (kept, personal) {
        (Value::Object(mut kept), Value::Object(personal)) => {
            for (key, value) in personal {
                let value = match kept.remove(&key) {
                    Some(there) => reference_merge(there, value),
                    None => value,
                };
                kept.insert(key, value);
            }
            Value::Object(kept)
        }
        (Value::Array(kept), Value::Array(personal)) => {
            assert_eq!(kept.len(), personal.len());
            kept.into_iter()
                .zip(personal)
                .map(|(kept, personal)| reference_merge(kept, personal))
                .collect()
        }
        (kept, personal) => panic!("a leaf in both parts: {kept} and {personal}"),
    }
}

fn object(text: &str) -> Map<String, Value> {
    match serde_json::from_str(text).unwrap() {
        Value::Object(object) => object,
        other => panic!("no object: {other}"),
    }
}

/// The paths of personal data in `event`, which must be none.
fn stray(kept: &Map<String, Value>) -> Vec<String> {
    let mut found = Vec::new();
    let people = [kept.get("actor"), kept.get("on_behalf_of")].into_iter().flatten();
    let targets = kept.get("targets").and_then(Value::as_array).into_iter().flatten();
    for person in people.chain(targets) {
        found.extend(
            ["name", "email"]
                .into_iter()
                .filter(|key| person.get(key).is_some())
                .map(String::from),
        );
    }
    for key in ["ip", "forwarded_for", "user_agent", "location", "device"] {
        found.extend(
            kept.get("context")
                .and_then(|context| context.get(key))
                .map(|_| key.to_owned()),
        );
    }
    found
}

#[test]
fn what_cat_prints_marks_what_is_personal() {
    let event = login()
        .metadata("a", 1)
        .personal_metadata("b", "x")
        .personal_metadata("c", json!({"d": []}))
        .change(Change::new("role", "member", "admin"))
        .change(Change::named("phone").personal())
        .change(Change::new("email", "a@example.com", "b@example.com").personal());
    let (kept, personal) = parts(&event);
    let text = printed(&kept, &personal);
    assert!(
        text.contains(r#""outcome":"failure","personal":{"changes":[2],"metadata":["b","c"]},"severity""#),
        "{text}"
    );
    // What holds nothing that only the host can know has no marks.
    let (kept, personal) = parts(&login().user_agent("agent").metadata("a", 1).change(Change::named("b")));
    assert!(!printed(&kept, &personal).contains("personal"));
}

proptest! {
    #[test]
    fn the_parts_hold_the_whole_and_nothing_twice(event in event()) {
        let (mut kept, mut personal) = (Vec::new(), Vec::new());
        event.write_merged(&fill(), &Redaction::default(), &mut kept);
        let whole = String::from_utf8(std::mem::take(&mut kept)).unwrap();
        event.write(&fill(), &Limits::default(), &Redaction::default(), &mut kept, &mut personal).unwrap();
        let (kept, personal) = (String::from_utf8(kept).unwrap(), String::from_utf8(personal).unwrap());
        let mut merged = Vec::new();
        crate::json::merge(&mut merged, kept.as_bytes(), personal.as_bytes()).unwrap();
        prop_assert_eq!(String::from_utf8(merged).unwrap(), &*whole);

        let (kept, mut personal) = (object(&kept), object(&personal));
        prop_assert_eq!(stray(&kept), Vec::<String>::new());
        prop_assert_eq!(personal.remove("salt"), Some(json!("a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5")));
        prop_assert_eq!(reference_merge(kept.into(), personal.into()), Value::from(object(&whole)));
    }

    #[test]
    fn what_is_marked_as_personal_is_only_there(event in event()) {
        let (kept, personal) = parts(&event);
        let (kept, personal) = (object(&kept), object(&personal));
        let fields = event.fields();
        for entry in fields.metadata.iter() {
            let there = |part: &Map<String, Value>| part.get("metadata").is_some_and(|data| data.get(&entry.key).is_some());
            prop_assert_eq!((there(&kept), there(&personal)), (!entry.personal, entry.personal));
        }
        for (index, change) in fields.changes.iter().enumerate() {
            let there = |part: &Map<String, Value>, key: &str| {
                part.get("changes").is_some_and(|changes| changes[index].get(key).is_some())
            };
            prop_assert!(there(&kept, "field") && !there(&personal, "field"));
            prop_assert_eq!(there(&kept, "old"), !change.personal && change.old.is_some());
            prop_assert_eq!(there(&personal, "new"), change.personal && change.new.is_some());
        }
    }

    #[test]
    fn what_cat_prints_is_read_back(event in event()) {
        let (kept, personal) = parts(&event);
        let text = printed(&kept, &personal);
        prop_assert_eq!(&canonicalize(text.as_bytes(), 31).unwrap(), text.as_bytes());
        let read = Event::from_json(text.as_bytes()).unwrap();
        prop_assert_eq!(parts(&read), (kept.clone(), personal));
        // So is what is left of an event once its personal data is erased.
        let read = Event::from_json(kept.as_bytes()).unwrap();
        prop_assert_eq!(parts(&read).0, kept);
    }

    #[test]
    fn what_to_json_prints_is_read_back(event in event()) {
        let text = event.to_json().unwrap();
        prop_assert_eq!(&canonicalize(text.as_bytes(), 31).unwrap(), text.as_bytes());
        prop_assert_eq!(Event::from_json(text.as_bytes()).unwrap(), event);
    }

    #[test]
    fn whatever_is_left_out_is_read(event in event(), keys in any::<u64>()) {
        // Dropping members of an event never makes reading panic, and what is read is valid.
        let mut object = object(&event.to_json().unwrap());
        let mut index = 0;
        object.retain(|_, _| {
            index += 1;
            keys >> index & 1 == 1
        });
        if let Ok(event) = Event::from_json(Value::from(object).to_string().as_bytes()) {
            prop_assert_eq!(event.check(), Ok(()));
        }
    }
}

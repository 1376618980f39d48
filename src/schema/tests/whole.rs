//! Nothing of an event is dropped: each leaf of the merged event is found in each output, as often as it is there.

use std::collections::BTreeMap;

use super::super::{cef, ecs, ocsf};
use super::*;

/// Texts, with how often each is there.
#[derive(Debug, Default)]
struct Leaves(BTreeMap<String, usize>);

impl Leaves {
    fn of(value: &Value) -> Self {
        let mut leaves = Self::default();
        // An event without any field has none.
        if *value != serde_json::json!({}) {
            leaves.add(value);
        }
        leaves
    }

    fn add(&mut self, value: &Value) {
        match value {
            Value::Object(members) if !members.is_empty() => members.values().for_each(|value| self.add(value)),
            Value::Array(items) if !items.is_empty() => items.iter().for_each(|value| self.add(value)),
            Value::String(text) => self.text(text),
            other => self.text(&other.to_string()),
        }
    }

    fn text(&mut self, text: &str) {
        *self.0.entry(text.to_owned()).or_default() += 1;
    }

    /// Adds what stands in a text, and the text.
    fn inside(&mut self, text: &str) {
        self.text(text);
        if let Ok(value) = serde_json::from_str(text) {
            self.add(&value);
        }
    }

    fn missing(&self, output: &Self) -> Vec<&String> {
        let is_missing = |(text, count): &(&String, &usize)| output.0.get(*text).is_none_or(|there| there < count);
        self.0.iter().filter(is_missing).map(|(text, _)| text).collect()
    }
}

fn assert_whole(record: &Record) {
    let json = |line: &str| serde_json::from_str::<Value>(line).unwrap();
    let event = Leaves::of(&json(&record.merged_json().unwrap()));

    let ocsf = ocsf::record(record, None).unwrap();
    let value = json(&ocsf);
    let mut leaves = Leaves::of(&value);
    for caption in ["status", "severity"] {
        leaves.text(&value[caption].as_str().unwrap_or_default().to_lowercase());
    }
    assert_eq!(event.missing(&leaves), Vec::<&String>::new(), "{ocsf}");

    let ecs = ecs::record(record, None).unwrap();
    let value = json(&ecs);
    let mut leaves = Leaves::of(&value);
    for label in value["labels"]
        .as_object()
        .into_iter()
        .flat_map(|labels| labels.values())
    {
        label.as_str().into_iter().for_each(|text| leaves.inside(text));
        label
            .as_array()
            .into_iter()
            .flatten()
            .for_each(|text| leaves.inside(text.as_str().unwrap()));
    }
    assert_eq!(event.missing(&leaves), Vec::<&String>::new(), "{ecs}");

    let cef = cef::record(record, None).unwrap();
    let (header, fields) = super::cef::split(&cef);
    let mut leaves = Leaves::default();
    fields.values().for_each(|value| leaves.inside(value));
    let named = [
        ("1", "informational"),
        ("3", "low"),
        ("5", "medium"),
        ("8", "high"),
        ("10", "critical"),
    ];
    named
        .iter()
        .filter(|(number, _)| *number == header[6])
        .for_each(|(_, name)| leaves.text(name));
    let start = Timestamp::from_unix_micros(fields["start"].parse::<i64>().unwrap() * 1000).unwrap();
    leaves.text(&start.to_string());
    assert_eq!(event.missing(&leaves), Vec::<&String>::new(), "{cef}");
}

#[test]
fn what_is_missing_is_noticed() {
    let (event, output) = (
        serde_json::json!({"a": ["x", "x"], "b": {}}),
        serde_json::json!(["x", 1]),
    );
    assert_eq!(Leaves::of(&event).missing(&Leaves::of(&output)), ["x", "{}"]);
}

#[test]
fn nothing_of_an_action_is_dropped() {
    for action in actions() {
        assert_whole(&bare(&action));
        assert_whole(&full(&action));
    }
}

#[test]
fn nothing_of_real_events_is_dropped() {
    real().for_each(|record| assert_whole(&record));
}

proptest! {
    #[test]
    fn nothing_of_any_event_is_dropped(event in strategy::event()) {
        assert_whole(&record_of(&event));
    }

    #[test]
    fn nothing_that_stands_in_a_record_is_dropped(record in wild()) {
        assert_whole(&record);
    }
}

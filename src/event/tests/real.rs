//! Events of others: real ones, and those of the reference logs.

use std::path::Path;

use serde_json::Value;

use super::*;

fn project(path: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

#[test]
fn cloudtrail_records_are_events() {
    let lines = std::fs::read_to_string(project("examples/data/cloudtrail.jsonl")).unwrap();
    let mut count = 0;
    for line in lines.lines() {
        let event = Event::from_json(line.as_bytes()).unwrap_or_else(|error| panic!("{error}: {line}"));
        let (kept, personal) = parts(&event);
        let read = Event::from_json(printed(&kept, &personal).as_bytes()).unwrap();
        assert_eq!(parts(&read), (kept.clone(), personal.clone()));
        assert_eq!(Event::from_json(event.to_json().unwrap().as_bytes()).unwrap(), event);
        count += 1;
    }
    assert!(count >= 290, "{count}");
}

#[test]
fn events_are_written_as_in_the_reference_logs() {
    let mut count = 0;
    for file in std::fs::read_dir(project("tests/vectors/format-1/sound/log/segments")).unwrap() {
        for line in std::fs::read_to_string(file.unwrap().path()).unwrap().lines() {
            let Some(rest) = line.strip_prefix(r#"{"event":"#) else {
                continue;
            };
            let (kept, rest) = rest.split_once(r#","personal":"#).unwrap();
            let (personal, _) = rest.split_once(r#","prev":"#).unwrap();
            assert_written_anew(kept, personal);
            count += 1;
        }
    }
    assert!(count >= 40, "{count}");
}

fn assert_written_anew(kept: &str, personal: &str) {
    let recorded: Value = serde_json::from_str(kept).unwrap();
    let salt: Value = serde_json::from_str(personal).unwrap();
    let mut fill = fill();
    hex::decode_to_slice(salt["salt"].as_str().unwrap(), &mut fill.salt).unwrap();
    let mut event = Event::from_json(printed(kept, personal).as_bytes()).unwrap();
    // Only the log itself writes some of them.
    event.0.own = recorded["action"].as_str().unwrap().starts_with("audit_log.");
    let written = parts_with(&event, &fill, &Redaction::default());
    assert_eq!(written, (kept.to_owned(), personal.to_owned()));
}

//! Splunk: events as its collector takes them, and the one that it refuses.

mod acknowledgement;

use std::time::{Duration, SystemTime};

use indelible::AuditLog;
use indelible::sink::{Feed, HttpOptions, Splunk};
use serde_json::{Value, json};

use super::peers::Intake;
use super::receiver::{Receiver, Reply, Request};
use super::*;

const TOKEN: &str = "00000000-0000-0000-0000-000000000001";

fn splunk(url: String) -> Splunk {
    Splunk::new(url, TOKEN).http(HttpOptions::new().timeout(Duration::from_secs(2)))
}

/// A log with ten records and a sink.
fn deliver(scene: &Scene, splunk: Splunk) -> AuditLog {
    let log = scene.open();
    append(&log, 8);
    log.add_sink(Feed::new("siem", splunk).without_checkpoints())
        .expect("added");
    log
}

/// The events of a request; none where it asks for acknowledgements.
pub(super) fn events(request: &Request) -> Vec<Value> {
    let text = request.text();
    match request.path.ends_with("/event") {
        true => serde_json::Deserializer::from_str(&text)
            .into_iter()
            .map(|event| event.expect("JSON"))
            .collect(),
        false => Vec::new(),
    }
}

fn seqs(events: &[Value]) -> Vec<u64> {
    events
        .iter()
        .map(|event| event["event"]["seq"].as_u64().expect("a seq"))
        .collect()
}

fn success() -> Reply {
    Reply::status(200).body(r#"{"text":"Success","code":0}"#)
}

#[test]
fn the_path_of_the_collector_is_there_once() {
    for path in [
        "",
        "/services/collector",
        "/services/collector/event/",
        "/hec",
        "/event",
    ] {
        let (scene, receiver) = (Scene::new(), Receiver::answering(|_| success()));
        let _log = deliver(&scene, splunk(receiver.url(path)));
        eventually("it is delivered", || !receiver.requests().is_empty());
        let above = if path.starts_with("/services") { "" } else { path };
        assert_eq!(
            receiver.requests()[0].path,
            format!("{above}/services/collector/event"),
            "{path}"
        );
    }
}

#[test]
fn an_event_has_its_metadata_and_no_other_key() {
    let (scene, receiver) = (Scene::new(), Receiver::answering(|_| success()));
    let log = scene.open();
    let happened = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    log.append(login(1).occurred_at(happened)).expect("recorded");
    let before = SystemTime::now() - Duration::from_micros(3_600_000_007);
    let receipt = log.append(login("é\"2").occurred_at(before)).expect("recorded");
    let sink = splunk(receiver.url("/"))
        .index("audit")
        .host("a \"host\"")
        .field("env", "test");
    log.add_sink(Feed::new("siem", sink)).expect("added");
    flush(&log);
    let requests = receiver.requests();
    assert_eq!(requests[0].path, "/services/collector/event");
    assert_eq!(
        requests[0].header("authorization"),
        Some(format!("Splunk {TOKEN}").as_str())
    );
    assert_eq!(requests[0].header("content-encoding"), Some("gzip"));
    let events: Vec<Value> = requests.iter().flat_map(events).collect();
    for event in &events {
        let keys: Vec<&String> = event.as_object().expect("an object").keys().collect();
        assert_eq!(
            keys,
            ["event", "fields", "host", "index", "source", "sourcetype", "time"]
        );
        assert_eq!(event["host"], "a \"host\"");
        assert_eq!(
            (&event["index"], &event["sourcetype"]),
            (&json!("audit"), &json!("indelible:audit"))
        );
    }
    // Splunk keeps no times of 2001.
    let old = &events[2];
    assert_eq!(
        old["fields"],
        json!({"env": "test", "original_time": "2001-09-09T01:46:40.000000Z"})
    );
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .expect("now")
        .as_secs_f64();
    assert!((old["time"].as_f64().expect("a time") - now).abs() < 60.0, "{old}");
    let event = &events[3];
    assert_eq!(event["fields"], json!({"env": "test"}));
    assert_eq!(event["event"]["hash"], receipt.hash.to_string());
    let micros = before
        .duration_since(SystemTime::UNIX_EPOCH)
        .expect("since")
        .as_micros();
    let time = format!("\"time\":{}.{:06},", micros / 1_000_000, micros % 1_000_000);
    assert!(requests.iter().any(|request| request.text().contains(&time)), "{time}");
    assert!(events[4]["event"]["checkpoint"].is_string());
}

#[test]
fn the_event_that_is_refused_is_set_aside_and_those_before_it_come_once() {
    let taken = Arc::new(Mutex::new(Vec::new()));
    let takes = Arc::clone(&taken);
    let receiver = Receiver::answering(move |request| {
        let seqs = seqs(&events(request));
        let refused = seqs.iter().position(|seq| [3, 7].contains(seq));
        let mut takes = takes.lock().expect("unpoisoned");
        takes.extend_from_slice(&seqs[..refused.unwrap_or(seqs.len())]);
        match refused {
            None => success(),
            Some(at) => Reply::status(400).body(format!(
                r#"{{"text":"Event field cannot be blank","code":13,"invalid-event-number":{at}}}"#
            )),
        }
    });
    let scene = Scene::new();
    let log = deliver(&scene, splunk(receiver.url("")));
    // The last is what the log says of the two.
    eventually("all", || {
        *taken.lock().expect("unpoisoned") == [0, 1, 2, 4, 5, 6, 8, 9, 10]
    });
    assert_eq!(state(&log).rejected, 2);
    let rejected = std::fs::read_to_string(scene.folder().join("sinks/siem.rejected.jsonl")).expect("set aside");
    assert_eq!(rejected.lines().count(), 2);
    assert!(rejected.contains("cannot be blank"), "{rejected}");
}

#[test]
fn an_index_that_is_missing_holds_and_sets_nothing_aside() {
    let receiver = Receiver::answering(|_| {
        Reply::status(400).body(r#"{"text":"Incorrect index","code":7,"invalid-event-number":1}"#)
    });
    let scene = Scene::new();
    let log = deliver(&scene, splunk(receiver.url("")).index("none"));
    eventually("it is held", || state(&log).is_held);
    assert_eq!((state(&log).rejected, state(&log).position), (0, 0));
    let problem = state(&log).last_error.expect("a problem");
    assert!(problem.what().contains("no such index"), "{problem}");
}

#[test]
fn an_answer_that_is_not_splunks_acknowledges_nothing() {
    for body in ["", "<html>welcome</html>", "{}", r#"{"code":9}"#] {
        let receiver = Receiver::answering(move |_| Reply::status(200).body(body));
        let scene = Scene::new();
        let log = deliver(&scene, splunk(receiver.url("")));
        eventually("it fails", || state(&log).last_error.is_some());
        assert_eq!(state(&log).position, 0, "{body}");
    }
}

#[test]
fn a_collector_takes_all_with_acknowledgements_and_without() {
    for acknowledged in [false, true] {
        let Some(intake) = Intake::start(if acknowledged { "splunk-ack" } else { "splunk" }) else {
            return;
        };
        let scene = Scene::new();
        let log = scene.open();
        append(&log, 500);
        let mut sink = splunk(intake.url()).index("audit").field("env", "test");
        if acknowledged {
            sink = sink.acknowledged(SOON);
        }
        log.add_sink(Feed::new("siem", sink)).expect("added");
        append(&log, 100);
        flush(&log);
        let mut seqs = Vec::new();
        for event in intake.taken() {
            let event = &event["event"];
            let Some(seq) = event["seq"].as_u64() else {
                assert!(event["checkpoint"].is_string(), "{event}");
                continue;
            };
            seqs.push(seq);
            let mut parsed = event.clone();
            let hash = parsed
                .as_object_mut()
                .expect("an object")
                .remove("hash")
                .expect("a hash");
            let record = indelible::Record::from_json(parsed.to_string().as_bytes()).expect("a record");
            assert_eq!(hash, record.hash().to_string());
        }
        assert_eq!(seqs, (0..602).collect::<Vec<_>>());
        // An index that it does not have.
        let scene = Scene::new();
        let mut sink = splunk(intake.url()).index("none");
        if acknowledged {
            sink = sink.acknowledged(SOON);
        }
        let log = deliver(&scene, sink);
        eventually("it is held", || state(&log).is_held);
    }
}

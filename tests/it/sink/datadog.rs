//! Datadog: logs as its intake takes them, and what it would cut.

use std::time::{Duration, SystemTime};

use indelible::sink::{Datadog, Feed};
use indelible::{Event, Severity};
use serde_json::{Value, json};

use super::peers::Intake;
use super::receiver::{Receiver, Reply, Request};
use super::*;

const KEY: &str = "test-key";

fn datadog(url: String) -> Datadog {
    Datadog::new("datadoghq.com", KEY).url(url)
}

fn logs(request: &Request) -> Vec<Value> {
    request.json().as_array().expect("a list").clone()
}

#[test]
fn a_log_is_the_record_to_the_byte_with_what_people_search_by() {
    let (scene, receiver) = (Scene::new(), Receiver::answering(|_| Reply::status(202).body("{}")));
    let log = scene.open();
    let long_ago = SystemTime::now() - Duration::from_secs(18 * 3600 + 5);
    let event = |severity: Severity| Event::severity(login("é\"1"), severity);
    log.append(event(Severity::High).occurred_at(long_ago))
        .expect("recorded");
    let lately = SystemTime::now() - Duration::from_secs(16 * 3600);
    let receipt = log.append(event(Severity::Low).occurred_at(lately)).expect("recorded");
    let sink = datadog(receiver.url("/api/v2/logs"))
        .service("auth \"service\"")
        .hostname("auth-1")
        .tag("env", "a,b")
        .tag("team", "auth");
    log.add_sink(Feed::new("siem", sink).without_checkpoints())
        .expect("added");
    flush(&log);
    let requests = receiver.requests();
    assert_eq!(requests[0].path, "/api/v2/logs");
    assert_eq!(requests[0].header("dd-api-key"), Some(KEY));
    assert_eq!(requests[0].header("content-encoding"), Some("gzip"));
    let logs: Vec<Value> = requests.iter().flat_map(logs).collect();
    let mut expected = json!({
        "ddsource": "indelible", "ddtags": "env:a_b,team:auth", "hostname": "auth-1", "service": "auth \"service\"",
        "status": "notice", "timestamp": indelible::Timestamp::from(lately).unix_micros() / 1000,
    });
    let record = log.reader().record(receipt.seq).expect("a record");
    let line = record.line().expect("a line");
    let message = logs[3]["message"].as_str().expect("a text");
    let hash = format!("\"hash\":\"{}\",", receipt.hash);
    assert_eq!(message.replace(&hash, ""), line);
    expected["message"] = json!(message);
    assert_eq!(logs[3], expected);
    // Datadog takes no log of 18 hours ago.
    let original = indelible::Timestamp::from(long_ago).to_string();
    assert_eq!(
        (&logs[2]["original_time"], &logs[2]["status"]),
        (&json!(original), &json!("error"))
    );
    let now = indelible::Timestamp::from(SystemTime::now()).unix_micros() / 1000;
    assert!(now - logs[2]["timestamp"].as_i64().expect("a time") < 60_000);
}

#[test]
fn a_request_keeps_within_5_mb() {
    let (scene, receiver) = (Scene::new(), Receiver::answering(|_| Reply::status(202).body("{}")));
    let log = scene.open();
    for user in 0..25 {
        // Each quote is four characters in the request.
        log.append(login(user).personal_metadata("filler", "\"".repeat(120_000)))
            .expect("recorded");
    }
    log.add_sink(Feed::new("siem", datadog(receiver.url("/"))).without_checkpoints())
        .expect("added");
    flush(&log);
    let bodies: Vec<usize> = receiver.requests().iter().map(|request| request.text().len()).collect();
    assert!(
        bodies.len() <= 4 && bodies.iter().all(|bytes| *bytes <= 5_000_000),
        "{bodies:?}"
    );
    assert!(bodies.iter().any(|bytes| *bytes > 4_000_000), "{bodies:?}");
    assert_eq!(receiver.requests().iter().flat_map(logs).count(), 27);
}

#[test]
fn an_intake_takes_what_the_official_client_would_send() {
    let Some(intake) = Intake::start("datadog") else {
        return;
    };
    let scene = Scene::new();
    let log = scene.open();
    append(&log, 2500);
    let url = format!("{}/api/v2/logs", intake.url());
    log.add_sink(Feed::new("siem", datadog(url.clone()).tag("env", "test")))
        .expect("added");
    flush(&log);
    let mut seqs = Vec::new();
    for item in intake.taken() {
        let mut message: Value = serde_json::from_str(item["message"].as_str().expect("a text")).expect("JSON");
        let parts = message.as_object_mut().expect("an object");
        if let Some(hash) = parts.remove("hash") {
            let record = indelible::Record::from_json(message.to_string().as_bytes()).expect("a record");
            assert_eq!(hash, record.hash().to_string());
            seqs.push(record.seq());
        }
    }
    assert_eq!(seqs, (0..2502).collect::<Vec<_>>());
    let scene = Scene::new();
    let log = scene.open();
    log.add_sink(Feed::new("siem", Datadog::new("datadoghq.com", "wrong").url(url)))
        .expect("added");
    eventually("it is held", || state(&log).is_held);
}

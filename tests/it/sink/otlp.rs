//! OTLP: records as a Collector decodes them, and what it rejects without saying which.

use std::time::{Duration, SystemTime};

use indelible::Timestamp;
use indelible::sink::{Feed, Otlp};
use serde_json::{Value, json};

use super::peers::Rotel;
use super::receiver::{Receiver, Reply, Request};
use super::*;

/// The `logRecords` of a request.
pub(super) fn records(request: &Request) -> Vec<Value> {
    let records = request.json()["resourceLogs"][0]["scopeLogs"][0]["logRecords"].clone();
    records.as_array().expect("records").clone()
}

fn seqs(request: &Request) -> Vec<u64> {
    let seq = |record: &Value| {
        record["attributes"][1]["value"]["intValue"]
            .as_str()
            .expect("a text")
            .parse()
    };
    records(request)
        .iter()
        .map(|record| seq(record).expect("a seq"))
        .collect()
}

#[test]
fn the_path_of_the_logs_is_there_once() {
    for path in ["", "/v1/logs", "/v1/logs/", "/otlp", "/otlp/v1/logs"] {
        let (scene, receiver) = (Scene::new(), Receiver::answering(|_| Reply::status(200).body("{}")));
        let log = scene.open();
        log.add_sink(Feed::new("siem", Otlp::new(receiver.url(path))))
            .expect("added");
        flush(&log);
        let above = if path.starts_with("/otlp") { "/otlp" } else { "" };
        assert_eq!(receiver.requests()[0].path, format!("{above}/v1/logs"), "{path}");
    }
}

#[test]
fn a_record_is_a_log_record_whose_body_is_its_text() {
    let (scene, receiver) = (Scene::new(), Receiver::answering(|_| Reply::status(200).body("{}")));
    let log = scene.open();
    let before_1970 = SystemTime::UNIX_EPOCH - Duration::from_secs(5);
    log.append(login(1).occurred_at(before_1970)).expect("recorded");
    let happened = SystemTime::UNIX_EPOCH + Duration::from_micros(1_795_255_200_123_456);
    let receipt = log.append(login("é\"2").occurred_at(happened)).expect("recorded");
    let sink = Otlp::new(receiver.url("/"))
        .header("x-tenant", "acme")
        .resource("service.name", "auth \"1\"");
    log.add_sink(Feed::new("siem", sink)).expect("added");
    flush(&log);
    let request = &receiver.requests()[0];
    assert_eq!(
        (request.path.as_str(), request.header("x-tenant")),
        ("/v1/logs", Some("acme"))
    );
    assert_eq!(request.header("content-encoding"), Some("gzip"));
    let resource = &request.json()["resourceLogs"][0]["resource"];
    let name = json!({"key": "service.name", "value": {"stringValue": "auth \"1\""}});
    assert_eq!(resource["attributes"], json!([name]));
    let records: Vec<Value> = receiver.requests().iter().flat_map(records).collect();
    assert_eq!(records[2].get("timeUnixNano"), None, "64 bits do not hold it");
    let record = log.reader().record(receipt.seq).expect("a record");
    let body = records[3]["body"]["stringValue"].as_str().expect("a text");
    assert_eq!(
        body.replace(&format!("\"hash\":\"{}\",", receipt.hash), ""),
        record.line().expect("a line")
    );
    let recorded_at = record.recorded_at().expect("a time").unix_micros() * 1000;
    let hash = receipt.hash.to_string();
    let expected = json!({
        "timeUnixNano": "1795255200123456000",
        "observedTimeUnixNano": recorded_at.to_string(),
        "severityNumber": 9,
        "severityText": "informational",
        "eventName": "auth.login.succeeded",
        "body": {"stringValue": body},
        "attributes": [
            {"key": "log.record.uid", "value": {"stringValue": format!("3-{}", &hash[..32])}},
            {"key": "audit.seq", "value": {"intValue": "3"}},
            {"key": "audit.hash", "value": {"stringValue": hash}},
        ],
    });
    assert_eq!(records[3], expected);
    let checkpoint = &records[4];
    assert_eq!(checkpoint["eventName"], "audit_log.checkpoint");
    assert_eq!(checkpoint["attributes"][0]["value"]["stringValue"], "checkpoint-4");
    assert!(Timestamp::from_unix_micros(recorded_at / 1000).is_some());
}

#[test]
fn records_that_are_rejected_without_saying_which_are_found() {
    for as_text in [true, false] {
        let bad = [2, 7];
        let receiver = Receiver::answering(move |request| {
            let rejected = seqs(request).iter().filter(|seq| bad.contains(seq)).count();
            let rejected = if as_text {
                json!(rejected.to_string())
            } else {
                json!(rejected)
            };
            let answer = json!({"partialSuccess": {"rejectedLogRecords": rejected, "errorMessage": "not these"}});
            Reply::status(200).body(answer.to_string())
        });
        let scene = Scene::new();
        let log = scene.open();
        append(&log, 8);
        let sink = Otlp::new(receiver.url(""));
        log.add_sink(Feed::new("siem", sink).without_checkpoints())
            .expect("added");
        flush(&log);
        let alone: BTreeSet<u64> = receiver
            .requests()
            .iter()
            .map(seqs)
            .filter(|seqs| !seqs.iter().any(|seq| bad.contains(seq)))
            .flatten()
            // Behind them the log tells of those that are set aside.
            .filter(|seq| *seq < 10)
            .collect();
        assert_eq!(alone, (0..10).filter(|seq| !bad.contains(seq)).collect());
        assert_eq!(state(&log).rejected, 2);
        let rejected = std::fs::read_to_string(scene.folder().join("sinks/siem.rejected.jsonl")).expect("set aside");
        assert!(
            rejected.contains("not these") && rejected.lines().count() == 2,
            "{rejected}"
        );
    }
}

#[test]
fn what_otlp_does_not_let_be_tried_again_holds_and_is_kept() {
    for (status, is_held) in [(500, true), (408, true), (501, true), (503, false), (504, false)] {
        let receiver = Receiver::answering(move |_| Reply::status(status));
        let scene = Scene::new();
        let log = scene.open();
        log.add_sink(Feed::new("siem", Otlp::new(receiver.url(""))))
            .expect("added");
        eventually("it fails", || state(&log).last_error.is_some());
        assert_eq!((state(&log).is_held, state(&log).position), (is_held, 0), "{status}");
    }
}

#[test]
fn an_answer_that_cannot_be_read_acknowledges_nothing_and_none_at_all_does() {
    for (body, is_taken) in [
        ("", true),
        ("{}", true),
        (r#"{"partialSuccess":null}"#, true),
        (r#"{"partialSuccess":{"errorMessage":"be careful"}}"#, true),
        (r#"{"partialSuccess":{"rejectedLogRecords":"#, false),
        ("<html>", false),
        ("{}<html>", false),
    ] {
        let receiver = Receiver::answering(move |_| Reply::status(200).body(body));
        let scene = Scene::new();
        let log = scene.open();
        log.add_sink(Feed::new("siem", Otlp::new(receiver.url(""))))
            .expect("added");
        match is_taken {
            true => flush(&log),
            false => {
                eventually("it fails", || state(&log).last_error.is_some());
                assert_eq!(state(&log).position, 0, "{body}");
            }
        }
    }
}

#[test]
fn a_collector_decodes_what_was_sent() {
    let Some(rotel) = Rotel::start() else {
        return;
    };
    let scene = Scene::new();
    let log = scene.open();
    append(&log, 300);
    let sink = Otlp::new(rotel.url()).resource("service.name", "auth-service");
    log.add_sink(Feed::new("siem", sink)).expect("added");
    flush(&log);
    let checkpoint = log.checkpoint().expect("a checkpoint").checkpoint().size();
    eventually("it has printed all", || {
        rotel.printed().contains(&format!("checkpoint-{checkpoint}"))
    });
    let printed = rotel.printed();
    assert!(printed.contains("service.name: Str(auth-service)"));
    assert!(printed.contains("EventName: auth.login.succeeded") && printed.contains("INFO(9)"));
    for seq in 0..302 {
        let record = log.reader().record(seq).expect("a record");
        assert!(printed.contains(&format!("audit.seq: Int({seq})")), "{seq}");
        assert!(
            printed.contains(&format!("audit.hash: Str({})", record.hash())),
            "{seq}"
        );
        let hash = format!("\"hash\":\"{}\",", record.hash());
        let line = record.line().expect("a line");
        assert!(
            printed.replace(&hash, "").contains(&format!("Body: Str({line})")) || seq > 5,
            "{line}"
        );
    }
}

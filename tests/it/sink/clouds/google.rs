//! Google Cloud Logging.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use indelible::sink::{GoogleCredentials, GoogleLogging, HttpOptions, Secret, Token};
use serde_json::json;

use super::peer::Peer;
use super::*;
use crate::clock::Hand;
use crate::sink::receiver::{Receiver, Request};

fn of_token(token: &'static str) -> GoogleCredentials {
    GoogleCredentials::from_fn(move || Ok(Token::new(token)))
}

pub(crate) fn sink(url: &str, credentials: GoogleCredentials) -> GoogleLogging {
    GoogleLogging::new("my-project", "auth/audit")
        .credentials(credentials)
        .endpoint(url)
        .http(HttpOptions::new().timeout(Duration::from_secs(30)))
}

/// The key that the service knows.
fn key(peer: &Peer) -> String {
    String::from_utf8(STANDARD.decode(&peer.said[0]).expect("base64")).expect("UTF-8")
}

fn good() -> Reply {
    Reply::status(200).body("{}")
}

/// The records of a request.
pub(crate) fn records(request: &Request) -> Vec<Value> {
    let body: Value = serde_json::from_str(&request.text()).expect("JSON");
    let entries = body["entries"].as_array().expect("entries").iter();
    entries.map(|entry| entry["jsonPayload"].clone()).collect()
}

fn arrived(receiver: &Receiver) -> Vec<u64> {
    first_arrivals(receiver.requests().iter().flat_map(records))
}

#[test]
fn the_service_takes_every_record_with_a_token_that_the_key_signed() {
    let Some(peer) = Peer::start("google_logging.py", &[]) else {
        return;
    };
    let scene = Scene::new();
    let log = scene.open();
    append(&log, 1_200);
    log.append(login("Zoë \"the\" \\ back\u{1}slash").metadata("ratio", 0.1))
        .expect("recorded");
    let credentials = GoogleCredentials::service_account(key(&peer));
    let sink = sink(&peer.url(), credentials).resource("generic_node", [("location", "eu")]);
    log.add_sink(Feed::new("siem", sink)).expect("added");
    flush(&log);
    assert_eq!(state(&log).rejected, 0);
    let size = log.checkpoint().expect("a checkpoint").checkpoint().size();
    let taken = peer.taken();
    let (records, others): (Vec<_>, Vec<_>) = taken.iter().partition(|entry| entry["jsonPayload"]["seq"].is_number());
    let seqs = first_arrivals(records.iter().map(|entry| entry["jsonPayload"].clone()));
    assert_eq!(seqs, (0..size).collect::<Vec<_>>());
    assert!(
        !others.is_empty()
            && others
                .iter()
                .all(|entry| entry["jsonPayload"]["checkpoint"].is_string())
    );
    for entry in records {
        let record = &entry["jsonPayload"];
        let id = format!(
            "{}-{}",
            record["seq"].as_f64().expect("a seq"),
            &record["hash"].as_str().expect("a hash")[..32]
        );
        assert_eq!(entry["insertId"], id);
        assert_eq!(entry["logName"], "projects/my-project/logs/auth%2Faudit");
        assert_eq!(entry["resource"], "generic_node");
        let severity = match record["event"]["severity"].as_str().expect("a severity") {
            "informational" => "INFO",
            "low" => "NOTICE",
            "medium" => "WARNING",
            "high" => "ERROR",
            _ => "CRITICAL",
        };
        assert_eq!(entry["severity"], severity);
        // The same, but for zeros at its end.
        let (sent, kept) = (
            record["recorded_at"].as_str().expect("a time"),
            entry["timestamp"].as_str().expect("a time"),
        );
        assert_eq!(sent.parse::<indelible::Timestamp>().ok(), kept.parse().ok());
    }
}

#[test]
fn what_is_refused_by_index_is_set_aside_and_the_rest_is_there() {
    let Some(peer) = Peer::start("google_logging.py", &[]) else {
        return;
    };
    let scene = Scene::new();
    let log = scene.open();
    let mut poisons = Vec::new();
    for user in 0..100 {
        log.append(login(user)).expect("recorded");
        if user % 30 == 7 {
            poisons.push(log.append(login("poison")).expect("recorded").seq);
        }
    }
    let credentials = GoogleCredentials::service_account(key(&peer));
    log.add_sink(Feed::new("siem", sink(&peer.url(), credentials)).without_checkpoints())
        .expect("added");
    flush(&log);
    assert_eq!(state(&log).rejected, poisons.len() as u64);
    let file = std::fs::read_to_string(scene.folder().join("sinks/siem.rejected.jsonl")).expect("a file");
    for poison in &poisons {
        assert!(file.contains(&format!("\"seq\":{poison}")), "{file}");
    }
    let taken = peer.taken();
    let seqs = first_arrivals(taken.iter().map(|entry| entry["jsonPayload"].clone()));
    // What is set aside is a record of its own, and may have come by now.
    let last = seqs.last().copied().expect("records");
    assert!(last >= 101 + poisons.len() as u64);
    let expected: Vec<_> = (0..=last).filter(|seq| !poisons.contains(seq)).collect();
    assert_eq!(seqs, expected);
    assert_eq!(taken.len(), expected.len(), "nothing twice");
}

#[test]
fn times_that_the_service_would_drop_or_refuse_are_those_of_now() {
    let Some(peer) = Peer::start("google_logging.py", &[]) else {
        return;
    };
    for back in [Duration::ZERO, Duration::from_secs(1_790_000_000)] {
        let (scene, clock) = (Scene::new(), Hand::new());
        clock.back(back);
        let log = scene.builder().clock(clock).open(scene.store()).expect("opens");
        let credentials = GoogleCredentials::service_account(key(&peer));
        log.add_sink(Feed::new("siem", sink(&peer.url(), credentials)).without_checkpoints())
            .expect("added");
        flush(&log);
        assert_eq!(state(&log).rejected, 0);
    }
    let now = time::OffsetDateTime::now_utc().year().to_string();
    let taken = peer.taken();
    assert!(taken.len() >= 4);
    assert!(
        taken
            .iter()
            .all(|entry| entry["timestamp"].as_str().is_some_and(|time| time.starts_with(&now)))
    );
}

fn partial(code: u64, indices: &[usize]) -> Reply {
    let errors: serde_json::Map<_, _> = indices
        .iter()
        .map(|at| (at.to_string(), json!({"code": code, "message": "no"})))
        .collect();
    let detail = json!({
        "@type": "type.googleapis.com/google.logging.v2.WriteLogEntriesPartialErrors",
        "logEntryErrors": errors,
    });
    let error = json!({"code": 503, "status": "UNAVAILABLE", "message": "some failed", "details": [detail]});
    Reply::status(503).body(json!({"error": error}).to_string())
}

#[test]
fn entries_that_fail_for_a_while_are_written_again_and_no_others() {
    let scene = Scene::new();
    let log = scene.open();
    append(&log, 5);
    // Whatever a place beyond the batch means.
    let mut replies = in_turn([partial(14, &[1, 3, 999]), partial(6, &[0])], good());
    let receiver = Receiver::answering(move |_| replies());
    log.add_sink(Feed::new("siem", sink(&receiver.url(""), of_token("t"))).without_checkpoints())
        .expect("added");
    flush(&log);
    let requests = receiver.requests();
    let seqs = |at: usize| -> Vec<_> {
        records(&requests[at])
            .iter()
            .map(|record| record["seq"].clone())
            .collect()
    };
    assert_eq!(seqs(1)[..2], [json!(1), json!(3)]);
    assert_eq!(state(&log).rejected, 0);
    assert_eq!(requests.len(), 2);
}

#[test]
fn an_error_that_names_no_entry_of_the_batch_takes_nothing() {
    let scene = Scene::new();
    let log = scene.open();
    append(&log, 5);
    // The first two are of no entry, the third says nothing of one.
    let mut replies = in_turn([partial(6, &[999]), partial(3, &[7]), partial(0, &[2])], good());
    let receiver = Receiver::answering(move |_| replies());
    log.add_sink(Feed::new("siem", sink(&receiver.url(""), of_token("t"))).without_checkpoints())
        .expect("added");
    flush(&log);
    let batches: Vec<_> = receiver
        .requests()
        .iter()
        .map(|request| records(request).len())
        .collect();
    assert!(
        batches[..3].iter().all(|count| *count >= 7) && batches[3] < 7,
        "{batches:?}"
    );
    assert_eq!(records(&receiver.requests()[3])[0]["seq"], 2);
    assert_eq!(state(&log).rejected, 0);
}

#[test]
fn what_is_misconfigured_holds() {
    let named = |status: u16, name: &str| {
        Reply::status(status).body(json!({"error": {"code": status, "status": name, "message": "no"}}).to_string())
    };
    for reply in [
        named(403, "PERMISSION_DENIED"),
        named(404, "NOT_FOUND"),
        named(400, "FAILED_PRECONDITION"),
        partial(7, &[0, 1, 2, 3, 4]),
    ] {
        let receiver = Receiver::answering(move |_| reply.clone());
        let scene = Scene::new();
        let log = open_for(&scene, sink(&receiver.url(""), of_token("t")));
        assert_held(&log, "HTTP ");
        assert_eq!(state(&log).rejected, 0);
    }
    for (project, name) in [("my project", "audit"), ("my-project", "a b"), ("my-project", "")] {
        let scene = Scene::new();
        let sink = GoogleLogging::new(project, name).credentials(of_token("t"));
        let builder = scene.builder().sink(Feed::new("siem", sink));
        let refused = builder.open(scene.store()).expect_err("refused").to_string();
        assert!(refused.contains("letters, digits"), "{refused}");
    }
    let scene = Scene::new();
    let key = Secret::from("{\"type\":\"authorized_user\",\"refresh_token\":\"never-to-be-printed\"}");
    let log = open_for(
        &scene,
        sink("http://127.0.0.1:9", GoogleCredentials::service_account(key)),
    );
    assert_held(&log, "no key of a service account");
    assert!(!format!("{:?} {log:?}", log.state()).contains("never-to-be-printed"));
}

#[test]
fn a_machine_gets_a_token_and_a_new_one_when_it_is_refused() {
    let mut count = 0;
    let metadata = Receiver::answering(move |request| match request.header("metadata-flavor") {
        Some("Google") => {
            count += 1;
            let token = json!({"access_token": format!("T{count}"), "expires_in": 3599, "token_type": "Bearer"});
            Reply::status(200).body(token.to_string())
        }
        _ => Reply::status(403),
    });
    let receiver = Receiver::answering(|request| match request.header("authorization") {
        Some("Bearer T2") => good(),
        _ => Reply::status(401),
    });
    let place = [("GCE_METADATA_HOST", format!("127.0.0.1:{}", metadata.port()))];
    let scene = Scene::new();
    let log = open_for(
        &scene,
        sink(&receiver.url(""), GoogleCredentials::find().variables(variables(place))),
    );
    append(&log, 3);
    flush(&log);
    assert_eq!(metadata.requests().len(), 2);
    assert_eq!(
        metadata.requests()[0].path,
        "/computeMetadata/v1/instance/service-accounts/default/token"
    );
    assert_eq!(arrived(&receiver), [0, 1, 2, 3, 4]);
}

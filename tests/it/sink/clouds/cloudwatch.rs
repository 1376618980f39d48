//! AWS CloudWatch Logs.

use std::time::{Duration, SystemTime};

use indelible::Clock;
use indelible::sink::{AwsCredentials, AwsKeys, CloudWatch, HttpOptions};
use serde_json::json;

use super::peer::Peer;
use super::*;
use crate::sink::receiver::{Receiver, Request};

const SECRET: &str = "not-to-be-printed";

fn keys() -> AwsKeys {
    AwsKeys::new("AKIDEXAMPLE", SECRET)
}

pub(super) fn sink(url: String) -> CloudWatch {
    CloudWatch::new("us-east-1", "audit", "auth-service")
        .credentials(keys())
        .endpoint(url)
        .http(HttpOptions::new().timeout(Duration::from_secs(30)))
}

pub(super) fn good() -> Reply {
    Reply::status(200).body("{}")
}

fn refused(name: &str) -> Reply {
    Reply::status(400).body(json!({"__type": format!("com.amazonaws.logs#{name}"), "message": "no"}).to_string())
}

fn operation(request: &Request) -> &str {
    request
        .header("x-amz-target")
        .unwrap_or_default()
        .rsplit('.')
        .next()
        .unwrap_or_default()
}

/// The events of a request.
fn events(request: &Request) -> Vec<(u64, Value)> {
    let json = request.json();
    let events = json["logEvents"].as_array().expect("events").iter();
    let event = |event: &Value| {
        let record = serde_json::from_str(event["message"].as_str().expect("a message")).expect("JSON");
        (event["timestamp"].as_u64().expect("a time"), record)
    };
    events.map(event).collect()
}

fn arrived(receiver: &Receiver) -> Vec<u64> {
    let requests = receiver.requests();
    let puts = requests.iter().filter(|request| operation(request) == "PutLogEvents");
    first_arrivals(puts.flat_map(events).map(|(_, record)| record))
}

fn now_millis() -> u64 {
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .expect("after 1970");
    now.as_millis() as u64
}

/// A clock that is some time behind, or ahead.
#[derive(Debug)]
struct Off {
    back: Duration,
    ahead: Duration,
}

impl Clock for Off {
    fn now(&self) -> SystemTime {
        SystemTime::now() - self.back + self.ahead
    }
}

fn at(back: Duration, ahead: Duration) -> Off {
    Off { back, ahead }
}

const DAY: Duration = Duration::from_secs(24 * 3600);

#[test]
fn the_service_takes_every_record_byte_for_byte_and_its_group_is_made() {
    let Some(peer) = Peer::start("cloudwatch.py", &[]) else {
        return;
    };
    let scene = Scene::new();
    scene.open().close(SOON).expect("closes");
    let log = scene.open();
    append(&log, 300);
    let receipt = log.append(login("Zoë \"the\" \\ back\u{1}slash")).expect("recorded");
    let sink = sink(peer.url())
        .credentials(AwsKeys::new(&peer.said[0], &peer.said[1]))
        .create_missing();
    log.add_sink(Feed::new("siem", sink)).expect("added");
    flush(&log);
    let taken = peer.taken();
    let records = taken
        .iter()
        .filter(|event| event["message"].as_str().is_some_and(|text| text.contains("\"seq\"")));
    let texts: Vec<_> = records
        .map(|event| event["message"].as_str().expect("a text").to_owned())
        .collect();
    assert_eq!(texts.len() as u64, receipt.seq + 1);
    for (seq, text) in texts.iter().enumerate() {
        let record: Value = serde_json::from_str(text).expect("JSON");
        assert_eq!(record["seq"], seq);
        assert_eq!(serde_json_canonicalizer::to_string(&record).expect("canonical"), *text);
    }
    assert!(texts[receipt.seq as usize].contains(&receipt.hash.to_string()));
    assert!(taken.iter().any(|event| {
        event["message"]
            .as_str()
            .is_some_and(|text| text.contains("\"checkpoint\""))
    }));
    assert_eq!(
        (&taken[0]["group"], &taken[0]["stream"]),
        (&json!("audit"), &json!("auth-service"))
    );
}

#[test]
fn the_service_refuses_a_wrong_secret_and_a_group_that_is_missing() {
    let Some(peer) = Peer::start("cloudwatch.py", &[]) else {
        return;
    };
    let scene = Scene::new();
    let log = open_for(
        &scene,
        sink(peer.url()).credentials(AwsKeys::new(&peer.said[0], SECRET)),
    );
    assert_held(&log, "SignatureDoesNotMatch");
    assert!(!format!("{:?} {log:?}", log.state()).contains(SECRET));
    log.close(SOON).expect("closes");
    let scene = Scene::new();
    let log = open_for(
        &scene,
        sink(peer.url()).credentials(AwsKeys::new(&peer.said[0], &peer.said[1])),
    );
    assert_held(&log, "ResourceNotFoundException");
    assert!(peer.taken().is_empty());
}

#[test]
fn what_is_older_than_the_service_takes_is_put_with_the_time_of_now() {
    for (back, ahead, retention) in [
        (20 * DAY, Duration::ZERO, "3650"),
        (8 * DAY, Duration::ZERO, "7"),
        (Duration::ZERO, DAY, "3650"),
    ] {
        let Some(peer) = Peer::start("cloudwatch.py", &[("RETENTION_DAYS", retention)]) else {
            return;
        };
        let scene = Scene::new();
        let log = scene
            .builder()
            .clock(at(back, ahead))
            .open(scene.store())
            .expect("opens");
        append(&log, 20);
        let sink = sink(peer.url())
            .credentials(AwsKeys::new(&peer.said[0], &peer.said[1]))
            .create_missing();
        let began = now_millis();
        log.add_sink(Feed::new("siem", sink).without_checkpoints())
            .expect("added");
        flush(&log);
        append(&log, 5);
        flush(&log);
        let taken = peer.taken();
        let records = taken
            .iter()
            .map(|event| serde_json::from_str(event["message"].as_str().expect("a text")));
        let seqs = first_arrivals(records.map(|record| record.expect("JSON")));
        assert_eq!(seqs, (0..taken.len() as u64).collect::<Vec<_>>());
        assert!(taken.len() >= 27);
        assert!(taken.iter().all(|event| event["timestamp"].as_u64() >= Some(began)));
        assert_eq!(state(&log).rejected, 0);
    }
}

#[test]
fn what_is_dropped_inside_a_200_is_put_again_and_nothing_else() {
    let scene = Scene::new();
    let log = scene.open();
    append(&log, 6);
    let size = log.checkpoint().expect("a checkpoint").checkpoint().size() as usize;
    let info = json!({"tooOldLogEventEndIndex": 1, "expiredLogEventEndIndex": 2, "tooNewLogEventStartIndex": size - 1});
    let dropped = Reply::status(200).body(json!({"rejectedLogEventsInfo": info}).to_string());
    // The second request fails once: only then is what was taken by the first not put again.
    let mut replies = in_turn([dropped.clone(), refused("ThrottlingException"), dropped], good());
    let receiver = Receiver::answering(move |_| replies());
    log.add_sink(Feed::new("siem", sink(receiver.url(""))).without_checkpoints())
        .expect("added");
    flush(&log);
    let requests = receiver.requests();
    let seqs = |at: usize| -> Vec<u64> {
        let events = events(&requests[at]);
        events
            .iter()
            .map(|(_, record)| record["seq"].as_u64().expect("a seq"))
            .collect()
    };
    let last = size as u64 - 1;
    assert_eq!(seqs(0), (0..size as u64).collect::<Vec<_>>());
    assert_eq!(seqs(1), [0, 1, last]);
    assert_eq!(seqs(2)[..3], [0, 1, last]);
    assert_eq!(state(&log).rejected, 0);
}

#[test]
fn what_has_no_time_that_is_taken_is_set_aside() {
    let receiver = Receiver::answering(|request| {
        let info = json!({"tooOldLogEventEndIndex": events(request).len()});
        Reply::status(200).body(json!({"rejectedLogEventsInfo": info}).to_string())
    });
    let scene = Scene::new();
    let log = open_for(&scene, sink(receiver.url("")));
    eventually("it is set aside", || state(&log).rejected > 0);
    let file = std::fs::read_to_string(scene.folder().join("sinks/siem.rejected.jsonl")).expect("a file");
    assert!(file.contains("drops it for its time"), "{file}");
}

#[test]
fn refusals_by_name_lose_nothing() {
    let mut replies = in_turn(
        [
            refused("ThrottlingException").with("x-amz-retry-after", 300),
            refused("ServiceUnavailableException"),
            refused("RequestExpired"),
            refused("InternalFailure"),
            // A proxy's, or a portal's.
            Reply::status(200).body("<html>"),
        ],
        good(),
    );
    let receiver = Receiver::answering(move |_| replies());
    let scene = Scene::new();
    let began = std::time::Instant::now();
    let log = open_for(&scene, sink(receiver.url("")));
    append(&log, 3);
    flush(&log);
    assert!(began.elapsed() >= Duration::from_millis(300), "{:?}", began.elapsed());
    assert_eq!(arrived(&receiver), [0, 1, 2, 3, 4]);
    assert_eq!(state(&log).rejected, 0);
}

#[test]
fn a_record_that_the_service_does_not_take_is_found() {
    let receiver = Receiver::answering(|request| match request.text().contains("usr_poison") {
        true => refused("InvalidParameterException"),
        false => good(),
    });
    let scene = Scene::new();
    let log = scene.open();
    append(&log, 20);
    let poison = log.append(login("poison")).expect("recorded");
    append(&log, 20);
    log.add_sink(Feed::new("siem", sink(receiver.url(""))).without_checkpoints())
        .expect("added");
    flush(&log);
    assert_eq!(state(&log).rejected, 1);
    let file = std::fs::read_to_string(scene.folder().join("sinks/siem.rejected.jsonl")).expect("a file");
    assert!(file.contains(&format!("\"seq\":{}", poison.seq)) && file.contains("InvalidParameterException"));
}

#[test]
fn what_is_misconfigured_holds() {
    for name in [
        "AccessDeniedException",
        "ResourceNotFoundException",
        "UnknownOperationException",
    ] {
        let receiver = Receiver::answering(move |_| refused(name));
        let scene = Scene::new();
        let log = open_for(&scene, sink(receiver.url("")));
        assert_held(&log, name);
        assert_eq!(state(&log).rejected, 0);
    }
    let receiver = Receiver::answering(|_| good());
    for (region, group, stream, said) in [
        ("US EAST", "audit", "s", "region"),
        ("us-east-1", "au dit", "s", "group"),
        ("us-east-1", "audit", "s:1", "stream"),
    ] {
        let scene = Scene::new();
        let sink = CloudWatch::new(region, group, stream)
            .endpoint(receiver.url(""))
            .credentials(keys());
        let builder = scene.builder().sink(Feed::new("siem", sink));
        let refused = builder.open(scene.store()).expect_err("refused").to_string();
        assert!(refused.contains(&format!("siem: {said}: ")), "{refused}");
    }
    assert!(receiver.requests().is_empty());
}

#[test]
fn credentials_that_have_ended_are_asked_for_once_more() {
    let asked = Arc::new(Mutex::new(0));
    let count = Arc::clone(&asked);
    let credentials = AwsCredentials::from_fn(move || {
        let mut asked = count.lock().expect("unpoisoned");
        *asked += 1;
        Ok(keys().session_token(format!("token-{asked}")))
    });
    let receiver = Receiver::answering(|request| match request.header("x-amz-security-token") {
        Some("token-1") => refused("ExpiredTokenException"),
        _ => good(),
    });
    let scene = Scene::new();
    let log = open_for(&scene, sink(receiver.url("")).credentials(credentials));
    append(&log, 3);
    flush(&log);
    assert_eq!(*asked.lock().expect("unpoisoned"), 2);
    assert_eq!(arrived(&receiver), [0, 1, 2, 3, 4]);
    let signed = receiver.requests()[1]
        .header("authorization")
        .expect("signed")
        .to_owned();
    let names = "SignedHeaders=content-type;host;x-amz-date;x-amz-security-token;x-amz-target, ";
    assert!(signed.contains(names), "{signed}");
}

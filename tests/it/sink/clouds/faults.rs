//! What fails in the same ways at every target: nothing is lost, and nothing set aside that could be delivered.

use std::time::{Duration, Instant};

use indelible::sink::HttpOptions;

use super::*;
use crate::sink::receiver::{Receiver, Request};

/// A target, and how it looks when it is well.
struct Target {
    name: &'static str,
    feed: fn(&str, HttpOptions) -> Feed,
    good: fn() -> Reply,
    /// The records of a request.
    records: fn(&Request) -> Vec<Value>,
}

fn targets() -> Vec<Target> {
    vec![
        #[cfg(feature = "cloudwatch")]
        Target {
            name: "cloudwatch",
            feed: |url, http| {
                let keys = indelible::sink::AwsKeys::new("AKIDEXAMPLE", "secret");
                let logs = indelible::sink::CloudWatch::new("us-east-1", "audit", "auth");
                Feed::new("siem", logs.credentials(keys).endpoint(url).http(http))
            },
            good: || Reply::status(200).body("{}"),
            records: |request| {
                let json = request.json();
                let events = json["logEvents"].as_array().expect("events").iter();
                let text = |event: &Value| event["message"].as_str().expect("a text").to_owned();
                events
                    .map(|event| serde_json::from_str(&text(event)).expect("JSON"))
                    .collect()
            },
        },
        #[cfg(feature = "azure")]
        Target {
            name: "azure",
            feed: |url, http| {
                let token = || Ok(indelible::sink::Token::new("t"));
                let credentials = indelible::sink::AzureCredentials::from_fn(token);
                Feed::new("siem", azure::sink(url, credentials).http(http))
            },
            good: || Reply::status(204),
            records: azure::records,
        },
        #[cfg(feature = "google")]
        Target {
            name: "google",
            feed: |url, http| {
                let token = || Ok(indelible::sink::Token::new("t"));
                let credentials = indelible::sink::GoogleCredentials::from_fn(token);
                Feed::new("siem", google::sink(url, credentials).http(http))
            },
            good: || Reply::status(200).body("{}"),
            records: google::records,
        },
    ]
}

fn short() -> HttpOptions {
    HttpOptions::new().timeout(Duration::from_millis(400))
}

fn open_at(scene: &Scene, target: &Target, url: &str, http: HttpOptions) -> AuditLog {
    let feed = (target.feed)(url, http).without_checkpoints();
    scene.builder().sink(feed).open(scene.store()).expect("opens")
}

#[test]
fn what_fails_for_a_while_loses_nothing_and_pauses_are_kept() {
    for target in targets() {
        let receiver = Receiver::answering(|_| Reply::status(500));
        let scene = Scene::new();
        let log = open_at(&scene, &target, &receiver.url(""), short());
        for (fault, least) in [
            (Reply::status(503), 0),
            (Reply::Close, 0),
            (Reply::Hang(Duration::from_millis(700)), 400),
            (Reply::Endless, 0),
            (Reply::status(429).with("retry-after", 1), 1_000),
            (Reply::status(503).with("retry-after-ms", 20), 20),
            (Reply::status(200).body("<html>a portal's</html>"), 0),
        ] {
            let mut replies = in_turn([fault.clone()], (target.good)());
            receiver.answer(move |_| replies());
            let (began, before) = (Instant::now(), receiver.requests().len());
            append(&log, 3);
            flush(&log);
            let what = format!("{}: {fault:?}", target.name);
            assert!(began.elapsed() >= Duration::from_millis(least), "{what}");
            assert!(receiver.requests().len() >= before + 2, "{what}");
            assert_eq!(state(&log).rejected, 0, "{what}");
        }
        let seqs = first_arrivals(receiver.requests().iter().flat_map(target.records));
        assert!(seqs.len() >= 23, "{}: {seqs:?}", target.name);
        assert_eq!(seqs, (0..seqs.len() as u64).collect::<Vec<_>>(), "{}", target.name);
    }
}

#[test]
fn what_is_too_large_is_halved_until_it_is_not() {
    for target in targets() {
        let (good, records) = (target.good, target.records);
        let taken = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&taken);
        let receiver = Receiver::answering(move |request| match records(request) {
            few if few.len() <= 3 => {
                kept.lock().expect("unpoisoned").extend(few);
                good()
            }
            _ => Reply::status(413),
        });
        let scene = Scene::new();
        let log = scene.open();
        append(&log, 40);
        log.add_sink((target.feed)(&receiver.url(""), short()).without_checkpoints())
            .expect("added");
        flush(&log);
        let size = log.checkpoint().expect("a checkpoint").checkpoint().size();
        let taken = taken.lock().expect("unpoisoned").clone();
        assert_eq!(taken.len() as u64, size, "{}: nothing twice", target.name);
        assert_eq!(first_arrivals(taken), (0..size).collect::<Vec<_>>(), "{}", target.name);
        assert_eq!(state(&log).rejected, 0, "{}", target.name);
    }
}

#[test]
fn what_was_taken_without_an_answer_comes_again_with_the_same_hash() {
    for target in targets() {
        let mut replies = in_turn([Reply::Close], (target.good)());
        let receiver = Receiver::answering(move |_| replies());
        let scene = Scene::new();
        let log = open_at(&scene, &target, &receiver.url(""), short());
        flush(&log);
        let requests = receiver.requests();
        let (first, second) = ((target.records)(&requests[0]), (target.records)(&requests[1]));
        assert_eq!(first[0], second[0], "{}", target.name);
    }
}

#[test]
fn a_certificate_of_another_name_holds() {
    for target in targets() {
        let (pem, server) = certificate("localhost");
        let good = target.good;
        let receiver = Receiver::with_tls(server, move |_| good());
        let by_name = format!("https://localhost:{}", receiver.port());
        let by_address = format!("https://127.0.0.1:{}", receiver.port());
        let scene = Scene::new();
        let log = open_at(&scene, &target, &by_name, HttpOptions::new().roots(pem.clone()));
        flush(&log);
        let count = receiver.requests().len();
        let scene = Scene::new();
        let log = open_at(&scene, &target, &by_address, HttpOptions::new().roots(pem));
        assert_held(&log, "TLS: ");
        assert_eq!(receiver.requests().len(), count, "{}", target.name);
    }
}

//! Attacks on every target over HTTP: by what answers, by what is configured, by what is recorded.

use std::process::Command;

use indelible::sink::HttpOptions;
use serde_json::json;

use super::faults::{Scenario, quick};
use super::receiver::{Receiver, Reply, Request};
use super::targets::{Give, for_each, token};
use super::*;

/// A log whose feed goes to this URL.
fn open_at(scene: &Scene, feed: Feed) -> AuditLog {
    let builder = scene.builder().sink(feed.without_checkpoints());
    builder.open(scene.store()).expect("opens")
}

/// What the log says that is not opened with such a feed.
#[track_caller]
fn refused(scene: &Scene, feed: Feed) -> String {
    let builder = scene.builder().sink(feed);
    builder.open(scene.store()).expect_err("refused").to_string()
}

#[track_caller]
fn held(log: &AuditLog, what: &str) -> String {
    eventually(what, || state(log).is_held);
    assert_eq!((state(log).position, state(log).rejected), (0, 0), "{what}");
    state(log).last_error.expect("a problem").to_string()
}

/// A captive portal, a proxy or another service that says 2xx to everything.
#[test]
fn what_is_not_the_target_acknowledges_nothing() {
    for_each(|http| {
        if http.believes_any_2xx {
            return;
        }
        for status in [200, 201, 202, 203, 206] {
            // Of Datadog that is the whole acknowledgement.
            if (http.name, status) == ("datadog", 202) {
                continue;
            }
            for page in ["<html>welcome</html>", "  <!DOCTYPE html>", "OK", "[]", "{"] {
                let scenario = Scenario::new(http, move |_, _| Some(Reply::status(status).body(page)));
                scenario.deliver(http, token("token"));
                eventually("it fails", || state(&scenario.log).last_error.is_some());
                let state = state(&scenario.log);
                let said = format!("{}: {status} {page}", http.name);
                assert_eq!((state.position, state.rejected), (0, 0), "{said}");
            }
        }
    });
}

/// What a server says on its port for TLS to who speaks HTTP, and a proxy to what it does not like.
#[test]
fn what_is_not_the_target_refuses_no_record() {
    for_each(|http| {
        if http.believes_any_2xx {
            return;
        }
        for page in [
            "Client sent an HTTP request to an HTTPS server.\n",
            "<html>400</html>",
            "",
        ] {
            let scenario = Scenario::new(http, move |_, _| Some(Reply::status(400).body(page)));
            scenario.deliver(http, token("token"));
            held(&scenario.log, http.name);
        }
    });
}

#[test]
fn a_token_that_would_be_more_than_a_header_is_not_sent_and_the_next_one_is() {
    for_each(|http| {
        let bad = ["good\r\nx-evil: 1", "good\nx-evil: 1", "good\0", "good\u{7f}"];
        for evil in bad {
            let current = Arc::new(Mutex::new(evil));
            let given = Arc::clone(&current);
            let give: Give = Arc::new(move || Ok(given.lock().expect("unpoisoned").to_string()));
            let scenario = Scenario::new(http, |_, _| None);
            scenario.deliver(http, give);
            let problem = held(&scenario.log, http.name);
            assert!(!problem.contains("good") && !problem.contains("evil"), "{problem}");
            assert!(scenario.receiver.requests().is_empty());
            *current.lock().expect("unpoisoned") = "good";
            scenario.log.resume_sink("siem").expect("tries again");
            flush(&scenario.log);
            let requests = scenario.receiver.requests();
            assert!(requests.iter().all(|request| request.header("x-evil").is_none()));
        }
    });
}

#[test]
fn a_url_that_is_none_is_not_asked() {
    for_each(|http| {
        let receiver = Receiver::answering(|_| Reply::status(500));
        for url in [
            receiver.url("/ HTTP/1.1\r\nx-evil: 1\r\n\r\n"),
            receiver.url("/a b"),
            receiver.url("/").replace("http:", "ftp:"),
            receiver.url("/").replace("http:", "file:"),
            receiver.url("/").replace("http://", ""),
            "http://".to_owned(),
            String::new(),
        ] {
            let scene = Scene::new();
            let said = refused(&scene, (http.feed)(url.clone(), token("token"), quick()));
            assert!(
                said.contains("it is no URL that begins"),
                "{} at {url:?}: {said}",
                http.name
            );
        }
        assert!(receiver.requests().is_empty());
    });
}

#[test]
fn options_that_cannot_be_used_are_refused() {
    let made = || rcgen::generate_simple_self_signed(["auth".to_owned()]).expect("a certificate");
    let (certificate, key) = (made().cert.pem(), made().signing_key.serialize_pem());
    for_each(|http| {
        let receiver = Receiver::answering(|_| Reply::status(500));
        for (options, said) in [
            (quick().user_agent("auth\r\nx-evil: 1"), "user_agent: "),
            (quick().roots("no certificate"), "roots: "),
            (quick().client_certificate("none", "T0KEN"), "client_certificate: "),
            // The key is that of another certificate.
            (
                quick().client_certificate(certificate.clone(), key.clone()),
                "client_certificate: ",
            ),
            (quick().proxy("T0KEN T0KEN"), "proxy: "),
            (quick().proxy("socks5://user:T0KEN@127.0.0.1:1080"), "proxy: "),
        ] {
            let scene = Scene::new();
            let url = receiver.url("").replace("http:", "https:");
            let problem = refused(&scene, (http.feed)(url, token("token"), options));
            assert!(problem.contains(said) && !problem.contains("T0KEN"), "{problem}");
        }
        assert!(receiver.requests().is_empty());
    });
}

#[test]
fn a_name_that_is_not_known_and_a_proxy_that_refuses_are_told_as_such() {
    for_each(|http| {
        let proxy = Receiver::answering(|_| Reply::status(407));
        for (options, said) in [
            // So long a label is asked of no name server.
            (quick(), "name is not known"),
            (quick().proxy(proxy.url("")), "the proxy refuses"),
        ] {
            let scene = Scene::new();
            let url = format!("http://{}.invalid", "a".repeat(64));
            let log = open_at(&scene, (http.feed)(url, token("token"), options));
            eventually("it fails", || state(&log).last_error.is_some());
            let problem = state(&log).last_error.expect("a problem").to_string();
            assert!(problem.contains(said), "{}: {problem}", http.name);
        }
    });
}

#[test]
fn what_a_target_is_given_is_not_told() {
    for_each(|http| {
        let options = || HttpOptions::new().proxy("http://user:T0KEN@proxy.example.com:3128");
        let url = "http://user:T0KEN@127.0.0.1:9/T0KEN?key=T0KEN#T0KEN";
        for url in [url, "T0KEN"] {
            let told = format!("{:?}", (http.feed)(url.into(), token("T0KEN"), options()));
            assert!(!told.contains("T0KEN"), "{told}");
        }
        // Nor where it fails: nothing listens there.
        let scene = Scene::new();
        let options = quick().proxy("http://user:T0KEN@127.0.0.1:9");
        let url = "https://user:T0KEN@127.0.0.1:9/T0KEN?key=T0KEN";
        let log = open_at(&scene, (http.feed)(url.into(), token("T0KEN"), options));
        eventually("it fails", || state(&log).last_error.is_some());
        let told = format!("{:?} {log:?}", log.state());
        assert!(!told.contains("T0KEN"), "{told}");
    });
}

/// AWS says back what was signed, and many a server the path that it does not know.
#[test]
fn what_a_target_says_back_of_a_request_is_not_told() {
    for_each(|http| {
        let receiver = Receiver::answering(|request| {
            Reply::status(404).body(format!("Cannot POST {}: {request:?}", request.path))
        });
        let (scene, url) = (
            Scene::new(),
            receiver.url("/hooks/T0KEN-of-a-path?key=T0KEN-of-a-query"),
        );
        let log = open_at(&scene, (http.feed)(url, token("T0KEN-of-a-header"), quick()));
        let problem = held(&log, http.name);
        assert!(problem.contains("Cannot POST"), "{}: {problem}", http.name);
        assert!(!problem.contains("T0KEN"), "{}: {problem}", http.name);
    });
}

/// Personal data that is six times as long in JSON, and seven times in a text of JSON; that is twice and four times as long;
/// and none of it.
#[test]
fn the_largest_records_fit_or_are_parted_and_arrive_whole() {
    for_each(|http| {
        let fits = Arc::new(Mutex::new(Vec::new()));
        let (judge, fit) = (http.fits, Arc::clone(&fits));
        let scenario = Scenario::new(http, move |request: &Request, _| {
            fit.lock().expect("unpoisoned").push(judge(request));
            None
        });
        for _ in 0..6 {
            for filler in [
                "\u{1}".repeat(40_000),
                "\"".repeat(120_000),
                "\u{1f600}".repeat(60_000),
                "a".repeat(4_000),
            ] {
                let event = login("large").personal_metadata("filler", filler);
                scenario.log.append(event).expect("recorded");
            }
            // As much as a record may have beside personal data.
            let event = login("wide").metadata("filler", "\u{1}".repeat(10_000));
            scenario.log.append(event).expect("recorded");
        }
        scenario.deliver_by(http, token("token"), HttpOptions::new());
        flush(&scenario.log);
        assert_eq!(state(&scenario.log).rejected, 0, "{}", http.name);
        assert!(
            fits.lock().expect("unpoisoned").iter().all(|fits| *fits),
            "{}",
            http.name
        );
        let mut size = 0;
        for request in scenario.receiver.requests() {
            for delivered in (http.records)(&request) {
                let record = scenario.log.reader().record(size).expect("a record");
                let mut expected: serde_json::Value =
                    serde_json::from_str(record.line().expect("a line")).expect("JSON");
                expected["hash"] = json!(record.hash().to_string());
                assert!(delivered == expected, "{} {size}", http.name);
                size += 1;
            }
        }
        assert!(size >= 40, "{size}");
    });
}

#[test]
fn the_proxy_of_the_environment_is_not_used() {
    let proxy = Receiver::answering(|_| Reply::status(502));
    let mut child = Command::new(std::env::current_exe().expect("this program"));
    for name in [
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "http_proxy",
        "https_proxy",
        "all_proxy",
    ] {
        child.env(name, proxy.url(""));
    }
    let test = "sink::hostile::delivers_past_the_proxy_of_the_environment";
    let done = child.args(["--ignored", "--exact", test]).output().expect("it runs");
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success() && said.contains("1 passed"), "{said}");
    assert!(proxy.requests().is_empty());
}

#[test]
#[ignore = "the_proxy_of_the_environment_is_not_used runs it"]
fn delivers_past_the_proxy_of_the_environment() {
    for_each(|http| {
        let scenario = Scenario::new(http, |_, _| None);
        scenario.deliver(http, token("token"));
        flush(&scenario.log);
        assert_eq!(scenario.first_arrivals(), (0..10).collect::<Vec<_>>());
    });
}

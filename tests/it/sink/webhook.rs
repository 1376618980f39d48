//! Webhooks: signed, tried again, refused where they must not go.

use std::time::Duration;

use indelible::AuditLog;
use indelible::sink::{Feed, HttpOptions, Secret, Webhook};

use super::receiver::{Receiver, Reply, Request};
use super::*;

const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

fn webhook(url: String) -> Webhook {
    Webhook::new(url, SECRET)
        .allow_private_addresses()
        .http(HttpOptions::new().timeout(Duration::from_millis(500)))
}

fn open(scene: &Scene, webhook: Webhook) -> AuditLog {
    let feed = Feed::new("hook", webhook).without_checkpoints();
    scene.builder().sink(feed).open(scene.store()).expect("opens")
}

/// The records that came, each once, as they came first.
fn arrived(receiver: &Receiver) -> Vec<u64> {
    let mut seqs = Vec::new();
    for request in receiver.requests() {
        let json = request.json();
        let list = match json.as_array() {
            Some(list) => list.clone(),
            None => vec![json],
        };
        for event in list {
            let seq = event["data"]["seq"].as_u64().expect("a seq");
            if !seqs.contains(&seq) {
                seqs.push(seq);
            }
        }
    }
    seqs
}

#[test]
fn a_message_is_posted_with_its_id_and_signed() {
    let (scene, receiver) = (Scene::new(), Receiver::answering(|_| Reply::status(204)));
    let hook = webhook(receiver.url("/audit?x=1"))
        .header("x-tenant", "acme")
        .also_signed_by(SECRET);
    let log = open(&scene, hook);
    let receipt = log.append(login(7)).expect("recorded");
    flush(&log);
    let request = receiver.requests()[2].clone();
    assert_eq!(request.path, "/audit?x=1");
    assert_eq!(request.header("x-tenant"), Some("acme"));
    assert_eq!(request.header("content-type"), Some("application/json"));
    assert!(
        request
            .header("user-agent")
            .is_some_and(|name| name.starts_with("indelible/"))
    );
    let id = request.header("webhook-id").expect("an id");
    assert_eq!(id, format!("2-{}", &receipt.hash.to_string()[..32]));
    let signatures: Vec<_> = request
        .header("webhook-signature")
        .expect("signed")
        .split(' ')
        .collect();
    assert_eq!(signatures.len(), 2);
    assert!(signatures[0].starts_with("v1,") && signatures[0] == signatures[1]);
    let json = request.json();
    assert_eq!(json["type"], "auth.login.succeeded");
    assert_eq!(json["data"]["hash"], receipt.hash.to_string());
    assert_eq!(json["data"]["event"]["actor"]["id"], "usr_7");
    assert_eq!(arrived(&receiver), [0, 1, 2]);
}

/// What the library of Standard Webhooks itself says of a request, to who has this secret and got this body.
fn verifies(request: &Request, secret: &str, body: &str) -> Result<(), String> {
    let mut headers = http::HeaderMap::new();
    for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
        let value = request.header(name).expect("signed").parse().expect("a value");
        headers.insert(name, value);
    }
    let library = standardwebhooks::Webhook::new(secret).expect("a secret");
    library
        .verify(body.as_bytes(), &headers)
        .map_err(|error| error.to_string())
}

#[test]
fn the_library_of_the_standard_verifies_what_is_sent() {
    const OLD: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX";
    const NEW: &str = "whsec_//79/Pv6+fj39vX08/Lx8O/u7ezr6uno5+bl5OPi4eDf3t3c29rZ2NfW1dTT0tHQz87NzMvKycjHxsXEww==";
    for in_lists in [false, true] {
        let receiver = Receiver::answering(|_| Reply::status(200));
        let scene = Scene::new();
        let log = scene.open();
        append(&log, 3);
        log.append(login("Zoë \"the\" \\ back\u{1}slash \u{1f600}"))
            .expect("recorded");
        let rotated = Webhook::new(receiver.url("/"), NEW).also_signed_by(OLD);
        let rotated = rotated.allow_private_addresses();
        let rotated = if in_lists { rotated.in_lists(50) } else { rotated };
        log.add_sink(Feed::new("hook", rotated)).expect("added");
        flush(&log);
        for request in receiver.requests() {
            let body = request.text();
            // Who has either of the secrets takes it; who has another does not.
            assert_eq!(verifies(&request, OLD, &body), Ok(()));
            assert_eq!(verifies(&request, NEW, &body), Ok(()));
            let refused = Err("signature invalid".to_owned());
            assert_eq!(verifies(&request, SECRET, &body), refused);
            for changed in [
                body.replace("usr_1", "usr_2"),
                body.replace("informational", "critical"),
                format!("{body} "),
                body[1..].to_owned(),
            ] {
                assert!(
                    changed == body || verifies(&request, OLD, &changed) == refused,
                    "{changed}"
                );
                assert!(
                    changed == body || verifies(&request, NEW, &changed) == refused,
                    "{changed}"
                );
            }
        }
    }
}

#[test]
fn lists_take_many_in_one_request() {
    let (scene, receiver) = (Scene::new(), Receiver::answering(|_| Reply::status(200)));
    scene.open().close(SOON).expect("closes");
    let log = scene.open();
    append(&log, 200);
    log.add_sink(Feed::new("hook", webhook(receiver.url("/")).in_lists(50)))
        .expect("added");
    flush(&log);
    assert!(receiver.requests().len() < 12, "{}", receiver.requests().len());
}

#[test]
fn a_disabled_endpoint_is_held_until_it_is_back() {
    let receiver = Receiver::answering(|_| Reply::status(410));
    let scene = Scene::new();
    let log = open(&scene, webhook(receiver.url("/")));
    eventually("it is held", || state(&log).is_held);
    receiver.answer(|_| Reply::status(200));
    log.resume_sink("hook").expect("tries again");
    flush(&log);
    assert_eq!(arrived(&receiver)[..2], [0, 1]);
}

#[test]
fn private_addresses_are_refused_unless_they_are_allowed() {
    let is_address = |host: &str| host.starts_with('[') || host.parse::<std::net::Ipv4Addr>().is_ok();
    let receiver = Receiver::answering(|_| Reply::status(200));
    let port = receiver.port();
    for host in [
        "127.0.0.1",
        "localhost",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "2130706433",
        "0x7f.1",
        "127.1",
        "0.0.0.0",
        "[::]",
        "169.254.169.254",
        "100.64.0.1",
        "[64:ff9b::7f00:1]",
        "user@127.0.0.1",
    ] {
        let scene = Scene::new();
        let feed = Feed::new("hook", Webhook::new(format!("http://{host}:{port}/"), SECRET)).without_checkpoints();
        let log = match scene.builder().sink(feed).open(scene.store()) {
            Ok(log) => log,
            // What is no name is told before anything is delivered.
            Err(refused) => {
                let (said, address) = (refused.to_string(), host.trim_start_matches("user@"));
                assert!(
                    said.contains("hook: url: it is no address of the public internet"),
                    "{said}"
                );
                assert!(is_address(address), "{host}");
                continue;
            }
        };
        assert!(!is_address(host), "{host}");
        eventually(host, || state(&log).last_error.is_some());
        let problem = state(&log).last_error.expect("a problem").to_string();
        log.close(SOON).expect("closes");
        assert!(
            problem.contains("public internet") || problem.contains("name is not known"),
            "{host}: {problem}"
        );
    }
    // Nor is it known what a proxy connects to.
    let options = HttpOptions::new().proxy(receiver.url(""));
    let scene = Scene::new();
    let feed = Feed::new("hook", Webhook::new("http://example.com/", SECRET).http(options));
    let refused = scene.builder().sink(feed).open(scene.store()).expect_err("refused");
    assert!(refused.to_string().contains("allow private addresses"), "{refused}");
    assert!(receiver.requests().is_empty());
}

#[test]
fn a_header_of_ones_own_is_one_header() {
    let receiver = Receiver::answering(|_| Reply::status(200));
    for (name, value) in [
        ("x-evil\r\nx-more", "1"),
        ("x evil", "1"),
        ("", "1"),
        ("Content-Length", "1"),
        ("webhook-ID", "1"),
        ("x-tenant", "acme\r\nx-evil: 1"),
        ("x-tenant", "acme\r\n\r\nGET / HTTP/1.1"),
    ] {
        let scene = Scene::new();
        let feed = Feed::new("hook", webhook(receiver.url("/")).header(name, value));
        let refused = scene.builder().sink(feed).open(scene.store()).expect_err("refused");
        let said = refused.to_string();
        assert!(said.starts_with("sink: hook: headers: "), "{said}");
        assert!(said.contains(&format!("{name:?}")) && !said.contains("acme"), "{said}");
        // What is asked for each time is not known yet.
        let asked = Secret::from_fn(move || Ok(value.to_owned()));
        if value != "1" {
            let log = open(&scene, webhook(receiver.url("/")).header(name, asked));
            eventually("it is held", || state(&log).is_held);
        }
    }
    assert!(receiver.requests().is_empty());
}

#[test]
fn a_secret_that_is_none_holds_without_telling_it() {
    let scene = Scene::new();
    let receiver = Receiver::answering(|_| Reply::status(200));
    let fixed = webhook(receiver.url("/")).also_signed_by("very-secret");
    let feed = Feed::new("hook", fixed);
    let refused = scene.builder().sink(feed).open(scene.store()).expect_err("refused");
    let said = refused.to_string();
    assert!(
        said.starts_with("sink: hook: secret: ") && !said.contains("very-secret"),
        "{said}"
    );
    let asked = Secret::from_fn(|| Ok("very-secret".to_owned()));
    let log = open(&scene, Webhook::new(receiver.url("/"), asked).allow_private_addresses());
    eventually("it is held", || state(&log).is_held);
    let said = format!("{:?} {log:?}", log.state());
    assert!(said.contains("whsec_") && !said.contains("very-secret"), "{said}");
}

#[test]
fn a_secret_that_comes_slowly_makes_no_target_look_slow() {
    let (pem, server) = super::receiver::certificate("localhost");
    let receiver = Receiver::with_tls(server, |_| Reply::status(204));
    let (scene, slow) = (Scene::new(), || {
        std::thread::sleep(Duration::from_millis(1200));
        Ok(SECRET.to_owned())
    });
    let log = scene.open();
    // So that there is a next batch.
    append(&log, 30);
    let hook = Webhook::new(format!("https://localhost:{}", receiver.port()), Secret::from_fn(slow))
        .in_lists(11)
        .allow_private_addresses()
        .http(HttpOptions::new().roots(pem).timeout(Duration::from_secs(1)));
    log.add_sink(Feed::new("hook", hook).without_checkpoints())
        .expect("added");
    flush(&log);
    assert_eq!(state(&log).retries, 0, "{:?}", state(&log).last_error);
    assert_eq!(arrived(&receiver).len() as u64, state(&log).position);
}

//! Webhooks: signed, tried again, refused where they must not go.

use std::time::Duration;

use indelible::AuditLog;
use indelible::sink::{Feed, HttpOptions, Webhook};

use super::receiver::{Receiver, Reply};
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
    ] {
        let scene = Scene::new();
        let log = open(&scene, Webhook::new(format!("http://{host}:{port}/"), SECRET));
        eventually(host, || state(&log).last_error.is_some());
        let problem = state(&log).last_error.expect("a problem").to_string();
        log.close(SOON).expect("closes");
        assert!(
            problem.contains("public internet") || problem.contains("name is not known"),
            "{host}: {problem}"
        );
    }
    assert!(receiver.requests().is_empty());
}

#[test]
fn a_secret_that_is_none_holds_without_telling_it() {
    let scene = Scene::new();
    let receiver = Receiver::answering(|_| Reply::status(200));
    let log = open(
        &scene,
        Webhook::new(receiver.url("/"), "very-secret").allow_private_addresses(),
    );
    eventually("it is held", || state(&log).is_held);
    let said = format!("{:?} {log:?}", log.state());
    assert!(said.contains("whsec_") && !said.contains("very-secret"), "{said}");
}

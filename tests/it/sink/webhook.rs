//! Webhooks: signed, tried again, refused where they must not go.

use std::sync::Arc;
use std::time::{Duration, Instant};

use indelible::AuditLog;
use indelible::sink::{Feed, HttpOptions, Secret, Webhook};

use super::receiver::{Receiver, Reply, hanging};
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
fn what_fails_for_a_while_loses_nothing() {
    let mut answers = vec![
        Reply::status(200),
        Reply::status(503),
        Reply::Close,
        Reply::status(200),
        Reply::Hang(Duration::from_millis(700)),
        Reply::status(500),
        Reply::Endless,
        Reply::status(429).with("retry-after", 1),
        Reply::status(503).with("retry-after-ms", 20),
    ]
    .into_iter();
    let receiver = Receiver::answering(move |_| answers.next().unwrap_or(Reply::status(204)));
    let scene = Scene::new();
    let log = open(&scene, webhook(receiver.url("/")));
    append(&log, 10);
    flush(&log);
    assert_eq!(arrived(&receiver), (0..12).collect::<Vec<_>>());
    assert_eq!(state(&log).rejected, 0);
}

#[test]
fn retry_after_is_waited_for_in_both_forms() {
    let date = || {
        let then = time::OffsetDateTime::now_utc() + Duration::from_millis(2200);
        let form = time::format_description::parse_borrowed::<2>(
            "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT",
        );
        then.format(&form.expect("a form")).expect("a date")
    };
    let replies: [Box<dyn Fn() -> Reply + Send>; 2] = [
        Box::new(|| Reply::status(429).with("retry-after", 1)),
        Box::new(move || Reply::status(503).with("retry-after", date())),
    ];
    for reply in replies {
        let mut first = Some(reply);
        let times = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&times);
        let receiver = Receiver::answering(move |_| {
            seen.lock().expect("unpoisoned").push(Instant::now());
            first.take().map_or(Reply::status(200), |reply| reply())
        });
        let scene = Scene::new();
        let log = open(&scene, webhook(receiver.url("/")));
        flush(&log);
        let times = times.lock().expect("unpoisoned");
        let waited = times[1] - times[0];
        assert!(
            waited >= Duration::from_millis(950) && waited < Duration::from_secs(4),
            "{waited:?}"
        );
    }
}

#[test]
fn credentials_that_are_refused_hold_and_a_new_one_mends() {
    let token = Arc::new(Mutex::new("Bearer old".to_owned()));
    let current = Arc::clone(&token);
    let secret = Secret::from_fn(move || Ok(current.lock().expect("unpoisoned").clone()));
    let receiver = Receiver::answering(|request| match request.header("authorization") {
        Some("Bearer new") => Reply::status(200),
        _ => Reply::status(401).body("no"),
    });
    let scene = Scene::new();
    let log = open(&scene, webhook(receiver.url("/")).header("authorization", secret));
    eventually("it is held", || state(&log).is_held);
    assert_eq!(state(&log).position, 0);
    assert_eq!(
        state(&log).last_error.map(|problem| problem.to_string()),
        Some("HTTP 401: no".to_owned())
    );
    *token.lock().expect("unpoisoned") = "Bearer new".to_owned();
    log.resume_sink("hook").expect("tries again");
    flush(&log);
    assert!(!format!("{:?}", log.state().sinks).contains("Bearer"));
}

#[test]
fn a_redirect_is_not_followed() {
    let elsewhere = Receiver::answering(|_| Reply::status(200));
    let target = elsewhere.url("/");
    let receiver = Receiver::answering(move |_| Reply::status(307).with("location", &target));
    let scene = Scene::new();
    let log = open(&scene, webhook(receiver.url("/")));
    eventually("it is held", || state(&log).is_held);
    assert!(elsewhere.requests().is_empty());
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

#[test]
fn a_target_that_accepts_and_says_nothing_is_given_up() {
    let (port, _listener) = hanging();
    let scene = Scene::new();
    let log = open(&scene, webhook(format!("http://127.0.0.1:{port}/")));
    eventually("it says so", || state(&log).last_error.is_some());
    let problem = state(&log).last_error.expect("a problem").to_string();
    assert!(problem.contains("too long"), "{problem}");
}

/// A certificate for a name, as a server and its authority.
fn certificate(name: &str) -> (String, Arc<rustls::ServerConfig>) {
    let made = rcgen::generate_simple_self_signed([name.to_owned()]).expect("a certificate");
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let server = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .expect("a server");
    (made.cert.pem(), Arc::new(server))
}

#[test]
fn a_certificate_is_checked_against_the_given_authority_and_the_name() {
    let (pem, server) = certificate("localhost");
    let receiver = Receiver::with_tls(server, |_| Reply::status(200));
    let url = format!("https://localhost:{}/", receiver.port());
    let trusting = |url: &str, options: HttpOptions| Webhook::new(url, SECRET).allow_private_addresses().http(options);
    let scene = Scene::new();
    let log = open(&scene, trusting(&url, HttpOptions::new().roots(pem.clone())));
    flush(&log);
    assert_eq!(arrived(&receiver), [0, 1]);
    // The platform does not know the authority, and the name in the URL is not that of the certificate.
    let (other, _) = certificate("localhost");
    let by_address = format!("https://127.0.0.1:{}/", receiver.port());
    for (url, options) in [
        (&url, HttpOptions::new()),
        (&url, HttpOptions::new().roots(other)),
        (&by_address, HttpOptions::new().roots(pem)),
    ] {
        let scene = Scene::new();
        let log = open(&scene, trusting(url, options));
        eventually("it is held", || state(&log).is_held);
        let problem = state(&log).last_error.expect("a problem").to_string();
        assert!(problem.starts_with("TLS: "), "{problem}");
    }
    assert_eq!(receiver.requests().len(), 2);
}

//! Azure Monitor.

use std::time::Duration;

use indelible::sink::{AzureCredentials, AzureMonitor, HttpOptions, Secret, Token};
use serde_json::json;

use super::peer::Peer;
use super::*;
use crate::clock::Hand;
use crate::sink::receiver::{Receiver, Request};

const RULE: &str = "dcr-00000000000000000000000000000001";

fn of_token(token: &'static str) -> AzureCredentials {
    AzureCredentials::from_fn(move || Ok(Token::new(token)))
}

pub(crate) fn sink(url: &str, credentials: AzureCredentials) -> AzureMonitor {
    AzureMonitor::new(url, RULE, "Custom-Audit_CL", credentials)
        .http(HttpOptions::new().timeout(Duration::from_secs(30)))
}

/// The text of a row, from all its columns.
fn text(row: &Value) -> String {
    let parts = (1..=9).map(|part| match part {
        1 => row["Message"].as_str().expect("a message"),
        _ => row[format!("Message{part}")].as_str().unwrap_or_default(),
    });
    parts.collect()
}

/// The records of a request.
pub(crate) fn records(request: &Request) -> Vec<Value> {
    let rows: Vec<Value> = serde_json::from_str(&request.text()).expect("rows");
    rows.iter()
        .map(|row| serde_json::from_str(&text(row)).expect("JSON"))
        .collect()
}

fn arrived(receiver: &Receiver) -> Vec<u64> {
    first_arrivals(receiver.requests().iter().flat_map(records))
}

#[test]
fn the_service_takes_every_record_byte_for_byte_and_the_longest_whole() {
    let Some(peer) = Peer::start("azure_monitor.py", &[]) else {
        return;
    };
    let scene = Scene::new();
    let log = scene.open();
    append(&log, 2_500);
    log.append(login("Zoë \"the\" \\ back\u{1}slash")).expect("recorded");
    for bytes in [31_000, 33_000, 100_000, 180_000] {
        log.append(large("long", bytes)).expect("recorded");
        let wide = login("wide").personal_metadata("filler", "é\"\u{1f600}".repeat(bytes / 8));
        log.append(wide).expect("recorded");
    }
    log.add_sink(Feed::new("siem", sink(&peer.url(), of_token("good"))))
        .expect("added");
    flush(&log);
    assert_eq!(state(&log).rejected, 0);
    let size = log.checkpoint().expect("a checkpoint").checkpoint().size();
    let taken = peer.taken();
    let rows: Vec<_> = taken.iter().filter(|row| row["Seq"].is_u64()).collect();
    assert_eq!(rows.len() as u64, size);
    for (seq, row) in rows.iter().enumerate() {
        let text = text(row);
        let record: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(serde_json_canonicalizer::to_string(&record).expect("canonical"), text);
        assert_eq!((&row["Seq"], &record["seq"]), (&json!(seq), &json!(seq)));
        assert_eq!(
            (&row["Hash"], &row["Action"]),
            (&record["hash"], &record["event"]["action"])
        );
        assert_eq!(row["Severity"], record["event"]["severity"]);
    }
    assert!(
        taken
            .iter()
            .any(|row| text(row).contains("\"checkpoint\"") && row["Action"] == "audit_log.checkpoint")
    );
    assert!(taken.iter().all(|row| row["IsTimeReplaced"] == false));
}

#[test]
fn what_is_out_of_the_window_has_the_time_of_now() {
    let Some(peer) = Peer::start("azure_monitor.py", &[]) else {
        return;
    };
    // In 2027, and in 1970.
    for back in [Duration::ZERO, Duration::from_secs(1_790_000_000)] {
        let (scene, clock) = (Scene::new(), Hand::new());
        clock.back(back);
        let log = scene.builder().clock(clock).open(scene.store()).expect("opens");
        log.add_sink(Feed::new("siem", sink(&peer.url(), of_token("good"))))
            .expect("added");
        flush(&log);
    }
    let taken = peer.taken();
    assert!(taken.len() >= 4);
    for row in taken {
        assert_eq!(row["IsTimeReplaced"], false, "{row}");
        assert_ne!(row["TimeGenerated"], row["RecordedAt"]);
    }
}

#[test]
fn a_token_that_is_refused_is_asked_for_once_more() {
    let Some(peer) = Peer::start("azure_monitor.py", &[]) else {
        return;
    };
    let asked = Arc::new(Mutex::new(0));
    let count = Arc::clone(&asked);
    let credentials = AzureCredentials::from_fn(move || {
        *count.lock().expect("unpoisoned") += 1;
        Ok(Token::new(if *count.lock().expect("unpoisoned") == 1 {
            "old"
        } else {
            "good"
        }))
    });
    let scene = Scene::new();
    let log = open_for(&scene, sink(&peer.url(), credentials));
    append(&log, 5);
    flush(&log);
    assert_eq!((*asked.lock().expect("unpoisoned"), peer.taken().len()), (2, 7));
    // One that never is good holds, and is not told.
    let scene = Scene::new();
    let log = open_for(&scene, sink(&peer.url(), of_token("never-to-be-printed")));
    assert_held(&log, "HTTP 401");
    assert!(!format!("{:?} {log:?}", log.state()).contains("never-to-be-printed"));
}

#[test]
fn what_is_misconfigured_holds_and_what_is_too_large_is_halved() {
    for status in [400, 403, 404] {
        let receiver = Receiver::answering(move |_| Reply::status(status).body("{\"error\":{\"code\":\"No\"}}"));
        let scene = Scene::new();
        let log = open_for(&scene, sink(&receiver.url(""), of_token("good")));
        append(&log, 3);
        assert_held(&log, &format!("HTTP {status}"));
        assert_eq!((state(&log).rejected, state(&log).position), (0, 0));
    }
    for status in [404, 413] {
        let receiver = Receiver::answering(move |request| match request.text().len() {
            ..=300_000 => Reply::status(204),
            _ => Reply::status(status),
        });
        let scene = Scene::new();
        let log = scene.open();
        append(&log, 1_500);
        log.add_sink(Feed::new("siem", sink(&receiver.url(""), of_token("good"))).without_checkpoints())
            .expect("added");
        flush(&log);
        assert_eq!(state(&log).rejected, 0);
        let size = log.checkpoint().expect("a checkpoint").checkpoint().size();
        assert_eq!(arrived(&receiver), (0..size).collect::<Vec<_>>());
    }
}

/// The token that a sink uses with these credentials.
fn used(credentials: AzureCredentials) -> String {
    let receiver = Receiver::answering(|_| Reply::status(204));
    let scene = Scene::new();
    let log = open_for(&scene, sink(&receiver.url(""), credentials));
    flush(&log);
    receiver.requests()[0]
        .header("authorization")
        .expect("a token")
        .to_owned()
}

fn held(credentials: AzureCredentials, said: &str) {
    let receiver = Receiver::answering(|_| Reply::status(204));
    let scene = Scene::new();
    assert_held(&open_for(&scene, sink(&receiver.url(""), credentials)), said);
    assert!(receiver.requests().is_empty());
}

#[test]
fn an_application_gets_a_token_for_its_secret() {
    let entra = Receiver::answering(
        |request| match request.text().contains("client_secret=s%26cret%20%2B") {
            true => Reply::status(200).body("{\"token_type\":\"Bearer\",\"expires_in\":3599,\"access_token\":\"T1\"}"),
            false => Reply::status(401).body("{\"error\":\"invalid_client\"}"),
        },
    );
    let place = [("AZURE_AUTHORITY_HOST", entra.url("/"))];
    let with = |secret: &'static str| {
        AzureCredentials::client_secret("ten/ant", "app", Secret::from(secret)).variables(variables(place.clone()))
    };
    assert_eq!(used(with("s&cret +")), "Bearer T1");
    let request = entra.requests()[0].clone();
    assert_eq!(request.path, "/ten%2Fant/oauth2/v2.0/token");
    let scope = "grant_type=client_credentials&client_id=app&scope=https%3A%2F%2Fmonitor.azure.com%2F.default&";
    assert!(request.text().starts_with(scope), "{}", request.text());
    held(with("another"), "Microsoft Entra answers HTTP 401");
    entra.answer(|_| Reply::status(200).body("{}"));
    let scene = Scene::new();
    let log = open_for(&scene, sink("http://127.0.0.1:9", with("s&cret +")));
    assert!(problem(&log).contains("gives no token"));
}

#[test]
fn a_machine_an_app_and_a_pod_get_tokens() {
    let given = "{\"access_token\":\"T2\",\"expires_on\":\"4000000000\",\"resource\":\"x\"}";
    let machine = Receiver::answering(move |request| match request.header("metadata") {
        Some("true") => Reply::status(200).body(given),
        _ => Reply::status(400),
    });
    let place = [("AZURE_POD_IDENTITY_AUTHORITY_HOST", machine.url(""))];
    assert_eq!(
        used(AzureCredentials::managed_identity_of("id").variables(variables(place))),
        "Bearer T2"
    );
    let asked =
        "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%3A%2F%2Fmonitor.azure.com&client_id=id";
    assert_eq!(machine.requests()[0].path, asked);

    let app = Receiver::answering(move |request| match request.header("x-identity-header") {
        Some("secret") => Reply::status(200).body(given),
        _ => Reply::status(403),
    });
    let place = |secret: &str| {
        [
            ("IDENTITY_ENDPOINT", app.url("/msi/token")),
            ("IDENTITY_HEADER", secret.to_owned()),
        ]
    };
    assert_eq!(
        used(AzureCredentials::managed_identity().variables(variables(place("secret")))),
        "Bearer T2"
    );
    assert_eq!(
        app.requests()[0].path,
        "/msi/token?api-version=2019-08-01&resource=https%3A%2F%2Fmonitor.azure.com"
    );
    held(
        AzureCredentials::managed_identity().variables(variables(place("no"))),
        "managed identity answers HTTP 403",
    );

    let pod = Receiver::answering(move |request| match request.text().contains("client_assertion=a.b.c") {
        true => Reply::status(200).body(given),
        false => Reply::status(400),
    });
    let folder = tempfile::tempdir().expect("a folder");
    let assertion = folder.path().join("token");
    std::fs::write(&assertion, "a.b.c\n").expect("written");
    let mut place = vec![
        ("AZURE_AUTHORITY_HOST", pod.url("")),
        ("AZURE_TENANT_ID", "tenant".to_owned()),
        ("AZURE_CLIENT_ID", "app".to_owned()),
        ("AZURE_FEDERATED_TOKEN_FILE", assertion.display().to_string()),
    ];
    assert_eq!(
        used(AzureCredentials::workload_identity().variables(variables(place.clone()))),
        "Bearer T2"
    );
    place.pop();
    held(
        AzureCredentials::workload_identity().variables(variables(place)),
        "AZURE_FEDERATED_TOKEN_FILE is not set",
    );
}

//! The service over HTTP on the loopback interface, and its log afterwards.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use indelible::{AuditLog, Event, FileStore, LogReader, MemoryStore, Outcome, SigningKey, Verifier};
use web_service::{Service, serve};

/// Sends one request and gives status and body.
fn request(address: &str, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    let mut text = format!("{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n");
    for (name, value) in headers {
        text += &format!("{name}: {value}\r\n");
    }
    text += &format!("content-length: {}\r\n\r\n{body}", body.len());
    stream.write_all(text.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    let body = answer.split_once("\r\n\r\n").unwrap().1.to_owned();
    (status, body)
}

const JSON: (&str, &str) = ("content-type", "application/json");

fn log_in(address: &str, user: &str, password: &str) -> (u16, String) {
    let body = format!(r#"{{"user":"{user}","password":"{password}"}}"#);
    let headers = [JSON, ("user-agent", "test/1"), ("x-request-id", "req_test")];
    let (status, body) = request(address, "POST", "/login", &headers, &body);
    let token = body.split('"').nth(3).unwrap_or_default();
    (status, format!("Bearer {token}"))
}

fn set(address: &str, bearer: &str, name: &str, value: &str) -> u16 {
    let path = format!("/admin/settings/{name}");
    request(address, "PUT", &path, &[("authorization", bearer)], value).0
}

fn events(folder: &Path) -> Vec<Event> {
    let reader = LogReader::new(FileStore::new(folder.join("audit")));
    let records = reader.records(..).unwrap();
    records
        .map(|record| record.unwrap().event().unwrap().unwrap())
        .collect()
}

/// The service as a process, which does not outlive a test that fails.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(folder: &Path) -> (Server, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_web_service"))
        .arg(folder)
        .arg("127.0.0.1:0")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let address = line.trim_end().strip_prefix("listening on ").unwrap().to_owned();
    (Server(child), address)
}

fn stop(mut server: Server) {
    let id = server.0.id().to_string();
    let told = Command::new("kill").args(["-s", "TERM", &id]).status().unwrap();
    assert!(told.success() && server.0.wait().unwrap().success());
}

#[test]
fn what_is_done_is_in_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let (server, address) = start(folder.path());
    assert_eq!(log_in(&address, "alice", "wrong").0, 401);
    assert_eq!(log_in(&address, "hunter2", "wrong").0, 401);
    let (status, alice) = log_in(&address, "alice", "wonderland");
    assert_eq!(status, 200);
    let (_, bob) = log_in(&address, "bob", "builder");
    assert_eq!(set(&address, &alice, "mfa", "on"), 403);
    assert_eq!(set(&address, "Bearer nonsense", "mfa", "on"), 403);
    assert_eq!(set(&address, &bob, "mfa", "on"), 204);
    assert_eq!(set(&address, &bob, "mfa", "off"), 204);
    assert_eq!(set(&address, &bob, "jo@example.com", "on"), 404);
    assert_eq!(set(&address, &bob, "mfa", &"x".repeat(300_000)), 400);
    assert_eq!(
        request(&address, "GET", "/", &[("authorization", &alice)], ""),
        (200, "mfa: off\n".into())
    );

    stop(server);

    let events = events(folder.path());
    let said: Vec<_> = events
        .iter()
        .map(|event| {
            let fields = event.fields();
            (fields.action.to_string(), fields.actor.as_ref().unwrap().id.as_str())
        })
        .collect();
    let said: Vec<_> = said.iter().map(|(action, actor)| (action.as_str(), *actor)).collect();
    let expected = [
        ("audit_log.created", "indelible"),
        ("audit_log.started", "indelible"),
        ("auth.login.failed", "anonymous"),
        ("auth.login.failed", "anonymous"),
        ("auth.login.succeeded", "usr_alice"),
        ("auth.login.succeeded", "usr_bob"),
        ("access.denied", "usr_alice"),
        ("access.denied", "anonymous"),
        ("config.updated", "usr_bob"),
        ("config.updated", "usr_bob"),
        ("data.accessed", "usr_alice"),
        ("audit_log.stopped", "indelible"),
    ];
    assert_eq!(said, expected);

    let failed = events[2].fields();
    assert_eq!(
        (failed.outcome, failed.targets[0].id.as_str()),
        (Outcome::Failure, "usr_alice")
    );
    let context = &failed.context;
    assert_eq!(context.request_id.as_deref(), Some("req_test"));
    assert_eq!(context.user_agent.as_deref(), Some("test/1"));
    assert!(context.ip.unwrap().is_loopback());
    let change = &events[9].fields().changes[0];
    let sides = [&change.old, &change.new].map(|side| side.as_ref().unwrap().as_str());
    assert_eq!((change.field.as_str(), sides), ("mfa", ["\"on\"", "\"off\""]));

    // Neither what was typed in for a user nor a token stands anywhere in it.
    let segment = folder.path().join("audit/segments/00000000000000000000.jsonl");
    let text = std::fs::read_to_string(segment).unwrap();
    for secret in ["hunter2", "wrong", &alice[7..], &bob[7..]] {
        assert!(!text.contains(secret), "{secret}");
    }
    let key = SigningKey::read_file(folder.path().join("audit.key")).unwrap();
    let report = Verifier::new(indelible::Signer::vkey(&key).clone())
        .verify_dir(folder.path().join("audit"))
        .unwrap();
    assert!(report.is_sound(), "{report}");
}

#[test]
fn nothing_that_anybody_sends_leaves_a_refusal_unrecorded_or_is_kept_for_good() {
    let folder = tempfile::tempdir().unwrap();
    let (server, address) = start(folder.path());
    for name in ["jo@example.com".to_owned(), "x".repeat(300)] {
        assert_eq!(set(&address, "Bearer nonsense", &name, "on"), 403);
    }
    let (agent, body) = ("a".repeat(270_000), r#"{"user":"alice","password":"wrong"}"#);
    for id in ["jo@example.com".to_owned(), "x".repeat(300)] {
        let headers = [JSON, ("user-agent", &agent), ("x-request-id", &id)];
        assert_eq!(request(&address, "POST", "/login", &headers, body).0, 401);
    }
    stop(server);

    let events = events(folder.path());
    let said: Vec<_> = events.iter().map(|event| event.fields().action.as_str()).collect();
    assert_eq!(
        said[2..6],
        [
            "access.denied",
            "access.denied",
            "auth.login.failed",
            "auth.login.failed"
        ]
    );
    let http = &events[2].fields().context.http;
    assert_eq!(http.path.as_deref(), Some("/admin/settings/{name}"));
    let segment = std::fs::read_to_string(folder.path().join("audit/segments/00000000000000000000.jsonl")).unwrap();
    assert!(!segment.contains("jo@example") && !segment.contains("xxxx"));
}

#[test]
fn without_its_log_it_fails_closed_on_a_change_and_open_on_a_view() {
    let log = AuditLog::builder("auth.example.com/audit")
        .signer(SigningKey::generate("auth.example.com/audit".parse().unwrap()).unwrap())
        .without_checkpoint_file()
        .open(MemoryStore::new())
        .unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let shutdown = async { drop(stopped.await) };
    let serving = runtime.spawn(serve(listener, Service::new(log.clone()), shutdown));

    let (_, bob) = log_in(&address, "bob", "builder");
    assert_eq!(set(&address, &bob, "mfa", "on"), 204);
    log.close(Duration::from_secs(5)).unwrap();
    assert_eq!(set(&address, &bob, "mfa", "off"), 503);
    assert_eq!(log_in(&address, "alice", "wonderland").0, 503);
    assert_eq!(request(&address, "GET", "/", &[], ""), (200, "mfa: on\n".into()));

    stop.send(()).unwrap();
    runtime.block_on(serving).unwrap().unwrap();
}

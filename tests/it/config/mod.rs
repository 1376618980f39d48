//! A log from one file: all of it, and what is wrong with it by key and line.

#[cfg(all(feature = "cloudwatch", feature = "azure", feature = "google"))]
mod clouds;
#[cfg(feature = "syslog")]
mod syslog;
#[cfg(all(
    feature = "webhook",
    feature = "splunk",
    feature = "datadog",
    feature = "otlp",
    feature = "syslog",
    feature = "cloudwatch",
    feature = "azure",
    feature = "google"
))]
mod targets;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use indelible::AuditLog;
use indelible::config::Config;

use crate::scene::*;

const WHOLE: &str = r#"
origin = "auth.example.com/audit"
path = "audit"
key_file = "audit.key"
checkpoint_file = "second/place"
source = "auth-service/1.4.2"
rotate_key_after = "90d"
queue_bytes = 1_000_000
segment_bytes = 0x10000

[retention]
keep = "1y"
rules = ["7y category=authentication", "forever tenant_id=org_acme"]
delivery_limit = "30d"
every = "1d"

[[exports]]
every = "day"
to = "exports"
format = "csv"
filter = "event_type=auth.*"
formula_guard = false

[[sinks]]
name = "copy"
type = "file"
path = "copy.jsonl"
form = "ocsf"
personal_data = false
proofs = true
checkpoints = false
filter = "event_type=auth.login.*"

[[sinks]]
name = "late"
type = "file"
path = "late.jsonl"
start = "now"

[[sinks]]
name = "second"
type = "file"
path = "second.jsonl"
start = 1
"#;

fn to_json(toml: &str) -> String {
    let read: serde_json::Value = serde_json::json!({
        "origin": "auth.example.com/audit", "path": "audit", "key_file": "audit.key",
        "retention": {"keep": "1y", "rules": ["7y category=authentication"]},
        "sinks": [{"name": "copy", "type": "file", "path": "copy.jsonl", "form": "ecs"}],
    });
    assert!(toml.contains("copy.jsonl"));
    serde_json::to_string_pretty(&read).expect("JSON")
}

fn open(scene: &Scene, text: &str, name: &str) -> AuditLog {
    let path = scene.root().join(name);
    fs::create_dir_all(scene.root().join("second")).expect("a folder");
    fs::write(&path, text).expect("written");
    Config::read(&path).expect("a configuration").open().expect("opens")
}

#[test]
fn the_whole_of_a_log_stands_in_a_file() {
    let scene = Scene::new();
    let log = open(&scene, WHOLE, "audit.toml");
    log.append(login(1)).expect("recorded");
    log.flush_sinks(SOON).expect("delivered");
    let state = log.state();
    assert_eq!((state.sinks.len(), state.exports.len()), (3, 1));
    // Paths are taken from the folder of the file.
    assert_eq!(
        state.exports[0].destination,
        scene.root().join("exports").display().to_string()
    );
    eventually("a retention runs", || log.state().retention.runs > 0);
    let started = log
        .reader()
        .record(1)
        .expect("a record")
        .merged_json()
        .expect("not erased");
    assert!(started.contains("auth-service/1.4.2"), "{started}");
    log.close(SOON).expect("closes");
    assert!(scene.root().join("second/place").exists());
    let second = fs::read_to_string(scene.root().join("second.jsonl")).expect("a copy");
    assert!(
        second.lines().next().is_some_and(|line| line.contains("\"seq\":1}")),
        "{second}"
    );
    let copy = fs::read_to_string(scene.root().join("copy.jsonl")).expect("a copy");
    assert_eq!(copy.lines().count(), 1);
    let ocsf: serde_json::Value = serde_json::from_str(&copy).expect("JSON");
    assert_eq!(ocsf["class_uid"], 3002);
    assert!(!copy.contains("1@personal.example"));
    let original = ocsf["raw_data"].as_str().expect("the record with its proof");
    let delivered = indelible::proof::DeliveredRecord::from_json(copy.as_bytes()).expect("a record");
    assert!(original.contains("tlog-proof") && delivered.record().action().as_deref() == Some("auth.login.succeeded"));
    let verifier = indelible::Verifier::new(log.vkey());
    verifier
        .verify_record(delivered.record(), delivered.proof().expect("a proof"))
        .expect("verifies");
}

#[test]
fn json_says_the_same() {
    let scene = Scene::new();
    let log = open(&scene, &to_json(WHOLE), "audit.json");
    log.append(login(1)).expect("recorded");
    log.close(SOON).expect("closes");
    let copy = fs::read_to_string(scene.root().join("copy.jsonl")).expect("a copy");
    assert!(copy.lines().all(|line| line.contains("\"ecs\"")), "{copy}");
}

#[test]
fn what_is_wrong_is_named_by_key_and_line() {
    let base = "origin = 'auth.example.com/audit'\npath = 'audit'\nkey_file = 'audit.key'\n";
    let wrong = [
        ("origin = 1\npath = 'a'", "line 1: origin: it is a number, not a text"),
        ("path = 'a'", "line 1: origin: it is needed"),
        ("origin = 'a b'\npath = 'a'", "line 1: origin: "),
        ("origin = 'a'", "path: it is needed"),
        ("origin = ", "line 1: not TOML: "),
        (
            &format!("{base}keyfile = 'x'"),
            "line 4: keyfile: there is no such key here",
        ),
        (
            &format!("{base}queue_bytes = -1"),
            "line 4: queue_bytes: it is a number below 0, or too large, not a number",
        ),
        (
            &format!("{base}rotate_key_after = '90 days'"),
            "line 4: rotate_key_after: a period is",
        ),
        (
            &format!("{base}[retention]\nkeep = '1 year'"),
            "line 5: retention.keep: ",
        ),
        (
            &format!("{base}[retention]\nkeep = '1y'\nrules = ['7y tenant_id=a', '7y tenant=a']"),
            "line 6: retention.rules[1]: ",
        ),
        (
            &format!("{base}[retention]\nrules = []"),
            "line 4: retention.keep: it is needed",
        ),
        (
            &format!("{base}[[exports]]\nevery = 'week'\nto = 'a'"),
            "line 5: exports[0].every: it is hour or day",
        ),
        (
            &format!("{base}[[exports]]\nevery = 'day'\nto = 'a'\nformat = 'xml'"),
            "line 7: exports[0].format: ",
        ),
        (
            &format!("{base}[[sinks]]\nname = 'a'"),
            "line 4: sinks[0].type: it is needed",
        ),
        (
            &format!("{base}[[sinks]]\nname = 'a'\ntype = 'kafka'"),
            "line 6: sinks[0].type: it is one of file, stdout",
        ),
        (
            &format!("{base}[[sinks]]\nname = 'a'\ntype = 'file'"),
            "line 4: sinks[0]: path is needed",
        ),
        (
            &format!("{base}[[sinks]]\nname = 'a'\ntype = 'stdout'\nfilter = 'actr=1'"),
            "line 7: sinks[0].filter: ",
        ),
        (
            &format!("{base}[[sinks]]\nname = 'a'\ntype = 'stdout'\nform = 'xml'"),
            "line 7: sinks[0].form: a form is",
        ),
        (
            &format!("{base}[[sinks]]\nname = 'A'\ntype = 'stdout'"),
            "line 5: sinks[0].name: ",
        ),
        (
            &format!("{base}[[sinks]]\nname = 'a'\ntype = 'stdout'\n[[sinks]]\nname = 'a'\ntype = 'stdout'"),
            "line 8: sinks[1].name: ",
        ),
        (
            &format!("{base}[[sinks]]\nname = 'a'\ntype = 'stdout'\nfilter = 'seq_from=3'"),
            "line 7: sinks[0].filter: sink: a: its filter takes neither",
        ),
        (
            &format!("{base}[[sinks]]\nname = 'a'\ntype = 'stdout'\nfilter = 'last=7d'"),
            "line 7: sinks[0].filter: ",
        ),
        (
            &format!("{base}[[sinks]]\nname = 'a'\ntype = 'stdout'\nstart = 'later'"),
            "line 7: sinks[0].start: it is a text, not \"now\" or a seq",
        ),
        (
            &format!("{base}[[sinks]]\nname = 'a'\ntype = 'stdout'\nstart = 3\nrest = 1"),
            "line 8: sinks[0].rest: there is no such key here",
        ),
        (
            &format!("{base}[[sinks]]\nname = 'a'\ntype = 'file'\npath = ''"),
            "line 7: sinks[0].path: it is empty",
        ),
        (
            &format!("{base}[[exports]]\nevery = 'day'\nto = 'a'\nfilter = 'seq_to=9'"),
            "line 7: exports[0].filter: ",
        ),
        (
            &format!("{base}[[exports]]\nevery = 'day'\nto = 'a'\nfilter = 'last=7d'"),
            "line 7: exports[0].filter: ",
        ),
        (
            &format!("{base}[[exports]]\nevery = 'day'\nto = 'a'\n[[exports]]\nevery = 'hour'\nto = 'a'"),
            "line 9: exports[1].to: the same is exported there already",
        ),
        (
            &format!("{base}sinks = ['a']"),
            "line 4: sinks[0]: it is a text, not a table",
        ),
    ];
    for (text, expected) in wrong {
        let error = Config::from_toml(text, "").expect_err(text).to_string();
        assert!(error.starts_with(expected), "{text}\n{error}");
    }
    let error = Config::from_json("{\n\"origin\": \"a\",\n\"path\": true\n}", "")
        .expect_err("wrong")
        .to_string();
    assert_eq!(error, "line 3: path: it is true or false, not a text");
    for number in ["-1", "0.5", "1e400", "99999999999999999999"] {
        let text = format!("{{\"origin\": \"a\",\n\"path\": \"b\",\n\"queue_bytes\": {number}}}");
        let error = Config::from_json(&text, "").expect_err("wrong").to_string();
        assert_eq!(
            error,
            "line 3: queue_bytes: it is a number below 0, a fraction, or too large, not a number"
        );
    }
    let error = Config::from_json("{\n\"origin\":", "").expect_err("wrong").to_string();
    assert!(error.starts_with("line 2: not JSON: "), "{error}");
}

#[cfg(feature = "webhook")]
#[test]
fn a_secret_is_named_and_never_written_down() {
    let base = "origin = 'auth.example.com/audit'\npath = 'audit'\n[[sinks]]\nname = 'hook'\ntype = 'webhook'\n\
                url = 'http://localhost:1/'\n";
    let written = format!("{base}secret = 'whsec_hunter2'");
    let error = Config::from_toml(&written, "").expect_err("refused").to_string();
    assert!(
        error.starts_with("line 3: sinks[0].secret: a secret is not written down"),
        "{error}"
    );
    assert!(!error.contains("hunter2"));
    let nowhere = base.replace("http://localhost:1/", "localhost:1/T0KEN");
    let nowhere = format!("{nowhere}secret = {{ env = 'NO_SUCH_SECRET' }}");
    let error = Config::from_toml(&nowhere, "").expect_err("refused").to_string();
    assert_eq!(
        error,
        "line 6: sinks[0].url: it is no URL that begins with https:// or http://"
    );
    let missing = Config::from_toml(&format!("{base}secret = {{ env = 'NO_SUCH_SECRET' }}"), "").expect("read");
    let error = missing.check_secrets().expect_err("it is not set").to_string();
    assert_eq!(
        error,
        "line 7: sinks[0].secret: the environment variable NO_SUCH_SECRET is not set"
    );
    let scene = Scene::new();
    fs::write(scene.root().join("empty"), "\n").expect("written");
    let empty = Config::from_toml(&format!("{base}secret = {{ file = 'empty' }}"), scene.root()).expect("read");
    let error = empty.check_secrets().expect_err("it is empty").to_string();
    assert_eq!(error, "line 7: sinks[0].secret: it is empty");
    fs::write(scene.root().join("secret"), "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD\n").expect("written");
    let named = Config::from_toml(&format!("{base}secret = {{ file = 'secret' }}"), scene.root()).expect("read");
    named.check_secrets().expect("it is there");
    assert!(!format!("{named:?}").contains("C2FVs"));
}

#[test]
fn a_process_of_its_own_ships_what_the_service_records() {
    let scene = Scene::new();
    let config = || Config::from_toml(&WHOLE.replace("\"exports\"", "\"/dev/null/none\""), scene.root()).expect("read");
    fs::create_dir_all(scene.root().join("second")).expect("a folder");
    // It need not wait for the log, and nobody else looks into what it makes.
    let shipper = config().ship().expect("ships");
    let sinks = scene.root().join("audit/sinks");
    eventually("the sinks begin", || sinks.join("late.position").exists());
    for folder in [&sinks, &scene.root().join("audit")] {
        let mode = fs::metadata(folder).expect("a folder").permissions().mode();
        assert_eq!(mode & 0o777, 0o700, "{}", folder.display());
    }
    let log = config().without_sinks().open().expect("opens");
    assert!(log.state().sinks.is_empty());
    log.append(login(1)).expect("recorded");
    shipper.flush(Duration::from_secs(10)).expect("delivered");
    let copy = fs::read_to_string(scene.root().join("copy.jsonl")).expect("a copy");
    assert_eq!(copy.lines().count(), 1);
    shipper.stop(SOON).expect("stops");
    let none = Config::from_toml("origin = 'a'\npath = 'b'", "")
        .expect("read")
        .ship()
        .expect_err("no sink");
    assert_eq!(none.to_string(), "sinks: there is none");
}

//! Records in the schemas of others, checked by programs that share no code with this crate: `tests/foreign/schemas.py`.
//!
//! Run by `tests/foreign/run`, which finds a Python and its packages and names it in `INDELIBLE_PYTHON`.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use indelible::event::catalogue;
use indelible::schema::{cef, ecs, ocsf};
use indelible::{AuditLog, Event, MemoryStore, Record, SigningKey};
use serde_json::{Value, json};

/// A record of the two parts of an event.
fn recorded(event: &Value, personal: &Value) -> Record {
    let record = json!({
        "event": event, "personal": personal, "prev": "0".repeat(64),
        "recorded_at": "2026-02-01T00:00:05.000123Z", "seq": 7,
    });
    Record::from_json(record.to_string().as_bytes()).expect("a record")
}

/// Each action of the catalogue and others, with every field and with hardly any.
fn made_up() -> impl Iterator<Item = Record> {
    let full: Value = serde_json::from_str(include_str!("../vectors/schemas/full-event.json")).expect("JSON");
    let others = ["billing.invoice.paid", "session.paused", "data.made_up"];
    let actions = catalogue().map(|entry| entry.action).chain(others);
    actions.flat_map(move |action| {
        let mut event = full["event"].clone();
        event["action"] = action.into();
        let bare = json!({
            "action": action, "actor": {"id": "a=b|c\\", "type": "user"}, "outcome": "unknown", "severity": "low",
            "context": {}, "occurred_at": "2026-02-01T00:00:04.000000Z",
        });
        // What is no address is none for the schema either.
        let personal = json!({
            "actor": {"email": "not an address"}, "salt": "a5".repeat(16),
            "context": {"ip": "::ffff:203.0.113.7", "user_agent": " begins and ends with a space "},
        });
        [recorded(&event, &full["personal"]), recorded(&bare, &personal)]
    })
}

/// 2,900 real events, out of a log.
fn real() -> Vec<Record> {
    let key = SigningKey::from_seed("auth.example.com/audit".parse().expect("an origin"), &[1; 32]).expect("a key");
    let builder = AuditLog::builder("auth.example.com/audit")
        .signer(key)
        .without_checkpoint_file();
    let log = builder.open(MemoryStore::new()).expect("the log opens");
    let lines = include_str!("../vectors/cloudtrail/cloudtrail.jsonl").lines();
    let tickets: Vec<_> = lines
        .map(|line| {
            log.submit(Event::from_json(line.as_bytes()).expect("an event"))
                .expect("taken")
        })
        .collect();
    assert_eq!(tickets.len(), 2900);
    let receipts = tickets.into_iter().map(|ticket| ticket.wait().expect("recorded"));
    receipts
        .map(|receipt| log.reader().record(receipt.seq).expect("there"))
        .collect()
}

#[test]
#[ignore = "needs Python and packages of it: tests/foreign/run"]
fn other_programs_read_the_schemas() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut lines = String::new();
    for record in made_up().chain(real()) {
        let original = record.line();
        let mut event: Value = serde_json::from_str(&record.merged_json().expect("not erased")).expect("JSON");
        event["seq"] = record.seq().into();
        event["hash"] = record.hash().to_string().into();
        let mapped = json!({
            "ocsf": ocsf::record(&record, original), "ecs": ecs::record(&record, original),
            "cef": cef::record(&record, original), "event": event,
        });
        writeln!(lines, "{mapped}").expect("memory");
    }
    let (is_right, said) = check(folder.path(), &lines);
    assert!(is_right && said.ends_with(" records, 0 wrong\n"), "{said}");
    for (there, wrong) in [
        (r#"\"status_id\":"#, r#"\"status_ids\":"#),
        ("act=auth", "act=oauth"),
        ("cs1Label=hash", "cs1Label=hush"),
        (" outcome=", " outcomes="),
    ] {
        let (is_right, said) = check(folder.path(), &lines.replacen(there, wrong, 1));
        assert!(!is_right && said.ends_with(" records, 1 wrong\n"), "{wrong}: {said}");
    }
}

/// What the other programs say, and whether they find nothing wrong.
fn check(folder: &Path, lines: &str) -> (bool, String) {
    std::fs::write(folder.join("mapped.jsonl"), lines).expect("written");
    let python = std::env::var("INDELIBLE_PYTHON").unwrap_or_else(|_| "python3".into());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/foreign/schemas.py");
    let checked = Command::new(python)
        .arg(script)
        .arg(folder)
        .output()
        .expect("Python runs");
    let said = String::from_utf8_lossy(&checked.stdout).into_owned() + &String::from_utf8_lossy(&checked.stderr);
    (checked.status.success(), said)
}

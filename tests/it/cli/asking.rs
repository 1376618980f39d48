//! `query`, `count`, `tail` and `erase`.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use serde_json::Value;

use super::*;

const LOGINS: &str = r#"{"action":"auth.login.failed","actor":{"type":"user","id":"usr_alice123"},"occurred_at":"2026-02-01T10:00:00Z"}
{"action":"auth.login.failed","actor":{"type":"user","id":"usr_alice123"},"occurred_at":"2026-02-01T11:30:00Z","outcome":"denied"}
{"action":"auth.login.succeeded","actor":{"type":"user","id":"usr_bob"},"occurred_at":"2026-02-01T11:45:00Z"}
{"action":"auth.login.failed","actor":{"type":"user","id":"usr_carol"},"occurred_at":"2026-01-31T23:59:59Z"}
"#;

fn seqs(printed: &str) -> Vec<u64> {
    lines_of(printed.as_bytes())
        .iter()
        .map(|line| line["seq"].as_u64().unwrap())
        .collect()
}

#[test]
fn the_example_of_the_product_page_is_answered() {
    let folder = Folder::new();
    folder.append_good(LOGINS);
    let query = "start_time=2026-02-01T00:00:00Z&event_type=auth.login.failed&actor_id=usr_alice123";
    let printed = folder.good(&["query", "audit", query]);
    assert_eq!(seqs(&printed), [3, 2]);
    assert_eq!(lines_of(printed.as_bytes())[1]["event"]["actor"]["id"], "usr_alice123");
    let error = folder.bad(2, &["query", "audit", "actor=usr_alice123"]);
    assert!(error.contains("actor: no such parameter"), "{error}");
    // A page, and the way to the next one.
    let output = folder.run(&["query", "audit", "event_type=auth.*&limit=3&order=oldest"]);
    assert_eq!(seqs(&String::from_utf8_lossy(&output.stdout)), [2, 3, 4]);
    assert!(
        error_of(&output).contains("--all, or add cursor="),
        "{}",
        error_of(&output)
    );
    let all = folder.good(&["query", "audit", "event_type=auth.*&limit=3&order=oldest", "--all"]);
    assert_eq!(seqs(&all), [2, 3, 4, 5]);
}

#[test]
fn counts_are_printed_by_field_and_by_time() {
    let folder = Folder::new();
    folder.append_good(LOGINS);
    assert_eq!(
        folder.good(&["count", "audit", "event_type=auth.login.failed"]),
        "{\"records\":3}\n"
    );
    let by = folder.good(&["count", "audit", "event_type=auth.*", "--by", "actor_id"]);
    let first: Vec<&str> = by.lines().collect();
    assert_eq!(first[0], r#"{"records":2,"value":"usr_alice123"}"#);
    assert_eq!(first.len(), 3);
    let hours = folder.good(&["count", "audit", "actor_id=usr_alice123", "--every", "1h"]);
    let starts: Vec<Value> = lines_of(hours.as_bytes())
        .iter()
        .map(|line| line["start"].clone())
        .collect();
    assert_eq!(starts, ["2026-02-01T10:00:00.000000Z", "2026-02-01T11:00:00.000000Z"]);
    let error = folder.bad(2, &["count", "audit", "--every", "fortnight"]);
    assert!(error.contains("every: takes a period"), "{error}");
    assert_eq!(folder.good(&["count", "audit", "actor_id=nobody"]), "{\"records\":0}\n");
}

#[test]
fn what_is_erased_is_told_beside_what_is_found() {
    let folder = Folder::new();
    folder.append_good(LOGINS);
    let log = indelible::AuditLog::builder(ORIGIN).key_file(folder.path("audit.key"));
    let log = log.open(indelible::FileStore::new(folder.path("audit"))).unwrap();
    log.erase_records([2..=2], "requested").unwrap();
    drop(log);
    let output = folder.run(&["query", "audit", "event_type=auth.login.failed"]);
    assert_eq!(seqs(&String::from_utf8_lossy(&output.stdout)), [5, 3]);
    assert_eq!(error_of(&output), "indelible: erased records among them: 1\n");
}

#[test]
fn tail_prints_the_last_ones_and_follows() {
    let folder = Folder::new();
    folder.append_good(LOGINS);
    assert_eq!(seqs(&folder.good(&["tail", "audit", "-n", "2"])), [5, 6]);
    assert_eq!(
        seqs(&folder.good(&["tail", "audit", "event_type=auth.*", "-n", "2"])),
        [4, 5]
    );
    assert_eq!(seqs(&folder.good(&["tail", "audit", "--from", "3"])), [3, 4, 5, 6]);
    let mut tail = folder
        .command(&["tail", "audit", "event_type=auth.*", "--follow", "--from", "4"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(tail.stdout.take().unwrap()).lines();
    let mut next = || {
        let line: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        line["event"]["actor"]["id"].as_str().unwrap().to_owned()
    };
    assert_eq!([next(), next()], ["usr_bob", "usr_carol"]);
    // It waits, and gets what another process writes; that process makes a new segment.
    folder.append_good(LOGINS);
    assert_eq!([next(), next(), next()], ["usr_alice123", "usr_alice123", "usr_bob"]);
    tail.kill().unwrap();
    tail.wait().unwrap();
}

#[test]
fn tail_keeps_to_the_range_and_the_order_of_a_log() {
    let folder = Folder::new();
    folder.append_good(LOGINS);
    let tail = |arguments: &[&str]| seqs(&folder.good(&[&["tail", "audit"], arguments].concat()));
    assert_eq!(tail(&["order=oldest", "-n", "2"]), [5, 6]);
    assert_eq!(tail(&["seq_to=4", "-n", "2"]), [2, 3]);
    assert_eq!(tail(&["seq_to=4", "--from", "2"]), [2, 3]);
    assert_eq!(tail(&["seq_from=5", "--from", "2"]), [5, 6]);
    assert!(tail(&["seq_from=9", "--from", "2"]).is_empty());
    assert!(tail(&["seq_to=4", "--from", "9"]).is_empty());
    // It ends where nothing more can come.
    assert_eq!(tail(&["seq_to=4", "--follow", "-n", "1"]), [3]);
    let log = indelible::AuditLog::builder(ORIGIN).key_file(folder.path("audit.key"));
    let log = log.open(indelible::FileStore::new(folder.path("audit"))).unwrap();
    log.erase_records([4..=4], "requested").unwrap();
    drop(log);
    let output = folder.run(&["tail", "audit", "seq_to=6", "-n", "3"]);
    assert_eq!(seqs(&String::from_utf8_lossy(&output.stdout)), [2, 3, 5]);
    assert_eq!(error_of(&output), "indelible: erased records among them: 1\n");
}

/// What a user chose as an id stands on the terminal of who looks for it.
#[cfg(target_os = "linux")]
#[test]
fn a_terminal_is_commanded_nothing() {
    let folder = Folder::new();
    let hostile = ["\\u001b[2J", "\u{9b}31m", "\u{7f}", "\u{202e}", "\u{2028}", "\u{200b}"];
    let lines = hostile.map(|text| login(&format!("usr{text}x")));
    folder.append_good(lines.concat());
    let log = folder.path("audit").display().to_string();
    for arguments in [
        "query",
        "query --json",
        "cat",
        "count --by actor_id",
        "tail -n 50",
        "tail -n 50 --json",
    ] {
        let (command, options) = arguments.split_once(' ').unwrap_or((arguments, ""));
        let line = format!("{} {command} {log} {options}", env!("CARGO_BIN_EXE_indelible"));
        let shown = std::process::Command::new("script")
            .args(["-qec", &format!("stty rows 24 cols 400; {line}"), "/dev/null"])
            .stdin(Stdio::null())
            .output();
        let Ok(shown) = shown else {
            return eprintln!("SKIPPED: what a terminal is shown: script is not installed");
        };
        let shown = String::from_utf8(shown.stdout).unwrap();
        assert!(
            shown.contains("\\u202e") && shown.contains("\\u009b"),
            "{arguments}: {shown}"
        );
        let is_safe = |char: char| matches!(char, '\r' | '\n') || !char.is_control();
        assert!(shown.chars().all(is_safe), "{arguments}: {shown:?}");
        assert!(
            !shown.contains(['\u{202e}', '\u{2028}', '\u{200b}']),
            "{arguments}: {shown:?}"
        );
        for line in shown.lines().filter(|line| line.starts_with('{')) {
            serde_json::from_str::<Value>(line).unwrap();
        }
    }
}

#[test]
fn erasing_by_query_and_by_id_says_what_and_who_has_it() {
    let folder = Folder::new();
    let alice =
        r#"{"action":"auth.login.failed","actor":{"type":"user","id":"usr_alice123","email":"alice@example.com"}}"#;
    let bob = r#"{"action":"auth.login.failed","actor":{"type":"user","id":"usr_bob","email":"bob@example.com"},"id":"evt-7"}"#;
    folder.append_good([alice, bob, alice, ""].join("\n"));
    folder.good(&["export", "audit", "--key", "audit.key", "--to", "handed"]);
    let erase = [
        "erase",
        "audit",
        "--key",
        "audit.key",
        "--reason",
        "request 4711",
        "--by",
        "usr_dpo",
    ];
    // Neither of them is a filter.
    for query in ["", "limit=5", "order=oldest&proof=true&time=recorded_at"] {
        let error = folder.bad(2, &[&erase[..], &[query]].concat());
        assert!(error.contains("would erase everything"), "{error}");
    }
    let said = folder.good(&[&erase[..], &["user_id=usr_alice123"]].concat());
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines[0], "erased in 2 records");
    assert!(lines[1].starts_with("exported before: records 0 to "), "{said}");
    assert!(lines[1].ends_with("as jsonl to handed"), "{said}");
    let error = folder.bad(
        2,
        &[&erase[..], &["--records", "--id", "evt-7", "--id", "evt-8"]].concat(),
    );
    assert!(error.contains("no event has the id evt-8"), "{error}");
    let text = folder.good(&["cat", "audit"]);
    assert!(!text.contains("alice@example.com") && !text.contains("usr_bob") && text.contains("usr_alice123"));
    let announced = folder.run(&[
        "query",
        "audit",
        "event_type=audit_log.personal_data.erased,audit_log.record.erased",
    ]);
    let announced = String::from_utf8_lossy(&announced.stdout);
    assert_eq!(seqs(&announced).len(), 2);
    assert_eq!(announced.matches("\"id\":\"usr_dpo\"").count(), 2);
}

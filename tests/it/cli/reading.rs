//! `cat` and `checkpoint`.

use std::process::Stdio;

use super::*;

#[test]
fn cat_prints_the_records_of_a_range() {
    let folder = Folder::new();
    folder.append_good(logins(0..20));
    let all = folder.cat();
    assert_eq!(seqs(&all), (0..23).collect::<Vec<_>>());
    let range = |arguments: &[&str]| {
        let arguments = [&["cat", "audit"], arguments].concat();
        seqs(&lines_of(folder.good(&arguments).as_bytes()))
    };
    assert_eq!(range(&["--from", "5", "--to", "8"]), [5, 6, 7]);
    assert_eq!(range(&["--to", "2"]), [0, 1]);
    assert_eq!(range(&["--from", "21"]), [21, 22]);
    assert_eq!(range(&["--from", "21", "--to", "1000"]), [21, 22]);
    assert_eq!(range(&["--from", "5", "--to", "5"]), [0; 0]);
    assert_eq!(range(&["--from", "8", "--to", "5"]), [0; 0]);
    assert_eq!(range(&["--from", "23"]), [0; 0]);
    assert_eq!(range(&["--from", "18446744073709551615"]), [0; 0]);
    assert_eq!(range(&["--to", "0"]), [0; 0]);
}

#[test]
fn a_line_of_cat_is_canonical_and_has_the_whole_event() {
    let folder = Folder::new();
    folder.append_good(login("a"));
    let text = folder.good(&["cat", "audit", "--from", "2", "--to", "3"]);
    let line: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(serde_json_canonicalizer::to_string(&line).unwrap() + "\n", text);
    let keys: Vec<_> = line.as_object().unwrap().keys().cloned().collect();
    assert_eq!(keys, ["event", "hash", "recorded_at", "seq"]);
    assert_eq!(line["event"]["context"]["ip"], "203.0.113.7");
    assert_eq!(line["event"].get("salt"), None);
}

#[test]
fn what_is_personal_stays_so_when_it_is_printed_and_appended_again() {
    let event = login("a").replacen(
        '{',
        r#"{"metadata":{"note":"jo@example.com","n":1},"changes":[{"field":"phone","new":"jo 555"}],"personal":{"changes":[0],"metadata":["note"]},"#,
        1,
    );
    let (first, second) = (Folder::new(), Folder::new());
    first.append_good(event);
    let printed = first.cat()[2]["event"].clone();
    assert_eq!(printed["metadata"]["note"], "jo@example.com");
    second.append_good(printed.to_string());
    assert_eq!(second.cat()[2]["event"], printed);
    for folder in [first, second] {
        let segment = || folder.read("audit/segments/00000000000000000000.jsonl");
        assert!(segment().contains("jo@example.com") && segment().contains("jo 555"));
        let log = indelible::AuditLog::builder(ORIGIN)
            .key_file(folder.path("audit.key"))
            .open(indelible::FileStore::new(folder.path("audit")))
            .unwrap();
        log.erase_personal_data([2..=2], "requested").unwrap();
        log.close(std::time::Duration::from_secs(10)).unwrap();
        assert!(!segment().contains("jo@example.com") && !segment().contains("jo 555"));
    }
}

#[test]
fn what_is_erased_is_not_printed() {
    let folder = Folder::new();
    folder.append_good(logins(0..5));
    let hash = folder.cat()[4]["hash"].clone();
    let log = indelible::AuditLog::builder(ORIGIN)
        .key_file(folder.path("audit.key"))
        .open(indelible::FileStore::new(folder.path("audit")))
        .unwrap();
    log.erase_records([4..=4], "requested").unwrap();
    log.erase_personal_data([5..=5], "requested").unwrap();
    log.close(std::time::Duration::from_secs(10)).unwrap();

    let text = folder.good(&["cat", "audit", "--from", "4", "--to", "5"]);
    assert_eq!(text, format!("{{\"erased\":true,\"hash\":{hash},\"seq\":4}}\n"));
    let event = &folder.cat()[5]["event"];
    assert_eq!(event["actor"]["id"], "usr_3");
    assert_eq!(event.get("context"), None);
    folder.write("proof", folder.good(&["prove", "audit", "4"]));
    folder.write("record", format!("{{\"seq\":4,\"erased\":{hash}}}"));
    folder.good(&["check-proof", "proof", "--vkey", &folder.vkey(), "--record", "record"]);
}

#[test]
fn the_newest_checkpoint_is_printed_as_it_stands() {
    let folder = Folder::new();
    folder.append_good(logins(0..3));
    let checkpoint = folder.good(&["checkpoint", "audit"]);
    assert!(checkpoint.starts_with(&format!("{ORIGIN}\n6\n")), "{checkpoint}");
    let key: indelible::VerifierKey = folder.vkey().parse().unwrap();
    assert_eq!(indelible::Checkpoint::open(&checkpoint, &key).unwrap().size(), 6);
}

#[test]
fn reading_what_is_not_there_is_an_error() {
    let folder = Folder::new();
    std::fs::create_dir(folder.path("empty")).unwrap();
    for dir in ["none", "empty", "audit.key"] {
        folder.bad(2, &["cat", dir]);
        folder.bad(2, &["checkpoint", dir]);
        folder.bad(2, &["prove", dir, "0"]);
    }
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let folder = Folder::new();
    folder.append_good(logins(0..5000));
    for arguments in [
        &["cat", "audit"][..],
        &["checkpoint", "audit"],
        &["prove", "audit", "3"],
        &["--help"],
    ] {
        let mut child = folder
            .command(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(
            (output.status.code(), error_of(&output).as_str()),
            (Some(0), ""),
            "{arguments:?}"
        );
    }
}

#[test]
fn nobody_needs_to_hear_complaints() {
    let folder = Folder::new();
    let mut child = folder.command(&["cat", "none"]).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stderr.take());
    assert_eq!(child.wait().unwrap().code(), Some(2));
}

//! `append`: lines in, receipts out.

use std::process::Stdio;

use super::*;

#[test]
fn receipts_are_those_of_the_records_in_order() {
    let folder = Folder::new();
    let receipts = folder.append_good(logins(0..1000));
    assert_eq!(seqs(&receipts), (2..1002).collect::<Vec<_>>());
    let records = folder.cat();
    assert_eq!(records.len(), 1003);
    for receipt in receipts {
        let (seq, size) = (receipt["seq"].as_u64().unwrap(), receipt["size"].as_u64().unwrap());
        assert_eq!(records[seq as usize]["hash"], receipt["hash"]);
        assert!(seq < size && size <= 1003);
    }
}

#[test]
fn the_last_line_needs_no_line_feed_and_empty_lines_are_left_out() {
    let folder = Folder::new();
    let input = format!("\n{}  \r\n\n{}", login("a"), login("b").trim_end());
    assert_eq!(folder.append_good(input).len(), 2);
    assert_eq!(folder.append_good("").len(), 0);
    assert_eq!(folder.actors(), ["a", "b"]);
}

#[test]
fn a_bad_line_stops_it_and_all_before_it_is_recorded() {
    let cases = [
        ("{\"action\":\"auth.login.failed\"}\n", "line 4: actor: "),
        (
            "{\"action\":\"auth.login.failed\",\"user\":1}\n",
            "line 4: user: no such field",
        ),
        (
            "{\"action\":\"auth\",\"actor\":{\"type\":\"user\",\"id\":\"c\"}}\n",
            "line 4: action: ",
        ),
        (
            "{\"action\":\"a.b\",\"actor\":{\"type\":\"user\",\"id\":\"\"}}\n",
            "line 4: actor.id: ",
        ),
        ("not json\n", "line 4: "),
        ("{\"action\":", "line 4: "),
        (
            "{\"action\":\"audit_log.created\",\"actor\":{\"type\":\"user\",\"id\":\"c\"}}\n",
            "line 4: action: ",
        ),
        (
            &format!("{}\n", " ".repeat(2_000_000)),
            "line 4: longer than 1048576 bytes",
        ),
        (&login(&"x".repeat(300)), "line 4: actor.id: "),
    ];
    for (bad, expected) in cases {
        let folder = Folder::new();
        let output = folder.append(format!("{}\n{}{bad}{}", login("a"), login("b"), login("d")));
        let error = error_of(&output);
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(error.starts_with(&format!("indelible: input: {expected}")), "{error}");
        assert_eq!(seqs(&lines_of(&output.stdout)), [2, 3]);
        assert_eq!(folder.actors(), ["a", "b"]);
        assert_eq!(folder.cat().last().unwrap()["event"]["action"], "audit_log.stopped");
    }
}

#[test]
fn a_line_that_is_too_large_for_the_log_names_what_is() {
    let folder = Folder::new();
    let large = login("b").replacen('{', &format!(r#"{{"metadata":{{"note":"{}"}},"#, "x".repeat(70_000)), 1);
    let output = folder.append(login("a") + &large + &login("c"));
    assert!(
        error_of(&output).starts_with("indelible: input: line 2: "),
        "{}",
        error_of(&output)
    );
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(folder.actors(), ["a"]);
}

#[test]
fn an_event_sent_again_gets_its_first_receipt() {
    let folder = Folder::new();
    let input: String = (0..300).map(|n| login_with_id("a", &format!("id-{n}"))).collect();
    let first = folder.append_good(&input);
    let again = folder.append_good(input.clone() + &input);
    assert_eq!(again[..300], first);
    assert_eq!(again[300..], first);
    assert_eq!(folder.actors().len(), 300);
}

#[test]
fn an_id_used_again_for_another_event_is_a_bad_line() {
    let again = login_with_id("other", "id-7");
    let with_ids =
        |users: std::ops::Range<usize>| -> String { users.map(|n| login_with_id("a", &format!("id-{n}"))).collect() };
    for known in [true, false] {
        let folder = Folder::new();
        if known {
            folder.append_good(with_ids(0..20));
        }
        let before = if known { with_ids(20..40) } else { with_ids(0..20) };
        let output = folder.append(before + &again + &logins(0..50));
        assert_eq!(output.status.code(), Some(2));
        let error = error_of(&output);
        assert!(error.starts_with("indelible: input: line 21: id \"id-7\""), "{error}");
        assert_eq!(lines_of(&output.stdout).len(), 20);
        assert_eq!(folder.actors().len(), if known { 40 } else { 20 });
    }
}

#[test]
fn each_receipt_comes_before_the_next_line_is_asked_for() {
    let folder = Folder::new();
    let mut talk = folder.talk();
    for n in 0..50 {
        let line = match n % 2 {
            0 => login(&format!("usr_{n}")),
            _ => login_with_id(&format!("usr_{n}"), &format!("id-{n}")),
        };
        // In two pieces: half a line is no line.
        let (one, two) = line.split_at(10);
        talk.say(one);
        talk.say(two);
        assert_eq!(talk.hear()["seq"], n + 2);
    }
    // A line without its end is recorded once the input ends.
    talk.say(login("last").trim_end());
    let (code, error) = talk.end();
    assert_eq!((code, error.as_str()), (Some(0), ""));
    assert_eq!(folder.actors().len(), 51);
}

#[test]
fn it_records_on_when_nobody_reads_its_receipts() {
    let folder = Folder::new();
    let mut talk = folder.talk();
    talk.say(&login("first"));
    talk.hear();
    drop(talk.receipts.take());
    for n in 0..20 {
        talk.say(&logins(n * 500..(n + 1) * 500));
    }
    let (code, error) = talk.end();
    assert_eq!((code, error.as_str()), (Some(0), ""));
    assert_eq!(folder.actors().len(), 10_001);
}

#[test]
fn receipts_that_cannot_be_printed_are_an_error_after_all_is_recorded() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full");
    let Ok(full) = full else { return };
    let folder = Folder::new();
    folder.write("input", logins(0..100));
    let arguments = ["append", "audit", "--key", "audit.key", "input"];
    let output = folder.command(&arguments).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(error_of(&output).contains("standard output"), "{}", error_of(&output));
    assert_eq!(folder.actors().len(), 100);
}

#[test]
fn nothing_is_made_for_an_input_or_a_key_that_is_not_there() {
    let folder = Folder::new();
    folder.write("input", login("a"));
    assert!(
        folder
            .bad(2, &["append", "audit", "--key", "audit.key", "none"])
            .contains("none")
    );
    assert!(
        folder
            .bad(2, &["append", "audit", "--key", "none.key", "input"])
            .contains("none.key")
    );
    assert!(!folder.path("audit").exists() && !folder.path("none.key").exists());
}

#[test]
fn a_log_that_another_process_writes_is_left_alone() {
    let folder = Folder::new();
    let mut talk = folder.talk();
    talk.say(&login("a"));
    talk.hear();
    folder.write("input", login("b"));
    let error = folder.bad(2, &["append", "audit", "--key", "audit.key", "--wait", "0", "input"]);
    assert!(error.contains(&format!("process {}", talk.child.id())), "{error}");
    let error = folder.bad(
        2,
        &[
            "rotate-key",
            "audit",
            "--key",
            "audit.key",
            "--new",
            "new.key",
            "--wait",
            "0",
        ],
    );
    assert!(error.contains(&format!("process {}", talk.child.id())), "{error}");
    assert!(!folder.path("new.key").exists());

    // It is waited for: the log is handed over when the first writer ends.
    let waiting = folder
        .command(&["append", "audit", "--key", "audit.key", "--wait", "30", "input"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    talk.say(&login("c"));
    talk.hear();
    assert_eq!(talk.end().0, Some(0));
    let output = waiting.wait_with_output().unwrap();
    assert_eq!((output.status.code(), error_of(&output).as_str()), (Some(0), ""));
    assert_eq!(folder.actors(), ["a", "c", "b"]);
}

#[test]
fn a_log_whose_checkpoint_is_gone_is_opened_only_when_told() {
    let folder = Folder::new();
    folder.append_good(login("a"));
    let kept = std::fs::read_dir(folder.folder.path()).unwrap();
    let kept: Vec<_> = kept
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "checkpoint"))
        .collect();
    assert_eq!(kept.len(), 1);
    std::fs::remove_file(&kept[0]).unwrap();
    let output = folder.append(login("b"));
    assert_eq!(output.status.code(), Some(2));
    assert!(
        error_of(&output).contains("--accept-missing-checkpoint"),
        "{}",
        error_of(&output)
    );
    let accept = [
        "append",
        "audit",
        "--key",
        "audit.key",
        "--accept-missing-checkpoint",
        "input",
    ];
    folder.good(&accept);
    assert_eq!(folder.actors(), ["a", "b"]);

    // In another place.
    folder.good(&[
        "append",
        "other",
        "--key",
        "audit.key",
        "--checkpoint-file",
        "kept",
        "input",
    ]);
    assert!(folder.read("kept").starts_with(ORIGIN));
    std::fs::remove_dir_all(folder.path("other")).unwrap();
    let error = folder.bad(
        2,
        &[
            "append",
            "other",
            "--key",
            "audit.key",
            "--checkpoint-file",
            "kept",
            "input",
        ],
    );
    assert!(error.contains("rolled back"), "{error}");
}

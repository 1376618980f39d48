//! `verify`.

use std::process::Stdio;

use super::*;

/// A log of 20 logins, and its vkey.
fn log() -> (Folder, String) {
    let folder = Folder::new();
    folder.append_good(logins(0..20));
    let vkey = folder.vkey();
    (folder, vkey)
}

fn report(folder: &Folder, code: i32, arguments: &[&str]) -> Value {
    let output = folder.run(&[&["verify", "audit", "--json"], arguments].concat());
    assert_eq!((output.status.code(), error_of(&output).as_str()), (Some(code), ""));
    let mut lines = lines_of(&output.stdout);
    assert_eq!(lines.len(), 1);
    lines.remove(0)
}

const SEGMENT: &str = "audit/segments/00000000000000000000.jsonl";

#[test]
fn a_sound_log_is_sound() {
    let (folder, vkey) = log();
    let text = folder.good(&["verify", "audit", "--vkey", &vkey]);
    assert!(text.starts_with("sound: 23 records"), "{text}");
    let report = report(&folder, 0, &["--vkey", &vkey]);
    assert_eq!(report["sound"], true);
    let numbers = ["records", "size", "first", "erased"].map(|key| report[key].as_u64().unwrap());
    assert_eq!(numbers, [23, 23, 0, 0]);
    assert_eq!(report["findings"], Value::Array(vec![]));
    assert_eq!(report["root"].as_str().unwrap().len(), 64);
    assert!(report["checkpoints"].as_u64().unwrap() >= 2);
}

#[test]
fn a_change_is_found() {
    let (folder, vkey) = log();
    folder.write(SEGMENT, folder.read(SEGMENT).replace("usr_7", "usr_8"));
    let report = report(&folder, 1, &["--vkey", &vkey]);
    assert_eq!(report["sound"], false);
    // The link in the record after it does not fit any more.
    let finding = &report["findings"][0];
    let line = folder
        .read(SEGMENT)
        .lines()
        .position(|line| line.ends_with("\"seq\":10}"));
    assert_eq!((&finding["kind"], &finding["seq"]), (&"broken_link".into(), &10.into()));
    assert_eq!(finding["line"], line.unwrap() + 1);
    assert_eq!(finding["file"], SEGMENT.strip_prefix("audit/").unwrap());
    let output = folder.run(&["verify", "audit", "--vkey", &vkey]);
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    assert_eq!((output.status.code(), error_of(&output).as_str()), (Some(1), ""));
    assert!(text.contains("NOT SOUND") && text.contains("broken_link"), "{text}");
}

#[test]
fn another_key_is_a_finding_and_one_of_several_is_enough() {
    let (folder, vkey) = log();
    let other = folder.good(&["keygen", "other.key", "--origin", ORIGIN]);
    let other = other.trim_end();
    assert_eq!(
        report(&folder, 1, &["--vkey", other])["findings"][0]["kind"],
        "bad_signature"
    );
    report(&folder, 0, &["--vkey", other, "--vkey", &vkey]);
    report(&folder, 0, &["--vkey", &vkey, "--vkey", other]);
}

#[test]
fn a_rotated_log_verifies_under_both_keys() {
    let (folder, vkey) = log();
    let new = folder.good(&["rotate-key", "audit", "--key", "audit.key", "--new", "new.key"]);
    report(&folder, 0, &["--vkey", &vkey]);
    report(&folder, 0, &["--vkey", new.trim_end()]);
}

#[test]
fn a_checkpoint_kept_elsewhere_shows_what_is_gone() {
    let (folder, vkey) = log();
    folder.write("early", folder.good(&["checkpoint", "audit"]));
    let early = folder.read(SEGMENT);
    folder.append_good(logins(0..3));
    // As `jq -r` prints it, with one line more.
    folder.write("late", format!("{}\n", folder.good(&["checkpoint", "audit"])));
    for kept in ["early", "late"] {
        report(&folder, 0, &["--vkey", &vkey, "--checkpoint", kept]);
    }
    // Cut off at a commit: only the checkpoint shows it.
    folder.write(SEGMENT, early);
    report(&folder, 0, &["--vkey", &vkey, "--checkpoint", "early"]);
    let finding = report(&folder, 1, &["--vkey", &vkey, "--checkpoint", "late"])["findings"][0].clone();
    assert_eq!(finding["kind"], "rolled_back");
}

#[test]
fn what_cannot_be_checked_is_an_error() {
    let (folder, vkey) = log();
    folder.write("none", "no checkpoint");
    folder.bad(2, &["verify", "audit"]);
    folder.bad(2, &["verify", "audit", "--vkey", "nonsense"]);
    folder.bad(2, &["verify", "missing", "--vkey", &vkey]);
    assert!(
        folder
            .bad(2, &["verify", "audit", "--vkey", &vkey, "--checkpoint", "none"])
            .contains("none")
    );
    folder.bad(2, &["verify", "audit", "--vkey", &vkey, "--checkpoint", "missing"]);
    folder.write(SEGMENT, folder.read(SEGMENT).replace("\"format\":1,", "\"format\":2,"));
    assert!(
        folder
            .bad(2, &["verify", "audit", "--vkey", &vkey])
            .contains("unsupported format 2")
    );
}

#[test]
fn the_verdict_stands_whether_it_is_read_or_not() {
    let (folder, vkey) = log();
    for (change, code) in [(false, 0), (true, 1)] {
        if change {
            folder.write(SEGMENT, folder.read(SEGMENT).replace("usr_7", "usr_8"));
        }
        let mut child = folder
            .command(&["verify", "audit", "--vkey", &vkey])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!((output.status.code(), error_of(&output).as_str()), (Some(code), ""));
    }
}

#[test]
fn a_log_is_verified_while_it_is_written() {
    let folder = Folder::new();
    let vkey = folder.vkey();
    let mut talk = folder.talk();
    talk.say(&login("first"));
    talk.hear();
    let mut input = talk.input.take().unwrap();
    let mut receipts = talk.receipts.take().unwrap();
    let writer = std::thread::spawn(move || {
        while input.write_all(logins(0..50).as_bytes()).is_ok() {
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
    });
    let reader = std::thread::spawn(move || std::io::copy(&mut receipts, &mut std::io::sink()));
    for _ in 0..5 {
        report(&folder, 0, &["--vkey", &vkey]);
    }
    talk.child.kill().unwrap();
    talk.child.wait().unwrap();
    writer.join().unwrap();
    reader.join().unwrap().unwrap();
}

/// A private key that is given by mistake is never shown again, wherever it is given.
#[test]
fn a_private_key_is_not_repeated() {
    let (folder, vkey) = log();
    let key = folder.read("audit.key").trim_end().to_owned();
    let secret = key.rsplit('+').next().unwrap();
    folder.write("proof", folder.good(&["prove", "audit", "7"]));
    let check = ["check-proof", "proof", "--record", "proof", "--vkey"];
    let cut = key.strip_prefix("PRIVATE+KEY+").unwrap();
    for given in [&key, cut] {
        for arguments in [&["verify", "audit", "--vkey"][..], &check] {
            let said = folder.bad(2, &[arguments, &[given]].concat());
            assert!(!said.contains(secret), "{said}");
        }
    }
    let said = folder.bad(2, &["verify", "audit", &key, "--vkey", &vkey]);
    assert!(!said.contains(secret) && said.contains("private key"), "{said}");
    assert!(
        folder
            .bad(2, &["verify", "audit", "--vkey", &key])
            .contains("private key")
    );
}

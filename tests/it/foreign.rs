//! A log of this crate, checked by a program that shares no code with it: `tests/foreign/verify.py`.
//!
//! Run by `tests/foreign/run`, which finds a Python and its packages and names it in `INDELIBLE_PYTHON`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use indelible::{Actor, AuditLog, Event, FileStore, SigningKey, VerifierKey, action};

/// What the other program says, and whether it finds the log sound.
fn run(arguments: &[&str]) -> (bool, String) {
    let python = std::env::var("INDELIBLE_PYTHON").unwrap_or_else(|_| "python3".into());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/foreign/verify.py");
    let output = Command::new(python)
        .arg(script)
        .args(arguments)
        .output()
        .expect("Python runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    match output.status.code() {
        Some(0) => (true, said),
        Some(1) => (false, said),
        _ => panic!("it could not check: {said}"),
    }
}

fn verify(log: &Path, vkey: &VerifierKey) -> (bool, String) {
    run(&[log.to_str().expect("UTF-8"), &vkey.to_string()])
}

fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed("auth.example.com/audit".parse().expect("an origin"), &[seed; 32]).expect("a key")
}

fn open(log: &Path, seed: u8) -> AuditLog {
    let builder = AuditLog::builder("auth.example.com/audit")
        .signer(key(seed))
        .without_checkpoint_file();
    builder
        .open(FileStore::new(log).segment_size(8 * 1024))
        .expect("the log opens")
}

fn event(round: u32) -> Event {
    Event::new(action::AUTH_LOGIN_SUCCEEDED)
        .actor(
            Actor::user(format!("usr_{round}"))
                .name("Ålesund \u{1f680} \"\\ \u{7f}")
                .email("a@example.com"),
        )
        .metadata("float", f64::from(round) * 1.5e-7)
        .metadata("text", "line\nfeed\tand \u{2028}")
        .personal_metadata("list", [round, 2, 3])
}

/// A life with rotations, erasures and a loss of the process, in several segments.
fn live(log: &Path) -> [VerifierKey; 3] {
    let keys = [1, 2, 3].map(|seed| indelible::Signer::vkey(&key(seed)).clone());
    let writer = open(log, 1);
    let append = |writer: &AuditLog, round| writer.append(event(round)).expect("recorded");
    (0..20).for_each(|round| _ = append(&writer, round));
    writer.rotate_key(key(2)).expect("rotated");
    let tickets: Vec<_> = (20..60)
        .map(|round| writer.submit(event(round)).expect("taken"))
        .collect();
    tickets
        .into_iter()
        .for_each(|ticket| _ = ticket.wait().expect("recorded"));
    writer
        .erase_personal_data([3..=9, 30..=31], "requested")
        .expect("erased");
    writer.erase_records([5..=6, 40..=44], "retention").expect("erased");
    drop(writer);
    let writer = open(log, 2);
    writer.rotate_key(key(3)).expect("rotated");
    (60..70).for_each(|round| _ = append(&writer, round));
    writer.close(Duration::from_secs(60)).expect("closed");
    keys
}

fn segments(log: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(log.join("segments")).expect("segments");
    let mut segments: Vec<_> = entries.map(|entry| entry.expect("a name").path()).collect();
    segments.sort();
    segments
}

#[test]
#[ignore = "needs Python and its package cryptography: tests/foreign/run"]
fn another_program_verifies_what_this_crate_writes() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("log");
    let [first, second, newest] = live(&log);
    assert!(segments(&log).len() > 3);
    for vkey in [&first, &second, &newest] {
        let (is_sound, said) = verify(&log, vkey);
        assert!(is_sound, "{said}");
    }
    let never_in_force = indelible::Signer::vkey(&key(4)).clone();
    assert!(!verify(&log, &never_in_force).0);

    // While it is open: space is written ahead, and a commit more is there.
    let writer = open(&log, 3);
    writer.append(event(70)).expect("recorded");
    let (is_sound, said) = verify(&log, &newest);
    assert!(is_sound, "{said}");
    let before = writer.reader().record(50).expect("there").seq();
    let left = writer.purge(before).expect("purged");
    assert!(left > 21, "the first rotation is purged");
    for vkey in [&first, &newest] {
        let (is_sound, said) = verify(&log, vkey);
        assert!(is_sound, "{said}");
    }
    writer.close(Duration::from_secs(60)).expect("closed");
    fs::remove_dir_all(log.join("keys")).expect("the kept rotation");
    assert!(!verify(&log, &first).0, "a vkey whose rotation is lost");
}

#[test]
#[ignore = "needs Python and its package cryptography: tests/foreign/run"]
fn another_program_finds_every_changed_byte_of_a_sample() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("log");
    let [_, _, newest] = live(&log);
    for (number, segment) in segments(&log).into_iter().enumerate() {
        let content = fs::read(&segment).expect("a segment");
        for sample in 0..6 {
            let at = (content.len() * sample / 6 + 37 * number) % content.len();
            let mut changed = content.clone();
            changed[at] ^= 1;
            fs::write(&segment, changed).expect("changed");
            let (is_sound, said) = verify(&log, &newest);
            assert!(!is_sound, "byte {at} of {}: {said}", segment.display());
        }
        fs::write(&segment, content).expect("as before");
    }
    let (is_sound, said) = verify(&log, &newest);
    assert!(is_sound, "{said}");
}

#[test]
#[ignore = "needs Python and its package cryptography: tests/foreign/run"]
fn another_program_takes_the_proofs() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("log");
    let [_, _, newest] = live(&log);
    let reader = indelible::LogReader::new(FileStore::new(&log));
    let file = |name: &str, content: &str| {
        let path = folder.path().join(name);
        fs::write(&path, content).expect("written");
        path.to_str().expect("UTF-8").to_owned()
    };
    let other = file("other", reader.record(1).expect("there").line().expect("not erased"));
    for seq in [0, 2, 20, 22, 50, 63] {
        let proof = file("proof", &reader.prove(seq).expect("proven").to_string());
        let record = file("record", reader.record(seq).expect("there").line().expect("not erased"));
        let (is_sound, said) = run(&["--proof", &proof, &newest.to_string(), &record]);
        assert!(is_sound, "{seq}: {said}");
        assert!(
            !run(&["--proof", &proof, &newest.to_string(), &other]).0,
            "{seq}: another record"
        );
    }
}

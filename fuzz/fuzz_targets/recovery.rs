//! Opening for writing: whatever the last segments hold, the log opens or is refused. Where it opens it is whole: it takes an
//! event, reads back, and opens again.

#![no_main]

use std::fs;
use std::path::Path;
use std::sync::LazyLock;
use std::time::Duration;

use indelible::{Actor, AuditLog, Event, FileStore, FindingKind, LogReader, Signer, SigningKey, Verifier, action};
use indelible_fuzz::{edit, folder};
use libfuzzer_sys::fuzz_target;

/// The files of a sound log of several segments.
static SOUND: LazyLock<Vec<(String, Vec<u8>)>> = LazyLock::new(|| {
    let folder = folder();
    let log = open(folder.path()).expect("a new log");
    for round in 0..8 {
        log.append(event(round)).expect("recorded");
    }
    log.close(Duration::from_secs(60)).expect("closed");
    let mut files: Vec<_> = fs::read_dir(folder.path().join("segments"))
        .expect("segments")
        .map(|entry| entry.expect("a name"))
        .map(|entry| {
            (
                entry.file_name().into_string().expect("UTF-8"),
                fs::read(entry.path()).expect("a segment"),
            )
        })
        .collect();
    files.sort();
    files
});

fuzz_target!(|input: &[u8]| {
    let Some((choice, edits)) = input.split_first() else {
        return;
    };
    let mut files = SOUND.clone();
    // So many segments are there; the last one is mutated, or takes what is left of the input as it stands.
    files.truncate(1 + usize::from(choice & 3));
    let Some((_, last)) = files.last_mut() else { return };
    if choice & 4 == 0 {
        edit(last, edits);
    } else {
        let kept = last.len() * usize::from(choice >> 3) / 31;
        last.truncate(kept);
        last.extend_from_slice(edits);
    }
    let folder = folder();
    fs::create_dir(folder.path().join("segments")).expect("a folder");
    for (name, content) in &files {
        fs::write(folder.path().join("segments").join(name), content).expect("a segment");
    }
    let before = read(folder.path());
    let Ok(log) = open(folder.path()) else {
        return assert_eq!(read(folder.path()), before, "a log that does not open is as before");
    };
    let receipt = log.append(event(100)).expect("a log that opened takes an event");
    drop(log);
    let log = open(folder.path()).expect("a log that opened opens again");
    assert_eq!(
        log.reader().record(receipt.seq).expect("it was acknowledged").hash(),
        receipt.hash
    );
    log.close(Duration::from_secs(60)).expect("closed");
    let reader = LogReader::new(FileStore::new(folder.path()));
    assert!(reader.records(..).expect("readable").all(|record| record.is_ok()));
    let report = Verifier::new(key().vkey().clone())
        .threads(1)
        .verify_dir(folder.path())
        .expect("readable");
    // Opening verifies the newest checkpoint alone: earlier ones can be anything of the right size and root.
    let known = |kind| matches!(kind, FindingKind::BadSignature | FindingKind::WrongOrigin);
    assert!(report.findings.iter().all(|finding| known(finding.kind)), "{report}");
});

fn read(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let segments = fs::read_dir(folder.join("segments")).expect("segments");
    let name = |entry: &fs::DirEntry| entry.file_name().into_string().expect("UTF-8");
    let read = |entry: fs::DirEntry| (name(&entry), fs::read(entry.path()).expect("a segment"));
    let mut files: Vec<_> = segments.map(|entry| read(entry.expect("a name"))).collect();
    files.sort();
    files
}

fn open(folder: &Path) -> indelible::Result<AuditLog> {
    let store = FileStore::new(folder).segment_size(4 * 1024).space_ahead(false);
    AuditLog::builder("fuzz.example.com/audit")
        .signer(key())
        .without_checkpoint_file()
        .open(store)
}

fn key() -> SigningKey {
    SigningKey::from_seed("fuzz.example.com/audit".parse().expect("an origin"), &[1; 32]).expect("a key")
}

fn event(round: usize) -> Event {
    Event::new(action::AUTH_LOGIN_SUCCEEDED).actor(Actor::user(format!("usr_{round}")).email("user@example.com"))
}

//! Caches: deleted, truncated, garbled or another log's, they never decide whether a log opens or what it says.

use std::fs;
use std::path::Path;

use indelible::{AuditLog, Cause, FileStore, LogReader, Receipt};

use crate::oracle;
use crate::scene::*;

const RECORDS: u64 = 540;

/// A log with ids, in segments, closed.
fn log_with(scene: &Scene, ids: &str) -> Vec<Receipt> {
    let log = scene
        .builder()
        .open(FileStore::new(scene.folder()).segment_size(150_000))
        .expect("opens");
    let tickets: Vec<_> = (0..RECORDS)
        .map(|round| log.submit(login(round).id(format!("{ids}-{round}"))).expect("room"))
        .collect();
    let receipts = tickets
        .into_iter()
        .map(|ticket| ticket.wait().expect("recorded"))
        .collect();
    log.close(SOON).expect("closed");
    receipts
}

/// Opens the log and asks all that a cache could answer wrongly.
fn ask_all(scene: &Scene, ids: &str, receipts: &[Receipt], what: &str) {
    let open = || -> AuditLog {
        let opened = scene
            .builder()
            .open(FileStore::new(scene.folder()).segment_size(150_000));
        opened.unwrap_or_else(|error| panic!("{what}: {error}"))
    };
    for round in 0..2 {
        let what = format!("{what}, opening {round}");
        let log = open();
        let size = log.state().size;
        for seq in [1, 256, 512, RECORDS] {
            let record = log.reader().record(seq).expect("a record");
            let proof = log
                .prove(seq)
                .unwrap_or_else(|error| panic!("{what}: proof of {seq}: {error}"));
            proof.verify(record.hash(), &log.vkey()).expect("verifies");
            let proof = LogReader::new(scene.store()).prove(seq);
            let proof = proof.unwrap_or_else(|error| panic!("{what}: proof of {seq} for a reader: {error}"));
            proof.verify(record.hash(), &log.vkey()).expect("verifies");
        }
        for index in [0, 300, 539] {
            let retry = login(index).id(format!("{ids}-{index}"));
            let again = log
                .append(retry)
                .unwrap_or_else(|error| panic!("{what}: retry of {index}: {error}"));
            assert_eq!(again, receipts[index], "{what}: retry of {index}");
            let other = login("other").id(format!("{ids}-{index}"));
            let error = log.append(other).expect_err(&what);
            assert!(matches!(error.cause(), Cause::IdReused { .. }), "{what}: {error}");
        }
        assert_eq!(log.state().size, size, "{what}");
        let fresh = log
            .append(login("fresh").id(format!("fresh-{size}")))
            .expect("recorded");
        assert_eq!(fresh.seq, size);
        log.close(SOON).expect("closed");
    }
}

fn tree_files(scene: &Scene) -> Vec<std::path::PathBuf> {
    let mut files = list(&scene.folder().join("tree"));
    files.sort();
    files
}

#[test]
fn caches_that_are_deleted_truncated_or_garbled_change_no_answer() {
    let scene = Scene::new();
    let receipts = log_with(&scene, "own");
    let names: Vec<_> = tree_files(&scene);
    assert!(names.len() >= 4, "{names:?}");
    type Ruin = fn(&Path, &[u8]);
    let ruins: [(&str, Ruin); 8] = [
        ("deleted", |path, _| fs::remove_file(path).expect("removed")),
        ("empty", |path, _| fs::write(path, "").expect("written")),
        ("half", |path, content| {
            fs::write(path, &content[..content.len() / 2]).expect("written")
        }),
        ("one byte short", |path, content| {
            fs::write(path, &content[..content.len().saturating_sub(1)]).expect("written")
        }),
        ("zeros", |path, content| {
            fs::write(path, vec![0; content.len()]).expect("written")
        }),
        ("garbled in the middle", |path, content| {
            let mut content = content.to_vec();
            let middle = content.len() / 2;
            if let Some(byte) = content.get_mut(middle) {
                *byte ^= 0x41;
            }
            fs::write(path, content).expect("written");
        }),
        ("longer", |path, content| {
            fs::write(path, [content, &[0x5A; 70_000]].concat()).expect("written")
        }),
        ("a folder", |path, _| {
            fs::remove_file(path).expect("removed");
            fs::create_dir(path).expect("made");
        }),
    ];
    for (how, ruin) in ruins {
        for name in names.iter().map(|path| path.file_name().expect("a name")) {
            let copy = scene.crash_copy();
            let path = copy.folder().join("tree").join(name);
            let content = fs::read(&path).expect("a cache");
            ruin(&path, &content);
            if how == "a folder" {
                // Not what a crash or an attacker without the key leaves; an error may say so, but no panic and no
                // hang.
                let _ = copy.builder().open(copy.store()).map(|log| log.close(SOON));
                continue;
            }
            ask_all(&copy, "own", &receipts, &format!("{} is {how}", name.display()));
        }
    }
    fs::remove_dir_all(scene.folder().join("tree")).expect("removed");
    ask_all(&scene, "own", &receipts, "all caches are deleted");
    oracle::check(&scene.store(), &scene.vkey());
}

#[test]
fn caches_of_another_log_change_no_answer() {
    let (scene, other) = (Scene::new(), Scene::new());
    let receipts = log_with(&scene, "own");
    log_with(&other, "foreign");
    let names: Vec<_> = tree_files(&scene);
    for name in names.iter().map(|path| path.file_name().expect("a name")) {
        let copy = scene.crash_copy();
        fs::copy(
            other.folder().join("tree").join(name),
            copy.folder().join("tree").join(name),
        )
        .expect("copied");
        ask_all(&copy, "own", &receipts, &format!("{} is another log's", name.display()));
    }
    fs::remove_dir_all(scene.folder().join("tree")).expect("removed");
    copy_folder(&other.folder().join("tree"), &scene.folder().join("tree"));
    // An id that the other log has and this one has not is a new one.
    let copy = scene.crash_copy();
    let log = copy.open();
    let size = log.state().size;
    let receipt = log
        .append(login("other").id("foreign-5"))
        .expect("it is not in this log");
    assert_eq!(receipt.seq, size);
    log.close(SOON).expect("closed");
    ask_all(&scene, "own", &receipts, "all caches are another log's");
    oracle::check(&scene.store(), &scene.vkey());
}

#[test]
fn caches_of_an_older_and_of_a_newer_state_change_no_answer() {
    let scene = Scene::new();
    let log = scene.open();
    log.append(login("early")).expect("recorded");
    log.close(SOON).expect("closed");
    let older = scene.crash_copy();
    let receipts = log_with(&scene, "own");
    let newer = scene.crash_copy();
    log_with(&newer, "more");

    for (caches, what) in [(&older, "older"), (&newer, "newer")] {
        let copy = scene.crash_copy();
        fs::remove_dir_all(copy.folder().join("tree")).expect("removed");
        copy_folder(&caches.folder().join("tree"), &copy.folder().join("tree"));
        ask_all(&copy, "own", &receipts, &format!("the caches are of a {what} state"));
    }
}

#[test]
fn a_wrong_tree_cache_is_put_right() {
    let scene = Scene::new();
    log_with(&scene, "own");
    let path = scene.folder().join("tree/0");
    let right = fs::read(&path).expect("the lowest level");
    for (seq, hash) in right.chunks(32).enumerate().step_by(50) {
        let record = LogReader::new(scene.store()).record(seq as u64).expect("a record");
        assert_eq!(
            record.hash().as_bytes(),
            hash,
            "the cache holds the hashes of the records"
        );
    }
    let mut wrong = right.clone();
    wrong[32 * 530] ^= 1;
    fs::write(&path, &wrong).expect("written");
    scene.open().close(SOON).expect("closed");
    let after = fs::read(&path).expect("the lowest level");
    assert!(after.starts_with(&right), "the cache is still wrong after an opening");
}

#[test]
fn a_reader_needs_no_cache_and_writes_none() {
    let scene = Scene::new();
    log_with(&scene, "own");
    fs::remove_dir_all(scene.folder().join("tree")).expect("removed");
    let reader = LogReader::new(scene.store());
    let record = reader.record(300).expect("a record");
    reader
        .prove(300)
        .expect("a proof")
        .verify(record.hash(), &scene.vkey())
        .expect("verifies");
    assert!(!scene.folder().join("tree").exists());
}

#[test]
fn nothing_is_purged_while_the_tree_cannot_be_kept() {
    let scene = Scene::new();
    let open = || {
        let opened = scene.builder().open(FileStore::new(scene.folder()).segment_size(2_000));
        opened.expect("opens")
    };
    let tree = scene.folder().join("tree/0");
    let log = open();
    for round in 0..20 {
        log.append(login(round)).expect("recorded");
    }
    fs::create_dir(&tree).expect("made");
    log.purge(15).expect_err("the tree cannot be written");
    log.close(SOON).expect("closed");
    let log = open();
    let error = log.purge(15).expect_err("the tree could not be read");
    assert!(matches!(error.cause(), Cause::Io { .. }), "{error}");
    assert_eq!(
        log.reader().first().expect("readable"),
        Some(0),
        "the only hashes are gone"
    );
    log.close(SOON).expect("closed");
    fs::remove_dir(&tree).expect("removed");
    let log = open();
    assert!(log.purge(15).expect("purged") > 10);
    log.close(SOON).expect("closed");
    let sound = oracle::check(&scene.store(), &scene.vkey());
    assert_eq!(sound.of("audit_log.purged").len(), 1, "announced and not done");
}

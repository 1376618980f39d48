//! Caches: deleted, truncated, garbled or another log's, they never decide whether a log opens or what it says.

use std::fs;
use std::path::Path;

use indelible::{AuditLog, Cause, FileStore, LogReader, Receipt, Verifier};

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
            ask_all(&copy, "own", &receipts, &format!("{} is {how}", name.display()));
        }
    }
    fs::remove_dir_all(scene.folder().join("tree")).expect("removed");
    let copy = scene.crash_copy();
    fs::write(copy.folder().join("tree"), "").expect("written");
    ask_all(&copy, "own", &receipts, "a file stands where the caches' folder should");
    ask_all(&scene, "own", &receipts, "all caches are deleted");
    oracle::check(&scene.store(), &scene.vkey());
}

#[test]
fn the_tree_cache_of_a_purged_log_is_whole_again_after_it_was_lost() {
    let scene = Scene::new();
    let open = || {
        let store = FileStore::new(scene.folder()).segment_size(12_000);
        scene.builder().open(store).expect("opens")
    };
    let log = open();
    for user in 0..120 {
        log.append(login(user)).expect("recorded");
    }
    let first = log.purge(90).expect("purged");
    assert!(first > 64, "{first}");
    log.close(SOON).expect("closed");
    fs::remove_dir_all(scene.folder().join("tree")).expect("removed");
    for round in 0..4 {
        let log = open();
        for user in 0..round * 150 {
            drop(log.submit(login(user)).expect("room"));
        }
        log.close(SOON).expect("closed");
        let size = log.state().size;
        let leaves = fs::read(scene.folder().join("tree/0")).expect("the lowest level");
        assert_eq!(leaves.len() as u64, 32 * size, "opening {round}");
        for seq in (first..size).step_by(37) {
            let record = LogReader::new(scene.store()).record(seq).expect("a record");
            let leaf = &leaves[usize::try_from(seq).expect("few") * 32..][..32];
            assert_eq!(leaf, record.hash().as_bytes(), "leaf {seq}");
        }
    }
}

#[test]
fn a_purge_keeps_the_hashes_of_the_records_though_the_cache_was_garbled() {
    let scene = Scene::new();
    let open = || {
        let store = FileStore::new(scene.folder()).segment_size(12_000);
        scene.builder().open(store).expect("opens")
    };
    let log = open();
    for user in 0..99 {
        log.append(login(user)).expect("recorded");
    }
    let old = log.checkpoint().expect("a checkpoint");
    for user in 0..500 {
        log.append(login(user)).expect("recorded");
    }
    log.close(SOON).expect("closed");
    let verifier = Verifier::new(scene.vkey()).trusted(old);
    for (level, index) in [(0, 10), (0, 100), (0, 300), (1, 0)] {
        let copy = scene.crash_copy();
        let path = copy.folder().join("tree").join(level.to_string());
        let mut content = fs::read(&path).expect("a level");
        content[32 * index..][..32].fill(0);
        fs::write(&path, content).expect("written");
        let log = copy.builder().open(FileStore::new(copy.folder())).expect("opens");
        assert!(log.purge(520).expect("purged") > 300);
        let report = verifier.verify_store(&copy.store()).expect("verified");
        assert!(
            report.is_sound() && report.notices.is_empty(),
            "level {level}: {report}"
        );
        let kept = fs::read(copy.folder().join("tree/0")).expect("the lowest level");
        log.close(SOON).expect("closed");
        for seq in 0..300 {
            let record = LogReader::new(scene.store()).record(seq).expect("a record");
            let at = usize::try_from(seq).expect("few") * 32;
            assert_eq!(kept[at..][..32], *record.hash().as_bytes(), "leaf {seq}");
        }
    }
}

#[test]
fn a_purge_fails_where_the_hashes_that_it_leaves_cannot_be_kept() {
    let scene = Scene::new();
    log_with(&scene, "own");
    let before = scene.segment_files();
    fs::remove_dir_all(scene.folder().join("tree")).expect("removed");
    fs::write(scene.folder().join("tree"), "").expect("written");
    let log = scene.open();
    let error = log.purge(500).expect_err("their hashes would be lost");
    assert!(matches!(error.cause(), Cause::Io { .. }), "{error}");
    log.close(SOON).expect("closed");
    assert!(scene.segment_files().starts_with(&before));
}

#[test]
fn the_position_never_lags_beyond_its_bound_however_often_a_log_is_opened_and_killed() {
    let mut scene = Scene::new();
    let store = |scene: &Scene| FileStore::new(scene.folder()).segment_size(16 << 20);
    for round in 0..5 {
        let log = scene.builder().open(store(&scene)).expect("opens");
        for user in 0..4 {
            log.append(large(format!("{round}_{user}"), 90_000)).expect("recorded");
        }
        let crashed = scene.crash_copy();
        drop(log);
        scene = crashed;
        let position = fs::read(scene.folder().join("tree/position")).expect("the position");
        let position: serde_json::Value = serde_json::from_slice(&position).expect("a position");
        let offset = position["offset"].as_u64().expect("an offset");
        let lag = content_of(&scene.last_segment()).len() as u64 - offset;
        assert!(lag <= 1 << 20, "after round {round} it lags by {lag} bytes");
    }
    // An opening that is refused leaves it there.
    let before = fs::read(scene.folder().join("tree/position")).expect("the position");
    fs::write(scene.place(), "garbage").expect("written");
    scene.builder().open(store(&scene)).expect_err("no second place");
    assert!(fs::read(scene.folder().join("tree/position")).expect("the position") == before);
}

#[test]
fn caches_of_another_log_change_no_answer() {
    let (scene, other) = (Scene::new(), Scene::new());
    let receipts = log_with(&scene, "own");
    log_with(&other, "foreign");
    let names: Vec<_> = tree_files(&scene);
    for name in names.iter().map(|path| path.file_name().expect("a name")) {
        let copy = scene.crash_copy();
        let foreign = other.folder().join("tree").join(name);
        // One that was closed at once may not have all of them.
        if !foreign.exists() {
            continue;
        }
        fs::copy(foreign, copy.folder().join("tree").join(name)).expect("copied");
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

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::event::{Actor, Event, action};
use crate::log::AuditLog;
use crate::log::recent::RecentFile;
use crate::merkle::{HashReader, Tree};
use crate::reader::tree::TreeCache;
use crate::reader::walk_near;
use crate::sign::SigningKey;
use crate::store::FileStore;

/// Opens the log, appends events, closes it, and gives its size.
fn session(folder: &Path, events: usize) -> u64 {
    let log = open(folder);
    append(&log, events);
    log.close(Duration::from_secs(20)).expect("closed");
    log.state().size
}

fn open(folder: &Path) -> AuditLog {
    let origin = "auth.example.com/audit".parse().expect("an origin");
    AuditLog::builder("auth.example.com/audit")
        .signer(SigningKey::from_seed(origin, &[7; 32]).expect("a key"))
        .without_checkpoint_file()
        .queue_bytes(64 << 20)
        .open(FileStore::new(folder).segment_size(2 << 20))
        .expect("opens")
}

fn append(log: &AuditLog, events: usize) {
    for _ in 0..events {
        let event = Event::new(action::AUTH_LOGIN_SUCCEEDED).actor(Actor::user("usr_1"));
        drop(log.submit(event).expect("room"));
    }
}

/// Whether the files of the cache hold the hashes of all records.
fn is_whole(folder: &Path, size: u64) -> bool {
    let mut cache = TreeCache::open_read(folder, size).expect("readable");
    let mut tree = Tree::new();
    walk_near(&FileStore::new(folder), 0, size, |leaf| tree.push(leaf.hash())).expect("readable");
    let leaves = |cache: &mut TreeCache| {
        let mut leaves = Tree::new();
        (0..size).all(|seq| cache.hash(0, seq).map(|leaf| leaves.push(leaf)).is_ok()) && leaves == tree
    };
    cache.size() == size && cache.tree_at(size).is_some_and(|cached| cached == tree) && leaves(&mut cache)
}

#[test]
fn a_tree_cache_that_lacks_much_is_read_beside_the_commits() {
    let folder = tempfile::tempdir().expect("a folder");
    let before = session(folder.path(), 40_000);
    let level = folder.path().join("tree/0");
    let right = fs::read(&level).expect("the lowest level");
    let garbled: Vec<u8> = right.iter().map(|byte| byte ^ 1).collect();
    for (what, content) in [
        ("gone", None),
        ("short", Some(&right[..32 * 9000])),
        ("wrong", Some(&garbled[..])),
    ] {
        match content {
            Some(content) => fs::write(&level, content).expect("written"),
            None => fs::remove_dir_all(folder.path().join("tree")).expect("removed"),
        }
        let log = open(folder.path());
        for round in 0..20 {
            append(&log, 300);
            let seq = before / 20 * round;
            let record = log.reader().record(seq).expect("a record");
            let proof = log.prove(seq).unwrap_or_else(|error| panic!("{what}: {error}"));
            proof.verify(record.hash(), &log.vkey()).expect("verifies");
        }
        log.shared().catch_up().expect("it is read");
        log.close(Duration::from_secs(20)).expect("closed");
        assert!(is_whole(folder.path(), log.state().size), "{what}");
    }
}

#[test]
fn a_tree_cache_whose_reading_was_cut_short_is_read_on_at_the_next_opening() {
    let folder = tempfile::tempdir().expect("a folder");
    session(folder.path(), 40_000);
    fs::remove_dir_all(folder.path().join("tree")).expect("removed");
    for _ in 0..3 {
        // Closed as soon as it is open: what is read meanwhile stays.
        session(folder.path(), 100);
    }
    let log = open(folder.path());
    log.shared().catch_up().expect("it is read");
    log.close(Duration::from_secs(20)).expect("closed");
    assert!(is_whole(folder.path(), log.state().size));
}

#[test]
fn a_purge_waits_until_the_tree_cache_is_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let size = session(folder.path(), 40_000);
    let leaf = TreeCache::open_read(folder.path(), size)
        .expect("readable")
        .hash(0, 5)
        .expect("a leaf");
    fs::remove_dir_all(folder.path().join("tree")).expect("removed");
    let log = open(folder.path());
    let first = log.purge(size / 2).expect("purged");
    assert!(first > 0);
    log.close(Duration::from_secs(20)).expect("closed");
    let mut cache = TreeCache::open_read(folder.path(), log.state().size).expect("readable");
    assert_eq!(cache.hash(0, 5).expect("it is kept"), leaf);
}

#[test]
fn caches_that_were_lost_are_whole_after_one_opening() {
    let folder = tempfile::tempdir().expect("a folder");
    session(folder.path(), 2_500);
    for cache in ["tree/ids", "tree/0", "tree/1"] {
        fs::remove_file(folder.path().join(cache)).expect("removed");
        let size = session(folder.path(), 1);
        assert_eq!(RecentFile::load(folder.path(), size).size(), size, "{cache}");
        let mut tree = TreeCache::open_read(folder.path(), size).expect("readable");
        assert!(tree.size() == size && tree.tree_at(size).is_some(), "{cache}");
    }
}

use std::fs;
use std::time::Duration;

use crate::event::{Actor, Event, action};
use crate::log::AuditLog;
use crate::log::recent::RecentFile;
use crate::reader::tree::TreeCache;
use crate::sign::SigningKey;
use crate::store::FileStore;

/// Opens the log, appends events, closes it, and gives its size.
fn session(folder: &std::path::Path, events: usize) -> u64 {
    let origin = "auth.example.com/audit".parse().expect("an origin");
    let log = AuditLog::builder("auth.example.com/audit")
        .signer(SigningKey::from_seed(origin, &[7; 32]).expect("a key"))
        .without_checkpoint_file()
        .open(FileStore::new(folder))
        .expect("opens");
    for _ in 0..events {
        let event = Event::new(action::AUTH_LOGIN_SUCCEEDED).actor(Actor::user("usr_1"));
        drop(log.submit(event).expect("room"));
    }
    log.close(Duration::from_secs(20)).expect("closed");
    log.state().size
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

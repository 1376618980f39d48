//! Opening under a key that is not in force any more changes nothing.

use std::sync::Arc;
use std::time::Duration;

use super::simulated::SimulatedDisk;
use crate::error::Cause;
use crate::event::{Actor, Event, action};
use crate::log::AuditLog;
use crate::reader::LogReader;
use crate::sign::SigningKey;
use crate::store::FileStore;

fn key(seed: u8) -> Arc<SigningKey> {
    Arc::new(SigningKey::from_seed("auth.example.com/audit".parse().expect("an origin"), &[seed; 32]).expect("a key"))
}

fn store(disk: &SimulatedDisk, segment_size: u64) -> FileStore {
    FileStore::on_disk(Arc::new(disk.clone()), "audit").segment_size(segment_size)
}

fn open(store: FileStore, key: &Arc<SigningKey>) -> crate::Result<AuditLog> {
    AuditLog::builder("auth.example.com/audit")
        .signer(Arc::clone(key))
        .without_checkpoint_file()
        .open(store)
}

#[test]
fn what_the_new_key_signed_is_not_taken_for_what_a_crash_left() {
    let event = || Event::new(action::AUTH_LOGIN_SUCCEEDED).actor(Actor::user("usr_1"));
    // In the segment of the rotation, and in one of its own.
    for segment_size in [1024 * 1024, 1] {
        let disk = SimulatedDisk::new();
        let log = open(store(&disk, segment_size), &key(1)).expect("opened");
        log.rotate_key(key(2)).expect("rotated");
        let receipt = log.append(event()).expect("recorded");

        let killed = disk.after_kill();
        let error = open(store(&killed, segment_size), &key(1)).expect_err("another key is in force");
        assert!(
            matches!(error.cause(), Cause::Configuration { option: "key", .. }),
            "{error}"
        );
        let log = open(store(&killed, segment_size), &key(2)).expect("opened");
        log.close(Duration::from_secs(10)).expect("closed");
        let record = LogReader::new(store(&killed, segment_size))
            .record(receipt.seq)
            .expect("there");
        assert_eq!(record.hash(), receipt.hash);
    }
}

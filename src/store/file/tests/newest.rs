//! What it costs a reader to learn the newest checkpoint.

use std::time::Duration;

use super::crash::{event, key, store};
use super::simulated::SimulatedDisk;
use crate::log::AuditLog;
use crate::reader::LogReader;

#[test]
fn reading_what_is_known_to_be_durable_syncs_nothing() {
    let (disk, key) = (SimulatedDisk::new(), key());
    // Without a thread that prepares segments meanwhile.
    let log = AuditLog::builder("auth.example.com/audit")
        .signer(key)
        .without_checkpoint_file()
        .open(store(&disk).space_ahead(false))
        .expect("opens");
    // Without the thread that looks for interrupted erasures, too.
    let mut calls = None;
    while calls.replace(disk.calls()) != Some(disk.calls()) {
        std::thread::sleep(Duration::from_millis(200));
    }
    let own = log.reader();
    for round in 0..8 {
        let receipt = log.append(event(round)).expect("recorded");
        let (of_writer, other) = (disk.calls(), LogReader::new(store(&disk)));
        own.record(receipt.seq).expect("acknowledged");
        assert_eq!(disk.calls(), of_writer, "a reader beside its own writer syncs");
        other.record(receipt.seq).expect("acknowledged");
        let synced_once = disk.calls();
        assert!(synced_once > of_writer, "a reader of another process must sync");
        other.record(receipt.seq).expect("acknowledged");
        assert_eq!(disk.calls(), synced_once, "the same commit is synced again");
    }
    log.close(Duration::from_secs(10)).expect("closed");
}

//! Crashes at every step: nothing acknowledged is missing, and the log is sound.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::simulated::{Plan, SimulatedDisk};
use crate::error::Cause;
use crate::event::{Actor, Event, action};
use crate::log::{AuditLog, Receipt};
use crate::reader::LogReader;
use crate::sign::{Signer, SigningKey};
use crate::store::file::disk::Disk;
use crate::store::{FileStore, Store};
use crate::verify::Verifier;

/// The life of a log, up to where it fails: opening, appends over several segments, an erasure, a purge, closing. Gives
/// what was acknowledged.
fn live(disk: &SimulatedDisk, key: &Arc<SigningKey>, rounds: usize) -> Vec<Receipt> {
    let mut acknowledged = Vec::new();
    let Ok(log) = open(disk, key) else { return acknowledged };
    for round in 0..rounds {
        match log.append(event(round)) {
            Ok(receipt) => acknowledged.push(receipt),
            Err(_) => return acknowledged,
        }
        if round == 6 {
            let _ = log.erase_personal_data([3..=4], "requested");
        }
        if round == 9 {
            let _ = log.erase_records([2..=3], "retention");
        }
        if round == 12 {
            let _ = log.purge(5);
        }
    }
    let _ = log.close(Duration::from_secs(10));
    acknowledged
}

fn open(disk: &SimulatedDisk, key: &Arc<SigningKey>) -> crate::Result<AuditLog> {
    AuditLog::builder("auth.example.com/audit")
        .signer(Arc::clone(key))
        .without_checkpoint_file()
        .lock_wait(Duration::from_secs(5))
        .open(store(disk))
}

pub(super) fn store(disk: &SimulatedDisk) -> FileStore {
    FileStore::on_disk(Arc::new(disk.clone()), "srv/log/audit").segment_size(3 * 1024)
}

pub(super) fn event(round: usize) -> Event {
    Event::new(action::AUTH_LOGIN_SUCCEEDED)
        .actor(Actor::user(format!("usr_{round}")).email(format!("user{round}@example.com")))
}

pub(super) fn key() -> Arc<SigningKey> {
    Arc::new(SigningKey::from_seed("auth.example.com/audit".parse().expect("an origin"), &[7; 32]).expect("a key"))
}

/// Opens the log again, and checks that every acknowledged record is there with its hash, and that what was purged was
/// announced. Gives the receipt of one more event.
pub(super) fn check(disk: &SimulatedDisk, key: &Arc<SigningKey>, acknowledged: &[Receipt], context: &str) -> Receipt {
    let log = open(disk, key).unwrap_or_else(|error| panic!("{context}: does not open: {error}"));
    let receipt = log
        .append(event(1000))
        .unwrap_or_else(|error| panic!("{context}: takes no event: {error}"));
    // What was announced and interrupted is done in the background.
    let verifier = Verifier::new(key.vkey().clone()).threads(1);
    let verified = || {
        verifier
            .verify_store(&store(disk))
            .unwrap_or_else(|error| panic!("{context}: {error}"))
    };
    let began = Instant::now();
    while !verified().notices.is_empty() && began.elapsed() < Duration::from_secs(10) {
        std::thread::sleep(Duration::from_millis(1));
    }
    log.close(Duration::from_secs(10))
        .unwrap_or_else(|error| panic!("{context}: does not close: {error}"));
    let reader = LogReader::new(store(disk));
    let first = reader.first().expect("readable").expect("records");
    for receipt in acknowledged.iter().chain([&receipt]) {
        if receipt.seq >= first {
            let record = reader
                .record(receipt.seq)
                .unwrap_or_else(|error| panic!("{context}: {error}"));
            assert_eq!(record.hash(), receipt.hash, "{context}: record {}", receipt.seq);
        }
    }
    let report = verified();
    assert!(report.is_sound(), "{context}: {report}");
    assert!(report.notices.is_empty(), "{context}: {report}");
    receipt
}

/// A sequence of answers that is the same for the same seed.
pub(super) fn choices(seed: u64) -> impl FnMut() -> bool {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state & 1 == 1
    }
}

const ROUNDS: usize = 16;

fn calls_of_a_life(key: &Arc<SigningKey>) -> u64 {
    let disk = SimulatedDisk::new();
    live(&disk, key, ROUNDS);
    disk.calls()
}

#[test]
fn power_lost_at_every_step() {
    let key = key();
    for at in 0..calls_of_a_life(&key) {
        let disk = SimulatedDisk::new();
        disk.plan(Plan::StopAt(at));
        let acknowledged = live(&disk, &key, ROUNDS);
        for seed in 0..4 {
            let choose: &mut dyn FnMut() -> bool = match seed {
                0 => &mut || false,
                1 => &mut || true,
                _ => &mut choices(at * 31 + seed),
            };
            let after = disk.after_power_loss(choose);
            check(
                &after,
                &key,
                &acknowledged,
                &format!("power lost at call {at}, seed {seed}"),
            );
        }
    }
}

#[test]
fn killed_at_every_step() {
    let key = key();
    for at in 0..calls_of_a_life(&key) {
        let disk = SimulatedDisk::new();
        disk.plan(Plan::StopAt(at));
        let acknowledged = live(&disk, &key, ROUNDS);
        check(&disk.after_kill(), &key, &acknowledged, &format!("killed at call {at}"));
    }
}

#[test]
fn killed_at_every_step_and_power_lost_after_the_next_opening() {
    let key = key();
    for at in 0..calls_of_a_life(&key) {
        let disk = SimulatedDisk::new();
        disk.plan(Plan::StopAt(at));
        let mut acknowledged = live(&disk, &key, ROUNDS);
        let disk = disk.after_kill();
        let log = open(&disk, &key).unwrap_or_else(|error| panic!("killed at call {at}: {error}"));
        acknowledged.push(log.append(event(500)).expect("a disk that works"));
        drop(log);
        for seed in 0..3 {
            let choose: &mut dyn FnMut() -> bool = match seed {
                0 => &mut || false,
                1 => &mut || true,
                _ => &mut choices(at),
            };
            let after = disk.after_power_loss(choose);
            let context = format!("killed at call {at}, then power lost, seed {seed}");
            check(&after, &key, &acknowledged, &context);
        }
    }
}

#[test]
fn every_call_fails_once() {
    let key = key();
    for at in 0..calls_of_a_life(&key) {
        let disk = SimulatedDisk::new();
        disk.plan(Plan::FailAt(at));
        let mut acknowledged = live(&disk, &key, ROUNDS);
        disk.plan(Plan::Nothing);
        acknowledged.push(check(&disk, &key, &acknowledged, &format!("call {at} failed")));
        check(
            &disk.after_power_loss(|| false),
            &key,
            &acknowledged,
            &format!("call {at} failed, then power lost"),
        );
    }
}

#[test]
fn a_failed_sync_whose_pages_look_clean() {
    let key = key();
    for at in 0..calls_of_a_life(&key) {
        let disk = SimulatedDisk::new();
        disk.plan(Plan::LoseAt(at));
        let mut acknowledged = live(&disk, &key, ROUNDS);
        disk.plan(Plan::Nothing);
        if let Ok(log) = open(&disk, &key) {
            acknowledged.push(log.append(event(500)).expect("a disk that works again"));
            log.close(Duration::from_secs(10)).expect("a disk that works again");
        }
        check(
            &disk.after_power_loss(|| false),
            &key,
            &acknowledged,
            &format!("the sync at call {at} lost pages"),
        );
    }
}

#[test]
fn a_full_disk_loses_nothing() {
    let key = key();
    for space in (0..20_000).step_by(700) {
        let disk = SimulatedDisk::new();
        disk.set_space_left(Some(space));
        let acknowledged = live(&disk, &key, ROUNDS);
        if acknowledged.len() < ROUNDS
            && let Ok(log) = open(&disk, &key)
        {
            let error = (0..100).find_map(|round| log.append(event(round)).err());
            let error = error.expect("the disk is full");
            assert!(
                matches!(error.cause(), Cause::Io { .. } | Cause::Poisoned(_)),
                "{error}"
            );
        }
        disk.set_space_left(None);
        check(&disk, &key, &acknowledged, &format!("disk full after {space} bytes"));
    }
}

#[test]
fn a_disk_with_less_space_than_a_segment_is_not_filled_again_and_again() {
    let (disk, key) = (SimulatedDisk::new(), key());
    let store = FileStore::on_disk(Arc::new(disk.clone()), "srv/log/audit").segment_size(8 << 20);
    let log = AuditLog::builder("auth.example.com/audit")
        .signer(Arc::clone(&key))
        .without_checkpoint_file()
        .open(store)
        .expect("opens");
    disk.set_space_left(Some(3 << 20));
    // The space of the first segment is there already.
    for round in 0..20 {
        let large = event(round).personal_metadata("filler", "x".repeat(45_000));
        log.append(large).expect("there is space for it");
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(disk.times_made("srv/log/audit/segments/spare"), 1);
    log.close(Duration::from_secs(10)).expect("closed");
}

#[test]
fn the_next_segment_is_prepared_once_a_prepared_one_begins_to_be_used() {
    let (disk, key) = (SimulatedDisk::new(), key());
    let log = open(&disk, &key).expect("opens");
    let spare = "srv/log/audit/segments/spare";
    let mut made = 0;
    let began = Instant::now();
    for round in 0.. {
        assert!(
            began.elapsed() < Duration::from_secs(10),
            "it is not prepared before the half of a segment"
        );
        let size = log.append(event(round)).expect("recorded").size;
        std::thread::sleep(Duration::from_millis(5));
        let first = store(&disk).segments().expect("listed").last().expect("one").first;
        // One record into a segment, and the space for the one after it is there.
        if size == first + 1 && made > 0 && disk.times_made(spare) > made {
            break;
        }
        made = disk.times_made(spare);
    }
    log.close(Duration::from_secs(10)).expect("closed");
}

#[test]
fn a_sync_that_fails_while_opening_fails_the_opening() {
    let key = key();
    let disk = SimulatedDisk::new();
    live(&disk, &key, 4);
    let reopen = |plan: Plan| {
        let disk = disk.after_kill();
        disk.plan(plan);
        // Large segments: of those nothing is prepared in the background meanwhile.
        let opened = AuditLog::builder("auth.example.com/audit")
            .signer(Arc::clone(&key))
            .without_checkpoint_file()
            .open(store(&disk).segment_size(1 << 20));
        // Before the log is dropped, which closes it.
        let (calls, failed) = (disk.calls(), disk.failed_syncs());
        (opened.map(drop), calls, failed)
    };
    let (_, calls, _) = reopen(Plan::Nothing);
    for at in 0..calls {
        let (opened, _, failed) = reopen(Plan::LoseAt(at));
        assert!(
            failed == 0 || opened.is_err(),
            "the sync at call {at} failed, and the log goes on"
        );
    }
}

#[test]
fn an_erasure_that_fails_leaves_no_copy_of_what_it_erases() {
    let key = key();
    let disk = SimulatedDisk::new();
    let log = open(&disk, &key).expect("opens");
    for round in 0..12 {
        log.append(event(round)).expect("recorded");
    }
    drop(log);
    let erase = |fails: Option<u64>| {
        let disk = disk.after_kill();
        let log = open(&disk, &key).expect("opens");
        let before = disk.calls();
        if let Some(ahead) = fails {
            disk.plan(Plan::FailAt(before + ahead));
        }
        let erased = log.erase_personal_data([3..=4], "requested").map(drop);
        drop(log);
        (disk.calls() - before, erased, disk)
    };
    for ahead in 0..erase(None).0 {
        let (_, erased, disk) = erase(Some(ahead));
        let left = disk
            .list(std::path::Path::new("srv/log/audit/segments"))
            .expect("listed");
        let is_copy = |name: &&String| left.contains(&name.replace(".new", ".jsonl")) && name.ends_with(".new");
        assert_eq!(
            left.iter().find(is_copy),
            None,
            "call {ahead} failed ({erased:?}): {left:?}"
        );
    }
}

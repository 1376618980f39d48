//! Compressing sealed segments: at every step, whatever fails there, the log is whole, and what was begun can be done
//! again.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::compressed::{check, event, log_with, open, other_key, read};
use super::simulated::{Plan, SimulatedDisk};
use crate::error::Cause;
use crate::log::{AuditLog, Receipt};
use crate::sign::Signer;
use crate::store::file::compressed::CompressedLines;
use crate::store::file::disk::{Disk, How};
use crate::store::{Compressed, FileStore, Store};
use crate::verify::Verifier;

fn store(disk: &SimulatedDisk) -> FileStore {
    FileStore::on_disk(Arc::new(disk.clone()), "audit")
        .segment_size(3 * 1024)
        .space_ahead(false)
}

/// Opens the log, with nothing at work in its background.
fn open_quiet(disk: &SimulatedDisk) -> AuditLog {
    let log = open(&store(disk), &other_key()).expect("opened");
    assert_eq!(log.compress(0).expect("nothing to do"), Compressed::default());
    log
}

/// A closed log of several plain segments.
fn begin() -> (SimulatedDisk, Vec<Receipt>) {
    let disk = SimulatedDisk::new();
    let receipts = log_with(&disk, &store(&disk), Path::new("audit"), |_, _| false);
    (disk, receipts)
}

fn names(disk: &SimulatedDisk) -> Vec<String> {
    let mut names = disk.list(Path::new("audit/segments")).expect("listed");
    names.sort();
    names
}

/// Checks that the log verifies without a finding, and has every record that was acknowledged, from `first` on.
fn check_sound(disk: &SimulatedDisk, receipts: &[Receipt], first: u64, context: &str) {
    let store = store(disk);
    let report = Verifier::new(other_key().vkey().clone())
        .threads(1)
        .verify_store(&store)
        .unwrap_or_else(|error| panic!("{context}: {error}"));
    assert!(report.is_sound() && report.notices.is_empty(), "{context}: {report}");
    check(&store, receipts, first);
}

fn compress(log: &AuditLog, context: &str) -> Compressed {
    log.compress(u64::MAX)
        .unwrap_or_else(|error| panic!("{context}: it is not compressed: {error}"))
}

/// Opens the log, compresses it, and checks that it is sound and that every segment but the last is compressed.
fn compress_and_check(disk: &SimulatedDisk, receipts: &[Receipt], context: &str) {
    let log = open(&store(disk), &other_key()).unwrap_or_else(|error| panic!("{context}: {error}"));
    compress(&log, context);
    assert_eq!(compress(&log, context), Compressed::default(), "{context}");
    log.append(event(100)).expect("recorded");
    log.close(Duration::from_secs(10)).expect("closed");
    check_sound(disk, receipts, 0, context);
    let segments = store(disk).segments().expect("listed");
    let plain = segments.iter().filter(|segment| segment.name.ends_with(".jsonl"));
    // The last one, and one that the event or the end of the log began.
    assert!(plain.count() <= 3, "{context}: {segments:?}");
    let strays = names(disk).into_iter().filter(|name| !name.contains(".jsonl"));
    assert_eq!(strays.count(), 0, "{context}: {:?}", names(disk));
    assert_eq!(names(disk).len(), segments.len(), "{context}: {:?}", names(disk));
}

#[test]
fn every_sealed_segment_but_the_last_is_compressed_and_nothing_else_changes() {
    let (disk, receipts) = begin();
    let content = |segment: &crate::store::Segment| {
        let store = store(&disk);
        read(store.lines(segment, 0).expect("opened").as_mut())
    };
    let log = open(&store(&disk), &other_key()).expect("opened");
    let before = store(&disk).segments().expect("listed");
    let lines: Vec<_> = before.iter().map(&content).collect();
    assert_eq!(log.compress(0).expect("nothing"), Compressed::default());
    let second = before[2].first;
    assert_eq!(log.compress(second - 1).expect("compressed").segments, 1);
    assert_eq!(log.compress(second).expect("compressed").segments, 1);
    assert_eq!(log.compress(second).expect("nothing"), Compressed::default());
    let rest = log.compress(u64::MAX).expect("compressed");
    assert_eq!(rest.segments as usize, before.len() - 3);
    assert!(0 < rest.bytes_after && rest.bytes_after < rest.bytes_before, "{rest:?}");
    let after = store(&disk).segments().expect("listed");
    assert_eq!(after.len(), before.len());
    for (index, (segment, lines)) in after.iter().zip(&lines).enumerate() {
        assert_eq!(segment.name.ends_with(".zst"), index + 1 < after.len(), "{segment:?}");
        if index + 1 < after.len() {
            assert!(content(segment) == *lines, "{segment:?}");
            // Whoever listed it before finds it.
            assert!(content(&before[index]) == *lines, "{segment:?}");
        }
    }
    // Nothing was announced: it is no loss of content.
    let size = log.state().size;
    log.append(event(100)).expect("recorded");
    assert_eq!(log.state().size, size + 1);
    log.close(Duration::from_secs(10)).expect("closed");
    check_sound(&disk, &receipts, 0, "compressed");
    let error = log.compress(u64::MAX).expect_err("closed");
    assert!(matches!(error.cause(), Cause::Closed), "{error}");
}

#[test]
fn power_lost_or_a_failure_at_every_step() {
    let (disk, _) = begin();
    let log = open_quiet(&disk);
    let began = disk.calls();
    compress(&log, "undisturbed");
    let ended = disk.calls();
    drop(log);
    assert!(ended - began > 6 * 4, "{} calls", ended - began);
    for step in 0..ended - began {
        for plan in [Plan::StopAt, Plan::FailAt, Plan::LoseAt] {
            let (disk, receipts) = begin();
            let log = open_quiet(&disk);
            let at = disk.calls() + step;
            let plan = plan(at);
            disk.plan(plan);
            let result = log.compress(u64::MAX);
            let context = format!("{plan:?}: {result:?}");
            if let Err(error) = &result {
                assert!(matches!(error.cause(), Cause::Io { .. }), "{context}");
            }
            let afters = [
                disk.after_power_loss(|| false),
                disk.after_power_loss(|| true),
                disk.after_power_loss(alternating(at % 2 == 0)),
                disk.after_kill(),
            ];
            for after in &afters {
                compress_and_check(after, &receipts, &context);
            }
            if !matches!(plan, Plan::StopAt(_)) {
                // The log goes on: it is not poisoned.
                disk.plan(Plan::Nothing);
                log.append(event(50)).expect("recorded");
                compress(&log, &context);
                log.erase_personal_data([0..=7], "requested").expect("erased");
                log.close(Duration::from_secs(10)).expect("closed");
                check_sound(&disk, &receipts, 0, &context);
                assert!(!holds(&disk, b"user1@example.com"), "{context}");
            }
        }
    }
}

fn alternating(first: bool) -> impl FnMut() -> bool {
    let mut next = !first;
    move || {
        next = !next;
        next
    }
}

/// Whether any file below the log holds these bytes, unpacked where it is compressed.
fn holds(disk: &SimulatedDisk, bytes: &[u8]) -> bool {
    ["audit", "audit/segments", "audit/keys", "audit/recovered", "audit/tree"]
        .iter()
        .flat_map(|folder| {
            let names = disk.list(Path::new(folder)).expect("listed");
            names.into_iter().map(move |name| Path::new(folder).join(name))
        })
        .any(|path| {
            let content = if path.extension().is_some_and(|end| end == "zst") {
                read(&mut CompressedLines::open(disk, &path).expect("opened")).0
            } else {
                let file = disk.open(&path, How::Read).expect("opened");
                let mut content = vec![0; usize::try_from(file.size().expect("a size")).expect("small")];
                file.read_at(&mut content, 0).expect("read");
                content
            };
            content.windows(bytes.len()).any(|window| window == bytes)
        })
}

#[test]
fn an_erasure_leaves_no_copy_and_the_segment_compressed() {
    let (disk, receipts) = begin();
    let log = open(&store(&disk), &other_key()).expect("opened");
    compress(&log, "before");
    assert!(holds(&disk, b"user1@example.com") && holds(&disk, b"user10@example.com"));
    log.erase_personal_data([receipts[1].seq..=receipts[1].seq], "requested")
        .expect("erased");
    assert!(!holds(&disk, b"user1@example.com") && holds(&disk, b"user10@example.com"));
    log.erase_records([receipts[11].seq..=receipts[11].seq], "retention")
        .expect("erased");
    assert!(!holds(&disk, b"user10@example.com") && !holds(&disk, b"usr_10\""));
    let plain = names(&disk).into_iter().filter(|name| name.ends_with(".jsonl"));
    assert!(plain.count() <= 3, "{:?}", names(&disk));
    log.close(Duration::from_secs(10)).expect("closed");
    check_sound(&disk, &receipts, 0, "erased");
    let log = open(&store(&disk), &other_key()).expect("opened");
    let first = log.purge(receipts[8].seq).expect("purged");
    assert!(first > receipts[4].seq && !names(&disk)[0].starts_with("00000000000000000000"));
    log.close(Duration::from_secs(10)).expect("closed");
    check_sound(&disk, &receipts, first, "purged");
}

#[test]
fn a_failed_erasure_of_a_compressed_segment_leaves_it_as_it_was_or_erased() {
    let begin = || {
        let (disk, receipts) = begin();
        let log = open_quiet(&disk);
        compress(&log, "before");
        (disk, receipts, log)
    };
    let (disk, receipts, log) = begin();
    let began = disk.calls();
    let erase = |log: &AuditLog| log.erase_personal_data([receipts[1].seq..=receipts[9].seq], "requested");
    erase(&log).expect("erased");
    let ended = disk.calls();
    drop(log);
    for step in 0..ended - began {
        for plan in [Plan::StopAt, Plan::FailAt] {
            let (disk, receipts, log) = begin();
            let at = disk.calls() + step;
            let plan = plan(at);
            disk.plan(plan);
            let result = erase(&log);
            let context = format!("{plan:?}: {result:?}");
            let after = disk.after_power_loss(|| at % 2 == 0);
            drop(log);
            let log = open(&store(&after), &other_key()).unwrap_or_else(|error| panic!("{context}: {error}"));
            log.append(event(100)).expect("recorded");
            erase(&log).unwrap_or_else(|error| panic!("{context}: {error}"));
            compress(&log, &context);
            log.close(Duration::from_secs(10)).expect("closed");
            assert!(!holds(&after, b"user1@example.com"), "{context}");
            check_sound(&after, &receipts, 0, &context);
        }
    }
}

#[test]
fn a_disk_without_room_for_the_compressed_segment_changes_nothing() {
    let (disk, receipts) = begin();
    let log = open(&store(&disk), &other_key()).expect("opened");
    let before = names(&disk);
    disk.set_space_left(Some(100));
    let error = log.compress(u64::MAX).expect_err("no space");
    assert!(matches!(error.cause(), Cause::Io { .. }), "{error}");
    assert_eq!(names(&disk), before);
    disk.set_space_left(None);
    log.append(event(100)).expect("recorded");
    log.close(Duration::from_secs(10)).expect("closed");
    check_sound(&disk, &receipts, 0, "without room");
}

#[test]
fn a_segment_that_is_damaged_is_not_compressed() {
    let (disk, _) = begin();
    let segment = store(&disk).segments().expect("listed").remove(1);
    let path = Path::new("audit").join(&segment.name);
    let file = disk.open(&path, How::Write).expect("opened");
    let size = file.size().expect("a size");
    file.set_size(size - 1).expect("cut");
    let log = open(&store(&disk), &other_key()).expect("opened");
    let error = log.compress(u64::MAX).expect_err("damage");
    assert!(matches!(error.cause(), Cause::Damaged { .. }), "{error}");
    let segments = store(&disk).segments().expect("listed");
    assert!(segments[0].name.ends_with(".zst") && segments[1] == segment);
    assert!(!names(&disk).iter().any(|name| name.ends_with(".new")));
}

#[test]
fn a_log_whose_newest_commit_stands_in_a_compressed_segment_goes_on() {
    let (disk, mut receipts) = begin();
    let log = open(&store(&disk), &other_key()).expect("opened");
    let newest = log.append(event(50)).expect("recorded");
    receipts.push(newest);
    drop(log);
    // Only a header follows it, as where a writer is killed between the two.
    let segments = store(&disk).segments().expect("listed");
    let log = open(&store(&disk), &other_key()).expect("opened");
    compress(&log, "before");
    let killed = disk.after_kill();
    drop(log);
    let last = segments.last().expect("a segment");
    let path = Path::new("audit").join(&last.name);
    let file = killed.open(&path, How::Write).expect("opened");
    let mut content = vec![0; usize::try_from(file.size().expect("a size")).expect("small")];
    file.read_at(&mut content, 0).expect("read");
    let header = content.iter().position(|byte| *byte == b'\n').expect("a header") + 1;
    let kept: Vec<Receipt> = receipts
        .iter()
        .filter(|receipt| receipt.seq < last.first)
        .copied()
        .collect();
    for left in [header, header / 2, 0] {
        file.set_size(left as u64).expect("cut");
        let disk = killed.after_kill();
        compress_and_check(&disk, &kept, &format!("{left} bytes left"));
    }
}

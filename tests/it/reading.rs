//! Reading beside a writer: what is read was acknowledged, stays, and is never half of anything.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use indelible::store::Store;
use indelible::{Cause, FileStore, LogReader, MemoryStore};

use crate::scene::*;

#[test]
fn an_empty_log_reads_as_empty() {
    let scene = Scene::new();
    for reader in [LogReader::new(scene.store()), LogReader::new(MemoryStore::new())] {
        assert!(reader.checkpoint().expect("readable").is_none());
        assert!(reader.first().expect("readable").is_none());
        assert_eq!(reader.records(..).expect("readable").count(), 0);
        assert!(matches!(
            reader.record(0).expect_err("none").cause(),
            Cause::NoRecord { .. }
        ));
        assert!(matches!(
            reader.prove(0).expect_err("none").cause(),
            Cause::NoRecord { .. }
        ));
    }
    assert!(!scene.folder().exists(), "a reader makes nothing");
}

#[test]
fn ranges_of_every_kind_give_what_they_say() {
    let log = memory_log();
    for round in 0..30 {
        log.append(login(round)).expect("recorded");
    }
    let reader = log.reader();
    let read = |from: std::ops::Bound<u64>, to: std::ops::Bound<u64>| -> Vec<u64> {
        let records = reader.records((from, to)).expect("readable");
        records.map(|record| record.expect("a record").seq()).collect()
    };
    use std::ops::Bound::{Excluded, Included, Unbounded};
    assert_eq!(read(Unbounded, Unbounded), (0..32).collect::<Vec<_>>());
    assert_eq!(read(Included(5), Excluded(8)), [5, 6, 7]);
    assert_eq!(read(Excluded(5), Included(8)), [6, 7, 8]);
    assert_eq!(read(Included(30), Included(u64::MAX)), [30, 31]);
    assert!(read(Included(32), Unbounded).is_empty());
    assert!(read(Included(u64::MAX), Unbounded).is_empty());
    assert!(read(Excluded(u64::MAX), Unbounded).is_empty());
    assert!(read(Included(8), Excluded(5)).is_empty());
    assert!(read(Unbounded, Excluded(0)).is_empty());
    for beyond in [32, 33, u64::MAX] {
        assert!(matches!(
            reader.record(beyond).expect_err("beyond").cause(),
            Cause::NoRecord { .. }
        ));
        assert!(matches!(
            reader.prove(beyond).expect_err("beyond").cause(),
            Cause::NoRecord { .. }
        ));
    }
}

#[test]
fn a_reader_beside_a_writer_sees_whole_commits_in_order() {
    let scene = Scene::new();
    let store = || FileStore::new(scene.folder()).segment_size(30_000);
    let log = scene.builder().open(store()).expect("opens");
    let vkey = log.vkey();
    let (done, acknowledged) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(2)));
    let readers: Vec<_> = (0..2)
        .map(|number| {
            let (reader, vkey) = (LogReader::new(store()), vkey.clone());
            let (done, acknowledged) = (Arc::clone(&done), Arc::clone(&acknowledged));
            std::thread::spawn(move || {
                let mut last = 0;
                let mut rounds = 0;
                while !done.load(Ordering::SeqCst) {
                    let least = acknowledged.load(Ordering::SeqCst);
                    let checkpoint = reader.checkpoint().expect("readable").expect("a checkpoint");
                    checkpoint.verify(&vkey).expect("signed");
                    let size = checkpoint.checkpoint().size();
                    assert!(size >= least, "acknowledged {least}, read {size}");
                    assert!(size >= last, "from {last} to {size}");
                    let mut next = last;
                    let mut prev = None;
                    for record in reader.records(last..size).expect("readable") {
                        let record = record.expect("what was acknowledged is readable");
                        assert_eq!(record.seq(), next);
                        assert!(prev.is_none_or(|prev| record.prev() == Some(prev)));
                        prev = Some(record.hash());
                        next += 1;
                    }
                    assert_eq!(next, size);
                    if rounds % 4 == number {
                        let seq = size / 2;
                        let record = reader.record(seq).expect("a record");
                        let proof = reader.prove(seq).expect("a proof");
                        proof.verify(record.hash(), &vkey).expect("verifies");
                    }
                    last = size;
                    rounds += 1;
                }
                rounds
            })
        })
        .collect();
    for round in 0..600 {
        let receipt = if round % 5 == 0 {
            let tickets: Vec<_> = (0..10)
                .map(|user| log.submit(login(format!("{round}_{user}"))).expect("room"))
                .collect();
            tickets
                .into_iter()
                .map(|ticket| ticket.wait().expect("recorded"))
                .next_back()
                .expect("one")
        } else {
            log.append(login(round)).expect("recorded")
        };
        acknowledged.store(receipt.seq + 1, Ordering::SeqCst);
    }
    done.store(true, Ordering::SeqCst);
    for reader in readers {
        assert!(reader.join().expect("no breach") > 3);
    }
    log.close(SOON).expect("closed");
}

#[test]
fn a_reader_beside_erasures_and_purges_reads_the_same_records() {
    let scene = Scene::new();
    let store = || FileStore::new(scene.folder()).segment_size(5_000);
    let log = scene.builder().open(store()).expect("opens");
    let hashes: Vec<_> = (0..200)
        .map(|round| log.append(login(round)).expect("recorded").hash)
        .collect();
    let vkey = log.vkey();
    let done = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = [LogReader::new(store()), log.reader()]
        .into_iter()
        .map(|reader| {
            let (done, vkey, hashes) = (Arc::clone(&done), vkey.clone(), hashes.clone());
            std::thread::spawn(move || {
                let gone = |error: &indelible::Error| matches!(error.cause(), Cause::NoRecord { .. });
                let mut seq = 2;
                while !done.load(Ordering::SeqCst) {
                    seq = if seq >= 195 { 2 } else { seq + 7 };
                    match reader.record(seq) {
                        Ok(record) => assert_eq!(record.hash(), hashes[seq as usize - 2]),
                        Err(error) => assert!(gone(&error), "record {seq}: {error}"),
                    }
                    let mut last = None;
                    for record in reader.records(seq..seq + 40).expect("readable") {
                        match record {
                            Ok(record) => {
                                assert!(last < Some(record.seq()));
                                last = Some(record.seq());
                                if let Some(hash) = hashes.get(record.seq() as usize - 2) {
                                    assert_eq!(record.hash(), *hash);
                                }
                            }
                            Err(error) => assert!(gone(&error), "records from {seq}: {error}"),
                        }
                    }
                    match reader.prove(seq) {
                        Ok(proof) => drop(proof.verify(hashes[seq as usize - 2], &vkey).expect("verifies")),
                        Err(error) => assert!(gone(&error), "proof of {seq}: {error}"),
                    }
                    reader
                        .checkpoint()
                        .expect("readable")
                        .expect("a checkpoint")
                        .verify(&vkey)
                        .expect("signed");
                    reader.first().expect("readable");
                }
            })
        })
        .collect();
    for round in 0..14_u64 {
        let seq = 10 * round + 5;
        log.erase_personal_data([seq..=seq + 3], "test").expect("erased");
        log.erase_records([seq + 4..=seq + 5], "test").expect("erased");
        log.append(login("between")).expect("recorded");
        log.purge(seq - 4).expect("purged");
        std::thread::sleep(Duration::from_millis(10));
    }
    done.store(true, Ordering::SeqCst);
    for reader in readers {
        reader.join().expect("no breach");
    }
    log.close(SOON).expect("closed");
}

#[test]
fn a_reader_that_was_at_a_purged_segment_goes_on_where_the_log_begins() {
    let scene = Scene::new();
    let store = || FileStore::new(scene.folder()).segment_size(3_000);
    let log = scene.builder().open(store()).expect("opens");
    for round in 0..60 {
        log.append(login(round)).expect("recorded");
    }
    let reader = LogReader::new(store());
    let mut records = reader.records(..).expect("readable");
    assert_eq!(records.next().expect("a record").expect("a record").seq(), 0);
    let first = log.purge(50).expect("purged");
    let rest: Vec<u64> = records.map(|record| record.expect("a record").seq()).collect();
    assert!(rest.is_sorted());
    assert_eq!(rest.last(), Some(&61), "the end is reached");
    assert!(rest.contains(&first));
    log.close(SOON).expect("closed");
}

#[test]
fn a_reader_says_whether_there_is_a_writer() {
    let scene = Scene::new();
    assert!(!scene.store().has_writer().expect("readable"));
    let log = scene.open();
    assert!(scene.store().has_writer().expect("readable"));
    assert!(
        scene.store().has_writer().expect("readable"),
        "asking takes nothing away"
    );
    log.append(login(1)).expect("recorded");
    log.close(SOON).expect("closed");
    assert!(!scene.store().has_writer().expect("readable"));
}

#[test]
fn the_end_of_a_log_that_a_crash_tore_is_its_last_checkpoint() {
    let scene = Scene::new();
    let log = scene.open();
    log.append(login(1)).expect("recorded");
    let whole = content_of(&scene.last_segment());
    log.append(login(2)).expect("recorded");
    let longer = content_of(&scene.last_segment());
    drop(log);
    for cut in whole.len()..longer.len() {
        if cut % 7 != 0 && longer.len() - cut > 3 {
            continue;
        }
        for zeros in [0, 4096] {
            let torn = [&longer[..cut], &vec![0; zeros]].concat();
            std::fs::write(scene.last_segment(), torn).expect("written");
            let reader = LogReader::new(scene.store());
            let checkpoint = reader.checkpoint().expect("readable").expect("a checkpoint");
            assert_eq!(checkpoint.checkpoint().size(), 3, "cut at {cut}");
            assert_eq!(
                reader
                    .records(..)
                    .expect("readable")
                    .filter(|record| record.is_ok())
                    .count(),
                3
            );
            assert!(matches!(
                reader.record(3).expect_err("not recorded").cause(),
                Cause::NoRecord { .. }
            ));
        }
    }
}

#[test]
fn a_checkpoint_that_reached_the_disk_before_its_records_is_not_handed_on() {
    let scene = Scene::new();
    let log = scene.open();
    log.append(large("whole", 20_000)).expect("recorded");
    let whole = content_of(&scene.last_segment()).len();
    // Several records a commit, longer than what a search reads at a time.
    for bytes in [300, 20_000, 200_000] {
        let scene = scene.crash_copy();
        let log = scene.open();
        let opened = content_of(&scene.last_segment()).len();
        let size = log.state().size;
        let tickets: Vec<_> = (0..8)
            .map(|user| log.submit(large(user, bytes)).expect("room"))
            .collect();
        let last = tickets
            .into_iter()
            .map(|ticket| ticket.wait().expect("recorded"))
            .next_back();
        let content = content_of(&scene.last_segment());
        drop(log);
        let commits = || content[opened..].split_inclusive(|byte| *byte == b'\n');
        let mut end = opened;
        let mut start = opened;
        let mut size_before = size;
        for line in commits() {
            end += line.len();
            if !line.starts_with(b"{\"checkpoint\"") {
                continue;
            }
            // Each page of the commit, or all up to it, was not written.
            for page in (start..end - line.len()).step_by(4096 * (1 + bytes / 20_000)) {
                let page_end = (page + 4096).min(end - line.len());
                for hole in [start..page_end, page..page_end] {
                    for zeros in [0, 100_000] {
                        let mut torn = [&content[..end], &vec![0; zeros]].concat();
                        torn[hole.clone()].fill(0);
                        std::fs::write(scene.last_segment(), torn).expect("written");
                        let checkpoint = LogReader::new(scene.store()).checkpoint();
                        let checkpoint = checkpoint.expect("readable").expect("a checkpoint");
                        assert_eq!(
                            checkpoint.checkpoint().size(),
                            size_before,
                            "{hole:?} of {start}..{end} is lost"
                        );
                    }
                }
            }
            std::fs::write(scene.last_segment(), &content[..end]).expect("written");
            let checkpoint = LogReader::new(scene.store()).checkpoint();
            size_before = checkpoint.expect("readable").expect("one").checkpoint().size();
            start = end;
        }
        assert_eq!(size_before, last.expect("one").seq + 1);
    }
    assert!(whole > 20_000);
}

#[test]
fn garbage_in_a_log_is_an_error_and_never_a_panic() {
    let scene = Scene::new();
    let log = scene.open();
    for round in 0..10 {
        log.append(login(round)).expect("recorded");
    }
    log.close(SOON).expect("closed");
    let segment = scene.last_segment();
    let content = std::fs::read(&segment).expect("a segment");
    for seed in 0..150_usize {
        let mut garbled = content.clone();
        let at = seed * 7919 % garbled.len();
        match seed % 5 {
            0 => garbled[at] ^= 1 << (seed % 8),
            1 => garbled.truncate(at),
            2 => drop(garbled.drain(at..(at + 50).min(content.len()))),
            3 => garbled[at] = 0,
            _ => garbled.splice(at..at, *b"\n").for_each(drop),
        }
        std::fs::write(&segment, garbled).expect("written");
        let reader = LogReader::new(scene.store());
        let _ = reader.checkpoint();
        let _ = reader.records(..).map(|records| records.take(100).count());
        for seq in [0, 5, 12] {
            let _ = reader.record(seq);
            let _ = reader.prove(seq);
        }
    }
}

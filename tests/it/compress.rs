//! Compressed segments in a log that lives: nothing changes for anyone but the space it takes.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use indelible::store::Compressed;
use indelible::{AuditLog, Cause, FileStore, LogReader, MemoryStore, Verifier};

use crate::oracle;
use crate::scene::*;
use crate::stores::{Hooked, Hooks};

fn open(scene: &Scene, segment_size: u64) -> AuditLog {
    let store = scene.store().segment_size(segment_size);
    scene.builder().open(store).expect("the log opens")
}

/// Records so many logins, of which every twentieth is large, in many commits.
fn fill(log: &AuditLog, count: usize) -> Vec<indelible::Receipt> {
    let event = |number: usize| match number % 20 {
        7 => large(number, 20_000 + number % 1000),
        _ => login(number),
    };
    let mut receipts = Vec::new();
    while receipts.len() < count {
        let numbers = receipts.len()..count.min(receipts.len() + 10);
        let tickets: Vec<_> = numbers.map(|number| log.submit(event(number)).expect("room")).collect();
        receipts.extend(tickets.into_iter().map(|ticket| ticket.wait().expect("recorded")));
    }
    receipts
}

/// Whether any file of the log directory holds these bytes, unpacked where it is compressed.
fn holds(scene: &Scene, bytes: &[u8]) -> bool {
    let content = |file: &Path| match file.extension().is_some_and(|end| end == "zst") {
        true => zstd::stream::decode_all(fs::File::open(file).expect("a file")).expect("frames"),
        false => fs::read(file).expect("a file"),
    };
    scene.files().iter().any(|file| find(&content(file), bytes).is_some())
}

fn count_of(scene: &Scene, end: &str) -> usize {
    let segments = list(&scene.folder().join("segments"));
    segments
        .iter()
        .filter(|path| path.to_string_lossy().ends_with(end))
        .count()
}

/// The first records of the segments, as their names say.
fn firsts(scene: &Scene) -> BTreeSet<String> {
    let segments = list(&scene.folder().join("segments")).into_iter();
    let names = segments.map(|path| path.file_name().expect("a name").to_string_lossy().into_owned());
    names
        .filter_map(|name| Some(name.split_once(".jsonl")?.0.to_owned()))
        .collect()
}

#[test]
fn a_compressed_log_is_read_proven_verified_erased_and_purged() {
    let scene = Scene::new();
    let log = open(&scene, 700_000);
    let receipts = fill(&log, 3_000);
    let compressed = log.compress(u64::MAX).expect("compressed");
    assert!(compressed.segments > 3, "{compressed:?}");
    assert!(compressed.bytes_after * 2 < compressed.bytes_before, "{compressed:?}");
    assert_eq!(count_of(&scene, ".jsonl.zst") as u64, compressed.segments);
    assert_eq!(count_of(&scene, ".jsonl"), 1);
    assert_eq!(log.compress(u64::MAX).expect("nothing"), Compressed::default());

    let reader = LogReader::new(scene.store());
    for receipt in receipts.iter().step_by(37) {
        assert_eq!(reader.record(receipt.seq).expect("there").hash(), receipt.hash);
        let proof = reader.prove(receipt.seq).expect("proven");
        proof.verify(receipt.hash, &scene.vkey()).expect("it verifies");
    }
    let from = receipts[1_500].seq;
    let seqs: Vec<u64> = reader
        .records(from..from + 1_000)
        .expect("readable")
        .map(|record| record.expect("a record").seq())
        .collect();
    assert_eq!(seqs, (from..from + 1_000).collect::<Vec<_>>());
    assert!(log.verify().expect("readable").is_sound());

    assert!(holds(&scene, b"\"100@personal.example\"") && holds(&scene, b"\"usr_1600\""));
    log.erase_personal_data([receipts[100].seq..=receipts[100].seq], "requested")
        .expect("erased");
    log.erase_records([receipts[1_600].seq..=receipts[1_610].seq], "retention")
        .expect("erased");
    assert!(!holds(&scene, b"\"100@personal.example\"") && !holds(&scene, b"\"usr_1600\""));
    assert_eq!(
        count_of(&scene, ".jsonl.zst") as u64,
        compressed.segments,
        "they stay compressed"
    );
    let first = log.purge(receipts[1_000].seq).expect("purged");
    assert!(first > 100);
    log.close(SOON).expect("closed");
    // The end of the log had the erasures do what else they do.
    let log = open(&scene, 700_000);
    log.append(login("later")).expect("recorded");
    log.close(SOON).expect("closed");
    let report = Verifier::new(scene.vkey())
        .verify_dir(scene.folder())
        .expect("readable");
    assert!(report.is_sound() && report.notices.is_empty(), "{report}");
    let sound = oracle::check(&scene.store(), &scene.vkey());
    assert_eq!(sound.first, first);
    for receipt in receipts.iter().filter(|receipt| receipt.seq >= first) {
        assert_eq!(sound.at(receipt.seq).hash, receipt.hash);
    }
}

#[test]
fn a_crash_while_segments_are_compressed_loses_nothing() {
    let scene = Scene::new();
    let log = open(&scene, 60_000);
    let receipts = fill(&log, 1_000);
    let compressing = {
        let log = log.clone();
        std::thread::spawn(move || log.compress(u64::MAX).expect("compressed"))
    };
    let mut copies = Vec::new();
    while !compressing.is_finished() && copies.len() < 20 {
        let before = firsts(&scene);
        let copy = scene.crash_copy();
        // A segment that changes its name between being listed and being copied is missing in a copy, not on a disk.
        if firsts(&copy) == before {
            copies.push(copy);
        }
    }
    assert!(!copies.is_empty());
    assert!(compressing.join().expect("no panic").segments > 10);
    copies.push(scene.crash_copy());
    drop(log);
    for copy in copies {
        let log = open(&copy, 60_000);
        log.append(login("after")).expect("recorded");
        log.compress(u64::MAX).expect("compressed");
        log.close(SOON).expect("closed");
        let sound = oracle::check(&copy.store(), &copy.vkey());
        for receipt in &receipts {
            assert_eq!(sound.at(receipt.seq).hash, receipt.hash);
        }
        let segments = list(&copy.folder().join("segments"));
        let strays = segments
            .iter()
            .filter(|path| !path.to_string_lossy().contains(".jsonl"));
        assert_eq!(strays.count(), 0, "{segments:?}");
    }
}

#[test]
fn readers_and_verifiers_beside_it_find_the_log_whole() {
    let scene = Scene::new();
    let log = open(&scene, 20_000);
    fill(&log, 50);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0.. {
                if stop.load(Ordering::SeqCst) {
                    break;
                }
                log.append(login(number)).expect("recorded");
            }
        });
        scope.spawn(|| {
            let mut segments = 0;
            while !stop.load(Ordering::SeqCst) {
                segments += log.compress(u64::MAX).expect("compressed").segments;
            }
            assert!(segments > 5, "{segments}");
        });
        let began = Instant::now();
        let mut runs = 0;
        let whole = || -> Result<(), String> {
            let trusted = log.checkpoint().expect("one");
            let size = trusted.checkpoint().size();
            let reader = LogReader::new(scene.store());
            for (seq, record) in (0..).zip(reader.records(..).map_err(|error| error.to_string())?) {
                let record = record.map_err(|error| format!("record {seq}: {error}"))?;
                if record.seq() != seq {
                    return Err(format!("record {} where {seq} is due", record.seq()));
                }
            }
            reader.record(size / 2).map_err(|error| error.to_string())?;
            let verifier = Verifier::new(scene.vkey()).threads(2).trusted(trusted);
            let report = verifier.verify_dir(scene.folder()).map_err(|error| error.to_string())?;
            match report.is_sound() && report.size >= size {
                true => Ok(()),
                false => Err(report.to_string()),
            }
        };
        while began.elapsed() < Duration::from_secs(2) {
            let result = whole();
            if result.is_err() {
                stop.store(true, Ordering::SeqCst);
            }
            result.unwrap_or_else(|problem| panic!("after {runs} runs: {problem}"));
            runs += 1;
        }
        stop.store(true, Ordering::SeqCst);
        assert!(runs > 3, "{runs}");
    });
    log.close(SOON).expect("closed");
    oracle::check(&scene.store(), &scene.vkey());
}

#[test]
fn no_append_waits_for_it_and_the_end_of_the_log_ends_it() {
    let scene = Scene::new();
    let hooks = Arc::new(Hooks::default());
    let store = Hooked::new(scene.store().segment_size(10_000), &hooks);
    let log = scene.builder().open(store).expect("opens");
    fill(&log, 200);
    hooks.block_erasures(true);
    let compressing = {
        let log = log.clone();
        std::thread::spawn(move || log.compress(u64::MAX))
    };
    hooks.wait_for_erasures(1);
    let appending = log.clone();
    within(SOON, "an append", move || {
        for number in 0..50 {
            appending.append(login(number)).expect("recorded");
        }
    });
    let error = log
        .close(Duration::from_millis(100))
        .expect_err("it waits for the segment");
    assert!(matches!(error.cause(), Cause::TimedOut { .. }), "{error}");
    hooks.block_erasures(false);
    let result = within(SOON, "compressing", move || compressing.join()).expect("no panic");
    let error = result.expect_err("the log is closed before all segments are compressed");
    assert!(is_closed(error.cause()), "{error}");
    log.close(SOON).expect("closed");
    assert!(is_closed(log.compress(0).expect_err("closed").cause()));
    assert_eq!(count_of(&scene, ".jsonl.zst"), 1);
    oracle::check(&scene.store(), &scene.vkey());
}

#[test]
fn a_failure_poisons_nothing() {
    let scene = Scene::new();
    let hooks = Arc::new(Hooks::default());
    let store = Hooked::new(scene.store().segment_size(10_000), &hooks);
    let log = scene.builder().open(store).expect("opens");
    fill(&log, 200);
    hooks.fail_erasures(1);
    let error = log.compress(u64::MAX).expect_err("the store fails");
    assert!(matches!(error.cause(), Cause::Io { .. }), "{error}");
    log.append(login("after")).expect("recorded");
    assert!(log.compress(u64::MAX).expect("compressed").segments > 2);
    log.close(SOON).expect("closed");
    oracle::check(&scene.store(), &scene.vkey());
}

#[test]
fn a_store_that_compresses_nothing_says_so() {
    let log = in_memory(&TestSigner::new())
        .open(MemoryStore::new().segment_size(1_000))
        .expect("opens");
    fill(&log, 20);
    assert_eq!(log.compress(u64::MAX).expect("nothing"), Compressed::default());
}

#[test]
fn segments_of_any_size_are_compressed_to_the_same_lines() {
    for segment_size in [1, 1_000, 30_000, 400_000] {
        let folder = tempfile::tempdir().expect("a folder");
        let store = FileStore::new(folder.path()).segment_size(segment_size);
        let signer = TestSigner::new();
        let log = in_memory(&signer).open(store.clone()).expect("opens");
        for _ in 0..5 {
            fill(&log, 60);
        }
        let lines = |reader: &LogReader| -> Vec<String> {
            let records = reader.records(..).expect("readable");
            let line = |record: indelible::Record| record.line().unwrap_or_default().to_owned();
            records.map(|record| line(record.expect("a record"))).collect()
        };
        let before = lines(&log.reader());
        log.compress(u64::MAX).expect("compressed");
        assert!(lines(&log.reader()) == before, "{segment_size}");
        log.close(SOON).expect("closed");
        oracle::check(&store, indelible::Signer::vkey(signer.as_ref()));
    }
}

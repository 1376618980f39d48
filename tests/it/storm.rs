//! Everything at once: many ways in, failing signers, rotations, erasures, purges and readers, and never an event lost,
//! doubled or left without an answer.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indelible::{AuditLog, Cause, FileStore, LogReader, MemoryStore, Receipt, Signer, Store};

use crate::oracle;
use crate::scene::*;

/// Records events in every way until it is told to stop, and gives what was acknowledged.
fn record(log: &AuditLog, name: usize, done: &AtomicBool) -> Vec<(String, Receipt)> {
    let mut acknowledged = Vec::new();
    let mut tickets = Vec::new();
    for round in 0.. {
        if done.load(Ordering::SeqCst) {
            break;
        }
        let actor = format!("{name}_{round}");
        let event = match round % 7 {
            3 => large(&actor, 3_000),
            5 => login(&actor).id(&actor),
            _ => login(&actor),
        };
        match round % 4 {
            0 => acknowledged.extend(log.append(event).ok().map(|receipt| (actor, receipt))),
            1 => acknowledged.extend(block_on(log.append_async(event)).ok().map(|receipt| (actor, receipt))),
            _ => tickets.extend(log.submit(event).ok().map(|ticket| (actor, ticket))),
        }
        if tickets.len() > 20 {
            for (actor, ticket) in tickets.drain(..) {
                let answer = ticket.wait_timeout(SOON).expect("an answer");
                acknowledged.extend(answer.ok().map(|receipt| (actor, receipt)));
            }
        }
    }
    for (actor, ticket) in tickets {
        let answer = ticket.wait_timeout(SOON).expect("an answer");
        acknowledged.extend(answer.ok().map(|receipt| (actor, receipt)));
    }
    acknowledged
}

/// Reads and proves beside it, and fails at anything but what is purged.
fn read(reader: &LogReader, done: &AtomicBool) {
    let mut seed = 1_u64;
    while !done.load(Ordering::SeqCst) {
        let size = reader.checkpoint().expect("readable").expect("one").checkpoint().size();
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let seq = (seed >> 33) % size;
        let gone = |error: &indelible::Error| matches!(error.cause(), Cause::NoRecord { .. });
        match reader.record(seq) {
            Ok(record) => assert_eq!(record.seq(), seq),
            Err(error) => assert!(gone(&error), "record {seq}: {error}"),
        }
        for record in reader.records(seq..seq + 20).expect("readable") {
            if let Err(error) = record {
                assert!(gone(&error), "records from {seq}: {error}");
            }
        }
        if let Err(error) = reader.prove(seq) {
            assert!(gone(&error), "proof of {seq}: {error}");
        }
    }
}

/// Lets all of it happen to a log for a while, closes it, and checks what is left.
fn storm<S: Store + Clone>(store: &S, signer: &Arc<TestSigner>, erases: bool, name: &str) {
    let log = AuditLog::builder(ORIGIN)
        .signer(Arc::clone(signer))
        .without_checkpoint_file()
        .signer_deadline(SOON)
        .queue_bytes(60_000)
        .open(store.clone())
        .expect("opens");
    let done = Arc::new(AtomicBool::new(false));
    let recorders: Vec<_> = (0..6)
        .map(|name| {
            let (log, done) = (log.clone(), Arc::clone(&done));
            std::thread::spawn(move || record(&log, name, &done))
        })
        .collect();
    let reader = {
        let (reader, done) = (LogReader::new(store.clone()), Arc::clone(&done));
        std::thread::spawn(move || read(&reader, &done))
    };
    let began = Instant::now();
    let mut erased = HashSet::new();
    let mut first = 0;
    for round in 0_u64.. {
        if began.elapsed() > Duration::from_millis(1_500) {
            break;
        }
        std::thread::sleep(Duration::from_millis(15));
        let size = log.state().size;
        if size < 10 {
            continue;
        }
        match round % 6 {
            0 => signer.misbehave(Mode::Fail, 2),
            1 => drop(log.rotate_key(Arc::clone(signer)).expect_err("it was in force before")),
            2 if erases => {
                log.erase_personal_data([size / 2..=size / 2 + 1, size - 1..=size - 1], "storm")
                    .expect("erased");
            }
            3 if erases => {
                erased.extend(size / 3..=size / 3 + 2);
                log.erase_records([size / 3..=size / 3 + 2], "storm").expect("erased");
            }
            4 if erases && round > 30 => first = log.purge(size / 5).expect("purged"),
            #[cfg(feature = "compress")]
            5 => drop(log.compress(size / 2).expect("compressed")),
            _ => {}
        }
    }
    done.store(true, Ordering::SeqCst);
    within(SOON, "the reader", move || reader.join()).expect("no breach");
    let acknowledged: Vec<_> = recorders
        .into_iter()
        .flat_map(|recorder| within(SOON, "a recorder", move || recorder.join()).expect("no breach"))
        .collect();
    assert!(acknowledged.len() > 100, "{name}: {}", acknowledged.len());
    assert_eq!(log.state().lost_unseen, 0);
    log.close(SOON).expect("closed");
    let sound = oracle::check(store, signer.vkey());
    let mut seqs = HashSet::new();
    for (actor, receipt) in &acknowledged {
        assert!(seqs.insert(receipt.seq), "{name}: two events have seq {}", receipt.seq);
        if receipt.seq >= sound.first {
            let record = sound.at(receipt.seq);
            assert_eq!(record.hash, receipt.hash, "{name}: {actor}");
            if !erased.contains(&receipt.seq) {
                assert_eq!(record.event["actor"]["id"], format!("usr_{actor}"), "{name}");
            }
        }
    }
    assert!(sound.first >= first);
    let hosts = sound
        .records
        .iter()
        .filter(|record| record.action == "auth.login.succeeded");
    assert!(
        hosts.count() <= acknowledged.len(),
        "{name}: an event is recorded that nobody has a receipt for"
    );
}

#[test]
fn a_storm_over_files() {
    let scene = Scene::new();
    let store = FileStore::new(scene.folder()).segment_size(40_000);
    storm(&store, &TestSigner::new(), true, "files");
}

#[test]
fn a_storm_over_memory() {
    storm(
        &MemoryStore::new().segment_size(30_000),
        &TestSigner::new(),
        true,
        "memory",
    );
    storm(
        &MemoryStore::new(),
        &TestSigner::new(),
        false,
        "memory without segments",
    );
}

#[test]
fn a_storm_over_a_shared_store_with_conflicts() {
    let hooks = Arc::new(crate::stores::Hooks::shared());
    let signer = TestSigner::new();
    let done = Arc::new(AtomicBool::new(false));
    let conflicts = {
        let (hooks, done) = (Arc::clone(&hooks), Arc::clone(&done));
        std::thread::spawn(move || {
            while !done.load(Ordering::SeqCst) {
                hooks.conflict(1);
                std::thread::sleep(Duration::from_millis(3));
            }
        })
    };
    let store = crate::stores::Hooked::new(MemoryStore::new().segment_size(30_000), &hooks);
    storm(&store, &signer, true, "shared");
    done.store(true, Ordering::SeqCst);
    conflicts.join().expect("no panic");
}

#[test]
fn no_event_waits_for_the_next_one() {
    // Lone events with pauses between them: each wakes a committer by itself.
    let log = memory_log();
    let slowest = Arc::new(AtomicU64::new(0));
    let threads: Vec<_> = (0..4_u64)
        .map(|thread| {
            let (log, slowest) = (log.clone(), Arc::clone(&slowest));
            std::thread::spawn(move || {
                for round in 0..300 {
                    let began = Instant::now();
                    let ticket = log.submit(login(format!("{thread}_{round}"))).expect("room");
                    let answer = ticket.wait_timeout(SOON);
                    answer.expect("it waits for another event").expect("recorded");
                    let took = u64::try_from(began.elapsed().as_micros()).expect("short");
                    slowest.fetch_max(took, Ordering::SeqCst);
                    std::thread::sleep(Duration::from_micros((thread * 131 + round * 37) % 900));
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().expect("no breach"));
    let slowest = Duration::from_micros(slowest.load(Ordering::SeqCst));
    assert!(slowest < Duration::from_secs(5), "{slowest:?}");
}

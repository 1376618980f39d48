//! Retries by the host's own id: never recorded twice, never refused without cause.

use std::sync::Arc;
use std::time::Duration;

use indelible::{Actor, AuditLog, Cause, ErrorKind, Event, MemoryStore, Receipt, action};

use crate::oracle;
use crate::scene::*;

/// The same event, whoever makes it.
fn order(id: &str) -> Event {
    Event::new("shop.order.paid")
        .id(id)
        .actor(Actor::user("usr_1").email("one@personal.example"))
        .metadata("order", id)
        .personal_metadata("street", "Main")
}

fn assert_reused(result: indelible::Result<Receipt>, first: &Receipt) {
    let error = result.expect_err("other content");
    assert_eq!(error.kind(), ErrorKind::FixEvent);
    match error.cause() {
        Cause::IdReused { first_seq, id } => {
            assert_eq!(*first_seq, first.seq);
            assert!(id.starts_with("order"), "{id}");
        }
        other => panic!("{other}"),
    }
}

#[test]
fn a_retry_gets_the_first_receipt() {
    let log = memory_log();
    let first = log.append(order("order-1")).expect("recorded");
    for _ in 0..3 {
        assert_eq!(log.append(order("order-1")).expect("a retry"), first);
        assert_eq!(
            log.submit(order("order-1")).expect("room").wait().expect("a retry"),
            first
        );
        assert_eq!(block_on(log.append_async(order("order-1"))).expect("a retry"), first);
    }
    assert_reused(log.append(order("order-1").reason("other")), &first);
    assert_reused(log.append(order("order-1").personal_metadata("street", "Side")), &first);
    assert_reused(
        log.append(order("order-1").outcome(indelible::Outcome::Failure)),
        &first,
    );
    assert_reused(
        log.append(
            order("order-1").occurred_at("2020-01-01T00:00:00Z".parse::<indelible::Timestamp>().expect("a time")),
        ),
        &first,
    );
    assert_reused(log.append(order("order-1").source("other")), &first);
    assert_eq!(log.state().size, 3);
    let last = log.append(order("order-2")).expect("another id");
    assert_eq!(last.seq, 3);
}

#[test]
fn a_retry_leaves_to_the_library_what_it_sets() {
    let signer = TestSigner::new();
    let store = MemoryStore::new();
    let log = in_memory(&signer)
        .source("auth/1.0")
        .open(store.clone())
        .expect("opens");
    let first = log.append(order("order-1")).expect("recorded");
    std::thread::sleep(Duration::from_millis(2));
    assert_eq!(log.append(order("order-1")).expect("a retry"), first);
    log.close(SOON).expect("closed");
    // After a deployment the source is another one: the retry says none, so it is the same event.
    let log = in_memory(&signer).source("auth/2.0").open(store).expect("opens");
    assert_eq!(log.append(order("order-1")).expect("a retry"), first);
    assert_eq!(log.append(order("order-1").source("auth/1.0")).expect("a retry"), first);
    assert_reused(log.append(order("order-1").source("auth/2.0")), &first);
}

#[test]
fn a_retry_in_the_same_batch_gets_the_first_receipt() {
    let signer = TestSigner::new();
    let log = in_memory(&signer).open(MemoryStore::new()).expect("opens");
    let blocked = signer.block_with(&log, login("blocked"));
    let tickets: Vec<_> = (0..9)
        .map(|round| log.submit(order(&format!("order-{}", round % 3))).expect("room"))
        .collect();
    let other = log.submit(order("order-1").reason("other")).expect("room");
    let neighbour = log.submit(login("neighbour")).expect("room");
    signer.set(Mode::Sign);
    blocked.wait().expect("recorded");
    let receipts: Vec<Receipt> = tickets
        .into_iter()
        .map(|ticket| ticket.wait().expect("recorded"))
        .collect();
    assert_eq!(receipts[0].seq, 3);
    for (round, receipt) in receipts.iter().enumerate() {
        assert_eq!(*receipt, receipts[round % 3]);
    }
    assert_reused(other.wait(), &receipts[1]);
    assert_eq!(neighbour.wait().expect("recorded").seq, 6);
}

#[test]
fn sixty_four_threads_with_one_id_record_it_once() {
    let log = memory_log();
    let threads: Vec<_> = (0..64)
        .map(|_| {
            let log = log.clone();
            std::thread::spawn(move || log.append(order("order-1")).expect("recorded"))
        })
        .collect();
    let receipts: Vec<Receipt> = threads
        .into_iter()
        .map(|thread| thread.join().expect("no panic"))
        .collect();
    assert!(receipts.iter().all(|receipt| receipt == &receipts[0]), "{receipts:?}");
    assert_eq!(log.state().size, 3);
}

#[test]
fn a_failed_commit_forgets_its_ids() {
    let signer = TestSigner::new();
    let log = in_memory(&signer)
        .signer_deadline(Duration::from_millis(20))
        .open(MemoryStore::new())
        .expect("opens");
    signer.set(Mode::Fail);
    log.append(order("order-1")).expect_err("no signature");
    signer.set(Mode::Sign);
    let receipt = log
        .append(order("order-1").reason("other"))
        .expect("the first was never recorded");
    assert_eq!(receipt.seq, 2);
}

#[test]
fn ids_are_known_after_reopening_and_after_a_crash() {
    let scene = Scene::new();
    let log = scene.open();
    let receipts: Vec<Receipt> = (0..50)
        .map(|round| log.append(order(&format!("order-{round}"))).expect("recorded"))
        .collect();
    let crashed = scene.crash_copy();
    log.close(SOON).expect("closed");
    for scene in [&scene, &crashed] {
        for caches in [true, false] {
            if !caches {
                std::fs::remove_dir_all(scene.folder().join("tree")).expect("caches");
            }
            let log = scene.open();
            for (round, receipt) in receipts.iter().enumerate() {
                let again = log.append(order(&format!("order-{round}"))).expect("a retry");
                assert_eq!(again, *receipt, "round {round}");
            }
            assert_reused(log.append(order("order-7").reason("other")), &receipts[7]);
            log.close(SOON).expect("closed");
        }
        let sound = oracle::check(&scene.store(), &scene.vkey());
        assert_eq!(sound.of("shop.order.paid").len(), 50);
    }
}

/// Submits events with ids until the log has so many records, and waits until they are recorded.
fn fill(log: &AuditLog, size: u64) {
    let mut last = None;
    for round in log.state().size..size {
        let event = Event::new(action::AUTH_LOGIN_SUCCEEDED)
            .actor(Actor::system("s"))
            .id(format!("fill-{round}"));
        last = Some(loop {
            match log.submit(event.clone()) {
                Ok(ticket) => break ticket,
                Err(error) => {
                    assert!(matches!(error.cause(), Cause::QueueFull { .. }), "{error}");
                    std::thread::sleep(Duration::from_millis(5));
                }
            }
        });
    }
    if let Some(last) = last {
        last.wait().expect("recorded");
    }
    assert_eq!(log.state().size, size);
}

#[test]
fn an_id_is_known_for_a_hundred_thousand_records_and_no_longer() {
    let scene = Scene::new();
    let log = scene.open();
    let first = log.append(order("order-first")).expect("recorded");
    let second = log.append(order("order-second")).expect("recorded");
    // The first of the last 100,000 records is `first`.
    fill(&log, first.seq + 100_000);
    assert_eq!(log.append(order("order-first")).expect("a retry"), first);
    assert_reused(log.append(order("order-first").reason("other")), &first);
    let crashed = scene.crash_copy();
    // One record more, and it is beyond them: it is new again.
    log.append(login("one more")).expect("recorded");
    assert_eq!(log.append(order("order-second")).expect("a retry"), second);
    let again = log.submit(order("order-first").reason("other")).expect("room").wait();
    assert_eq!(again.expect("recorded").seq, first.seq + 100_001);
    assert_ne!(log.append(order("order-second")).expect("new again, too"), second);
    drop(log);

    for caches in [true, false] {
        let scene = crashed.crash_copy();
        if !caches {
            std::fs::remove_dir_all(scene.folder().join("tree")).expect("caches");
        }
        // Opening appends `recovered` and `started`: now the third record after the beginning is the first known one.
        let log = scene.open();
        let size = log.state().size;
        assert_eq!(size, first.seq + 100_002);
        assert_ne!(log.append(order("order-second")).expect("new again"), second);
        let id = format!("fill-{}", size - 100_000 + 1);
        let known = Event::new(action::AUTH_LOGIN_SUCCEEDED)
            .actor(Actor::system("s"))
            .id(id);
        let receipt = log.append(known).expect("a retry");
        assert_eq!(receipt.seq, size - 100_000 + 1, "caches: {caches}");
        log.close(SOON).expect("closed");
    }
}

#[test]
fn an_erased_record_leaves_its_id_to_the_next_and_that_one_is_kept() {
    let signer = TestSigner::new();
    let log = in_memory(&signer).open(MemoryStore::new()).expect("opens");
    let first = log.append(order("order-1")).expect("recorded");
    log.erase_records([first.seq..=first.seq], "test").expect("erased");
    // Nothing is left to compare with: it is recorded again, but only once.
    let second = log.append(order("order-1")).expect("recorded");
    assert_ne!(second, first);
    for _ in 0..3 {
        assert_eq!(log.append(order("order-1")).expect("a retry"), second);
    }
    assert_reused(log.append(order("order-1").reason("other")), &second);
}

#[test]
fn a_retry_after_an_erasure_of_personal_data_is_compared_with_what_is_kept() {
    let signer = TestSigner::new();
    let log = in_memory(&signer).open(MemoryStore::new()).expect("opens");
    let first = log.append(order("order-1")).expect("recorded");
    log.erase_personal_data([first.seq..=first.seq], "test")
        .expect("erased");
    assert_eq!(log.append(order("order-1")).expect("a retry"), first);
    assert_reused(log.append(order("order-1").reason("other")), &first);
    let text = log
        .reader()
        .record(first.seq)
        .expect("a record")
        .merged_json()
        .expect("JSON");
    assert!(
        !text.contains("personal.example"),
        "a retry does not bring it back: {text}"
    );
}

#[test]
fn a_purged_record_leaves_its_id_to_the_next() {
    let signer = TestSigner::new();
    let log = in_memory(&signer)
        .open(MemoryStore::new().segment_size(1_000))
        .expect("opens");
    let first = log.append(order("order-1")).expect("recorded");
    for round in 0..10 {
        log.append(login(round)).expect("recorded");
    }
    assert!(log.purge(first.seq + 5).expect("purged") > first.seq);
    let second = log.append(order("order-1")).expect("what is purged holds up no outbox");
    assert_ne!(second, first);
    assert_eq!(log.append(order("order-1")).expect("a retry"), second);
}

#[test]
fn the_ids_of_a_killed_process_are_known() {
    let signer = TestSigner::new();
    let scene = Scene::new();
    let open = |folder: &std::path::Path| {
        AuditLog::builder(ORIGIN)
            .signer(Arc::clone(&signer))
            .without_checkpoint_file()
            .open(indelible::FileStore::new(folder))
            .expect("opens")
    };
    let log = open(&scene.folder());
    let first = log.append(order("order-1")).expect("recorded");
    let crashed = scene.crash_copy();
    // The process never closes it.
    std::mem::forget(log);
    let log = open(&crashed.folder());
    assert_eq!(log.append(order("order-1")).expect("a retry"), first);
    log.close(SOON).expect("closed");
    assert_eq!(
        oracle::check(
            &indelible::FileStore::new(crashed.folder()),
            indelible::Signer::vkey(&signer)
        )
        .of("audit_log.recovered")
        .len(),
        1
    );
}

#[test]
fn ids_of_events_that_a_signer_never_signed_are_not_those_of_the_records_after() {
    let (signer, scene) = (TestSigner::new(), Scene::new());
    let open = || {
        AuditLog::builder(ORIGIN)
            .signer(Arc::clone(&signer))
            .without_checkpoint_file()
            .signer_deadline(Duration::from_millis(20))
            .open(indelible::FileStore::new(scene.folder()))
            .expect("opens")
    };
    let log = open();
    let blocked = signer.block_with(&log, login("first"));
    // So much that the cache of ids is written meanwhile.
    let lost: Vec<_> = (0..3_000)
        .map(|round| {
            let event = order(&format!("order-lost-{round}")).metadata("filler", "x".repeat(400));
            log.submit(event).expect("room")
        })
        .collect();
    signer.set(Mode::Fail);
    blocked.wait().expect_err("no signature");
    for ticket in lost {
        ticket.wait().expect_err("no signature");
    }
    signer.set(Mode::Sign);
    let kept: Vec<_> = (0..2_500)
        .map(|round| log.submit(order(&format!("order-{round}"))).expect("room"))
        .collect();
    let receipts: Vec<_> = kept
        .into_iter()
        .map(|ticket| ticket.wait().expect("recorded"))
        .collect();
    log.close(SOON).expect("closed");
    let log = open();
    for (round, receipt) in receipts.iter().enumerate().step_by(61) {
        assert_eq!(log.append(order(&format!("order-{round}"))).expect("a retry"), *receipt);
    }
    log.append(order("order-lost-7")).expect("it was not recorded before");
    log.close(SOON).expect("closed");
}

//! Tickets and futures: an event that was taken is recorded whatever becomes of its ticket, and nobody waits for ever.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use indelible::{AuditLog, Cause, Error, MemoryStore, Ticket};

use crate::oracle;
use crate::scene::*;

#[test]
fn ten_thousand_tickets_dropped_unawaited_are_all_recorded() {
    let scene = Scene::new();
    let log = scene.open();
    for round in 0..10_000 {
        drop(log.submit(login(round)).expect("room"));
    }
    log.close(SOON).expect("closed");
    assert_eq!(log.state().lost_unseen, 0);
    let sound = oracle::check(&scene.store(), &scene.vkey());
    assert_eq!(sound.size(), 10_003);
    for (record, round) in sound.records[2..].iter().zip(0..10_000) {
        assert_eq!(record.event["actor"]["id"], format!("usr_{round}"));
    }
}

#[test]
fn the_failure_of_a_dropped_ticket_is_counted_and_told() {
    let signer = TestSigner::new();
    let told = Arc::new(Mutex::new(Vec::new()));
    let keep = Arc::clone(&told);
    let log = in_memory(&signer)
        .signer_deadline(Duration::from_millis(50))
        .on_error(move |error| keep.lock().expect("unpoisoned").push(error.to_string()))
        .open(MemoryStore::new())
        .expect("opens");
    let blocked = signer.block_with(&log, login("blocked"));
    let kept = log.submit(login("kept")).expect("room");
    for round in 0..7 {
        drop(log.submit(login(round)).expect("room"));
    }
    drop(blocked);
    signer.set(Mode::Fail);
    assert!(matches!(
        kept.wait().expect_err("no signature").cause(),
        Cause::Signer(_)
    ));
    eventually("eight failures are told", || {
        told.lock().expect("unpoisoned").len() == 8
    });
    assert_eq!(log.state().lost_unseen, 8, "the kept ticket is not among them");
    assert!(!log.state().healthy);
    signer.set(Mode::Sign);
    let receipt = log.append(login("after")).expect("recorded");
    assert_eq!(receipt.seq, 2, "nothing of the failed commits was written");
    let state = log.state();
    assert!(state.healthy && state.last_error.is_some());
}

#[test]
fn a_retry_that_has_its_receipt_does_not_lose_it_to_its_neighbours_failure() {
    let signer = TestSigner::new();
    let told = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&told);
    let log = in_memory(&signer)
        .signer_deadline(Duration::from_millis(50))
        .on_error(move |_| {
            count.fetch_add(1, Ordering::SeqCst);
        })
        .open(MemoryStore::new())
        .expect("opens");
    let first = log.append(login("once").id("once")).expect("recorded");
    let blocked = signer.block_with(&log, login("blocked"));
    let retry = log.submit(login("once").id("once")).expect("room");
    drop(log.submit(login("once").id("once")).expect("room"));
    let other = log.submit(login("other")).expect("room");
    signer.set(Mode::Fail);
    blocked.wait().expect_err("no signature");
    other.wait().expect_err("no signature");
    assert_eq!(retry.wait().expect("the first receipt"), first);
    assert_eq!(log.state().lost_unseen, 0, "a dropped retry is recorded since long");
    assert_eq!(told.load(Ordering::SeqCst), 0);
}

#[test]
fn a_callback_that_panics_harms_nobody() {
    let signer = TestSigner::new();
    let log = in_memory(&signer)
        .signer_deadline(Duration::from_millis(20))
        .on_error(|_| panic!("the callback panics, as the test told it"))
        .open(MemoryStore::new())
        .expect("opens");
    signer.set(Mode::Fail);
    for round in 0..5 {
        drop(log.submit(login(round)).expect("room"));
    }
    eventually("the failures are counted", || log.state().lost_unseen == 5);
    signer.set(Mode::Sign);
    let receipt = within(SOON, "an append after a panic", {
        let log = log.clone();
        move || log.append(login("after")).expect("recorded")
    });
    assert_eq!(receipt.seq, 2);
    within(SOON, "closing after a panic", move || log.close(SOON)).expect("closed");
}

/// A log whose callback gets the log itself, and runs `step` with it once.
fn log_with_callback(
    signer: &Arc<TestSigner>,
    step: impl Fn(&AuditLog, &Error) + Send + Sync + 'static,
) -> (AuditLog, Arc<AtomicBool>) {
    let slot: Arc<OnceLock<AuditLog>> = Arc::default();
    let done = Arc::new(AtomicBool::new(false));
    let (inner, flag) = (Arc::clone(&slot), Arc::clone(&done));
    let log = in_memory(signer)
        .signer_deadline(Duration::from_millis(20))
        .drop_deadline(Duration::from_secs(2))
        .on_error(move |error| {
            if let Some(log) = inner.get()
                && !flag.load(Ordering::SeqCst)
            {
                step(log, error);
                flag.store(true, Ordering::SeqCst);
            }
        })
        .open(MemoryStore::new())
        .expect("opens");
    slot.set(log.clone()).expect("set once");
    (log, done)
}

#[test]
fn a_callback_may_ask_the_log_whatever_it_likes() {
    let signer = TestSigner::new();
    let (log, done) = log_with_callback(&signer, |log, _| {
        log.append(login("in the callback")).expect("recorded");
        drop(log.submit(login("submitted")).expect("room"));
        assert!(log.state().lost_unseen > 0);
        assert_eq!(log.origin().as_str(), ORIGIN);
        log.vkey();
        log.checkpoint().expect("a checkpoint");
        log.prove(0).expect("a proof");
        log.reader().record(0).expect("a record");
        let _ = format!("{log:?}");
    });
    signer.misbehave(Mode::Fail, 2);
    drop(log.submit(login("lost")).expect("room"));
    eventually("the callback is through", || done.load(Ordering::SeqCst));
    eventually("what it submitted is recorded", || log.state().size >= 4);
    assert_eq!(actors(&log).get("usr_submitted"), Some(&1));
    assert_eq!(actors(&log).get("usr_in the callback"), Some(&1));
}

#[test]
fn a_callback_may_rotate_erase_and_purge_without_a_hang() {
    let signer = TestSigner::new();
    let (log, done) = log_with_callback(&signer, |log, _| {
        // Refused or done, but not waited for without end.
        let _ = log.rotate_key(key());
        let _ = log.erase_personal_data([0..=0], "test");
        let _ = log.erase_records([0..=0], "test");
        let _ = log.purge(0);
        let _ = log.rotate_key_file();
    });
    signer.misbehave(Mode::Fail, 2);
    drop(log.submit(login("lost")).expect("room"));
    eventually("the callback is through", || done.load(Ordering::SeqCst));
    within(SOON, "an append after it", move || {
        log.append(login("after")).expect("recorded")
    });
}

#[test]
fn a_callback_may_close_the_log() {
    let signer = TestSigner::new();
    let (log, done) = log_with_callback(&signer, |log, _| {
        let began = Instant::now();
        let _ = log.close(Duration::from_secs(600));
        assert!(began.elapsed() < SOON);
    });
    signer.misbehave(Mode::Fail, 2);
    drop(log.submit(login("lost")).expect("room"));
    eventually("the callback is through", || done.load(Ordering::SeqCst));
    within(SOON, "closing", move || log.close(SOON)).expect("closed");
}

#[test]
fn the_last_clone_may_be_dropped_on_the_committers_thread() {
    let signer = TestSigner::new();
    let slot: Arc<Mutex<Option<AuditLog>>> = Arc::default();
    let (inner, store) = (Arc::clone(&slot), MemoryStore::new());
    let log = in_memory(&signer)
        .signer_deadline(Duration::from_millis(20))
        .drop_deadline(Duration::from_secs(600))
        .on_error(move |_| drop(inner.lock().expect("unpoisoned").take()))
        .open(store.clone())
        .expect("opens");
    let blocked = signer.block_with(&log, login("lost"));
    let later = log.submit(login("later")).expect("room");
    drop(blocked);
    *slot.lock().expect("unpoisoned") = Some(log);
    signer.misbehave(Mode::Fail, 100);
    within(SOON, "the ticket of a log that is gone", move || later.wait()).expect_err("no signature");
    signer.set(Mode::Sign);
    let log = within(SOON, "opening it anew", move || in_memory(&signer).open(store)).expect("opens");
    log.append(login("after")).expect("recorded");
}

#[test]
fn a_waker_may_be_the_last_that_holds_the_log() {
    let signer = TestSigner::new();
    let log = in_memory(&signer).drop_deadline(Duration::from_secs(600));
    let log = log.open(MemoryStore::new()).expect("opens");
    let mut ticket = signer.block_with(&log, login("blocked"));
    let task = Waker::from(Arc::new(Task(Mutex::new(Some(log)))));
    let poll = |ticket: &mut Ticket, waker: &Waker| Pin::new(ticket).poll(&mut Context::from_waker(waker));
    assert!(poll(&mut ticket, &task).is_pending());
    drop(task);
    let polling = std::thread::spawn(move || {
        let polled = poll(&mut ticket, Waker::noop());
        (polled.is_ready(), ticket.wait())
    });
    // By now it waits for the end of the log.
    std::thread::sleep(Duration::from_millis(100));
    signer.set(Mode::Sign);
    let (_, receipt) = within(SOON, "the last clone's end", move || polling.join().expect("no panic"));
    receipt.expect("recorded");
}

#[test]
fn a_ticket_gives_its_receipt_in_every_way() {
    let log = memory_log();
    let waited = log.submit(login(1)).expect("room").wait().expect("recorded");
    let timed = log.submit(login(2)).expect("room");
    let first = timed.wait_timeout(SOON).expect("in time").expect("recorded");
    assert_eq!(
        timed.wait_timeout(Duration::ZERO).expect("there").expect("recorded"),
        first
    );
    assert_eq!(timed.try_receipt().expect("there").expect("recorded"), first);
    let awaited = block_on(log.submit(login(3)).expect("room")).expect("recorded");
    assert_eq!([waited.seq, first.seq, awaited.seq], [2, 3, 4]);
}

#[test]
fn a_ticket_that_is_waited_for_in_vain_still_comes() {
    let signer = TestSigner::new();
    let log = in_memory(&signer).open(MemoryStore::new()).expect("opens");
    let ticket = signer.block_with(&log, login(1));
    assert!(ticket.try_receipt().is_none());
    assert!(ticket.wait_timeout(Duration::from_millis(30)).is_none());
    signer.set(Mode::Sign);
    assert_eq!(ticket.wait().expect("recorded").seq, 2);
}

#[test]
fn two_threads_that_wait_for_one_ticket_both_get_it() {
    let signer = TestSigner::new();
    let log = in_memory(&signer).open(MemoryStore::new()).expect("opens");
    let ticket = Arc::new(signer.block_with(&log, login(1)));
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let ticket = Arc::clone(&ticket);
            std::thread::spawn(move || {
                let began = Instant::now();
                let receipt = ticket.wait_timeout(Duration::from_secs(15));
                (receipt.expect("in time").expect("recorded").seq, began.elapsed())
            })
        })
        .collect();
    std::thread::sleep(Duration::from_millis(100));
    signer.set(Mode::Sign);
    for thread in threads {
        let (seq, waited) = thread.join().expect("no panic");
        assert_eq!(seq, 2);
        assert!(waited < Duration::from_secs(5), "woken after {waited:?}");
    }
}

#[test]
fn a_task_is_woken_though_its_ticket_was_also_waited_for() {
    let signer = TestSigner::new();
    let log = in_memory(&signer).open(MemoryStore::new()).expect("opens");
    let mut ticket = signer.block_with(&log, login(1));
    let count = Arc::new(Count::default());
    assert!(poll_once(&mut ticket, &count).is_pending());
    assert!(ticket.wait_timeout(Duration::from_millis(10)).is_none());
    signer.set(Mode::Sign);
    eventually("the task is woken", || count.get() > 0);
    assert!(matches!(poll_once(&mut ticket, &count), Poll::Ready(Ok(_))));
}

#[test]
fn only_the_last_waker_of_a_task_is_woken() {
    let signer = TestSigner::new();
    let log = in_memory(&signer).open(MemoryStore::new()).expect("opens");
    let mut ticket = signer.block_with(&log, login(1));
    let (first, second) = (Arc::new(Count::default()), Arc::new(Count::default()));
    assert!(poll_once(&mut ticket, &first).is_pending());
    assert!(poll_once(&mut ticket, &second).is_pending());
    signer.set(Mode::Sign);
    eventually("the second waker is woken", || second.get() == 1);
    assert_eq!(first.get(), 0);
}

#[test]
fn a_future_does_nothing_until_it_is_polled_and_gives_its_receipt_again() {
    let log = memory_log();
    drop(log.append_async(login("never polled")));
    let mut future = log.append_async(login("polled"));
    let count = Arc::new(Count::default());
    let mut receipt = None;
    eventually("the future is done", || match poll_once(&mut future, &count) {
        Poll::Ready(result) => {
            receipt = Some(result.expect("recorded"));
            true
        }
        Poll::Pending => false,
    });
    assert_eq!(receipt.expect("a receipt").seq, 2);
    // Polled after completion: no panic, no second record.
    for _ in 0..3 {
        let Poll::Ready(again) = poll_once(&mut future, &count) else {
            panic!("pending after completion")
        };
        if let Ok(again) = again {
            assert_eq!(Some(again), receipt);
        }
    }
    assert_eq!(log.append(login("next")).expect("recorded").seq, 3);
    let mut refused = log.append_async(login("x").id("not an id"));
    for _ in 0..3 {
        assert!(matches!(poll_once(&mut refused, &count), Poll::Ready(Err(_))));
    }
}

#[test]
fn a_future_dropped_in_the_queue_is_recorded_and_its_failure_counted() {
    let signer = TestSigner::new();
    let log = in_memory(&signer)
        .signer_deadline(Duration::from_millis(20))
        .open(MemoryStore::new())
        .expect("opens");
    let count = Arc::new(Count::default());
    let blocked = signer.block_with(&log, login("blocked"));
    let mut future = log.append_async(login("dropped"));
    assert!(poll_once(&mut future, &count).is_pending());
    drop(future);
    signer.set(Mode::Sign);
    blocked.wait().expect("recorded");
    eventually("the dropped one is recorded", || log.state().size == 4);

    let blocked = signer.block_with(&log, login("blocked"));
    let mut future = log.append_async(login("dropped and lost"));
    assert!(poll_once(&mut future, &count).is_pending());
    drop(future);
    signer.set(Mode::Fail);
    blocked.wait().expect_err("no signature");
    eventually("its failure is counted", || log.state().lost_unseen == 1);
}

#[test]
fn a_thousand_futures_on_one_thread_are_all_woken() {
    let signer = TestSigner::new();
    // Room for a few at a time: most of them wait for room first.
    let log = in_memory(&signer)
        .queue_bytes(5_000)
        .open(MemoryStore::new())
        .expect("opens");
    let blocked = signer.block_with(&log, login("blocked"));
    let mut futures: Vec<_> = (0..1000)
        .map(|round| (Arc::new(Count::default()), log.append_async(login(round))))
        .collect();
    for (count, future) in &mut futures {
        assert!(poll_once(future, count).is_pending());
    }
    signer.set(Mode::Sign);
    blocked.wait().expect("recorded");
    let mut polled = vec![0; futures.len()];
    let mut done = vec![false; futures.len()];
    eventually("every future is done, each polled only when it was woken", || {
        for (index, (count, future)) in futures.iter_mut().enumerate() {
            if !done[index] && count.get() > polled[index] {
                polled[index] = count.get();
                done[index] = matches!(poll_once(future, count), Poll::Ready(Ok(_)));
            }
        }
        done.iter().all(|done| *done)
    });
    assert_eq!(log.state().size, 3 + 1000);
}

#[test]
fn a_ticket_does_not_keep_the_log_open() {
    let signer = TestSigner::new();
    let store = MemoryStore::new();
    let log = in_memory(&signer).open(store.clone()).expect("opens");
    let ticket = log.submit(login(1)).expect("room");
    drop(log);
    let log = in_memory(&signer)
        .lock_wait(Duration::from_secs(2))
        .open(store)
        .expect("the ticket does not hold it");
    let receipt = ticket.wait().expect("the last drop flushed it");
    assert_eq!(log.reader().record(receipt.seq).expect("a record").hash(), receipt.hash);
}

#[test]
fn a_waker_that_panics_leaves_nobody_waiting() {
    struct Panics;
    impl std::task::Wake for Panics {
        fn wake(self: Arc<Self>) {
            panic!("the waker panics, as the test told it");
        }
    }
    let signer = TestSigner::new();
    let log = in_memory(&signer).open(MemoryStore::new()).expect("opens");
    let blocked = signer.block_with(&log, login("blocked"));
    let mut polled = log.submit(login("polled")).expect("room");
    let neighbours: Vec<_> = (0..5).map(|round| log.submit(login(round)).expect("room")).collect();
    let waker = std::task::Waker::from(Arc::new(Panics));
    let context = &mut std::task::Context::from_waker(&waker);
    assert!(std::future::Future::poll(std::pin::Pin::new(&mut polled), context).is_pending());
    signer.set(Mode::Sign);
    blocked.wait().expect("recorded");
    for ticket in neighbours {
        // A receipt or an error, but an answer.
        let _ = within(SOON, "a neighbour's ticket", move || ticket.wait());
    }
    within(SOON, "an append after it", {
        let log = log.clone();
        move || drop(log.append(login("after")))
    });
    let _ = within(SOON, "closing", move || log.close(SOON));
}

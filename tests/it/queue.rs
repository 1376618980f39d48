//! Backpressure: a full queue refuses or makes wait, within its limits, and forgets nobody.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use indelible::{Append, AuditLog, Cause, ErrorKind, MemoryStore, Ticket};

use crate::scene::*;

/// A log whose signer blocks on one event and whose queue is full of another.
fn full(signer: &Arc<TestSigner>, deadline: Option<Duration>) -> (AuditLog, Vec<Ticket>) {
    let mut builder = in_memory(signer).queue_bytes(2_000);
    if let Some(deadline) = deadline {
        builder = builder.append_deadline(deadline);
    }
    let log = builder.open(MemoryStore::new()).expect("opens");
    let blocked = signer.block_with(&log, login("blocked"));
    let waiting = log.submit(large("waiting", 1_500)).expect("room");
    (log, vec![blocked, waiting])
}

#[test]
fn submit_says_that_the_queue_is_full_and_takes_nothing() {
    let signer = TestSigner::new();
    let (log, tickets) = full(&signer, None);
    let error = log.submit(large("refused", 1_500)).expect_err("no room");
    assert_eq!(error.kind(), ErrorKind::Retry);
    match error.cause() {
        Cause::QueueFull { queued, limit } => {
            assert_eq!(*limit, 2_000);
            assert!((1_500..=2_000).contains(queued), "{queued}");
        }
        other => panic!("{other}"),
    }
    let state = log.state();
    assert_eq!(state.queued_events, 1);
    assert!((1_500..=2_000).contains(&state.queued_bytes));
    signer.set(Mode::Sign);
    for ticket in tickets {
        ticket.wait().expect("recorded");
    }
    assert_eq!(actors(&log).get("usr_refused"), None);
    assert_eq!(log.state().queued_events, 0);
    log.submit(large("later", 1_500))
        .expect("room again")
        .wait()
        .expect("recorded");
}

#[test]
fn one_event_always_has_room() {
    let signer = TestSigner::new();
    for limit in [0, 1, 100] {
        let log = in_memory(&signer)
            .queue_bytes(limit)
            .open(MemoryStore::new())
            .expect("opens");
        log.submit(large("one", 100_000))
            .expect("room")
            .wait()
            .expect("recorded");
        within(SOON, "an append beyond the limit", {
            let log = log.clone();
            move || log.append(large("two", 100_000)).expect("recorded")
        });
        block_on(log.append_async(large("three", 100_000))).expect("recorded");
    }
}

#[test]
fn append_waits_for_room() {
    let signer = TestSigner::new();
    let (log, tickets) = full(&signer, None);
    let threads: Vec<_> = (0..6)
        .map(|round| {
            let log = log.clone();
            std::thread::spawn(move || log.append(large(round, 1_500)).expect("recorded").seq)
        })
        .collect();
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(log.state().size, 2, "nothing is recorded while the signer blocks");
    assert_eq!(log.state().queued_events, 1, "nothing is taken beyond the limit");
    signer.set(Mode::Sign);
    let mut seqs: Vec<u64> = threads
        .into_iter()
        .map(|thread| thread.join().expect("no panic"))
        .collect();
    seqs.sort_unstable();
    assert_eq!(seqs, [4, 5, 6, 7, 8, 9]);
    drop(tickets);
}

#[test]
fn append_waits_for_room_no_longer_than_its_deadline() {
    let signer = TestSigner::new();
    let deadline = Duration::from_millis(150);
    let (log, _tickets) = full(&signer, Some(deadline));
    let began = Instant::now();
    let error = log.append(large("late", 1_500)).expect_err("no room in time");
    assert!(began.elapsed() >= deadline && began.elapsed() < SOON);
    assert!(
        matches!(error.cause(), Cause::TimedOut { limit, .. } if *limit == deadline),
        "{error}"
    );
    assert_eq!(error.kind(), ErrorKind::Retry);
    signer.set(Mode::Sign);
    eventually("the queue is empty", || log.state().size == 4);
    assert_eq!(
        log.append(login("after")).expect("recorded").seq,
        4,
        "what timed out is not recorded"
    );
}

#[test]
fn a_future_waits_for_room_without_blocking() {
    let signer = TestSigner::new();
    let (log, _tickets) = full(&signer, None);
    let count = Arc::new(Count::default());
    let mut waits = log.append_async(large("waits", 1_500));
    let mut dropped = log.append_async(large("dropped", 1_500));
    assert!(poll_once(&mut waits, &count).is_pending());
    assert!(poll_once(&mut dropped, &count).is_pending());
    drop(dropped);
    assert_eq!(log.state().queued_events, 1);
    signer.set(Mode::Sign);
    let mut seen = 0;
    eventually("the future is woken and done", || {
        if count.get() == seen {
            return false;
        }
        seen = count.get();
        matches!(poll_once(&mut waits, &count), Poll::Ready(Ok(_)))
    });
    assert_eq!(
        actors(&log).get("usr_dropped"),
        None,
        "it was dropped before there was room"
    );
    assert_eq!(log.state().lost_unseen, 0);
}

#[test]
fn who_waits_for_room_is_told_when_the_log_is_closed() {
    let signer = TestSigner::new();
    let (log, tickets) = full(&signer, None);
    let count = Arc::new(Count::default());
    let mut future = log.append_async(large("future", 1_500));
    assert!(poll_once(&mut future, &count).is_pending());
    let blocked = {
        let log = log.clone();
        std::thread::spawn(move || log.append(large("thread", 1_500)))
    };
    std::thread::sleep(Duration::from_millis(50));
    let closing = {
        let log = log.clone();
        std::thread::spawn(move || log.close(SOON))
    };
    let error = within(SOON, "an append that waits for room", move || {
        blocked.join().expect("no panic")
    });
    assert!(is_closed(error.expect_err("closed").cause()));
    eventually("the future is woken", || count.get() > 0);
    match poll_once(&mut future, &count) {
        Poll::Ready(Err(error)) => assert!(is_closed(error.cause()), "{error}"),
        other => panic!("{other:?}"),
    }
    signer.set(Mode::Sign);
    closing.join().expect("no panic").expect("closed");
    for ticket in tickets {
        ticket.wait().expect("what was in the queue is recorded");
    }
}

#[test]
fn a_waker_may_be_the_last_that_holds_another_future_of_the_log() {
    let signer = TestSigner::new();
    let (log, tickets) = full(&signer, None);
    let pending = |future: &mut Append, waker: &Waker| {
        let polled = Pin::new(future).poll(&mut Context::from_waker(waker));
        assert!(polled.is_pending());
    };
    for is_polled_again in [false, true] {
        let (mut waits, mut held) = (
            log.append_async(large("waits", 1_500)),
            log.append_async(large("held", 1_500)),
        );
        pending(&mut held, Waker::noop());
        let task = Waker::from(Arc::new(Task(Mutex::new(Some(held)))));
        pending(&mut waits, &task);
        drop(task);
        within(SOON, "letting a waker go that holds a future", move || {
            if is_polled_again {
                pending(&mut waits, Waker::noop());
            }
        });
    }
    signer.set(Mode::Sign);
    for ticket in tickets {
        ticket.wait().expect("recorded");
    }
    let actors = actors(&log);
    assert_eq!((actors.get("usr_waits"), actors.get("usr_held")), (None, None));
}

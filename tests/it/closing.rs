//! Closing: what is queued is flushed within a limit, nothing is taken after it, and no end of a log hangs.

use std::time::{Duration, Instant};

use indelible::{AuditLog, Cause, ErrorKind, FileStore, MemoryStore};

use crate::oracle;
use crate::scene::*;

#[test]
fn close_flushes_and_then_every_clone_is_closed() {
    let scene = Scene::new();
    let log = scene.open();
    let tickets: Vec<_> = (0..500).map(|round| log.submit(login(round)).expect("room")).collect();
    log.close(SOON).expect("closed");
    for (ticket, seq) in tickets.into_iter().zip(2..) {
        let receipt = ticket.wait_timeout(SOON).expect("an answer").expect("recorded");
        assert_eq!(receipt.seq, seq);
    }
    let clone = log.clone();
    let errors = [
        clone.append(login("late")).expect_err("closed"),
        clone.submit(login("late")).expect_err("closed"),
        block_on(clone.append_async(login("late"))).expect_err("closed"),
        clone.rotate_key_file().expect_err("closed"),
        clone.rotate_key(key()).expect_err("closed"),
        clone.erase_personal_data([2..=2], "late").expect_err("closed"),
        clone.erase_records([2..=2], "late").expect_err("closed"),
    ];
    for error in errors {
        assert!(is_closed(error.cause()), "{error}");
        assert_eq!(error.kind(), ErrorKind::Reopen);
    }
    clone.close(Duration::ZERO).expect("closed already");
    assert!(!log.state().healthy, "a probe sees that it takes nothing");
    let sound = oracle::check(&scene.store(), &scene.vkey());
    assert_eq!(sound.size(), 503);
    assert_eq!(sound.actions().last(), Some(&"audit_log.stopped"));
    // What was recorded can still be read and proved.
    log.reader().record(5).expect("a record");
    log.prove(5).expect("a proof");
    assert!(
        !scene.root().join("audit.key.next").exists(),
        "a refused rotation leaves no key"
    );
}

#[test]
fn nothing_is_recorded_after_stopped() {
    let scene = Scene::new();
    let log = scene.open();
    let threads: Vec<_> = (0..16)
        .map(|thread| {
            let log = log.clone();
            std::thread::spawn(move || {
                (0_u64..)
                    .map_while(|round| log.append(login(format!("{thread}_{round}"))).ok())
                    .collect::<Vec<_>>()
            })
        })
        .collect();
    std::thread::sleep(Duration::from_millis(100));
    log.close(SOON).expect("closed");
    let receipts: Vec<_> = threads
        .into_iter()
        .flat_map(|thread| thread.join().expect("no panic"))
        .collect();
    let sound = oracle::check(&scene.store(), &scene.vkey());
    assert_eq!(
        sound.size(),
        3 + receipts.len() as u64,
        "each acknowledged event, and no other"
    );
    assert_eq!(sound.actions().last(), Some(&"audit_log.stopped"));
}

#[test]
fn close_does_not_wait_longer_than_its_limit_for_a_signer_that_hangs() {
    let signer = TestSigner::new();
    let log = in_memory(&signer).open(MemoryStore::new()).expect("opens");
    let ticket = signer.block_with(&log, login(1));
    let limit = Duration::from_millis(200);
    let began = Instant::now();
    let error = log.close(limit).expect_err("the signer hangs");
    assert!(began.elapsed() >= limit && began.elapsed() < Duration::from_secs(5));
    assert!(
        matches!(error.cause(), Cause::TimedOut { limit: said, .. } if *said == limit),
        "{error}"
    );
    assert!(is_closed(log.append(login(2)).expect_err("closed").cause()));
    signer.set(Mode::Sign);
    assert_eq!(ticket.wait().expect("it goes on in the background").seq, 2);
    log.close(SOON).expect("closed");
}

#[test]
fn the_last_drop_does_not_block_for_ever() {
    let signer = TestSigner::new();
    let log = in_memory(&signer)
        .drop_deadline(Duration::from_millis(200))
        .open(MemoryStore::new())
        .expect("opens");
    let ticket = signer.block_with(&log, login(1));
    let began = Instant::now();
    within(SOON, "the last drop", move || drop(log));
    assert!(began.elapsed() < Duration::from_secs(5));
    signer.set(Mode::Sign);
    ticket.wait().expect("it goes on in the background");
}

#[test]
fn the_last_drop_flushes_and_closes_in_order() {
    let scene = Scene::new();
    let log = scene.open();
    let clone = log.clone();
    let tickets: Vec<_> = (0..100).map(|round| log.submit(login(round)).expect("room")).collect();
    drop(log);
    clone.append(login("a clone keeps it open")).expect("recorded");
    drop(clone);
    for ticket in tickets {
        ticket.wait().expect("recorded");
    }
    let sound = oracle::check(&scene.store(), &scene.vkey());
    assert_eq!(sound.size(), 104);
    assert_eq!(sound.actions().last(), Some(&"audit_log.stopped"));
    scene.open().close(SOON).expect("closed");
    let sound = oracle::check(&scene.store(), &scene.vkey());
    assert!(sound.of("audit_log.recovered").is_empty(), "it was closed in order");
}

#[test]
fn a_signer_that_fails_for_a_moment_while_closing_loses_nothing() {
    let signer = TestSigner::new();
    let store = MemoryStore::new();
    let log = in_memory(&signer).open(store.clone()).expect("opens");
    let blocked = signer.block_with(&log, login("blocked"));
    let tickets: Vec<_> = (0..20).map(|round| log.submit(login(round)).expect("room")).collect();
    let closing = {
        let log = log.clone();
        std::thread::spawn(move || log.close(SOON))
    };
    std::thread::sleep(Duration::from_millis(50));
    signer.misbehave(Mode::Fail, 3);
    blocked.wait().expect("the signer came back");
    for ticket in tickets {
        ticket.wait().expect("the signer came back");
    }
    closing.join().expect("no panic").expect("closed");
    let sound = oracle::check(&store, indelible::Signer::vkey(&signer));
    assert_eq!(sound.size(), 24);
    assert_eq!(sound.actions().last(), Some(&"audit_log.stopped"));
}

#[test]
fn closing_with_a_dead_signer_says_so_and_lets_the_next_writer_in() {
    let signer = TestSigner::new();
    let store = MemoryStore::new();
    let log = in_memory(&signer).open(store.clone()).expect("opens");
    log.append(login(1)).expect("recorded");
    signer.set(Mode::Fail);
    let began = Instant::now();
    let error = log.close(Duration::from_millis(300)).expect_err("no signature");
    assert!(began.elapsed() < Duration::from_secs(5));
    assert!(
        matches!(error.cause(), Cause::Signer(_) | Cause::TimedOut { .. }),
        "{error}"
    );
    signer.set(Mode::Sign);
    let log = in_memory(&signer).open(store.clone()).expect("the store is let go");
    log.close(SOON).expect("closed");
    let sound = oracle::check(&store, indelible::Signer::vkey(&signer));
    // The first closing may have gone on in the background, and then it is said; else the opening says that it is
    // missing.
    let said = sound.of("audit_log.recovered").len() + sound.of("audit_log.stopped").len();
    assert_eq!(said, 2, "{:?}", sound.actions());
}

#[test]
fn many_threads_may_close_at_once() {
    let scene = Scene::new();
    let log = scene.open();
    drop(log.submit(login(1)).expect("room"));
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let log = log.clone();
            std::thread::spawn(move || log.close(SOON))
        })
        .collect();
    for thread in threads {
        thread.join().expect("no panic").expect("closed");
    }
    let sound = oracle::check(&scene.store(), &scene.vkey());
    assert_eq!(sound.of("audit_log.stopped").len(), 1);
}

#[test]
fn a_limit_without_end_is_no_panic() {
    let log = memory_log();
    within(SOON, "closing without a limit", move || log.close(Duration::MAX)).expect("closed");
    let signer = TestSigner::new();
    let log = in_memory(&signer)
        .drop_deadline(Duration::MAX)
        .append_deadline(Duration::MAX)
        .signer_deadline(Duration::MAX)
        .lock_wait(Duration::MAX)
        .open(MemoryStore::new())
        .expect("opens");
    log.submit(login(1))
        .expect("room")
        .wait_timeout(Duration::MAX)
        .expect("in time")
        .expect("recorded");
    within(SOON, "the last drop", move || drop(log));
}

#[test]
fn a_log_opened_and_closed_many_times_continues_its_chain() {
    let scene = Scene::new();
    for round in 0..12 {
        let log = scene.open();
        assert_eq!(log.state().size, round * 3 + 2);
        log.append(login(round)).expect("recorded");
        log.close(SOON).expect("closed");
    }
    let sound = oracle::check(&scene.store(), &scene.vkey());
    assert_eq!(sound.size(), 37);
    let mut expected = vec!["audit_log.created"];
    for _ in 0..12 {
        expected.extend(["audit_log.started", "auth.login.succeeded", "audit_log.stopped"]);
    }
    assert_eq!(sound.actions(), expected);
}

#[test]
fn what_the_log_says_of_its_start_names_version_and_source() {
    let scene = Scene::new();
    let log = scene
        .builder()
        .source("auth-service/1.4.2")
        .open(scene.store())
        .expect("opens");
    log.append(login(1)).expect("recorded");
    log.close(SOON).expect("closed");
    let sound = oracle::check(&scene.store(), &scene.vkey());
    let started = &sound.of("audit_log.started")[0].event;
    assert_eq!(started["metadata"]["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(started["source"], "auth-service/1.4.2");
    assert_eq!(
        sound.of("auth.login.succeeded")[0].event["source"],
        "auth-service/1.4.2"
    );
    let created = &sound.of("audit_log.created")[0].event;
    assert!(created["metadata"].get("previous").is_none());
    assert_eq!(created["actor"]["type"], "system");
}

#[test]
fn a_log_that_continues_another_says_so() {
    let old = Scene::new();
    let log = old.open();
    log.append(login(1)).expect("recorded");
    let last = log.checkpoint().expect("a checkpoint");
    drop(log);
    let new = Scene::new();
    let log: AuditLog = new
        .builder()
        .previous(last.clone())
        .open(FileStore::new(new.folder()))
        .expect("opens");
    log.close(SOON).expect("closed");
    let sound = oracle::check(&new.store(), &new.vkey());
    assert_eq!(sound.at(0).event["metadata"]["previous"], last.as_str());
}

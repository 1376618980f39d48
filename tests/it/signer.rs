//! Signers that fail, hang, panic or lie: nothing lost, nothing written unsigned, nothing poisoned.

use std::sync::Arc;
use std::time::{Duration, Instant};

use indelible::{AuditLog, Cause, ErrorKind, FileStore, MemoryStore, Signer};

use crate::oracle;
use crate::scene::*;

#[test]
fn a_signer_that_comes_back_loses_nothing() {
    for mode in [Mode::Fail, Mode::Panic] {
        let signer = TestSigner::new();
        let store = MemoryStore::new();
        let log = in_memory(&signer).open(store.clone()).expect("opens");
        signer.misbehave(mode, 4);
        let threads: Vec<_> = (0..8)
            .map(|thread| {
                let log = log.clone();
                std::thread::spawn(move || log.append(login(thread)).expect("the signer came back"))
            })
            .collect();
        eventually("the failure shows before events begin to fail", || {
            !log.state().healthy || log.state().size == 10
        });
        threads.into_iter().for_each(|thread| {
            thread.join().expect("no panic");
        });
        let state = log.state();
        assert!(state.healthy, "{mode:?}");
        assert!(matches!(state.last_error.expect("an error").cause(), Cause::Signer(_)));
        log.close(SOON).expect("closed");
        assert_eq!(oracle::check(&store, signer.vkey()).size(), 11);
    }
}

#[test]
fn past_the_deadline_events_fail_and_nothing_is_written() {
    for mode in [Mode::Fail, Mode::Panic] {
        let scene = Scene::new();
        let signer = TestSigner::new();
        let log = AuditLog::builder(ORIGIN)
            .signer(Arc::clone(&signer))
            .without_checkpoint_file()
            .signer_deadline(Duration::from_millis(100))
            .open(FileStore::new(scene.folder()))
            .expect("opens");
        let before = content_of(&scene.last_segment());
        signer.set(mode);
        let began = Instant::now();
        let error = log.append(login("lost")).expect_err("no signature");
        assert!(began.elapsed() >= Duration::from_millis(100) && began.elapsed() < Duration::from_secs(5));
        assert_eq!(error.kind(), ErrorKind::Retry);
        assert!(matches!(error.cause(), Cause::Signer(_)), "{error}");
        log.submit(login("lost"))
            .expect("room")
            .wait()
            .expect_err("no signature");
        block_on(log.append_async(login("lost"))).expect_err("no signature");
        log.rotate_key(key()).expect_err("no signature");
        log.erase_personal_data([0..=1], "test").expect_err("no signature");
        assert_eq!(
            content_of(&scene.last_segment()),
            before,
            "nothing is written without a signature"
        );
        assert!(!log.state().healthy);
        signer.set(Mode::Sign);
        assert_eq!(log.append(login("after")).expect("not poisoned").seq, 2);
        log.close(SOON).expect("closed");
        let sound = oracle::check(&FileStore::new(scene.folder()), signer.vkey());
        assert_eq!(sound.size(), 4);
        assert_eq!(sound.count("usr_lost"), 0);
        assert_eq!(sound.vkey, *signer.vkey(), "the rotation did not happen");
    }
}

#[test]
fn a_signer_that_hangs_holds_up_no_reader_and_no_probe() {
    let signer = TestSigner::new();
    let log = in_memory(&signer).open(MemoryStore::new()).expect("opens");
    let ticket = signer.block_with(&log, login(1));
    within(SOON, "what needs no signature", {
        let log = log.clone();
        move || {
            log.state();
            log.vkey();
            log.checkpoint().expect("a checkpoint");
            log.prove(0).expect("a proof");
            log.reader().record(1).expect("a record");
            drop(log.submit(login(2)).expect("room"));
        }
    });
    signer.set(Mode::Sign);
    ticket.wait().expect("recorded");
}

#[test]
fn a_signer_that_lies_is_not_believed() {
    let signer = TestSigner::new();
    signer.set(Mode::Garbage);
    let scene = Scene::new();
    let open = || {
        AuditLog::builder(ORIGIN)
            .signer(Arc::clone(&signer))
            .without_checkpoint_file()
            .signer_deadline(Duration::from_millis(50))
            .open(FileStore::new(scene.folder()))
    };
    let error = open().expect_err("a signature that does not verify is none");
    assert!(matches!(error.cause(), Cause::Signer(_)), "{error}");
    signer.set(Mode::Sign);
    let log = open().expect("opens");
    log.append(login(1)).expect("recorded");
    // A key that cannot sign must not come into force: the log could never be opened again.
    let liar = TestSigner::new();
    liar.set(Mode::Garbage);
    let error = log
        .rotate_key(Arc::clone(&liar))
        .expect_err("a signature that does not verify is none");
    assert!(matches!(error.cause(), Cause::Signer(_)), "{error}");
    log.append(login(2)).expect("recorded");
    log.close(SOON).expect("closed");
    assert_eq!(oracle::check(&FileStore::new(scene.folder()), signer.vkey()).size(), 5);
}

#[test]
fn a_signer_that_lies_later_is_not_believed_either() {
    let (signer, scene) = (TestSigner::new(), Scene::new());
    let log = AuditLog::builder(ORIGIN)
        .signer(Arc::clone(&signer))
        .without_checkpoint_file()
        .signer_deadline(Duration::from_millis(50))
        .open(FileStore::new(scene.folder()))
        .expect("opens");
    for round in 0..5 {
        log.append(login(round)).expect("recorded");
        signer.set(Mode::Garbage);
        let error = log.append(login("lost")).expect_err("not signed");
        assert!(matches!(error.cause(), Cause::Signer(_)), "{error}");
        signer.set(Mode::Sign);
    }
    log.close(SOON).expect("closed");
    assert_eq!(oracle::check(&FileStore::new(scene.folder()), signer.vkey()).size(), 8);
}

#[test]
fn a_log_that_fails_to_open_for_its_signer_can_be_opened_later() {
    let scene = Scene::new();
    let signer = TestSigner::new();
    signer.set(Mode::Fail);
    let open = || {
        AuditLog::builder(ORIGIN)
            .signer(Arc::clone(&signer))
            .checkpoint_file(scene.root().join("place"))
            .signer_deadline(Duration::from_millis(30))
            .lock_wait(Duration::ZERO)
            .open(scene.store())
    };
    assert!(matches!(open().expect_err("no signature").cause(), Cause::Signer(_)));
    signer.set(Mode::Sign);
    let log = open().expect("the lock is let go");
    log.close(SOON).expect("closed");
    let sound = oracle::check(&scene.store(), signer.vkey());
    assert_eq!(
        sound.actions(),
        ["audit_log.created", "audit_log.started", "audit_log.stopped"]
    );
}

#[test]
fn a_key_of_another_log_is_refused() {
    let scene = Scene::new();
    let other = indelible::SigningKey::generate("other.example.com/audit".parse().expect("an origin")).expect("a key");
    let error = AuditLog::builder(ORIGIN)
        .signer(other)
        .without_checkpoint_file()
        .open(scene.store())
        .expect_err("another origin");
    assert_eq!(error.kind(), ErrorKind::FixConfiguration);
    let log = scene.open();
    let other = indelible::SigningKey::generate("other.example.com/audit".parse().expect("an origin")).expect("a key");
    assert_eq!(
        log.rotate_key(other).expect_err("another origin").kind(),
        ErrorKind::FixConfiguration
    );
    log.append(login(1)).expect("recorded");
    log.close(SOON).expect("closed");
    // A key of this origin that never was in force.
    let error = AuditLog::builder(ORIGIN)
        .signer(key())
        .without_checkpoint_file()
        .open(scene.store())
        .expect_err("not the key in force");
    assert_eq!(error.kind(), ErrorKind::FixConfiguration, "{error}");
    oracle::check(&scene.store(), &scene.vkey());
    // Options that do not fit.
    for builder in [
        AuditLog::builder(ORIGIN),
        AuditLog::builder(ORIGIN).signer(key()),
        AuditLog::builder("not an origin")
            .signer(key())
            .without_checkpoint_file(),
        AuditLog::builder(ORIGIN)
            .signer(key())
            .without_checkpoint_file()
            .rotate_key_after(Duration::from_secs(1)),
    ] {
        let error = builder.open(MemoryStore::new()).expect_err("it does not fit");
        assert!(matches!(error.cause(), Cause::Configuration { .. }), "{error}");
    }
}

//! Two writers: one waits or is told who has the log, and both together never fork it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use indelible::{AuditLog, Cause, ErrorKind, MemoryStore, Signer};

use crate::oracle;
use crate::scene::*;

#[test]
fn a_second_writer_is_told_who_has_the_log() {
    let scene = Scene::new();
    let log = scene.open();
    for wait in [Duration::ZERO, Duration::from_millis(150)] {
        let began = Instant::now();
        let error = scene
            .builder()
            .lock_wait(wait)
            .open(scene.store())
            .expect_err("it is locked");
        assert!(began.elapsed() >= wait && began.elapsed() < wait + Duration::from_secs(5));
        assert_eq!(error.kind(), ErrorKind::WaitForLock);
        match error.cause() {
            Cause::Locked { pid, waited, path } => {
                assert_eq!(*pid, Some(std::process::id()));
                assert!(*waited >= wait);
                assert!(path.starts_with(scene.folder()));
            }
            other => panic!("{other}"),
        }
        assert!(error.to_string().contains(&std::process::id().to_string()), "{error}");
    }
    log.append(login(1)).expect("the first is not disturbed");
    log.close(SOON).expect("closed");
    scene
        .builder()
        .lock_wait(Duration::ZERO)
        .open(scene.store())
        .expect("closed is let go")
        .close(SOON)
        .expect("closed");
    oracle::check(&scene.store(), &scene.vkey());
}

#[test]
fn a_memory_log_has_one_writer_too() {
    let signer = TestSigner::new();
    let store = MemoryStore::new();
    let log = in_memory(&signer).open(store.clone()).expect("opens");
    let error = in_memory(&signer)
        .lock_wait(Duration::ZERO)
        .open(store.clone())
        .expect_err("it is locked");
    assert_eq!(error.kind(), ErrorKind::WaitForLock);
    drop(log);
    in_memory(&signer)
        .lock_wait(Duration::ZERO)
        .open(store)
        .expect("let go");
}

#[test]
fn in_a_rolling_deployment_each_waits_for_the_one_before() {
    let scene = Scene::new();
    let first = scene.open();
    let mut threads = Vec::new();
    for process in 0..5 {
        let (builder, store) = (scene.builder().lock_wait(SOON), scene.store());
        threads.push(std::thread::spawn(move || {
            let log = builder.open(store).expect("its turn comes");
            let receipts: Vec<_> = (0..20)
                .map(|round| log.append(login(format!("{process}_{round}"))).expect("recorded"))
                .collect();
            log.close(SOON).expect("closed");
            receipts
        }));
    }
    first.append(login("first")).expect("recorded");
    std::thread::sleep(Duration::from_millis(100));
    first.close(SOON).expect("closed");
    let receipts: Vec<_> = threads
        .into_iter()
        .flat_map(|thread| thread.join().expect("no panic"))
        .collect();
    let sound = oracle::check(&scene.store(), &scene.vkey());
    assert_eq!(sound.size(), 4 + 5 * 22);
    assert!(sound.of("audit_log.recovered").is_empty(), "each was closed in order");
    for receipt in receipts {
        assert_eq!(sound.at(receipt.seq).hash, receipt.hash);
    }
    scene.open().close(SOON).expect("the second place is that of the last");
}

#[test]
fn processes_that_start_together_on_a_new_folder_share_one_log() {
    for _ in 0..5 {
        let scene = Scene::new();
        let barrier = Arc::new(std::sync::Barrier::new(4));
        let threads: Vec<_> = (0..4)
            .map(|process| {
                let (builder, store, barrier) = (scene.builder().lock_wait(SOON), scene.store(), Arc::clone(&barrier));
                std::thread::spawn(move || {
                    barrier.wait();
                    let log = builder.open(store).expect("one makes it, the others wait");
                    log.append(login(process)).expect("recorded");
                    log.close(SOON).expect("closed");
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
        let sound = oracle::check(&scene.store(), &scene.vkey());
        assert_eq!(sound.size(), 1 + 4 * 3);
    }
}

#[test]
fn a_reader_that_asks_for_the_writer_keeps_no_writer_out() {
    use indelible::store::Store;
    let scene = Scene::new();
    scene.open().close(SOON).expect("closed");
    let store = scene.store();
    let done = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let asking = {
        let done = Arc::clone(&done);
        std::thread::spawn(move || {
            while !done.load(std::sync::atomic::Ordering::SeqCst) {
                store.has_writer().expect("readable");
            }
        })
    };
    for _ in 0..20 {
        let log = scene
            .builder()
            .lock_wait(Duration::from_secs(2))
            .open(scene.store())
            .expect("a reader is no writer");
        log.close(SOON).expect("closed");
    }
    done.store(true, std::sync::atomic::Ordering::SeqCst);
    asking.join().expect("no panic");
}

#[test]
fn a_writer_of_another_origin_is_refused() {
    let scene = Scene::new();
    scene.open().close(SOON).expect("closed");
    let origin = "other.example.com/audit";
    let other = indelible::SigningKey::generate(origin.parse().expect("an origin")).expect("a key");
    let before = content_of(&scene.last_segment());
    let error = AuditLog::builder(origin)
        .signer(other)
        .without_checkpoint_file()
        .open(scene.store())
        .expect_err("another log");
    assert_eq!(error.kind(), ErrorKind::FixConfiguration, "{error}");
    assert!(error.to_string().contains(ORIGIN), "{error}");
    assert_eq!(content_of(&scene.last_segment()), before);
    let signer = TestSigner::new();
    let store = MemoryStore::new();
    in_memory(&signer)
        .open(store.clone())
        .expect("opens")
        .close(SOON)
        .expect("closed");
    let other = indelible::SigningKey::generate(origin.parse().expect("an origin")).expect("a key");
    let error = AuditLog::builder(origin)
        .signer(other)
        .without_checkpoint_file()
        .open(store.clone())
        .expect_err("another log");
    assert_eq!(error.kind(), ErrorKind::FixConfiguration, "{error}");
    oracle::check(&store, signer.vkey());
}

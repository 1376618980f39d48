//! Erasure and purge: what is to be gone is gone from every file, what proves the rest stays, and nothing interrupted
//! is forgotten.

mod selected;

use std::fs;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use indelible::store::Store;
use indelible::{AuditLog, Cause, ErrorKind, FileStore, LogReader, MemoryStore, Proof, Receipt, Signer};

use crate::oracle;
use crate::scene::*;
use crate::stores::{Hooked, Hooks};

fn store(scene: &Scene) -> FileStore {
    FileStore::new(scene.folder()).segment_size(6_000)
}

/// A log of so many logins from `seq` 2 on, in segments of about a dozen.
fn log_of(scene: &Scene, count: u64) -> (AuditLog, Vec<(Receipt, Proof)>) {
    let log = scene.builder().open(store(scene)).expect("opens");
    let recorded = (2..2 + count).map(|seq| {
        let receipt = log.append(login(format!("n{seq:04}"))).expect("recorded");
        assert_eq!(receipt.seq, seq);
        (receipt, log.prove(seq).expect("a proof"))
    });
    let recorded = recorded.collect();
    (log, recorded)
}

fn email(seq: u64) -> Vec<u8> {
    format!("n{seq:04}@personal.example").into_bytes()
}

fn id(seq: u64) -> Vec<u8> {
    format!("usr_n{seq:04}").into_bytes()
}

#[test]
fn erased_personal_data_is_gone_from_every_file_and_all_proofs_still_verify() {
    let scene = Scene::new();
    let (log, recorded) = log_of(&scene, 60);
    let salts: Vec<String> = (5..=9).map(|seq| salt(&log, seq)).collect();
    let erased = log
        .erase_personal_data([5..=9, 30..=30, 60..=61], "request 17")
        .expect("erased");
    assert_eq!(erased.receipts.len(), 1);
    let is_erased = |seq: u64| (5..=9).contains(&seq) || seq == 30 || seq >= 60;
    for seq in 2..62 {
        assert_eq!(scene.holds(&email(seq)), !is_erased(seq), "personal data of {seq}");
        assert!(scene.holds(&id(seq)), "what is not personal stays");
    }
    for salt in salts {
        assert!(
            !scene.holds(salt.as_bytes()),
            "a salt is left: with it the digest can be guessed"
        );
    }
    let vkey = log.vkey();
    for (receipt, proof) in &recorded {
        let record = log.reader().record(receipt.seq).expect("a record");
        assert_eq!(record.hash(), receipt.hash);
        assert_eq!(record.personal_json().is_none(), is_erased(receipt.seq));
        proof.verify(record.hash(), &vkey).expect("the proof of before");
        log.prove(receipt.seq)
            .expect("a proof")
            .verify(record.hash(), &vkey)
            .expect("a new proof");
    }
    log.append(login("after")).expect("recorded");
    log.close(SOON).expect("closed");
    assert!(!scene.folder().join("pending").exists());
    let sound = oracle::check(&store(&scene), &scene.vkey());
    let announced = &sound.of("audit_log.personal_data.erased")[0];
    assert_eq!(announced.seq, erased.receipts[0].seq);
    assert_eq!(announced.event["metadata"]["reason"], "request 17");
    assert_eq!(
        announced.event["metadata"]["ranges"],
        serde_json::json!([[5, 9], [30, 30], [60, 61]])
    );
}

fn salt(log: &AuditLog, seq: u64) -> String {
    let record = log.reader().record(seq).expect("a record");
    let personal: serde_json::Value = serde_json::from_str(record.personal_json().expect("personal")).expect("JSON");
    personal["salt"].as_str().expect("a salt").to_owned()
}

#[test]
fn erased_records_leave_their_hash_and_those_of_the_log_itself_stay() {
    let scene = Scene::new();
    let (log, recorded) = log_of(&scene, 40);
    log.rotate_key_file().expect("rotated"); // seq 42
    log.append(login("n0043")).expect("recorded");
    let erased = log.erase_records([0..=10, 35..=43], "retention").expect("erased");
    assert_eq!(erased.receipts.len(), 1);
    let is_erased = |seq: u64| (2..=10).contains(&seq) || (35..=41).contains(&seq) || seq == 43;
    for seq in 2..42 {
        assert_eq!(scene.holds(&email(seq)), !is_erased(seq), "{seq}");
        assert_eq!(scene.holds(&id(seq)), !is_erased(seq), "{seq}");
    }
    let vkey = log.vkey();
    for (receipt, _) in &recorded {
        let record = log.reader().record(receipt.seq).expect("a record");
        assert_eq!(record.hash(), receipt.hash);
        assert_eq!(record.is_erased(), is_erased(receipt.seq));
        log.prove(receipt.seq)
            .expect("a proof")
            .verify(record.hash(), &vkey)
            .expect("a new proof");
    }
    for seq in [0, 1, 42] {
        assert!(
            !log.reader().record(seq).expect("a record").is_erased(),
            "a record of the log itself"
        );
    }
    log.close(SOON).expect("closed");
    let sound = oracle::check(&store(&scene), &vkey_of_first(&scene));
    let announced = sound.of("audit_log.record.erased");
    assert_eq!(
        announced[0].event["metadata"]["ranges"],
        serde_json::json!([[2, 10], [35, 41], [43, 43]])
    );
    scene.open().close(SOON).expect("opens");
}

/// The vkey that record 0 names.
fn vkey_of_first(scene: &Scene) -> indelible::VerifierKey {
    let reader = LogReader::new(scene.store());
    let record = reader.record(0).expect("record 0");
    let event: serde_json::Value = serde_json::from_str(record.event_json().expect("event")).expect("JSON");
    event["metadata"]["vkey"]
        .as_str()
        .expect("a vkey")
        .parse()
        .expect("a vkey")
}

#[test]
fn ranges_may_come_in_any_form_that_makes_sense() {
    let scene = Scene::new();
    let (log, _) = log_of(&scene, 30);
    let size = log.state().size;
    assert!(
        log.erase_personal_data([], "none")
            .expect("nothing")
            .receipts
            .is_empty()
    );
    #[expect(clippy::reversed_empty_ranges)]
    let backwards: RangeInclusive<u64> = 9..=5;
    assert!(
        log.erase_personal_data([backwards.clone()], "none")
            .expect("nothing")
            .receipts
            .is_empty()
    );
    assert!(
        log.erase_records([0..=1], "own records alone")
            .expect("nothing")
            .receipts
            .is_empty()
    );
    for beyond in [size..=size, 5..=size, 0..=u64::MAX, u64::MAX..=u64::MAX] {
        for result in [
            log.erase_personal_data([beyond.clone()], "beyond"),
            log.erase_records([3..=4, beyond.clone()], "beyond"),
        ] {
            let error = result.expect_err("beyond the log");
            assert!(matches!(error.cause(), Cause::NoRecord { .. }), "{error}");
        }
    }
    assert_eq!(log.state().size, size, "nothing was announced");
    assert!(!log.reader().record(3).expect("a record").is_erased());
    log.erase_personal_data([20..=22, 4..=5, 6..=7, 5..=6, 22..=22, backwards, 4..=4], "mixed")
        .expect("erased");
    for seq in 2..32 {
        let gone = (4..=7).contains(&seq) || (20..=22).contains(&seq);
        assert_eq!(
            log.reader().record(seq).expect("a record").personal_json().is_none(),
            gone,
            "{seq}"
        );
    }
    // Again, and the whole of what was there: no harm.
    log.erase_personal_data([4..=7], "again").expect("erased");
    log.erase_records([4..=25], "whole").expect("erased");
    log.erase_records([4..=25], "again").expect("erased");
    log.erase_personal_data([4..=25], "again").expect("erased");
    log.close(SOON).expect("closed");
    let sound = oracle::check(&store(&scene), &scene.vkey());
    assert_eq!(
        sound.of("audit_log.personal_data.erased")[0].event["metadata"]["ranges"],
        serde_json::json!([[4, 7], [20, 22]])
    );
}

#[test]
fn a_large_erasure_takes_several_announcements() {
    let signer = TestSigner::new();
    let store = MemoryStore::new().segment_size(200_000);
    let log = in_memory(&signer).open(store.clone()).expect("opens");
    for round in 0..5_200 {
        drop(log.submit(login(round)).expect("room"));
    }
    log.append(login("last")).expect("recorded");
    let ranges = (0..2_500).map(|round| 2 + 2 * round..=2 + 2 * round);
    let ranges: Vec<_> = ranges.collect();
    let erased = log.erase_personal_data(ranges, &"why ".repeat(20)).expect("erased");
    assert!(erased.receipts.len() > 1);
    log.close(SOON).expect("closed");
    let sound = oracle::check(&store, signer.vkey());
    assert_eq!(
        sound
            .records
            .iter()
            .filter(|record| record.personal.is_string())
            .count(),
        2_500
    );
    assert_eq!(sound.of("audit_log.personal_data.erased").len(), erased.receipts.len());
}

#[test]
fn the_newest_record_can_be_erased_and_the_log_goes_on() {
    let scene = Scene::new();
    let (log, _) = log_of(&scene, 3);
    for seq in 2..5 {
        log.erase_records([seq..=seq], "at once").expect("erased");
        assert!(log.reader().record(seq).expect("a record").is_erased());
        log.append(login("next")).expect("recorded");
    }
    let crashed = scene.crash_copy();
    log.close(SOON).expect("closed");
    for scene in [scene, crashed] {
        let log = scene.open();
        log.append(login("after")).expect("recorded");
        log.close(SOON).expect("closed");
        oracle::check(&scene.store(), &scene.vkey());
    }
}

#[test]
fn a_purge_removes_whole_segments_and_what_is_left_still_proves_itself() {
    for caches in ["kept", "deleted"] {
        let scene = Scene::new();
        let (log, recorded) = log_of(&scene, 80);
        let first = log.purge(50).expect("purged");
        assert!((30..=50).contains(&first), "{first}");
        assert_eq!(log.reader().first().expect("readable"), Some(first));
        assert!(log.purge(first).expect("nothing to do") == first, "again");
        for seq in 2..82 {
            assert_eq!(scene.holds(&id(seq)), seq >= first, "{seq}");
        }
        let vkey = log.vkey();
        let prove = |log: &AuditLog| {
            for (receipt, proof) in &recorded {
                let result = log.prove(receipt.seq);
                if receipt.seq < first {
                    assert!(matches!(result.expect_err("purged").cause(), Cause::NoRecord { .. }));
                    let error = log.reader().record(receipt.seq).expect_err("purged");
                    assert!(matches!(error.cause(), Cause::NoRecord { .. }), "{error}");
                } else {
                    result
                        .expect("a proof")
                        .verify(receipt.hash, &vkey)
                        .expect("a new proof");
                    proof.verify(receipt.hash, &vkey).expect("the proof of before");
                }
            }
        };
        prove(&log);
        log.append(login("after")).expect("recorded");
        log.close(SOON).expect("closed");
        oracle::check(&store(&scene), &vkey);
        for _ in 0..3 {
            if caches == "deleted" {
                fs::remove_dir_all(scene.folder().join("tree")).expect("caches");
            }
            let log = scene.builder().open(store(&scene)).expect("opens");
            prove(&log);
            let other = LogReader::new(store(&scene));
            other
                .prove(first)
                .expect("a proof")
                .verify(recorded[first as usize - 2].0.hash, &vkey)
                .expect("verifies");
            log.append(login("after")).expect("recorded");
            log.erase_personal_data([0..=first + 1], "beyond the beginning")
                .expect("erased");
            log.close(SOON).expect("closed");
        }
        let log = scene.builder().open(store(&scene)).expect("opens");
        assert!(log.purge(75).expect("purged again") > first);
        log.close(SOON).expect("closed");
        assert!(oracle::check(&store(&scene), &vkey).first > first);
    }
}

#[test]
fn a_purge_beyond_the_log_is_refused_and_one_of_nothing_says_nothing() {
    let scene = Scene::new();
    let (log, _) = log_of(&scene, 40);
    let size = log.state().size;
    let error = log.purge(size + 1).expect_err("beyond the log");
    assert!(matches!(error.cause(), Cause::NoRecord { .. }), "{error}");
    assert_eq!(log.purge(0).expect("nothing"), 0);
    assert_eq!(log.purge(1).expect("nothing"), 0);
    assert_eq!(log.state().size, size, "nothing was announced");
    // Everything but the segment that is written.
    let first = log.purge(size).expect("purged");
    assert!(first > 0 && first < size);
    log.append(login("after")).expect("recorded");
    log.close(SOON).expect("closed");
    let sound = oracle::check(&store(&scene), &scene.vkey());
    let before = sound.of("audit_log.purged")[0].event["metadata"]["before"].as_u64();
    assert_eq!(before, Some(first));
}

/// A log in which an erasure or a purge is announced and was interrupted before anything of it was done.
fn interrupted(step: impl FnOnce(&AuditLog) + Send + 'static) -> (Scene, indelible::VerifierKey) {
    let scene = Scene::new();
    drop(log_of(&scene, 60));
    let hooks = Arc::new(Hooks::default());
    let log = scene.builder().open(Hooked::new(store(&scene), &hooks)).expect("opens");
    hooks.block_erasures(true);
    let working = {
        let log = log.clone();
        std::thread::spawn(move || step(&log))
    };
    hooks.wait_for_erasures(1);
    let crashed = scene.crash_copy();
    hooks.block_erasures(false);
    working.join().expect("no panic");
    drop(log);
    let vkey = crashed.vkey();
    assert!(crashed.folder().join("pending").exists(), "the announcement is named");
    assert!(crashed.holds(&email(10)), "nothing is done yet");
    (crashed, vkey)
}

#[test]
fn an_interrupted_erasure_is_taken_up_again() {
    type Ruin = fn(&Scene);
    let ruins: [(&str, Ruin); 6] = [
        ("as it was", |_| {}),
        ("`pending` is gone", |scene| {
            fs::remove_file(scene.folder().join("pending")).expect("removed")
        }),
        ("the caches are gone", |scene| {
            fs::remove_dir_all(scene.folder().join("tree")).expect("removed")
        }),
        ("both are gone", |scene| {
            fs::remove_file(scene.folder().join("pending")).expect("removed");
            fs::remove_dir_all(scene.folder().join("tree")).expect("removed");
        }),
        ("the position of what is carried out is that of another log", |scene| {
            fs::write(scene.folder().join("tree/announced"), "60").expect("written");
            // As large as the log: what `pending` names stands before it.
            let size = LogReader::new(store(scene))
                .checkpoint()
                .expect("readable")
                .expect("one")
                .checkpoint()
                .size();
            fs::write(scene.folder().join("tree/announced"), size.to_string()).expect("written");
        }),
        ("the position is beyond the log, and `pending` is gone", |scene| {
            fs::remove_file(scene.folder().join("pending")).expect("removed");
            fs::write(scene.folder().join("tree/announced"), "100000").expect("written");
        }),
    ];
    for (what, ruin) in ruins {
        let (scene, vkey) = interrupted(|log| {
            log.erase_personal_data([8..=40], "interrupted").expect("erased");
        });
        ruin(&scene);
        let log = scene.builder().open(store(&scene)).expect("opens");
        let size = log.state().size;
        eventually(what, || (8..=40).all(|seq| !scene.holds(&email(seq))));
        eventually("it is over", || !scene.folder().join("pending").exists());
        assert!(scene.holds(&email(7)) && scene.holds(&email(41)));
        log.append(login("after")).expect("recorded");
        log.close(SOON).expect("closed");
        let sound = oracle::check(&store(&scene), &vkey);
        assert_eq!(
            sound.of("audit_log.personal_data.erased").len(),
            1,
            "it is not announced twice"
        );
        assert_eq!(sound.size(), size + 2);
    }
}

#[test]
fn an_interrupted_erasure_of_records_and_an_interrupted_purge_are_taken_up_again() {
    let (scene, vkey) = interrupted(|log| {
        log.erase_records([8..=40], "interrupted").expect("erased");
    });
    let log = scene.builder().open(store(&scene)).expect("opens");
    eventually("the records are gone", || (8..=40).all(|seq| !scene.holds(&id(seq))));
    log.close(SOON).expect("closed");
    oracle::check(&store(&scene), &vkey);

    let (scene, vkey) = interrupted(|log| {
        log.purge(40).expect("purged");
    });
    let log = scene.builder().open(store(&scene)).expect("opens");
    eventually("the segments are gone", || !scene.holds(&id(20)));
    eventually("it is over", || !scene.folder().join("pending").exists());
    log.append(login("after")).expect("recorded");
    log.close(SOON).expect("closed");
    let sound = oracle::check(&store(&scene), &vkey);
    assert!(sound.first > 20);
}

#[test]
fn an_interrupted_erasure_outlives_a_later_one() {
    // The next opening is used for another erasure at once, before the background has come to the old one.
    for _ in 0..8 {
        let (scene, vkey) = interrupted(|log| {
            log.erase_personal_data([8..=40], "interrupted").expect("erased");
        });
        let log = scene.builder().open(store(&scene)).expect("opens");
        log.erase_personal_data([50..=50], "later").expect("erased");
        eventually("the interrupted one is done too", || {
            (8..=40).all(|seq| !scene.holds(&email(seq)))
        });
        log.close(SOON).expect("closed");
        assert!(!scene.holds(&email(50)));
        oracle::check(&store(&scene), &vkey);
    }
}

#[test]
fn an_erasure_that_is_interrupted_again_and_again_is_done_in_the_end() {
    let (mut scene, vkey) = interrupted(|log| {
        log.erase_personal_data([8..=40], "interrupted").expect("erased");
    });
    for _ in 0..3 {
        let hooks = Arc::new(Hooks::default());
        hooks.block_erasures(true);
        let log = scene.builder().open(Hooked::new(store(&scene), &hooks)).expect("opens");
        hooks.wait_for_erasures(1);
        log.append(login("between")).expect("an erasure holds up no append");
        let crashed = scene.crash_copy();
        hooks.block_erasures(false);
        drop(log);
        scene = crashed;
    }
    let log = scene.builder().open(store(&scene)).expect("opens");
    eventually("it is done", || (8..=40).all(|seq| !scene.holds(&email(seq))));
    log.close(SOON).expect("closed");
    oracle::check(&store(&scene), &vkey);
}

#[test]
fn an_erasure_that_fails_is_not_forgotten_for_one_that_works() {
    let scene = Scene::new();
    drop(log_of(&scene, 60));
    let hooks = Arc::new(Hooks::default());
    let log = scene.builder().open(Hooked::new(store(&scene), &hooks)).expect("opens");
    eventually("the opening is through", || !scene.folder().join("pending").exists());
    std::thread::sleep(Duration::from_millis(100));
    hooks.fail_erasures(1);
    log.erase_personal_data([8..=20], "fails").expect_err("the store fails");
    log.append(login("between")).expect("the log is not harmed");
    log.erase_personal_data([30..=31], "works").expect("erased");
    log.close(SOON).expect("closed");
    let log = scene.builder().open(store(&scene)).expect("opens");
    eventually("what was announced is done", || {
        (8..=20).all(|seq| !scene.holds(&email(seq)))
    });
    log.close(SOON).expect("closed");
    oracle::check(&store(&scene), &scene.vkey());
}

#[test]
fn what_several_announcements_left_undone_is_done_in_one_go() {
    let scene = Scene::new();
    let hooks = Arc::new(Hooks::default());
    let (log, _) = log_of(&scene, 60);
    log.close(SOON).expect("closed");
    let log = scene.builder().open(Hooked::new(store(&scene), &hooks)).expect("opens");
    hooks.fail_erasures(5);
    for seq in [8, 20, 9] {
        log.erase_personal_data([seq..=seq, 40 + seq..=40 + seq], "fails")
            .expect_err("the store fails");
    }
    for seq in [30, 12] {
        log.erase_records([seq..=seq], "fails").expect_err("the store fails");
    }
    log.close(SOON).expect("closed");
    let hooks = Arc::new(Hooks::default());
    let log = scene.builder().open(Hooked::new(store(&scene), &hooks)).expect("opens");
    let gone = [8, 9, 12, 20, 30, 48, 49, 60];
    eventually("it is done", || gone.iter().all(|seq| !scene.holds(&email(*seq))));
    eventually("it is through", || !scene.folder().join("pending").exists());
    assert_eq!(hooks.erasures_begun(), 2, "one of each kind");
    assert!((2..62).all(|seq| gone.contains(&seq) || scene.holds(&email(seq))));
    log.close(SOON).expect("closed");
    oracle::check(&store(&scene), &scene.vkey());
}

#[test]
fn a_failed_resumption_is_told_and_harms_nothing() {
    let (scene, vkey) = interrupted(|log| {
        log.erase_personal_data([8..=40], "interrupted").expect("erased");
    });
    let hooks = Arc::new(Hooks::default());
    hooks.fail_erasures(1);
    let told = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&told);
    let log = scene
        .builder()
        .on_error(move |_| flag.store(true, Ordering::SeqCst))
        .open(Hooked::new(store(&scene), &hooks))
        .expect("opens");
    eventually("it is told", || told.load(Ordering::SeqCst));
    log.append(login("after")).expect("recorded");
    log.close(SOON).expect("closed");
    let log = scene.builder().open(store(&scene)).expect("opens");
    eventually("the next opening does it", || {
        (8..=40).all(|seq| !scene.holds(&email(seq)))
    });
    log.close(SOON).expect("closed");
    oracle::check(&store(&scene), &vkey);
}

#[test]
fn an_announcement_in_an_events_own_words_is_none() {
    // A host's event may say what it likes in its own fields.
    let scene = Scene::new();
    let log = scene.builder().open(store(&scene)).expect("opens");
    for seq in 2..30 {
        let event = login(format!("n{seq:04}"))
            .reason("\"action\":\"audit_log.personal_data.erased\"")
            .metadata("ranges", [[2, 20]])
            .metadata("before", 20)
            .metadata("action", "audit_log.purged")
            .metadata("audit_log.record.erased", "audit_log.record.erased");
        log.append(event).expect("recorded");
    }
    log.close(SOON).expect("closed");
    fs::remove_dir_all(scene.folder().join("tree")).expect("caches");
    let log = scene.builder().open(store(&scene)).expect("opens");
    std::thread::sleep(Duration::from_millis(200));
    log.close(SOON).expect("closed");
    for seq in 2..30 {
        assert!(scene.holds(&email(seq)), "{seq}");
    }
    assert_eq!(oracle::check(&store(&scene), &scene.vkey()).first, 0);
}

#[test]
fn what_is_erased_while_threads_append_is_erased_and_nothing_else() {
    let scene = Scene::new();
    let (log, _) = log_of(&scene, 40);
    let done = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..3)
        .map(|thread| {
            let (log, done) = (log.clone(), Arc::clone(&done));
            std::thread::spawn(move || {
                let mut receipts = Vec::new();
                while !done.load(Ordering::SeqCst) {
                    let name = format!("w{thread}_{}", receipts.len());
                    receipts.push((name.clone(), log.append(login(name)).expect("recorded")));
                }
                receipts
            })
        })
        .collect();
    for round in 0..10 {
        let seq = 2 + 4 * round;
        log.erase_personal_data([seq..=seq], "one").expect("erased");
        log.erase_records([seq + 1..=seq + 1], "two").expect("erased");
        let newest = log.state().size - 1;
        log.erase_personal_data([newest..=newest], "newest").expect("erased");
        if round == 6 {
            log.purge(8).expect("purged");
        }
    }
    done.store(true, Ordering::SeqCst);
    let receipts: Vec<_> = writers
        .into_iter()
        .flat_map(|thread| thread.join().expect("no panic"))
        .collect();
    log.close(SOON).expect("closed");
    let sound = oracle::check(&store(&scene), &scene.vkey());
    assert_eq!(
        sound.of("audit_log.personal_data.erased").len() + sound.of("audit_log.record.erased").len(),
        30
    );
    for (name, receipt) in receipts {
        let record = sound.at(receipt.seq);
        assert_eq!(record.hash, receipt.hash, "{name}");
    }
}

#[test]
fn the_log_says_what_a_host_may_not_say_for_it() {
    let scene = Scene::new();
    let (log, _) = log_of(&scene, 3);
    // What a host does with the log is the host's to say, and it counts as a record of the log.
    for action in [
        "audit_log.review.completed",
        "audit_log.accessed",
        "audit_log.exported",
        "audit_log.archived",
    ] {
        let event = indelible::Event::new(action).actor(indelible::Actor::admin("adm_1").email("adm@personal.example"));
        let receipt = log.append(event).expect("recorded");
        assert!(
            log.erase_records([receipt.seq..=receipt.seq], "own")
                .expect("split around")
                .receipts
                .is_empty()
        );
        log.erase_personal_data([receipt.seq..=receipt.seq], "request")
            .expect("erased");
    }
    assert!(!scene.holds(b"adm@personal.example"));
    let error = log
        .append(indelible::Event::new("audit_log.record.erased").actor(indelible::Actor::admin("adm_1")))
        .expect_err("reserved");
    assert_eq!(error.kind(), ErrorKind::FixEvent);
    log.close(SOON).expect("closed");
    oracle::check(&store(&scene), &scene.vkey());
}

#[test]
fn memory_logs_erase_and_purge_too() {
    let signer = TestSigner::new();
    let store = MemoryStore::new().segment_size(3_000);
    let log = in_memory(&signer).open(store.clone()).expect("opens");
    for round in 0..40 {
        log.append(login(round)).expect("recorded");
    }
    log.erase_personal_data([3..=5, 38..=41], "test").expect("erased");
    log.erase_records([0..=8], "test").expect("erased");
    log.rotate_key(key()).expect("rotated");
    let first = log.purge(30).expect("purged");
    assert!(first > 8);
    log.append(login("after")).expect("recorded");
    log.close(SOON).expect("closed");
    let sound = oracle::check(&store, signer.vkey());
    assert_eq!(sound.first, first);
    for segment in store.segments().expect("segments") {
        let mut lines = store.lines(&segment, 0).expect("lines");
        while let Some(line) = lines.next_line().expect("a line") {
            for gone in ["1@personal.example", "36@personal.example", "39@personal.example"] {
                let gone = [b"\"".as_slice(), gone.as_bytes()].concat();
                assert!(find(line.bytes, &gone).is_none());
            }
        }
    }
}

#[test]
fn what_recovery_moved_away_is_gone_with_what_is_erased() {
    let scene = Scene::new();
    let (log, _) = log_of(&scene, 5);
    log.close(SOON).expect("closed");
    let recovered = scene.folder().join("recovered");
    std::fs::create_dir_all(recovered.join("kept by hand")).expect("a folder");
    std::fs::write(recovered.join("torn"), [b"{\"event\":{\"id\":", &email(3)[..]].concat()).expect("written");
    assert!(scene.holds(&email(3)));
    let log = scene.open();
    log.erase_personal_data([3..=3], "request 18").expect("erased");
    assert!(!scene.holds(&email(3)));
    assert!(recovered.join("kept by hand").is_dir());
    // Of somebody of whom nothing else is there.
    std::fs::write(recovered.join("torn"), email(77)).expect("written");
    let erased = log
        .erase_personal_data(indelible::Query::subject("usr_n0077"), "request 19")
        .expect("erased");
    assert!(erased.receipts.is_empty() && !scene.holds(&email(77)));
}

#[test]
fn what_recovery_moved_away_goes_with_the_records_among_which_it_stood() {
    let scene = Scene::new();
    let (log, _) = log_of(&scene, 60);
    let recovered = scene.folder().join("recovered");
    std::fs::create_dir_all(recovered.join("00000000000000000003-folder")).expect("a folder");
    let name = |seq: u64| recovered.join(format!("{seq:020}-0123456789abcdef"));
    for seq in [3, 12, 50] {
        std::fs::write(name(seq), b"torn").expect("written");
    }
    let first = log.purge(40).expect("purged");
    assert!(first > 12 && first <= 40);
    assert!(!name(3).exists() && !name(12).exists() && name(50).exists());
    assert!(recovered.join("00000000000000000003-folder").is_dir());
}

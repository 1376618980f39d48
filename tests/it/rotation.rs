//! Keys that change: the log never lacks its key, and an old one never signs again.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use indelible::store::Store;
use indelible::{AuditLog, Cause, ErrorKind, FileStore, MemoryStore, Proof, Record, Signer, SigningKey, VerifierKey};

use crate::oracle;
use crate::scene::*;

fn next_key(scene: &Scene) -> PathBuf {
    scene.root().join("audit.key.next")
}

fn configuration_problem(error: &indelible::Error) -> String {
    match error.cause() {
        Cause::Configuration { problem, .. } => problem.clone(),
        other => panic!("{other}"),
    }
}

#[test]
fn a_rotation_is_the_last_record_of_its_commit_and_signed_by_both() {
    let signer = TestSigner::new();
    let store = MemoryStore::new();
    let log = in_memory(&signer).open(store.clone()).expect("opens");
    log.append(login(1)).expect("recorded");
    let mut vkeys = vec![signer.vkey().clone()];
    for round in 0..4 {
        let next = key();
        vkeys.push(next.vkey().clone());
        let receipt = log.rotate_key(next).expect("rotated");
        assert_eq!(log.vkey(), vkeys[round + 1]);
        assert_eq!(log.reader().record(receipt.seq).expect("a record").hash(), receipt.hash);
        let checkpoint = log.checkpoint().expect("a checkpoint");
        checkpoint.verify(&vkeys[round]).expect("the old key");
        checkpoint.verify(&vkeys[round + 1]).expect("the new key");
        let receipt = log.append(login(round)).expect("recorded");
        let checkpoint = log.checkpoint().expect("a checkpoint");
        checkpoint
            .verify(&vkeys[round])
            .expect_err("the old key is out of force");
        let proof = log.prove(receipt.seq).expect("a proof");
        proof.verify(receipt.hash, &vkeys[round + 1]).expect("the new key");
    }
    let calls = signer.calls();
    log.append(login("after")).expect("recorded");
    assert_eq!(signer.calls(), calls, "the old signer is not asked any more");
    log.close(SOON).expect("closed");
    let sound = oracle::check(&store, signer.vkey());
    assert_eq!(sound.of("audit_log.signing_key.rotated").len(), 4);
    assert_eq!(sound.vkey, vkeys[4]);
}

#[test]
fn a_key_that_was_in_force_never_is_again() {
    let signer = TestSigner::new();
    let store = MemoryStore::new().segment_size(1_500);
    let log = in_memory(&signer).open(store.clone()).expect("opens");
    let second = Arc::new(key());
    log.rotate_key(Arc::clone(&second)).expect("rotated");
    log.rotate_key(Arc::clone(&second)).expect_err("it is in force");
    log.rotate_key(Arc::clone(&signer)).expect_err("the first key");
    log.rotate_key(key()).expect("rotated");
    for round in 0..10 {
        log.append(login(round)).expect("recorded");
    }
    // Also once its rotation is purged and its key is only in the kept ones.
    assert!(log.purge(10).expect("purged") > 3);
    for (what, former) in [("first", signer.vkey().clone()), ("second", second.vkey().clone())] {
        let error = if what == "first" {
            log.rotate_key(Arc::clone(&signer))
        } else {
            log.rotate_key(Arc::clone(&second))
        }
        .expect_err(what);
        assert_eq!(error.kind(), ErrorKind::FixConfiguration);
        assert!(configuration_problem(&error).contains(&former.to_string()), "{error}");
    }
    log.append(login("after")).expect("recorded");
}

#[test]
fn the_key_file_is_replaced_and_the_old_key_is_gone() {
    let scene = Scene::new();
    let log = scene.open();
    let old = fs::read(scene.key_file()).expect("a key");
    let first = scene.vkey();
    let vkey = log.rotate_key_file().expect("rotated");
    assert_eq!((scene.vkey(), log.vkey()), (vkey.clone(), vkey.clone()));
    assert_ne!(vkey, first);
    assert!(!next_key(&scene).exists());
    let mode = fs::metadata(scene.key_file()).expect("a key").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let secret = old.splitn(5, |byte| *byte == b'+').last().expect("a seed").trim_ascii();
    assert_eq!(secret.len(), 44);
    for file in files_below(scene.root()) {
        // Some are only there while they are written.
        let Ok(content) = fs::read(&file) else { continue };
        assert!(find(&content, secret).is_none(), "{} holds it", file.display());
    }
    log.append(login(1)).expect("recorded");
    log.close(SOON).expect("closed");
    scene.open().close(SOON).expect("opens with the new key");
    assert_eq!(oracle::check(&scene.store(), &first).vkey, vkey);
}

#[test]
fn threads_that_rotate_at_once_do_not_lose_the_key() {
    for _ in 0..4 {
        let scene = Scene::new();
        let log = scene.open();
        let first = scene.vkey();
        let threads: Vec<_> = (0..6)
            .map(|round| {
                let log = log.clone();
                std::thread::spawn(move || {
                    for _ in 0..4 {
                        let rotated = log.rotate_key_file();
                        assert!(rotated.is_ok(), "{rotated:?}");
                        log.append(login(round)).expect("recorded");
                    }
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
        assert_eq!(scene.vkey(), log.vkey(), "the key in force is not the one in the file");
        log.close(SOON).expect("closed");
        assert_eq!(
            oracle::check(&scene.store(), &first)
                .of("audit_log.signing_key.rotated")
                .len(),
            24
        );
        scene.open().close(SOON).expect("opens");
    }
}

#[test]
fn an_old_key_is_refused_naming_the_key_in_force_and_nothing_is_lost() {
    for commits_after in 0..4 {
        for closed in [true, false] {
            let scene = Scene::new();
            let old = Arc::new(key());
            let new = Arc::new(key());
            let open = |scene: &Scene, key: &Arc<SigningKey>| {
                AuditLog::builder(ORIGIN)
                    .signer(Arc::clone(key))
                    .checkpoint_file(scene.root().join("place"))
                    .open(scene.store())
            };
            let log = open(&scene, &old).expect("opens");
            log.append(login(1)).expect("recorded");
            log.rotate_key(Arc::clone(&new)).expect("rotated");
            let receipts: Vec<_> = (0..commits_after)
                .map(|round| log.append(login(round)).expect("recorded"))
                .collect();
            let crashed = scene.crash_copy();
            log.close(SOON).expect("closed");
            let scene = if closed { scene } else { crashed };
            let before = content_of(&scene.last_segment());
            let error = open(&scene, &old).expect_err("it is not in force");
            assert_eq!(error.kind(), ErrorKind::FixConfiguration, "{error}");
            assert!(
                content_of(&scene.last_segment()) == before,
                "{commits_after} commits after, closed {closed}: the log was changed"
            );
            let rotated_is_last = commits_after == 0 && !closed;
            if rotated_is_last {
                assert!(
                    configuration_problem(&error).contains(&new.vkey().to_string()),
                    "{error}"
                );
            }
            let log = open(&scene, &new).expect("opens with the key in force");
            for receipt in receipts {
                assert_eq!(
                    log.reader().record(receipt.seq).expect("acknowledged").hash(),
                    receipt.hash
                );
            }
            log.close(SOON).expect("closed");
            oracle::check(&scene.store(), old.vkey());
        }
    }
}

#[test]
fn a_rotation_of_the_key_file_survives_a_crash_at_every_step() {
    type State = fn(&Scene, &[u8], &[u8]);
    // What stands in the key file and in the next one, and whether the rotation is in the log.
    let states: [(&str, bool, State); 7] = [
        ("before anything", false, |_, _, _| {}),
        ("half of the next key is written", false, |scene, _, next| {
            write_key(&next_key(scene), &next[..next.len() / 2]);
        }),
        ("nothing of the next key is written", false, |scene, _, _| {
            write_key(&next_key(scene), b"")
        }),
        ("the next key is written", false, |scene, _, next| {
            write_key(&next_key(scene), next)
        }),
        ("the rotation is durable", true, |scene, _, next| {
            write_key(&next_key(scene), next)
        }),
        ("the next key has its place", true, |scene, _, next| {
            write_key(&scene.key_file(), next)
        }),
        ("the place was copied, not renamed", true, |scene, _, next| {
            write_key(&scene.key_file(), next);
            write_key(&next_key(scene), next);
        }),
    ];
    for closed in [true, false] {
        for (what, rotated, state) in states {
            let scene = Scene::new();
            let log = scene.open();
            log.append(login(1)).expect("recorded");
            let old = fs::read(scene.key_file()).expect("a key");
            let next = key();
            let next_text = format!("{}\n", *next.private_text()).into_bytes();
            let first = scene.vkey();
            if rotated {
                // By call, so that the file stays as it is.
                log.rotate_key(next).expect("rotated");
            }
            let crashed = scene.crash_copy();
            log.close(SOON).expect("closed");
            let scene = if closed { scene } else { crashed };
            state(&scene, &old, &next_text);
            let log = match scene.builder().open(scene.store()) {
                Ok(log) => log,
                Err(error) => panic!("{what}, closed {closed}: {error}"),
            };
            log.append(login(2)).expect("recorded");
            log.rotate_key_file().expect("and again");
            log.close(SOON).expect("closed");
            assert!(!next_key(&scene).exists(), "{what}");
            scene.open().close(SOON).expect("opens");
            oracle::check(&scene.store(), &first);
        }
    }
}

fn write_key(path: &std::path::Path, content: &[u8]) {
    fs::write(path, content).expect("written");
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("set");
}

#[test]
fn a_torn_rotation_leaves_the_old_key_in_force() {
    // The commit of the rotation reached the disk but for one of its pages: its checkpoint looks whole.
    let scene = Scene::new();
    let log = scene.open();
    let first = scene.vkey();
    log.append(login(1)).expect("recorded");
    let before = content_of(&scene.last_segment()).len();
    let next = key();
    let next_text = format!("{}\n", *next.private_text()).into_bytes();
    log.rotate_key(next).expect("rotated");
    let crashed = scene.crash_copy();
    drop(log);
    let segment = crashed.last_segment();
    let mut content = fs::read(&segment).expect("a segment");
    content[before..before + 100].fill(0);
    fs::write(&segment, content).expect("written");
    write_key(&next_key(&crashed), &next_text);
    let log = crashed.open();
    assert_eq!(log.vkey(), first, "the rotation never was durable");
    log.append(login(2)).expect("recorded");
    log.close(SOON).expect("closed");
    assert_eq!(crashed.vkey(), first);
    let sound = oracle::check(&crashed.store(), &first);
    let recovered = sound.of("audit_log.recovered");
    assert!(
        recovered[0].event["metadata"]["checkpoint"].is_string(),
        "the signed checkpoint is not forgotten"
    );
}

#[test]
fn a_writer_that_waits_does_not_take_the_next_key_away() {
    let scene = Scene::new();
    let log = scene.open();
    let first = scene.vkey();
    // In the middle of a rotation the next key is there and not in force.
    let next = key();
    let next_vkey = next.vkey().clone();
    write_key(&next_key(&scene), format!("{}\n", *next.private_text()).as_bytes());
    let error = scene
        .builder()
        .lock_wait(Duration::from_millis(50))
        .open(scene.store())
        .expect_err("it is locked");
    assert!(matches!(error.cause(), Cause::Locked { .. }), "{error}");
    assert!(next_key(&scene).exists(), "the next key of another process was removed");
    drop(log);
    let log = scene.open();
    assert_eq!(log.vkey(), first);
    assert!(next_key(&scene).exists(), "no key is ever removed");
    assert_eq!(
        log.rotate_key_file().expect("rotated"),
        next_vkey,
        "what stands ready is taken"
    );
    log.close(SOON).expect("closed");
    assert!(!next_key(&scene).exists());
    oracle::check(&scene.store(), &first);
}

#[test]
fn a_writer_that_waits_opens_with_the_key_that_is_in_force_then() {
    let scene = Scene::new();
    let log = scene.open();
    let first = scene.vkey();
    let waiting = {
        let builder = scene.builder();
        let store = scene.store();
        std::thread::spawn(move || builder.open(store))
    };
    std::thread::sleep(Duration::from_millis(200));
    for round in 0..3 {
        log.rotate_key_file().expect("rotated");
        log.append(login(round)).expect("recorded");
    }
    log.close(SOON).expect("closed");
    let log = waiting
        .join()
        .expect("no panic")
        .expect("a rolling deployment with a rotation in it");
    log.append(login("after")).expect("recorded");
    log.close(SOON).expect("closed");
    oracle::check(&scene.store(), &first);
}

#[test]
fn a_key_too_old_is_rotated_by_itself() {
    let scene = Scene::new();
    scene.open().close(SOON).expect("closed");
    let first = scene.vkey();
    let file = File::options().write(true).open(scene.key_file()).expect("a key");
    file.set_modified(SystemTime::now() - Duration::from_secs(86_400 * 30))
        .expect("set");
    let age = Duration::from_secs(86_400 * 20);
    let log = scene
        .builder()
        .rotate_key_after(age)
        .open(scene.store())
        .expect("opens");
    // Also while there is always something to commit.
    let busy = {
        let log = log.clone();
        std::thread::spawn(move || {
            for round in 0.. {
                if log.submit(login(round)).is_err() {
                    break;
                }
                std::thread::sleep(Duration::from_micros(200));
            }
        })
    };
    eventually("the key is rotated", || log.vkey() != first);
    let second = log.vkey();
    std::thread::sleep(Duration::from_millis(1_200));
    assert_eq!(log.vkey(), second, "it is young now");
    assert_eq!(scene.vkey(), second);
    log.close(SOON).expect("closed");
    busy.join().expect("no panic");
    assert_eq!(
        oracle::check(&scene.store(), &first)
            .of("audit_log.signing_key.rotated")
            .len(),
        1
    );
}

#[test]
fn a_key_young_enough_is_kept() {
    let scene = Scene::new();
    let log = scene
        .builder()
        .rotate_key_after(Duration::from_secs(3600))
        .open(scene.store())
        .expect("opens");
    let first = log.vkey();
    std::thread::sleep(Duration::from_millis(1_200));
    assert_eq!(log.vkey(), first);
    log.close(SOON).expect("closed");
}

#[test]
fn a_log_with_a_signer_has_no_key_file_to_rotate() {
    let log = memory_log();
    assert_eq!(
        log.rotate_key_file().expect_err("no key file").kind(),
        ErrorKind::FixConfiguration
    );
    log.append(login(1)).expect("recorded");
}

#[test]
fn a_rotation_whose_commit_may_be_durable_keeps_its_key() {
    // The store fails, and nobody knows whether the commit took effect. Trying again must not throw the key away.
    for took_effect in [true, false] {
        let scene = Scene::new();
        let hooks = Arc::new(crate::stores::Hooks::default());
        let store = MemoryStore::new();
        let log = scene
            .builder()
            .open(crate::stores::Hooked::new(store.clone(), &hooks))
            .expect("opens");
        let first = scene.vkey();
        hooks.fail_append(took_effect);
        let error = log.rotate_key_file().expect_err("the store fails");
        assert!(matches!(error.cause(), Cause::Io { .. }), "{error}");
        for _ in 0..3 {
            log.rotate_key_file().expect_err("poisoned");
        }
        drop(log);
        let log = scene.builder().open(store.clone()).unwrap_or_else(|error| {
            panic!("took effect {took_effect}: the key in force is lost: {error}");
        });
        assert_eq!(log.vkey() != first, took_effect);
        log.append(login(1)).expect("recorded");
        log.close(SOON).expect("closed");
        oracle::check(&store, &first);
    }
}

#[test]
fn rotations_of_purged_segments_are_kept_with_their_proofs() {
    let scene = Scene::new();
    let store = FileStore::new(scene.folder()).segment_size(2_500);
    let log = scene.builder().open(store.clone()).expect("opens");
    let first = scene.vkey();
    let mut rotated = vec![first];
    for round in 0..6 {
        for user in 0..3 {
            log.append(login(format!("{round}_{user}"))).expect("recorded");
        }
        rotated.push(log.rotate_key_file().expect("rotated"));
    }
    for round in 0..6 {
        log.append(login(round)).expect("recorded");
    }
    let left = log.purge(26).expect("purged");
    assert!(left > 20, "{left}");
    log.close(SOON).expect("closed");
    let kept = store.kept_rotations().expect("keys/");
    let sound = oracle::check(&store, &rotated[kept.len()]);
    assert!(kept.len() > 2, "{}", kept.len());
    assert_eq!(
        kept.len() + sound.of("audit_log.signing_key.rotated").len(),
        rotated.len() - 1
    );
    for (index, kept) in kept.iter().enumerate() {
        let text = std::str::from_utf8(&kept.content).expect("UTF-8");
        let (line, proof) = text.split_once('\n').expect("a line and a proof");
        let record = Record::from_line(line.as_bytes()).expect("a record");
        let proof: Proof = proof.parse().expect("a proof");
        assert_eq!(kept.name, format!("keys/{:020}", record.seq()));
        assert_eq!(record.action().as_deref(), Some("audit_log.signing_key.rotated"));
        for vkey in [&rotated[index], &rotated[index + 1]] {
            let checkpoint = proof.verify(record.hash(), vkey).expect("both keys signed its commit");
            assert_eq!(checkpoint.size(), record.seq() + 1);
        }
        let event: serde_json::Value = serde_json::from_str(record.event_json().expect("event")).expect("JSON");
        let named: VerifierKey = event["metadata"]["new"]
            .as_str()
            .expect("a vkey")
            .parse()
            .expect("a vkey");
        assert_eq!(named, rotated[index + 1]);
    }
}

#[test]
fn a_key_in_force_that_cannot_be_read_is_not_removed() {
    let scene = Scene::new();
    let log = scene.open();
    // The next key cannot take its place.
    let old = scene.root().join("old.key");
    fs::rename(scene.key_file(), &old).expect("moved");
    fs::create_dir(scene.key_file()).expect("made");
    log.rotate_key_file().expect_err("a folder is in the way");
    let (in_force, key) = (log.vkey(), fs::read(next_key(&scene)).expect("the key in force"));
    fs::set_permissions(next_key(&scene), fs::Permissions::from_mode(0o644)).expect("set");
    let error = log.rotate_key_file().expect_err("open to others");
    assert_eq!(
        fs::read(next_key(&scene)).ok(),
        Some(key),
        "the key in force was removed"
    );
    assert!(error.to_string().contains("mode 0644"), "{error}");
    drop(log);
    fs::remove_dir(scene.key_file()).expect("removed");
    fs::rename(&old, scene.key_file()).expect("moved");
    scene.builder().open(scene.store()).expect_err("open to others");
    fs::set_permissions(next_key(&scene), fs::Permissions::from_mode(0o600)).expect("set");
    let log = scene.open();
    assert_eq!(log.vkey(), in_force);
    log.close(SOON).expect("closed");
    assert_eq!(scene.vkey(), in_force);
}

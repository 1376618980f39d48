//! The second place: a log that was rolled back, replaced, forked or lost is never written to.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use indelible::{AuditLog, Builder, Cause, ErrorKind, FileStore, MemoryStore, SignedCheckpoint, Signer};

use crate::oracle;
use crate::scene::*;

fn kept(path: &Path) -> SignedCheckpoint {
    let text = fs::read_to_string(path).expect("the second place");
    text.parse().expect("a whole checkpoint")
}

fn size(path: &Path) -> u64 {
    kept(path).checkpoint().size()
}

fn assert_rolled_back(result: indelible::Result<AuditLog>, trusted: u64) {
    let error = result.expect_err("the key must not sign a second history");
    assert_eq!(error.kind(), ErrorKind::CallForHelp, "{error}");
    match error.cause() {
        Cause::RolledBack { trusted: said, .. } => assert_eq!(*said, trusted),
        other => panic!("{other}"),
    }
}

#[test]
fn it_is_written_on_opening_within_a_second_of_commits_and_on_closing() {
    let scene = Scene::new();
    let log = scene.open();
    let place = scene.place();
    assert_eq!(size(&place), 2, "on opening");
    for round in 0..5 {
        log.append(login(round)).expect("recorded");
        std::thread::sleep(Duration::from_millis(100));
    }
    std::thread::sleep(Duration::from_millis(900));
    assert_eq!(size(&place), 7, "within a second of commits");
    log.append(login("last")).expect("recorded");
    log.close(SOON).expect("closed");
    assert_eq!(size(&place), 9, "on closing");
    kept(&place).verify(&scene.vkey()).expect("signed");
}

#[test]
fn a_commit_right_after_opening_is_not_forgotten() {
    // The thread that keeps the place may start late.
    let signer = TestSigner::new();
    let folder = tempfile::tempdir().expect("a folder");
    let logs: Vec<AuditLog> = (0..24)
        .map(|round| {
            let log = AuditLog::builder(ORIGIN)
                .signer(Arc::clone(&signer))
                .checkpoint_file(folder.path().join(round.to_string()))
                .open(MemoryStore::new())
                .expect("opens");
            log.append(login(round)).expect("recorded");
            log
        })
        .collect();
    std::thread::sleep(Duration::from_millis(1_500));
    for (round, _log) in logs.iter().enumerate() {
        assert_eq!(size(&folder.path().join(round.to_string())), 3, "log {round}");
    }
}

#[test]
fn it_never_goes_back_and_is_whole_at_every_moment() {
    let scene = Scene::new();
    let log = scene.open();
    let place = scene.place();
    let reader = {
        let place = place.clone();
        std::thread::spawn(move || {
            let mut last = 0;
            while last < 10_000 {
                let now = size(&place);
                assert!(now >= last, "from {last} to {now}");
                last = now.max(last);
                if last == 2 + 400 + 1 {
                    break;
                }
                std::thread::sleep(Duration::from_millis(1));
            }
        })
    };
    for round in 0..400 {
        log.append(login(round)).expect("recorded");
        if round % 4 == 0 {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    log.close(SOON).expect("closed");
    within(SOON, "the reader", move || reader.join()).expect("no breach");
}

#[test]
fn closing_beside_the_keeper_leaves_the_newest_in_place() {
    let told = Arc::new(AtomicUsize::new(0));
    for round in 0..60 {
        let signer = TestSigner::new();
        let folder = tempfile::tempdir().expect("a folder");
        let (path, count) = (folder.path().join("place"), Arc::clone(&told));
        let log = AuditLog::builder(ORIGIN)
            .signer(Arc::clone(&signer))
            .checkpoint_file(&path)
            .on_error(move |_| {
                count.fetch_add(1, Ordering::SeqCst);
            })
            .open(MemoryStore::new())
            .expect("opens");
        log.append(login(round)).expect("recorded");
        log.close(SOON).expect("closed");
        std::thread::sleep(Duration::from_millis(2));
        assert_eq!(size(&path), 4, "round {round}");
        assert!(log.state().last_error.is_none(), "{:?}", log.state().last_error);
    }
    assert_eq!(told.load(Ordering::SeqCst), 0);
}

#[test]
fn it_does_not_move_when_the_key_changes() {
    let scene = Scene::new();
    let log = scene.open();
    let place = scene.place();
    log.rotate_key_file().expect("rotated");
    log.append(login(1)).expect("recorded");
    log.close(SOON).expect("closed");
    assert_eq!(scene.place(), place);
    assert_eq!(size(&place), 5);
    scene
        .open()
        .close(SOON)
        .expect("opens with the new key and the same place");
}

#[test]
fn a_rolled_back_copy_is_refused_and_left_as_it_is() {
    let scene = Scene::new();
    let log = scene.open();
    log.append(login(1)).expect("recorded");
    log.close(SOON).expect("closed");
    let backup = scene.crash_copy();
    let log = scene.open();
    log.append(login(2)).expect("recorded");
    log.close(SOON).expect("closed");
    let trusted = size(&scene.place());

    fs::remove_dir_all(scene.folder()).expect("removed");
    copy_folder(&backup.folder(), &scene.folder());
    let before = content_of(&scene.last_segment());
    assert_rolled_back(scene.builder().open(scene.store()), trusted);
    // Accepting a missing place does not accept one that says otherwise.
    assert_rolled_back(scene.builder().accept_missing_checkpoint().open(scene.store()), trusted);
    assert_eq!(content_of(&scene.last_segment()), before, "nothing is changed");
    assert_eq!(size(&scene.place()), trusted);
}

#[test]
fn a_missing_and_an_empty_log_are_refused() {
    type Ruin = fn(&Scene);
    let ruins: [(&str, Ruin); 5] = [
        ("the directory is gone", |scene| {
            fs::remove_dir_all(scene.folder()).expect("removed")
        }),
        ("the directory is empty", |scene| {
            fs::remove_dir_all(scene.folder()).expect("removed");
            fs::create_dir(scene.folder()).expect("made");
        }),
        ("no segment is left", |scene| {
            scene
                .segment_files()
                .iter()
                .for_each(|file| fs::remove_file(file).expect("removed"));
        }),
        ("the segment is empty", |scene| {
            fs::write(scene.last_segment(), "").expect("written")
        }),
        ("the segment is a header alone", |scene| {
            let content = content_of(&scene.last_segment());
            let header = content.iter().position(|byte| *byte == b'\n').expect("a header");
            fs::write(scene.last_segment(), &content[..=header]).expect("written");
        }),
    ];
    for (what, ruin) in ruins {
        let scene = Scene::new();
        let log = scene.open();
        log.append(login(1)).expect("recorded");
        log.close(SOON).expect("closed");
        let key = fs::read(scene.key_file()).expect("a key");
        ruin(&scene);
        eprintln!("{what}");
        assert_rolled_back(scene.builder().open(scene.store()), 4);
        assert_eq!(fs::read(scene.key_file()).expect("a key"), key);
        // Without its key too: a new one is not made for a log that was there.
        fs::remove_file(scene.key_file()).expect("removed");
        scene.builder().open(scene.store()).expect_err(what);
        assert!(!scene.key_file().exists(), "{what}: a key was made");
    }
}

/// Two histories from the same beginning: the scene goes on as the second says, its place as the first did.
fn forked(first: usize, second: usize) -> (Scene, u64) {
    let scene = Scene::new();
    let log = scene.open();
    log.append(login("common")).expect("recorded");
    log.close(SOON).expect("closed");
    let other = scene.crash_copy();
    let goes_on = |scene: &Scene, name: &str, count: usize| {
        let log = scene.open();
        for round in 0..count {
            log.append(login(format!("{name}_{round}"))).expect("recorded");
        }
        log.close(SOON).expect("closed");
    };
    goes_on(&scene, "first", first);
    goes_on(&other, "second", second);
    fs::remove_dir_all(scene.folder()).expect("removed");
    copy_folder(&other.folder(), &scene.folder());
    let trusted = size(&scene.place());
    (scene, trusted)
}

#[test]
fn a_forked_log_is_refused_whatever_its_size() {
    for (first, second) in [(3, 3), (3, 4), (3, 40), (3, 300), (300, 600)] {
        let (scene, trusted) = forked(first, second);
        assert_rolled_back(scene.builder().open(scene.store()), trusted);
        fs::remove_dir_all(scene.folder().join("tree")).expect("caches");
        assert_rolled_back(scene.builder().open(scene.store()), trusted);
    }
}

/// All files of a log directory but the lock, with their content.
fn content(scene: &Scene) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let files = scene.files().into_iter().filter(|path| !path.ends_with("lock"));
    files
        .map(|path| (path.clone(), fs::read(path).expect("readable")))
        .collect()
}

#[test]
fn an_opening_that_the_place_refuses_changes_nothing() {
    let torn = |scene: &Scene| {
        let last = scene.last_segment();
        let mut content = content_of(&last);
        content.extend_from_slice(b"{\"event\":{\"action\":\"auth.log");
        fs::write(&last, content).expect("written");
    };
    let (fork, _) = forked(3, 40);
    let missing = Scene::new();
    let log = missing.open();
    log.append(login(1)).expect("recorded");
    let missing = missing.crash_copy();
    drop(log);
    fs::remove_file(missing.place()).expect("removed");
    for (scene, what) in [(fork, "forked"), (missing, "missing")] {
        for with_caches in [true, false] {
            if !with_caches {
                fs::remove_dir_all(scene.folder().join("tree")).expect("caches");
                fs::create_dir(scene.folder().join("tree")).expect("made");
            }
            torn(&scene);
            let before = content(&scene);
            scene.builder().open(scene.store()).expect_err(what);
            assert!(content(&scene) == before, "{what}, caches: {with_caches}");
        }
    }
}

#[test]
fn a_small_log_that_was_purged_opens_without_its_place_if_the_operator_says_so() {
    let scene = Scene::new();
    let store = || FileStore::new(scene.folder()).segment_size(2_000);
    let log = scene.builder().open(store()).expect("opens");
    for round in 0..30 {
        log.append(login(round)).expect("recorded");
    }
    assert!(log.purge(20).expect("purged") > 0);
    log.close(SOON).expect("closed");
    fs::remove_file(scene.place()).expect("removed");
    let error = scene.builder().open(store()).expect_err("no checkpoint");
    assert!(matches!(error.cause(), Cause::CheckpointMissing { .. }), "{error}");
    let log = scene
        .builder()
        .accept_missing_checkpoint()
        .open(store())
        .expect("accepted");
    log.close(SOON).expect("closed");
    oracle::check(&scene.store(), &scene.vkey());
}

#[test]
fn a_log_that_went_on_without_its_place_is_the_same_log() {
    let scene = Scene::new();
    let log = scene.open();
    log.append(login(1)).expect("recorded");
    log.close(SOON).expect("closed");
    let old = fs::read(scene.place()).expect("the place");
    for round in 0..3 {
        let log = scene.open();
        for user in 0..100 {
            log.append(login(format!("{round}_{user}"))).expect("recorded");
        }
        log.close(SOON).expect("closed");
        // As if the writer had been killed before it could write it.
        fs::write(scene.place(), &old).expect("written");
        if round == 1 {
            fs::remove_dir_all(scene.folder().join("tree")).expect("caches");
        }
    }
    scene.open().close(SOON).expect("an older checkpoint of the same log");
    oracle::check(&scene.store(), &scene.vkey());
}

#[test]
fn a_missing_or_garbled_place_is_refused_unless_accepted_and_said() {
    for content in [
        None,
        Some(""),
        Some("garbage"),
        Some("auth.example.com/audit\n3\n"),
        Some("\u{0}\u{0}"),
    ] {
        let scene = Scene::new();
        let log = scene.open();
        log.append(login(1)).expect("recorded");
        log.close(SOON).expect("closed");
        let place = scene.place();
        match content {
            None => fs::remove_file(&place).expect("removed"),
            Some(content) => fs::write(&place, content).expect("written"),
        }
        let error = scene.builder().open(scene.store()).expect_err("no checkpoint");
        assert_eq!(error.kind(), ErrorKind::FixConfiguration);
        match error.cause() {
            Cause::CheckpointMissing { place: said, .. } => assert_eq!(*said, place),
            other => panic!("{other}"),
        }
        let log = scene
            .builder()
            .accept_missing_checkpoint()
            .open(scene.store())
            .expect("accepted");
        log.close(SOON).expect("closed");
        assert_eq!(size(&place), 7);
        let sound = oracle::check(&scene.store(), &scene.vkey());
        let recovered = &sound.of("audit_log.recovered");
        assert_eq!(recovered.len(), 1);
        assert_eq!(recovered[0].event["metadata"]["bytes"], 0);
        assert!(recovered[0].event["metadata"]["checkpoint_missing"].is_string());
        scene.open().close(SOON).expect("the place is there again");
    }
}

#[test]
fn a_crash_between_the_first_commit_and_the_place_leaves_a_log_that_opens() {
    let without_place = |scene: &Scene| {
        let crashed = scene.crash_copy();
        fs::remove_file(crashed.place()).expect("removed");
        crashed
    };
    let mut scene = Scene::new();
    for _ in 0..3 {
        let log = scene.open();
        let crashed = without_place(&scene);
        drop(log);
        scene = crashed;
    }
    let log = scene.open();
    log.append(login(1)).expect("recorded");
    let crashed = without_place(&scene);
    log.close(SOON).expect("closed");
    let sound = oracle::check(&scene.store(), &scene.vkey());
    let recovered = sound.of("audit_log.recovered");
    assert_eq!(recovered.len(), 3);
    assert!(
        recovered
            .iter()
            .all(|record| record.event["metadata"]["checkpoint_missing"].is_string())
    );
    let error = crashed
        .builder()
        .open(crashed.store())
        .expect_err("something was acknowledged");
    assert!(matches!(error.cause(), Cause::CheckpointMissing { .. }), "{error}");
}

#[test]
fn a_garbled_place_of_a_missing_log_is_no_leave_to_begin_anew() {
    let scene = Scene::new();
    scene.open().close(SOON).expect("closed");
    fs::remove_dir_all(scene.folder()).expect("removed");
    fs::write(scene.place(), "garbage").expect("written");
    let error = scene.builder().open(scene.store()).expect_err("something was there");
    assert!(matches!(error.cause(), Cause::CheckpointMissing { .. }), "{error}");
    fs::remove_file(scene.key_file()).expect("removed");
    scene.builder().open(scene.store()).expect_err("something was there");
    assert!(!scene.key_file().exists(), "a key was made");
    let error = scene.builder().open(scene.store()).expect_err("something was there");
    assert!(matches!(error.cause(), Cause::CheckpointMissing { .. }), "{error}");
}

#[test]
fn the_place_of_another_log_is_refused() {
    let scene = Scene::new();
    let log = scene.open();
    log.close(SOON).expect("closed");
    let other = indelible::SigningKey::generate("other.example.com/audit".parse().expect("an origin")).expect("a key");
    let foreign = AuditLog::builder("other.example.com/audit")
        .signer(other)
        .checkpoint_file(scene.root().join("foreign"))
        .open(MemoryStore::new())
        .expect("opens");
    foreign.close(SOON).expect("closed");
    let error = scene
        .builder()
        .checkpoint_file(scene.root().join("foreign"))
        .open(scene.store())
        .expect_err("another log");
    assert_eq!(error.kind(), ErrorKind::FixConfiguration, "{error}");
}

#[test]
fn a_place_that_cannot_be_written_is_told_and_written_once_it_can() {
    let signer = TestSigner::new();
    let root = tempfile::tempdir().expect("a folder");
    let folder = root.path().join("place");
    fs::create_dir(&folder).expect("made");
    let told = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&told);
    let log = AuditLog::builder(ORIGIN)
        .signer(Arc::clone(&signer))
        .checkpoint_file(folder.join("checkpoint"))
        .on_error(move |_| {
            count.fetch_add(1, Ordering::SeqCst);
        })
        .open(MemoryStore::new())
        .expect("opens");
    fs::rename(&folder, root.path().join("away")).expect("renamed");
    log.append(login(1)).expect("the log itself is not touched by it");
    eventually("it is told", || told.load(Ordering::SeqCst) > 0);
    assert!(!log.state().healthy);
    assert!(matches!(
        log.state().last_error.expect("an error").cause(),
        Cause::Io { .. }
    ));
    fs::rename(root.path().join("away"), &folder).expect("renamed");
    // Without another commit.
    eventually("it is written", || size(&folder.join("checkpoint")) == 3);
    eventually("the probe is content", || log.state().healthy);
}

#[test]
fn a_place_whose_folder_is_missing_fails_at_opening() {
    let signer = TestSigner::new();
    let root = tempfile::tempdir().expect("a folder");
    let store = MemoryStore::new();
    let open = |place: &Path| -> indelible::Result<AuditLog> {
        let builder: Builder = AuditLog::builder(ORIGIN)
            .signer(Arc::clone(&signer))
            .checkpoint_file(place);
        builder.lock_wait(Duration::ZERO).open(store.clone())
    };
    let error = open(&root.path().join("none/place")).expect_err("no folder");
    assert!(matches!(error.cause(), Cause::Io { .. }), "{error}");
    drop(error);
    let log = AuditLog::builder(ORIGIN)
        .signer(Arc::clone(&signer))
        .checkpoint_file(root.path().join("place"))
        .accept_missing_checkpoint()
        .open(store.clone())
        .expect("opens");
    log.close(SOON).expect("closed");
    oracle::check(&store, signer.vkey());
}

#[test]
fn a_purge_never_outruns_the_place() {
    // Killed right after a purge, and the caches lost: the log must still open.
    let scene = Scene::new();
    let open = |scene: &Scene| scene.builder().open(FileStore::new(scene.folder()).segment_size(2_000));
    let log = open(&scene).expect("opens");
    for round in 0..40 {
        log.append(login(round)).expect("recorded");
    }
    assert!(log.purge(37).expect("purged") > 20);
    let crashed = scene.crash_copy();
    drop(log);
    fs::remove_dir_all(crashed.folder().join("tree")).expect("caches");
    let log = open(&crashed).expect("caches do not decide whether it opens");
    log.close(SOON).expect("closed");
    oracle::check(&crashed.store(), &crashed.vkey());
}

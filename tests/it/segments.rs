//! Segment files: cut by size and age, prepared ahead or not, closed without a trace of it, and nobody else's to read.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use indelible::store::Store;
use indelible::{AuditLog, FileStore, LogReader, Verifier};

use crate::oracle;
use crate::scene::*;

#[test]
fn segments_are_cut_by_size_between_commits() {
    let scene = Scene::new();
    let store = FileStore::new(scene.folder()).segment_size(10_000);
    let log = scene.builder().open(store.clone()).expect("opens");
    for round in 0..100 {
        log.append(login(round)).expect("recorded");
    }
    // One commit always fits, however large.
    let huge = log.append(large("huge", 60_000)).expect("recorded").seq;
    log.append(login("after")).expect("recorded");
    log.close(SOON).expect("closed");
    let sound = oracle::check(&store, &scene.vkey());
    assert!(sound.segments >= 10, "{}", sound.segments);
    let files = scene.segment_files();
    for (index, file) in files.iter().enumerate() {
        let content = fs::read(file).expect("a segment");
        assert!(!content.contains(&0), "{}: space is left behind", file.display());
        let holds_huge = file.ends_with(format!("{huge:020}.jsonl"));
        assert!(
            content.len() <= 10_000 || holds_huge,
            "{}: {} bytes",
            file.display(),
            content.len()
        );
        let before_huge = files
            .get(index + 1)
            .is_some_and(|next| next.ends_with(format!("{huge:020}.jsonl")));
        let is_full = content.len() > 5_000 || before_huge || index + 1 == files.len();
        assert!(is_full, "{}: cut after {} bytes", file.display(), content.len());
    }
}

#[test]
fn segments_are_cut_by_age() {
    let scene = Scene::new();
    let store = FileStore::new(scene.folder()).segment_age(Duration::from_millis(300));
    let log = scene.builder().open(store.clone()).expect("opens");
    for round in 0..5 {
        log.append(login(round)).expect("recorded");
    }
    assert_eq!(store.segments().expect("segments").len(), 1);
    std::thread::sleep(Duration::from_millis(350));
    assert_eq!(
        store.segments().expect("segments").len(),
        1,
        "an idle log has nothing to cut"
    );
    for round in 0..5 {
        log.append(login(round)).expect("recorded");
    }
    assert_eq!(store.segments().expect("segments").len(), 2);
    log.close(SOON).expect("closed");
    oracle::check(&store, &scene.vkey());
}

#[test]
fn opening_a_log_does_not_make_its_segment_young_again() {
    let scene = Scene::new();
    let store = FileStore::new(scene.folder()).segment_age(Duration::from_millis(1_500));
    let open = || scene.builder().open(store.clone()).expect("opens");
    open().close(SOON).expect("closed");
    for _ in 0..4 {
        std::thread::sleep(Duration::from_millis(500));
        open().close(SOON).expect("closed");
    }
    assert!(store.segments().expect("segments").len() > 1);
    oracle::check(&store, &scene.vkey());
}

#[test]
fn every_commit_may_have_a_segment_of_its_own() {
    let scene = Scene::new();
    let stores = [
        FileStore::new(scene.folder()).segment_size(1),
        FileStore::new(scene.folder()).segment_age(Duration::ZERO),
        FileStore::new(scene.folder()).segment_size(0).space_ahead(false),
    ];
    for store in stores {
        let log = scene.builder().open(store.clone()).expect("opens");
        for round in 0..10 {
            log.append(login(round)).expect("recorded");
        }
        let receipt = log.append(login("last")).expect("recorded");
        log.prove(receipt.seq)
            .expect("a proof")
            .verify(receipt.hash, &log.vkey())
            .expect("verifies");
        log.close(SOON).expect("closed");
    }
    let sound = oracle::check(&scene.store(), &scene.vkey());
    assert!(sound.segments >= 3 * 11, "{}", sound.segments);
}

#[test]
fn without_space_ahead_no_file_has_a_zero() {
    let scene = Scene::new();
    let store = FileStore::new(scene.folder()).segment_size(20_000).space_ahead(false);
    let log = scene.builder().open(store.clone()).expect("opens");
    for round in 0..100 {
        log.append(login(round)).expect("recorded");
        let content = fs::read(scene.last_segment()).expect("a segment");
        assert!(!content.contains(&0));
        assert_eq!(content.last(), Some(&b'\n'));
    }
    assert!(!scene.folder().join("segments/spare").exists());
    log.close(SOON).expect("closed");
    assert!(oracle::check(&store, &scene.vkey()).segments > 2);
}

#[test]
fn space_ahead_is_zeros_to_the_end_and_cut_off_on_closing() {
    let scene = Scene::new();
    let store = FileStore::new(scene.folder()).segment_size(200_000);
    let log = scene.builder().open(store.clone()).expect("opens");
    for round in 0..300 {
        log.append(large(round, 2_000)).expect("recorded");
        if round % 29 == 0 {
            let content = fs::read(scene.last_segment()).expect("a segment");
            let end = content.iter().position(|byte| *byte == 0).unwrap_or(content.len());
            assert_eq!(content[end - 1], b'\n', "zeros begin where a line would");
            assert!(content[end..].iter().all(|byte| *byte == 0));
            assert!(content.len() <= 200_000);
        }
    }
    let files = scene.segment_files();
    assert!(files.len() >= 4);
    for sealed in &files[..files.len() - 1] {
        assert!(
            !fs::read(sealed).expect("a segment").contains(&0),
            "{}",
            sealed.display()
        );
    }
    log.close(SOON).expect("closed");
    let names: Vec<_> = list(&scene.folder().join("segments"));
    for path in &names {
        assert_eq!(
            path.extension().expect("an extension"),
            "jsonl",
            "{} is left behind",
            path.display()
        );
        assert!(!fs::read(path).expect("a segment").contains(&0), "{}", path.display());
    }
    oracle::check(&store, &scene.vkey());
}

#[test]
fn a_log_may_be_opened_with_other_options() {
    let scene = Scene::new();
    let options: [fn(FileStore) -> FileStore; 5] = [
        |store| store.segment_size(3_000),
        |store| store.space_ahead(false),
        |store| store,
        |store| store.segment_size(1_000_000).segment_age(Duration::from_secs(3600)),
        |store| store.segment_size(1),
    ];
    for round in 0..10 {
        let store = options[round % options.len()](scene.store());
        let log = scene.builder().open(store).expect("opens");
        for user in 0..7 {
            log.append(login(format!("{round}_{user}"))).expect("recorded");
        }
        if round % 3 == 0 {
            drop(log);
        } else {
            log.close(SOON).expect("closed");
        }
    }
    assert_eq!(oracle::check(&scene.store(), &scene.vkey()).size(), 1 + 10 * 9);
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("a path").permissions().mode() & 0o777
}

fn assert_private(folder: &Path) {
    assert_eq!(mode(folder), 0o700, "{}", folder.display());
    for path in list(folder) {
        if path.is_dir() {
            assert_private(&path);
        } else {
            assert_eq!(mode(&path), 0o600, "{}", path.display());
        }
    }
}

#[test]
fn nobody_else_reads_or_writes_what_a_log_makes() {
    let scene = Scene::new();
    let store = FileStore::new(scene.folder()).segment_size(3_000);
    let log = scene.builder().open(store.clone()).expect("opens");
    for round in 0..30 {
        log.append(login(round)).expect("recorded");
    }
    log.rotate_key_file().expect("rotated");
    for round in 0..30 {
        log.append(login(round)).expect("recorded");
    }
    log.erase_personal_data([5..=6, 20..=21], "test").expect("erased");
    log.erase_records([25..=26], "test").expect("erased");
    assert!(log.purge(45).expect("purged") > 31);
    assert_private(&scene.folder());
    assert_eq!((mode(&scene.key_file()), mode(&scene.place())), (0o600, 0o600));
    // And what a crash leaves, moved away.
    let crashed = scene.crash_copy();
    log.close(SOON).expect("closed");
    assert_private(&scene.folder());
    for caches in ["tree", "index"] {
        let _ = fs::remove_dir_all(crashed.folder().join(caches));
    }
    let torn = [content_of(&crashed.last_segment()), b"{\"event\":{\"action\"".to_vec()].concat();
    fs::write(crashed.last_segment(), torn).expect("written");
    for file in crashed.files() {
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("set");
    }
    for folder in ["", "segments", "keys"] {
        fs::set_permissions(crashed.folder().join(folder), fs::Permissions::from_mode(0o700)).expect("set");
    }
    let log = crashed.open();
    assert_private(&crashed.folder());
    log.close(SOON).expect("closed");
    assert!(crashed.folder().join("recovered").exists());
    assert_private(&crashed.folder());
}

#[test]
fn files_with_other_names_are_not_part_of_the_log() {
    let scene = Scene::new();
    let log = scene.open();
    log.append(login(1)).expect("recorded");
    log.close(SOON).expect("closed");
    let segments = scene.folder().join("segments");
    for name in [
        "README",
        "00000000000000000001.json",
        "1.jsonl",
        "0000000000000000000x.jsonl",
        ".hidden.jsonl",
    ] {
        fs::write(segments.join(name), "not a segment\n").expect("written");
    }
    fs::create_dir(segments.join("folder")).expect("made");
    let log = scene.open();
    log.append(login(2)).expect("recorded");
    log.close(SOON).expect("closed");
    assert!(segments.join("README").exists(), "what is not the log's is left alone");
    assert_eq!(oracle::check(&scene.store(), &scene.vkey()).size(), 7);
}

#[test]
fn a_relative_folder_and_one_that_is_nested_deep_are_made() {
    let scene = Scene::new();
    let folder = scene.root().join("a/b/c/audit");
    let open = |folder: &Path| -> AuditLog { scene.builder().open(FileStore::new(folder)).expect("opens") };
    let log = open(&folder);
    log.append(login(1)).expect("recorded");
    log.close(SOON).expect("closed");
    open(&folder).close(SOON).expect("closed");
    assert_eq!(oracle::check(&FileStore::new(&folder), &scene.vkey()).size(), 6);
}

#[test]
fn a_segment_prepared_ahead_is_not_written_over_once_it_is_in_use() {
    // Small segments, so that the thread that prepares them is asked again and again.
    let threads: Vec<_> = (0..3)
        .map(|round| {
            std::thread::spawn(move || {
                let scene = Scene::new();
                let store = FileStore::new(scene.folder()).segment_size(4_000 + 300 * round);
                let log = scene.builder().open(store.clone()).expect("opens");
                for user in 0..150 {
                    let receipt = log.append(login(user)).expect("recorded");
                    let record = log.reader().record(receipt.seq);
                    let record = record.unwrap_or_else(|error| panic!("acknowledged and gone: {error}"));
                    assert_eq!(record.hash(), receipt.hash);
                }
                log.close(SOON).expect("closed");
                assert_eq!(oracle::check(&store, &scene.vkey()).size(), 153);
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().expect("no breach"));
}

#[test]
fn asking_for_a_writer_never_keeps_one_out() {
    let scene = Scene::new();
    scene.open().close(SOON).expect("closed");
    let done = Arc::new(AtomicBool::new(false));
    let asker = {
        let (store, done) = (scene.store(), Arc::clone(&done));
        std::thread::spawn(move || {
            while !done.load(Ordering::SeqCst) {
                store.has_writer().expect("readable");
                std::thread::sleep(Duration::from_micros(20));
            }
        })
    };
    for _ in 0..300 {
        let opened = scene.builder().lock_wait(Duration::ZERO).open(scene.store());
        drop(opened.expect("no writer has it"));
    }
    done.store(true, Ordering::SeqCst);
    asker.join().expect("readable");
}

#[test]
fn what_is_no_file_and_what_has_no_end_makes_nothing_hang() {
    type Ruin = fn(&Path);
    let ruins: [(&str, Ruin); 3] = [
        ("a pipe", |path| {
            let _ = fs::remove_file(path);
            assert!(Command::new("mkfifo").arg(path).status().expect("mkfifo").success());
        }),
        ("a device", |path| {
            let _ = fs::remove_file(path);
            std::os::unix::fs::symlink("/dev/zero", path).expect("linked");
        }),
        ("endless", |path| {
            let file = fs::File::options().write(true).create(true).truncate(false).open(path);
            file.expect("opened").set_len(1 << 42).expect("a sparse file");
        }),
    ];
    for (what, ruin) in ruins {
        let scene = Scene::new();
        let log = scene.open();
        log.append(login(1)).expect("recorded");
        log.close(SOON).expect("closed");
        for path in [
            "segments/00000000000000000000.jsonl",
            "tree/position",
            "tree/0",
            "tree/ids",
            "tree/announced",
            "lock",
            "pending",
        ] {
            let copy = scene.crash_copy();
            ruin(&copy.folder().join(path));
            // Zeros without end are read for a while.
            within(3 * SOON, &format!("{path} is {what}"), move || {
                let reader = LogReader::new(copy.store());
                let _ = reader.checkpoint();
                let _ = reader.prove(1);
                let _ = copy.store().has_writer();
                let _ = Verifier::new(copy.vkey()).verify_dir(copy.folder());
                let opened = copy.builder().open(copy.store());
                if path.starts_with("tree") {
                    opened.expect("caches do not decide").close(SOON).expect("closed");
                }
            });
        }
    }
}

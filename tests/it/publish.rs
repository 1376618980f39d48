//! The log as tlog-tiles: complete, incremental, and without what is erased or purged.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use indelible::hash::leaf;
use indelible::merkle::{self, Tile, TileHashes, tiles};
use indelible::{AuditLog, Cause, Error, FileStore, LogReader, SignedCheckpoint};

use crate::scene::*;

pub(crate) fn tiles_store(scene: &Scene) -> FileStore {
    FileStore::new(scene.folder()).segment_size(60_000)
}

pub(crate) fn grow(log: &AuditLog, size: u64) {
    while log.state().size < size {
        let tickets: Vec<_> = (log.state().size..size)
            .map(|user| log.submit(login(user)).expect("taken"))
            .collect();
        tickets
            .into_iter()
            .for_each(|ticket| _ = ticket.wait().expect("recorded"));
    }
}

/// All files, by their paths below the folder.
pub(crate) fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let (mut found, mut open) = (BTreeMap::new(), vec![folder.to_owned()]);
    while let Some(path) = open.pop() {
        for path in list(&path) {
            if path.is_dir() {
                open.push(path);
            } else if !path.ends_with(".publish.lock") {
                let name = path
                    .strip_prefix(folder)
                    .expect("below")
                    .to_str()
                    .expect("UTF-8")
                    .to_owned();
                found.insert(name, fs::read(&path).expect("a file"));
            }
        }
    }
    found
}

/// Checks all that is published as who has nothing else does it. Gives how many entries there are.
#[track_caller]
pub(crate) fn check(folder: &Path, log: &AuditLog) -> usize {
    let files = files(folder);
    let note = String::from_utf8(files["checkpoint"].clone()).expect("UTF-8");
    let signed: SignedCheckpoint = note.parse().expect("a checkpoint");
    signed.verify(&log.vkey()).expect("signed");
    let (size, root) = (signed.checkpoint().size(), signed.checkpoint().root());
    let read = |tile: Tile| Ok::<_, merkle::ProofError>(tile.hashes(&files[&tile.to_string()]).expect("a tile"));
    let mut hashes = TileHashes::new(size, read);
    assert_eq!(merkle::root_at(&mut hashes, size), Ok(root));
    let mut entries = 0;
    for tile in tiles(0, size) {
        let hashes = tile.hashes(&files[&tile.to_string()]).expect("a tile");
        if tile.level() > 0 {
            for (index, hash) in (tile.index() * 256..).zip(&hashes) {
                let below = Tile::new(tile.level() - 1, index, 256).expect("a tile");
                assert_eq!(merkle::root_of(&read(below).expect("there")), *hash);
            }
            continue;
        }
        let Some(mut bundle) = files.get(&tile.entries_path().expect("level 0")).map(Vec::as_slice) else {
            continue;
        };
        for hash in hashes {
            let (length, rest) = bundle.split_at(2);
            let (entry, rest) = rest.split_at(u16::from_be_bytes([length[0], length[1]]).into());
            assert_eq!(leaf(entry), hash);
            bundle = rest;
            entries += 1;
        }
        assert!(bundle.is_empty());
    }
    entries
}

#[test]
fn what_is_published_step_by_step_is_what_is_published_at_once() {
    let scene = Scene::new();
    let log = scene.builder().open(tiles_store(&scene)).expect("opens");
    let (steps, again) = (scene.root().join("steps"), scene.root().join("again"));
    for (at, size) in [2, 3, 200, 255, 256, 257, 512, 700, 1_300].into_iter().enumerate() {
        grow(&log, size);
        let published = log.publish(&steps).expect("published");
        let size = published.checkpoint.checkpoint().size();
        assert_eq!(check(&steps, &log) as u64, size);
        let once = scene.root().join(at.to_string());
        LogReader::new(tiles_store(&scene)).publish(&once).expect("published");
        let (once, mut steps) = (files(&once), files(&steps));
        // Partial tiles of checkpoints before stay until they are full.
        steps.retain(|name, _| !name.contains(".p/") || once.contains_key(name));
        assert_eq!(once, steps, "{size}");
    }
    let before = files(&steps);
    assert_eq!(log.publish(&steps).expect("published").files, 0);
    assert_eq!(files(&steps), before);
    assert!(!String::from_utf8_lossy(&before["tile/entries/000"]).contains("salt"));
    // A crash before the checkpoint: what is there is taken.
    log.publish(&again).expect("published");
    fs::remove_file(again.join("checkpoint")).expect("removed");
    fs::remove_file(again.join("tile/0/002")).expect("removed");
    assert_eq!(log.publish(&again).expect("published").files, 2);
    check(&again, &log);
    // What never changes has changed.
    fs::remove_file(again.join("checkpoint")).expect("removed");
    fs::write(again.join("tile/0/001"), vec![0; 8_192]).expect("written");
    let error = log.publish(&again).expect_err("changed");
    assert!(matches!(error.cause(), Cause::Damaged { .. }), "{error}");
    assert!(!again.join("checkpoint").exists());
}

#[test]
fn what_is_erased_or_purged_is_withdrawn() {
    let scene = Scene::new();
    let log = scene.builder().open(tiles_store(&scene)).expect("opens");
    let out = scene.root().join("out");
    // Each step is a commit, and so one segment at the least.
    (100..=1_000).step_by(50).for_each(|size| grow(&log, size));
    log.publish(&out).expect("published");
    let before = files(&out);
    log.erase_personal_data([10..=20], "test").expect("erased");
    let published = log.publish(&out).expect("published");
    assert!(published.withheld.is_empty());
    assert_eq!(
        files(&out)["tile/entries/000"],
        before["tile/entries/000"],
        "hashed forms stay"
    );
    log.erase_records([300..=301], "test").expect("erased");
    let published = log.publish(&out).expect("published");
    assert_eq!(published.withheld, [1]);
    assert!(!out.join("tile/entries/001").exists() && out.join("tile/0/001").exists());
    check(&out, &log);
    let new = scene.root().join("new");
    assert_eq!(log.publish(&new).expect("published").withheld, [1]);
    assert!(!new.join("tile/entries/001").exists());
    let first = log.purge(900).expect("purged");
    assert!(first > 512, "{first}");
    let published = log.publish(&out).expect("published");
    assert_eq!(
        published.minimum_index,
        first
            .next_multiple_of(256)
            .min(published.checkpoint.checkpoint().size())
    );
    assert!(!out.join("tile/entries/000").exists());
    // The last bundle begins before the first record that is left; the next one is whole again.
    assert_eq!(published.withheld, [3]);
    check(&out, &log);
    grow(&log, 1_100);
    assert_eq!(log.publish(&out).expect("published").minimum_index, 1_024);
    assert_eq!(check(&out, &log) as u64, log.state().size - 1_024);
}

#[test]
fn what_was_withheld_stays_so_and_what_is_announced_is_withheld_before_it_is_done() {
    let scene = Scene::new();
    let log = scene.builder().open(tiles_store(&scene)).expect("opens");
    let out = scene.root().join("out");
    grow(&log, 300);
    log.publish(&out).expect("published");
    // A record of the bundle that is partial now, and one of the bundle that is full.
    log.erase_records([10..=10, 280..=280], "test").expect("erased");
    assert_eq!(log.publish(&out).expect("published").withheld, [0, 1]);
    // What is remembered is not looked for again, and where it is lost or torn, it is.
    let remembered = fs::read(out.join("withheld")).expect("a file");
    type Change = fn(&Path, &[u8]);
    let changes: [Change; 4] = [
        |_, _| {},
        |path, _| fs::remove_file(path).expect("removed"),
        |path, text| fs::write(path, &text[..text.len() / 2]).expect("written"),
        |path, text| fs::write(path, text).expect("written"),
    ];
    for (change, size) in changes.into_iter().zip([400, 500, 600, 700]) {
        change(&out.join("withheld"), &remembered);
        grow(&log, size);
        assert_eq!(log.publish(&out).expect("published").withheld, [0, 1], "{size}");
        check(&out, &log);
        assert!(!out.join("tile/entries/000").exists() && !out.join("tile/entries/001").exists());
    }
    let published = log.publish(&out).expect("published");
    assert_eq!((published.files, &*published.withheld), (0, &[0, 1][..]));
    // A log that has announced it, and is as it was otherwise: as between the announcement and the erasure.
    let pending = tempfile::tempdir().expect("a folder");
    let of_before = scene.crash_copy();
    log.erase_records([520..=520], "test").expect("erased");
    log.close(std::time::Duration::from_secs(10)).expect("closed");
    fs::copy(segment_of(&of_before, 520), segment_of(&scene, 520)).expect("copied");
    let published = LogReader::new(tiles_store(&scene))
        .publish(pending.path())
        .expect("published");
    assert_eq!(published.withheld, [0, 1, 2]);
}

#[test]
fn only_what_is_new_is_read() {
    let scene = Scene::new();
    let log = scene.builder().open(tiles_store(&scene)).expect("opens");
    let out = scene.root().join("out");
    // Each step is a commit.
    (100..=700).step_by(100).for_each(|size| grow(&log, size));
    log.publish(&out).expect("published");
    // Of the first segments nothing but the headers can be read meanwhile.
    let old: Vec<_> = scene.segment_files().into_iter().take(2).collect();
    let contents: Vec<_> = old.iter().map(|path| fs::read(path).expect("a segment")).collect();
    for (path, content) in old.iter().zip(&contents) {
        let mut other = content.clone();
        let header = content.iter().position(|byte| *byte == b'\n').expect("a header");
        other[header + 1..].fill(b'x');
        fs::write(path, other).expect("written");
    }
    grow(&log, 900);
    assert_eq!(log.publish(&out).expect("published").from, 700);
    assert_eq!(log.publish(&out).expect("published").files, 0);
    assert!(log.publish(scene.root().join("new")).is_err(), "it reads all");
    for (path, content) in old.iter().zip(&contents) {
        fs::write(path, content).expect("written");
    }
    assert_eq!(check(&out, &log), 900);
}

/// The segment that holds a record.
fn segment_of(scene: &Scene, seq: u64) -> PathBuf {
    let begins = |path: &PathBuf| {
        path.file_stem()
            .expect("a name")
            .to_str()
            .expect("UTF-8")
            .parse::<u64>()
            .expect("a seq")
    };
    let files = scene.segment_files().into_iter().filter(|path| begins(path) <= seq);
    files.max_by_key(begins).expect("a segment")
}

#[test]
fn what_a_link_points_to_is_not_written_over() {
    let (scene, out) = (Scene::new(), tempfile::tempdir().expect("a folder"));
    let log = scene.builder().open(tiles_store(&scene)).expect("opens");
    let victim = scene.root().join("victim");
    fs::write(&victim, "precious").expect("written");
    std::os::unix::fs::symlink(&victim, out.path().join(".publish.new")).expect("linked");
    log.publish(out.path()).expect("published");
    assert_eq!(fs::read(&victim).expect("there"), b"precious");
    check(out.path(), &log);
}

fn refused(error: &Error) -> bool {
    matches!(error.cause(), Cause::Configuration { option: "publish", .. })
}

#[test]
fn another_log_is_refused_and_changes_nothing() {
    let (scene, out) = (Scene::new(), tempfile::tempdir().expect("a folder"));
    let log = scene.builder().open(tiles_store(&scene)).expect("opens");
    grow(&log, 300);
    log.publish(out.path()).expect("published");
    let before = files(out.path());
    let other = memory_log();
    // Shorter, and longer.
    assert!(refused(&other.publish(out.path()).expect_err("another")));
    grow(&other, 400);
    assert!(refused(&other.publish(out.path()).expect_err("another")));
    assert_eq!(files(out.path()), before);
}

#[test]
#[ignore = "tests/foreign/run runs it"]
fn foreign_tiles_are_verified_by_aics_tlog() {
    let python = std::env::var("INDELIBLE_PYTHON").expect("INDELIBLE_PYTHON");
    let is_there = Command::new(&python)
        .args(["-c", "import aics_tlog"])
        .output()
        .expect("it runs");
    if !is_there.status.success() {
        eprintln!("SKIPPED: a published log verified by aics-tlog: it is not installed");
        return;
    }
    let scene = Scene::new();
    let log = scene.builder().open(tiles_store(&scene)).expect("opens");
    let out: PathBuf = scene.root().join("out");
    let verify = || {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/foreign/tiles.py");
        let output = Command::new(&python)
            .args([script, out.to_str().expect("UTF-8"), &log.vkey().to_string()])
            .output();
        output.expect("it runs")
    };
    for size in [5, 256, 700, 1_500] {
        grow(&log, size);
        log.publish(&out).expect("published");
        let output = verify();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let path = out.join("tile/entries/001");
    let mut bundle = fs::read(&path).expect("a bundle");
    bundle[100] ^= 1;
    fs::write(&path, bundle).expect("written");
    assert_eq!(verify().status.code(), Some(1), "a changed entry is found");
}

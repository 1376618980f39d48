//! A disk that is full: a clear error, nothing acknowledged lost, and the log goes on once there is space.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use indelible::{AuditLog, Cause, ErrorKind, FileStore, Receipt};

use crate::oracle;
use crate::scene::*;

/// A small file system in memory, if this process may mount one.
pub(crate) struct Small {
    pub(crate) scene: Scene,
    pub(crate) path: PathBuf,
}

impl Small {
    pub(crate) fn mount(kib: usize) -> Option<Self> {
        let scene = Scene::new();
        let path = scene.root().join("small");
        fs::create_dir(&path).expect("made");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={kib}k,mode=0700"), "tmpfs"])
            .arg(&path)
            .output();
        match mounted {
            Ok(output) if output.status.success() => Some(Self { scene, path }),
            other => {
                eprintln!("SKIPPED: no file system of a limited size can be mounted here: {other:?}");
                None
            }
        }
    }

    fn store(&self, segment_size: u64, space_ahead: bool) -> FileStore {
        FileStore::new(self.path.join("audit"))
            .segment_size(segment_size)
            .space_ahead(space_ahead)
    }

    fn open(&self, store: &FileStore) -> indelible::Result<AuditLog> {
        self.scene.builder().open(store.clone())
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.path).output();
    }
}

pub(crate) fn fill(path: &Path) {
    let mut size = 1 << 20;
    let mut number = 0;
    while size > 0 {
        let file = path.join(format!("filler_{number}"));
        if fs::write(&file, vec![1; size]).is_err() {
            let _ = fs::remove_file(&file);
            size /= 2;
        }
        number += 1;
    }
}

pub(crate) fn make_space(path: &Path) {
    for file in list(path) {
        if file
            .file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with("filler_"))
        {
            fs::remove_file(file).expect("removed");
        }
    }
}

#[test]
fn a_full_disk_loses_nothing_and_the_log_goes_on_with_space() {
    for (segment_size, space_ahead) in [(64 << 20, true), (64 << 20, false), (40_000, true), (40_000, false)] {
        let Some(small) = Small::mount(3_000) else { return };
        let store = small.store(segment_size, space_ahead);
        let log = small.open(&store).expect("opens");
        let mut acknowledged: Vec<Receipt> = (0..20)
            .map(|round| log.append(login(round)).expect("recorded"))
            .collect();
        fill(&small.path);
        let error = loop {
            match log.append(large("filling", 20_000)) {
                Ok(receipt) => acknowledged.push(receipt),
                Err(error) => break error,
            }
        };
        assert!(matches!(error.cause(), Cause::Io { .. }), "{error}");
        assert!(error.to_string().contains("space"), "{error} does not say why");
        assert_eq!(error.kind(), ErrorKind::Reopen);
        let error = log.append(login("later")).expect_err("poisoned");
        assert!(matches!(error.cause(), Cause::Poisoned(_)), "{error}");
        assert!(!log.state().healthy);
        drop(log);
        // Without space it opens or says why, and harms nothing.
        match small.open(&store) {
            Ok(log) => drop(log),
            Err(error) => assert!(matches!(error.cause(), Cause::Io { .. }), "{error}"),
        }
        make_space(&small.path);
        let log = small.open(&store).expect("there is space again");
        for receipt in &acknowledged {
            assert_eq!(
                log.reader().record(receipt.seq).expect("acknowledged").hash(),
                receipt.hash
            );
        }
        log.append(login("after")).expect("recorded");
        log.close(SOON).expect("closed");
        oracle::check(&store, &small.scene.vkey());
    }
}

#[test]
fn a_disk_that_is_full_from_the_start_leaves_a_log_that_can_be_made() {
    let Some(small) = Small::mount(300) else { return };
    let store = small.store(64 << 20, true);
    fill(&small.path);
    let error = small.open(&store).expect_err("no space");
    assert!(matches!(error.cause(), Cause::Io { .. }), "{error}");
    make_space(&small.path);
    let log = small.open(&store).expect("there is space");
    log.append(login(1)).expect("recorded");
    log.close(SOON).expect("closed");
    assert_eq!(
        oracle::check(&store, &small.scene.vkey()).at(0).action,
        "audit_log.created"
    );
}

#[test]
fn an_erasure_without_space_is_done_at_the_next_opening() {
    let Some(small) = Small::mount(6_000) else { return };
    let store = small.store(200_000, false);
    let log = small.open(&store).expect("opens");
    for round in 0..60 {
        log.append(large(format!("n{round:04}"), 10_000)).expect("recorded");
    }
    fill(&small.path);
    // Room for the announcement, not for a segment written anew.
    if let Some(file) = list(&small.path).into_iter().find(|path| {
        path.metadata()
            .is_ok_and(|file| (30_000..150_000).contains(&file.len()))
    }) {
        fs::remove_file(file).expect("removed");
    }
    let erased = log.erase_personal_data([10..=10], "no space");
    let error = erased.expect_err("no space");
    assert!(matches!(error.cause(), Cause::Io { .. }), "{error}");
    drop(log);
    make_space(&small.path);
    let log = small.open(&store).expect("opens");
    let gone = || {
        files_below(&small.path.join("audit"))
            .iter()
            .all(|file| find(&fs::read(file).unwrap_or_default(), b"n0008@personal.example").is_none())
    };
    eventually("what was announced is done", gone);
    log.close(SOON).expect("closed");
    oracle::check(&store, &small.scene.vkey());
}

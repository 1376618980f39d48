//! The log as tlog-tiles in buckets of real servers.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use indelible::{Cause, ErrorKind, FileStore, LogReader};

use super::Objects;
use super::servers::Server;
use crate::publish::{check, files, grow, tiles_store};
use crate::scene::*;

/// What stands there as in a folder.
fn copied(there: &Objects) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, content) in there.below() {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        std::fs::write(path, content).expect("written");
    }
    folder
}

fn content<'a>(all: &'a [(String, Vec<u8>)], name: &str) -> &'a [u8] {
    &all.iter().find(|(found, _)| found == name).expect("there").1
}

pub(super) fn what_is_published_is_what_is_published_into_a_folder(server: &Server) {
    let (bucket, there) = (server.bucket("tiles/a"), Objects::new(server, "tiles/a"));
    let scene = Scene::new();
    let log = scene.builder().open(tiles_store(&scene)).expect("opens");
    let folder = scene.root().join("folder");
    for size in [2, 200, 257, 700, 1_300] {
        grow(&log, size);
        log.publish(&folder).expect("published");
        let published = log.publish(bucket.clone()).expect("published");
        let copy = copied(&there);
        assert_eq!(
            check(copy.path(), &log) as u64,
            published.checkpoint.checkpoint().size()
        );
        assert!(files(copy.path()) == files(&folder), "{size}");
    }
    assert_eq!(log.publish(bucket.clone()).expect("published").files, 0);
    // What is erased and purged is withdrawn; what was withdrawn stays so.
    log.erase_records([300..=301], "test").expect("erased");
    log.publish(&folder).expect("published");
    assert_eq!(log.publish(bucket.clone()).expect("published").withheld, [1]);
    log.purge(1_200).expect("purged");
    log.publish(&folder).expect("published");
    let published = log.publish(bucket.clone()).expect("published");
    assert!(published.minimum_index > 256, "{published:?}");
    assert!(files(copied(&there).path()) == files(&folder));
    // A crash before the checkpoint, and before what is behind it: what stands there is taken.
    grow(&log, 1_500);
    let before = there.below();
    log.publish(bucket.clone()).expect("published");
    let after = there.below();
    for name in ["checkpoint", "withheld"] {
        there.put(name, content(&before, name).to_vec());
    }
    let published = log.publish(bucket.clone()).expect("published");
    assert_eq!(published.files, 2, "the checkpoint and what is withheld");
    assert!(there.below() == after);
    // What never changes has changed.
    grow(&log, 1_800);
    there.put("tile/entries/006", b"other".to_vec());
    let error = log.publish(bucket.clone()).expect_err("changed");
    assert!(
        matches!(error.cause(), Cause::Damaged { file, .. } if file.ends_with("tile/entries/006")),
        "{error}"
    );
    assert_eq!(content(&there.below(), "checkpoint"), content(&after, "checkpoint"));
}

pub(super) fn those_who_publish_at_a_time_publish_one_log(server: &Server) {
    let (bucket, there) = (server.bucket("tiles/race"), Objects::new(server, "tiles/race"));
    let scene = Scene::new();
    let log = scene.builder().open(tiles_store(&scene)).expect("opens");
    let refused = AtomicU64::new(0);
    let publish = || {
        for _ in 0..5 {
            grow(&log, log.state().size + 40);
            while let Err(error) = LogReader::new(tiles_store(&scene)).publish(bucket.clone()) {
                match error.kind() {
                    ErrorKind::Retry => refused.fetch_add(1, Ordering::Relaxed),
                    // It read the log before the other one, and published later.
                    ErrorKind::FixConfiguration => 0,
                    _ => panic!("{error}"),
                };
            }
        }
    };
    std::thread::scope(|scope| {
        (0..3).for_each(|_| drop(scope.spawn(publish)));
    });
    let size = log.publish(bucket).expect("published").checkpoint.checkpoint().size();
    eprintln!("{refused:?} were refused at first");
    assert_eq!(check(copied(&there).path(), &log) as u64, size);
}

pub(super) fn another_log_is_refused_there(server: &Server) {
    let bucket = server.bucket("tiles/other");
    let scene = Scene::new();
    let log = scene.builder().open(FileStore::new(scene.folder())).expect("opens");
    log.publish(bucket.clone()).expect("published");
    let other = memory_log();
    let error = other.publish(bucket.clone()).expect_err("another");
    assert!(
        matches!(error.cause(), Cause::Configuration { option: "publish", .. }),
        "{error}"
    );
    // What is wrong names the place.
    let wrong = server.bucket_with("tiles/other", "d3JvbmctYnV0LW5vdC10by1iZS1wcmludGVk");
    let error = log.publish(wrong).expect_err("refused");
    assert!(
        matches!(error.cause(), Cause::Export { path, .. } if path == Path::new(&format!("{bucket}/checkpoint"))),
        "{error}"
    );
}

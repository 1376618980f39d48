use std::sync::Arc;
use std::time::Duration;

use super::Space;
use crate::store::file::disk::RealDisk;

#[test]
fn a_file_that_was_taken_is_not_made_again_before_it_is_renamed() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("spare");
    let mut space = Space::new(Arc::new(RealDisk), path.clone(), 100_000);
    // A writer asks at each commit, also while the file is on its way.
    while !space.is_ready() {
        space.want();
    }
    space.shared.state().wanted = true;
    let file = space.take().expect("it is ready");
    file.write_all_at(b"header", 0).expect("written");
    // The thread may wake at any time.
    for _ in 0..20 {
        space.shared.changed.notify_all();
        std::thread::sleep(Duration::from_millis(5));
    }
    let content = std::fs::read(&path).expect("it has its name still");
    assert!(content.starts_with(b"header"), "it was written over");
    assert!(!space.is_ready());
    std::fs::rename(&path, folder.path().join("segment")).expect("renamed");
    while !space.is_ready() {
        space.want();
    }
}

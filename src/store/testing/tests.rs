//! The stores of this crate pass, and broken ones do not.

mod broken;
mod moved;

use std::collections::HashMap;
use std::sync::Mutex;

use super::check_store;
use crate::store::{FileStore, MemoryStore};

fn memory(segment_size: usize) {
    let logs: Mutex<HashMap<String, MemoryStore>> = Mutex::default();
    check_store(|name| {
        let make = || match segment_size {
            0 => MemoryStore::new(),
            size => MemoryStore::new().segment_size(size),
        };
        logs.lock()
            .expect("no panic")
            .entry(name.to_owned())
            .or_insert_with(make)
            .clone()
    });
}

fn files(configure: impl Fn(FileStore) -> FileStore) {
    let folder = tempfile::tempdir().expect("a folder");
    check_store(|name| configure(FileStore::new(folder.path().join(name))));
}

#[test]
fn memory_in_one_segment() {
    memory(0);
}

#[test]
fn memory_in_small_segments() {
    memory(1);
    memory(100_000);
}

#[test]
fn files_of_one_commit() {
    files(|store| store.segment_size(1).space_ahead(false));
}

#[test]
fn files_of_64_kib() {
    files(|store| store.segment_size(64 * 1024));
}

#[test]
fn files_of_4_mib_without_space_ahead() {
    files(|store| store.segment_size(4 * 1024 * 1024).space_ahead(false));
}

#[test]
fn files_of_8_mib() {
    files(|store| store.segment_size(8 * 1024 * 1024));
}

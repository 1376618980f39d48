use std::fs;
use std::time::Duration;

use super::format::{Contents, Header};
use super::pages::{PageWriter, Pages};
use super::tail::Tail;
use super::*;
use crate::event::{Actor, Event, action};
use crate::log::AuditLog;
use crate::store::{FileStore, Store};

#[test]
fn what_was_read_before_a_line_that_cannot_be_is_found() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = FileStore::new(folder.path().join("audit"));
    let log = AuditLog::builder("auth.example.com/audit")
        .key_file(folder.path().join("audit.key"))
        .open(store.clone())
        .expect("opens");
    for number in 0..20 {
        let event = Event::new(action::AUTH_LOGIN_SUCCEEDED).actor(Actor::user(format!("usr_{number}")));
        log.append(event).expect("recorded");
    }
    log.close(Duration::from_secs(10)).expect("closed");
    let segment = store.segments().expect("listed").remove(0);
    let path = folder.path().join("audit").join(&segment.name);
    let content = fs::read_to_string(&path).expect("a segment");
    fs::write(&path, content.replace("usr_12", "usr\t12")).expect("written");
    let mut tail = Tail::new(&segment, 7);
    tail.bring_up(&store, &segment, 22).expect_err("a line is no JSON");
    // Records 0 and 1 are the log's own.
    assert_eq!(tail.records(), 14);
    for (number, is_known) in [(0, true), (5, true), (11, true), (12, false), (19, false)] {
        let hash = tail.term().of(&Field::ActorId, &format!("usr_{number}"));
        let found = tail.hashed(hash).expect("in memory");
        assert_eq!(found.contains(number + 2), is_known, "record {}", number + 2);
    }
}

/// Its checksums are right, and what it says cannot be.
#[test]
fn a_place_beyond_all_files_is_damage() {
    let file = |header: Header| {
        let mut file = tempfile::tempfile().expect("a file");
        let mut pages = PageWriter::new(&mut file);
        pages.write(&Contents::new(header).to_bytes()).expect("written");
        pages.finish().expect("written");
        file
    };
    let records = 10;
    let header = || Header {
        records,
        ..Header::default()
    };
    assert!(Header::read(&Pages::new(file(header()))).is_ok());
    let places: [fn(&mut Header) -> &mut u64; 4] = [
        |header| &mut header.directory,
        |header| &mut header.entries,
        |header| &mut header.offsets,
        |header| &mut header.zones,
    ];
    for place in places {
        let mut header = header();
        *place(&mut header) = u64::MAX;
        let error = SegmentIndex::open(Pages::new(file(header))).expect_err("damage");
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }
}

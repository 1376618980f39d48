//! Compressed segments: whatever a file holds, it is read or refused in words, and a reader of the log comes to an end.

#![no_main]

use std::fs;

use indelible::store::{LineEnd, Lines};
use indelible::{FileStore, LogReader, Store, Verifier};
use indelible_fuzz::folder;
use libfuzzer_sys::fuzz_target;

const VKEY: &str = "auth.example.com/audit+aace0f41+AZF8w/cAdUtphcBYYuH6PONVS45QiHlj2WD6dU50U2m9";

fuzz_target!(|content: &[u8]| {
    let Some((name, content)) = content.split_first() else {
        return;
    };
    let folder = folder();
    let segments = folder.path().join("segments");
    fs::create_dir(&segments).expect("a folder");
    let ending = if name % 2 == 0 { "jsonl.zst" } else { "jsonl" };
    fs::write(segments.join(format!("{:020}.{ending}", 0)), content).expect("a file");
    let store = FileStore::new(folder.path());
    let segment = store.segments().expect("listed").remove(0);
    for from in [0, 1, 1_000_000] {
        check(store.lines(&segment, from).expect("opened").as_mut());
    }
    let newest = store.newest_checkpoint();
    let _ = LogReader::new(store.clone())
        .records(..)
        .map(|records| records.take(1_000).count());
    let report = Verifier::new(VKEY.parse().expect("a vkey"))
        .threads(1)
        .verify_store(&store);
    assert!(!report.is_ok_and(|report| report.is_sound()) || matches!(newest, Ok(Some(_))));
});

/// At most as many lines as a few bytes can stand for in a test that is to end soon.
fn check(lines: &mut dyn Lines) {
    for number in 1..100_000 {
        let Some(line) = lines.next_line().expect("no error of the disk") else {
            return;
        };
        assert_eq!(line.number, number);
        assert!(!line.bytes.contains(&b'\n') && line.bytes.len() < 1024 * 1024);
        match line.end {
            LineEnd::Whole => {}
            LineEnd::Space | LineEnd::BrokenSpace => assert!(line.bytes.is_empty()),
            LineEnd::Unreadable => assert!(std::str::from_utf8(line.bytes).is_ok_and(|words| !words.is_empty())),
            LineEnd::Torn | LineEnd::TooLong => {}
        }
        if line.end != LineEnd::Whole {
            return assert!(lines.next_line().expect("no error of the disk").is_none());
        }
    }
}

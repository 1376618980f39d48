//! What a crash leaves behind the newest commit is moved away, and shown until it is announced (FORMAT §8).

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;

use crate::error::Cause;
use crate::hash::Hash;
use crate::store::testing::commits::{Kind, Maker};
use crate::store::testing::seen::Seen;
use crate::store::testing::writing::{append, check_head, open};
use crate::store::{FileStore, Moved, Store};

/// A closed log of two commits in one segment, in a folder of its own.
fn log(folder: &Path) -> (FileStore, Maker) {
    let (store, mut maker) = (FileStore::new(folder), Maker::new().expect("a maker"));
    let mut opened = open(&store, &maker).expect("opened");
    append(&mut opened, &maker.commit(&[Kind::Own]).expect("made")).expect("appended");
    append(&mut opened, &maker.commit(&[Kind::Login; 2]).expect("made")).expect("appended");
    opened.writer.close().expect("closed");
    (store, maker)
}

fn leave(folder: &Path, tail: &[u8]) {
    let segment = folder.join("segments/00000000000000000000.jsonl");
    let mut file = OpenOptions::new().append(true).open(segment).expect("a segment");
    file.write_all(tail).expect("written");
}

/// The next commit, which the log that is opened again knows nothing of.
fn next(seed: &Maker) -> (Vec<u8>, String) {
    let mut again = Maker::new().expect("a maker");
    again.commit(&[Kind::Own]).expect("made");
    again.commit(&[Kind::Login; 2]).expect("made");
    assert_eq!(again.tree(), seed.tree());
    let made = again.commit(&[Kind::Login, Kind::Login]).expect("made");
    (made.bytes.clone(), made.checkpoint.as_str().to_owned())
}

#[test]
fn what_a_crash_leaves_is_moved_until_it_is_announced() {
    let folder = tempfile::tempdir().expect("a folder");
    let (whole, note) = next(&log(&folder.path().join("next")).1);
    let first_line = whole.iter().position(|byte| *byte == b'\n').expect("a line") + 1;
    let mut holed = whole.clone();
    holed[10..first_line + 10].fill(0);
    let tails: [(&str, &[u8], Option<&str>); 5] = [
        ("cut within a line", &whole[..first_line - 7], None),
        ("cut within the second line", &whole[..first_line + 7], None),
        ("cut before the last LF", &whole[..whole.len() - 1], Some(&note)),
        ("a page that was not written", &holed, Some(&note)),
        ("zeros behind", &[&whole[..50], &[0; 5000]].concat(), None),
    ];
    for (name, tail, checkpoint) in tails {
        let folder = folder.path().join(name);
        let (store, mut maker) = log(&folder);
        leave(&folder, tail);
        let length = tail.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1);
        let sha256 = Hash::of(&tail[..length]);
        let expected = [Moved {
            bytes: length as u64,
            file: format!("recovered/{:020}-{}", maker.size(), &sha256.to_string()[..16]),
            sha256,
            checkpoint: checkpoint.map(str::to_owned),
        }];
        for _ in 0..2 {
            let opened = open(&store, &maker).expect("opened");
            check_head(opened.head.as_ref(), &maker).expect("the head is as before");
            assert_eq!(opened.moved, expected, "{name}");
        }
        let mut opened = open(&store, &maker).expect("opened");
        append(&mut opened, &maker.commit(&[Kind::Own]).expect("made")).expect("appended");
        opened.writer.moved_is_announced().expect("announced");
        drop(opened);
        assert_eq!(open(&store, &maker).expect("opened").moved, [], "{name}");
        assert_eq!(
            fs::read(folder.join(&expected[0].file)).expect("moved"),
            &tail[..length],
            "{name}"
        );
        Seen::of(&store)
            .expect("sound")
            .check_content(&maker)
            .expect("all is there");
    }
}

#[test]
fn a_log_whose_first_commit_was_never_whole_is_made_anew() {
    let folder = tempfile::tempdir().expect("a folder");
    let segment = "segments/00000000000000000000.jsonl";
    log(&folder.path().join("whole"));
    let whole = fs::read(folder.path().join("whole").join(segment)).expect("a segment");
    let lines: Vec<&[u8]> = whole.split_inclusive(|byte| *byte == b'\n').collect();
    let (header, record, checkpoint) = (lines[0], lines[1], lines[2]);
    let mut other_record = record.to_vec();
    other_record[6] ^= 0x20;
    let cases: [(&str, Vec<u8>, bool); 9] = [
        ("nothing", Vec::new(), true),
        ("zeros", vec![0; 9000], true),
        ("a header alone", header.to_vec(), true),
        ("a part of the header", header[..30].to_vec(), true),
        ("a record without its checkpoint", [header, record].concat(), true),
        (
            "a page that was not written",
            [header, &[0; 512], &record[512..], checkpoint].concat(),
            true,
        ),
        ("no log", b"a text\n".to_vec(), false),
        (
            "a record that is none",
            [header, other_record.as_slice()].concat(),
            false,
        ),
        ("another header", [header, header].concat(), false),
    ];
    for (name, content, opens) in cases {
        let folder = folder.path().join(name);
        fs::create_dir_all(folder.join("segments")).expect("a folder");
        fs::write(folder.join(segment), &content).expect("a segment");
        let (store, mut maker) = (FileStore::new(&folder), Maker::new().expect("a maker"));
        match store.open(&maker.opening(std::time::Duration::ZERO)) {
            Ok(mut opened) => {
                assert!(opens && opened.head.is_none(), "{name}");
                append(&mut opened, &maker.commit(&[Kind::Own]).expect("made")).expect("appended");
                drop(opened);
                Seen::of(&store)
                    .expect("sound")
                    .check_content(&maker)
                    .expect("all is there");
            }
            Err(error) => {
                assert!(
                    !opens && matches!(error.cause(), Cause::Damaged { .. }),
                    "{name}: {error}"
                );
                assert_eq!(fs::read(folder.join(segment)).expect("a segment"), content, "{name}");
            }
        }
    }
}

#[test]
fn what_a_crash_does_not_explain_is_damage_and_stays() {
    let folder = tempfile::tempdir().expect("a folder");
    let (whole, _) = next(&log(&folder.path().join("next")).1);
    let first_line = whole.iter().position(|byte| *byte == b'\n').expect("a line") + 1;
    // Signed by nobody: a signature of another text.
    let unsigned = String::from_utf8_lossy(&whole)
        .replace("conformance\\n5\\n", "conformance\\n6\\n")
        .into_bytes();
    let tails: [(&str, &[u8]); 5] = [
        ("no line of a log", b"a line\n"),
        (
            "two checkpoints",
            &[&unsigned[first_line..], &unsigned[first_line..]].concat(),
        ),
        (
            "a record behind a checkpoint",
            &[&unsigned, &whole[..first_line]].concat(),
        ),
        ("a gap", &whole[first_line..]),
        ("more than a commit", &vec![b'x'; 9 * 1024 * 1024]),
    ];
    for (name, tail) in tails {
        let folder = folder.path().join(name);
        let (store, maker) = log(&folder);
        leave(&folder, tail);
        let segment = folder.join("segments/00000000000000000000.jsonl");
        let before = fs::read(&segment).expect("a segment");
        for _ in 0..2 {
            let error = store.open(&maker.opening(std::time::Duration::ZERO)).expect_err(name);
            assert!(matches!(error.cause(), Cause::Damaged { .. }), "{name}: {error}");
            assert_eq!(fs::read(&segment).expect("a segment"), before, "{name}");
            assert!(!folder.join("recovered").exists(), "{name}");
        }
    }
}

//! Compressed segments: what is read of them, what is refused, and how a log goes on that has some.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use zstd::stream::raw::CParameter;

use super::simulated::{Plan, SimulatedDisk};
use crate::error::Cause;
use crate::event::{Actor, Event, action};
use crate::hash::Hash;
use crate::log::{AuditLog, Receipt};
use crate::reader::LogReader;
use crate::sign::{Signer, SigningKey};
use crate::store::file::compressed::CompressedLines;
use crate::store::file::disk::{Disk, How, RealDisk};
use crate::store::{FileStore, LineEnd, Lines, Segment, Store};

/// What a segment gives: its whole lines with their LF, and how it ends if not with a whole line.
pub(super) fn read(lines: &mut dyn Lines) -> (Vec<u8>, Option<(LineEnd, String)>) {
    let (mut whole, mut number) = (Vec::new(), 0);
    while let Some(raw) = lines.next_line().expect("no error of the disk") {
        number += 1;
        assert_eq!(raw.number, number);
        if raw.end != LineEnd::Whole {
            let end = (raw.end, String::from_utf8_lossy(raw.bytes).into_owned());
            assert!(lines.next_line().expect("no error of the disk").is_none());
            return (whole, Some(end));
        }
        whole.extend_from_slice(raw.bytes);
        whole.push(b'\n');
    }
    (whole, None)
}

/// The same of a file with this content.
fn read_bytes(content: &[u8]) -> (Vec<u8>, Option<(LineEnd, String)>) {
    let disk = SimulatedDisk::new();
    let path = Path::new("segment");
    let file = disk.open(path, How::Create).expect("a file");
    file.write_all_at(content, 0).expect("written");
    read(&mut CompressedLines::open(&disk, path).expect("a decoder"))
}

fn unreadable(content: &[u8]) -> String {
    match read_bytes(content) {
        (_, Some((LineEnd::Unreadable, problem))) => problem,
        (_, other) => panic!("it is read, up to {other:?}"),
    }
}

pub(super) fn compress(content: &[u8]) -> Vec<u8> {
    zstd::stream::encode_all(content, 3).expect("compressed")
}

fn vector(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/vectors/format-1")
        .join(name)
        .join("log")
}

fn first_lines(log: PathBuf) -> (Vec<u8>, Option<(LineEnd, String)>) {
    let store = FileStore::new(log);
    let segment = store.segments().expect("listed").remove(0);
    read(store.lines(&segment, 5).expect("opened").as_mut())
}

#[test]
fn vectors_are_read() {
    let sound = fs::read(vector("sound").join("segments/00000000000000000000.jsonl")).expect("a vector");
    assert_eq!(first_lines(vector("sound-compressed")), (sound.clone(), None));
    // Of the plain one beside, lines from record 5 on are read: some of its beginning may be skipped.
    let (both, end) = first_lines(vector("sound-both-spellings"));
    assert!(sound.ends_with(&both) && end.is_none());
    let (none, end) = first_lines(vector("zstd-skippable-frame"));
    assert!(none.is_empty());
    assert_eq!(
        end,
        Some((LineEnd::Unreadable, "near byte 0: a skippable frame".into()))
    );
}

#[test]
fn a_segment_is_one_or_more_frames_and_nothing_else() {
    let (one, two) = (compress(b"{}\n{\"a"), compress(b"\":1}\n"));
    let both = [one.clone(), compress(b""), two.clone()].concat();
    assert_eq!(read_bytes(&both), (b"{}\n{\"a\":1}\n".to_vec(), None));
    assert_eq!(
        read_bytes(&one),
        (b"{}\n".to_vec(), Some((LineEnd::Torn, "{\"a".into())))
    );
    assert_eq!(unreadable(b""), "near byte 0: it is no zstd frame");
    assert_eq!(unreadable(b"{}\n"), "near byte 0: it is no zstd frame");
    let place = two.len();
    assert_eq!(
        unreadable(&[two.clone(), b"\0".to_vec()].concat()),
        format!("near byte {place}: it is no zstd frame")
    );
    let skippable = [0x5f, 0x2a, 0x4d, 0x18, 0, 0, 0, 0];
    assert_eq!(
        unreadable(&[two, skippable.to_vec()].concat()),
        format!("near byte {place}: a skippable frame")
    );
}

#[test]
fn a_window_beyond_8_mib_and_a_dictionary_are_refused() {
    let content = vec![b'a'; 9 * 1024 * 1024];
    let with_window = |log: u32, content: &[u8]| {
        let mut encoder = zstd::stream::Encoder::new(Vec::new(), 1).expect("an encoder");
        encoder
            .set_parameter(CParameter::WindowLog(log))
            .expect("a window of that size");
        std::io::Write::write_all(&mut encoder, content).expect("compressed");
        encoder.finish().expect("compressed")
    };
    // A content of one line: too long, but the window is right.
    assert_eq!(
        read_bytes(&with_window(23, &content)).1.expect("an end").0,
        LineEnd::TooLong
    );
    let problem = unreadable(&with_window(24, &content));
    assert_eq!(
        problem,
        "near byte 0: a frame with a window of 16777216 bytes, at most 8388608"
    );
    // A decoder would take this one: its content is small.
    assert!(unreadable(&with_window(24, b"{}\n")).contains("a window of 16777216 bytes"));
    // One segment: the window is the content.
    let single = zstd::bulk::compress(&content, 1).expect("compressed");
    assert!(matches!(
        read_bytes(&single).1,
        Some((LineEnd::TooLong | LineEnd::Unreadable, _))
    ));

    let mut frame = compress(b"{}\n");
    assert_eq!(frame[4] & 3, 0, "no dictionary");
    frame[4] |= 1;
    frame.insert(6, 7);
    assert_eq!(unreadable(&frame), "near byte 0: a frame with the dictionary 7");
    frame[6] = 0;
    assert_eq!(read_bytes(&frame), (b"{}\n".to_vec(), None), "0 stands for none");
}

#[test]
fn broken_files_are_refused_and_never_panic() {
    let folder = vector("sound-compressed").join("segments");
    let content = fs::read(folder.join("00000000000000000000.jsonl.zst")).expect("a vector");
    let (whole, _) = read_bytes(&content);
    for length in 0..content.len() {
        unreadable(&content[..length]);
    }
    for at in 0..content.len() {
        let mut changed = content.clone();
        changed[at] ^= 1 << (at % 8);
        let (lines, end) = read_bytes(&changed);
        // Bits of a frame's header can say the same in another way; what the frame holds has a checksum.
        assert!(end.is_some() || lines == whole, "byte {at}");
    }
}

#[test]
fn a_bomb_takes_bounded_memory_and_ends_with_the_first_line_that_is_too_long() {
    let mut encoder = zstd::stream::Encoder::new(Vec::new(), 1).expect("an encoder");
    for _ in 0..1024 {
        std::io::Write::write_all(&mut encoder, &[b'a'; 1024 * 1024]).expect("compressed");
    }
    let bomb = encoder.finish().expect("compressed");
    assert!(bomb.len() < 200_000);
    let (lines, end) = read_bytes(&bomb);
    assert!(lines.is_empty());
    assert_eq!(end.expect("an end").0, LineEnd::TooLong);
}

#[test]
fn a_bomb_of_short_lines_ends_soon_and_a_segment_of_the_shortest_lines_is_read_whole() {
    let bomb = |line: &str| {
        let many = line.repeat(1024 * 1024 / line.len());
        let mut encoder = zstd::stream::Encoder::new(Vec::new(), 1).expect("an encoder");
        (0..256).for_each(|_| std::io::Write::write_all(&mut encoder, many.as_bytes()).expect("compressed"));
        encoder.finish().expect("compressed")
    };
    let erased = |seq: u64| {
        let mut line = Vec::new();
        crate::record::write_erased(&mut line, &Hash::of(&seq.to_le_bytes()), seq);
        line.push(b'\n');
        line
    };
    for line in ["\n", &String::from_utf8(erased(7)).expect("text")] {
        let bomb = bomb(line);
        assert!(bomb.len() < 100_000, "{}", bomb.len());
        let (lines, end) = read_bytes(&bomb);
        let (end, problem) = end.expect("an end");
        assert_eq!(end, LineEnd::Unreadable, "{problem}");
        assert!(problem.contains("more lines than"), "{problem}");
        assert!(lines.len() / line.len() < 100_000, "{}", lines.len());
    }
    // Nothing shorter stands in a segment than an erased record.
    let shortest: Vec<u8> = (0..200_000).flat_map(erased).collect();
    let (lines, end) = read_bytes(&compress(&shortest));
    assert!(lines == shortest && end.is_none(), "{end:?}");
}

pub(super) fn key() -> Arc<SigningKey> {
    Arc::new(SigningKey::from_seed("auth.example.com/audit".parse().expect("an origin"), &[7; 32]).expect("a key"))
}

pub(super) fn other_key() -> Arc<SigningKey> {
    Arc::new(SigningKey::from_seed("auth.example.com/audit".parse().expect("an origin"), &[8; 32]).expect("a key"))
}

pub(super) fn open(store: &FileStore, key: &Arc<SigningKey>) -> crate::Result<AuditLog> {
    AuditLog::builder("auth.example.com/audit")
        .signer(Arc::clone(key))
        .without_checkpoint_file()
        .open(store.clone())
}

pub(super) fn event(round: usize) -> Event {
    Event::new(action::AUTH_LOGIN_SUCCEEDED)
        .actor(Actor::user(format!("usr_{round}")).email(format!("user{round}@example.com")))
}

/// Puts a compressed segment in the place of a plain one.
fn compress_segment(disk: &dyn Disk, folder: &Path, segment: &Segment) {
    let plain = folder.join(&segment.name);
    let compressed = plain.with_extension("jsonl.zst");
    let file = disk.open(&plain, How::Read).expect("a segment");
    let mut content = vec![0; usize::try_from(file.size().expect("a size")).expect("small")];
    assert_eq!(file.read_at(&mut content, 0).expect("read"), content.len());
    let file = disk.open(&compressed, How::Create).expect("made");
    file.write_all_at(&compress(&content), 0).expect("written");
    file.sync().expect("synced");
    disk.remove(&plain).expect("removed");
    disk.sync_folder(&folder.join("segments")).expect("synced");
}

/// A log of several segments with a rotation in one of the first, closed, with all segments compressed for which
/// `which` says so.
pub(super) fn log_with(
    disk: &dyn Disk,
    store: &FileStore,
    folder: &Path,
    which: impl Fn(usize, usize) -> bool,
) -> Vec<Receipt> {
    let log = open(store, &key()).expect("opened");
    let mut receipts: Vec<Receipt> = (0..4)
        .map(|round| log.append(event(round)).expect("recorded"))
        .collect();
    receipts.push(log.rotate_key(other_key()).expect("rotated"));
    receipts.extend((4..20).map(|round| log.append(event(round)).expect("recorded")));
    log.close(Duration::from_secs(10)).expect("closed");
    let segments = store.segments().expect("listed");
    assert!(segments.len() > 4);
    for (index, segment) in segments.iter().enumerate() {
        if which(index, segments.len()) {
            compress_segment(disk, folder, segment);
        }
    }
    receipts
}

pub(super) fn check(store: &FileStore, receipts: &[Receipt], first: u64) {
    let reader = LogReader::new(store.clone());
    for receipt in receipts.iter().filter(|receipt| receipt.seq >= first) {
        let record = reader.record(receipt.seq).expect("there");
        assert_eq!(record.hash(), receipt.hash);
        let proof = reader.prove(receipt.seq).expect("proven");
        proof.verify(receipt.hash, other_key().vkey()).expect("it verifies");
    }
    for record in reader.records(..).expect("readable") {
        record.expect("readable");
    }
}

#[test]
fn a_log_goes_on_whichever_segments_are_compressed() {
    type Which = fn(usize, usize) -> bool;
    let all: [Which; 4] = [
        |_, _| true,
        |index, count| index + 1 == count,
        |index, count| index + 2 == count,
        |index, _| index == 0,
    ];
    for which in all {
        let folder = tempfile::tempdir().expect("a folder");
        let store = FileStore::new(folder.path()).segment_size(3 * 1024);
        let mut receipts = log_with(&RealDisk, &store, folder.path(), which);
        check(&store, &receipts, 0);
        let newest = store.newest_checkpoint().expect("readable").expect("there");
        let log = open(&store, &other_key()).expect("opened");
        assert_eq!(
            log.reader()
                .record(newest.checkpoint().size())
                .expect("there")
                .action()
                .as_deref(),
            Some("audit_log.started")
        );
        receipts.push(log.append(event(100)).expect("recorded"));
        log.erase_personal_data([0..=7], "requested").expect("erased");
        log.erase_records([3..=4], "retention").expect("erased");
        log.close(Duration::from_secs(10)).expect("closed");
        check(&store, &receipts, 0);
        let reader = LogReader::new(store.clone());
        assert!(reader.record(3).expect("there").is_erased());
        assert!(reader.record(7).expect("there").personal_json().is_none());

        let log = open(&store, &other_key()).expect("opened");
        let first = log.purge(12).expect("purged");
        assert!(first > receipts[4].seq, "the rotation is purged");
        log.close(Duration::from_secs(10)).expect("closed");
        check(&store, &receipts, first);
        let kept = store.kept_rotations().expect("readable");
        assert_eq!(kept.len(), 1);
        assert!(kept[0].name.ends_with(&format!("{:020}", receipts[4].seq)));
    }
}

#[test]
fn an_interrupted_rotation_of_segments_opens() {
    // The last segment has a header alone, and the one before it is compressed: as after a crash between the two.
    let folder = tempfile::tempdir().expect("a folder");
    let store = FileStore::new(folder.path()).segment_size(3 * 1024);
    let receipts = log_with(&RealDisk, &store, folder.path(), |_, _| false);
    let segments = store.segments().expect("listed");
    let [.., before, last] = segments.as_slice() else {
        panic!("segments")
    };
    compress_segment(&RealDisk, folder.path(), before);
    let last_path = folder.path().join(&last.name);
    let content = fs::read_to_string(&last_path).expect("a segment");
    let header = content.split_inclusive('\n').next().expect("a header");
    for compressed in [false, true] {
        fs::write(&last_path, header).expect("cut");
        if compressed {
            compress_segment(&RealDisk, folder.path(), last);
        }
        let log = open(&store, &other_key()).expect("opened");
        log.append(event(100)).expect("recorded");
        log.close(Duration::from_secs(10)).expect("closed");
        let kept: Vec<Receipt> = receipts
            .iter()
            .filter(|receipt| receipt.seq < last.first)
            .copied()
            .collect();
        check(&store, &kept, 0);
        for segment in store.segments().expect("listed") {
            if segment.first >= last.first {
                fs::remove_file(folder.path().join(&segment.name)).expect("removed");
            }
        }
    }
}

#[test]
fn a_broken_compressed_segment_is_damage() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = FileStore::new(folder.path()).segment_size(3 * 1024);
    log_with(&RealDisk, &store, folder.path(), |index, count| {
        index == 0 || index + 1 == count
    });
    let segments = store.segments().expect("listed");
    let (first, last) = (&segments[0], &segments[segments.len() - 1]);
    let damage = |segment: &Segment, change: fn(&mut Vec<u8>)| {
        let path = folder.path().join(&segment.name);
        let content = fs::read(&path).expect("a segment");
        let mut changed = content.clone();
        change(&mut changed);
        fs::write(&path, changed).expect("changed");
        move || fs::write(&path, &content).expect("as before")
    };

    let mend = damage(last, |content| content.truncate(content.len() - 2));
    let error = open(&store, &other_key()).expect_err("damage");
    assert!(
        matches!(error.cause(), Cause::Damaged { problem, .. } if problem.contains("cut off")),
        "{error}"
    );
    let error = store.newest_checkpoint().expect_err("damage");
    assert!(matches!(error.cause(), Cause::Damaged { .. }), "{error}");
    mend();
    let mend = damage(last, |content| content.extend(compress(b"{\"erased\"")));
    let error = open(&store, &other_key()).expect_err("damage");
    assert!(
        matches!(error.cause(), Cause::Damaged { problem, .. } if problem.contains("goes on")),
        "{error}"
    );
    mend();

    let mend = damage(first, |content| content.truncate(content.len() - 2));
    let log = open(&store, &other_key()).expect("opened");
    let error = log.erase_personal_data([0..=1], "requested").expect_err("damage");
    assert!(
        matches!(error.cause(), Cause::Damaged { problem, .. } if problem.contains("cut off")),
        "{error}"
    );
    let error = log.purge(12).expect_err("its rotations cannot be kept");
    assert!(matches!(error.cause(), Cause::Damaged { .. }), "{error}");
    assert_eq!(store.segments().expect("listed")[0], *first, "nothing is removed");
    mend();
    log.close(Duration::from_secs(10)).expect("closed");
}

/// Erases and purges in a log whose segments are compressed, up to where it fails.
fn erase_and_purge(disk: &SimulatedDisk) {
    let Ok(log) = open(&simulated(disk), &other_key()) else {
        return;
    };
    let _ = log.erase_personal_data([0..=7], "requested");
    let _ = log.erase_records([9..=10], "retention");
    let _ = log.purge(9);
    let _ = log.close(Duration::from_secs(10));
}

fn simulated(disk: &SimulatedDisk) -> FileStore {
    FileStore::on_disk(Arc::new(disk.clone()), "audit").segment_size(3 * 1024)
}

#[test]
fn power_lost_at_every_step_of_an_erasure_in_compressed_segments() {
    let begin = || {
        let disk = SimulatedDisk::new();
        let receipts = log_with(&disk, &simulated(&disk), Path::new("audit"), |_, _| true);
        (disk, receipts)
    };
    let (disk, _) = begin();
    let before = disk.calls();
    erase_and_purge(&disk);
    for at in before..disk.calls() {
        for kept in [false, true] {
            let (disk, receipts) = begin();
            disk.plan(Plan::StopAt(at));
            erase_and_purge(&disk);
            let after = disk.after_power_loss(|| kept);
            let store = simulated(&after);
            let log = open(&store, &other_key()).unwrap_or_else(|error| panic!("call {at}: {error}"));
            log.append(event(100)).expect("recorded");
            log.close(Duration::from_secs(10)).expect("closed");
            let first = store.segments().expect("listed")[0].first;
            check(&store, &receipts, first);
        }
    }
}

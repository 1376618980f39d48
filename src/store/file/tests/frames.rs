//! Frames: lines are packed and read back, one record is found without unpacking the rest, and nothing that stands in
//! a file makes the search go wrong.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;
use zstd::zstd_safe::{find_frame_compressed_size, get_dict_id_from_frame, get_frame_content_size};

use super::compressed::{compress, read};
use super::simulated::SimulatedDisk;
use crate::hash::Hash;
use crate::record::{LINE_MAX, Line, write_checkpoint, write_erased};
use crate::store::file::compressed::{CompressedLines, Packer};
use crate::store::file::disk::{Disk, DiskFile, How, Lock};
use crate::store::{LineEnd, Lines};

fn pack(lines: &[Vec<u8>]) -> Vec<u8> {
    let (mut packer, mut out) = (Packer::new().expect("a packer"), Vec::new());
    for line in lines {
        packer.add(line, &mut out).expect("packed");
    }
    packer.end(&mut out).expect("packed");
    out
}

fn disk_with(content: &[u8]) -> SimulatedDisk {
    let disk = SimulatedDisk::new();
    let file = disk.open(Path::new(FILE), How::Create).expect("a file");
    file.write_all_at(content, 0).expect("written");
    disk
}

/// The line of an erased record, with its LF: the shortest that says a `seq`. Its hash does not compress.
fn erased(seq: u64) -> Vec<u8> {
    let mut line = Vec::new();
    write_erased(&mut line, &Hash::of(&seq.to_be_bytes()), seq);
    assert_eq!(line.last(), Some(&b'\n'));
    line
}

fn checkpoint() -> Vec<u8> {
    let mut line = Vec::new();
    write_checkpoint(&mut line, "a note");
    line
}

/// The lines from near a record on, up to the first that says a `seq`: which one.
fn first_seq(disk: &dyn Disk, from: u64) -> Option<u64> {
    let mut lines = CompressedLines::open_near(disk, Path::new(FILE), from).expect("opened");
    while let Some(raw) = lines.next_line().expect("no error of the disk") {
        if raw.end != LineEnd::Whole {
            return None;
        }
        if let Some(seq) = Line::parse(raw.bytes).ok().and_then(|line| line.seq()) {
            return Some(seq);
        }
    }
    None
}

/// A line of so many bytes with its LF, which begins with its number and compresses as badly as hashes do.
fn any_line(number: usize, length: usize) -> Vec<u8> {
    let mut line = format!("{number} ").into_bytes();
    while line.len() < length {
        line.extend_from_slice(&Hash::of(&[number.to_be_bytes(), line.len().to_be_bytes()].concat()).to_hex());
    }
    line.truncate(length);
    line.push(b'\n');
    line
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn what_is_packed_is_read_back_in_frames_that_begin_with_lines(
        lengths in prop::collection::vec(prop_oneof![0..2_000_usize, 0..LINE_MAX, Just(LINE_MAX)], 0..24),
    ) {
        let lines: Vec<Vec<u8>> = lengths.iter().enumerate().map(|(number, length)| any_line(number, *length)).collect();
        let packed = pack(&lines);
        let mut rest = packed.as_slice();
        let mut content = Vec::new();
        while !rest.is_empty() {
            let length = find_frame_compressed_size(rest).expect("a frame");
            let (frame, after) = rest.split_at(length);
            let size = get_frame_content_size(frame).expect("a header").expect("its content's size");
            prop_assert_eq!(get_dict_id_from_frame(frame), None);
            prop_assert!(frame[4] & 4 != 0, "a checksum");
            let unpacked = zstd::bulk::decompress(frame, LINE_MAX + 1).expect("a frame");
            prop_assert_eq!(unpacked.len() as u64, size);
            prop_assert!(unpacked.len() <= 128 * 1024 || !unpacked[..unpacked.len() - 1].contains(&b'\n'));
            prop_assert_eq!(unpacked.last(), Some(&b'\n'));
            content.extend_from_slice(&unpacked);
            rest = after;
        }
        prop_assert!(content == lines.concat());
        if !packed.is_empty() {
            let mut unpacked = CompressedLines::open(&disk_with(&packed), Path::new(FILE)).expect("opened");
            let (read, end) = read(&mut unpacked);
            prop_assert!(read == content && end.is_none());
        }
    }

    #[test]
    fn lines_near_a_record_begin_not_after_it(
        first in 0..1_000_000_u64,
        count in 1..4_000_u64,
        commit in 1..400_u64,
        froms in prop::collection::vec(any::<prop::sample::Index>(), 8),
    ) {
        let mut lines = vec![b"{\"segment\":{\"first\":0,\"format\":1,\"origin\":\"o\",\"peaks\":[]}}\n".to_vec()];
        for seq in first..first + count {
            lines.push(erased(seq));
            if (seq + 1) % commit == 0 {
                lines.push(checkpoint());
            }
        }
        let disk = disk_with(&pack(&lines));
        let froms = froms.iter().map(|from| first + from.index(usize::try_from(count).expect("few")) as u64);
        for from in froms.chain([first, first + count - 1, u64::MAX]) {
            let found = first_seq(&disk, from);
            let frame = 128 * 1024 / erased(first).len() as u64 + 1;
            let nearest = from.min(first + count - 1);
            prop_assert!(found.is_some_and(|seq| seq <= from && seq + frame > nearest), "{from}: {found:?}");
        }
    }
}

#[test]
fn a_record_near_the_end_of_a_large_segment_is_read_in_a_small_part_of_the_file() {
    let records = 250_000;
    let packed = pack(&(0..records).map(erased).collect::<Vec<_>>());
    assert!(packed.len() > 8_000_000, "{}", packed.len());
    let disk = CountingDisk {
        disk: disk_with(&packed),
        read: Arc::default(),
    };
    for seq in [records - 10, records / 2, 1] {
        disk.read.store(0, Ordering::SeqCst);
        let mut lines = CompressedLines::open_near(&disk, Path::new(FILE), seq).expect("opened");
        loop {
            let raw = lines.next_line().expect("read").expect("a line");
            if Line::parse(raw.bytes).expect("a line").seq() == Some(seq) {
                break;
            }
        }
        // A frame or two of 70 kB for each step of the search, and one for the record.
        let read = disk.read.load(Ordering::SeqCst);
        assert!(read < 800_000, "{read} of {} bytes", packed.len());
    }
}

#[test]
fn frames_that_do_not_begin_with_lines_are_read_from_the_last_that_does() {
    // Of a compressor that knows nothing of lines.
    let content = (0..100).map(erased).collect::<Vec<_>>().concat();
    let packed: Vec<u8> = content.chunks(101).flat_map(compress).collect();
    let disk = disk_with(&packed);
    for from in 0..100 {
        let found = first_seq(&disk, from);
        assert!(found.is_some_and(|seq| seq <= from), "{from}: {found:?}");
    }
    // What looks like a line within another one is none.
    let content = b"{\"erased\":\"x{\"erased\":\"y\",\"seq\":7}\n".to_vec();
    let packed = [compress(&content[..12]), compress(&content[12..])].concat();
    let (lines, _) = read(&mut CompressedLines::open_near(&disk_with(&packed), Path::new(FILE), 7).expect("opened"));
    assert_eq!(lines, content);
}

/// A small file of many frames and blocks.
fn small() -> Vec<u8> {
    let lines: Vec<Vec<u8>> = (0..24).map(erased).collect();
    let mut packed: Vec<u8> = lines.chunks(3).flat_map(pack).collect();
    // One of several blocks, without size or checksum.
    packed.extend([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58]);
    for (seq, last) in [(24, 0), (25, 0), (26, 1)] {
        let line = erased(seq);
        let header = u32::try_from(line.len()).expect("short") << 3 | last;
        packed.extend(&header.to_le_bytes()[..3]);
        packed.extend(line);
    }
    packed.extend(pack(&[erased(27)]));
    packed
}

#[test]
fn a_file_that_is_garbled_or_cut_anywhere_never_panics_and_begins_not_after_the_record() {
    let content = small();
    for from in 0..28 {
        let found = first_seq(&disk_with(&content), from).expect("a record");
        assert!(found <= from && found + 3 > from, "{from}: {found}");
    }
    let first_frame = find_frame_compressed_size(&content).expect("a frame");
    let check = |changed: &[u8], at: usize| {
        for from in [1, 13, 27, u64::MAX] {
            let disk = disk_with(changed);
            let found = first_seq(&disk, from);
            assert!(found.is_none_or(|seq| seq <= from));
            // What stands before the first frame that is broken is found.
            assert!(found.is_some() || at < first_frame || from > 1, "byte {at}");
            let mut lines = CompressedLines::open_near(&disk, Path::new(FILE), from).expect("opened");
            read(&mut lines);
        }
    };
    for length in 0..content.len() {
        check(&content[..length], length);
    }
    for at in 0..content.len() {
        for byte in [content[at] ^ 1, content[at] ^ 0x80, 0, 0xff] {
            let mut changed = content.clone();
            changed[at] = byte;
            check(&changed, at);
        }
    }
}

#[test]
fn a_file_of_nothing_but_headers_ends_soon() {
    let frame = compress(b"");
    let line = compress(&erased(0));
    let empty_frames = [line.clone(), frame.repeat(400_000)].concat();
    // A frame that never ends, of blocks that hold nothing.
    let mut empty_blocks = [line.clone(), vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58]].concat();
    empty_blocks.resize(3_000_000, 0);
    // Blocks that hold one byte many times over, without end.
    let mut repeated = [line.clone(), vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58]].concat();
    repeated.extend([2, 0, 16, b'a'].repeat(500_000));
    // It says that its content is as long as can be said.
    let huge = [line, vec![0x28, 0xb5, 0x2f, 0xfd, 0xc0, 0x58], vec![0xff; 64]].concat();
    for content in [empty_frames, empty_blocks, repeated, huge] {
        let disk = disk_with(&content);
        let began = std::time::Instant::now();
        for from in [1, u64::MAX] {
            assert_eq!(first_seq(&disk, from), Some(0));
            read(&mut CompressedLines::open_near(&disk, Path::new(FILE), from).expect("opened"));
        }
        assert!(began.elapsed().as_secs() < 20, "{:?}", began.elapsed());
    }
}

/// A disk that counts the bytes that are read.
#[derive(Debug)]
struct CountingDisk {
    disk: SimulatedDisk,
    read: Arc<AtomicU64>,
}

impl Disk for CountingDisk {
    fn open(&self, path: &Path, how: How) -> io::Result<Box<dyn DiskFile>> {
        let file = self.disk.open(path, how)?;
        let read = Arc::clone(&self.read);
        Ok(Box::new(CountingFile { file, read }))
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        self.disk.list(folder)
    }

    fn is_folder(&self, path: &Path) -> bool {
        self.disk.is_folder(path)
    }

    fn create_folder(&self, folder: &Path) -> io::Result<()> {
        self.disk.create_folder(folder)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.disk.remove(path)
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        self.disk.sync_folder(folder)
    }

    fn lock(&self, path: &Path) -> io::Result<Result<Box<dyn Lock>, Option<u32>>> {
        self.disk.lock(path)
    }

    fn is_locked(&self, path: &Path) -> io::Result<bool> {
        self.disk.is_locked(path)
    }
}

#[derive(Debug)]
struct CountingFile {
    file: Box<dyn DiskFile>,
    read: Arc<AtomicU64>,
}

impl DiskFile for CountingFile {
    fn size(&self) -> io::Result<u64> {
        self.file.size()
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let count = self.file.read_at(buffer, offset)?;
        self.read.fetch_add(count as u64, Ordering::SeqCst);
        Ok(count)
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.file.write_all_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync()
    }

    fn set_size(&self, size: u64) -> io::Result<()> {
        self.file.set_size(size)
    }
}

const FILE: &str = "segment";

//! Verification of everything, beside the hashing that the format demands and beside strict signature checks; on two
//! threads; and its memory.

use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use indelible::hash::{self, Hash};
use indelible::merkle::Tree;
use indelible::{Actor, AuditLog, Builder, Event, FileStore, Signer, SigningKey, Verifier, VerifierKey, action};
use indelible_benches::arguments::Arguments;
use indelible_benches::events::{Logins, ORIGIN};
use indelible_benches::folder::Folder;
use indelible_benches::rounds::{Round, Rounds};
use indelible_benches::table::{Table, Target, count, figure, ratio};
use indelible_benches::{child, ours};

fn main() {
    if child::name().as_deref() == Some("verify") {
        return verify_alone();
    }
    let arguments = Arguments::read();
    let columns = [
        "log",
        "records a commit",
        "what",
        "ns a record",
        "beside",
        "ns a record",
        "ratio",
        "spread",
    ];
    let mut table = Table::new(&columns);
    if arguments.wants("many") {
        many_a_commit(&arguments, &mut table);
    }
    if arguments.wants("one") {
        one_a_commit(&arguments, &mut table);
    }
    table.print(
        "Verification of everything (files in the page cache; with many records a commit in segments of 16 MiB)",
    );
    if arguments.wants("memory") {
        memory(&arguments);
    }
}

fn many_a_commit(arguments: &Arguments, table: &mut Table) {
    let folder = Folder::new("verify-many");
    let records = arguments.count(100_000, 600_000);
    let logins = Logins::new();
    let log = builder(&folder)
        .open(FileStore::new(folder.join("log")).segment_size(SEGMENT_SIZE))
        .expect("open");
    ours::fill(&log, records, |number| logins.get(number as usize).event());
    let (vkey, batch) = end(&log);
    let lines = Lines::read(&folder.join("log"));
    let path = folder.join("log");
    let mut one = || verify(&path, &vkey, 1, records);
    let mut hashing = || lines.hash();
    let mut two = || verify(&path, &vkey, 2, records);
    let rounds = Rounds::of(arguments.rounds(7), &mut [&mut one, &mut hashing, &mut two]);
    let nanos = |contestant| count(1e9 / rounds.median(contestant, |round| round.rate));
    let time = |round: &Round| 1.0 / round.rate;
    table.row([
        count(records as f64),
        count(batch),
        "1 thread".into(),
        nanos(0),
        "hashing alone".into(),
        nanos(1),
        ratio(rounds.ratio(1, time), Target::AtMost(2.0)),
        rounds.spread(1, time),
    ]);
    table.row([
        count(records as f64),
        count(batch),
        "1 thread".into(),
        nanos(0),
        "2 threads".into(),
        nanos(2),
        ratio(rounds.ratio(2, time), Target::AtLeast(1.9)),
        rounds.spread(2, time),
    ]);
}

fn one_a_commit(arguments: &Arguments, table: &mut Table) {
    let folder = Folder::new("verify-one");
    let records = arguments.count(3000, 20_000);
    let logins = Logins::new();
    let log = ours::open(&folder, "log");
    for number in 0..records {
        log.append(logins.get(number as usize).event()).expect("append");
    }
    let (vkey, batch) = end(&log);
    let path = folder.join("log");
    let mut one = || verify(&path, &vkey, 1, records);
    let mut signatures = || signatures(records);
    let rounds = Rounds::of(arguments.rounds(7), &mut [&mut one, &mut signatures]);
    let nanos = |contestant| count(1e9 / rounds.median(contestant, |round| round.rate));
    let time = |round: &Round| 1.0 / round.rate;
    table.row([
        count(records as f64),
        count(batch),
        "1 thread".into(),
        nanos(0),
        "strict signature checks".into(),
        nanos(1),
        ratio(rounds.ratio(1, time), Target::AtMost(1.2)),
        rounds.spread(1, time),
    ]);
}

fn builder(folder: &Folder) -> Builder {
    AuditLog::builder(ORIGIN).key_file(folder.join("key"))
}

/// Closes the log and gives its vkey and how many records its commits had.
fn end(log: &AuditLog) -> (VerifierKey, f64) {
    let (vkey, state) = (log.vkey(), log.state());
    ours::close(log);
    (vkey, state.records as f64 / state.commits as f64)
}

fn verify(path: &Path, vkey: &VerifierKey, threads: usize, records: u64) -> Round {
    timed(records, || {
        let report = Verifier::new(vkey.clone())
            .threads(threads)
            .verify_dir(path)
            .expect("verify");
        assert!(report.is_sound(), "{report}");
    })
}

/// One check of a signature under a note's text, for each record.
fn signatures(records: u64) -> Round {
    let key = SigningKey::generate(ORIGIN.parse().expect("an origin")).expect("a key");
    let text = format!("{ORIGIN}\n123456\n{}=\n", "A".repeat(43));
    let signature = key.sign(text.as_bytes()).expect("a signature");
    timed(records, || {
        for _ in 0..records {
            assert!(black_box(key.vkey()).verify(black_box(text.as_bytes()), &signature));
        }
    })
}

fn timed(records: u64, work: impl FnOnce()) -> Round {
    let began = Instant::now();
    work();
    Round {
        rate: records as f64 / began.elapsed().as_secs_f64(),
        ..Round::default()
    }
}

/// The records of a log in memory, taken apart: what is hashed, and nothing else to do.
struct Lines {
    /// For each record: the bytes before `personal`, those of `personal`, and those after.
    parts: Vec<[Vec<u8>; 3]>,
}

impl Lines {
    fn read(log: &Path) -> Self {
        let segments = fs::read_dir(log.join("segments")).expect("the segments");
        let mut paths: Vec<_> = segments.map(|entry| entry.expect("a segment").path()).collect();
        paths.sort();
        let mut parts = Vec::new();
        for path in paths {
            let content = fs::read(&path).expect("a segment");
            let records = content
                .split(|byte| *byte == b'\n')
                .filter(|line| line.starts_with(b"{\"event\":"));
            parts.extend(records.map(take_apart));
        }
        Self { parts }
    }

    /// The digest of `personal`, the leaf and the nodes, one after the other.
    fn hash(&self) -> Round {
        timed(self.parts.len() as u64, || {
            let (mut tree, mut form) = (Tree::new(), Vec::new());
            for [before, personal, after] in &self.parts {
                form.clear();
                form.extend_from_slice(before);
                form.push(b'"');
                let mut digits = [0; 64];
                hex::encode_to_slice(Hash::of(personal).as_bytes(), &mut digits).expect("64 digits");
                form.extend_from_slice(&digits);
                form.push(b'"');
                form.extend_from_slice(after);
                tree.push(hash::leaf(&form));
            }
            black_box(tree.root());
        })
    }
}

fn take_apart(line: &[u8]) -> [Vec<u8>; 3] {
    let find = |text: &[u8], from: usize| {
        let found = line[from..].windows(text.len()).position(|window| window == text);
        from + found.expect("a record of this log")
    };
    let name = b",\"personal\":";
    let start = find(name, 0) + name.len();
    let end = find(b",\"prev\":\"", start);
    [line[..start].to_vec(), line[start..end].to_vec(), line[end..].to_vec()]
}

fn memory(arguments: &Arguments) {
    let folder = Folder::new("verify-memory");
    let records = arguments.count(200_000, 10_000_000);
    let log = ours::open(&folder, "log");
    let event = |_| Event::new(action::AUTH_LOGIN_SUCCEEDED).actor(Actor::user("usr_1"));
    ours::fill(&log, records, event);
    let (vkey, _) = end(&log);
    let path = folder.join("log").display().to_string();
    let output = child::start("verify", &[&path, &vkey.to_string()])
        .wait_with_output()
        .expect("the child");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut figures = text
        .split_whitespace()
        .map(|figure| figure.parse::<f64>().expect("a figure"));
    let (bytes, seconds) = (figures.next().expect("bytes"), figures.next().expect("seconds"));
    let mut table = Table::new(&["records", "seconds", "peak memory", "target"]);
    let mebibytes = bytes / 1024.0 / 1024.0;
    let target = figure(mebibytes, "MiB", Target::AtMost(24.0));
    table.row([
        count(records as f64),
        format!("{seconds:.1}"),
        format!("{mebibytes:.1} MiB"),
        target,
    ]);
    table.print("Memory of a process that verifies (VmHWM; small events, all threads)");
}

/// The child: verifies and says its peak memory and the time.
fn verify_alone() {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().expect("a log");
    let vkey: VerifierKey = arguments.next().and_then(|vkey| vkey.parse().ok()).expect("a vkey");
    let began = Instant::now();
    let report = Verifier::new(vkey).verify_dir(path).expect("verify");
    assert!(report.is_sound(), "{report}");
    println!(
        "{} {}",
        child::peak_memory().unwrap_or(0),
        began.elapsed().as_secs_f64()
    );
}

/// Enough segments that two threads have as much to do.
const SEGMENT_SIZE: u64 = 16 * 1024 * 1024;

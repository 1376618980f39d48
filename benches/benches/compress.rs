//! Compressing sealed segments: bytes an event, time, and what reading and verification take then.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use indelible::store::Compressed;
use indelible::{AuditLog, LogReader, Verifier, VerifierKey};
use indelible_benches::arguments::Arguments;
use indelible_benches::events::Logins;
use indelible_benches::folder::Folder;
use indelible_benches::latency::Latencies;
use indelible_benches::ours;
use indelible_benches::quiet::{Watch, settle};
use indelible_benches::rounds::median;
use indelible_benches::table::{Table, Target, count, figure};

fn main() {
    let arguments = Arguments::read();
    let folder = Folder::new("compress");
    let plain = Place::new(&folder, "plain");
    let log = ours::open_in(&plain.path, "log");
    let logins = Logins::new();
    let records = arguments.count(100_000, 450_000);
    ours::fill(&log, records, |number| logins.get(number as usize).event());
    let (vkey, state) = (log.vkey(), log.state());
    ours::close(&log);

    let (mut quiet, mut disturbed) = (Vec::new(), Vec::new());
    let (mut compressed, mut done) = (Compressed::default(), None);
    for round in 0..=arguments.rounds(9) {
        let place = plain.copy(&folder, &format!("round-{round}"));
        let log = ours::open_in(&place.path, "log");
        let (now, rate, was_quiet) = compress(&log);
        compressed = now;
        ours::close(&log);
        // The first one warms up.
        if round > 0 {
            if was_quiet { &mut quiet } else { &mut disturbed }.push(rate);
        }
        done = Some(place);
    }
    let done = done.expect("a round");
    if !disturbed.is_empty() {
        eprintln!("other processes disturbed {} rounds", disturbed.len());
    }
    let rate = median(if quiet.is_empty() { disturbed } else { quiet });

    // Reading stops before the segment that is not compressed.
    let end = done.last_first();
    let events = end as f64;
    let mut table = Table::new(&["", "plain", "compressed", "target"]);
    let bytes = |bytes: u64| bytes as f64 / events;
    table.row([
        format!(
            "bytes an event, of {} in {} segments, {} a commit",
            count(events),
            compressed.segments,
            count(state.records as f64 / state.commits as f64)
        ),
        format!("{:.1}", bytes(compressed.bytes_before)),
        format!("{:.1}", bytes(compressed.bytes_after)),
        figure(bytes(compressed.bytes_after), "bytes", Target::AtMost(130.0)),
    ]);
    table.row([
        "sealing: compressed, read back, compared, synced; plain MB a second of one thread".into(),
        String::new(),
        count(rate),
        figure(rate, "MB/s", Target::AtLeast(300.0)),
    ]);
    reading(&arguments, &mut table, (&plain, &done), end);
    verifying(&arguments, &mut table, (&plain, &done), (&vkey, state.records));
    table.print("Compressed segments (files in the page cache)");
}

/// Compresses a log whose background is at rest. Gives the rate in plain megabytes a second, and whether other processes
/// were quiet meanwhile.
fn compress(log: &AuditLog) -> (Compressed, f64, bool) {
    // It waits until the tree cache is read.
    log.purge(0).expect("nothing to purge");
    settle();
    let (watch, began) = (Watch::start(), Instant::now());
    let compressed = log.compress(u64::MAX).expect("compress");
    let rate = compressed.bytes_before as f64 / 1e6 / began.elapsed().as_secs_f64();
    (compressed, rate, !watch.was_disturbed())
}

fn reading(arguments: &Arguments, table: &mut Table, (plain, done): (&Place, &Place), end: u64) {
    let [plain, done] = [plain, done].map(|place| {
        let reader = LogReader::new(indelible::FileStore::new(place.log()));
        let mut latencies = Latencies::new();
        for number in 0..arguments.count(500, 3000) {
            let seq = random(number) % end;
            let began = Instant::now();
            reader.record(seq).expect("a record");
            latencies.push(began.elapsed());
        }
        latencies
    });
    for (name, part) in [("p50", 0.5), ("p99", 0.99)] {
        let micros = |mut latencies: Latencies| format!("{:.0} µs", latencies.quantile_micros(part));
        table.row([
            format!("reading one record, {name}"),
            micros(plain.clone()),
            micros(done.clone()),
            String::new(),
        ]);
    }
}

fn verifying(
    arguments: &Arguments,
    table: &mut Table,
    (plain, done): (&Place, &Place),
    (vkey, records): (&VerifierKey, u64),
) {
    let nanos = |place: &Place| {
        let rounds = (0..arguments.rounds(5)).map(|_| {
            let began = Instant::now();
            let verifier = Verifier::new(vkey.clone()).threads(1);
            let report = verifier.verify_dir(place.log()).expect("verify");
            assert!(report.is_sound(), "{report}");
            began.elapsed().as_nanos() as f64 / records as f64
        });
        format!("{} ns", count(median(rounds.collect())))
    };
    table.row([
        "verification, a record".into(),
        nanos(plain),
        nanos(done),
        String::new(),
    ]);
}

/// A log with its key and its second place.
struct Place {
    path: PathBuf,
}

impl Place {
    fn new(folder: &Folder, name: &str) -> Self {
        let path = folder.join(name);
        fs::create_dir(&path).expect("create a folder");
        Self { path }
    }

    fn log(&self) -> PathBuf {
        self.path.join("log")
    }

    /// The same log once more, in the place of the last copy. Segments that are not written to are not copied: they
    /// get one more name.
    fn copy(&self, folder: &Folder, name: &str) -> Self {
        for path in list(folder.path()) {
            if path != self.path {
                fs::remove_dir_all(path).expect("remove the last copy");
            }
        }
        let copy = Self::new(folder, name);
        copy_folder(&self.path, &copy.path, &self.segments().pop().expect("a segment"));
        copy
    }

    fn segments(&self) -> Vec<PathBuf> {
        let mut segments = list(&self.log().join("segments"));
        segments.sort();
        segments
    }

    /// The first record of the last segment.
    fn last_first(&self) -> u64 {
        let last = self.segments().pop().expect("a segment");
        let name = last.file_name().expect("a name").to_string_lossy().into_owned();
        name[..20].parse().expect("a number")
    }
}

fn copy_folder(from: &Path, to: &Path, last: &Path) {
    for path in list(from) {
        let target = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            fs::create_dir(&target).expect("create a folder");
            copy_folder(&path, &target, last);
        } else if path.extension().is_some_and(|end| end == "jsonl") && path != last {
            fs::hard_link(&path, &target).expect("link a segment");
        } else {
            fs::copy(&path, &target).expect("copy a file");
        }
    }
}

fn list(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("list a folder");
    entries.map(|entry| entry.expect("an entry").path()).collect()
}

fn random(number: u64) -> u64 {
    let mixed = (number + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed ^ (mixed >> 31)).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 16
}

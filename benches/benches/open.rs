//! Opening after `kill -9`: with the caches, and without them beside reading the last segment.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use indelible::{AuditLog, Builder, Cause, FileStore};
use indelible_benches::arguments::Arguments;
use indelible_benches::events::{Logins, ORIGIN};
use indelible_benches::folder::Folder;
use indelible_benches::rounds::median;
use indelible_benches::table::{Table, Target, count, figure};
use indelible_benches::{child, ours};

fn main() {
    if child::name().as_deref() == Some("append") {
        return append();
    }
    let arguments = Arguments::read();
    let columns = [
        "log",
        "records",
        "with caches",
        "target",
        "without",
        "last segment, read alone",
        "its bytes",
    ];
    let mut table = Table::new(&columns);
    let sizes = arguments.count(&[20_000_000u64][..], &[100_000_000, 1_000_000_000][..]);
    for bytes in sizes {
        table.row(measure(&arguments, *bytes));
    }
    table.print("Opening after kill -9 (medians)");
}

fn measure(arguments: &Arguments, bytes: u64) -> Vec<String> {
    let folder = Folder::new("open");
    let (mut with, mut without, mut read, mut segment_bytes, mut size) = (vec![], vec![], vec![], 0, 0);
    for round in 0..arguments.rounds(9) {
        kill_a_writer(&folder, bytes, round);
        with.push(open(&folder));
        kill_a_writer(&folder, 0, round);
        fs::remove_dir_all(folder.join("log/tree")).expect("remove the caches");
        let segment = last_segment(&folder.join("log"));
        let began = Instant::now();
        let content = fs::read(&segment).expect("read the last segment");
        read.push(began.elapsed().as_secs_f64() * 1e3);
        segment_bytes = content.len();
        let began = Instant::now();
        let log = builder(&folder).open(FileStore::new(folder.join("log"))).expect("open");
        without.push(began.elapsed().as_secs_f64() * 1e3);
        size = log.state().size;
        // A purge waits until the tree cache is read again, which the next round begins with.
        log.purge(0).expect("nothing to purge");
        ours::close(&log);
    }
    let with = median(with);
    vec![
        format!("{} MB", bytes / 1_000_000),
        count(size as f64),
        format!("{with:.1} ms"),
        figure(with, "ms", Target::AtMost(20.0)),
        format!("{:.1} ms", median(without)),
        format!("{:.1} ms", median(read)),
        count(segment_bytes as f64),
    ]
}

/// Lets a child append until the log has so many bytes, and kills it some time after.
fn kill_a_writer(folder: &Folder, bytes: u64, round: usize) {
    let path = folder.path().display().to_string();
    let mut writer = child::start("append", &[&path, &bytes.to_string()]);
    let mut ready = String::new();
    let output = writer.stdout.take().expect("its output");
    BufReader::new(output).read_line(&mut ready).expect("a line");
    assert_eq!(ready.trim(), "ready");
    std::thread::sleep(Duration::from_millis(150 + 37 * round as u64));
    writer.kill().expect("kill");
    writer.wait().expect("wait");
}

fn open(folder: &Folder) -> f64 {
    let began = Instant::now();
    let log = builder(folder).open(FileStore::new(folder.join("log"))).expect("open");
    let millis = began.elapsed().as_secs_f64() * 1e3;
    ours::close(&log);
    millis
}

fn builder(folder: &Folder) -> Builder {
    AuditLog::builder(ORIGIN).key_file(folder.join("key"))
}

fn last_segment(log: &Path) -> PathBuf {
    let segments = fs::read_dir(log.join("segments")).expect("the segments");
    let paths = segments.map(|entry| entry.expect("a segment").path());
    let jsonl = paths.filter(|path| path.extension().is_some_and(|end| end == "jsonl"));
    jsonl.max().expect("a segment")
}

/// The child: fills the log, says so, and goes on until it is killed.
fn append() {
    let mut arguments = std::env::args().skip(1);
    let folder = PathBuf::from(arguments.next().expect("a folder"));
    let bytes: u64 = arguments
        .next()
        .and_then(|bytes| bytes.parse().ok())
        .expect("a number of bytes");
    let builder = AuditLog::builder(ORIGIN).key_file(folder.join("key"));
    let log = builder.open(FileStore::new(folder.join("log"))).expect("open");
    let logins = Logins::new();
    let (mut said, mut number) = (false, 0);
    loop {
        if !said && log.state().size * 760 >= bytes {
            println!("ready");
            std::io::stdout().flush().expect("say that it is ready");
            said = true;
        }
        for _ in 0..500 {
            number += 1;
            match log.submit(logins.get(number).event()) {
                Ok(_) => {}
                Err(error) if matches!(error.cause(), Cause::QueueFull { .. }) => {
                    std::thread::sleep(Duration::from_millis(1));
                }
                Err(error) => panic!("{error}"),
            }
        }
        if said {
            // A service under load, not a flood.
            log.append(logins.get(number).event()).expect("append");
        }
    }
}

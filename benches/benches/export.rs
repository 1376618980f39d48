//! Exports: the lines of a log beside copying its files, and what is made anew, in megabytes a second.

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use indelible::export::Format;
use indelible::{AuditLog, Export, LogReader, Query};
use indelible_benches::arguments::Arguments;
use indelible_benches::events::Logins;
use indelible_benches::folder::Folder;
use indelible_benches::ours;
use indelible_benches::quiet::settle;
use indelible_benches::rounds::median;
use indelible_benches::table::{Table, Target, count, ratio};

fn main() {
    let arguments = Arguments::read();
    let folder = Folder::new("export");
    let log = ours::open(&folder, "log");
    let logins = Logins::new();
    let records = arguments.count(200_000, 1_000_000);
    ours::fill(&log, records, |number| logins.get(number as usize).event());
    ours::wait_for_indexes(&folder.join("log"));
    let mut table = Table::new(&["events", "what", "ours", "copying", "ratio, target", "spread"]);
    let mut row = |cells: [String; 5]| table.row([count(records as f64)].into_iter().chain(cells));
    if arguments.wants("lines") {
        row(lines(&arguments, &folder, &log));
    }
    let reader = log.reader();
    let failed = || Query::new().action("auth.login.failed");
    for (part, what, export) in [
        ("filter", "by filter, with proofs", Export::new(failed())),
        ("csv", "CSV", Export::new(Query::new()).format(Format::Csv)),
        ("json", "JSON", Export::new(Query::new()).format(Format::Json)),
    ] {
        if arguments.wants(part) {
            row(made(&arguments, &reader, what, &export));
        }
    }
    table.print("Exports (files in the page cache; medians)");
}

/// All lines into a folder beside copying the segments into one, both synced, by turns.
fn lines(arguments: &Arguments, folder: &Folder, log: &AuditLog) -> [String; 5] {
    let (mut ours, mut copying, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    let segments = folder.join("log/segments");
    let to = folder.join("to");
    // The first one warms up.
    for round in 0..=arguments.rounds(9) {
        let exported = timed(arguments, &to, || {
            log.export(&Export::new(Query::new()), &to).expect("exported");
        });
        let copied = timed(arguments, &to, || copy(&segments, &to));
        if round > 0 {
            ratios.push(exported.as_secs_f64() / copied.as_secs_f64());
            ours.push(exported.as_secs_f64() * 1e3);
            copying.push(copied.as_secs_f64() * 1e3);
        }
    }
    ratios.sort_by(f64::total_cmp);
    let spread = format!("{:.2}–{:.2}", ratios[0], ratios[ratios.len() - 1]);
    [
        "a range, JSON Lines".into(),
        format!("{} ms", count(median(ours))),
        format!("{} ms", count(median(copying))),
        ratio(median(ratios), Target::AtMost(1.3)),
        spread,
    ]
}

/// How long something takes that fills a folder, which is emptied before.
fn timed(arguments: &Arguments, to: &Path, fill: impl FnOnce()) -> Duration {
    let _ = fs::remove_dir_all(to);
    fs::create_dir(to).expect("create a folder");
    // A look does not wait until others are quiet.
    match arguments.quick {
        true => drop(Command::new("sync").status()),
        false => settle(),
    }
    let began = Instant::now();
    fill();
    began.elapsed()
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).expect("list a folder") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        fs::copy(entry.path(), &target).expect("copy a file");
        File::open(&target).and_then(|file| file.sync_all()).expect("sync");
    }
    File::open(to).and_then(|folder| folder.sync_all()).expect("sync");
}

/// What is made anew, into nothing.
fn made(arguments: &Arguments, reader: &LogReader, what: &str, export: &Export) -> [String; 5] {
    let rates = (0..arguments.rounds(5)).map(|_| {
        let began = Instant::now();
        let exported = reader.export(export, std::io::sink()).expect("exported");
        exported.bytes as f64 / 1e6 / began.elapsed().as_secs_f64()
    });
    let rate = format!("{} MB/s", count(median(rates.collect())));
    [what.into(), rate, String::new(), String::new(), String::new()]
}

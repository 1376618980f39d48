//! Appends that wait for their receipt, durable and signed, beside raw and SQLite.

use std::cell::Cell;
use std::hint::black_box;

use indelible_benches::arguments::Arguments;
use indelible_benches::events::{Lines, Logins};
use indelible_benches::folder::Folder;
use indelible_benches::ours;
use indelible_benches::raw::Raw;
use indelible_benches::rounds::{Round, Rounds, run};
use indelible_benches::sqlite::{AuditTable, AuditWriter};
use indelible_benches::table::{Table, Target, count, ratio};

fn main() {
    let arguments = Arguments::read();
    let logins = Logins::new();
    let lines = Lines::of(&logins);
    println!(
        "event and personal data: {:.0} bytes; a line: {:.0} bytes; its checkpoint, one a commit: {} bytes",
        lines.event_bytes,
        lines.line_bytes,
        lines.checkpoint.len()
    );
    let mut table = Table::new(&[
        "threads", "ours/s", "raw/s", "ratio", "spread", "p50 µs", "raw", "ratio", "p99 µs", "raw", "ratio", "batch",
        "raw",
    ]);
    for (threads, target) in [(1, 0.8), (8, 0.9), (64, 0.9)] {
        if arguments.wants(&threads.to_string()) {
            let rounds = beside_raw(&arguments, threads, &logins, &lines);
            table.row([
                threads.to_string(),
                count(rounds.median(0, |round| round.rate)),
                count(rounds.median(1, |round| round.rate)),
                ratio(rounds.ratio(1, |round| round.rate), Target::AtLeast(target)),
                rounds.spread(1, |round| round.rate),
                format!("{:.0}", rounds.median(0, |round| round.p50)),
                format!("{:.0}", rounds.median(1, |round| round.p50)),
                ratio(rounds.ratio(1, |round| round.p50), Target::AtMost(1.3)),
                format!("{:.0}", rounds.median(0, |round| round.p99)),
                format!("{:.0}", rounds.median(1, |round| round.p99)),
                ratio(rounds.ratio(1, |round| round.p99), Target::AtMost(1.3)),
                format!("{:.1}", rounds.median(0, |round| round.batch)),
                format!("{:.1}", rounds.median(1, |round| round.batch)),
            ]);
        }
    }
    table.print("Appends that wait, beside raw (ours makes its event in each step; raw has its line already)");
    let mut table = Table::new(&["peer", "threads", "ours/s", "peer/s", "ratio"]);
    for (name, threads, target) in [
        ("SQLite, grouped", 64, Target::AtLeast(3.0)),
        ("SQLite", 1, Target::None),
    ] {
        if arguments.wants("sqlite") {
            let rounds = beside_sqlite(&arguments, threads, &logins, &lines);
            table.row([
                name.into(),
                threads.to_string(),
                count(rounds.median(0, |round| round.rate)),
                count(rounds.median(1, |round| round.rate)),
                ratio(rounds.ratio(1, |round| round.rate), target),
            ]);
        }
    }
    table.print("Appends that wait, beside SQLite (WAL, synchronous=FULL, hash column)");
}

fn beside_raw(arguments: &Arguments, threads: usize, logins: &Logins, lines: &Lines) -> Rounds {
    let folder = Folder::new(&format!("append-{threads}"));
    let log = ours::open(&folder, "ours");
    let raw = Raw::open(&folder.join("raw"), &lines.checkpoint);
    let mut ours = || ours_round(arguments, threads, logins, &log);
    let mut peer = || {
        let before = raw.commits();
        let round = run(threads, arguments.round(), start, |number| {
            raw.append(lines.get(next(number)))
        });
        round.with_commits(raw.commits() - before)
    };
    let rounds = Rounds::of(arguments.rounds(9), &mut [&mut ours, &mut peer]);
    ours::close(&log);
    rounds
}

fn ours_round(arguments: &Arguments, threads: usize, logins: &Logins, log: &indelible::AuditLog) -> Round {
    let before = log.state().commits;
    let round = run(threads, arguments.round(), start, |number| {
        black_box(log.append(logins.get(next(number)).event()).expect("append"));
    });
    round.with_commits(log.state().commits - before)
}

fn beside_sqlite(arguments: &Arguments, threads: usize, logins: &Logins, lines: &Lines) -> Rounds {
    let folder = Folder::new(&format!("sqlite-{threads}"));
    let log = ours::open(&folder, "ours");
    let text = |number: &mut usize| {
        let line = lines.get(next(number));
        std::str::from_utf8(&line[..line.len() - 1]).expect("text")
    };
    let mut ours = || ours_round(arguments, threads, logins, &log);
    let count = arguments.rounds(5);
    let rounds = if threads == 1 {
        let table = Cell::new(Some(AuditTable::open(&folder.join("sqlite"))));
        let mut peer = || one_thread(arguments, &table, &text);
        Rounds::of(count, &mut [&mut ours, &mut peer])
    } else {
        let writer = AuditWriter::open(&folder.join("sqlite"));
        let mut peer = || run(threads, arguments.round(), start, |number| writer.append(text(number)));
        Rounds::of(count, &mut [&mut ours, &mut peer])
    };
    ours::close(&log);
    rounds
}

fn one_thread<'a>(
    arguments: &Arguments,
    table: &Cell<Option<AuditTable>>,
    text: &(impl Fn(&mut usize) -> &'a str + Sync),
) -> Round {
    let kept = std::sync::Mutex::new(table.take().expect("the table"));
    let round = run(1, arguments.round(), start, |number| {
        kept.lock().expect("one thread").append(text(number));
    });
    table.set(kept.into_inner().ok());
    round
}

/// Each thread begins elsewhere among the logins.
fn start(thread: usize) -> usize {
    thread * 61
}

fn next(number: &mut usize) -> usize {
    *number += 1;
    *number
}

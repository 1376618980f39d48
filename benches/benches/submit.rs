//! Submitting without waiting, durable in the end, beside `tracing-appender`'s lossless non-blocking JSON writer, which
//! is neither.

use std::collections::VecDeque;
use std::fs;
use std::time::Instant;

use indelible::{AuditLog, Cause, Ticket};
use indelible_benches::arguments::Arguments;
use indelible_benches::events::{Lines, Logins};
use indelible_benches::folder::Folder;
use indelible_benches::ours;
use indelible_benches::raw::Raw;
use indelible_benches::rounds::{Round, Rounds};
use indelible_benches::table::{Table, Target, count, ratio};
use indelible_benches::tracing_json::{Buffer, TracingJson, login};

fn main() {
    let arguments = Arguments::read();
    let logins = Logins::new();
    let lines = Lines::of(&logins);
    let events = arguments.count(50_000, 500_000);
    let columns = [
        "producers",
        "ours/s",
        "events a commit",
        "peer",
        "peer/s",
        "ratio",
        "spread",
    ];
    let mut table = Table::new(&columns);
    for producers in [1, 2] {
        if !arguments.wants(&producers.to_string()) {
            continue;
        }
        let rounds = measure(&arguments, producers, events, &logins, &lines);
        let peers = [
            ("tracing-appender", Target::AtLeast(2.5)),
            ("the same through a BufWriter", Target::None),
            ("raw", Target::None),
        ];
        for (index, (name, target)) in peers.into_iter().enumerate() {
            table.row([
                producers.to_string(),
                count(rounds.median(0, |round| round.rate)),
                count(rounds.median(0, |round| round.batch)),
                name.into(),
                count(rounds.median(index + 1, |round| round.rate)),
                ratio(rounds.ratio(index + 1, |round| round.rate), target),
                rounds.spread(index + 1, |round| round.rate),
            ]);
        }
    }
    table.print(&format!(
        "Submits, {} events a round until all are durable (tracing: written)",
        count(events as f64)
    ));
}

fn measure(arguments: &Arguments, producers: usize, events: usize, logins: &Logins, lines: &Lines) -> Rounds {
    let folder = Folder::new(&format!("submit-{producers}"));
    let log = ours::open(&folder, "ours");
    let raw = Raw::open(&folder.join("raw"), &lines.checkpoint);
    let mut ours = || {
        let before = log.state().commits;
        let last = |number| submit(&log, logins, number, events / producers);
        let round = timed(producers, events, last, |tickets| {
            tickets.into_iter().for_each(|ticket| {
                ticket.wait().expect("a receipt");
            });
        });
        round.with_commits(log.state().commits - before)
    };
    let tracing = |buffer| {
        let path = folder.join("tracing.jsonl");
        let writer = TracingJson::open(&path, buffer);
        let began = Instant::now();
        let produce = |number: usize| {
            writer.with(|| (0..events / producers).for_each(|index| login(logins.get(number * 61 + index))));
        };
        timed(producers, events, produce, |_| {});
        writer.finish(events as u64);
        let round = round(events, began);
        let _ = fs::remove_file(path);
        round
    };
    let (mut unbuffered, mut buffered) = (|| tracing(Buffer::None), || tracing(Buffer::Lines));
    let mut peer = || {
        let produce =
            |number: usize| (0..events / producers).for_each(|index| raw.submit(lines.get(number * 61 + index)));
        timed(producers, events, produce, |_| raw.flush())
    };
    let contestants: &mut [&mut dyn FnMut() -> Round] = &mut [&mut ours, &mut unbuffered, &mut buffered, &mut peer];
    let rounds = Rounds::of(arguments.rounds(7), contestants);
    ours::close(&log);
    rounds
}

/// Submits events and drops their tickets, but for one in a thousand: where the queue is full, the oldest of these is
/// waited for. Gives the last one.
fn submit(log: &AuditLog, logins: &Logins, number: usize, events: usize) -> Ticket {
    let mut kept: VecDeque<Ticket> = VecDeque::new();
    for index in 0..events {
        let ticket = loop {
            match log.submit(logins.get(number * 61 + index).event()) {
                Ok(ticket) => break ticket,
                Err(error) if matches!(error.cause(), Cause::QueueFull { .. }) => {
                    let oldest = kept.pop_front().expect("a ticket in a thousand");
                    oldest.wait().expect("a receipt");
                }
                Err(error) => panic!("{error}"),
            }
        };
        if index % 1000 == 0 || index + 1 == events {
            kept.push_back(ticket);
        }
    }
    kept.pop_back().expect("the last ticket")
}

fn timed<T: Send>(
    producers: usize,
    events: usize,
    produce: impl Fn(usize) -> T + Sync,
    end: impl FnOnce(Vec<T>),
) -> Round {
    let began = Instant::now();
    let produced: Vec<T> = std::thread::scope(|scope| {
        let handles: Vec<_> = (0..producers)
            .map(|number| {
                scope.spawn({
                    let produce = &produce;
                    move || produce(number)
                })
            })
            .collect();
        handles
            .into_iter()
            .map(|handle| handle.join().expect("a producer"))
            .collect()
    });
    end(produced);
    round(events, began)
}

fn round(events: usize, began: Instant) -> Round {
    Round {
        events,
        rate: events as f64 / began.elapsed().as_secs_f64(),
        ..Round::default()
    }
}

//! The instructions of one append, on the calling thread and on the committer, counted by callgrind: the same on every
//! machine, so that a later change can be held against them.

use std::path::PathBuf;
use std::time::Duration;

use indelible_benches::arguments::Arguments;
use indelible_benches::callgrind::{self, Instructions};
use indelible_benches::events::Logins;
use indelible_benches::folder::Folder;
use indelible_benches::nowhere::Nowhere;
use indelible_benches::table::{Table, count};
use indelible_benches::{child, ours};

fn main() {
    match child::name().as_deref() {
        Some("lone") => return lone(),
        Some("queued") => return queued(),
        Some("events") => return events(),
        _ => {}
    }
    let arguments = Arguments::read();
    if !callgrind::is_there() {
        println!("SKIPPED: the instructions are counted by valgrind, which is not installed here");
        return;
    }
    let more = arguments.count(400, 4000);
    let measure = |child: &str, thread: usize| {
        let run = |count: usize| {
            let folder = Folder::new(&format!("instructions-{child}-{count}"));
            callgrind::run(folder.path(), child, &count.to_string(), thread)[thread - 1]
        };
        Instructions::each(run(1000), run(1000 + more), more)
    };
    let host = measure("events", 1);
    let lone = measure("lone", 1).without(host);
    let caller = measure("queued", 1).without(host);
    let committer = measure("queued", 2);
    let mut table = Table::new(&["instructions", "all", "SHA-256 in software", "all others"]);
    let mut row = |what: &str, instructions: Instructions| {
        table.row([
            what.into(),
            count(instructions.all),
            count(instructions.sha256),
            count(instructions.all - instructions.sha256),
        ]);
    };
    row("an append on an idle log, all of it on the calling thread", lone);
    row("an append to a busy log, on the calling thread", caller);
    row(
        "an append to a busy log, on the committer, in a large commit",
        committer,
    );
    row(
        "a commit: signature, checkpoint, write",
        lone.without(caller).without(committer),
    );
    row("(for comparison: the host builds and drops the event)", host);
    table.print("Instructions of an append (valgrind knows no SHA instructions; this processor may)");
}

fn arguments() -> (PathBuf, usize) {
    let mut arguments = std::env::args().skip(1);
    let folder = PathBuf::from(arguments.next().expect("a folder"));
    (
        folder,
        arguments.next().and_then(|count| count.parse().ok()).expect("a count"),
    )
}

/// Events that nobody records.
fn events() {
    let logins = Logins::new();
    for number in 0..arguments().1 {
        drop(std::hint::black_box(logins.get(number).event()));
    }
}

/// Appends on an idle log.
fn lone() {
    let (folder, count) = arguments();
    let logins = Logins::new();
    let log = ours::open_in(&folder, "ours");
    for number in 0..count {
        log.append(logins.get(number).event()).expect("append");
    }
    ours::close(&log);
}

/// Submits while the committer is held up, so that it finds them all at once.
fn queued() {
    let (_, count) = arguments();
    let logins = Logins::new();
    let store = Nowhere::default();
    let log = store.open();
    let gate = store.hold();
    drop(log.submit(logins.get(0).event()).expect("submit"));
    while log.state().queued_events > 0 {
        std::thread::sleep(Duration::from_millis(100));
    }
    for number in 0..count {
        drop(log.submit(logins.get(number).event()).expect("submit"));
    }
    drop(gate);
    while log.state().size < count as u64 {
        std::thread::sleep(Duration::from_millis(100));
    }
}

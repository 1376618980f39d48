//! The log itself, as a host opens it.

use std::fs;
use std::path::Path;
use std::time::Duration;

use indelible::{AuditLog, Cause, Event, FileStore, Ticket};

use crate::events::ORIGIN;
use crate::folder::Folder;

/// A log on disk with a key file and the checkpoint beside it, all as they are unless told otherwise.
pub fn open(folder: &Folder, name: &str) -> AuditLog {
    open_in(folder.path(), name)
}

/// The same in any folder.
pub fn open_in(folder: &Path, name: &str) -> AuditLog {
    let builder = AuditLog::builder(ORIGIN).key_file(folder.join(format!("{name}.key")));
    builder.open(FileStore::new(folder.join(name))).expect("open a log")
}

/// Closes it.
pub fn close(log: &AuditLog) {
    log.close(Duration::from_secs(60)).expect("close a log");
}

/// Submits so many events, and waits until all are durable.
pub fn fill(log: &AuditLog, records: u64, event: impl Fn(u64) -> Event) {
    let (before, mut last): (u64, Option<Ticket>) = (log.state().size, None);
    for number in 0..records {
        loop {
            match log.submit(event(number)) {
                Ok(ticket) if number % 1000 == 0 => last = Some(ticket),
                Ok(_) => {}
                Err(error) if matches!(error.cause(), Cause::QueueFull { .. }) => {
                    match last.take() {
                        Some(ticket) => drop(ticket.wait().expect("a receipt")),
                        None => std::thread::yield_now(),
                    }
                    continue;
                }
                Err(error) => panic!("{error}"),
            }
            break;
        }
    }
    while log.state().size < before + records {
        std::thread::sleep(Duration::from_micros(200));
    }
}

/// Waits until each sealed segment has an index, and gives how many there are.
pub fn wait_for_indexes(log: &Path) -> usize {
    let names = |folder: &Path, ending: &str| {
        let entries = fs::read_dir(folder).into_iter().flatten();
        let names = entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"));
        names.filter(|name| name.ends_with(ending)).count()
    };
    loop {
        let made = names(&log.join("index"), ".idx");
        if made + 1 >= names(&log.join("segments"), ".jsonl") {
            return made;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

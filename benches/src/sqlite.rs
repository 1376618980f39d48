//! SQLite as an audit table: WAL, `synchronous=FULL`, a hash column, a prepared statement. Alone, and behind a writer
//! thread that groups its transactions.

use std::mem;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use rusqlite::{CachedStatement, Connection, params};
use sha2::{Digest, Sha256};

/// The table. Each row's hash is over the one before it and its content.
#[derive(Debug)]
pub struct AuditTable {
    connection: Connection,
    last: [u8; 32],
}

impl AuditTable {
    /// A new database.
    pub fn open(path: &Path) -> Self {
        let connection = Connection::open(path).expect("open a database");
        connection
            .pragma_update(None, "journal_mode", "WAL")
            .expect("journal_mode");
        connection
            .pragma_update(None, "synchronous", "FULL")
            .expect("synchronous");
        let table = "CREATE TABLE events (seq INTEGER PRIMARY KEY, hash BLOB NOT NULL, event TEXT NOT NULL)";
        connection.execute(table, []).expect("create the table");
        Self {
            connection,
            last: [0; 32],
        }
    }

    /// One event in a transaction of its own.
    pub fn append(&mut self, event: &str) {
        self.append_all([event].into_iter());
    }

    /// Many events in one transaction.
    pub fn append_all<'a>(&mut self, events: impl Iterator<Item = &'a str>) {
        let transaction = self.connection.transaction().expect("begin");
        {
            let insert = "INSERT INTO events (hash, event) VALUES (?1, ?2)";
            let mut statement: CachedStatement<'_> = transaction.prepare_cached(insert).expect("prepare");
            for event in events {
                let hash = Sha256::new().chain_update(self.last).chain_update(event).finalize();
                self.last = hash.into();
                statement.execute(params![&self.last[..], event]).expect("insert");
            }
        }
        transaction.commit().expect("commit");
    }
}

/// The table behind a writer thread.
#[derive(Debug)]
pub struct AuditWriter {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    queue: Mutex<Queue>,
    work: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    batch: Vec<(Box<str>, Arc<Waiter>)>,
    ended: bool,
}

#[derive(Debug, Default)]
struct Waiter {
    done: Mutex<bool>,
    changed: Condvar,
}

impl AuditWriter {
    /// A new database with its writer.
    pub fn open(path: &Path) -> Self {
        let mut table = AuditTable::open(path);
        let shared = Arc::new(Shared::default());
        let own = Arc::clone(&shared);
        let thread = std::thread::spawn(move || {
            let mut batch = Vec::new();
            while own.take(&mut batch) {
                table.append_all(batch.iter().map(|(event, _)| &**event));
                batch.drain(..).for_each(|(_, waiter)| waiter.complete());
            }
        });
        Self {
            shared,
            thread: Some(thread),
        }
    }

    /// Records an event and waits until it is durable.
    pub fn append(&self, event: &str) {
        let waiter = WAITER.with(Arc::clone);
        let mut queue = self.shared.queue();
        queue.batch.push((event.into(), Arc::clone(&waiter)));
        let first = queue.batch.len() == 1;
        drop(queue);
        if first {
            self.shared.work.notify_one();
        }
        waiter.wait();
    }
}

impl Drop for AuditWriter {
    fn drop(&mut self) {
        self.shared.queue().ended = true;
        self.shared.work.notify_one();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, batch: &mut Vec<(Box<str>, Arc<Waiter>)>) -> bool {
        let mut queue = self.queue();
        while queue.batch.is_empty() {
            if queue.ended {
                return false;
            }
            queue = self.work.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        mem::swap(&mut queue.batch, batch);
        true
    }
}

impl Waiter {
    fn wait(&self) {
        let done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        let done = self.changed.wait_while(done, |done| !*done);
        *done.unwrap_or_else(PoisonError::into_inner) = false;
    }

    fn complete(&self) {
        *self.done.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_one();
    }
}

thread_local! {
    static WAITER: Arc<Waiter> = Arc::default();
}

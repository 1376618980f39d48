//! Raw: a group-commit writer of the same bytes into files prepared the same way, without JSON, hash or signature. What
//! is left of an append when only the disk and the threads count.
//!
//! It has the log's structure: a lone append on an idle writer commits on its own thread; else a queue, one committer
//! thread, and one wake-up for each waiter by its own mutex and condition variable, none where nobody sleeps yet.
//! Segments of 64 MiB are filled with zeros in the background, the first one begins with 1 MiB, and a full one is cut
//! off, synced and followed by the next, whose name is synced, before anything is written to that.

mod segments;

use std::cell::RefCell;
use std::mem;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread::JoinHandle;

use segments::Segments;

/// The writer. What fails panics: it is a benchmark.
#[derive(Debug)]
pub struct Raw {
    shared: Arc<Shared>,
    committer: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    queue: Mutex<Queue>,
    work: Condvar,
    room: Condvar,
    core: Mutex<Core>,
}

#[derive(Debug, Default)]
struct Queue {
    batch: Batch,
    /// The committer sleeps.
    committer_waits: bool,
    blocked: bool,
    ended: bool,
}

#[derive(Debug, Default)]
struct Batch {
    bytes: Vec<u8>,
    waiters: Vec<Arc<Waiter>>,
}

/// Who holds it makes the next commit.
#[derive(Debug)]
struct Core {
    segments: Segments,
    /// What stands at the end of each commit.
    checkpoint: Vec<u8>,
    bytes: Vec<u8>,
    commits: u64,
}

/// A thread that waits: one for each thread, used again and again.
#[derive(Debug, Default)]
struct Waiter {
    state: Mutex<State>,
    done: Condvar,
}

#[derive(Debug, Default, PartialEq)]
enum State {
    #[default]
    Idle,
    Blocked,
    Done,
}

impl Raw {
    /// A writer in a new folder. Each commit ends with `checkpoint`.
    pub fn open(folder: &Path, checkpoint: &[u8]) -> Self {
        let core = Core {
            segments: Segments::new(folder),
            checkpoint: checkpoint.to_vec(),
            bytes: Vec::new(),
            commits: 0,
        };
        let shared = Arc::new(Shared {
            queue: Mutex::default(),
            work: Condvar::new(),
            room: Condvar::new(),
            core: Mutex::new(core),
        });
        let own = Arc::clone(&shared);
        let committer = std::thread::spawn(move || own.run());
        Self {
            shared,
            committer: Some(committer),
        }
    }

    /// Writes a line and waits until it is durable.
    pub fn append(&self, line: &[u8]) {
        if self.shared.append_alone(line) {
            return;
        }
        WAITER.with_borrow(|waiter| {
            self.shared.push(line, Some(waiter));
            waiter.wait();
        });
    }

    /// Writes a line some time. Waits for room.
    pub fn submit(&self, line: &[u8]) {
        self.shared.push(line, None);
    }

    /// How many commits were made.
    pub fn commits(&self) -> u64 {
        self.shared.core.lock().unwrap_or_else(PoisonError::into_inner).commits
    }

    /// Waits until all is durable that was submitted before.
    pub fn flush(&self) {
        WAITER.with_borrow(|waiter| {
            self.shared.push(&[], Some(waiter));
            waiter.wait();
        });
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        self.shared.queue().ended = true;
        self.shared.work.notify_one();
        if let Some(committer) = self.committer.take() {
            let _ = committer.join();
        }
    }
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn append_alone(&self, line: &[u8]) -> bool {
        let mut core = match self.core.try_lock() {
            Ok(core) => core,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return false,
        };
        if !self.queue().batch.bytes.is_empty() {
            return false;
        }
        let core = &mut *core;
        core.bytes.clear();
        core.bytes.extend_from_slice(line);
        core.commit();
        true
    }

    fn push(&self, line: &[u8], waiter: Option<&Arc<Waiter>>) {
        let mut queue = self.queue();
        while !queue.batch.bytes.is_empty() && queue.batch.bytes.len() + line.len() > QUEUE_BYTES {
            queue.blocked = true;
            queue = self.room.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        queue.batch.bytes.extend_from_slice(line);
        queue.batch.waiters.extend(waiter.cloned());
        let wake = mem::take(&mut queue.committer_waits);
        drop(queue);
        if wake {
            self.work.notify_one();
        }
    }

    fn run(&self) {
        let mut batch = Batch::default();
        while self.wait() {
            let mut core = self.core.lock().unwrap_or_else(PoisonError::into_inner);
            let mut queue = self.queue();
            mem::swap(&mut queue.batch, &mut batch);
            let blocked = mem::take(&mut queue.blocked);
            drop(queue);
            if blocked {
                self.room.notify_all();
            }
            core.commit_all(&mut batch.bytes);
            drop(core);
            batch.waiters.drain(..).for_each(|waiter| waiter.complete());
            batch.bytes.clear();
        }
    }

    /// Waits for something to do; `false` at the end.
    fn wait(&self) -> bool {
        let mut queue = self.queue();
        while queue.batch.bytes.is_empty() && queue.batch.waiters.is_empty() {
            if queue.ended {
                return false;
            }
            queue.committer_waits = true;
            queue = self.work.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        queue.committer_waits = false;
        true
    }
}

impl Core {
    /// Commits lines, in as many commits as ours would be.
    fn commit_all(&mut self, lines: &mut Vec<u8>) {
        if lines.is_empty() {
            return;
        }
        if lines.len() <= COMMIT_TARGET {
            lines.extend_from_slice(&self.checkpoint);
            self.segments.append(lines);
            self.commits += 1;
            return;
        }
        let mut rest = lines.as_slice();
        while !rest.is_empty() {
            let end = match rest.get(..COMMIT_TARGET) {
                None => rest.len(),
                Some(part) => part
                    .iter()
                    .rposition(|byte| *byte == b'\n')
                    .map_or(COMMIT_TARGET, |at| at + 1),
            };
            let (part, after) = rest.split_at(end);
            self.bytes.clear();
            self.bytes.extend_from_slice(part);
            self.commit();
            rest = after;
        }
    }

    fn commit(&mut self) {
        self.bytes.extend_from_slice(&self.checkpoint);
        self.segments.append(&self.bytes);
        self.commits += 1;
    }
}

impl Waiter {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait(&self) {
        let mut state = self.state();
        while *state != State::Done {
            *state = State::Blocked;
            state = self.done.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        *state = State::Idle;
    }

    fn complete(&self) {
        if mem::replace(&mut *self.state(), State::Done) == State::Blocked {
            self.done.notify_one();
        }
    }
}

thread_local! {
    static WAITER: RefCell<Arc<Waiter>> = RefCell::default();
}

/// What may wait for a commit, as in a log unless told otherwise.
const QUEUE_BYTES: usize = 64 * 1024 * 1024;

/// How large a commit of many lines is, as in a log.
const COMMIT_TARGET: usize = 2 * 1024 * 1024;

//! The queue between callers and the committer: bounded in bytes, and the only place where an event waits.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::{Duration, Instant};

use super::assistant::Assistant;
use super::recent::IdDigest;
use super::ticket::Promise;
use crate::error::{Cause, Error, Result};
use crate::event::Given;
use crate::record::Draft;

/// An event that is ready for the chain. The beginning of its line stands in the batch's bytes.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) draft: Draft,
    pub(super) length: usize,
    pub(super) id: IdDigest,
    /// Where the host gave it an id: then it may be a retry.
    pub(super) given: Option<Given>,
    pub(super) promise: Promise,
}

/// Events in order: at most as many as one commit takes.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) bytes: Vec<u8>,
    pub(super) entries: Vec<Entry>,
}

impl Batch {
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.entries.clear();
    }
}

/// The queue.
#[derive(Debug)]
pub(super) struct Queue {
    limit: usize,
    state: Mutex<Waiting>,
    /// How many events wait, for who only looks.
    events: AtomicUsize,
    work: Condvar,
    room: Condvar,
    assistant: Arc<Assistant>,
    /// Which process its threads are in.
    process: u32,
}

#[derive(Debug, Default)]
struct Waiting {
    /// None is empty.
    batches: VecDeque<Batch>,
    bytes: usize,
    events: usize,
    /// Batches that were answered for, to be filled again.
    spare: Vec<Batch>,
    /// The committer waits for something to do.
    committer_waits: bool,
    /// A commit is prepared for it.
    prepared: bool,
    /// From how many events on the assistant prepares the next commit.
    prepare_at: Option<usize>,
    /// How many threads wait for room.
    blocked: usize,
    /// The tasks that wait for room.
    wakers: Vec<(u64, Waker)>,
    /// The number of the next one.
    next_waiter: u64,
    /// Why nothing more is taken.
    ended: Option<Error>,
}

impl Queue {
    /// A queue of at most `limit` bytes.
    pub(super) fn new(limit: usize, assistant: Arc<Assistant>) -> Self {
        Self {
            limit,
            state: Mutex::default(),
            events: AtomicUsize::new(0),
            work: Condvar::new(),
            room: Condvar::new(),
            assistant,
            process: std::process::id(),
        }
    }

    fn state(&self) -> MutexGuard<'_, Waiting> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds an event if there is room. `line` is the beginning of its line.
    pub(super) fn push(&self, line: &[u8], entry: Entry) -> Result<()> {
        let state = self.state();
        self.check_open(&state)?;
        if !self.has_room(&state, line.len()) {
            return Err(Cause::QueueFull {
                queued: state.bytes,
                limit: self.limit,
            }
            .into());
        }
        self.add(state, line, entry);
        Ok(())
    }

    /// Adds an event, waiting for room, at most so long.
    pub(super) fn push_blocking(&self, line: &[u8], entry: Entry, limit: Option<Duration>) -> Result<()> {
        let began = Instant::now();
        let mut state = self.state();
        loop {
            self.check_open(&state)?;
            if self.has_room(&state, line.len()) {
                self.add(state, line, entry);
                return Ok(());
            }
            let left = match limit {
                None => None,
                Some(limit) => Some(limit.checked_sub(began.elapsed()).ok_or(Cause::TimedOut {
                    what: "waiting for room in the queue",
                    limit,
                })?),
            };
            state.blocked += 1;
            state = match left {
                None => self.room.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(left) => {
                    let waited = self.room.wait_timeout(state, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
            state.blocked -= 1;
        }
    }

    /// Adds an event if there is room, or remembers whom to wake once there is: then the entry comes back. `waiter` is
    /// the task's number here, once it has one.
    pub(super) fn push_or_register(
        &self,
        line: &[u8],
        entry: Entry,
        waker: &Waker,
        waiter: &mut Option<u64>,
    ) -> Result<Option<Entry>> {
        let mut state = self.state();
        self.check_open(&state)?;
        if self.has_room(&state, line.len()) {
            self.add(state, line, entry);
            return Ok(None);
        }
        let number = *waiter.get_or_insert(state.next_waiter);
        state.next_waiter = state.next_waiter.max(number + 1);
        let before = match state.wakers.iter_mut().find(|(other, _)| *other == number) {
            Some((_, known)) => Some(std::mem::replace(known, waker.clone())),
            None => {
                state.wakers.push((number, waker.clone()));
                None
            }
        };
        // A waker may be the last that holds a task, and with it another future of this log.
        drop(state);
        drop(before);
        Ok(Some(entry))
    }

    /// A task does not wait any more.
    pub(super) fn unregister(&self, waiter: u64) {
        let mut state = self.state();
        let at = state.wakers.iter().position(|(number, _)| *number == waiter);
        let waker = at.map(|at| state.wakers.remove(at));
        drop(state);
        drop(waker);
    }

    fn check_open(&self, state: &Waiting) -> Result<()> {
        if let Some(error) = &state.ended {
            return Err(error.clone());
        }
        // Asking costs a system call, and so does the wake-up that comes next. Where the committer is at work, who waits
        // for the ticket asks.
        match state.committer_waits {
            true => self.check_process(),
            false => Ok(()),
        }
    }

    /// Refuses to go on in a process that was forked off: the log's threads are not in it.
    pub(super) fn check_process(&self) -> Result<()> {
        check_process(self.process)
    }

    /// The process of the log's threads.
    pub(super) fn process(&self) -> u32 {
        self.process
    }

    fn has_room(&self, state: &Waiting, length: usize) -> bool {
        state.bytes == 0 || state.bytes + length <= self.limit
    }

    fn add(&self, mut state: MutexGuard<'_, Waiting>, line: &[u8], entry: Entry) {
        state.add(line, entry);
        self.events.store(state.events, Relaxed);
        let wake = std::mem::take(&mut state.committer_waits);
        let events = state.events;
        let prepare = state.prepare_at.take_if(|at| events >= *at).is_some();
        drop(state);
        if wake {
            self.work.notify_one();
        }
        if prepare {
            self.assistant.prepare();
        }
    }

    /// Whether nothing waits, nobody is at work, and more may come.
    pub(super) fn is_idle(&self) -> Result<bool> {
        let state = self.state();
        self.check_open(&state)?;
        Ok(!state.has_work() && state.committer_waits)
    }

    /// How many events wait, as of now or a moment ago.
    pub(super) fn events(&self) -> usize {
        self.events.load(Relaxed)
    }

    /// Waits for something to do; `false` once nothing is left and nothing will come.
    pub(super) fn wait(&self) -> bool {
        let mut state = self.state();
        while !state.has_work() && state.ended.is_none() {
            state.committer_waits = true;
            state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.committer_waits = false;
        state.has_work()
    }

    /// Takes the next batch, if its bytes are not more than `bytes_max`, and makes room.
    pub(super) fn take(&self, bytes_max: usize) -> Option<Batch> {
        let state = self.state();
        if state.batches.front()?.bytes.len() > bytes_max {
            return None;
        }
        self.take_first(state)
    }

    /// The same for a commit that is prepared: the committer finds it.
    pub(super) fn take_to_prepare(&self) -> Option<Batch> {
        let mut state = self.state();
        state.batches.front()?;
        state.prepared = true;
        if std::mem::take(&mut state.committer_waits) {
            self.work.notify_one();
        }
        self.take_first(state)
    }

    fn take_first(&self, mut state: MutexGuard<'_, Waiting>) -> Option<Batch> {
        let batch = state.batches.pop_front()?;
        state.bytes -= batch.bytes.len();
        state.events -= batch.entries.len();
        self.events.store(state.events, Relaxed);
        state.prepare_at = None;
        self.made_room(state);
        Some(batch)
    }

    /// The commit that is prepared, if one is, is taken.
    pub(super) fn takes_prepared(&self) {
        self.state().prepared = false;
    }

    /// Has the assistant prepare the next commit once so many events wait; `true` where they do already.
    pub(super) fn ask_to_prepare(&self, events: usize) -> bool {
        let mut state = self.state();
        let is_time = state.events >= events;
        state.prepare_at = (!is_time).then_some(events);
        is_time
    }

    /// Takes a batch back whose events are answered.
    pub(super) fn give_back(&self, mut batch: Batch) {
        batch.clear();
        let mut state = self.state();
        if state.spare.len() < SPARE_BATCHES {
            state.spare.push(batch);
        }
    }

    fn made_room(&self, mut state: MutexGuard<'_, Waiting>) {
        if state.blocked == 0 && state.wakers.is_empty() {
            return;
        }
        let wakers = std::mem::take(&mut state.wakers);
        drop(state);
        self.room.notify_all();
        for (_, waker) in wakers {
            // It is the host's code.
            let _ = catch_unwind(AssertUnwindSafe(|| waker.wake()));
        }
    }

    /// Takes nothing more: later events fail with `error`. The first call counts.
    pub(super) fn end(&self, error: Error) {
        let mut state = self.state();
        state.ended.get_or_insert(error);
        self.made_room(state);
        self.work.notify_all();
    }

    /// How many events and bytes wait.
    pub(super) fn waiting(&self) -> (usize, usize) {
        let state = self.state();
        (state.events, state.bytes)
    }
}

/// Refuses to go on in another process than this.
pub(super) fn check_process(process: u32) -> Result<()> {
    if std::process::id() == process {
        return Ok(());
    }
    let problem = "it was opened by another process: open a log anew after a fork";
    Err(Error::configuration("log", problem))
}

impl Waiting {
    fn has_work(&self) -> bool {
        self.events > 0 || self.prepared
    }

    fn add(&mut self, line: &[u8], entry: Entry) {
        if self
            .batches
            .back()
            .is_none_or(|batch| batch.bytes.len() + line.len() > BATCH_BYTES)
        {
            let batch = self.spare.pop().unwrap_or_default();
            self.batches.push_back(batch);
        }
        if let Some(batch) = self.batches.back_mut() {
            batch.bytes.extend_from_slice(line);
            batch.entries.push(entry);
            self.bytes += line.len();
            self.events += 1;
        }
    }
}

/// How many bytes of lines make a batch.
const BATCH_BYTES: usize = 1024 * 1024;

/// Batches that are kept for use again.
const SPARE_BATCHES: usize = 4;

#[cfg(test)]
mod tests;

//! The queue between callers and the committers: bounded in bytes, and the only place where an event waits.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::{Duration, Instant};

use super::recent::IdDigest;
use super::ticket::Promise;
use crate::error::{Cause, Error, Result};
use crate::event::Event;
use crate::record::Draft;

/// An event that is ready for the chain. The beginning of its line stands in the batch's bytes.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) draft: Draft,
    pub(super) length: usize,
    pub(super) id: IdDigest,
    /// The event itself where the host gave it an id: then it may be a retry.
    pub(super) retry: Option<Event>,
    pub(super) ticket: Option<Promise>,
}

/// Events in order: as many as one commit takes.
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
    work: Condvar,
    room: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    /// None is empty.
    batches: VecDeque<Batch>,
    bytes: usize,
    events: usize,
    /// Batches that were answered, to be filled again.
    spare: Vec<Batch>,
    /// Who awaits room.
    wakers: Vec<Waker>,
    blocked: usize,
    /// Why nothing more is taken.
    ended: Option<Error>,
    committers: usize,
    committers_waiting: usize,
    /// How many of those that wait are woken already.
    woken: usize,
}

/// What a committer is woken for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Work {
    /// Events wait.
    Events,
    /// The time is over.
    Look,
    /// Nothing more will come.
    Ended,
}

impl Queue {
    /// A queue of at most `limit` bytes for so many committers.
    pub(super) fn new(limit: usize, committers: usize) -> Self {
        let state = Waiting {
            committers,
            ..Waiting::default()
        };
        Self {
            limit,
            state: Mutex::new(state),
            work: Condvar::new(),
            room: Condvar::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, Waiting> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds an event if there is room. `line` is the beginning of its line.
    pub(super) fn push(&self, line: &[u8], entry: Entry) -> Result<()> {
        let state = self.state();
        state.check_open()?;
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
            state.check_open()?;
            if self.has_room(&state, line.len()) {
                self.add(state, line, entry);
                return Ok(());
            }
            state.blocked += 1;
            state = match limit {
                None => self.room.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(limit) => {
                    let Some(left) = limit.checked_sub(began.elapsed()) else {
                        state.blocked -= 1;
                        return Err(Cause::TimedOut {
                            what: "waiting for room in the queue",
                            limit,
                        }
                        .into());
                    };
                    self.room
                        .wait_timeout(state, left)
                        .unwrap_or_else(PoisonError::into_inner)
                        .0
                }
            };
            state.blocked -= 1;
        }
    }

    /// Adds an event if there is room, or remembers who is to be woken once there is: then the entry comes back.
    pub(super) fn push_or_register(&self, line: &[u8], entry: Entry, waker: &Waker) -> Result<Option<Entry>> {
        let mut state = self.state();
        state.check_open()?;
        if self.has_room(&state, line.len()) {
            self.add(state, line, entry);
            return Ok(None);
        }
        if !state.wakers.iter().any(|known| known.will_wake(waker)) {
            state.wakers.push(waker.clone());
        }
        Ok(Some(entry))
    }

    fn has_room(&self, state: &Waiting, length: usize) -> bool {
        state.bytes == 0 || state.bytes + length <= self.limit
    }

    fn add(&self, mut state: MutexGuard<'_, Waiting>, line: &[u8], entry: Entry) {
        state.add(line, entry);
        let wake = state.wants_committer();
        state.woken += usize::from(wake);
        drop(state);
        if wake {
            self.work.notify_one();
        }
    }

    /// Whether nothing waits and more may come.
    pub(super) fn is_idle(&self) -> Result<bool> {
        let state = self.state();
        state.check_open()?;
        Ok(state.events == 0)
    }

    /// Waits until there is something to do, at most so long.
    pub(super) fn wait(&self, limit: Option<Duration>) -> Work {
        let mut state = self.state();
        if state.events == 0 && state.ended.is_none() {
            state.committers_waiting += 1;
            state = match limit {
                None => self.work.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(limit) => {
                    self.work
                        .wait_timeout(state, limit)
                        .unwrap_or_else(PoisonError::into_inner)
                        .0
                }
            };
            state.committers_waiting -= 1;
            state.woken = state.woken.saturating_sub(1);
        }
        if state.events > 0 {
            Work::Events
        } else if state.ended.is_some() {
            Work::Ended
        } else {
            Work::Look
        }
    }

    /// Runs what may take a committer long, during which it is not counted on.
    pub(super) fn without_this_committer(&self, step: impl FnOnce()) {
        self.state().committers -= 1;
        step();
        self.state().committers += 1;
    }

    /// Takes the next batch, if its bytes are not more than `bytes_max`, and makes room.
    pub(super) fn take(&self, bytes_max: usize) -> Option<Batch> {
        let mut state = self.state();
        if state.batches.front()?.bytes.len() > bytes_max {
            return None;
        }
        let batch = state.batches.pop_front()?;
        state.bytes -= batch.bytes.len();
        state.events -= batch.entries.len();
        self.made_room(state);
        Some(batch)
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
        for waker in wakers {
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

impl Waiting {
    fn check_open(&self) -> Result<()> {
        self.ended.clone().map_or(Ok(()), Err)
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

    /// Whether to wake a committer that waits: one at once where none is at work; one more where so much waits that it
    /// pays to prepare the next commit while the last one syncs.
    fn wants_committer(&self) -> bool {
        let waiting = self.committers_waiting.saturating_sub(self.woken);
        waiting > 0 && (waiting >= self.committers || self.events >= EVENTS_FOR_SECOND_COMMITTER)
    }
}

/// How many bytes of lines make a batch.
const BATCH_BYTES: usize = 1024 * 1024;

/// Batches that are kept for use again.
const SPARE_BATCHES: usize = 4;

/// From so many waiting events on, a second committer saves more than its wake-up costs.
const EVENTS_FOR_SECOND_COMMITTER: usize = 16;

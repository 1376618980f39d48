//! A sink at work, as others see it: what is asked of its worker, and how far that has come.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::known::Known;
use super::state::{Numbers, SinkState};
use crate::timestamp::Timestamp;

/// A sink at work.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) name: String,
    control: Mutex<Control>,
    changed: Condvar,
    numbers: Mutex<Numbers>,
    /// The worker has come further, or has ended.
    moved: Condvar,
}

/// What is asked of a worker.
#[derive(Debug, Default)]
struct Control {
    is_paused: bool,
    /// Try again now.
    is_hurried: bool,
    /// Deliver what there is, but only until then.
    stop_by: Option<Instant>,
    has_ended: bool,
}

impl Running {
    pub(super) fn new(name: &str, position: u64) -> Self {
        Self {
            name: name.to_owned(),
            control: Mutex::default(),
            changed: Condvar::new(),
            numbers: Mutex::new(Numbers::at(position)),
            moved: Condvar::new(),
        }
    }

    fn control(&self) -> MutexGuard<'_, Control> {
        self.control.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn numbers(&self) -> MutexGuard<'_, Numbers> {
        self.numbers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut Control)) {
        change(&mut self.control());
        self.changed.notify_all();
    }
}

/// What others ask.
impl Running {
    pub(super) fn pause(&self) {
        self.change(|control| control.is_paused = true);
    }

    pub(super) fn resume(&self) {
        self.change(|control| (control.is_paused, control.is_hurried) = (false, true));
    }

    /// Ends the worker: once it has delivered what there is, or fails, or at this time.
    pub(super) fn stop_by(&self, time: Instant) {
        self.change(|control| control.stop_by = Some(time));
    }

    pub(super) fn state(&self, size: u64, now: Timestamp) -> SinkState {
        let is_paused = self.control().is_paused;
        self.numbers().state(&self.name, is_paused, size, now)
    }

    /// Waits until every record before `seq` is delivered, at most so long, and tells whether it is.
    pub(super) fn wait_delivered(&self, seq: u64, limit: Duration) -> bool {
        let numbers = self.numbers();
        let is_before = |numbers: &mut Numbers| !numbers.await_beyond(seq) && !self.has_ended();
        let waited = self.moved.wait_timeout_while(numbers, limit, is_before);
        waited.unwrap_or_else(PoisonError::into_inner).0.is_beyond(seq)
    }

    /// Waits until the worker has ended, at most until then, and tells whether it has.
    pub(super) fn wait_ended(&self, by: Instant) -> bool {
        let limit = by.saturating_duration_since(Instant::now());
        let waited = self
            .changed
            .wait_timeout_while(self.control(), limit, |control| !control.has_ended);
        waited.unwrap_or_else(PoisonError::into_inner).0.has_ended
    }

    /// How far it has come.
    pub(super) fn known(&self) -> Known {
        Known::at_work(&self.numbers())
    }

    pub(super) fn has_ended(&self) -> bool {
        self.control().has_ended
    }
}

/// What the worker asks.
impl Running {
    /// Whether it is to stop once all is delivered.
    pub(super) fn is_stopping(&self) -> bool {
        self.control().stop_by.is_some()
    }

    /// Whether it is to begin nothing.
    pub(super) fn is_paused(&self) -> bool {
        self.control().is_paused
    }

    /// Whether it is not to wait for the log any longer.
    pub(super) fn is_interrupted(&self) -> bool {
        let control = self.control();
        control.is_paused || control.stop_by.is_some()
    }

    /// Whether it is to deliver. While it is paused, this waits, and does `rest` once a second; `false` where it is to end
    /// now.
    pub(super) fn may_go_on(&self, mut rest: impl FnMut()) -> bool {
        let is_waiting = |control: &mut Control| control.is_paused && control.stop_by.is_none();
        let mut control = self.control();
        while is_waiting(&mut control) {
            drop(control);
            rest();
            let waited = self.changed.wait_timeout_while(self.control(), REST, is_waiting);
            control = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        // One that is paused delivers nothing when the log is closed either.
        !control.is_paused && control.stop_by.is_none_or(|by| Instant::now() < by)
    }

    /// Waits so long, but not where it is to try again now or to stop; tells whether it was told to try again.
    pub(super) fn wait(&self, pause: Duration) -> bool {
        let is_waiting = |control: &mut Control| !control.is_hurried && control.stop_by.is_none();
        let waited = self.changed.wait_timeout_while(self.control(), pause, is_waiting);
        std::mem::take(&mut waited.unwrap_or_else(PoisonError::into_inner).0.is_hurried)
    }

    /// Lets it see what the numbers are now. Who waits for them is woken once they are there: a batch counts some times.
    pub(super) fn count(&self, count: impl FnOnce(&mut Numbers)) {
        let mut numbers = self.numbers();
        count(&mut numbers);
        if numbers.take_awaited() {
            drop(numbers);
            self.moved.notify_all();
        }
    }

    pub(super) fn end(&self) {
        self.change(|control| control.has_ended = true);
        // Who waits for its position has seen neither.
        drop(self.numbers());
        self.moved.notify_all();
    }
}

/// How often one that is paused looks how far it lags behind.
const REST: Duration = Duration::from_secs(1);

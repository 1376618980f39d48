//! Exports every hour or day: each series on a thread of its own, from where the manifests at its destination end.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use super::shared::Shared;
use super::signers::Signers;
use crate::error::{Error, Result};
use crate::export::Every;
use crate::export::position::{Position, Series};
use crate::timestamp::Timestamp;

/// How far the exports of a series have come: see [`Builder::export_every`](crate::Builder::export_every).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ExportState {
    /// Where they go, as it prints itself.
    pub destination: String,
    /// The first record that is not exported. After an opening it is what the last process remembered, until the
    /// destination has answered.
    pub position: u64,
    /// When the last one began, by the clock of the log; `None` without any.
    pub exported_at: Option<Timestamp>,
    /// How many were made since the log was opened.
    pub exports: u64,
    /// How often it failed since the last one.
    pub failures: u32,
    /// The last failure.
    pub last_error: Option<Error>,
}

/// The series of a log.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    all: Vec<Scheduled>,
    /// How many threads there are.
    running: Mutex<usize>,
    stopped: Condvar,
}

/// One series.
#[derive(Debug)]
struct Scheduled {
    every: Every,
    series: Series,
    id: String,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    position: Position,
    exports: u64,
    failures: u32,
    last_error: Option<Error>,
}

impl Schedule {
    /// The series, as far as `folder` remembers how far they have come.
    pub(super) fn new(series: &[(Every, Series)], folder: Option<&Path>) -> Self {
        let scheduled = |(every, series): &(Every, Series)| {
            let id = series.id();
            let position = folder.map_or_else(Position::default, |folder| Position::read(folder, &id));
            Scheduled {
                every: *every,
                series: series.clone(),
                id,
                state: Mutex::new(State {
                    position,
                    ..State::default()
                }),
            }
        };
        Self {
            all: series.iter().map(scheduled).collect(),
            ..Self::default()
        }
    }

    pub(super) fn count(&self) -> usize {
        self.all.len()
    }

    pub(super) fn states(&self) -> Vec<ExportState> {
        self.all.iter().map(Scheduled::state_of).collect()
    }

    /// What each series is, and the first record that it has not exported: a purge waits for it.
    pub(super) fn positions(&self) -> impl Iterator<Item = (String, u64)> {
        let position = |scheduled: &Scheduled| {
            let name = format!("the export to {}", scheduled.series.destination);
            (name, scheduled.state().position.seq)
        };
        self.all.iter().map(position)
    }

    /// Waits until no export is under way, at most so long.
    pub(super) fn wait_stopped(&self, limit: Duration) {
        let running = self.running();
        drop(self.stopped.wait_timeout_while(running, limit, |running| *running > 0));
    }

    /// A thread for a series is about to begin.
    pub(super) fn begins(&self) {
        *self.running() += 1;
    }

    fn ends(&self) {
        *self.running() -= 1;
        self.stopped.notify_all();
    }

    fn running(&self) -> MutexGuard<'_, usize> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Checks the series of a log.
pub(super) fn check(series: &[(Every, Series)]) -> Result<()> {
    let mut ids = BTreeSet::new();
    for (_, series) in series {
        series.check()?;
        if !ids.insert(series.id()) {
            let problem = format!("the same is exported to {} twice", series.destination);
            return Err(Error::configuration("export_every", problem));
        }
    }
    Ok(())
}

/// The thread of a series.
pub(super) fn run(shared: &Shared, at: usize) {
    if let Some(scheduled) = shared.schedule.all.get(at) {
        let mut pause = Duration::ZERO;
        while wait(shared, pause) {
            pause = scheduled.look(shared);
        }
    }
    shared.schedule.ends();
}

/// Waits so long; `false` once the log is closing.
fn wait(shared: &Shared, pause: Duration) -> bool {
    let began = Instant::now();
    while !shared.is_closing() {
        let left = pause.saturating_sub(began.elapsed());
        if left.is_zero() {
            return true;
        }
        shared.pause(left.min(LOOK_EVERY), shared.close_by());
    }
    false
}

impl Scheduled {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn state_of(&self) -> ExportState {
        let state = self.state();
        ExportState {
            destination: self.series.destination.to_string(),
            position: state.position.seq,
            exported_at: state.position.exported_at,
            exports: state.exports,
            failures: state.failures,
            last_error: state.last_error.clone(),
        }
    }

    /// Exports if that is due, and says when to look again.
    fn look(&self, shared: &Shared) -> Duration {
        let done = catch_unwind(AssertUnwindSafe(|| self.export_due(shared))).unwrap_or_else(|_| {
            let panicked = std::io::Error::other("it panicked");
            Err(Error::export(
                "export to",
                Path::new(&self.series.destination.to_string()),
                panicked,
            ))
        });
        match done {
            Ok(()) => LOOK_EVERY,
            Err(_) if shared.is_closing() => Duration::ZERO,
            Err(error) => {
                let mut state = self.state();
                state.failures = state.failures.saturating_add(1);
                state.last_error = Some(error.clone());
                let pause = backoff(state.failures, shared.entropy.random().unwrap_or_default());
                drop(state);
                shared.tell_later(&error);
                pause
            }
        }
    }

    fn export_due(&self, shared: &Shared) -> Result<()> {
        // Where the position is beyond the log, what is remembered is wrong.
        if !self.is_due(shared.options.clock.now()) || self.state().position.seq == size(shared) {
            return Ok(());
        }
        self.learn(shared)?;
        let position = self.state().position.clone();
        let (from, to) = (position.seq, size(shared));
        if !self.is_due(shared.options.clock.now()) || from >= to {
            return Ok(());
        }
        let export = self.series.export(from, to);
        shared.export(&export, &self.series.destination, Some(position.next))?;
        self.learn(shared)?;
        let mut state = self.state();
        state.exports += 1;
        state.failures = 0;
        Ok(())
    }

    /// Whether a period has ended since the last export began. Where that is more than a period ahead, the clock was set
    /// back since, and what it will be then is not waited for.
    fn is_due(&self, now: SystemTime) -> bool {
        let period = |at: Timestamp| at.unix_micros().div_euclid(self.every.micros());
        let (exported_at, now) = (self.state().position.exported_at.map(period), period(now.into()));
        exported_at.is_none_or(|exported_at| exported_at < now || exported_at > now + 1)
    }

    /// Asks the destination how far it has come, and remembers that.
    fn learn(&self, shared: &Shared) -> Result<()> {
        let known = self.state().position.clone();
        let mut signers = Signers::new(shared);
        let goes_on = || !shared.is_closing();
        let mut open = |address: &Path, note: &str| signers.open(address, note);
        let position = self.series.learn(&known, size(shared), &goes_on, &mut open)?;
        if position != known {
            if let Some(folder) = shared.store.folder() {
                position.write(&folder, &self.id)?;
            }
            self.state().position = position;
        }
        Ok(())
    }
}

/// How many records are durable.
fn size(shared: &Shared) -> u64 {
    let newest = shared.follow.newest();
    newest.map_or(0, |newest| newest.checkpoint().size())
}

/// How long to wait after so many failures: twice as long each time, and of that a random part from the half on.
fn backoff(failures: u32, random: [u8; 2]) -> Duration {
    let longest = FIRST_PAUSE
        .saturating_mul(1 << failures.saturating_sub(1).min(16))
        .min(PAUSE_MAX);
    let part = f64::from(u16::from_le_bytes(random)) / f64::from(u16::MAX);
    longest.mul_f64(0.5 + part / 2.0)
}

/// How often it is looked whether an export is due.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How long the first failure is waited for, and the longest pause.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(300);

/// How long the end of the log waits for an export that is under way to give up.
pub(super) const STOPPING_MAX: Duration = Duration::from_secs(2);

//! Waiting after a failure, and telling the log of it.

use std::time::{Duration, Instant};

use super::Worker;
use crate::sink::backoff;
use crate::sink::failed::Failed;

impl Worker {
    /// Delivery goes on.
    pub(super) fn recovered(&mut self) {
        let position = self.progress.next();
        self.untold.extend(self.troubles.delivered(position));
    }

    /// Waits after a failure.
    pub(super) fn pause(&mut self, failed: Failed) {
        let now = self.host.now();
        if !failed.is_elsewhere {
            self.troubles.failed(failed.problem.clone(), failed.is_held, now);
        }
        self.running
            .count(|numbers| numbers.failed(failed.problem, failed.is_held, now));
        let random = self.host.random();
        let pause = match failed.pause {
            Some(pause) => backoff::asked(pause),
            None if failed.is_elsewhere => ELSEWHERE,
            None if failed.is_held => backoff::pause(self.troubles.failures(), random).max(HELD_MIN),
            None => backoff::pause(self.troubles.failures(), random),
        };
        let began = Instant::now();
        loop {
            self.tell();
            let left = pause.saturating_sub(began.elapsed());
            let wait = self.troubles.due_within().unwrap_or(left).min(left);
            if self.running.wait(wait) {
                self.refused = 0;
                return;
            }
            if left.is_zero() || self.running.is_stopping() {
                return;
            }
        }
    }

    /// Tells the log what it is to be told. What it does not take now, it is told later.
    pub(super) fn tell(&mut self) {
        self.untold.retain(|report| !self.host.report(report));
        if let Some(report) = self.troubles.due(self.progress.next())
            && self.host.report(&report)
        {
            self.troubles.is_told(&report);
        }
        let failing = self.troubles.told_since();
        if self.has_begun && self.untold.is_empty() && failing != self.progress.failing() {
            // Where it is not remembered, it is told again after a restart.
            let _ = self.progress.tell_failing(failing);
        }
    }

    /// The same when the worker ends: nothing is put off any longer.
    pub(super) fn tell_last(&mut self) {
        self.tell();
        if let Some(report) = self.troubles.due_at_last() {
            self.host.report(&report);
        }
    }
}

/// How soon what is misconfigured is tried again.
const HELD_MIN: Duration = Duration::from_secs(5);

/// How soon it is tried to take over from another process.
const ELSEWHERE: Duration = Duration::from_millis(500);

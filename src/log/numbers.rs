//! The state of a log as numbers: what a readiness probe asks.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::schedule::ExportState;
use crate::error::Error;
use crate::retention::{RetentionReport, Taken};
use crate::sink::SinkState;
use crate::timestamp::Timestamp;

/// The state of a log.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct LogState {
    /// How many records are durable.
    pub size: u64,
    /// How many events wait for a commit.
    pub queued_events: usize,
    /// How many bytes they take.
    pub queued_bytes: usize,
    /// How many commits were made since the log was opened.
    pub commits: u64,
    /// How many records they had.
    pub records: u64,
    /// How many bytes they took.
    pub bytes: u64,
    /// How long the last commit took, from its signature to its sync.
    pub last_commit: Duration,
    /// How many events were not recorded though they were in the queue, and nobody held their ticket.
    pub lost_unseen: u64,
    /// What retention has done since the log was opened.
    pub retention: RetentionState,
    /// The last failure of the signer, the store, a retention or the second place.
    pub last_error: Option<Error>,
    /// The exports that it makes by itself, in the order of [`Builder::export_every`](crate::Builder::export_every).
    /// They do not decide on `healthy`.
    pub exports: Vec<ExportState>,
    /// The sinks, in the order in which they were added. They do not decide on `healthy` either.
    pub sinks: Vec<SinkState>,
    /// Whether the log takes events, neither signer nor store failed since the last commit, and the second place was
    /// written at the last try.
    pub healthy: bool,
}

/// What retention has done since the log was opened, by call and in the background.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetentionState {
    /// How many runs came to their end.
    pub runs: u64,
    /// The time by which the last one judged.
    pub last_run: Option<Timestamp>,
    /// How many records retention took, also in runs that failed later or still go on.
    pub taken: u64,
    /// How many of them a sink or an export had not got.
    pub dropped: u64,
    /// How many records were over after the last run, and stayed for a legal hold.
    pub held: u64,
    /// How many records were over after the last run, and stayed for a sink or an export.
    pub waiting: u64,
    /// How many records the last run left.
    pub left: u64,
}

#[derive(Debug, Default)]
pub(super) struct Numbers {
    size: AtomicU64,
    commits: AtomicU64,
    records: AtomicU64,
    bytes: AtomicU64,
    last_commit_nanos: AtomicU64,
    lost_unseen: AtomicU64,
    retention: Mutex<RetentionState>,
    failures: Mutex<Failures>,
}

#[derive(Debug, Default)]
struct Failures {
    last: Option<Error>,
    /// The signer or the store failed since the last commit.
    unhealthy: bool,
    /// The second place could not be written at the last try.
    place: bool,
}

impl Numbers {
    pub(super) fn new(size: u64) -> Self {
        Self {
            size: size.into(),
            ..Self::default()
        }
    }

    pub(super) fn size(&self) -> u64 {
        self.size.load(Relaxed)
    }

    pub(super) fn committed(&self, size: u64, records: usize, bytes: usize, took: Duration) {
        self.size.store(size, Relaxed);
        self.commits.fetch_add(1, Relaxed);
        self.records.fetch_add(records as u64, Relaxed);
        self.bytes.fetch_add(bytes as u64, Relaxed);
        self.last_commit_nanos
            .store(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX), Relaxed);
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).unhealthy = false;
    }

    /// How long the last commit took.
    pub(super) fn last_commit(&self) -> Duration {
        Duration::from_nanos(self.last_commit_nanos.load(Relaxed))
    }

    /// Another writer was at the store.
    pub(super) fn continued(&self, size: u64) {
        self.size.store(size, Relaxed);
    }

    pub(super) fn failed(&self, error: &Error) {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        failures.last = Some(error.clone());
        failures.unhealthy = true;
    }

    /// What became of the last try to write the second place.
    pub(super) fn placed(&self, result: Result<(), Error>) {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        failures.place = result.is_err();
        if let Err(error) = result {
            failures.last = Some(error);
        }
    }

    /// A step of a retention is done.
    pub(super) fn took(&self, taken: &Taken) {
        let mut state = self.retention.lock().unwrap_or_else(PoisonError::into_inner);
        state.taken += taken.records();
        state.dropped += taken.dropped.iter().map(|(from, to)| to - from + 1).sum::<u64>();
    }

    /// A run of a retention came to its end.
    pub(super) fn retained(&self, report: &RetentionReport) {
        let mut state = self.retention.lock().unwrap_or_else(PoisonError::into_inner);
        state.runs += 1;
        state.last_run = Some(report.at);
        state.held = report.held.values().sum();
        (state.waiting, state.left) = (report.waiting, report.left);
    }

    pub(super) fn lost_unseen(&self) {
        self.lost_unseen.fetch_add(1, Relaxed);
    }

    pub(super) fn state(
        &self,
        (queued_events, queued_bytes): (usize, usize),
        open: bool,
        exports: Vec<ExportState>,
        sinks: Vec<SinkState>,
    ) -> LogState {
        let failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        LogState {
            size: self.size(),
            queued_events,
            queued_bytes,
            commits: self.commits.load(Relaxed),
            records: self.records.load(Relaxed),
            bytes: self.bytes.load(Relaxed),
            last_commit: self.last_commit(),
            lost_unseen: self.lost_unseen.load(Relaxed),
            retention: self.retention.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            last_error: failures.last.clone(),
            exports,
            sinks,
            healthy: open && !failures.unhealthy && !failures.place,
        }
    }
}

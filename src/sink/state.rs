//! The state of a sink as numbers.

use std::collections::VecDeque;
use std::io;
use std::time::{Duration, Instant};

use super::delivery::Problem;
use super::progress::Progress;
use crate::timestamp::Timestamp;

/// How far a sink has come: see [`LogState::sinks`](crate::LogState::sinks).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SinkState {
    /// Its name.
    pub name: String,
    /// The first record that was not delivered.
    pub position: u64,
    /// The first record that the target may still lose ([`Sink::unconfirmed`](super::Sink::unconfirmed)), else `position`.
    /// After a crash delivery begins here, and a purge waits for it.
    pub confirmed: u64,
    /// How many durable records there are from there on. For one with a filter, not all of them are for it.
    pub lag_records: u64,
    /// How long ago the oldest record that it has not got was recorded; zero where it has all.
    pub lag: Duration,
    /// Records that it got a second, over the last ten seconds.
    pub rate: f64,
    /// How many records it has got since the log was opened. What was sent again counts again.
    pub delivered: u64,
    /// In how many batches.
    pub batches: u64,
    /// How many batches failed and were, or are, tried again.
    pub retries: u64,
    /// How many records its target refused for good. They stand in `sinks/NAME.rejected.jsonl`.
    pub rejected: u64,
    /// How many records were purged before it had got them.
    pub purged: u64,
    /// The size of the last checkpoint that it has got; 0 before the first one.
    pub checkpoint: u64,
    /// Since when nothing is delivered though there is something to deliver; `None` where all is well.
    pub failing_since: Option<Timestamp>,
    /// How long the batch that is on its way is under way.
    pub under_way: Option<Duration>,
    /// The last failure, also one that is over.
    pub last_error: Option<Problem>,
    /// Whether something is misconfigured and delivery waits for that to be mended.
    pub is_held: bool,
    /// Whether it is paused.
    pub is_paused: bool,
}

/// What a worker counts.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    /// It is known where the sink begins.
    pub(super) has_begun: bool,
    pub(super) position: u64,
    pub(super) confirmed: u64,
    /// The first record that it was never given.
    pub(super) had: u64,
    /// Records may be in memory to be delivered, as they were when they were read.
    pub(super) has_read: bool,
    pub(super) delivered: u64,
    pub(super) batches: u64,
    pub(super) retries: u64,
    pub(super) rejected: u64,
    pub(super) purged: u64,
    pub(super) checkpoint: u64,
    pub(super) failing_since: Option<Timestamp>,
    pub(super) under_way: Option<Instant>,
    pub(super) last_error: Option<Problem>,
    pub(super) is_held: bool,
    /// When the oldest record that is to be delivered was recorded.
    pub(super) oldest: Option<Timestamp>,
    /// The first position that somebody waits for.
    awaited: Option<u64>,
    rate: Rate,
}

impl Numbers {
    /// Those of a sink that begins at a record.
    pub(super) fn at(position: u64) -> Self {
        Self {
            position,
            confirmed: position,
            ..Self::default()
        }
    }

    /// Whether every record before `seq` is delivered.
    pub(super) fn is_beyond(&self, seq: u64) -> bool {
        self.has_begun && self.position >= seq
    }

    /// The same for who waits until it is so.
    pub(super) fn await_beyond(&mut self, seq: u64) -> bool {
        let is_beyond = self.is_beyond(seq);
        if !is_beyond {
            self.awaited = Some(self.awaited.map_or(seq, |awaited| awaited.min(seq)));
        }
        is_beyond
    }

    /// Whether somebody waits for what is so now. Who still waits then says so again.
    pub(super) fn take_awaited(&mut self) -> bool {
        let is_there = self.awaited.is_some_and(|seq| self.is_beyond(seq));
        if is_there {
            self.awaited = None;
        }
        is_there
    }

    pub(super) fn moved(&mut self, progress: &Progress) {
        self.has_begun = true;
        (self.position, self.confirmed, self.had) = (progress.next(), progress.confirmed(), progress.had());
    }

    /// The same, after it was tried to save it.
    pub(super) fn saved(&mut self, progress: &Progress, saved: io::Result<()>) {
        self.moved(progress);
        if let Err(error) = saved {
            self.last_error = Some(Problem::new(format!("the position cannot be saved: {error}")));
        }
    }

    pub(super) fn delivered(&mut self, records: u64) {
        self.delivered += records;
        self.batches += 1;
        self.rate.add(Instant::now(), records);
        self.recovered();
    }

    pub(super) fn recovered(&mut self) {
        (self.failing_since, self.is_held) = (None, false);
    }

    pub(super) fn failed(&mut self, problem: Problem, is_held: bool, now: Timestamp) {
        self.retries += 1;
        self.failing_since.get_or_insert(now);
        (self.last_error, self.is_held) = (Some(problem), is_held);
    }

    /// The state, in a log of `size` records.
    pub(super) fn state(&self, name: &str, is_paused: bool, size: u64, now: Timestamp) -> SinkState {
        let lag_records = size.saturating_sub(self.position);
        let oldest = self.oldest.filter(|_| lag_records > 0);
        let lag = oldest.map_or(0, |oldest| now.unix_micros().saturating_sub(oldest.unix_micros()));
        SinkState {
            name: name.to_owned(),
            position: self.position,
            confirmed: self.confirmed,
            lag_records,
            lag: Duration::from_micros(u64::try_from(lag).unwrap_or(0)),
            rate: self.rate.a_second(Instant::now()),
            delivered: self.delivered,
            batches: self.batches,
            retries: self.retries,
            rejected: self.rejected,
            purged: self.purged,
            checkpoint: self.checkpoint,
            failing_since: self.failing_since,
            under_way: self.under_way.map(|began| began.elapsed()),
            last_error: self.last_error.clone(),
            is_held: self.is_held,
            is_paused,
        }
    }
}

/// How many came in the last seconds.
#[derive(Debug, Default)]
struct Rate(VecDeque<(Instant, u64)>);

impl Rate {
    fn add(&mut self, now: Instant, count: u64) {
        match self.0.back_mut() {
            Some((began, sum)) if now.duration_since(*began) < PART => *sum += count,
            _ => self.0.push_back((now, count)),
        }
        while self
            .0
            .front()
            .is_some_and(|(began, _)| now.duration_since(*began) > WINDOW)
        {
            self.0.pop_front();
        }
    }

    fn a_second(&self, now: Instant) -> f64 {
        let recent = self.0.iter().filter(|(began, _)| now.duration_since(*began) <= WINDOW);
        let sum: u64 = recent.map(|(_, count)| count).sum();
        #[expect(clippy::cast_precision_loss, reason = "nobody counts so many in ten seconds")]
        let sum = sum as f64;
        sum / WINDOW.as_secs_f64()
    }
}

const WINDOW: Duration = Duration::from_secs(10);

const PART: Duration = Duration::from_millis(500);

//! The time of the log: what `recorded_at` is when the clock stands still, jumps or steps back (FORMAT §2).

use std::fmt;
use std::time::{Duration, SystemTime};

use crate::timestamp::Timestamp;

/// Says what time it is. The system's clock, unless a test puts another in its place.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// The time now.
    fn now(&self) -> SystemTime;
}

/// The clock of the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }
}

/// What a record gets as `recorded_at`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Instant {
    /// This.
    At(Timestamp),
    /// The clock stepped back so far that it must be said first: the record that says so has this time, earlier than
    /// the record before it.
    SteppedBack { now: Timestamp, by: Duration },
}

/// The time for a record that is taken `now`, after one of `last`.
pub(super) fn record_time(now: SystemTime, last: Option<Timestamp>) -> Instant {
    let now = Timestamp::from(now);
    let Some(last) = last else { return Instant::At(now) };
    let behind = last.unix_micros().saturating_sub(now.unix_micros());
    match u64::try_from(behind) {
        Err(_) | Ok(0) => Instant::At(now),
        Ok(behind) if behind <= STEP_BACK_MAX_MICROS => Instant::At(last),
        Ok(behind) => Instant::SteppedBack {
            now,
            by: Duration::from_micros(behind),
        },
    }
}

/// A clock that steps back by up to a minute repeats the last value (FORMAT §2).
const STEP_BACK_MAX_MICROS: u64 = 60_000_000;

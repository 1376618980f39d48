//! Where records are delivered: the [`Sink`] trait, and a sink that writes them to a file.
//!
//! A sink takes batches and says what became of each. It never holds up an append: whoever drives it reads the log from
//! a position of its own, and moves that position only past what was delivered. So each record arrives at least once,
//! in order.
//!
//! Nothing in this version drives a sink: a host reads the log itself ([`LogReader`](crate::LogReader)), calls
//! [`Sink::deliver`] with what it has read, and keeps its position.

mod file;

use std::fmt;
use std::time::{Duration, SystemTime};

use crate::checkpoint::SignedCheckpoint;
use crate::record::Record;

pub use file::FileSink;

/// A target of delivery.
///
/// ```
/// use indelible::sink::{Batch, Delivery, Sink};
///
/// /// Counts what it gets.
/// #[derive(Debug, Default)]
/// struct Count(usize);
///
/// impl Sink for Count {
///     fn name(&self) -> &str {
///         "count"
///     }
///
///     fn deliver(&mut self, batch: &Batch<'_>) -> Delivery {
///         self.0 += batch.records.len();
///         Delivery::Delivered
///     }
/// }
/// ```
pub trait Sink: fmt::Debug + Send {
    /// What its position and its errors are called: short, the same after a restart, and its own among the sinks of a
    /// log.
    fn name(&self) -> &str;

    /// How large a batch it takes.
    fn limits(&self) -> BatchLimits {
        BatchLimits::default()
    }

    /// Delivers a batch, and returns once the target has taken it. It is called from one thread at a time, and again
    /// with the same records where it says so, or after a crash.
    fn deliver(&mut self, batch: &Batch<'_>) -> Delivery;
}

/// Records in order.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Batch<'a> {
    /// The records; at least one.
    pub records: &'a [Record],
    /// The newest checkpoint, where it is due to be delivered too: with it, the target can tell a log that was cut off.
    pub checkpoint: Option<&'a SignedCheckpoint>,
}

impl<'a> Batch<'a> {
    /// A batch of these records.
    pub fn new(records: &'a [Record], checkpoint: Option<&'a SignedCheckpoint>) -> Self {
        Self { records, checkpoint }
    }
}

/// How large a batch may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct BatchLimits {
    /// Records, at most.
    pub records_max: usize,
    /// Bytes of their lines, at most.
    pub bytes_max: usize,
}

impl BatchLimits {
    /// At most so many records, of so many bytes.
    pub const fn new(records_max: usize, bytes_max: usize) -> Self {
        Self { records_max, bytes_max }
    }
}

impl Default for BatchLimits {
    /// 1,000 records, 1 MiB.
    fn default() -> Self {
        Self::new(1_000, 1024 * 1024)
    }
}

/// What became of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Delivery {
    /// The target has all of it.
    Delivered,
    /// The target has the first so many records. The rest is delivered again.
    Partly {
        /// How many.
        delivered: usize,
    },
    /// The batch is too large for the target: it is halved.
    Split,
    /// The target asks for a pause.
    Throttled {
        /// Until when, if it says so.
        until: Option<SystemTime>,
    },
    /// It failed, and may work later.
    Retry {
        /// What failed, in words.
        problem: String,
        /// When it is tried again, if the target says so.
        after: Option<Duration>,
    },
    /// Something is misconfigured: credentials, a permission, a target that is missing. Delivery keeps its place and
    /// alarms.
    Hold {
        /// What, in words.
        problem: String,
    },
    /// The target will never take some of the records. The others are delivered.
    Rejected {
        /// Which, and why.
        records: Vec<Rejection>,
    },
}

/// A record that a target will never take.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rejection {
    /// Its place in the batch, from 0.
    pub index: usize,
    /// The target's reason, in words.
    pub problem: String,
}

impl Rejection {
    /// The record at `index` of the batch, refused for `problem`.
    pub fn new(index: usize, problem: impl Into<String>) -> Self {
        Self {
            index,
            problem: problem.into(),
        }
    }
}

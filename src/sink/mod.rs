//! Where records are delivered: the [`Sink`] trait, what it is given and what it answers, and the [`Feed`] that drives it.
//!
//! The log is the queue. Each sink has a worker on a thread of its own, which reads the log from the sink's own saved
//! position, puts what it reads into the [`Form`] that the sink is to get, and delivers it batch by batch: at once while
//! the sink is idle, and as much as has come meanwhile under load. The saved position moves only past what the target has
//! taken and cannot lose any more.
//! So each record arrives at least once, in order, over restarts and crashes; a target that hangs for days costs neither
//! the appends nor the other sinks anything, and gets the rest afterwards.
//!
//! What a target answers is one of the few cases of [`Delivery`]. None of them drops a record: one that the target will
//! never take is set aside in `sinks/NAME.rejected.jsonl`, with the answer, and the rest goes on.
//!
//! An outage is recorded in the log, once: `audit_log.delivery.failed` when it has lasted ten seconds or something is
//! misconfigured, and `audit_log.delivery.recovered` when it is over.
//!
//! ```
//! use std::sync::{Arc, Mutex};
//! use std::time::Duration;
//! use indelible::sink::{Batch, Delivery, Feed, Sink};
//! use indelible::{Actor, AuditLog, Event, FileStore, action};
//!
//! /// Keeps what it gets, as a target of your own would.
//! #[derive(Debug, Default, Clone)]
//! struct Kept(Arc<Mutex<Vec<String>>>);
//!
//! impl Sink for Kept {
//!     fn deliver(&mut self, batch: &Batch<'_>) -> Delivery {
//!         let Ok(mut kept) = self.0.lock() else {
//!             return Delivery::retry("the list is locked");
//!         };
//!         kept.extend(batch.messages.iter().map(|message| message.text().to_owned()));
//!         Delivery::Delivered
//!     }
//! }
//!
//! # let folder = tempfile::tempdir()?;
//! # let folder = folder.path();
//! let kept = Kept::default();
//! let log = AuditLog::builder("auth.example.com/audit")
//!     .key_file(folder.join("audit.key"))
//!     .sink(Feed::new("kept", kept.clone()).without_personal_data())
//!     .open(FileStore::new(folder.join("audit")))?;
//! let receipt = log.append(Event::new(action::AUTH_LOGIN_FAILED).actor(Actor::user("usr_alice123")))?;
//!
//! log.flush_sinks(Duration::from_secs(10))?;
//! assert!(kept.0.lock().unwrap().iter().any(|text| text.contains(&receipt.hash.to_string())));
//! assert_eq!(log.state().sinks[0].lag_records, 0);
//! # log.close(Duration::from_secs(5))?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#[cfg(feature = "azure")]
mod azure;
mod backoff;
mod batch;
mod begin;
#[cfg(feature = "cloudwatch")]
mod cloudwatch;
#[cfg(feature = "datadog")]
mod datadog;
mod delivery;
mod failed;
mod feed;
mod feeds;
mod file;
#[cfg(feature = "google")]
pub(crate) mod google;
#[cfg(feature = "http")]
pub(crate) mod http;
mod intake;
mod known;
mod meanwhile;
mod message;
#[cfg(feature = "otlp")]
mod otlp;
mod position;
mod progress;
mod rejected;
mod report;
mod reports;
mod running;
mod secret;
mod ship;
#[cfg(feature = "splunk")]
mod splunk;
mod state;
#[cfg(feature = "syslog")]
mod syslog;
#[cfg(test)]
mod tests;
mod troubles;
#[cfg(feature = "webhook")]
pub(crate) mod webhook;
#[cfg(any(feature = "splunk", feature = "datadog"))]
mod window;
mod worker;

use std::fmt;
use std::time::Duration;

#[cfg(feature = "azure")]
pub use azure::{AzureCredentials, AzureMonitor};
pub use batch::{Batch, Encoded, Encoder};
#[cfg(feature = "cloudwatch")]
pub use cloudwatch::{AwsCredentials, AwsKeys, CloudWatch};
#[cfg(feature = "datadog")]
pub use datadog::Datadog;
pub use delivery::{Delivery, Problem, Rejection};
pub use feed::{Feed, Form};
pub use file::{FileSink, StdoutSink};
#[cfg(feature = "google")]
pub use google::{GoogleCredentials, GoogleLogging};
#[cfg(feature = "token")]
pub use http::Token;
#[cfg(feature = "http")]
pub use http::{HttpOptions, PrivateKeyPem};
pub use message::{Message, Summary};
#[cfg(feature = "otlp")]
pub use otlp::Otlp;
pub use secret::Secret;
pub use ship::Shipper;
#[cfg(feature = "splunk")]
pub use splunk::Splunk;
pub use state::SinkState;
#[cfg(feature = "syslog")]
pub use syslog::Syslog;
#[cfg(feature = "webhook")]
pub use webhook::Webhook;

pub(crate) use feeds::{Feeds, Host, check};
pub(crate) use rejected::erase_rejected;
pub(crate) use report::Report;
pub(crate) use reports::{leave, left};

/// A target of delivery.
///
/// Nothing is asked of it but to say truly what became of a batch. Waiting, trying again, halving, the position and the
/// limits are the worker's; a time limit on each step of its own is the sink's: while [`deliver`](Self::deliver) hangs, so
/// does this sink, and no other.
pub trait Sink: fmt::Debug + Send + 'static {
    /// Checks its settings, as far as that can be told before anything is delivered: no log is opened with a sink that fails
    /// here. A secret that is asked for each time is not asked for here.
    ///
    /// # Errors
    ///
    /// [`Cause::Configuration`](crate::Cause::Configuration) with the option that is wrong.
    fn check(&self) -> crate::error::Result<()> {
        Ok(())
    }

    /// How large a batch it takes.
    fn limits(&self) -> Limits {
        Limits::default()
    }

    /// How many bytes a message has in a batch, as [`Limits::bytes_max`] counts them: with all that is put around it.
    fn size_of(&self, message: &Message) -> usize {
        message.text().len()
    }

    /// Delivers a batch, and returns once the target has taken it or has said why not. It is called from one thread at a
    /// time, and again with the same messages where it says so, or after a crash.
    fn deliver(&mut self, batch: &Batch<'_>) -> Delivery;

    /// What makes that which is sent of a batch, for a sink that waits for answers: it has the next batch made meanwhile
    /// ([`Batch::meanwhile`]) and finds it there ([`Batch::encoded`]). A sink that hands its batches on to several others has
    /// none: each of them would find it, whosever it is.
    fn encoder(&self) -> Option<Box<dyn Encoder>> {
        None
    }

    /// The first record (its `seq`) of those delivered that the target may still lose, if there is one: for a target that
    /// takes what it is sent without saying when it has it. The saved position stays before it, so that after a crash of this
    /// process it is delivered again, and a purge waits for it. It is asked after each batch, and once a second meanwhile.
    ///
    /// While this process lives, it is the sink that sends such records again, before anything new.
    fn unconfirmed(&mut self) -> Option<u64> {
        None
    }

    /// Ends what is open, within a second, when the log is closed or the sink removed; nothing is delivered after it. What
    /// the target has confirmed by then, [`unconfirmed`](Self::unconfirmed) gives no more: then a restart delivers nothing
    /// twice.
    fn finish(&mut self) {}
}

/// How large a batch may be. It has no more than 100,000 messages and some 64 MiB of text in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Messages, at most.
    pub messages_max: usize,
    /// Bytes, as [`Sink::size_of`] counts them, at most. A message that alone has more is offered alone.
    pub bytes_max: usize,
    /// How far apart the first and the last of a batch may have been recorded, where that matters: then the times of a
    /// batch do not decrease either.
    pub span_max: Option<Duration>,
}

impl Limits {
    /// At most so many messages, of so many bytes.
    pub const fn new(messages_max: usize, bytes_max: usize) -> Self {
        Self {
            messages_max,
            bytes_max,
            span_max: None,
        }
    }

    /// Also recorded within so long, in the order of time.
    pub const fn within(mut self, span_max: Duration) -> Self {
        self.span_max = Some(span_max);
        self
    }

    /// How many of these messages, of which there is one, make the next batch.
    fn prefix<'a>(
        &self,
        messages: impl IntoIterator<Item = &'a Message>,
        size_of: impl Fn(&Message) -> usize,
    ) -> usize {
        let (mut count, mut bytes) = (0, 0_usize);
        let mut times: Option<(i64, i64)> = None;
        for message in messages {
            bytes = bytes.saturating_add(size_of(message));
            let time = message.recorded_at().unix_micros();
            let (first, last) = *times.get_or_insert((time, time));
            let is_apart = self.span_max.is_some_and(|span| {
                let span = i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
                time < last || time.saturating_sub(first) > span
            });
            if count > 0 && (count >= self.messages_max || bytes > self.bytes_max || is_apart) {
                break;
            }
            times = Some((first, time));
            count += 1;
        }
        count
    }
}

impl Default for Limits {
    /// 1,000 messages, 1,000,000 bytes.
    fn default() -> Self {
        Self::new(1_000, 1_000_000)
    }
}

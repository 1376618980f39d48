//! The sinks of a log in a process of their own, beside the service that writes it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::feeds::{Feeds, Host, check};
use super::report::Report;
use super::state::SinkState;
use super::{Feed, reports};
use crate::checkpoint::SignedCheckpoint;
use crate::error::{Cause, Result};
use crate::follow::Follower;
use crate::query::Query;
use crate::reader::LogReader;
use crate::record::Record;
use crate::timestamp::Timestamp;

/// Delivers the log of another process to sinks: within 50 ms of its commits, and with the feature `watch` as soon as Linux
/// tells of them.
///
/// Positions are in the folder of the log, where the writer's retention sees them; a sink of the same name is driven by one
/// process at a time, and the other waits. What there is to be recorded of deliveries is left in `sinks/reports/`, and the
/// writer records it within two seconds, or when it is opened next.
///
/// ```no_run
/// use std::time::Duration;
/// use indelible::sink::{Feed, FileSink, Shipper};
/// use indelible::{FileStore, LogReader};
///
/// let reader = LogReader::new(FileStore::new("audit"));
/// let shipper = Shipper::start(reader, [Feed::new("copy", FileSink::new("/mnt/copy/audit.jsonl"))])?;
/// while shipper.states()?.iter().all(|sink| !sink.is_held) {
///     std::thread::sleep(Duration::from_secs(1));
/// }
/// shipper.stop(Duration::from_secs(5))?;
/// # Ok::<(), indelible::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "it delivers until it is dropped"]
pub struct Shipper {
    reader: LogReader,
    feeds: Feeds,
}

impl Shipper {
    /// Begins to deliver. It need not wait for the log: that may begin later.
    ///
    /// # Errors
    ///
    /// [`Cause::Configuration`] for a feed that is none, or two of one name.
    pub fn start(reader: LogReader, feeds: impl IntoIterator<Item = Feed>) -> Result<Self> {
        let all: Vec<Feed> = feeds.into_iter().collect();
        check(&all)?;
        let shipper = Self {
            reader,
            feeds: Feeds::default(),
        };
        let size = shipper.size()?;
        for feed in all {
            let host = Read(shipper.reader.clone());
            shipper.feeds.start(feed, size, Arc::new(host))?;
        }
        Ok(shipper)
    }

    fn size(&self) -> Result<u64> {
        let newest = self.reader.checkpoint()?;
        Ok(newest.map_or(0, |newest| newest.checkpoint().size()))
    }

    /// The state of each sink, in the order in which they were given.
    ///
    /// # Errors
    ///
    /// Where the log cannot be read.
    pub fn states(&self) -> Result<Vec<SinkState>> {
        Ok(self.feeds.states(self.size()?, SystemTime::now().into()))
    }

    /// Waits until every sink has got all that is durable now.
    ///
    /// # Errors
    ///
    /// [`Cause::TimedOut`] where that takes longer than `limit`; where the log cannot be read.
    pub fn flush(&self, limit: Duration) -> Result<()> {
        let what = "delivering what is recorded";
        match self.feeds.flush(self.size()?, limit) {
            true => Ok(()),
            false => Err(Cause::TimedOut { what, limit }.into()),
        }
    }

    /// Tries again now with a sink that waits after a failure, or until something is mended.
    ///
    /// # Errors
    ///
    /// [`Cause::Configuration`] where there is no such sink.
    pub fn resume(&self, name: &str) -> Result<()> {
        self.feeds.resume(name)
    }

    /// Ends all sinks: each once it has delivered what there is, or fails, or at the end of that time. Positions are saved.
    ///
    /// # Errors
    ///
    /// [`Cause::TimedOut`] where one hangs: it ends with its last batch, or with this process.
    pub fn stop(self, limit: Duration) -> Result<()> {
        let what = "ending the sinks";
        match self.end(limit) {
            true => Ok(()),
            false => Err(Cause::TimedOut { what, limit }.into()),
        }
    }

    fn end(&self, limit: Duration) -> bool {
        self.feeds.stop(limit, HANGING_MAX, &|| {})
    }
}

impl Drop for Shipper {
    /// Ends all sinks after what is under way.
    fn drop(&mut self) {
        self.end(Duration::ZERO);
    }
}

/// The log as the sinks of another process see it.
struct Read(LogReader);

impl Host for Read {
    fn follow(&self, query: &Query) -> Result<Follower> {
        self.0.follow(query)
    }

    fn newest(&self) -> Result<Option<SignedCheckpoint>> {
        self.0.checkpoint()
    }

    fn record(&self, seq: u64) -> Result<Record> {
        self.0.record(seq)
    }

    fn folder(&self) -> Option<PathBuf> {
        self.0.store().folder()
    }

    fn now(&self) -> Timestamp {
        SystemTime::now().into()
    }

    fn random(&self) -> [u8; 4] {
        let mut random = [0; 4];
        // Without it, workers that failed together come back together, and late.
        getrandom::fill(&mut random).map_or([u8::MAX; 4], |()| random)
    }

    fn report(&self, report: &Report) -> bool {
        let folder = self.folder();
        folder.is_none_or(|folder| reports::leave(&folder, report).is_ok())
    }

    /// They ask twenty times a second.
    fn wake(&self) {}
}

/// How long a sink is waited for that hangs.
const HANGING_MAX: Duration = Duration::from_millis(500);

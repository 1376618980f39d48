//! The sinks of an open log.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::AuditLog;
use super::shared::Shared;
use crate::checkpoint::SignedCheckpoint;
use crate::error::{Cause, Result};
use crate::follow::Follower;
use crate::query::Query;
use crate::reader::record_at;
use crate::record::Record;
use crate::sink::{self, Feed, Host, Report};
use crate::timestamp::Timestamp;

impl AuditLog {
    /// Adds a sink, which begins to deliver at once: where its saved position is, else where the feed says.
    ///
    /// # Errors
    ///
    /// [`Cause::Configuration`] for a name that is none or is taken, or a filter that is of pages or of a range of `seq`;
    /// and where the log has ended.
    pub fn add_sink(&self, feed: Feed) -> Result<()> {
        let shared = &self.handle.shared;
        shared.queue.is_idle()?;
        shared.feeds.start(feed, shared.size(), Delivered::of(shared))
    }

    /// Ends a sink: it is given so long to deliver what there is. Its position stays saved, and a purge waits for it still:
    /// for one that does not come back, remove `sinks/NAME.position` too. One that is added again goes on from there; what the
    /// target may have lost ([`Sink::unconfirmed`](crate::sink::Sink::unconfirmed)), it gets again.
    ///
    /// # Errors
    ///
    /// [`Cause::Configuration`] where there is no such sink; [`Cause::TimedOut`] where it hangs: it ends with its last
    /// batch.
    pub fn remove_sink(&self, name: &str, limit: Duration) -> Result<()> {
        let host = Delivered::of(&self.handle.shared);
        match self.shared().feeds.remove(name, host.as_ref(), limit)? {
            true => Ok(()),
            false => Err(timed_out(limit)),
        }
    }

    /// Pauses a sink after its batch that is under way. Its place is kept, until this log is closed or it is resumed.
    ///
    /// # Errors
    ///
    /// [`Cause::Configuration`] where there is no such sink.
    pub fn pause_sink(&self, name: &str) -> Result<()> {
        let host = Delivered::of(&self.handle.shared);
        self.shared().feeds.pause(name, host.as_ref())
    }

    /// Resumes a sink that is paused. One that waits after a failure, or until something is mended, tries again now.
    ///
    /// # Errors
    ///
    /// [`Cause::Configuration`] where there is no such sink.
    pub fn resume_sink(&self, name: &str) -> Result<()> {
        self.shared().feeds.resume(name)
    }

    /// Waits until every sink has got all that is durable now: until it is delivered, also where the target may still lose it
    /// ([`SinkState::confirmed`](crate::sink::SinkState::confirmed)).
    ///
    /// # Errors
    ///
    /// [`Cause::TimedOut`] where that takes longer than `limit`: [`LogState::sinks`](crate::LogState::sinks) says which one
    /// lags. Nothing is lost: it goes on.
    pub fn flush_sinks(&self, limit: Duration) -> Result<()> {
        let shared = self.shared();
        match shared.feeds.flush(shared.size(), limit) {
            true => Ok(()),
            false => Err(timed_out(limit)),
        }
    }
}

fn timed_out(limit: Duration) -> crate::Error {
    let what = "delivering what is recorded";
    Cause::TimedOut { what, limit }.into()
}

impl Shared {
    /// Begins to deliver to the sinks that the log was opened with, of a log that had so many records before.
    pub(super) fn start_sinks(self: &Arc<Self>, before: u64) -> Result<()> {
        let feeds = std::mem::take(&mut *self.options.feeds());
        feeds
            .into_iter()
            .try_for_each(|feed| self.feeds.start(feed, before, Delivered::of(self)))
    }

    /// Ends the sinks: each once it has delivered what there is, if it does not fail, in most of the time that there is
    /// to close the log.
    pub(super) fn stop_sinks(&self) {
        let left = self.close_by().map(|by| by.saturating_duration_since(Instant::now()));
        let left = left.unwrap_or(self.options.drop_deadline);
        let (delivering, hanging) = (left.mul_f64(DELIVERING_PART), left.mul_f64(HANGING_PART));
        // One that hangs ends by itself.
        let _ = self.feeds.stop(delivering, hanging, &|| self.wake_followers());
    }

    /// Records what the sinks of other processes have left to be told.
    pub(super) fn record_reports(&self) {
        for left in self.store.folder().iter().flat_map(|folder| sink::left(folder)) {
            let event = left.report.event().id(&left.id);
            match self.submit(event).and_then(|ticket| ticket.wait()) {
                // One that cannot be removed is known again by its id.
                Ok(_) => _ = left.remove(),
                // One that no log takes keeps none of the others waiting.
                Err(error) if matches!(error.cause(), Cause::IdReused { .. } | Cause::InvalidEvent(_)) => {
                    _ = left.remove()
                }
                Err(_) => return,
            }
        }
    }
}

/// The log as its sinks see it.
struct Delivered(Arc<Shared>);

impl Delivered {
    fn of(shared: &Arc<Shared>) -> Arc<dyn Host> {
        Arc::new(Self(Arc::clone(shared)))
    }
}

impl Host for Delivered {
    fn follow(&self, query: &Query) -> Result<Follower> {
        Follower::of_log(Arc::clone(&self.0), query)
    }

    fn newest(&self) -> Result<Option<SignedCheckpoint>> {
        Ok(self.0.follow.newest())
    }

    fn record(&self, seq: u64) -> Result<Record> {
        record_at(self.0.store.as_ref(), seq, self.0.size())
    }

    fn folder(&self) -> Option<PathBuf> {
        self.0.store.folder()
    }

    fn now(&self) -> Timestamp {
        self.0.options.clock.now().into()
    }

    fn random(&self) -> [u8; 4] {
        // Without it, workers that failed together come back together, and late.
        self.0.entropy.random().unwrap_or([u8::MAX; 4])
    }

    fn report(&self, report: &Report) -> bool {
        match self.0.submit(report.event()) {
            Ok(_) => true,
            Err(error) if matches!(error.cause(), Cause::QueueFull { .. }) => false,
            // One that has ended records it when it is opened next.
            Err(_) => self.folder().is_none_or(|folder| sink::leave(&folder, report).is_ok()),
        }
    }

    fn wake(&self) {
        self.0.wake_followers();
    }
}

/// How much of the time that there is to close a log is for delivering the last records.
const DELIVERING_PART: f64 = 0.6;

/// How much of it is for a sink that hangs.
const HANGING_PART: f64 = 0.1;

//! The sinks of a log at work.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::feed::{Feed, Start};
use super::report::Report;
use super::running::Running;
use super::state::SinkState;
use super::{position, worker};
use crate::checkpoint::SignedCheckpoint;
use crate::error::{Error, Result};
use crate::follow::Follower;
use crate::query::Query;
use crate::record::Record;
use crate::timestamp::Timestamp;

/// The log that is delivered, as the workers see it.
pub(crate) trait Host: Send + Sync + 'static {
    /// Follows it, unrecorded.
    fn follow(&self, query: &Query) -> Result<Follower>;

    /// The newest durable checkpoint.
    fn newest(&self) -> Result<Option<SignedCheckpoint>>;

    fn record(&self, seq: u64) -> Result<Record>;

    /// The folder of the log, if it has one.
    fn folder(&self) -> Option<PathBuf>;

    fn now(&self) -> Timestamp;

    fn random(&self) -> [u8; 4];

    /// Has the log record how it is delivered, without waiting; `false` where it does not take that now.
    fn report(&self, report: &Report) -> bool;

    /// Wakes the workers that wait for the log to grow: they are asked for something else.
    fn wake(&self);
}

/// The sinks of a log at work.
#[derive(Debug, Default)]
pub(crate) struct Feeds {
    all: Mutex<Vec<Arc<Running>>>,
}

impl Feeds {
    fn all(&self) -> MutexGuard<'_, Vec<Arc<Running>>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins to deliver, on a thread of its own; `now` is the size of the log.
    ///
    /// # Errors
    ///
    /// Where [`Feed::check`] says so, there is a sink of its name, or no thread can be made.
    pub(crate) fn start(&self, feed: Feed, now: u64, host: Arc<dyn Host>) -> Result<()> {
        feed.check()?;
        let mut all = self.all();
        if all.iter().any(|running| running.name == feed.name) {
            return Err(taken(&feed.name));
        }
        let start = match feed.start {
            Start::Seq(seq) => seq,
            Start::Now => now,
        };
        let running = Arc::new(Running::new(&feed.name, start));
        let at_work = Arc::clone(&running);
        let thread = std::thread::Builder::new().name(format!("sink-{:.10}", feed.name));
        let run = move || {
            if catch_unwind(AssertUnwindSafe(|| worker::run(feed, host, &at_work, start))).is_err() {
                at_work.end();
            }
        };
        let spawned = thread.spawn(run);
        spawned.map_err(|error| Error::io("start a thread for", Path::new("a sink"), error))?;
        all.push(running);
        Ok(())
    }

    /// The sink of this name.
    fn named(&self, name: &str) -> Result<Arc<Running>> {
        let found = self.all().iter().find(|running| running.name == name).cloned();
        found.ok_or_else(|| Error::configuration("sink", format!("there is no sink {name:?}")))
    }

    pub(crate) fn pause(&self, name: &str, host: &dyn Host) -> Result<()> {
        self.named(name)?.pause();
        host.wake();
        Ok(())
    }

    pub(crate) fn resume(&self, name: &str) -> Result<()> {
        self.named(name)?.resume();
        Ok(())
    }

    /// Ends one sink, and waits until its position is saved; it is gone on from when the sink is added again.
    pub(crate) fn remove(&self, name: &str, host: &dyn Host, limit: Duration) -> Result<bool> {
        let running = self.named(name)?;
        let by = Instant::now().checked_add(limit).unwrap_or_else(Instant::now);
        running.stop_by(by);
        host.wake();
        let has_ended = running.wait_ended(by + HANGING_MAX);
        self.all().retain(|other| !Arc::ptr_eq(other, &running));
        Ok(has_ended)
    }

    /// Waits until every sink has got all records before `size`, at most so long, and tells whether they have.
    pub(crate) fn flush(&self, size: u64, limit: Duration) -> bool {
        let began = Instant::now();
        let all: Vec<Arc<Running>> = self.all().clone();
        all.iter()
            .all(|running| running.wait_delivered(size, limit.saturating_sub(began.elapsed())))
    }

    /// Ends all: each once it has delivered what there is, or fails, or at that time. One that hangs is waited for so long
    /// after it, and then left alone: it does no more than deliver its batch once more. Tells
    /// whether all have ended. `wake` is [`Host::wake`].
    pub(crate) fn stop(&self, by: Instant, hanging: Duration, wake: &dyn Fn()) -> bool {
        let all: Vec<Arc<Running>> = self.all().clone();
        all.iter().for_each(|running| running.stop_by(by));
        wake();
        // All are waited for, also after one that hangs.
        all.iter().filter(|running| !running.wait_ended(by + hanging)).count() == 0
    }

    pub(crate) fn states(&self, size: u64, now: Timestamp) -> Vec<SinkState> {
        self.all().iter().map(|running| running.state(size, now)).collect()
    }

    /// What each sink is, and the first record that it has not got.
    pub(crate) fn positions(&self, folder: Option<&Path>) -> Vec<(String, u64)> {
        let known = self.known(folder).into_iter();
        known.map(|(name, seq)| (format!("the sink {name}"), seq)).collect()
    }

    /// The sinks that may have got a record from `seq` on, or are being given it.
    pub(crate) fn that_may_have(&self, seq: u64, folder: Option<&Path>) -> Vec<String> {
        let mut names: BTreeSet<String> = self
            .known(folder)
            .into_iter()
            .filter(|(_, next)| *next > seq)
            .map(|(name, _)| name)
            .collect();
        let at_work = self.all();
        names.extend(
            at_work
                .iter()
                .filter(|running| running.is_under_way())
                .map(|running| running.name.clone()),
        );
        names.into_iter().collect()
    }

    /// The first record that each sink has not got, by its name: also of those that another process drives, or that the log
    /// had and `folder` remembers.
    fn known(&self, folder: Option<&Path>) -> Vec<(String, u64)> {
        let all = self.all();
        let mut known: Vec<_> = all
            .iter()
            .map(|running| (running.name.clone(), running.position()))
            .collect();
        // A file that cannot be read is that of no sink.
        let remembered = folder
            .and_then(|folder| position::positions(folder).ok())
            .unwrap_or_default();
        known.extend(
            remembered
                .into_iter()
                .filter(|(name, _)| all.iter().all(|running| running.name != *name)),
        );
        known
    }
}

/// Checks the sinks that a log is to be opened with.
pub(crate) fn check(feeds: &[Feed]) -> Result<()> {
    let mut names = BTreeSet::new();
    feeds.iter().try_for_each(|feed| {
        feed.check()?;
        match names.insert(&feed.name) {
            true => Ok(()),
            false => Err(taken(&feed.name)),
        }
    })
}

fn taken(name: &str) -> Error {
    Error::configuration("sink", format!("there is a sink {name:?} already"))
}

/// How long a sink that was to end is waited for after its time.
const HANGING_MAX: Duration = Duration::from_millis(500);

//! The sinks of a log at work.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::begin::First;
use super::feed::Feed;
use super::known::Known;
use super::position::Saved;
use super::report::Report;
use super::running::Running;
use super::state::SinkState;
use super::{position, worker};
use crate::checkpoint::SignedCheckpoint;
use crate::error::{Cause, Error, Result};
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
    all: Mutex<All>,
}

#[derive(Debug, Default)]
struct All {
    at_work: Vec<Arc<Running>>,
    /// Those that were to end and hang still.
    hanging: Vec<Arc<Running>>,
    has_ended: bool,
}

impl Feeds {
    fn all(&self) -> MutexGuard<'_, All> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins to deliver, on a thread of its own; `now` is the size of the log.
    ///
    /// # Errors
    ///
    /// Where [`Feed::check`] says so, there is a sink of its name, all were ended, or no thread can be made.
    pub(crate) fn start(&self, feed: Feed, now: u64, host: Arc<dyn Host>) -> Result<()> {
        feed.check()?;
        let mut all = self.all();
        if all.has_ended {
            return Err(Cause::Closed.into());
        }
        if all.at_work.iter().any(|running| running.name == feed.name) {
            return Err(taken(&feed.name));
        }
        let first = First::of(feed.start, now);
        let running = Arc::new(Running::new(&feed.name, first.next));
        let at_work = Arc::clone(&running);
        let thread = std::thread::Builder::new().name(format!("sink-{:.10}", feed.name));
        let run = move || {
            if catch_unwind(AssertUnwindSafe(|| worker::run(feed, host, &at_work, first))).is_err() {
                let problem = "it panicked and delivers no more, until it is removed and added again";
                at_work.count(|numbers| numbers.last_error = Some(problem.into()));
                at_work.end();
            }
        };
        let spawned = thread.spawn(run);
        spawned.map_err(|error| Error::io("start a thread for", Path::new("a sink"), error))?;
        all.at_work.push(running);
        Ok(())
    }

    /// The sink of this name.
    fn named(&self, name: &str) -> Result<Arc<Running>> {
        let found = self.all().at_work.iter().find(|running| running.name == name).cloned();
        found.ok_or_else(|| Error::configuration("sink", format!("there is no sink {name:?}")))
    }

    fn at_work(&self) -> Vec<Arc<Running>> {
        self.all().at_work.clone()
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
        let by = after(limit);
        running.stop_by(by);
        host.wake();
        let has_ended = running.wait_ended(by + HANGING_MAX);
        let mut all = self.all();
        all.at_work.retain(|other| !Arc::ptr_eq(other, &running));
        if !has_ended {
            all.hanging.push(running);
        }
        Ok(has_ended)
    }

    /// Waits until every sink has got all records before `size`, at most so long, and tells whether they have.
    pub(crate) fn flush(&self, size: u64, limit: Duration) -> bool {
        let began = Instant::now();
        let all = self.at_work();
        all.iter()
            .all(|running| running.wait_delivered(size, limit.saturating_sub(began.elapsed())))
    }

    /// Ends all, and lets none begin any more: each once it has delivered what there is, or fails, or after that time. One
    /// that hangs is waited for so long after it, and then left alone: it does no more than deliver its batch once more. Tells
    /// whether all have ended. `wake` is [`Host::wake`].
    pub(crate) fn stop(&self, limit: Duration, hanging: Duration, wake: &dyn Fn()) -> bool {
        self.all().has_ended = true;
        let (all, by) = (self.at_work(), after(limit));
        all.iter().for_each(|running| running.stop_by(by));
        wake();
        // All are waited for, also after one that hangs.
        all.iter().filter(|running| !running.wait_ended(by + hanging)).count() == 0
    }

    pub(crate) fn states(&self, size: u64, now: Timestamp) -> Vec<SinkState> {
        let all = self.at_work();
        all.iter().map(|running| running.state(size, now)).collect()
    }

    /// What each sink is, and the first record that it may need still: a purge waits for it.
    pub(crate) fn positions(&self, folder: Option<&Path>) -> Vec<(String, u64)> {
        let known = self.known(folder).into_iter();
        known
            .map(|(name, known)| (format!("the sink {name}"), known.needs))
            .collect()
    }

    /// The sinks that may have got a record from `seq` on, or are being given it. What another process that drives one has in
    /// memory nobody here knows.
    pub(crate) fn that_may_have(&self, seq: u64, folder: Option<&Path>) -> Vec<String> {
        let is_elsewhere = |name: &str| folder.is_some_and(|folder| position::is_driven(folder, name));
        let known = self.known(folder).into_iter();
        known
            .filter(|(name, known)| known.had > seq || !known.has_begun && is_elsewhere(name))
            .map(|(name, _)| name)
            .collect()
    }

    /// What is known of each sink, by its name: also of those that another process drives, or that the log had and `folder`
    /// remembers.
    fn known(&self, folder: Option<&Path>) -> BTreeMap<String, Known> {
        let mut known: BTreeMap<String, Known> = BTreeMap::new();
        let mut all = self.all();
        all.hanging.retain(|running| !running.has_ended());
        for running in all.at_work.iter().chain(&all.hanging) {
            let now = running.known();
            let both = known.get(&running.name).map_or(now, |other| now.and(*other));
            known.insert(running.name.clone(), both);
        }
        drop(all);
        let remembered = folder.map_or(Ok(Vec::new()), position::positions);
        // A folder that cannot be read may remember any.
        let remembered = remembered.unwrap_or_else(|_| vec![("(unknown)".into(), Saved::Damaged)]);
        for (name, saved) in remembered {
            let now = known
                .get(&name)
                .map_or_else(|| Known::of(saved), |known| known.saving(saved));
            known.insert(name, now);
        }
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

/// So long from now, as far as that can be told.
fn after(limit: Duration) -> Instant {
    Instant::now() + limit.min(LONG)
}

const LONG: Duration = Duration::from_secs(365 * 86_400);

/// How long a sink that was to end is waited for after its time.
const HANGING_MAX: Duration = Duration::from_millis(500);

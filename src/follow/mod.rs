//! Following a log live: each record once, in order, as soon as it is durable.

#[cfg(all(feature = "watch", target_os = "linux"))]
mod folder;
mod watch;

use std::collections::VecDeque;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use crate::checkpoint::SignedCheckpoint;
use crate::error::{Cause, Result};
use crate::log::{Grown, Shared};
use crate::query::{self, Filter, Found, Indexes, Query, Stepped};
use crate::reader::tree::TreeCache;
use crate::reader::{LogReader, prove_found};
use crate::store::Store;
use watch::Watch;

/// Follows a log live; made by [`AuditLog::follow`](crate::AuditLog::follow) and
/// [`LogReader::follow`](crate::LogReader::follow).
///
/// It hands on every record that the query finds, once and in the log's order, none before it is durable; one that was
/// erased before it was read does not come. Keep
/// [`position`](Self::position) with what was done with them: who follows from there on after a restart misses none and
/// repeats none.
///
/// It holds a few hundred records at most, and reads on when they are taken: a slow follower costs the log nothing. It
/// does not keep the log open. As an iterator, it waits for the next one, and ends when the log does.
///
/// ```
/// use std::time::Duration;
/// use indelible::follow::Followed;
/// use indelible::{Actor, AuditLog, Event, MemoryStore, Query, SigningKey, action};
///
/// # let key = SigningKey::generate("auth.example.com/audit".parse()?)?;
/// # let log = AuditLog::builder("auth.example.com/audit")
/// #     .signer(key)
/// #     .without_checkpoint_file()
/// #     .open(MemoryStore::new())?;
/// let mut failures = log.follow(&Query::new().action("auth.login.failed").seq_from(0))?;
/// log.append(Event::new(action::AUTH_LOGIN_FAILED).actor(Actor::user("usr_alice123")))?;
///
/// let Some(Followed::Record(found)) = failures.next_within(Duration::from_secs(10))? else { unreachable!() };
/// assert_eq!(found.record.action().as_deref(), Some("auth.login.failed"));
/// assert_eq!(failures.position(), found.record.seq() + 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a follower does nothing until it is asked"]
pub struct Follower {
    log: Log,
    filter: Filter,
    with_proofs: bool,
    /// Read, and not handed on yet.
    ready: VecDeque<Followed>,
    /// The first record that was not looked at.
    next: u64,
    is_ended: bool,
}

/// What comes next of a log that is followed.
#[derive(Debug, Clone)]
#[non_exhaustive]
#[expect(
    clippy::large_enum_variant,
    reason = "it is taken one at a time, and is a record but for once"
)]
pub enum Followed {
    /// A record.
    Record(Found),
    /// These records are not there any more: a purge was faster.
    Purged(Range<u64>),
}

impl Followed {
    fn start(&self) -> u64 {
        match self {
            Self::Record(found) => found.record.seq(),
            Self::Purged(range) => range.start,
        }
    }
}

/// The log that is followed.
enum Log {
    /// Of this process.
    Open(Arc<Shared>),
    /// Of any process.
    Read(LogReader, Watch),
}

impl Follower {
    pub(crate) fn of_log(log: Arc<Shared>, query: &Query) -> Result<Self> {
        let now = log.now();
        let size = log.size();
        Self::new(Log::Open(log), query, size, now)
    }

    pub(crate) fn of_reader(reader: LogReader, query: &Query) -> Result<Self> {
        // Before the log's size is looked at: what comes later is told.
        let watch = Watch::of(reader.store());
        let size = reader
            .checkpoint()?
            .map_or(0, |checkpoint| checkpoint.checkpoint().size());
        Self::new(Log::Read(reader, watch), query, size, SystemTime::now())
    }

    fn new(log: Log, query: &Query, size: u64, now: SystemTime) -> Result<Self> {
        query.check_unpaged().map_err(Cause::InvalidQuery)?;
        let filter = query.filter.clone().at(now);
        Ok(Self {
            log,
            next: filter.seq_from().unwrap_or(size),
            filter,
            with_proofs: query.with_proofs,
            ready: VecDeque::new(),
            is_ended: false,
        })
    }

    /// From which record on to follow after a restart ([`Query::seq_from`]): all before it was handed on, or is not what
    /// the query finds.
    pub fn position(&self) -> u64 {
        self.ready.front().map_or(self.next, Followed::start)
    }

    /// Whether no more comes: the log has ended, or the query's `seq_to` is reached.
    pub fn is_ended(&self) -> bool {
        self.is_ended && self.ready.is_empty()
    }

    /// What comes next, if it comes within a time; `None` where it does not, or where no more comes.
    ///
    /// # Errors
    ///
    /// Where the log cannot be read. The position stays: the next call tries again.
    pub fn next_within(&mut self, limit: Duration) -> Result<Option<Followed>> {
        let began = Instant::now();
        loop {
            let (left, before) = (limit.saturating_sub(began.elapsed()), self.next);
            let next = self.read_next(left, None)?;
            // What is there already is read to its end.
            if next.is_some() || self.is_ended() || left.is_zero() && self.next == before {
                return Ok(next);
            }
        }
    }

    /// The same, but gives `None` also where all that is new is nothing that the query finds, and at once where it is not to
    /// wait any longer. Who changes that wakes it ([`Shared::wake_followers`]); of another process's log it is asked twenty
    /// times a second.
    pub(crate) fn read_next(&mut self, limit: Duration, is_called_off: CalledOff<'_>) -> Result<Option<Followed>> {
        if self.ready.is_empty() {
            if self.filter.seq_to().is_some_and(|end| self.next >= end) {
                self.is_ended = true;
            }
            if self.is_ended {
                return Ok(None);
            }
            match self.log.wait_beyond(self.next, limit, is_called_off)? {
                Grown::To(checkpoint) => self.read(&checkpoint)?,
                Grown::Not => {}
                Grown::Ended => self.is_ended = true,
            }
        }
        Ok(self.ready.pop_front())
    }

    /// Reads on.
    fn read(&mut self, checkpoint: &SignedCheckpoint) -> Result<()> {
        let size = checkpoint.checkpoint().size();
        let end = self.filter.seq_to().unwrap_or(size).min(size);
        let (store, indexes) = self.log.parts();
        let Stepped { mut found, next, first } = query::step(store, indexes, &self.filter, self.next..end)?;
        if self.with_proofs {
            prove_found(store, &mut found, checkpoint, || self.log.cache(size))?;
        }
        if self.next < first {
            self.ready.push_back(Followed::Purged(self.next..first.min(end)));
        }
        self.ready.extend(found.into_iter().map(Followed::Record));
        self.next = next;
        Ok(())
    }
}

impl Iterator for Follower {
    type Item = Result<Followed>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.next_within(LONG) {
                Ok(None) if !self.is_ended() => {}
                result => return result.transpose(),
            }
        }
    }
}

impl fmt::Debug for Follower {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Follower")
            .field("position", &self.position())
            .finish_non_exhaustive()
    }
}

impl Log {
    fn parts(&self) -> (&dyn Store, &Indexes) {
        match self {
            Self::Open(log) => log.parts(),
            Self::Read(reader, _) => (reader.store(), reader.indexes()),
        }
    }

    fn cache(&self, size: u64) -> Option<TreeCache> {
        match self {
            Self::Open(log) => log.tree_view(size),
            Self::Read(reader, _) => TreeCache::open_read(&reader.store().folder()?, size).ok(),
        }
    }

    fn wait_beyond(&self, size: u64, limit: Duration, is_called_off: CalledOff<'_>) -> Result<Grown> {
        match self {
            Self::Open(log) => Ok(log.wait_beyond(size, limit, &|| is_called_off.is_some_and(|is| is()))),
            Self::Read(reader, watch) => {
                let (began, mut may_be_new, mut looked) = (Instant::now(), true, Instant::now());
                loop {
                    if may_be_new || looked.elapsed() >= LOOK_EVERY {
                        looked = Instant::now();
                        if let Some(newest) = reader.checkpoint()?
                            && newest.checkpoint().size() > size
                        {
                            return Ok(Grown::To(newest));
                        }
                    }
                    let left = limit.saturating_sub(began.elapsed());
                    if left.is_zero() || is_called_off.is_some_and(|is| is()) {
                        return Ok(Grown::Not);
                    }
                    let asked = is_called_off.map_or(LOOK_EVERY, |_| ASKED_EVERY);
                    may_be_new = watch.wait(left.min(asked));
                }
            }
        }
    }
}

/// Tells whether something is not waited for any longer, where that may be.
pub(crate) type CalledOff<'a> = Option<&'a dyn Fn() -> bool>;

/// How often that is asked while another process's log is waited for.
const ASKED_EVERY: Duration = Duration::from_millis(50);

/// How often another process's log is looked at though nobody tells of anything new: no kernel tells of a folder that took
/// the place of another, nor of what another machine wrote.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// So long is waited at once.
const LONG: Duration = Duration::from_secs(3600);

//! The log for writing: [`AuditLog`], from an event to its receipt.

pub(crate) mod announced;
mod append;
mod asking;
mod assistant;
mod builder;
mod caches;
mod chain;
mod clock;
mod committer;
#[cfg(feature = "compress")]
mod compression;
mod delivery;
mod entropy;
mod erasure;
mod exporting;
mod follow;
mod holds;
mod numbers;
mod opening;
mod own;
mod pages;
mod place;
mod queue;
mod recent;
mod resume;
mod retention;
mod rotation;
mod schedule;
mod selection;
mod shared;
mod signers;
mod ticket;
mod tree;
mod turn;
mod upkeep;
mod work;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::ThreadId;
use std::time::Duration;

pub use append::Append;
pub use builder::Builder;
pub use clock::{Clock, SystemClock};
pub(crate) use follow::Grown;
pub use numbers::{LogState, RetentionState};
pub use schedule::ExportState;
pub use ticket::{Receipt, Ticket};

use place::Place;
pub(crate) use shared::Shared;
use shared::{guarded, keep_place};

use crate::checkpoint::SignedCheckpoint;
use crate::error::{Cause, Error, Result};
use crate::event::Event;
use crate::export::Destination;
use crate::note::{Origin, VerifierKey};
use crate::proof::Proof;
use crate::publish::{Published, publish};
use crate::reader::{self, LogReader};
use crate::verify::{Report, Verifier};

/// A log that is open for writing. A cheap clone; all clones are the same log.
///
/// ```
/// use indelible::{Actor, AuditLog, Event, MemoryStore, SigningKey, action};
///
/// let key = SigningKey::generate("auth.example.com/audit".parse()?)?;
/// let log = AuditLog::builder("auth.example.com/audit")
///     .signer(key)
///     .without_checkpoint_file()
///     .open(MemoryStore::new())?;
///
/// let receipt = log.append(Event::new(action::AUTH_LOGIN_SUCCEEDED).actor(Actor::user("usr_alice123")))?;
/// assert_eq!(receipt.seq, 2); // after audit_log.created and audit_log.started
/// log.close(std::time::Duration::from_secs(5))?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct AuditLog {
    handle: Arc<Handle>,
}

impl AuditLog {
    /// Options of a log. `origin` is its identity: a schema-less URL of its owner, such as `auth.example.com/audit`
    /// (FORMAT §3).
    pub fn builder(origin: impl Into<String>) -> Builder {
        Builder::new(origin.into())
    }

    /// Starts the threads of a log that had so many records before it was opened.
    fn start(shared: Shared, before: u64) -> Result<Self> {
        let mut handle = Handle {
            shared: Arc::new(shared),
            own: Vec::new(),
        };
        handle.spawn("indelible-commit", committer::run)?;
        handle.spawn("indelible-assist", assistant::run)?;
        if handle.shared.place.is_some() {
            handle.spawn("indelible-place", keep_place)?;
        }
        handle.spawn("indelible-upkeep", upkeep::run)?;
        if handle.shared.options.retention.is_some() {
            handle.spawn("indelible-retain", upkeep::keep_retention)?;
        }
        for at in 0..handle.shared.schedule.count() {
            handle.shared.schedule.begins();
            handle.spawn_apart("indelible-export", move |shared| schedule::run(shared, at))?;
        }
        handle.shared.start_sinks(before)?;
        Ok(Self {
            handle: Arc::new(handle),
        })
    }

    fn shared(&self) -> &Shared {
        &self.handle.shared
    }

    /// Records an event and blocks until it is durable: on disk, chained and signed. Waits for room in the queue.
    ///
    /// # Errors
    ///
    /// The event was not recorded. [`Error::kind`] says what to do. (After [`Cause::Io`] the log must be opened anew,
    /// and whether the event is in it then is to be seen there: give it an `id`, and a retry gets its first receipt.)
    /// [`Cause::Configuration`] where a signer, a store, a clock or a waker calls it while the log waits for that: it
    /// would wait for itself. [`submit`](Self::submit) does not wait.
    pub fn append(&self, event: Event) -> Result<Receipt> {
        let shared = self.shared();
        work::check_not_at_work(shared, "append")?;
        let ticket = shared.prepare(event, |line, entry, ticket| {
            if let Some(entry) = shared.append_alone(line, entry)? {
                shared
                    .queue
                    .push_blocking(line, entry, shared.options.append_deadline)?;
            }
            Ok::<_, Error>(ticket)
        })??;
        ticket.wait()
    }

    /// The same for async hosts, on any runtime: the future waits for room in the queue and then for the commit. It
    /// does nothing until it is polled first.
    ///
    /// [`Builder::append_deadline`] does not apply: where the wait for room must end, use your runtime's timeout, which
    /// drops the future. A future that is dropped before there was room records nothing; one that is dropped after
    /// that records its event all the same. Give the event an `id`, and it can be appended again in either case.
    ///
    /// # Errors
    ///
    /// As [`append`](Self::append).
    pub fn append_async(&self, event: Event) -> Append {
        Append::new(self.clone(), event)
    }

    /// Puts an event into the queue and returns at once. Once this has returned a ticket, the event is recorded whether
    /// the ticket is kept or not.
    ///
    /// # Errors
    ///
    /// Nothing was taken: the event breaks a rule ([`Cause::InvalidEvent`]), there is no room ([`Cause::QueueFull`]),
    /// or the log has ended.
    pub fn submit(&self, event: Event) -> Result<Ticket> {
        self.shared().submit(event)
    }

    /// The newest durable checkpoint. Keep it elsewhere: what came before it cannot be changed unseen any more.
    ///
    /// # Errors
    ///
    /// [`Cause::Closed`] where there is none: an open log always has one.
    pub fn checkpoint(&self) -> Result<SignedCheckpoint> {
        self.shared().follow.newest().ok_or_else(|| Cause::Closed.into())
    }

    /// Writes the newest durable checkpoint to a file of its own, whole or not at all, and syncs it: into one more
    /// second place, say.
    ///
    /// # Errors
    ///
    /// [`Cause::Io`] where the file cannot be written.
    pub fn write_checkpoint(&self, path: impl Into<PathBuf>) -> Result<()> {
        Place::at(path.into()).write(&self.checkpoint()?)
    }

    /// The key in force.
    pub fn vkey(&self) -> VerifierKey {
        self.shared().vkey()
    }

    /// The log's origin.
    pub fn origin(&self) -> &Origin {
        &self.shared().origin
    }

    /// Reads this log.
    pub fn reader(&self) -> LogReader {
        LogReader::of(Arc::clone(&self.shared().store), Arc::clone(&self.shared().indexes))
    }

    /// A proof that the record `seq` is in the log, under the newest checkpoint.
    ///
    /// # Errors
    ///
    /// As [`LogReader::prove`].
    pub fn prove(&self, seq: u64) -> Result<Proof> {
        let checkpoint = self.checkpoint()?;
        let size = checkpoint.checkpoint().size();
        let view = self.shared().tree().view(size);
        reader::prove(self.shared().store.as_ref(), seq, checkpoint, view.ok())
    }

    /// Verifies the whole log, under the key in force and against its newest checkpoint: for a host's tests, and for a
    /// check now and then. Who does not trust this process uses a [`Verifier`] of their own.
    ///
    /// # Errors
    ///
    /// Where the log cannot be read. What is wrong with it is in the report.
    pub fn verify(&self) -> Result<Report> {
        let verifier = Verifier::new(self.vkey());
        let verifier = match self.shared().follow.newest() {
            Some(newest) => verifier.trusted(newest),
            None => verifier,
        };
        verifier.verify_store(self.shared().store.as_ref())
    }

    /// Publishes the log into a folder or a bucket as C2SP tlog-tiles, up to its newest durable checkpoint: see
    /// [`publish`](crate::publish). This blocks, for a bucket until it has answered.
    ///
    /// # Errors
    ///
    /// As [`LogReader::publish`].
    pub fn publish(&self, to: impl Into<Destination>) -> Result<Published> {
        let (shared, checkpoint) = (self.shared(), self.checkpoint()?);
        let view = shared.tree().view(checkpoint.checkpoint().size()).ok();
        let goes_on = || !shared.is_closing();
        publish(shared.store.as_ref(), view, checkpoint, (&to.into(), &goes_on))
    }

    /// The state of the log as numbers.
    pub fn state(&self) -> LogState {
        let shared = self.shared();
        let open = shared.failure().is_none() && !shared.is_closing();
        let exports = shared.schedule.states();
        let sinks = shared.feeds.states(shared.size(), shared.now().into());
        shared.numbers.state(shared.queue.waiting(), open, exports, sinks)
    }

    /// Commits what is queued, says in the log that it was closed, and closes it. Other clones then get
    /// [`Cause::Closed`].
    ///
    /// # Errors
    ///
    /// [`Cause::TimedOut`] if that takes longer than `limit`: it goes on in the background, as it does where this is called
    /// in a callback of the log. The failure of the log, if it failed.
    pub fn close(&self, limit: Duration) -> Result<()> {
        let shared = self.shared();
        shared.queue.check_process()?;
        shared.end_within(limit);
        if self.handle.is_own_thread() || work::is_at_work(shared) {
            return Ok(());
        }
        if !shared.follow.wait_ended(limit) {
            return Err(Cause::TimedOut {
                what: "closing the log",
                limit,
            }
            .into());
        }
        shared.failure().map_or(Ok(()), Err)
    }
}

impl fmt::Debug for AuditLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditLog")
            .field("origin", &self.shared().origin)
            .field("state", &self.state())
            .finish()
    }
}

/// The last clone's end is the log's.
#[derive(Debug)]
struct Handle {
    shared: Arc<Shared>,
    /// The log's own threads.
    own: Vec<ThreadId>,
}

impl Handle {
    fn spawn(&mut self, name: &str, run: fn(&Shared)) -> Result<()> {
        self.spawn_apart(name, move |shared| guarded(shared, run))
    }

    /// A thread without which the log goes on.
    fn spawn_apart(&mut self, name: &str, run: impl FnOnce(&Shared) + Send + 'static) -> Result<()> {
        let shared = Arc::clone(&self.shared);
        let spawned = std::thread::Builder::new()
            .name(name.into())
            .spawn(move || run(&shared));
        let thread =
            spawned.map_err(|error| Error::io("start a thread for", std::path::Path::new("the log"), error))?;
        self.own.push(thread.thread().id());
        Ok(())
    }

    /// Whether this is one of the log's own threads: a callback of the host's may hold the last clone. It must not wait
    /// for itself.
    fn is_own_thread(&self) -> bool {
        self.own.contains(&std::thread::current().id())
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let (shared, limit) = (&self.shared, self.shared.options.drop_deadline);
        if shared.queue.check_process().is_err() {
            return;
        }
        shared.end_within(limit);
        // Where the committer could not be started there is nobody to wait for.
        if !self.is_own_thread() && !work::is_at_work(shared) && !self.own.is_empty() {
            self.shared.follow.wait_ended(limit);
        }
    }
}

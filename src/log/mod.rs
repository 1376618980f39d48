//! The log for writing: [`AuditLog`], from an event to its receipt.

mod builder;
mod caches;
mod chain;
mod clock;
mod committer;
mod entropy;
mod erasure;
mod follow;
mod numbers;
mod opening;
mod own;
mod place;
mod queue;
mod recent;
mod rotation;
mod ticket;

use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::task::{Context, Poll};
use std::thread::ThreadId;
use std::time::{Duration, Instant};

pub use builder::Builder;
pub use clock::{Clock, SystemClock};
pub use numbers::LogState;
pub use ticket::{Receipt, Ticket};

use builder::Options;
use committer::{Core, Disk, Turn};
use follow::Follow;
use numbers::Numbers;
use place::Place;
use queue::{Entry, Queue};
use recent::IdDigest;

use crate::checkpoint::SignedCheckpoint;
use crate::error::{Cause, Error, Result};
use crate::event::{Event, Fill, Redaction};
use crate::note::{Origin, VerifierKey};
use crate::proof::Proof;
use crate::reader::tree::TreeCache;
use crate::reader::{self, LogReader};
use crate::record::Draft;
use crate::store::{Eraser, Store};
use crate::timestamp::Timestamp;
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

/// What all parts of an open log share.
#[derive(Debug)]
pub(crate) struct Shared {
    origin: Origin,
    store: Arc<dyn Store>,
    queue: Queue,
    core: Mutex<Core>,
    disk: Mutex<Disk>,
    tree: Mutex<TreeCache>,
    eraser: Mutex<Option<Box<dyn Eraser>>>,
    numbers: Numbers,
    follow: Follow,
    /// The key in force, for who asks while a signer is waited for.
    vkey: Mutex<VerifierKey>,
    failure: Mutex<Option<Error>>,
    /// Failures that the host is told of once no lock is held: its callback may ask the log anything.
    untold: Mutex<Vec<Error>>,
    /// Until when a failing signer is asked again once the log is closing.
    close_by: Mutex<Option<Instant>>,
    rotation: Mutex<()>,
    /// No erasure or purge that was announced is left undone, in this opening or before it.
    is_all_carried_out: AtomicBool,
    /// A committer closes the log, or has.
    has_ended: AtomicBool,
    place: Option<Place>,
    key_file: Option<PathBuf>,
    redaction: Redaction,
    options: Options,
}

impl AuditLog {
    /// Options of a log. `origin` is its identity: a schema-less URL of its owner, such as `auth.example.com/audit`
    /// (FORMAT §3).
    pub fn builder(origin: impl Into<String>) -> Builder {
        Builder::new(origin.into())
    }

    fn start(shared: Shared) -> Result<Self> {
        let shared = Arc::new(shared);
        let spawn = |name: &str, run: fn(&Shared)| {
            let shared = Arc::clone(&shared);
            let spawned = std::thread::Builder::new()
                .name(name.into())
                .spawn(move || guarded(&shared, run));
            spawned.map_err(|error| Error::io("start a thread for", std::path::Path::new("the log"), error))
        };
        let mut committers = Vec::new();
        for _ in 0..if shared.store.is_shared() { 1 } else { COMMITTERS } {
            committers.push(spawn("indelible", committer::run)?.thread().id());
        }
        if shared.place.is_some() {
            spawn("indelible-place", keep_place)?;
        }
        spawn("indelible-erase", Shared::resume_erasures)?;
        let handle = Handle { committers, shared };
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
    pub fn append(&self, event: Event) -> Result<Receipt> {
        let shared = self.shared();
        if self.handle.is_own_thread() {
            let problem = "it would wait for the thread that it is called on: use submit in a callback";
            return Err(Error::configuration("append", problem));
        }
        shared.prepare(event, |line, entry| match shared.append_alone(line, entry)? {
            Appended::Alone(result) => result,
            Appended::Busy(mut entry) => {
                let (ticket, pending) = Ticket::new();
                entry.ticket = Some(pending);
                shared
                    .queue
                    .push_blocking(line, entry, shared.options.append_deadline)?;
                ticket.wait()
            }
        })?
    }

    /// The same for async hosts, on any runtime: the future waits for room in the queue and then for the commit. It
    /// does nothing until it is polled first.
    ///
    /// # Errors
    ///
    /// As [`append`](Self::append).
    pub fn append_async(&self, event: Event) -> Append {
        Append {
            log: self.clone(),
            state: AppendState::Event(Some(event)),
        }
    }

    /// Puts an event into the queue and returns at once. Once this has returned a ticket, the event is recorded whether
    /// the ticket is kept or not.
    ///
    /// # Errors
    ///
    /// Nothing was taken: the event breaks a rule ([`Cause::InvalidEvent`]), there is no room ([`Cause::QueueFull`]),
    /// or the log has ended.
    pub fn submit(&self, event: Event) -> Result<Ticket> {
        let shared = self.shared();
        shared.prepare(event, |line, mut entry| {
            let (ticket, pending) = Ticket::new();
            entry.ticket = Some(pending);
            shared.queue.push(line, entry).map(|()| ticket)
        })?
    }

    /// The newest durable checkpoint. Keep it elsewhere: what came before it cannot be changed unseen any more.
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
        self.shared()
            .vkey
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The log's origin.
    pub fn origin(&self) -> &Origin {
        &self.shared().origin
    }

    /// Reads this log.
    pub fn reader(&self) -> LogReader {
        LogReader::of(Arc::clone(&self.shared().store))
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

    /// The state of the log as numbers.
    pub fn state(&self) -> LogState {
        let shared = self.shared();
        let open = shared.failure().is_none() && !shared.is_closing();
        shared.numbers.state(shared.queue.waiting(), open)
    }

    /// Commits what is queued, says in the log that it was closed, and closes it. Other clones then get
    /// [`Cause::Closed`].
    ///
    /// # Errors
    ///
    /// [`Cause::TimedOut`] if that takes longer than `limit`: it goes on in the background. The failure of the log, if
    /// it failed.
    pub fn close(&self, limit: Duration) -> Result<()> {
        let shared = self.shared();
        shared.end_within(limit);
        if self.handle.is_own_thread() {
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
    committers: Vec<ThreadId>,
}

impl Handle {
    /// Whether this is a committer's own thread: a callback of the host's may hold the last clone. It must not wait for
    /// itself.
    fn is_own_thread(&self) -> bool {
        self.committers.contains(&std::thread::current().id())
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let limit = self.shared.options.drop_deadline;
        self.shared.end_within(limit);
        if !self.is_own_thread() {
            self.shared.follow.wait_ended(limit);
        }
    }
}

/// An event on its way, as a future; made by [`AuditLog::append_async`].
#[must_use = "a future does nothing until it is polled"]
#[derive(Debug)]
pub struct Append {
    log: AuditLog,
    state: AppendState,
}

#[derive(Debug)]
enum AppendState {
    Event(Option<Event>),
    /// It waits for room.
    Line(Vec<u8>, Option<Entry>, Option<Ticket>),
    Ticket(Ticket),
}

impl Future for Append {
    type Output = Result<Receipt>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<Receipt>> {
        let Self { log, state } = &mut *self;
        let shared = log.shared();
        loop {
            match state {
                AppendState::Event(event) => {
                    let Some(event) = event.take() else {
                        return Poll::Ready(Err(Cause::Closed.into()));
                    };
                    let prepared = shared.prepare(event, |line, mut entry| {
                        let (ticket, pending) = Ticket::new();
                        entry.ticket = Some(pending);
                        (line.to_vec(), entry, ticket)
                    });
                    match prepared {
                        Ok((line, entry, ticket)) => *state = AppendState::Line(line, Some(entry), Some(ticket)),
                        Err(error) => return Poll::Ready(Err(error)),
                    }
                }
                AppendState::Line(line, entry, ticket) => {
                    let Some(taken) = entry.take() else {
                        return Poll::Ready(Err(Cause::Closed.into()));
                    };
                    match shared.queue.push_or_register(line, taken, context.waker()) {
                        Err(error) => return Poll::Ready(Err(error)),
                        Ok(Some(back)) => {
                            *entry = Some(back);
                            return Poll::Pending;
                        }
                        Ok(None) => match ticket.take() {
                            Some(ticket) => *state = AppendState::Ticket(ticket),
                            None => return Poll::Ready(Err(Cause::Closed.into())),
                        },
                    }
                }
                AppendState::Ticket(ticket) => return Pin::new(ticket).poll(context),
            }
        }
    }
}

enum Appended {
    Alone(Result<Receipt>),
    /// Somebody else is at work: the entry goes into the queue.
    Busy(Entry),
}

impl Shared {
    /// Validates and writes an event, on the caller's thread: all that does not depend on its place in the chain.
    fn prepare<T>(&self, event: Event, then: impl FnOnce(&[u8], Entry) -> T) -> Result<T> {
        let now = self.options.clock.now();
        let (mut id_text, salt) = ([0; 36], entropy::random()?);
        SCRATCH.with(|scratch| {
            // A value that a host serializes may append to a log itself: then this thread's buffers are taken.
            let mut fresh = Scratch::default();
            let mut borrowed = scratch.try_borrow_mut();
            let scratch = borrowed.as_deref_mut().unwrap_or(&mut fresh);
            scratch.clear();
            let id: &str = match &event.fields().id {
                Some(id) => id,
                None => entropy::uuid(now)?.hyphenated().encode_lower(&mut id_text),
            };
            let source = self.options.source.as_deref();
            let fill = Fill {
                id,
                occurred_at: Timestamp::from(now),
                source,
                salt,
            };
            let Scratch {
                event: kept,
                personal,
                line,
            } = scratch;
            event
                .write(&fill, &self.options.limits, &self.redaction, kept, personal)
                .map_err(Cause::InvalidEvent)?;
            let draft = Draft::begin(line, kept, personal);
            let id = IdDigest::of(id.as_bytes());
            let retry = event.fields().id.is_some().then_some(event);
            let entry = Entry {
                draft,
                length: line.len(),
                id,
                retry,
                ticket: None,
            };
            Ok(then(line, entry))
        })
    }

    /// Commits one event on the caller's thread, if the log is idle: no hand-over.
    fn append_alone(&self, line: &[u8], entry: Entry) -> Result<Appended> {
        let Some(core) = try_lock(&self.core) else {
            return Ok(Appended::Busy(entry));
        };
        if !self.queue.is_idle()? {
            return Ok(Appended::Busy(entry));
        }
        let Some(disk) = try_lock(&self.disk) else {
            return Ok(Appended::Busy(entry));
        };
        let mut result = None;
        TURN.with(|turn| {
            let mut fresh = Turn::default();
            let mut borrowed = turn.try_borrow_mut();
            let turn = borrowed.as_deref_mut().unwrap_or(&mut fresh);
            turn.with_one(line, entry);
            let deliver = &mut |entry: &Entry, answer| match &entry.ticket {
                None => result = Some(answer),
                // What came meanwhile goes with it.
                Some(_) => committer::answer(self, entry, answer),
            };
            committer::commit(self, core, Some(disk), turn, deliver);
            turn.give_back(&self.queue);
        });
        self.tell_untold();
        Ok(Appended::Alone(result.unwrap_or_else(|| Err(Cause::Closed.into()))))
    }

    /// Records an event of the log itself.
    fn record_own(&self, event: Event) -> Result<Receipt> {
        let (mut core, mut disk) = (self.core(), self.disk());
        core.record(self, &mut disk, &event, None)
    }

    /// Where the core is needed too, it is taken first.
    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.disk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the caller is the first to end the log.
    fn ends_now(&self) -> bool {
        !self.has_ended.swap(true, Relaxed)
    }

    fn core(&self) -> MutexGuard<'_, Core> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tree(&self) -> MutexGuard<'_, TreeCache> {
        self.tree.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failure(&self) -> Option<Error> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Why nothing more is taken.
    fn ended(&self) -> Error {
        self.failure().unwrap_or_else(|| Cause::Closed.into())
    }

    fn is_closing(&self) -> bool {
        self.queue.is_idle().is_err()
    }

    /// Takes nothing more. A signer that fails is asked again for what is queued, at most so long.
    fn end_within(&self, limit: Duration) {
        let by = Instant::now().checked_add(limit.min(LIMIT_MAX));
        let mut close_by = self.close_by.lock().unwrap_or_else(PoisonError::into_inner);
        *close_by = by.max(*close_by);
        drop(close_by);
        self.queue.end(Cause::Closed.into());
    }

    /// How long a signer that has failed since `began` is asked again.
    fn signer_time_left(&self, began: Instant) -> Duration {
        let left = self.options.signer_deadline.saturating_sub(began.elapsed());
        match *self.close_by.lock().unwrap_or_else(PoisonError::into_inner) {
            _ if self.failure().is_some() => Duration::ZERO,
            Some(by) => left.min(by.saturating_duration_since(Instant::now())),
            None => left,
        }
    }

    /// Takes nothing more after this failure. The store is let go: the log can be opened anew.
    fn poison(&self, error: &Error) {
        self.numbers.failed(error);
        let poisoned = Error::from(Cause::Poisoned(error.clone()));
        self.failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert(poisoned.clone());
        // The committer's thread then ends, and lets the eraser go.
        self.queue.end(poisoned);
        self.tell_later(error);
    }

    /// An event was not recorded, and nobody holds its ticket.
    fn failed_unseen(&self, error: &Error) {
        self.numbers.lost_unseen();
        self.tell_later(error);
    }

    fn tell_later(&self, error: &Error) {
        if self.options.on_error.is_some() {
            let mut untold = self.untold.lock().unwrap_or_else(PoisonError::into_inner);
            untold.push(error.clone());
        }
    }

    /// Tells the host of what happened while locks were held. None is held now.
    fn tell_untold(&self) {
        let untold = std::mem::take(&mut *self.untold.lock().unwrap_or_else(PoisonError::into_inner));
        untold.iter().for_each(|error| self.tell(error));
    }

    /// Tells the host of a failure. Its callback is its own code.
    fn tell(&self, error: &Error) {
        if let Some(callback) = &self.options.on_error {
            let _ = catch_unwind(AssertUnwindSafe(|| callback(error)));
        }
    }

    /// The committer is done: the log has ended.
    fn finish(&self, closed: Result<()>) {
        if let Err(error) = closed {
            self.numbers.failed(&error);
            self.failure
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .get_or_insert(error);
        }
        self.nothing_interrupted();
        if self.place.is_some() {
            self.numbers.placed(self.write_place());
        }
        // The next writer comes in once the eraser is gone, and has the second place to itself.
        self.eraser.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.follow.end();
    }

    /// Writes the second place now.
    fn write_place(&self) -> Result<()> {
        match (&self.place, self.follow.newest()) {
            (Some(place), Some(newest)) => place.write(&newest),
            _ => Ok(()),
        }
    }
}

/// Runs a thread of the log. Should it panic, the log ends with an error, and nobody waits for ever.
fn guarded(shared: &Shared, run: fn(&Shared)) {
    if catch_unwind(AssertUnwindSafe(|| run(shared))).is_err() {
        let error = std::io::Error::other("a thread of the log panicked");
        shared.poison(&Error::io("run", std::path::Path::new("the log"), error));
        // Each promise that is dropped says that the log has ended.
        while shared.queue.take(usize::MAX).is_some() {}
        shared.disk().writer = None;
        shared.eraser.lock().unwrap_or_else(PoisonError::into_inner).take();
        shared.follow.end();
        shared.tell_untold();
    }
}

/// Keeps the second place: at least once a second while there are commits (FORMAT §8).
fn keep_place(shared: &Shared) {
    let Some(place) = &shared.place else { return };
    while let Some(newest) = shared.follow.wait_beyond(place.written()) {
        let result = place.write(&newest);
        if let Err(error) = &result {
            shared.tell(error);
        }
        shared.numbers.placed(result);
        if shared.follow.wait_ended(PLACE_EVERY) {
            return;
        }
    }
}

fn try_lock<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    match mutex.try_lock() {
        Ok(guard) => Some(guard),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}

#[derive(Debug, Default)]
struct Scratch {
    event: Vec<u8>,
    personal: Vec<u8>,
    line: Vec<u8>,
}

impl Scratch {
    fn clear(&mut self) {
        self.event.clear();
        self.personal.clear();
        self.line.clear();
    }
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = const {
        RefCell::new(Scratch { event: Vec::new(), personal: Vec::new(), line: Vec::new() })
    };
}

thread_local! {
    static TURN: RefCell<Turn> = RefCell::default();
}

/// They take turns: while one syncs, the other prepares.
const COMMITTERS: usize = 2;

/// A commit that is not older than this may be missing in the second place after a crash. The rest of the second is for
/// writing it.
const PLACE_EVERY: Duration = Duration::from_millis(800);

/// So long is for ever: what the clock can still count.
const LIMIT_MAX: Duration = Duration::from_secs(100 * 365 * 86_400);

//! What all parts of an open log share, and how it ends.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, TryLockError};
use std::time::{Duration, Instant, SystemTime};

use super::assistant::{self, Assistant};
use super::builder::Options;
use super::committer::{self, Core, Disk};
use super::entropy::Entropy;
use super::exporting::Exporting;
use super::follow::{Follow, Grown};
use super::numbers::Numbers;
use super::pages::Pages;
use super::place::Place;
use super::queue::{Entry, Queue};
use super::schedule::{STOPPING_MAX, Schedule};
use super::ticket::Receipt;
use super::tree::LogTree;
use super::work::Work;
use crate::error::{Cause, Error, Result};
use crate::event::{Event, Redaction};
use crate::note::{Origin, VerifierKey};
use crate::query::Indexes;
use crate::reader::tree::TreeCache;
use crate::retention::{InForce, Sights};
use crate::sink::Feeds;
use crate::store::{Eraser, Store};

/// What all parts of an open log share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(super) origin: Origin,
    pub(super) store: Arc<dyn Store>,
    pub(super) queue: Queue,
    pub(super) assistant: Arc<Assistant>,
    pub(super) core: Mutex<Core>,
    pub(super) disk: Mutex<Disk>,
    pub(super) tree: LogTree,
    pub(super) indexes: Arc<Indexes>,
    pub(super) eraser: Mutex<Option<Box<dyn Eraser>>>,
    pub(super) in_force: Mutex<InForce>,
    pub(super) numbers: Numbers,
    pub(super) follow: Follow,
    /// The key in force, for who asks while a signer is waited for.
    pub(super) vkey: Mutex<VerifierKey>,
    pub(super) failure: Mutex<Option<Error>>,
    /// Failures that the host is told of once no lock is held: its callback may ask the log anything.
    pub(super) untold: Mutex<Vec<Error>>,
    /// Until when a failing signer is asked again once the log is closing.
    pub(super) close_by: Mutex<Option<Instant>>,
    pub(super) closing: Condvar,
    pub(super) rotation: Mutex<()>,
    /// One run of a retention at a time.
    pub(super) retaining: Mutex<()>,
    /// What those have seen.
    pub(super) sights: Sights,
    /// A thread of the host's that answers for a commit shares it: the end of the log waits for that.
    pub(super) answering: RwLock<()>,
    /// The key in force is that of the key file.
    pub(super) ages: AtomicBool,
    /// What a crash interrupted was taken up again, or is now.
    pub(super) is_resumed: AtomicBool,
    /// No erasure or purge that was announced is left undone, in this opening or before it.
    pub(super) is_all_carried_out: AtomicBool,
    pub(super) schedule: Schedule,
    pub(super) feeds: Feeds,
    pub(super) exporting: Exporting,
    pub(super) place: Option<Place>,
    pub(super) key_file: Option<PathBuf>,
    pub(super) redaction: Redaction,
    pub(super) entropy: Entropy,
    pub(super) pages: Pages,
    pub(super) options: Options,
}

/// For who follows the log.
impl Shared {
    pub(crate) fn now(&self) -> SystemTime {
        self.options.clock.now()
    }

    /// How many records are durable.
    pub(crate) fn size(&self) -> u64 {
        self.follow.newest().map_or(0, |newest| newest.checkpoint().size())
    }

    pub(crate) fn parts(&self) -> (&dyn Store, &Indexes) {
        (self.store.as_ref(), &self.indexes)
    }

    pub(crate) fn tree_view(&self, size: u64) -> Option<TreeCache> {
        self.tree().view(size).ok()
    }

    pub(crate) fn wait_beyond(&self, size: u64, limit: Duration, is_called_off: &dyn Fn() -> bool) -> Grown {
        self.follow.wait_beyond_within(size, limit, is_called_off)
    }

    /// Has those who wait for the log to grow see whether they are called off.
    pub(crate) fn wake_followers(&self) {
        self.follow.wake();
    }
}

impl Shared {
    /// Records an event of the log itself.
    pub(super) fn record_own(&self, event: Event) -> Result<Receipt> {
        let mut alone = self.alone()?;
        let Alone { core, disk, .. } = &mut alone;
        core.record(self, disk, &event, None)
    }

    /// The core and the disk, with nothing on its way between them.
    ///
    /// # Errors
    ///
    /// In another process than that of the log's threads.
    pub(super) fn alone(&self) -> Result<Alone<'_>> {
        self.queue.check_process()?;
        let (work, was_panicking) = (Work::begin(self), std::thread::panicking());
        loop {
            let mut core = self.core();
            self.queue.takes_prepared();
            let Some(mut turn) = core.prepared.take() else {
                let disk = self.disk();
                return Ok(Alone {
                    core,
                    disk,
                    shared: self,
                    was_panicking,
                    _work: work,
                });
            };
            let _answering = self.answering();
            committer::commit(self, core, &mut turn);
            turn.answer(self);
        }
    }

    /// A commit is on its way whose events this thread answers for.
    pub(super) fn answering(&self) -> RwLockReadGuard<'_, ()> {
        self.answering.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives an entry's result to whoever waits for it, and says whether somebody does; a failure that nobody waits for is
    /// counted and told.
    pub(super) fn answer(&self, entry: &Entry, result: Result<Receipt>) -> bool {
        match result {
            Ok(receipt) => entry.promise.keep(Ok(receipt)),
            Err(error) => {
                let is_held = entry.promise.fail(error.clone());
                if !is_held {
                    self.failed_unseen(&error);
                }
                is_held
            }
        }
    }

    /// Where the core is needed too, it is taken first.
    pub(super) fn disk(&self) -> MutexGuard<'_, Disk> {
        self.disk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn core(&self) -> MutexGuard<'_, Core> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn tree(&self) -> MutexGuard<'_, TreeCache> {
        self.tree.cache()
    }

    /// Brings the tree cache up to the log's head.
    ///
    /// # Errors
    ///
    /// Also where the log ends first, and in another process than that of the log's threads.
    pub(super) fn catch_up(&self) -> Result<()> {
        self.queue.check_process()?;
        match self.tree.catch_up(self.store.as_ref(), |_| !self.is_closing())? {
            true => Ok(()),
            false => Err(self.ended()),
        }
    }

    /// The key in force.
    pub(super) fn vkey(&self) -> VerifierKey {
        self.vkey.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn failure(&self) -> Option<Error> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Why nothing more is taken.
    pub(super) fn ended(&self) -> Error {
        self.failure().unwrap_or_else(|| Cause::Closed.into())
    }

    pub(super) fn is_closing(&self) -> bool {
        self.queue.is_idle().is_err()
    }

    /// Takes nothing more. A signer that fails is asked again for what is queued, at most so long.
    pub(super) fn end_within(&self, limit: Duration) {
        let by = Instant::now().checked_add(limit.min(LIMIT_MAX));
        let mut close_by = self.close_by.lock().unwrap_or_else(PoisonError::into_inner);
        *close_by = by.max(*close_by);
        drop(close_by);
        self.closing.notify_all();
        self.queue.end(Cause::Closed.into());
    }

    /// How long a signer that has failed since `began` is asked again.
    pub(super) fn signer_time_left(&self, began: Instant) -> Duration {
        let left = self.options.signer_deadline.saturating_sub(began.elapsed());
        match self.close_by() {
            _ if self.failure().is_some() => Duration::ZERO,
            Some(by) => left.min(by.saturating_duration_since(Instant::now())),
            None => left,
        }
    }

    /// Until when a failing signer is asked again, once the log is closing.
    pub(super) fn close_by(&self) -> Option<Instant> {
        *self.close_by.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits before a failing signer is asked again, but not where the log begins to close: until `close_by` is another.
    pub(super) fn pause(&self, pause: Duration, close_by: Option<Instant>) {
        let now = self.close_by.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.closing.wait_timeout_while(now, pause, |now| *now == close_by));
    }

    /// Takes nothing more after this failure. The store is let go: the log can be opened anew.
    pub(super) fn poison(&self, error: &Error) {
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
    pub(super) fn failed_unseen(&self, error: &Error) {
        self.numbers.lost_unseen();
        self.tell_later(error);
    }

    /// Something panicked in the middle of its work: nothing may be built upon it.
    pub(super) fn panicked(&self) {
        self.poison(&panic_error());
        // Each promise that is dropped says that the log has ended.
        self.core().prepared = None;
        self.disk().writer = None;
    }

    pub(super) fn tell_later(&self, error: &Error) {
        if self.options.on_error.is_some() {
            let mut untold = self.untold.lock().unwrap_or_else(PoisonError::into_inner);
            if untold.len() < UNTOLD_MAX {
                untold.push(error.clone());
            }
            drop(untold);
            self.assistant.tell();
        }
    }

    /// Tells the host of what happened while locks were held. None is held now.
    pub(super) fn tell_untold(&self) {
        let untold = std::mem::take(&mut *self.untold.lock().unwrap_or_else(PoisonError::into_inner));
        untold.iter().for_each(|error| self.tell(error));
    }

    /// Tells the host of a failure. Its callback is its own code.
    pub(super) fn tell(&self, error: &Error) {
        if let Some(callback) = &self.options.on_error {
            let _ = catch_unwind(AssertUnwindSafe(|| callback(error)));
        }
    }

    /// The committer is done: the log has ended.
    pub(super) fn finish(&self, closed: Result<()>) {
        // Those whose events are durable are answered before the log has ended.
        drop(self.answering.write().unwrap_or_else(PoisonError::into_inner));
        let placed = self.write_place();
        self.numbers.placed(placed.clone());
        if let Err(error) = closed.and(placed)
            && self.failure().is_none()
        {
            self.numbers.failed(&error);
            self.tell_later(&error);
            *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        }
        self.stop_sinks();
        self.schedule.wait_stopped(STOPPING_MAX);
        self.nothing_interrupted();
        self.assistant.end();
        self.let_go();
    }

    /// The next writer comes in once the eraser is gone, and has the caches and the second place to itself.
    fn let_go(&self) {
        self.place.iter().for_each(Place::end);
        self.tree.rest();
        self.eraser.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.follow.end();
    }

    /// Writes the second place now.
    pub(super) fn write_place(&self) -> Result<()> {
        match (&self.place, self.follow.newest()) {
            (Some(place), Some(newest)) => place.write(&newest),
            _ => Ok(()),
        }
    }
}

/// The core and the disk. Where this thread panics meanwhile, the log is poisoned.
#[derive(Debug)]
pub(super) struct Alone<'a> {
    pub(super) core: MutexGuard<'a, Core>,
    pub(super) disk: MutexGuard<'a, Disk>,
    shared: &'a Shared,
    was_panicking: bool,
    _work: Work,
}

impl Drop for Alone<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() && !self.was_panicking {
            (self.core.prepared, self.disk.writer) = (None, None);
            self.shared.poison(&panic_error());
        }
    }
}

fn panic_error() -> Error {
    let panicked = std::io::Error::other("a thread of the log panicked");
    Error::io("run", Path::new("the log"), panicked)
}

/// Runs a thread of the log. Should it panic, the log ends with an error, and nobody waits for ever.
pub(super) fn guarded(shared: &Shared, run: fn(&Shared)) {
    if catch_unwind(AssertUnwindSafe(|| run(shared))).is_err() {
        shared.panicked();
        match std::ptr::fn_addr_eq(run, assistant::run as fn(&Shared)) {
            true => shared.assistant.abandon(),
            false => shared.assistant.end(),
        }
        // Each promise that is dropped says that the log has ended.
        while shared.queue.take(usize::MAX).is_some() {}
        shared.let_go();
        shared.tell_untold();
    }
}

/// Keeps the second place: at least once a second while there are commits (FORMAT §8).
pub(super) fn keep_place(shared: &Shared) {
    let Some(place) = &shared.place else { return };
    while let Some(newest) = shared.follow.wait_beyond(place.written()) {
        let result = place.write(&newest);
        if let Err(error) = &result {
            shared.tell_later(error);
        }
        shared.numbers.placed(result);
        if shared.follow.wait_ended(PLACE_EVERY) {
            return;
        }
    }
}

pub(super) fn try_lock<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    match mutex.try_lock() {
        Ok(guard) => Some(guard),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}

/// A commit that is not older than this may be missing in the second place after a crash. The rest of the second is for
/// writing it.
const PLACE_EVERY: Duration = Duration::from_millis(800);

/// More failures than a callback that is slow is told of afterwards; the numbers count all.
const UNTOLD_MAX: usize = 1_000;

/// So long is for ever: what the clock can still count.
const LIMIT_MAX: Duration = Duration::from_secs(100 * 365 * 86_400);

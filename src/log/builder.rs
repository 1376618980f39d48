//! How a log is opened: options first, then the store.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::clock::{Clock, SystemClock};
use super::rotation::LogSigner;
use super::{AuditLog, opening};
use crate::checkpoint::SignedCheckpoint;
use crate::error::{Error, Result};
use crate::event::{Limits, Redaction};
use crate::export::position::Series;
use crate::export::{Destination, Every, Export};
use crate::retention::Retention;
use crate::sign::Signer;
use crate::sink::Feed;
use crate::store::Store;

/// Options of a log; made by [`AuditLog::builder`].
#[must_use = "a builder does nothing until `open`"]
#[derive(Debug)]
pub struct Builder {
    pub(super) origin: String,
    pub(super) key: Option<Key>,
    pub(super) place: PlaceOption,
    pub(super) options: Options,
}

/// Who signs.
#[derive(Debug)]
pub(super) enum Key {
    File(PathBuf),
    Signer(LogSigner),
}

/// Where the second checkpoint is kept.
#[derive(Debug)]
pub(super) enum PlaceOption {
    /// Beside the key file.
    BesideKey,
    File(PathBuf),
    None,
}

/// Is told of failures that no caller would see.
type Callback = Box<dyn Fn(&Error) + Send + Sync>;

/// Gives the first record that is still needed.
type Position = Box<dyn Fn() -> u64 + Send + Sync>;

/// What does not decide whether the log opens.
pub(super) struct Options {
    pub(super) accept_missing_checkpoint: bool,
    pub(super) previous: Option<SignedCheckpoint>,
    pub(super) source: Option<String>,
    pub(super) queue_bytes: usize,
    pub(super) lock_wait: Duration,
    pub(super) signer_deadline: Duration,
    pub(super) append_deadline: Option<Duration>,
    pub(super) drop_deadline: Duration,
    pub(super) rotate_key_after: Option<Duration>,
    pub(super) limits: Limits,
    pub(super) redaction: Redaction,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) exports: Vec<(Every, Series)>,
    pub(super) on_error: Option<Callback>,
    pub(super) retention: Option<(Retention, Duration)>,
    pub(super) keep_for: Vec<(String, Position)>,
    pub(super) feeds: Mutex<Vec<Feed>>,
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options")
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}

impl Options {
    /// The sinks that the log is opened with; empty once they are at work.
    pub(super) fn feeds(&self) -> MutexGuard<'_, Vec<Feed>> {
        self.feeds.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Builder {
    pub(super) fn new(origin: String) -> Self {
        let options = Options {
            accept_missing_checkpoint: false,
            previous: None,
            source: None,
            queue_bytes: 64 * 1024 * 1024,
            lock_wait: Duration::from_secs(10),
            signer_deadline: Duration::from_secs(30),
            append_deadline: None,
            drop_deadline: Duration::from_secs(5),
            rotate_key_after: None,
            limits: Limits::default(),
            redaction: Redaction::default(),
            clock: Arc::new(SystemClock),
            exports: Vec::new(),
            on_error: None,
            retention: None,
            keep_for: Vec::new(),
            feeds: Mutex::default(),
        };
        Self {
            origin,
            key: None,
            place: PlaceOption::BesideKey,
            options,
        }
    }

    /// The file of the log's Ed25519 key. For a new log it is made, mode 0600, if it is not there; for an existing log
    /// it never is. The newest checkpoint is kept in the same directory, named for the origin (FORMAT §8), unless
    /// [`checkpoint_file`](Self::checkpoint_file) says where else.
    pub fn key_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.key = Some(Key::File(path.into()));
        self
    }

    /// A signer of the host's, such as a KMS. [`checkpoint_file`](Self::checkpoint_file) or
    /// [`without_checkpoint_file`](Self::without_checkpoint_file) must be said with it.
    pub fn signer(mut self, signer: impl Signer + 'static) -> Self {
        self.key = Some(Key::Signer(LogSigner::new(signer)));
        self
    }

    /// Where the newest checkpoint is kept, outside the log directory: best on another disk. A log that is shorter than
    /// it says, or does not contain its tree, is not opened (FORMAT §8).
    pub fn checkpoint_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.place = PlaceOption::File(path.into());
        self
    }

    /// Gives up the protection against a log that was rolled back: a restored backup makes the key sign a second
    /// history.
    pub fn without_checkpoint_file(mut self) -> Self {
        self.place = PlaceOption::None;
        self
    }

    /// Opens an existing log though its checkpoint in the second place is missing or unreadable. `audit_log.recovered`
    /// tells it.
    pub fn accept_missing_checkpoint(mut self) -> Self {
        self.options.accept_missing_checkpoint = true;
        self
    }

    /// For a new log: the last checkpoint of the log that it continues, after the loss of a key or damage (FORMAT §2).
    pub fn previous(mut self, checkpoint: SignedCheckpoint) -> Self {
        self.options.previous = Some(checkpoint);
        self
    }

    /// The `source` of events that do not say one: the service and its version, such as `auth-service/1.4.2`.
    pub fn source(mut self, source: impl Into<String>) -> Self {
        self.options.source = Some(source.into());
        self
    }

    /// How many bytes of events may wait for a commit: 64 MiB unless told otherwise. One event always may.
    pub fn queue_bytes(mut self, bytes: usize) -> Self {
        self.options.queue_bytes = bytes;
        self
    }

    /// How long another writer of this log is waited for: 10 seconds unless told otherwise. In a rolling deployment,
    /// the time that the old process takes to close.
    pub fn lock_wait(mut self, wait: Duration) -> Self {
        self.options.lock_wait = wait;
        self
    }

    /// How long a commit waits for a signer that fails: 30 seconds unless told otherwise. Then its events fail, with
    /// nothing written. What is queued behind it waits for the next commit, with the same deadline anew.
    pub fn signer_deadline(mut self, deadline: Duration) -> Self {
        self.options.signer_deadline = deadline;
        self
    }

    /// How long [`append`](AuditLog::append) waits for room in the queue: without end unless told otherwise. It does not
    /// apply to [`append_async`](AuditLog::append_async).
    pub fn append_deadline(mut self, deadline: Duration) -> Self {
        self.options.append_deadline = Some(deadline);
        self
    }

    /// How long the last drop of a log that was not closed waits for what is queued: 5 seconds unless told otherwise.
    pub fn drop_deadline(mut self, deadline: Duration) -> Self {
        self.options.drop_deadline = deadline;
        self
    }

    /// Makes a new key, in the place of the old key file, once the one in force is so old, by the file's modification
    /// time. Needs a [`key_file`](Self::key_file).
    pub fn rotate_key_after(mut self, age: Duration) -> Self {
        self.options.rotate_key_after = Some(age);
        self
    }

    /// Limits below those of the format.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.options.limits = limits;
        self
    }

    /// Which values are secrets and are never stored.
    pub fn redaction(mut self, redaction: Redaction) -> Self {
        self.options.redaction = redaction;
        self
    }

    /// Exports by itself, every hour or day (UTC): what was recorded since the last one, as
    /// [`AuditLog::export`] does it. It may be said several times, for other destinations, queries or formats.
    ///
    /// The ranges follow each other from record 0 on, without a gap and without a record twice: each begins where the
    /// manifests at the destination end, and they alone say where, after whatever crash. The first export comes at once,
    /// so that a destination that refuses is seen when the service starts; also a period without events is exported,
    /// since each export is an event itself. What fails is tried again, after a second at first and after five minutes at
    /// last; [`on_error`](Self::on_error) is told of each failure, and [`LogState::exports`](crate::LogState::exports)
    /// says how far it has come; up to there a purge waits for it, as for [`keep_for`](Self::keep_for). Closing the log stops an export that is under way, which the next process does anew.
    ///
    /// Where the clock jumps ahead, one export is made, not one for each period that it jumped over; where it is set back
    /// by more than a period, the next one comes at once, and by less, once the period ends in which the last one began.
    ///
    /// The query takes no range of `seq` and no period before now (`last`). Opening fails with
    /// [`Cause::Configuration`](crate::Cause::Configuration) where it has one, or the same is asked for twice.
    ///
    /// ```
    /// use indelible::export::{Every, Export, Format};
    /// use indelible::{AuditLog, FileStore, Query};
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let folder = folder.path();
    /// let logins = Export::new(Query::new().action("auth.login.*")).format(Format::Csv);
    /// let log = AuditLog::builder("auth.example.com/audit")
    ///     .key_file(folder.join("audit.key"))
    ///     .export_every(Every::Hour, Export::new(Query::new()), folder.join("exports"))
    ///     .export_every(Every::Day, logins, folder.join("logins"))
    ///     .open(FileStore::new(folder.join("audit")))?;
    /// assert_eq!(log.state().exports.len(), 2);
    /// # log.close(std::time::Duration::from_secs(5))?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn export_every(mut self, every: Every, export: Export, to: impl Into<Destination>) -> Self {
        let destination = to.into();
        self.options.exports.push((every, Series { destination, export }));
        self
    }

    /// Delivers what is recorded to a sink, from a thread of its own and from a position of its own: see
    /// [`sink`](crate::sink). It may be said several times. A sink that cannot be reached does not keep the log from opening.
    pub fn sink(self, feed: Feed) -> Self {
        self.options.feeds().push(feed);
        self
    }

    /// The clock, for tests.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.options.clock = Arc::new(clock);
        self
    }

    /// Is called with each failure that no caller would see: of an event whose ticket was dropped, and of what goes on
    /// in the background. It is called on a thread of the log that no commit waits for, with one failure after the other,
    /// and may use the log. A panic in it is caught. One that owns an [`AuditLog`] keeps it open: close it by hand, or
    /// hold it by a [`Weak`](std::sync::Weak) of your own.
    pub fn on_error(mut self, callback: impl Fn(&Error) + Send + Sync + 'static) -> Self {
        self.options.on_error = Some(Box::new(callback));
        self
    }

    /// Applies a retention in the background: once the log is open, and then so long after each run, until it is closed
    /// ([`AuditLog::apply_retention`]). What fails is told to [`on_error`](Self::on_error), and tried again by the next
    /// run. Each run writes the segments anew in which single records are over by then, and reads no others again: a day
    /// is a good interval.
    pub fn retention(mut self, retention: Retention, every: Duration) -> Self {
        self.options.retention = Some((retention, every));
        self
    }

    /// Keeps records until a sink or an export has got them: `position` gives the first `seq` that it still needs. No
    /// retention and no [`purge`](AuditLog::purge) takes a record from there on, but for
    /// [`Retention::delivery_limit`]; what is erased by hand goes. It is called for each purge and at the beginning of
    /// each run of a retention, and must not wait for the log. A panic in it is an error of that run.
    pub fn keep_for(mut self, name: impl Into<String>, position: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        self.options.keep_for.push((name.into(), Box::new(position)));
        self
    }

    /// Where the newest checkpoint is kept, as these options say: beside the key file, where
    /// [`checkpoint_file`](Self::checkpoint_file) says, or nowhere.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open) where the origin or the options do not fit.
    pub fn checkpoint_path(&self) -> Result<Option<PathBuf>> {
        opening::checkpoint_path(self)
    }

    /// Opens the log for writing, and makes it if there is none.
    ///
    /// What a crash left is cleared away first, and announced in the log (FORMAT §8).
    ///
    /// # Errors
    ///
    /// [`Cause::Locked`](crate::Cause::Locked) while another process writes it,
    /// [`Cause::RolledBack`](crate::Cause::RolledBack) and
    /// [`Cause::CheckpointMissing`](crate::Cause::CheckpointMissing) by the second place,
    /// [`Cause::Damaged`](crate::Cause::Damaged) for what a crash cannot explain,
    /// [`Cause::Configuration`](crate::Cause::Configuration) where key, origin or options do not fit.
    pub fn open(self, store: impl Store) -> Result<AuditLog> {
        opening::open(self, Arc::new(store))
    }
}

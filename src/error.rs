//! The error of every fallible call on a log or a store, and what its caller can do about it.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::event::InvalidEvent;
use crate::query::QueryError;

/// What went wrong: one pointer wide, and a cheap clone, because one failure can reach many tickets.
///
/// [`Error::cause`] gives the evidence, [`Error::kind`] what the caller can do.
#[derive(Clone)]
pub struct Error(Arc<Cause>);

/// The result of a call on a log or a store.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What the caller of a failed call can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The event breaks a rule: mend it. Nothing was recorded.
    FixEvent,
    /// Nothing is broken: the same call can succeed later. Nothing was recorded.
    Retry,
    /// This log takes no more events: open it anew.
    Reopen,
    /// Another process has the log: wait for it, or stop it.
    WaitForLock,
    /// A key, path, origin, option or `seq` does not fit, or a legal hold is in the way: mend the configuration, or the
    /// call.
    FixConfiguration,
    /// The log on disk is not what it was: do not write, look at it.
    CallForHelp,
}

/// The evidence of an [`Error`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Cause {
    /// An event breaks a rule of EVENTS §1.
    #[error("invalid event: {0}")]
    InvalidEvent(InvalidEvent),
    /// A query is none that can be answered.
    #[error("{0}")]
    InvalidQuery(QueryError),
    /// The host's `id` was used before for an event of other content.
    #[error("id {id:?} was recorded with other content at seq {first_seq}")]
    IdReused {
        /// The id.
        id: String,
        /// The record that has it.
        first_seq: u64,
    },
    /// The queue holds as many bytes as it may: `submit` takes no more until a commit is through.
    #[error("the queue is full: {queued} of at most {limit} bytes wait for a commit")]
    QueueFull {
        /// Bytes that wait.
        queued: usize,
        /// The limit that the builder set.
        limit: usize,
    },
    /// A time limit of the host's passed.
    #[error("{what} took longer than {limit:?}")]
    TimedOut {
        /// What was waited for.
        what: &'static str,
        /// The limit.
        limit: Duration,
    },
    /// The log was closed.
    #[error("the log is closed")]
    Closed,
    /// An earlier failure poisoned the log; it must be opened anew.
    #[error("the log takes no more events since an earlier failure: {0}")]
    Poisoned(#[source] Error),
    /// The operating system refused.
    #[error("{action} {path:?}: {source}")]
    Io {
        /// What was tried: `open`, `write`, `sync`.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The refusal.
        source: io::Error,
    },
    /// Another process writes this log.
    #[error("the log {path:?} is written by process {}, waited {waited:?} for it", pid_or_unknown(*.pid))]
    Locked {
        /// The lock.
        path: PathBuf,
        /// Who holds it, where it says so.
        pid: Option<u32>,
        /// How long this process waited.
        waited: Duration,
    },
    /// The store's head is not what the commit continues: another writer was there.
    #[error("the store has {} records where the commit continues {expected}", head.tree.size())]
    Conflict {
        /// The size that the commit continues.
        expected: u64,
        /// The head that the store has.
        head: Box<crate::store::Head>,
    },
    /// The log is damaged: more than a crash can explain (FORMAT §8). An opening that fails with it has changed nothing.
    #[error("damaged: {file}{}: {problem}", at_line(*.line))]
    Damaged {
        /// The file.
        file: String,
        /// The line, from 1, where there is one.
        line: Option<u64>,
        /// What is wrong.
        problem: String,
    },
    /// The log is missing, shorter than the checkpoint in the second place, or does not contain its tree (FORMAT §8).
    #[error("the log was rolled back or replaced: {problem}; the checkpoint in {place:?} has size {trusted}")]
    RolledBack {
        /// Where the trusted checkpoint stands.
        place: PathBuf,
        /// Its size.
        trusted: u64,
        /// What the log has instead.
        problem: String,
    },
    /// An existing log has no checkpoint in the second place (FORMAT §8).
    #[error(
        "no readable checkpoint in {place:?} for an existing log: {problem}; see Builder::accept_missing_checkpoint"
    )]
    CheckpointMissing {
        /// Where it should stand.
        place: PathBuf,
        /// Why it could not be read.
        problem: String,
    },
    /// An option, a path or a key does not fit.
    #[error("{option}: {problem}")]
    Configuration {
        /// The option.
        option: &'static str,
        /// What is wrong, and what it takes.
        problem: String,
    },
    /// The signer failed; nothing was written.
    #[error("the signer failed: {0}")]
    Signer(#[source] crate::sign::SignError),
    /// A segment is of a format that this version does not know (FORMAT §1).
    #[error("{file}: unsupported format {format}")]
    Unsupported {
        /// The file.
        file: String,
        /// Its `format`.
        format: u64,
    },
    /// An export could not be written, or read. The log is as it was.
    #[error("{action} {path:?}: {source}")]
    Export {
        /// What was tried: `write`, `sync`.
        action: &'static str,
        /// The file or folder; `the writer` for one of the host's.
        path: PathBuf,
        /// The refusal.
        source: io::Error,
    },
    /// What is to be exported was exported before, under the same name. Nothing was changed.
    #[error("the export {path:?} is there already")]
    AlreadyExported {
        /// Its manifest.
        path: PathBuf,
    },
    /// A legal hold covers a record: nothing was erased or purged.
    #[error("record {seq} is kept by the legal hold {hold:?}: release it first")]
    Held {
        /// The hold's name.
        hold: String,
        /// The first record that it covers.
        seq: u64,
    },
    /// The log has no such record: it is purged or not recorded yet.
    #[error("no record {seq}: {problem}")]
    NoRecord {
        /// What was asked for.
        seq: u64,
        /// Why it is not there.
        problem: String,
    },
}

impl Error {
    /// The evidence.
    pub fn cause(&self) -> &Cause {
        &self.0
    }

    /// What the caller can do.
    pub fn kind(&self) -> ErrorKind {
        match self.cause() {
            Cause::InvalidEvent(_) | Cause::IdReused { .. } => ErrorKind::FixEvent,
            Cause::QueueFull { .. }
            | Cause::TimedOut { .. }
            | Cause::Signer(_)
            | Cause::Conflict { .. }
            | Cause::Export { .. } => ErrorKind::Retry,
            Cause::Closed | Cause::Poisoned(_) | Cause::Io { .. } => ErrorKind::Reopen,
            Cause::Locked { .. } => ErrorKind::WaitForLock,
            Cause::InvalidQuery(_)
            | Cause::Configuration { .. }
            | Cause::AlreadyExported { .. }
            | Cause::CheckpointMissing { .. }
            | Cause::Held { .. }
            | Cause::NoRecord { .. } => ErrorKind::FixConfiguration,
            Cause::Damaged { .. } | Cause::RolledBack { .. } | Cause::Unsupported { .. } => ErrorKind::CallForHelp,
        }
    }

    pub(crate) fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        Cause::Io {
            action,
            path: path.to_owned(),
            source,
        }
        .into()
    }

    pub(crate) fn export(action: &'static str, path: &Path, source: io::Error) -> Self {
        Cause::Export {
            action,
            path: path.to_owned(),
            source,
        }
        .into()
    }

    /// Whether a file was not there any more: a segment that was removed between being listed and being read.
    pub(crate) fn is_gone(&self) -> bool {
        matches!(self.cause(), Cause::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }

    pub(crate) fn configuration(option: &'static str, problem: impl Into<String>) -> Self {
        Cause::Configuration {
            option,
            problem: problem.into(),
        }
        .into()
    }

    pub(crate) fn damaged(file: impl Into<String>, line: Option<u64>, problem: impl Into<String>) -> Self {
        Cause::Damaged {
            file: file.into(),
            line,
            problem: problem.into(),
        }
        .into()
    }
}

impl From<Cause> for Error {
    fn from(cause: Cause) -> Self {
        Self(Arc::new(cause))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()
    }
}

fn pid_or_unknown(pid: Option<u32>) -> String {
    pid.map_or_else(|| "of unknown id".to_owned(), |pid| pid.to_string())
}

fn at_line(line: Option<u64>) -> String {
    line.map_or_else(String::new, |line| format!(" line {line}"))
}

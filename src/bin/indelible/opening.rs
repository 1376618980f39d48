//! How the commands open a log, for writing or for reading.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use indelible::{AuditLog, Cause, Error, FileStore, LogReader, Origin, Signer, SigningKey};

use crate::failure::Failure;

/// Options of the commands that write.
#[derive(Debug, Args)]
pub(crate) struct Opening {
    /// The log directory
    pub(crate) dir: PathBuf,

    /// The file of the key in force, as keygen made it. The log's newest checkpoint is kept in its folder
    #[arg(long, value_name = "KEYFILE")]
    pub(crate) key: PathBuf,

    /// Where the newest checkpoint is kept, if not beside the key: outside the log directory, best on another disk
    #[arg(long, value_name = "FILE")]
    pub(crate) checkpoint_file: Option<PathBuf>,

    /// Open an existing log though its checkpoint is not where it is kept. The log tells it
    #[arg(long)]
    accept_missing_checkpoint: bool,

    /// How long to wait for another process that writes the log
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    wait: u64,
}

impl Opening {
    /// The origin of the log, which the key names.
    pub(crate) fn origin(&self) -> Result<Origin, Failure> {
        let key = SigningKey::read_file(&self.key)?;
        Ok(key.vkey().name().clone())
    }

    /// Opens the log for writing, and makes it if it is not there.
    pub(crate) fn open(&self) -> Result<AuditLog, Failure> {
        self.try_open()?.map_err(explain)
    }

    /// Opens a log that is there. Where a service has it, the failure names the `call` that does the same inside it.
    pub(crate) fn open_for(&self, call: &str) -> Result<AuditLog, Failure> {
        reader(&self.dir)?;
        self.try_open()?.map_err(|error| match error.cause() {
            Cause::Locked { .. } => Failure::new(format!("{error}; inside that service, {call} does this")),
            _ => explain(error),
        })
    }

    fn try_open(&self) -> Result<Result<AuditLog, Error>, Failure> {
        let mut builder = AuditLog::builder(self.origin()?.as_str())
            .key_file(&self.key)
            .lock_wait(Duration::from_secs(self.wait));
        if let Some(path) = &self.checkpoint_file {
            builder = builder.checkpoint_file(path);
        }
        if self.accept_missing_checkpoint {
            builder = builder.accept_missing_checkpoint();
        }
        Ok(builder.open(FileStore::new(&self.dir)))
    }
}

/// Closes a log in order. What went wrong in the background is a failure too.
pub(crate) fn close(log: &AuditLog) -> Result<(), Failure> {
    log.close(CLOSE_LIMIT)?;
    match log.state().last_error {
        Some(error) => Err(Failure::new(format!("the log is closed, but: {error}"))),
        None => Ok(()),
    }
}

/// A reader of the log in `dir`.
pub(crate) fn reader(dir: &Path) -> Result<LogReader, Failure> {
    let segments = dir.join("segments");
    std::fs::read_dir(&segments)
        .map_err(|error| Failure::at(&segments, format!("no log can be read there: {error}")))?;
    Ok(LogReader::new(FileStore::new(dir)))
}

fn explain(error: Error) -> Failure {
    match error.cause() {
        Cause::CheckpointMissing { place, problem } => Failure::new(format!(
            "no readable checkpoint in {} for an existing log: {problem}; say where it is with --checkpoint-file, or go without it with --accept-missing-checkpoint",
            place.display()
        )),
        _ => error.into(),
    }
}

/// How long a command waits for what is queued when it ends.
const CLOSE_LIMIT: Duration = Duration::from_secs(60);

/// The longest checkpoint that is read from a file.
pub(crate) const CHECKPOINT_BYTES_MAX: u64 = 1024 * 1024;

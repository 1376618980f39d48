//! `tracing-appender`'s lossless non-blocking writer under `tracing-subscriber`'s JSON layer: the same fields of the
//! same logins as lines of JSON in a file. Neither chained nor signed nor synced.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tracing::Dispatch;
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};

use crate::events::{APPLICATION, Login, TENANT};

/// A subscriber that writes to a file.
pub struct TracingJson {
    dispatch: Dispatch,
    written: Arc<AtomicU64>,
    guard: WorkerGuard,
}

/// What stands between the worker and the file.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Buffer {
    /// Nothing, as in the documentation: one write a line.
    None,
    /// A `BufWriter`, flushed when the worker has nothing more to do.
    Lines,
}

impl TracingJson {
    /// Writes to a new file.
    pub fn open(path: &Path, buffer: Buffer) -> Self {
        let file = File::create(path).expect("create a file");
        let writer: Box<dyn Write + Send> = match buffer {
            Buffer::None => Box::new(file),
            Buffer::Lines => Box::new(BufWriter::with_capacity(64 * 1024, file)),
        };
        let written = Arc::new(AtomicU64::new(0));
        let output = Output {
            writer,
            written: Arc::clone(&written),
        };
        let (writer, guard) = NonBlockingBuilder::default().lossy(false).finish(output);
        let subscriber = tracing_subscriber::fmt().json().with_writer(writer).finish();
        Self {
            dispatch: Dispatch::new(subscriber),
            written,
            guard,
        }
    }

    /// Runs `work` on this thread under the subscriber.
    pub fn with<T>(&self, work: impl FnOnce() -> T) -> T {
        tracing::dispatcher::with_default(&self.dispatch, work)
    }

    /// Waits until `lines` are written, and flushes. The guard alone gives up after a second.
    pub fn finish(self, lines: u64) {
        while self.written.load(Ordering::Acquire) < lines {
            std::thread::sleep(Duration::from_micros(200));
        }
        drop(self.guard);
    }
}

struct Output {
    writer: Box<dyn Write + Send>,
    written: Arc<AtomicU64>,
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writer.write(bytes)
    }

    fn write_all(&mut self, line: &[u8]) -> io::Result<()> {
        self.writer.write_all(line)?;
        self.written.fetch_add(1, Ordering::Release);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

/// Says a login.
pub fn login(login: &Login) {
    let (outcome, reason) = match login.succeeded {
        true => ("success", None),
        false => ("failure", Some("invalid_credentials")),
    };
    tracing::info!(
        action = login.action(),
        actor.id = login.user,
        actor.email = login.email,
        actor.r#type = "user",
        target.id = APPLICATION,
        target.r#type = "application",
        tenant_id = TENANT,
        outcome,
        reason,
        context.ip = %login.ip,
        context.user_agent = login.agent,
        context.auth.method = "password",
        context.session_id = login.session,
        context.request_id = login.request,
    );
}

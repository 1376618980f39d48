//! The thread that speaks with a bucket: it has the runtime that `object_store` needs, so that nothing of it is seen
//! elsewhere, in a host with a runtime of its own or without one.

use std::fmt;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::time::Duration;

use object_store::{GetResult, ObjectStore};
use tokio::runtime::{Builder, Runtime};

use crate::error::{Error, Result};
use crate::export::place::{GoesOn, given_up};

/// A thread with a client. It ends when this is dropped, and what it was asked for is done.
pub(crate) struct Connection {
    jobs: Sender<Job>,
}

type Job = Box<dyn FnOnce(&Runtime, &Arc<dyn ObjectStore>) + Send>;

/// What a bucket is asked for.
pub(crate) type Asked<T> = Pin<Box<dyn Future<Output = object_store::Result<T>>>>;

impl Connection {
    /// Starts the thread, and makes the client there.
    pub(super) fn open(
        client: impl FnOnce() -> object_store::Result<Arc<dyn ObjectStore>> + Send + 'static,
    ) -> Result<Self> {
        let (jobs, todo) = mpsc::channel::<Job>();
        let (made, is_made) = mpsc::channel();
        let run = move || {
            let runtime = match Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime,
                Err(error) => return drop(made.send(Err(started(error)))),
            };
            let client = {
                let _entered = runtime.enter();
                client()
            };
            let client = match client {
                Ok(client) => client,
                Err(error) => {
                    let error = Error::configuration("destination", error.to_string());
                    return drop(made.send(Err(error)));
                }
            };
            let _ = made.send(Ok(()));
            todo.into_iter().for_each(|job| job(&runtime, &client));
        };
        let thread = std::thread::Builder::new().name("indelible-bucket".into());
        thread.spawn(run).map_err(started)?;
        let panicked = || started(io::Error::other("it panicked"));
        is_made.recv().unwrap_or_else(|_| Err(panicked()))?;
        Ok(Self { jobs })
    }

    /// Has the thread do something, and waits for it as long as it is wanted. An error names `action` and `address`.
    pub(crate) fn ask<T: Send + 'static>(
        &self,
        (action, address): (&'static str, &Path),
        goes_on: GoesOn<'_>,
        ask: impl FnOnce(Arc<dyn ObjectStore>) -> Asked<T> + Send + 'static,
    ) -> Result<T> {
        let failed = |error| Error::export(action, address, error);
        let gone = || failed(io::Error::other("the thread that asks it is gone"));
        let (answer, answered) = mpsc::channel();
        let job: Job = Box::new(move |runtime, client| {
            let _ = answer.send(runtime.block_on(ask(Arc::clone(client))));
        });
        self.jobs.send(job).map_err(|_| gone())?;
        loop {
            match answered.recv_timeout(LOOK_EVERY) {
                Ok(answer) => return answer.map_err(|error| failed(refusal(error))),
                Err(RecvTimeoutError::Timeout) if goes_on() => {}
                Err(RecvTimeoutError::Timeout) => return Err(failed(given_up())),
                Err(RecvTimeoutError::Disconnected) => return Err(gone()),
            }
        }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").finish_non_exhaustive()
    }
}

/// What is answered, where it has at most so many bytes.
pub(crate) async fn bounded(found: GetResult, most: usize) -> object_store::Result<Vec<u8>> {
    if found.meta.size > u64::try_from(most).unwrap_or(u64::MAX) {
        let problem = format!("{} has more than {most} bytes", found.meta.location);
        return Err(object_store::Error::Generic {
            store: "bucket",
            source: problem.into(),
        });
    }
    Ok(found.bytes().await?.to_vec())
}

fn started(error: io::Error) -> Error {
    Error::export("start a thread for", Path::new("a bucket"), error)
}

/// What a bucket said, as an error of input and output.
fn refusal(error: object_store::Error) -> io::Error {
    use object_store::Error as Refusal;
    let kind = match &error {
        Refusal::NotFound { .. } => io::ErrorKind::NotFound,
        Refusal::AlreadyExists { .. } | Refusal::Precondition { .. } => io::ErrorKind::AlreadyExists,
        Refusal::PermissionDenied { .. } | Refusal::Unauthenticated { .. } => io::ErrorKind::PermissionDenied,
        _ => io::ErrorKind::Other,
    };
    io::Error::new(kind, error)
}

/// How often who waits looks whether it is wanted still.
const LOOK_EVERY: Duration = Duration::from_millis(100);

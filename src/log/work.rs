//! Which logs a thread is at work for. Code of the host's that runs meanwhile (a signer, a store, a clock, a waker) must
//! not wait for that log: it would wait for itself.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use super::shared::Shared;
use crate::error::{Error, Result};

/// This thread is at work for a log, until this is dropped.
#[derive(Debug)]
pub(super) struct Work {
    log: *const Shared,
}

impl Work {
    pub(super) fn begin(shared: &Shared) -> Self {
        let log: *const Shared = shared;
        // In the destructor of a thread-local it may be gone.
        let _ = LOGS.try_with(|logs| logs.borrow_mut().push(log));
        Self { log }
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        let _ = LOGS.try_with(|logs| {
            let mut logs = logs.borrow_mut();
            if let Some(at) = logs.iter().rposition(|log| *log == self.log) {
                logs.swap_remove(at);
            }
        });
    }
}

/// Whether this thread is at work for the log.
pub(super) fn is_at_work(shared: &Shared) -> bool {
    let log: *const Shared = shared;
    LOGS.try_with(|logs| logs.borrow().contains(&log)).unwrap_or(false)
}

/// Refuses what would wait for the log while this thread is at work for it.
pub(super) fn check_not_at_work(shared: &Shared, call: &'static str) -> Result<()> {
    if is_at_work(shared) {
        let problem = "it would wait for the commit that it is called in";
        return Err(Error::configuration(call, problem));
    }
    Ok(())
}

/// Calls code of the host's. A panic in it is an error: what it leaves half done is not built upon.
pub(super) fn call_host<T>(what: &'static str, call: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|_| {
        let panicked = std::io::Error::other("it panicked");
        Err(Error::io("run", Path::new(what), panicked))
    })
}

thread_local! {
    static LOGS: RefCell<Vec<*const Shared>> = const { RefCell::new(Vec::new()) };
}

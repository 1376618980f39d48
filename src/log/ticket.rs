//! What a host gets for an event: a receipt, or a ticket for one.

use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use super::queue::check_process;
use crate::error::{Cause, Error, Result};
use crate::hash::Hash;

/// What an append returns: the event is on disk, chained and signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Receipt {
    /// The record's place in the log, from 0.
    pub seq: u64,
    /// The record's hash: with it, a proof shows that exactly this record is in the log.
    pub hash: Hash,
    /// The size of the tree whose checkpoint covers it.
    pub size: u64,
}

/// A receipt to come, for an event that is in the queue. The event is recorded whether the ticket is kept or not.
///
/// It can be awaited on any runtime, or waited for on a thread. It does not keep the log open.
pub struct Ticket {
    pending: Arc<Pending>,
}

impl Ticket {
    /// A ticket for an event in the queue of a log whose threads are in this process.
    pub(super) fn new(process: u32) -> (Self, Promise) {
        let pending = Arc::new(Pending {
            process,
            state: Mutex::default(),
            done: Condvar::new(),
        });
        (
            Self {
                pending: Arc::clone(&pending),
            },
            Promise(pending),
        )
    }

    /// Blocks until the event is durable.
    ///
    /// # Errors
    ///
    /// Why the event was not recorded.
    pub fn wait(self) -> Result<Receipt> {
        let mut state = self.pending.state();
        loop {
            if let Some(result) = &state.result {
                return result.clone();
            }
            check_process(self.pending.process)?;
            state.blocked += 1;
            state = self.pending.done.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.blocked -= 1;
        }
    }

    /// Blocks until the event is durable, at most so long; `None` once the time is over. The event stays in the queue.
    pub fn wait_timeout(&self, limit: Duration) -> Option<Result<Receipt>> {
        let began = Instant::now();
        let mut state = self.pending.state();
        loop {
            if let Some(result) = &state.result {
                return Some(result.clone());
            }
            let left = limit.checked_sub(began.elapsed())?;
            if let Err(error) = check_process(self.pending.process) {
                return Some(Err(error));
            }
            state.blocked += 1;
            let waited = self.pending.done.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
            state.blocked -= 1;
        }
    }

    /// The receipt if it is there already.
    pub fn try_receipt(&self) -> Option<Result<Receipt>> {
        self.pending.state().result.clone()
    }
}

impl Future for Ticket {
    type Output = Result<Receipt>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<Receipt>> {
        let mut state = self.pending.state();
        if let Some(result) = &state.result {
            return Poll::Ready(result.clone());
        }
        check_process(self.pending.process)?;
        let before = state.waker.replace(context.waker().clone());
        // It may be the last that holds a task, and with it the last clone of the log.
        drop(state);
        drop(before);
        Poll::Pending
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket").field("receipt", &self.try_receipt()).finish()
    }
}

/// The committer's side of a ticket. It is always kept: dropped without an answer, it says that the log has ended.
#[derive(Debug)]
pub(super) struct Promise(Arc<Pending>);

#[derive(Debug)]
struct Pending {
    /// Where the log's threads are: in a process that was forked off, nobody keeps the promise.
    process: u32,
    state: Mutex<State>,
    done: Condvar,
}

/// A ticket can be awaited by a task and waited for by threads, at the same time.
#[derive(Debug, Default)]
struct State {
    result: Option<Result<Receipt>>,
    /// Of the task that awaits it.
    waker: Option<Waker>,
    /// How many threads wait.
    blocked: usize,
}

impl Pending {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Promise {
    /// Gives the result to whoever waits: one wake-up for each, and none where nobody does. Says whether somebody does.
    pub(super) fn keep(&self, result: Result<Receipt>) -> bool {
        let mut state = self.0.state();
        state.result = Some(result);
        let (waker, blocked) = (state.waker.take(), state.blocked);
        drop(state);
        match blocked {
            0 => {}
            1 => self.0.done.notify_one(),
            _ => self.0.done.notify_all(),
        }
        if let Some(waker) = waker {
            // It is the host's code. A panic in it is not for those who wait for other events.
            let _ = catch_unwind(AssertUnwindSafe(|| waker.wake()));
            return true;
        }
        blocked > 0
    }

    /// Whether the result was given.
    pub(super) fn is_kept(&self) -> bool {
        self.0.state().result.is_some()
    }

    /// Says that the event was not recorded; `false` where the ticket was dropped and nobody can know.
    pub(super) fn fail(&self, error: Error) -> bool {
        let held = Arc::strong_count(&self.0) > 1;
        self.keep(Err(error));
        held
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        if !self.is_kept() {
            self.keep(Err(Cause::Closed.into()));
        }
    }
}

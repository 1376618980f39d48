//! The newest durable checkpoint: for readers in this process, and for the second place.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::checkpoint::SignedCheckpoint;

/// Holds the newest durable checkpoint.
#[derive(Debug, Default)]
pub(super) struct Follow {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    newest: Option<SignedCheckpoint>,
    /// Somebody waits for the next one.
    waiting: bool,
    ended: bool,
}

/// What came of waiting for a log to grow.
#[derive(Debug)]
pub(crate) enum Grown {
    To(SignedCheckpoint),
    /// Not in time.
    Not,
    /// It has ended, and does not grow any more.
    Ended,
}

impl Follow {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn newest(&self) -> Option<SignedCheckpoint> {
        self.state().newest.clone()
    }

    /// A commit is durable.
    pub(super) fn publish(&self, checkpoint: SignedCheckpoint) {
        let mut state = self.state();
        let before = state.newest.replace(checkpoint);
        let wake = std::mem::take(&mut state.waiting);
        drop(state);
        drop(before);
        if wake {
            self.changed.notify_all();
        }
    }

    /// The log has ended: nobody waits any more.
    pub(super) fn end(&self) {
        self.state().ended = true;
        self.changed.notify_all();
    }

    /// Waits for a checkpoint of more than `size` records; `None` once the log has ended.
    pub(super) fn wait_beyond(&self, size: u64) -> Option<SignedCheckpoint> {
        let mut state = self.state();
        loop {
            match &state.newest {
                _ if state.ended => return None,
                Some(newest) if newest.checkpoint().size() > size => return Some(newest.clone()),
                _ => {}
            }
            state.waiting = true;
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits for a checkpoint of more than `size` records, at most so long; for those too that the log ended with.
    pub(super) fn wait_beyond_within(&self, size: u64, limit: Duration, is_called_off: &dyn Fn() -> bool) -> Grown {
        let is_same = |state: &mut State| {
            let is_beyond = |newest: &SignedCheckpoint| newest.checkpoint().size() > size;
            let is_same = !state.ended && !state.newest.as_ref().is_some_and(is_beyond) && !is_called_off();
            state.waiting |= is_same;
            is_same
        };
        let waited = self.changed.wait_timeout_while(self.state(), limit, is_same);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        match &state.newest {
            Some(newest) if newest.checkpoint().size() > size => Grown::To(newest.clone()),
            _ if state.ended => Grown::Ended,
            _ => Grown::Not,
        }
    }

    /// Has those who wait see whether they are called off.
    pub(super) fn wake(&self) {
        drop(self.state());
        self.changed.notify_all();
    }

    /// Waits for the end of the log, at most so long, and tells whether it has come.
    pub(super) fn wait_ended(&self, limit: Duration) -> bool {
        let state = self.state();
        let ended = self.changed.wait_timeout_while(state, limit, |state| !state.ended);
        ended.unwrap_or_else(PoisonError::into_inner).0.ended
    }
}

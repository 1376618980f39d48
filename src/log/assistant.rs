//! The committer's assistant, a thread of its own: it wakes those who wait for receipts, prepares the next commit while
//! the committer syncs the last one, rotates a key that is due, and runs the host's callback.
//!
//! The committer never waits for it: what it is too busy for, the committer does itself.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::committer::{FLOOD, prepare_next};
use super::shared::Shared;
use super::turn::Turn;

/// What the assistant is asked for.
#[derive(Debug, Default)]
pub(super) struct Assistant {
    state: Mutex<State>,
    work: Condvar,
    done: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// A durable commit, to be answered for.
    turn: Option<Turn>,
    /// One that was answered for, to be filled again.
    spare: Option<Turn>,
    /// So many events wait that the next commit is to be prepared.
    prepare: bool,
    /// The host is to be told of failures.
    tell: bool,
    ended: bool,
    doing: Doing,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum Doing {
    #[default]
    Other,
    Waiting,
    Answering,
    Telling,
    /// The thread has panicked.
    Gone,
}

enum Work {
    Answer(Turn),
    Prepare(Turn),
    Tell,
    Look,
    Ended,
}

impl Assistant {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has a durable turn answered for, and gives an empty one in its place. Where the assistant is busy, the turn stays,
    /// and this is `false`.
    pub(super) fn hand_over(&self, turn: &mut Turn) -> bool {
        let mut state = self.state();
        if state.doing != Doing::Waiting || state.turn.is_some() {
            return false;
        }
        let spare = state.spare.take().unwrap_or_default();
        state.turn = Some(std::mem::replace(turn, spare));
        self.wake(state);
        true
    }

    /// Has the next commit prepared.
    pub(super) fn prepare(&self) {
        let mut state = self.state();
        state.prepare = true;
        self.wake(state);
    }

    /// Has the host told of failures.
    pub(super) fn tell(&self) {
        let mut state = self.state();
        state.tell = true;
        self.wake(state);
    }

    /// Nothing more will come. Waits until what was handed over is answered for, and until the host is told, unless its
    /// callback takes too long.
    pub(super) fn end(&self) {
        let mut state = self.state();
        state.ended = true;
        self.work.notify_one();
        while state.turn.is_some() || state.doing == Doing::Answering {
            state = self.done.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let is_telling = |state: &mut State| state.tell || state.doing == Doing::Telling;
        drop(self.done.wait_timeout_while(state, TELLING_MAX, is_telling));
    }

    fn wake(&self, state: MutexGuard<'_, State>) {
        let waits = state.doing == Doing::Waiting;
        drop(state);
        if waits {
            self.work.notify_one();
        }
    }

    /// Waits for something to do.
    fn next(&self, look_at: Option<Instant>) -> Work {
        let mut state = self.state();
        loop {
            if let Some(turn) = state.turn.take() {
                state.doing = Doing::Answering;
                return Work::Answer(turn);
            }
            state.doing = Doing::Other;
            if state.ended {
                self.done.notify_all();
            }
            if std::mem::take(&mut state.prepare) && !state.ended {
                return Work::Prepare(state.spare.take().unwrap_or_default());
            }
            if std::mem::take(&mut state.tell) {
                state.doing = Doing::Telling;
                return Work::Tell;
            }
            if state.ended {
                return Work::Ended;
            }
            let left = look_at.map(|at| at.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                return Work::Look;
            }
            state.doing = Doing::Waiting;
            state = match left {
                None => self.work.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(left) => {
                    let waited = self.work.wait_timeout(state, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    /// Keeps an empty turn, to be filled again.
    pub(super) fn keep(&self, turn: Turn) {
        self.state().spare = Some(turn);
    }

    /// The thread is gone.
    pub(super) fn abandon(&self) {
        let mut state = self.state();
        (state.turn, state.tell, state.doing) = (None, false, Doing::Gone);
        self.done.notify_all();
    }
}

/// The thread, from the opening to the end of the log.
pub(super) fn run(shared: &Shared) {
    let look_in = |left: Option<Duration>| Instant::now().checked_add(left?);
    let mut look_at = look_in(shared.rotation_due_in());
    loop {
        match shared.assistant.next(look_at) {
            Work::Answer(mut turn) => {
                turn.answer(shared);
                shared.assistant.keep(turn);
                if shared.queue.ask_to_prepare(FLOOD) {
                    shared.assistant.prepare();
                }
            }
            Work::Prepare(turn) => {
                if let Some(unused) = prepare_next(shared, turn) {
                    shared.assistant.keep(unused);
                }
            }
            Work::Tell => shared.tell_untold(),
            Work::Look => {
                look_at = look_in(shared.rotate_if_due());
            }
            Work::Ended => return shared.tell_untold(),
        }
    }
}

/// How long the end of the log waits for the host's callback.
const TELLING_MAX: Duration = Duration::from_secs(1);

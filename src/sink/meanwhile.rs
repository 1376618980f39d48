//! What a worker does while its sink waits for an answer: the processor is free then, and the next batch is not ready.
//!
//! It is done on the worker's own thread, by who waits there: a thread beside it would take the processor from the target,
//! where that is on the same machine, and from the host.

use std::cell::RefCell;

/// Something to do.
type Work = Box<dyn FnOnce()>;

thread_local! {
    static WORK: RefCell<Option<Work>> = const { RefCell::new(None) };
}

/// Does something, in which [`now`] does the work, if it comes to that.
pub(super) fn with<T>(work: Work, action: impl FnOnce() -> T) -> T {
    WORK.replace(Some(work));
    let done = action();
    WORK.take();
    done
}

/// What there is to do, now that this thread would wait.
pub(super) fn now() {
    if let Some(work) = WORK.take() {
        work();
    }
}

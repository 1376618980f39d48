//! SIGTERM and SIGINT end the reading, not the recording.

use std::io;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use signal_hook::iterator::Signals;
use signal_hook::low_level::signal_name;

use super::Message;

/// Between the thread that reads and the signal that stops it. It may be waiting for input that never comes: then
/// whoever stops it says that it has ended.
#[derive(Debug, Default)]
pub(super) struct Gate {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// All that was read is submitted, and more is waited for.
    waits: bool,
    stopped_by: Option<&'static str>,
}

impl Gate {
    /// The reader is about to wait for input; `false` if it must end instead.
    pub(super) fn wait_begins(&self) -> bool {
        let mut state = self.state();
        state.waits = state.stopped_by.is_none();
        state.waits
    }

    /// Input has come; `false` if the reader was stopped meanwhile, and the printing thread was told.
    pub(super) fn wait_ends(&self) -> bool {
        let mut state = self.state();
        state.waits = false;
        state.stopped_by.is_none()
    }

    /// The signal that stopped it.
    pub(super) fn stopped_by(&self) -> Option<&'static str> {
        self.state().stopped_by
    }

    /// Stops the reader; `true` if it waits, and somebody must say that it has ended.
    fn stop(&self, signal: &'static str) -> bool {
        let mut state = self.state();
        let first = state.stopped_by.is_none();
        state.stopped_by.get_or_insert(signal);
        first && state.waits
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// From now on the first signal stops the reader. The second one ends the process at once, as a crash would: nothing
/// acknowledged is lost.
pub(super) fn on_signals(gate: Arc<Gate>, to: SyncSender<Message>) -> io::Result<()> {
    let once = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        flag::register_conditional_shutdown(signal, SIGNALLED + signal, Arc::clone(&once))?;
        flag::register(signal, Arc::clone(&once))?;
    }
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    let run = move || {
        for signal in signals.forever() {
            if gate.stop(signal_name(signal).unwrap_or("a signal")) {
                let _ = to.send(Message::Stopped);
            }
        }
    };
    thread::Builder::new().name("signals".into()).spawn(run).map(drop)
}

/// The exit status of a process that a signal ended, as shells give it.
const SIGNALLED: i32 = 128;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_stops_a_waiting_reader_speaks_for_it() {
        let gate = Gate::default();
        assert!(gate.wait_begins());
        assert!(gate.stop("SIGTERM"));
        assert!(!gate.stop("SIGINT"));
        assert!(!gate.wait_ends());
        assert_eq!(gate.stopped_by(), Some("SIGTERM"));
    }

    #[test]
    fn a_working_reader_ends_by_itself() {
        let gate = Gate::default();
        assert!(gate.wait_begins() && gate.wait_ends());
        assert!(!gate.stop("SIGTERM"));
        assert!(!gate.wait_begins());
    }
}

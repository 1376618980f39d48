//! The conformance suite: what every [`Store`] does, checked by using it.
//!
//! Whoever writes a store runs [`check_store`] in a test. It makes logs of its own, through nothing but the traits, and
//! knows nothing of how a store keeps them. A store that passes can carry a log; what it loses when the power goes only
//! its own tests can show.
//!
//! ```
//! use std::collections::HashMap;
//! use std::sync::Mutex;
//!
//! use indelible::MemoryStore;
//! use indelible::store::testing::check_store;
//!
//! // The same name gives the same log, as another process would see it.
//! let logs: Mutex<HashMap<String, MemoryStore>> = Mutex::default();
//! check_store(|name| logs.lock().unwrap().entry(name.to_owned()).or_default().clone());
//! ```

mod commits;
mod erasing;
mod reading;
mod seen;
mod writing;

#[cfg(test)]
mod tests;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use crate::error::Error;
use crate::store::Store;

/// Runs every check on a store, and panics with what breaks a contract.
///
/// `handle` gives a handle to the log of a name: to the same log for the same name, to an empty one for a name that is
/// new. Each check has a name of its own.
///
/// # Panics
///
/// If the store breaks a contract of [`Store`], [`Writer`](crate::store::Writer), [`Eraser`](crate::store::Eraser) or
/// [`Lines`](crate::store::Lines); with all breaches, one a line.
pub fn check_store<S: Store>(handle: impl Fn(&str) -> S) {
    let breaches = breaches(handle);
    assert!(
        breaches.is_empty(),
        "the store breaks its contract:\n{}",
        breaches.iter().map(Breach::to_string).collect::<Vec<_>>().join("\n")
    );
}

/// The same as data: what breaks a contract, at most one breach for each check; none for a store that keeps them all.
pub fn breaches<S: Store>(handle: impl Fn(&str) -> S) -> Vec<Breach> {
    breaches_of(handle, |_| true)
}

/// The breaches that the checks find whose names are `wanted`.
fn breaches_of<S: Store>(handle: impl Fn(&str) -> S, wanted: impl Fn(&str) -> bool) -> Vec<Breach> {
    let handle = |name: &str| -> Arc<dyn Store> { Arc::new(handle(name)) };
    let run = |index: usize, (check, run): &(&'static str, Check)| {
        let log = Log {
            name: format!("check-{index}"),
            handle: &handle,
        };
        let problem = match catch_unwind(AssertUnwindSafe(|| run(&log))) {
            Ok(Ok(())) => return None,
            Ok(Err(Failure(problem))) => problem,
            Err(_) => "the store panicked".to_owned(),
        };
        Some(Breach { check, problem })
    };
    CHECKS
        .iter()
        .enumerate()
        .filter(|(_, (check, _))| wanted(check))
        .filter_map(|(index, check)| run(index, check))
        .collect()
}

/// A contract that a store breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breach {
    /// The check that found it.
    pub check: &'static str,
    /// What was wrong.
    pub problem: String,
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.check, self.problem)
    }
}

type Check = fn(&Log<'_>) -> Result<(), Failure>;

/// Each with a log of its own.
const CHECKS: [(&str, Check); 20] = [
    ("a new log is empty", writing::new_log_is_empty),
    ("commits are read back byte for byte", writing::commits_are_read_back),
    ("the next opening finds the head", writing::next_opening_finds_the_head),
    (
        "a commit that does not continue the head is refused",
        writing::conflicts_are_refused,
    ),
    ("there is one writer at a time", writing::one_writer_at_a_time),
    ("an opening waits for the writer", writing::opening_waits),
    ("the newest checkpoint is by the key", writing::other_keys_are_refused),
    (
        "a head that is not accepted is let be",
        writing::refused_heads_are_let_be,
    ),
    ("a closed log takes nothing", writing::closed_takes_nothing),
    ("lines begin not after a record", reading::lines_from_a_record),
    (
        "the newest checkpoint is that of the last commit",
        reading::newest_checkpoint,
    ),
    ("a segment that is gone is an error", reading::gone_segment_is_an_error),
    ("readers go on beside a writer", reading::readers_beside_a_writer),
    ("what is sealed is erasable", erasing::sealing),
    ("personal data is erased", erasing::personal_data),
    ("records are erased", erasing::records),
    ("erasing again changes nothing", erasing::again),
    ("whole segments are purged", erasing::purging),
    ("compressing changes no line", erasing::compressing),
    ("what is pending is kept", erasing::pending),
];

/// A log that a check may do with as it likes.
struct Log<'a> {
    name: String,
    handle: &'a dyn Fn(&str) -> Arc<dyn Store>,
}

impl Log<'_> {
    /// One more handle to it, as another process would have.
    fn store(&self) -> Arc<dyn Store> {
        (self.handle)(&self.name)
    }
}

/// Why a check failed.
#[derive(Debug)]
struct Failure(String);

/// Says what was tried where a call fails that may not.
trait Tried<T> {
    fn tried(self, what: &str) -> Result<T, Failure>;
}

impl<T> Tried<T> for crate::error::Result<T> {
    fn tried(self, what: &str) -> Result<T, Failure> {
        self.map_err(|error: Error| Failure(format!("{what}: {error}")))
    }
}

/// Fails a check unless a condition holds.
macro_rules! ensure {
    ($condition:expr, $($problem:tt)+) => {
        if !$condition {
            return Err($crate::store::testing::Failure(format!($($problem)+)));
        }
    };
}
use ensure;

/// How long an opening waits for a writer that is about to let go.
const WAIT: Duration = Duration::from_secs(20);

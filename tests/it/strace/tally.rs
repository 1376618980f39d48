//! What became of all the faults.

use std::collections::BTreeMap;
use std::fmt;

#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) count: usize,
    pub(super) killed: usize,
    pub(super) failed: usize,
    /// The life went another way, and did not come to the call.
    pub(super) missed: usize,
    /// Failures that the log did not tell of, with their paths.
    pub(super) silent: BTreeMap<String, usize>,
    pub(super) wrong: Vec<String>,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            count,
            killed,
            failed,
            missed,
            ..
        } = self;
        writeln!(
            f,
            "{count} faults: {killed} kills, {failed} errors, {missed} not come to"
        )?;
        for (call, count) in &self.silent {
            writeln!(f, "silent: {call}: {count}")?;
        }
        self.wrong.iter().try_for_each(|wrong| writeln!(f, "WRONG: {wrong}"))
    }
}

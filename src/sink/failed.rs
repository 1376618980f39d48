//! Why delivery pauses.

use std::time::Duration;

use super::delivery::Problem;
use crate::error::Error;

/// Why delivery pauses.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) problem: Problem,
    /// Something is misconfigured.
    pub(super) is_held: bool,
    /// Another delivers meanwhile, so nothing is amiss.
    pub(super) is_elsewhere: bool,
    /// For how long the target asks.
    pub(super) pause: Option<Duration>,
}

impl Failed {
    pub(super) fn new(problem: impl Into<Problem>) -> Self {
        Self {
            problem: problem.into(),
            is_held: false,
            is_elsewhere: false,
            pause: None,
        }
    }

    pub(super) fn held(problem: impl Into<Problem>) -> Self {
        Self {
            is_held: true,
            ..Self::new(problem)
        }
    }

    /// The log cannot be read.
    pub(super) fn unreadable(error: &Error) -> Self {
        Self::new(Problem::new("the log cannot be read").with_answer(error.to_string()))
    }
}

//! What a target answers.

use std::fmt;
use std::time::Duration;

/// What became of a batch. Whatever it is, nothing is dropped.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Delivery {
    /// The target has all of it.
    Delivered,
    /// The target has all but these, which are delivered again.
    Partly {
        /// Their places in the batch, from 0.
        undelivered: Vec<usize>,
    },
    /// The batch is too large for the target, or holds something that it does not take, and it does not say what: it is
    /// halved until that is found. A batch of one message is rejected.
    Split {
        /// What the target says.
        problem: Problem,
    },
    /// The target asks for a pause.
    Throttled {
        /// How long, if it says so.
        pause: Option<Duration>,
        /// What the target says.
        problem: Problem,
    },
    /// It failed, and may work later.
    Retry {
        /// What failed.
        problem: Problem,
    },
    /// Something is misconfigured: credentials, a permission, a target that is missing. Delivery keeps its place, alarms,
    /// and tries again now and then.
    Hold {
        /// What.
        problem: Problem,
    },
    /// The target will never take some of the messages. They are set aside.
    Rejected {
        /// Which, and why.
        rejected: Vec<Rejection>,
        /// The places of those that it has not got either, and that are delivered again. It has all others.
        undelivered: Vec<usize>,
    },
}

impl Delivery {
    /// It failed, and may work later.
    pub fn retry(problem: impl Into<Problem>) -> Self {
        let problem = problem.into();
        Self::Retry { problem }
    }

    /// Something is misconfigured.
    pub fn hold(problem: impl Into<Problem>) -> Self {
        let problem = problem.into();
        Self::Hold { problem }
    }

    /// The batch is too large, or the target does not say what it does not take.
    pub fn split(problem: impl Into<Problem>) -> Self {
        let problem = problem.into();
        Self::Split { problem }
    }
}

/// A message that a target will never take.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rejection {
    /// Its place in the batch, from 0.
    pub index: usize,
    /// The target's reason.
    pub problem: Problem,
}

impl Rejection {
    /// The message at `index` of the batch, refused for `problem`.
    pub fn new(index: usize, problem: impl Into<Problem>) -> Self {
        let problem = problem.into();
        Self { index, problem }
    }
}

/// What a target has against a batch: in the sink's own words, which are recorded in the log, and the target's answer,
/// which may hold anything and is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    what: String,
    answer: Option<String>,
}

impl Problem {
    /// In words of the sink's own: no secret and no personal data.
    pub fn new(what: impl Into<String>) -> Self {
        let what = shortened(what.into(), WHAT_BYTES_MAX);
        Self { what, answer: None }
    }

    /// With what the target answered, as far as it is worth keeping.
    pub fn with_answer(mut self, answer: impl Into<String>) -> Self {
        self.answer = Some(shortened(answer.into(), ANSWER_BYTES_MAX)).filter(|answer| !answer.is_empty());
        self
    }

    /// In words of the sink's own.
    pub fn what(&self) -> &str {
        &self.what
    }

    /// What the target answered.
    pub fn answer(&self) -> Option<&str> {
        self.answer.as_deref()
    }
}

impl<T: Into<String>> From<T> for Problem {
    fn from(what: T) -> Self {
        Self::new(what)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.answer {
            Some(answer) => write!(f, "{}: {answer}", self.what),
            None => f.write_str(&self.what),
        }
    }
}

/// The beginning of a text, of at most so many bytes.
fn shortened(mut text: String, bytes_max: usize) -> String {
    if text.len() > bytes_max {
        let end = (0..=bytes_max).rfind(|end| text.is_char_boundary(*end));
        text.truncate(end.unwrap_or(0));
        text.push('…');
    }
    text
}

const WHAT_BYTES_MAX: usize = 512;

const ANSWER_BYTES_MAX: usize = 4096;

//! What is recorded in the log of how its records are delivered.

use crate::event::{Event, action};
use crate::timestamp::Timestamp;

/// What the log is told of a sink. It tells nothing that a target answered: that may hold anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Report {
    pub(super) sink: String,
    pub(super) what: Reported,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reported {
    /// Nothing is delivered since then.
    Failed {
        since: Timestamp,
        position: u64,
        is_held: bool,
        problem: String,
    },
    /// Delivery goes on.
    Recovered {
        since: Timestamp,
        failures: u64,
        position: u64,
    },
    /// So many records were set aside, between a first and a last one.
    Rejected {
        count: u64,
        first: u64,
        last: u64,
        problem: String,
    },
}

impl Report {
    /// What is recorded.
    pub(crate) fn event(&self) -> Event {
        match &self.what {
            Reported::Failed {
                since,
                position,
                is_held,
                problem,
            } => Event::of_log(action::AUDIT_LOG_DELIVERY_FAILED)
                .metadata("sink", &self.sink)
                .metadata("since", since.to_string())
                .metadata("position", position)
                .metadata("held", is_held)
                .metadata("problem", problem),
            Reported::Recovered {
                since,
                failures,
                position,
            } => Event::of_log(action::AUDIT_LOG_DELIVERY_RECOVERED)
                .metadata("sink", &self.sink)
                .metadata("since", since.to_string())
                .metadata("position", position)
                .metadata("failures", failures),
            Reported::Rejected {
                count,
                first,
                last,
                problem,
            } => Event::of_log(action::AUDIT_LOG_DELIVERY_FAILED)
                .metadata("sink", &self.sink)
                .metadata("rejected", count)
                .metadata("first", first)
                .metadata("last", last)
                .metadata("problem", problem),
        }
    }
}

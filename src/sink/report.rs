//! What is recorded in the log of how its records are delivered.

use std::collections::BTreeMap;

use crate::event::{Event, action};
use crate::json::{self, JsonError, Reader};
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

/// As a file, for the process that has the log.
impl Report {
    pub(super) fn to_json(&self) -> String {
        let (texts, numbers) = match &self.what {
            Reported::Failed {
                since,
                position,
                is_held,
                problem,
            } => (
                vec![("since", since.to_string()), ("problem", problem.clone())],
                vec![("position", *position), ("held", u64::from(*is_held))],
            ),
            Reported::Recovered {
                since,
                failures,
                position,
            } => (
                vec![("since", since.to_string())],
                vec![("position", *position), ("failures", *failures)],
            ),
            Reported::Rejected {
                count,
                first,
                last,
                problem,
            } => (
                vec![("problem", problem.clone())],
                vec![("rejected", *count), ("first", *first), ("last", *last)],
            ),
        };
        let mut out = b"{\"sink\":".to_vec();
        json::string(&mut out, &self.sink);
        for (key, text) in texts {
            out.extend_from_slice(format!(",\"{key}\":").as_bytes());
            json::string(&mut out, &text);
        }
        for (key, number) in numbers {
            out.extend_from_slice(format!(",\"{key}\":{number}").as_bytes());
        }
        out.push(b'}');
        String::from_utf8(out).unwrap_or_default()
    }

    /// `None` for what is not of this form.
    pub(super) fn from_json(text: &str) -> Option<Self> {
        let (mut sink, mut since, mut problem) = (None, None, None);
        let mut numbers = BTreeMap::new();
        let entry = |key: &str, value: &mut Reader<'_>| {
            match key {
                "sink" => sink = Some(value.string()?.into_owned()),
                "since" => since = value.string()?.parse::<Timestamp>().ok(),
                "problem" => problem = Some(value.string()?.into_owned()),
                _ => _ = numbers.insert(key.to_owned(), value.unsigned()?),
            }
            Ok(())
        };
        let mut reader = Reader::new(text.as_bytes(), json::DEPTH_MAX).ok()?;
        reader.object::<JsonError>(entry).ok()?;
        reader.end().ok()?;
        let number = |key: &str| numbers.get(key).copied();
        let what = match (since, problem, number("rejected"), number("failures")) {
            (None, Some(problem), Some(count), None) => Reported::Rejected {
                count,
                first: number("first")?,
                last: number("last")?,
                problem,
            },
            (Some(since), None, None, Some(failures)) => Reported::Recovered {
                since,
                failures,
                position: number("position")?,
            },
            (Some(since), Some(problem), None, None) => Reported::Failed {
                since,
                position: number("position")?,
                is_held: number("held")? == 1,
                problem,
            },
            _ => return None,
        };
        Some(Self { sink: sink?, what })
    }
}

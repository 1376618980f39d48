//! When the log is told that a sink does not deliver, and that it does again: once for an outage, never in a loop.

use std::time::{Duration, Instant};

use super::delivery::Problem;
use super::report::{Report, Reported};
use crate::record::Record;
use crate::timestamp::Timestamp;

/// What goes wrong with a sink.
#[derive(Debug)]
pub(super) struct Troubles {
    sink: String,
    outage: Option<Outage>,
    rejections: Option<Rejections>,
    /// When an outage was told last.
    outage_told: Option<Instant>,
    /// When rejections were told last.
    rejections_told: Option<Instant>,
}

/// Nothing is delivered.
#[derive(Debug)]
struct Outage {
    began: Instant,
    since: Timestamp,
    failures: u64,
    is_held: bool,
    problem: Problem,
    is_told: bool,
}

/// Records that were set aside and not told of yet.
#[derive(Debug)]
struct Rejections {
    count: u64,
    first: u64,
    last: u64,
    problem: Problem,
}

impl Troubles {
    pub(super) fn new(sink: &str) -> Self {
        Self {
            sink: sink.to_owned(),
            outage: None,
            rejections: None,
            outage_told: None,
            rejections_told: None,
        }
    }

    /// Nothing was delivered.
    pub(super) fn failed(&mut self, problem: Problem, is_held: bool, now: Timestamp) {
        let outage = self.outage.get_or_insert_with(|| Outage {
            began: Instant::now(),
            since: now,
            failures: 0,
            is_held,
            problem: problem.clone(),
            is_told: false,
        });
        outage.failures += 1;
        (outage.is_held, outage.problem) = (is_held, problem);
    }

    /// An outage of which the log was told before this process.
    pub(super) fn resume(&mut self, since: Timestamp) {
        let outage = self.outage.get_or_insert_with(|| Outage {
            began: Instant::now(),
            since,
            failures: 0,
            is_held: false,
            problem: Problem::new(""),
            is_told: true,
        });
        (outage.since, outage.is_told) = (since, true);
    }

    /// Since when nothing is delivered, where the log was told.
    pub(super) fn told_since(&self) -> Option<Timestamp> {
        self.outage
            .as_ref()
            .filter(|outage| outage.is_told)
            .map(|outage| outage.since)
    }

    /// Something was delivered. Gives what the log is to be told.
    pub(super) fn delivered(&mut self, position: u64) -> Option<Report> {
        let outage = self.outage.take().filter(|outage| outage.is_told)?;
        Some(self.report(Reported::Recovered {
            since: outage.since,
            failures: outage.failures,
            position,
        }))
    }

    /// A record was set aside. One that tells of deliveries is not told of again.
    pub(super) fn rejected(&mut self, record: &Record, problem: &Problem) {
        if record
            .action()
            .is_some_and(|action| action.starts_with("audit_log.delivery."))
        {
            return;
        }
        let rejections = self.rejections.get_or_insert_with(|| Rejections {
            count: 0,
            first: record.seq(),
            last: record.seq(),
            problem: problem.clone(),
        });
        rejections.count += 1;
        rejections.last = record.seq();
    }

    /// Whether nothing is delivered.
    pub(super) fn is_failing(&self) -> bool {
        self.outage.is_some()
    }

    /// What the log is to be told now.
    pub(super) fn due(&self, position: u64) -> Option<Report> {
        if let Some(outage) = &self.outage
            && self.outage_due_within(outage).is_some_and(|due| due.is_zero())
        {
            return Some(self.report(Reported::Failed {
                since: outage.since,
                position,
                is_held: outage.is_held,
                problem: outage.problem.what().to_owned(),
            }));
        }
        self.due_at_last()
            .filter(|_| left(self.rejections_told, TOLD_EVERY).is_zero())
    }

    /// The same, where nothing can be told any more later.
    pub(super) fn due_at_last(&self) -> Option<Report> {
        let rejections = self.rejections.as_ref()?;
        Some(self.report(Reported::Rejected {
            count: rejections.count,
            first: rejections.first,
            last: rejections.last,
            problem: rejections.problem.what().to_owned(),
        }))
    }

    /// The log has taken what was due.
    pub(super) fn is_told(&mut self, report: &Report) {
        match (&report.what, &mut self.outage) {
            (Reported::Failed { .. }, Some(outage)) => {
                (outage.is_told, self.outage_told) = (true, Some(Instant::now()));
            }
            (Reported::Rejected { .. }, _) => (self.rejections, self.rejections_told) = (None, Some(Instant::now())),
            _ => {}
        }
    }

    /// How soon something may be due, where that is a matter of time.
    pub(super) fn due_within(&self) -> Option<Duration> {
        let outage = self.outage.as_ref().and_then(|outage| self.outage_due_within(outage));
        let rejections = self.rejections.as_ref().map(|_| left(self.rejections_told, TOLD_EVERY));
        let due = [outage, rejections].into_iter().flatten().min();
        due.map(|due| due.max(LATER))
    }

    /// How soon an outage is told of, if it is not. What is misconfigured is told at once; but a target that fails over and
    /// over, also for what it is told of itself, fills no log.
    fn outage_due_within(&self, outage: &Outage) -> Option<Duration> {
        let after = if outage.is_held { Duration::ZERO } else { TOLD_AFTER };
        let due = left(Some(outage.began), after).max(left(self.outage_told, TOLD_EVERY));
        (!outage.is_told).then_some(due)
    }

    /// How often it failed since something was delivered.
    pub(super) fn failures(&self) -> u32 {
        let failures = self.outage.as_ref().map_or(0, |outage| outage.failures);
        u32::try_from(failures).unwrap_or(u32::MAX)
    }

    fn report(&self, what: Reported) -> Report {
        let sink = self.sink.clone();
        Report { sink, what }
    }
}

/// How much is left of a time since then.
fn left(since: Option<Instant>, time: Duration) -> Duration {
    since.map_or(Duration::ZERO, |since| time.saturating_sub(since.elapsed()))
}

/// A shorter outage is not told of.
const TOLD_AFTER: Duration = Duration::from_secs(10);

/// Outages are told of no more often, nor are rejections.
const TOLD_EVERY: Duration = Duration::from_secs(60);

/// When the log is told again what it did not take.
const LATER: Duration = Duration::from_millis(100);

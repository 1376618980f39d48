//! Applying a retention to an open log.
//!
//! A run looks at one segment after the other and does what is due in it, in steps that each are announced and carried
//! out as any erasure is. No append waits for a step, and between two of them the log can be closed, erased by others,
//! or held: a step that was judged before a hold was placed is not done, and the run begins anew.

use std::sync::PoisonError;

use super::shared::Shared;
use super::work::{call_host, check_not_at_work};
use super::{AuditLog, own};
use crate::error::Result;
use crate::reader::{self, first};
use crate::retention::{InForce, Retention, RetentionReport, Sights, Step, Survey, Taken};
use crate::store::Erasure;
use crate::timestamp::Timestamp;

impl AuditLog {
    /// Takes from the log what is over: segments of which all is over and before which none stays are purged, other
    /// records that are over are erased one by one. Each step is announced first, with the reason `retention`, and none
    /// holds up an append. What a legal hold covers stays, and what a sink or an export still has to get
    /// ([`Builder::keep_for`](crate::Builder::keep_for)). Gives what was done.
    ///
    /// Records that are over in the segment that is being written end that segment: it is purged by a later run.
    ///
    /// A retention that is not the one that the log was kept by before is recorded first
    /// (`audit_log.retention_policy.updated`). Where anything was taken, the last record of the run says how much, and
    /// what is left: an `audit_log.purged` up to the first record that is left, which takes nothing more.
    ///
    /// What a crash interrupts is done after the next opening, as far as it was announced, and the rest by the next run.
    ///
    /// # Errors
    ///
    /// [`Cause::Configuration`](crate::Cause::Configuration) for a retention that is none; where the log cannot be read;
    /// what [`append`](Self::append) says. Steps that were done before stay done.
    ///
    /// ```
    /// use indelible::{Actor, AuditLog, Event, MemoryStore, SigningKey, action};
    /// use indelible::retention::{Period, Retention, Rule};
    ///
    /// # let key = SigningKey::generate("auth.example.com/audit".parse()?)?;
    /// # let log = AuditLog::builder("auth.example.com/audit")
    /// #     .signer(key)
    /// #     .without_checkpoint_file()
    /// #     .open(MemoryStore::new())?;
    /// log.append(Event::new(action::AUTH_LOGIN_FAILED).actor(Actor::user("usr_alice123")))?;
    ///
    /// let retention = Retention::keep(Period::DAYS_90).rule(Rule::keep(Period::YEARS_7).tenant("org_acme"));
    /// assert_eq!(log.plan_retention(&retention)?.records(), 0);
    /// assert_eq!(log.apply_retention(&retention)?.erased, []);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn apply_retention(&self, retention: &Retention) -> Result<RetentionReport> {
        let shared = self.shared();
        check_not_at_work(shared, "apply_retention")?;
        shared.retain(retention)
    }

    /// What [`apply_retention`](Self::apply_retention) would do now. Nothing is changed, not even a cache.
    ///
    /// # Errors
    ///
    /// As [`apply_retention`](Self::apply_retention).
    pub fn plan_retention(&self, retention: &Retention) -> Result<RetentionReport> {
        let shared = self.shared();
        retention.check_option()?;
        let needed = shared.needed()?.lowest();
        // What is in force is read without a proof of it: that would fill the tree cache.
        let log = (shared.store.as_ref(), shared.numbers.size());
        let (in_force, sights) = (reader::in_force(log.0, log.1)?, Sights::default());
        let now = Timestamp::from(shared.options.clock.now());
        Survey::new(log, retention, &in_force, &sights, now, needed).plan()
    }
}

/// Where the sinks and exports are for which records are kept.
#[derive(Debug, Default)]
pub(super) struct Needed(Vec<(String, u64)>);

impl Needed {
    /// The first record that one of them has not got.
    pub(super) fn lowest(&self) -> u64 {
        self.0.iter().map(|(_, seq)| *seq).min().unwrap_or(u64::MAX)
    }

    /// Those that have not got a record.
    fn without(&self, seq: u64) -> Vec<&str> {
        let names = self.0.iter().filter(|(_, needed)| *needed <= seq);
        names.map(|(name, _)| name.as_str()).collect()
    }
}

impl Shared {
    pub(super) fn needed(&self) -> Result<Needed> {
        let positions = self.options.keep_for.iter();
        let needed = positions.map(|(name, position)| {
            let seq = call_host("a position", || Ok(position()))?;
            Ok((name.clone(), seq))
        });
        needed
            .chain(self.schedule.positions().map(Ok))
            .chain(self.feeds.positions(self.store.folder().as_deref()).into_iter().map(Ok))
            .collect::<Result<_>>()
            .map(Needed)
    }

    pub(super) fn retain(&self, retention: &Retention) -> Result<RetentionReport> {
        retention.check_option()?;
        let _one_at_a_time = self.retaining.lock().unwrap_or_else(PoisonError::into_inner);
        self.say_policy(retention)?;
        let now = Timestamp::from(self.options.clock.now());
        let mut report = RetentionReport::new(now);
        loop {
            let needed = self.needed()?;
            let in_force = self.in_force("apply_retention")?.clone();
            let log = (self.store.as_ref(), in_force.read_to);
            let survey = Survey::new(log, retention, &in_force, &self.sights, now, needed.lowest());
            let goes_on = || match self.is_closing() {
                true => Err(self.ended()),
                false => Ok(()),
            };
            let is_done = survey.run(&mut report, goes_on, |report, taken| {
                let is_done = self.take_step(&taken, in_force.version, &needed)?;
                if is_done {
                    self.numbers.took(&taken);
                    report.add(taken, |rule| survey.name(rule));
                }
                Ok(is_done)
            });
            if is_done? {
                break;
            }
        }
        if report.records() > 0 || report.purged.is_some() {
            let first = first(self.store.as_ref())?.unwrap_or(0);
            self.record_own(own::retained(first, &report))?;
        }
        self.numbers.retained(&report);
        Ok(report)
    }

    /// Records the retention where another one was in force before.
    fn say_policy(&self, retention: &Retention) -> Result<()> {
        let policy = retention.to_string();
        let in_force = self.in_force("apply_retention")?;
        if in_force.policy.as_ref() != Some(&policy) {
            self.record_own(own::policy_updated(in_force.policy.as_deref(), &policy))?;
        }
        Ok(())
    }

    /// Does a step, unless another hold is in force than when it was judged.
    fn take_step(&self, taken: &Taken, judged: u64, needed: &Needed) -> Result<bool> {
        let may = |in_force: &InForce| {
            if in_force.version != judged {
                return Ok(false);
            }
            if let Some((_, last)) = taken.dropped.last() {
                self.record_own(own::dropped(&taken.dropped, &needed.without(*last)))?;
            }
            Ok(true)
        };
        match &taken.step {
            Step::Purge { before, .. } => {
                let event = |boundary| {
                    own::purged(boundary)
                        .metadata("reason", REASON)
                        .metadata("records", taken.records())
                };
                Ok(self.purge_if(*before, event, |in_force, _| may(in_force))?.is_some())
            }
            Step::Erase { ranges } => Ok(self.erase_if(ranges, Erasure::Record, &REASON.into(), may)?.is_some()),
        }
    }
}

/// Why a retention takes something.
pub(super) const REASON: &str = "retention";

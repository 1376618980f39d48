//! Going over a log for what is over, a segment at a time.

use std::collections::BTreeMap;

use super::hold::{Covers, InForce};
use super::report::RetentionReport;
use super::sight::{Scope, Sight, Sights};
use super::{Judge, Retention};
use crate::error::{Cause, Result};
use crate::reader::{Leaf, first, walk_near};
use crate::record::Line;
use crate::store::{LineEnd, Segment, Store};
use crate::timestamp::Timestamp;

/// What decides on what goes.
#[derive(Debug)]
pub(crate) struct Survey<'a> {
    store: &'a dyn Store,
    retention: &'a Retention,
    judge: Judge<'a>,
    in_force: &'a InForce,
    covers: Covers<'a>,
    sights: &'a Sights,
    now: Timestamp,
    /// Records before this one are looked at.
    size: u64,
    /// Records from this one on are still to be delivered.
    needed: u64,
}

/// What is to be done next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// The segments go in which the records from the first to before the second of these stand.
    Purge {
        first: u64,
        before: u64,
        segments: Vec<String>,
    },
    /// These records are erased, one by one.
    Erase { ranges: Vec<(u64, u64)> },
}

/// A step and what it takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Taken {
    pub(crate) step: Step,
    /// How many records, by the rule that says so.
    pub(crate) counts: BTreeMap<Option<usize>, u64>,
    /// What some sink or export has not got, and never will.
    pub(crate) dropped: Vec<(u64, u64)>,
}

impl Taken {
    fn erased(sight: &Sight) -> Self {
        let ranges = sight.ranges.clone();
        Self {
            step: Step::Erase { ranges },
            counts: sight.counts.clone(),
            dropped: sight.dropped.clone(),
        }
    }

    /// How many records.
    pub(crate) fn records(&self) -> u64 {
        self.counts.values().sum()
    }
}

impl<'a> Survey<'a> {
    pub(crate) fn new(
        (store, size): (&'a dyn Store, u64),
        retention: &'a Retention,
        in_force: &'a InForce,
        sights: &'a Sights,
        now: Timestamp,
        needed: u64,
    ) -> Self {
        Self {
            store,
            retention,
            judge: Judge::new(retention),
            in_force,
            covers: in_force.covers(),
            sights,
            now,
            size,
            needed,
        }
    }

    /// What a rule is called in reports.
    pub(crate) fn name(&self, rule: Option<usize>) -> String {
        self.judge.name(rule)
    }

    /// What would be done.
    pub(crate) fn plan(&self) -> Result<RetentionReport> {
        loop {
            let mut report = RetentionReport::new(self.now);
            let add = |report: &mut RetentionReport, taken| {
                report.add(taken, |rule| self.name(rule));
                Ok(true)
            };
            if self.run(&mut report, || Ok(()), add)? {
                return Ok(report);
            }
        }
    }

    /// Goes over the segments, and has each step done as it is found. What stays is counted in the report. `goes_on` is
    /// asked before each segment.
    ///
    /// Gives `false` where it is to be run anew: `act` gave that, or somebody purges beside it.
    pub(crate) fn run(
        &self,
        report: &mut RetentionReport,
        goes_on: impl Fn() -> Result<()>,
        act: impl FnMut(&mut RetentionReport, Taken) -> Result<bool>,
    ) -> Result<bool> {
        let before = first(self.store)?;
        match self.go_over(report, goes_on, act) {
            // What is gone cannot be looked at.
            Err(error)
                if (error.is_gone() || matches!(error.cause(), Cause::NoRecord { .. } | Cause::Damaged { .. }))
                    && first(self.store)? != before =>
            {
                Ok(false)
            }
            is_done => is_done,
        }
    }

    fn go_over(
        &self,
        report: &mut RetentionReport,
        goes_on: impl Fn() -> Result<()>,
        mut act: impl FnMut(&mut RetentionReport, Taken) -> Result<bool>,
    ) -> Result<bool> {
        report.forget_what_stays();
        let segments = self.store.segments()?;
        let beginning = segments.first().map_or(0, |segment| segment.first);
        self.sights.begin(self.retention, self.in_force.version, beginning);
        let (mut purge, mut is_prefix): (Option<Taken>, bool) = (None, true);
        for (at, segment) in segments.iter().enumerate() {
            goes_on()?;
            let next = segments.get(at + 1).filter(|next| next.first <= self.size);
            let scope = self.scope(segment, next);
            if scope.first >= scope.end {
                break;
            }
            let changes = self.sights.changes();
            let sight = match self.sights.recall(scope, self.now) {
                Some(sight) => sight,
                None => self.look(segment, next, scope)?,
            };
            is_prefix &= next.is_some() && !sight.is_kept && !self.is_needed_for_holds(scope);
            let is_full =
                |taken: &Taken| matches!(&taken.step, Step::Purge { segments, .. } if segments.len() >= SEGMENTS_MAX);
            if let Some(full) = purge.take_if(|taken| !is_prefix || is_full(taken))
                && !act(report, full)?
            {
                return Ok(false);
            }
            if is_prefix {
                self.add(&mut purge, segment, scope.end, sight);
                continue;
            }
            report.stays(&sight);
            if sight.going() > 0 && !act(report, Taken::erased(&sight))? {
                return Ok(false);
            }
            self.sights.remember(changes, scope, self.now, sight.erased());
        }
        match purge {
            Some(last) => act(report, last),
            None => Ok(true),
        }
    }

    fn scope(&self, segment: &Segment, next: Option<&Segment>) -> Scope {
        let first = segment.first;
        let end = next.map_or(self.size, |next| next.first);
        let needed = self.needed.min(end).max(first);
        Scope { first, end, needed }
    }

    /// Whether a hold in force stands in a segment.
    fn is_needed_for_holds(&self, scope: Scope) -> bool {
        let mut holds = self.in_force.holds();
        holds.any(|hold| (scope.first..scope.end).contains(&hold.seq))
    }

    /// Adds a segment to those that go together.
    fn add(&self, purge: &mut Option<Taken>, segment: &Segment, end: u64, sight: Sight) {
        let taken = purge.get_or_insert_with(|| Taken {
            step: Step::Purge {
                first: segment.first,
                before: end,
                segments: Vec::new(),
            },
            counts: BTreeMap::new(),
            dropped: Vec::new(),
        });
        if let Step::Purge { before, segments, .. } = &mut taken.step {
            *before = end;
            segments.push(segment.name.clone());
        }
        for (rule, count) in sight.counts.into_iter().chain(sight.own) {
            *taken.counts.entry(rule).or_default() += count;
        }
        if self.needed < end {
            let from = self.needed.max(segment.first);
            match taken.dropped.last_mut() {
                Some((_, last)) if *last + 1 == from => *last = end - 1,
                _ => taken.dropped.push((from, end - 1)),
            }
        }
    }

    fn look(&self, segment: &Segment, next: Option<&Segment>, scope: Scope) -> Result<Sight> {
        if let Some(young) = self.look_from_outside(segment, next, scope)? {
            return Ok(young);
        }
        let mut sight = Sight::default();
        walk_near(self.store, scope.first, scope.end, |leaf| self.see(&mut sight, &leaf))?;
        Ok(sight)
    }

    /// What is seen in a segment in which nothing can be over, by when it begins and ends. A clock that stepped back in
    /// between shows in what the next one begins with; of a time that is still to come, nothing can be told.
    fn look_from_outside(&self, segment: &Segment, next: Option<&Segment>, scope: Scope) -> Result<Option<Sight>> {
        let mut sight = Sight {
            whole: scope.end - scope.first,
            is_kept: true,
            ..Sight::default()
        };
        for segment in [segment].into_iter().chain(next) {
            let Some(time) = self.first_time(segment)?.filter(|time| *time <= self.now) else {
                return Ok(None);
            };
            match self.judge.earliest(time) {
                Some(over_at) if over_at <= self.now => return Ok(None),
                Some(over_at) => sight.until(over_at),
                None => {}
            }
        }
        Ok(Some(sight))
    }

    /// When the first record of a segment was taken that is not erased.
    fn first_time(&self, segment: &Segment) -> Result<Option<Timestamp>> {
        let mut lines = self.store.lines(segment, 0)?;
        while let Some(raw) = lines.next_line()?.filter(|raw| raw.end == LineEnd::Whole) {
            if let Ok(Line::Record(record)) = Line::parse(raw.bytes) {
                return Ok(Timestamp::from_fixed(record.recorded_at.as_bytes()));
            }
        }
        Ok(None)
    }

    fn see(&self, sight: &mut Sight, leaf: &Leaf<'_>) {
        let follows = |reach: Option<u64>| reach.is_some_and(|reach| reach + 1 == leaf.seq);
        let Some(record) = leaf.record() else {
            if follows(sight.reach) {
                sight.reach = Some(leaf.seq);
            }
            return;
        };
        sight.whole += 1;
        let judgement = self.judge.judge(record);
        let Some(over_at) = judgement.over_at.filter(|over_at| *over_at <= self.now) else {
            judgement.over_at.into_iter().for_each(|over_at| sight.until(over_at));
            sight.is_kept = true;
            return;
        };
        if let Some(hold) = self.covers.find(record) {
            *sight.held.entry(hold.name.clone()).or_default() += 1;
            sight.is_kept = true;
            return;
        }
        let is_needed = leaf.seq >= self.needed;
        let limit = self.retention.delivery_limit.map(|limit| limit.after(over_at));
        if is_needed && limit.is_none_or(|limit| limit > self.now) {
            limit.into_iter().for_each(|limit| sight.until(limit));
            sight.waiting += 1;
            sight.is_kept = true;
            return;
        }
        if record.is_own() {
            *sight.own.entry(judgement.rule).or_default() += 1;
            return;
        }
        *sight.counts.entry(judgement.rule).or_default() += 1;
        match sight.ranges.last_mut() {
            Some((_, last)) if follows(sight.reach) => *last = leaf.seq,
            _ => sight.ranges.push((leaf.seq, leaf.seq)),
        }
        sight.reach = Some(leaf.seq);
        if is_needed {
            match sight.dropped.last_mut() {
                Some((_, last)) if *last + 1 == leaf.seq => *last = leaf.seq,
                _ => sight.dropped.push((leaf.seq, leaf.seq)),
            }
        }
    }
}

/// So many segments are purged under one announcement.
const SEGMENTS_MAX: usize = 16;

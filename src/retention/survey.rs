//! Going over a log for what is over, a segment at a time.

use std::collections::BTreeMap;

use super::hold::{Covers, InForce};
use super::report::RetentionReport;
use super::{Judge, Retention};
use crate::error::Result;
use crate::reader::{Leaf, walk_near};
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

/// What was seen in a segment.
#[derive(Debug, Default)]
struct Sight {
    /// What can be erased, with what is erased already in between.
    ranges: Vec<(u64, u64)>,
    /// The end of the last range, and what is erased already behind it.
    reach: Option<u64>,
    counts: BTreeMap<Option<usize>, u64>,
    /// Of the log itself: they go with the segment alone.
    own: BTreeMap<Option<usize>, u64>,
    dropped: Vec<(u64, u64)>,
    held: BTreeMap<String, u64>,
    waiting: u64,
    /// Records that have content.
    whole: u64,
    /// Something of it is to be kept.
    is_kept: bool,
}

impl<'a> Survey<'a> {
    pub(crate) fn new(
        (store, size): (&'a dyn Store, u64),
        retention: &'a Retention,
        in_force: &'a InForce,
        now: Timestamp,
        needed: u64,
    ) -> Self {
        Self {
            store,
            retention,
            judge: Judge::new(retention),
            in_force,
            covers: in_force.covers(),
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
        let mut report = RetentionReport::new(self.now);
        self.run(&mut report, |report, taken| {
            report.add(taken, |rule| self.name(rule));
            Ok(true)
        })?;
        Ok(report)
    }

    /// Goes over the segments, and has each step done as it is found. Where `act` gives `false`, it ends there, and so
    /// does this. What stays is counted in the report.
    pub(crate) fn run(
        &self,
        report: &mut RetentionReport,
        mut act: impl FnMut(&mut RetentionReport, Taken) -> Result<bool>,
    ) -> Result<bool> {
        report.forget_what_stays();
        let segments = self.store.segments()?;
        let (mut purge, mut is_prefix): (Option<Taken>, bool) = (None, true);
        for (at, segment) in segments.iter().enumerate() {
            let next = segments.get(at + 1).filter(|next| next.first <= self.size);
            let end = next.map_or(self.size, |next| next.first);
            if segment.first >= end {
                break;
            }
            let sight = match self.is_too_young(segment, next)? {
                true => None,
                false => Some(self.look(segment.first, end)?),
            };
            is_prefix &= next.is_some() && sight.as_ref().is_some_and(|sight| !sight.is_kept);
            let is_full =
                |taken: &Taken| matches!(&taken.step, Step::Purge { segments, .. } if segments.len() >= SEGMENTS_MAX);
            if let Some(full) = purge.take_if(|taken| !is_prefix || is_full(taken))
                && !act(report, full)?
            {
                return Ok(false);
            }
            match sight {
                None => report.left += end - segment.first,
                Some(sight) if is_prefix => self.add(&mut purge, segment, end, sight),
                Some(sight) => {
                    let going: u64 = sight.counts.values().sum();
                    report.left += sight.whole - going;
                    report.waiting += sight.waiting;
                    for (hold, count) in sight.held {
                        *report.held.entry(hold).or_default() += count;
                    }
                    let taken = Taken {
                        step: Step::Erase { ranges: sight.ranges },
                        counts: sight.counts,
                        dropped: sight.dropped,
                    };
                    if going > 0 && !act(report, taken)? {
                        return Ok(false);
                    }
                }
            }
        }
        match purge {
            Some(last) => act(report, last),
            None => Ok(true),
        }
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

    /// Whether nothing in a segment can be over, by when it begins and ends. A clock that stepped back in between shows in
    /// what the next one begins with.
    fn is_too_young(&self, segment: &Segment, next: Option<&Segment>) -> Result<bool> {
        let is_young = |segment: &Segment| -> Result<bool> {
            let Some(time) = self.first_time(segment)? else {
                return Ok(false);
            };
            Ok(self.judge.earliest(time).is_none_or(|over_at| over_at > self.now))
        };
        Ok(is_young(segment)? && next.map_or(Ok(true), is_young)?)
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

    fn look(&self, first: u64, end: u64) -> Result<Sight> {
        let mut sight = Sight {
            is_kept: self.in_force.holds().any(|hold| (first..end).contains(&hold.seq)),
            ..Sight::default()
        };
        walk_near(self.store, first, end, |leaf| self.see(&mut sight, &leaf))?;
        Ok(sight)
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
            sight.is_kept = true;
            return;
        };
        if let Some(hold) = self.covers.find(record) {
            *sight.held.entry(hold.name.clone()).or_default() += 1;
            sight.is_kept = true;
            return;
        }
        let is_needed = leaf.seq >= self.needed;
        let limit = self.retention.delivery_limit;
        if is_needed && limit.is_none_or(|limit| limit.after(over_at) > self.now) {
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
const SEGMENTS_MAX: usize = 64;

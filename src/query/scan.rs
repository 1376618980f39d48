//! Answering a query by going over the records.

use std::collections::VecDeque;
use std::ops::Range;
use std::time::SystemTime;

use super::cursor::Cursor;
use super::matcher::Matcher;
use super::page::{Found, Gone, Page};
use super::{Order, Query};
use crate::error::{Cause, Error, Result};
use crate::record::{Line, Personal, Record};
use crate::store::{LineEnd, Segment, Store};
use crate::timestamp::Timestamp;

/// Answers a query over the first `size` records of a log. `now` is when a period that the query names ends.
pub(crate) fn answer(store: &dyn Store, query: &Query, size: u64, now: SystemTime) -> Result<Page> {
    query.check().map_err(Cause::InvalidQuery)?;
    let filter = &query.filter;
    let cursor = query.cursor.as_deref();
    let cursor = cursor.map(|cursor| Cursor::parse(cursor, filter, query.order));
    let cursor = cursor.transpose().map_err(Cause::InvalidQuery)?;
    let start = match (cursor, filter.last) {
        (Some(cursor), _) => cursor.start,
        (None, Some(last)) => Some(Timestamp::from(now.checked_sub(last).unwrap_or(SystemTime::UNIX_EPOCH))),
        (None, None) => filter.start,
    };
    let mut wanted = filter.seq_from.unwrap_or(0)..filter.seq_to.unwrap_or(size).min(size);
    match (cursor, query.order) {
        (Some(cursor), Order::NewestFirst) => wanted.end = wanted.end.min(cursor.next),
        (Some(cursor), Order::OldestFirst) => wanted.start = wanted.start.max(cursor.next),
        (None, _) => {}
    }
    let matcher = Matcher::new(filter, start);
    let mut scan = Scan {
        store,
        matcher: &matcher,
        limit: query.limit,
        gone: Gone::default(),
        found: Vec::new(),
        fresh: Vec::new(),
    };
    let next = match query.order {
        Order::NewestFirst => scan.backwards(wanted)?,
        Order::OldestFirst => scan.forwards(wanted)?,
    };
    let next = next.map(|next| Cursor { next, start }.print(filter, query.order));
    let found = scan
        .found
        .into_iter()
        .map(|record| Found { record, proof: None })
        .collect();
    Ok(Page {
        found,
        next,
        gone: scan.gone,
        size,
    })
}

/// Going over records until a page is full.
struct Scan<'a> {
    store: &'a dyn Store,
    matcher: &'a Matcher<'a>,
    limit: usize,
    gone: Gone,
    found: Vec<Record>,
    /// Those of one step, oldest first.
    fresh: Vec<Record>,
}

impl Scan<'_> {
    /// Fills the page from the beginning of a range. Gives where the next page begins, if anything is left.
    fn forwards(&mut self, wanted: Range<u64>) -> Result<Option<u64>> {
        let mut at = wanted.start;
        while at < wanted.end {
            let room = self.limit - self.found.len();
            let (step, first) = self.step(at, |first| at.max(first)..wanted.end, |step| step.found.len() < room)?;
            if at < first {
                self.gone.purged = Some(at..first.min(wanted.end));
            }
            at = step.next.max(first);
            self.take(step, Order::OldestFirst);
            if self.found.len() == self.limit {
                return Ok(Some(at).filter(|at| *at < wanted.end));
            }
        }
        Ok(None)
    }

    /// The same from the end: block by block, each from its beginning, and larger while little is found.
    fn backwards(&mut self, wanted: Range<u64>) -> Result<Option<u64>> {
        let (mut end, mut block) = (wanted.end, BLOCK_FIRST.max(self.limit as u64));
        while end > wanted.start {
            let room = self.limit - self.found.len();
            let start = end.saturating_sub(block).max(wanted.start);
            let keep_last = |step: &mut Step| {
                step.keep_last(room);
                true
            };
            let (step, first) = self.step(end - 1, |segment| start.max(segment)..end, keep_last)?;
            if end <= first {
                self.gone.purged = Some(wanted.start..end);
                break;
            }
            end = match step.found.front() {
                Some((oldest, _)) if step.is_cut => oldest.seq(),
                _ => step.range.start,
            };
            self.take(step, Order::NewestFirst);
            if self.found.len() == self.limit {
                return Ok(Some(end).filter(|end| *end > wanted.start));
            }
            block = (2 * block).min(BLOCK_MAX);
        }
        Ok(None)
    }

    /// Reads in the segment that holds a record, or in the first one where that is purged: the records in a range, which
    /// gets the segment's first record. Gives what was seen, and the first record that is not purged.
    fn step(
        &self,
        seq: u64,
        range: impl Fn(u64) -> Range<u64>,
        mut goes_on: impl FnMut(&mut Step) -> bool,
    ) -> Result<(Step, u64)> {
        let mut tries = 0;
        loop {
            let segments = self.store.segments()?;
            let first = segments.first().map(|segment| segment.first);
            let segment = segments
                .into_iter()
                .rev()
                .find(|segment| segment.first <= seq.max(first.unwrap_or(0)));
            let (Some(first), Some(segment)) = (first, segment) else {
                return Err(no_segment(seq));
            };
            let mut step = Step::new(range(segment.first));
            match step.read(self.store, &segment, self.matcher, &mut goes_on) {
                Ok(()) => return Ok((step, first)),
                // It was purged or replaced since it was listed.
                Err(error) if error.is_gone() && tries < TRIES_MAX => tries += 1,
                Err(error) => return Err(error),
            }
        }
    }

    fn take(&mut self, step: Step, order: Order) {
        let mut lost = step.behind;
        for (at, (record, before)) in step.found.into_iter().enumerate() {
            // What stands before the oldest one of a page is the next page's.
            if at > 0 || !step.is_cut {
                lost.add(before);
            }
            match order {
                Order::OldestFirst => self.found.push(record),
                Order::NewestFirst => self.fresh.push(record),
            }
        }
        self.found.extend(self.fresh.drain(..).rev());
        self.gone.erased += lost.erased;
        self.gone.personal_erased += lost.personal;
    }
}

/// Reading in one segment.
#[derive(Debug)]
struct Step {
    /// The records that are read.
    range: Range<u64>,
    /// What was found, each with what was lost between the one before and it.
    found: VecDeque<(Record, Lost)>,
    /// What was lost after the last one.
    behind: Lost,
    /// The record after the last one that was read.
    next: u64,
    /// More was found before what is kept.
    is_cut: bool,
}

/// How many records cannot be found any more.
#[derive(Debug, Clone, Copy, Default)]
struct Lost {
    erased: u64,
    personal: u64,
}

impl Lost {
    fn add(&mut self, other: Self) {
        self.erased += other.erased;
        self.personal += other.personal;
    }
}

impl Step {
    fn new(range: Range<u64>) -> Self {
        Self {
            next: range.start,
            range,
            found: VecDeque::new(),
            behind: Lost::default(),
            is_cut: false,
        }
    }

    fn keep_last(&mut self, count: usize) {
        while self.found.len() > count {
            self.found.pop_front();
            self.is_cut = true;
        }
    }

    /// Reads the records of the range that are in a segment, as long as `goes_on`, which is asked after each that is
    /// found.
    fn read(
        &mut self,
        store: &dyn Store,
        segment: &Segment,
        matcher: &Matcher<'_>,
        goes_on: &mut impl FnMut(&mut Self) -> bool,
    ) -> Result<()> {
        let mut lines = store.lines(segment, self.range.start)?;
        while let Some(raw) = lines.next_line()? {
            if raw.end != LineEnd::Whole {
                break;
            }
            let Some(seq) = seq_of(raw.bytes).filter(|seq| *seq >= self.next) else {
                continue;
            };
            if seq >= self.range.end {
                break;
            }
            self.next = seq + 1;
            let damaged = |problem: String| Error::damaged(&segment.name, None, format!("near seq {seq}: {problem}"));
            if self.look(raw.bytes, matcher).map_err(damaged)? && !goes_on(self) {
                return Ok(());
            }
        }
        // Nothing of a segment that begins here is read: it would be read again and again.
        if self.next == self.range.start && self.range.start < self.range.end {
            let problem = format!("record {} is missing", self.next);
            return Err(Error::damaged(&segment.name, None, problem));
        }
        Ok(())
    }

    /// Looks at a record's line, and tells whether it was found.
    fn look(&mut self, line: &[u8], matcher: &Matcher<'_>) -> Result<bool, String> {
        if line.starts_with(ERASED) {
            self.behind.erased += 1;
            return Ok(false);
        }
        let may_be_lost = matcher.is_personal() && memchr::memmem::find(line, PERSONAL_ERASED).is_some();
        if !may_be_lost && !matcher.may_match(line) {
            return Ok(false);
        }
        let line = Line::parse(line).map_err(|error| error.to_string())?;
        let Line::Record(record) = &line else { return Ok(false) };
        if matcher.matches(record) {
            let record = Record::from_line_parts(line)?;
            self.found.push_back((record, std::mem::take(&mut self.behind)));
            return Ok(true);
        }
        self.behind.personal += u64::from(may_be_lost && matches!(record.personal, Personal::Erased(_)));
        Ok(false)
    }
}

/// The `seq` with which a record's line ends.
fn seq_of(line: &[u8]) -> Option<u64> {
    let rest = line.strip_suffix(b"}")?;
    let digits = rest.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let (before, digits) = rest.split_at_checked(rest.len() - digits)?;
    let seq = std::str::from_utf8(digits).ok()?.parse().ok()?;
    before.ends_with(b",\"seq\":").then_some(seq)
}

fn no_segment(seq: u64) -> Error {
    let problem = "there are no segments".into();
    Cause::NoRecord { seq, problem }.into()
}

/// How the line of an erased record begins.
const ERASED: &[u8] = b"{\"erased\":";

/// What stands in the line of a record whose personal data is erased.
const PERSONAL_ERASED: &[u8] = b",\"personal\":\"";

/// How many records are read at once, from the end backwards: few at first, since the last page is asked for most.
const BLOCK_FIRST: u64 = 128;
const BLOCK_MAX: u64 = 64 * 1024;

/// How often a segment that is replaced or purged is looked for again.
const TRIES_MAX: u32 = 5;

//! Looking for records in one segment: by its index, or line by line.

use std::cell::{OnceCell, RefCell};
use std::ops::Range;
use std::sync::Arc;

use super::Order;
use super::fetch::RecordReader;
use super::index::{Index, Indexes, Names, SegmentIndex};
use super::lines::{Verdict, Wanted, judge};
use super::matcher::Matcher;
use super::step::Step;
use crate::error::{Cause, Error, Result};
use crate::record::Record;
use crate::store::{Segment, Store};

/// Where records are looked for.
pub(super) struct Source<'a> {
    pub(super) store: &'a dyn Store,
    pub(super) indexes: &'a Indexes,
    pub(super) matcher: &'a Matcher<'a>,
    /// The segments that there are, listed once, and again where one is gone.
    segments: RefCell<Vec<Segment>>,
    /// The indexes that there are, listed when they are asked for first.
    names: OnceCell<Names>,
}

/// What was seen of a segment.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// The records that were looked at.
    pub(super) range: Range<u64>,
    /// Those that were found, in the order that was asked for.
    pub(super) found: Vec<Record>,
    pub(super) lost: Lost,
    /// They were read one after the other: that takes a while, and several threads are faster.
    pub(super) is_read: bool,
}

/// How many records cannot be found any more.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Lost {
    pub(super) erased: u64,
    pub(super) personal: u64,
}

impl Lost {
    pub(super) fn add(&mut self, other: Self) {
        self.erased += other.erased;
        self.personal += other.personal;
    }
}

impl<'a> Source<'a> {
    pub(super) fn new(store: &'a dyn Store, indexes: &'a Indexes, matcher: &'a Matcher<'a>) -> Self {
        Self {
            store,
            indexes,
            matcher,
            segments: RefCell::default(),
            names: OnceCell::new(),
        }
    }

    /// Looks in the segment that holds a record, or in the first one where that is purged, for up to `room` records of a
    /// range, which gets to know whether there is an index and the segment's first record. Gives what was seen, and the
    /// first record that is not purged.
    pub(super) fn look(
        &self,
        seq: u64,
        range: impl Fn(bool, u64) -> Range<u64>,
        order: Order,
        room: usize,
    ) -> Result<(Seen, u64)> {
        self.in_segment(seq, |part| {
            let by_index = |index: &dyn Index| self.look_by(part.segment, index, &range, order, room);
            match self.by_index(part, seq, by_index)? {
                Told::By(seen) => Ok(seen),
                Told::Not { first } => {
                    let mut step = Step::new(range(false, first), order, room);
                    let wanted = Wanted::MatchingOrLost(self.matcher);
                    step.read(self.store, part.segment, self.matcher, wanted)?;
                    Ok(step.seen())
                }
            }
        })
    }

    /// Looks in the segment that holds a record, or in the first one where that is purged; again where it is replaced or
    /// purged meanwhile. Gives the first record that is not purged too.
    pub(super) fn in_segment<T>(&self, seq: u64, look: impl Fn(Part<'_>) -> Result<T>) -> Result<(T, u64)> {
        let mut tries = 0;
        loop {
            if self.segments.borrow().is_empty() || tries > 0 {
                self.segments.replace(self.store.segments()?);
            }
            let segments = self.segments.borrow();
            let Some(first) = segments.first().map(|segment| segment.first) else {
                return Err(no_segment(seq));
            };
            let after = segments.partition_point(|segment| segment.first <= seq.max(first));
            let Some(segment) = after.checked_sub(1).and_then(|at| segments.get(at)) else {
                return Err(no_segment(seq));
            };
            let sealed_at = segments.get(after).map(|next| next.first);
            match look(Part { segment, sealed_at }) {
                Ok(seen) => return Ok((seen, first)),
                // It was purged or replaced since it was listed.
                Err(error) if error.is_gone() && tries < TRIES_MAX => tries += 1,
                Err(error) => return Err(error),
            }
        }
    }

    /// Has `look` ask the index of a segment about a record and others, if there is one that knows that record.
    pub(super) fn by_index<T>(
        &self,
        part: Part<'_>,
        seq: u64,
        look: impl FnOnce(&dyn Index) -> Result<Looked<T>>,
    ) -> Result<Told<T>> {
        let first = part.segment.first;
        match part.sealed_at {
            Some(end) => {
                if let Some((index, name)) = self.index(part.segment, end) {
                    match look(index.as_ref())? {
                        Looked::Seen(seen) => return Ok(Told::By(seen)),
                        Looked::NotTold => {}
                        Looked::Damaged => self.indexes.discard(self.store, first, name),
                    }
                }
            }
            None => {
                let tail = self.indexes.tail();
                let tail = tail.as_ref().map(|tail| tail as &dyn Index);
                if let Some(tail) = tail.filter(|tail| tail.first() == first) {
                    // What it does not know yet is read alone.
                    if seq >= tail.end() {
                        return Ok(Told::Not { first: tail.end() });
                    }
                    if let Looked::Seen(seen) = look(tail)? {
                        return Ok(Told::By(seen));
                    }
                }
            }
        }
        Ok(Told::Not { first })
    }

    /// The index of a segment, and its name.
    fn index(&self, segment: &Segment, end: u64) -> Option<(Arc<SegmentIndex>, &str)> {
        let names = self.names.get_or_init(|| self.indexes.names(self.store));
        let name = names.get(&segment.first)?;
        Some((self.indexes.get(self.store, segment, end, name)?, name))
    }

    /// Reads the records that an index leads to, until enough of them are those that are asked for.
    fn look_by(
        &self,
        segment: &Segment,
        index: &dyn Index,
        range: &impl Fn(bool, u64) -> Range<u64>,
        order: Order,
        room: usize,
    ) -> Result<Looked<Seen>> {
        let mut all = range(true, segment.first);
        all.end = all.end.min(index.end());
        let candidates = match index.candidates(self.matcher, &all) {
            Ok(Some(candidates)) => candidates,
            Ok(None) if !index.is_sealed() => return Ok(Looked::NotTold),
            Ok(None) => {
                let plain = range(false, segment.first);
                return self.read_by(segment, index, (all.clone(), all, length(&plain)), order, room);
            }
            Err(_) => return Ok(Looked::Damaged),
        };
        if let Some(dense) = candidates.dense() {
            let plain = range(false, segment.first);
            return self.read_by(segment, index, (all, dense, length(&plain)), order, room);
        }
        let mut range = all;
        let candidates: Box<dyn Iterator<Item = u64>> = match order {
            Order::OldestFirst => Box::new(candidates.iter()),
            Order::NewestFirst => Box::new(candidates.iter().rev()),
        };
        let reader = RecordReader::new(self.store, segment, index);
        // What was lost since the index was made.
        let mut since = Lost::default();
        let (mut found, mut bytes) = (Vec::new(), 0);
        for seq in candidates {
            let mut read = None;
            reader.read(seq, &mut |line| {
                match judge(line, self.matcher)? {
                    Verdict::Matches(record) => read = Some(Record::from_parts(&record)?),
                    Verdict::Erased => since.erased += u64::from(!index.is_erased(seq)),
                    Verdict::PersonalErased => since.personal += u64::from(!index.is_personal_erased(seq)),
                    Verdict::Other => {}
                }
                Ok(())
            })?;
            let Some(record) = read else { continue };
            bytes += record.line().map_or(0, str::len);
            found.push(record);
            if found.len() == room || (order == Order::OldestFirst && bytes >= FOUND_BYTES) {
                match order {
                    Order::OldestFirst => range.end = seq + 1,
                    Order::NewestFirst => range.start = seq,
                }
                break;
            }
        }
        let mut lost = self.lost(index, &range, &found);
        lost.add(since);
        Ok(Looked::Seen(Seen {
            range,
            found,
            lost,
            is_read: false,
        }))
    }

    /// Reads records one after the other where an index leads to many of them, or does not tell: up to `block` of them.
    /// What is lost it does tell.
    fn read_by(
        &self,
        segment: &Segment,
        index: &dyn Index,
        (all, many, block): (Range<u64>, Range<u64>, u64),
        order: Order,
        room: usize,
    ) -> Result<Looked<Seen>> {
        let read = match order {
            Order::OldestFirst => many.start..many.end.min(many.start.saturating_add(block)),
            Order::NewestFirst => many.start.max(many.end.saturating_sub(block))..many.end,
        };
        let mut step = Step::new(read, order, room);
        step.read(self.store, segment, self.matcher, Wanted::Matching(self.matcher))?;
        if !index.is_current() {
            return Ok(Looked::NotTold);
        }
        let mut seen = step.seen();
        // What is left out on either side holds nothing that is asked for.
        if seen.range.start == many.start {
            seen.range.start = all.start;
        }
        if seen.range.end == many.end {
            seen.range.end = all.end;
        }
        seen.lost = self.lost(index, &seen.range, &seen.found);
        Ok(Looked::Seen(seen))
    }

    /// What is lost of a range, in which these were found.
    fn lost(&self, index: &dyn Index, range: &Range<u64>, found: &[Record]) -> Lost {
        let (erased, personal) = index.lost_in(range);
        let is_found = |record: &&Record| index.is_personal_erased(record.seq());
        let personal = match self.matcher.is_personal() {
            true => personal.saturating_sub(found.iter().filter(is_found).count() as u64),
            false => 0,
        };
        Lost { erased, personal }
    }
}

fn length(range: &Range<u64>) -> u64 {
    range.end.saturating_sub(range.start)
}

/// A part of the log: a segment, and where it ends if it is not written to any more.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part<'a> {
    pub(super) segment: &'a Segment,
    sealed_at: Option<u64>,
}

/// What came of asking an index.
pub(super) enum Looked<T> {
    Seen(T),
    /// Nothing is asked that it could tell.
    NotTold,
    Damaged,
}

/// What came of looking for an index and asking it.
pub(super) enum Told<T> {
    By(T),
    /// The records from `first` on are to be read.
    Not {
        first: u64,
    },
}

fn no_segment(seq: u64) -> Error {
    let problem = "there are no segments".into();
    Cause::NoRecord { seq, problem }.into()
}

/// How often a segment that is replaced or purged is looked for again.
const TRIES_MAX: u32 = 5;

/// From the first record on, no more is looked for once so much was found.
pub(super) const FOUND_BYTES: usize = 1024 * 1024;

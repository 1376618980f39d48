//! Looking for records in one segment: by its index, or line by line.

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use super::Order;
use super::index::{Index, Indexes, SegmentIndex};
use super::matcher::Matcher;
use crate::error::{Cause, Error, Result};
use crate::record::{Line, Personal, Record};
use crate::store::{LineEnd, Segment, Store};

/// Where records are looked for.
pub(super) struct Source<'a> {
    store: &'a dyn Store,
    indexes: &'a Indexes,
    matcher: &'a Matcher<'a>,
    /// The segments that there are, listed once, and again where one is gone.
    segments: RefCell<Vec<Segment>>,
    /// The indexes that there are, listed when they are asked for first.
    names: OnceCell<BTreeMap<u64, String>>,
}

/// What was seen of a segment.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// The records that were looked at.
    pub(super) range: Range<u64>,
    /// Those that were found, in the order that was asked for.
    pub(super) found: Vec<Record>,
    pub(super) lost: Lost,
}

/// How many records cannot be found any more.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Lost {
    pub(super) erased: u64,
    pub(super) personal: u64,
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
            let seen = self.look_in((segment, sealed_at), seq, &range, order, room);
            match seen {
                Ok(seen) => return Ok((seen, first)),
                // It was purged or replaced since it was listed.
                Err(error) if error.is_gone() && tries < TRIES_MAX => tries += 1,
                Err(error) => return Err(error),
            }
        }
    }

    fn look_in(
        &self,
        (segment, sealed_at): (&Segment, Option<u64>),
        seq: u64,
        range: &impl Fn(bool, u64) -> Range<u64>,
        order: Order,
        room: usize,
    ) -> Result<Seen> {
        let mut first = segment.first;
        match sealed_at {
            Some(end) => {
                if let Some((index, name)) = self.index(segment, end) {
                    let seen = self.look_by(segment, index.as_ref(), range, order, room)?;
                    match seen {
                        Looked::Seen(seen) => return Ok(seen),
                        Looked::NotTold => {}
                        Looked::Damaged => self.indexes.discard(self.store, segment.first, name),
                    }
                }
            }
            None => {
                let tail = self.indexes.tail();
                let tail = tail.as_ref().map(|tail| tail as &dyn Index);
                if let Some(tail) = tail.filter(|tail| tail.first() == segment.first) {
                    if seq < tail.end() {
                        if let Looked::Seen(seen) = self.look_by(segment, tail, range, order, room)? {
                            return Ok(seen);
                        }
                    } else {
                        // What it does not know yet is read alone.
                        first = tail.end();
                    }
                }
            }
        }
        let mut step = Step::new(range(false, first), order, room);
        step.read(self.store, segment, self.matcher)?;
        Ok(step.seen())
    }

    /// The index of a segment, and its name.
    fn index(&self, segment: &Segment, end: u64) -> Option<(Arc<SegmentIndex>, &str)> {
        let names = self.names.get_or_init(|| Indexes::names(self.store));
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
    ) -> Result<Looked> {
        let mut all = range(true, segment.first);
        all.end = all.end.min(index.end());
        let candidates = match index.candidates(self.matcher, &all) {
            Ok(Some(candidates)) => candidates,
            Ok(None) => return Ok(Looked::NotTold),
            Err(_) => return Ok(Looked::Damaged),
        };
        if let Some(dense) = candidates.dense() {
            let plain = range(false, segment.first);
            let seen = self.look_at_dense(
                segment,
                index,
                (all, dense, plain.end.saturating_sub(plain.start)),
                order,
                room,
            )?;
            return Ok(Looked::Seen(seen));
        }
        let mut range = all;
        let candidates: Box<dyn Iterator<Item = u64>> = match order {
            Order::OldestFirst => Box::new(candidates.iter()),
            Order::NewestFirst => Box::new(candidates.iter().rev()),
        };
        let reader = RecordReader::new(self.store, segment, index);
        let (mut found, mut bytes, mut found_personal_erased) = (Vec::new(), 0, 0);
        for seq in candidates {
            let Some(record) = reader.read(seq, self.matcher)? else {
                continue;
            };
            bytes += record.line().map_or(0, str::len);
            found.push(record);
            found_personal_erased += u64::from(index.is_personal_erased(seq));
            if found.len() == room || (order == Order::OldestFirst && bytes >= FOUND_BYTES) {
                match order {
                    Order::OldestFirst => range.end = seq + 1,
                    Order::NewestFirst => range.start = seq,
                }
                break;
            }
        }
        let (erased, personal) = index.lost_in(&range);
        let personal = if self.matcher.is_personal() {
            personal.saturating_sub(found_personal_erased)
        } else {
            0
        };
        let lost = Lost { erased, personal };
        Ok(Looked::Seen(Seen { range, found, lost }))
    }
}

impl Source<'_> {
    /// Reads records one after the other where an index leads to many of them: up to `block` of those from the end.
    fn look_at_dense(
        &self,
        segment: &Segment,
        index: &dyn Index,
        (all, dense, block): (Range<u64>, Range<u64>, u64),
        order: Order,
        room: usize,
    ) -> Result<Seen> {
        let start = match order {
            Order::OldestFirst => dense.start,
            Order::NewestFirst => dense.end.saturating_sub(block).max(dense.start),
        };
        let mut step = Step::new(start..dense.end, order, room);
        step.read(self.store, segment, self.matcher)?;
        let mut seen = step.seen();
        // What is left out on either side holds nothing that is asked for.
        let from = if seen.range.start == dense.start {
            all.start
        } else {
            seen.range.start
        };
        let to = if seen.range.end == dense.end {
            all.end
        } else {
            seen.range.end
        };
        for left_out in [from..seen.range.start, seen.range.end..to] {
            let (erased, personal) = index.lost_in(&left_out);
            let personal = if self.matcher.is_personal() { personal } else { 0 };
            seen.lost.add(Lost { erased, personal });
        }
        seen.range = from..to;
        Ok(seen)
    }
}

/// What came of asking an index.
enum Looked {
    Seen(Seen),
    /// Nothing is asked that it could tell.
    NotTold,
    Damaged,
}

/// Reads single records of a segment.
struct RecordReader<'a> {
    store: &'a dyn Store,
    segment: &'a Segment,
    index: &'a dyn Index,
    file: OnceCell<Option<File>>,
}

impl<'a> RecordReader<'a> {
    fn new(store: &'a dyn Store, segment: &'a Segment, index: &'a dyn Index) -> Self {
        Self {
            store,
            segment,
            index,
            file: OnceCell::new(),
        }
    }

    /// The record, if it is one that is asked for.
    fn read(&self, seq: u64, matcher: &Matcher<'_>) -> Result<Option<Record>> {
        match self.read_at_offset(seq, matcher) {
            Some(found) => found,
            None => self.read_near(seq, matcher),
        }
    }

    /// Where the index says that it stands; `None` where it does not.
    fn read_at_offset(&self, seq: u64, matcher: &Matcher<'_>) -> Option<Result<Option<Record>>> {
        let lines = self.index.lines_of(seq).ok().flatten()?;
        let open = || File::open(self.store.folder()?.join(&self.segment.name)).ok();
        let file = self.file.get_or_init(open).as_ref()?;
        let mut bytes = vec![
            0;
            usize::try_from(lines.end - lines.start)
                .ok()
                .filter(|length| *length <= LINES_MAX)?
        ];
        file.read_exact_at(&mut bytes, lines.start).ok()?;
        let line = bytes
            .split(|byte| *byte == b'\n')
            .find(|line| seq_of(line) == Some(seq))?;
        let mut step = Step::new(seq..seq + 1, Order::OldestFirst, 1);
        step.look(line, matcher).ok()?;
        Some(Ok(step.found.pop_front().map(|(record, _)| record)))
    }

    fn read_near(&self, seq: u64, matcher: &Matcher<'_>) -> Result<Option<Record>> {
        let mut step = Step::new(seq..seq + 1, Order::OldestFirst, 1);
        step.read(self.store, self.segment, matcher)?;
        Ok(step.found.pop_front().map(|(record, _)| record))
    }
}

/// Reading in one segment, line by line.
#[derive(Debug)]
struct Step {
    /// The records that are read.
    range: Range<u64>,
    order: Order,
    room: usize,
    /// What was found, each with what was lost between the one before and it.
    found: VecDeque<(Record, Lost)>,
    /// The length of the lines of all that was found.
    found_bytes: usize,
    /// What was lost after the last one.
    behind: Lost,
    /// The record after the last one that was read.
    next: u64,
    /// More was found before what is kept.
    is_cut: bool,
}

impl Lost {
    fn add(&mut self, other: Self) {
        self.erased += other.erased;
        self.personal += other.personal;
    }
}

impl Step {
    fn new(range: Range<u64>, order: Order, room: usize) -> Self {
        Self {
            next: range.start,
            range,
            order,
            room,
            found: VecDeque::new(),
            found_bytes: 0,
            behind: Lost::default(),
            is_cut: false,
        }
    }

    /// Reads the records of the range that are in a segment: from the first one until there is no more room, or all of
    /// them, of which the last ones are kept.
    fn read(&mut self, store: &dyn Store, segment: &Segment, matcher: &Matcher<'_>) -> Result<()> {
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
            if self.look(raw.bytes, matcher).map_err(damaged)? && self.is_full() {
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

    /// Whether nothing more is to be read.
    fn is_full(&mut self) -> bool {
        if self.order == Order::NewestFirst && self.found.len() > self.room {
            self.found.pop_front();
            self.is_cut = true;
        }
        self.order == Order::OldestFirst && (self.found.len() == self.room || self.found_bytes >= FOUND_BYTES)
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
            self.found_bytes += record.line().map_or(0, str::len);
            self.found.push_back((record, std::mem::take(&mut self.behind)));
            return Ok(true);
        }
        self.behind.personal += u64::from(may_be_lost && matches!(record.personal, Personal::Erased(_)));
        Ok(false)
    }

    fn seen(self) -> Seen {
        let oldest = self.found.front().map(|(oldest, _)| oldest.seq());
        let range = match (self.order, oldest) {
            (Order::OldestFirst, _) => self.range.start..self.next,
            (Order::NewestFirst, Some(oldest)) if self.is_cut => oldest..self.range.end,
            (Order::NewestFirst, _) => self.range,
        };
        let mut lost = self.behind;
        let mut found = Vec::with_capacity(self.found.len());
        for (at, (record, before)) in self.found.into_iter().enumerate() {
            // What stands before the oldest one that is kept is for the next page.
            if at > 0 || !self.is_cut {
                lost.add(before);
            }
            found.push(record);
        }
        if self.order == Order::NewestFirst {
            found.reverse();
        }
        Seen { range, found, lost }
    }
}

/// The `seq` with which a record's line ends.
pub(crate) fn seq_of(line: &[u8]) -> Option<u64> {
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

/// How often a segment that is replaced or purged is looked for again.
const TRIES_MAX: u32 = 5;

/// From the first record on, no more is looked for once so much was found.
const FOUND_BYTES: usize = 1024 * 1024;

/// More than the lines of so many records as the index leaves between two offsets.
const LINES_MAX: usize = 16 * 1024 * 1024;

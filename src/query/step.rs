//! Looking for records line by line, until a page is full.

use std::collections::VecDeque;
use std::ops::Range;

use super::Order;
use super::lines::{Verdict, Wanted, each_record, judge};
use super::matcher::Matcher;
use super::source::{FOUND_BYTES, Lost, Seen};
use crate::error::{Error, Result};
use crate::record::Record;
use crate::store::{Segment, Store};

/// Reading in one segment, line by line.
#[derive(Debug)]
pub(super) struct Step {
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

impl Step {
    pub(super) fn new(range: Range<u64>, order: Order, room: usize) -> Self {
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
    /// them, of which the last ones are kept. What is lost is looked for too where that is `wanted`.
    pub(super) fn read(
        &mut self,
        store: &dyn Store,
        segment: &Segment,
        matcher: &Matcher<'_>,
        wanted: Wanted<'_>,
    ) -> Result<()> {
        let range = self.range.clone();
        let look = |line: &[u8]| Ok(!(self.look(line, matcher)? && self.is_full()));
        self.next = each_record(store, segment, &range, wanted, look)?;
        // Forwards, the next step would begin there.
        if self.order == Order::NewestFirst && self.next < range.end {
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
        match judge(line, matcher)? {
            Verdict::Matches(record) => {
                let record = Record::from_parts(&record)?;
                self.found_bytes += record.line().map_or(0, str::len);
                self.found.push_back((record, std::mem::take(&mut self.behind)));
                return Ok(true);
            }
            Verdict::Erased => self.behind.erased += 1,
            Verdict::PersonalErased => self.behind.personal += 1,
            Verdict::Other => {}
        }
        Ok(false)
    }

    pub(super) fn seen(self) -> Seen {
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
        Seen {
            range,
            found,
            lost,
            is_read: true,
        }
    }
}

//! Answering a query by going over the records.

use std::ops::Range;
use std::time::{Duration, Instant, SystemTime};

use super::cursor::Cursor;
use super::index::Indexes;
use super::matcher::Matcher;
use super::page::{Found, Gone, Page};
use super::parts::{self, ALONE, PART, Parts};
use super::source::{Seen, Source};
use super::{Filter, Order, Query};
use crate::error::{Cause, Result};
use crate::record::Record;
use crate::store::Store;

/// Answers a query over the first `size` records of a log. `now` is when a period that the query names ends.
pub(crate) fn answer(store: &dyn Store, indexes: &Indexes, query: &Query, size: u64, now: SystemTime) -> Result<Page> {
    query.check().map_err(Cause::InvalidQuery)?;
    let filter = &query.filter;
    let cursor = query.cursor.as_deref();
    let cursor = cursor.map(|cursor| Cursor::parse(cursor, filter, query.order));
    let cursor = cursor.transpose().map_err(Cause::InvalidQuery)?;
    let start = match (cursor, filter.last) {
        (Some(cursor), Some(_)) => cursor.start,
        (None, Some(last)) => Some(super::beginning(now, last)),
        (_, None) => filter.start,
    };
    let mut wanted = filter.range(size);
    match (cursor, query.order) {
        (Some(cursor), Order::NewestFirst) => wanted.end = wanted.end.min(cursor.next),
        (Some(cursor), Order::OldestFirst) => wanted.start = wanted.start.max(cursor.next),
        (None, _) => {}
    }
    let matcher = Matcher::new(filter, start);
    let mut scan = Scan::new(store, indexes, &matcher, query.limit);
    let next = scan.fill(wanted, query.order, ALONE, PART)?;
    let next = next.map(|next| Cursor { next, start }.print(filter, query.order));
    let found = scan.found.into_iter().map(Found::from).collect();
    Ok(Page {
        found,
        next,
        gone: scan.gone,
        size,
    })
}

/// Visits all records of a range that match, oldest first, some at a time: in memory that does not grow with their
/// number. The filter has no period. Gives what cannot be found any more.
///
/// # Errors
///
/// What `visit` says; where the log cannot be read, or a purge overtakes it.
pub(crate) fn each(
    store: &dyn Store,
    indexes: &Indexes,
    filter: &Filter,
    wanted: Range<u64>,
    mut visit: impl FnMut(&[Record]) -> Result<()>,
) -> Result<Gone> {
    let matcher = Matcher::new(filter, filter.start);
    let mut scan = Scan::new(store, indexes, &matcher, VISITED);
    let mut at = wanted.start;
    while at < wanted.end {
        let (next, first) = scan.step_forwards(at, wanted.end, BLOCK_MAX)?;
        if at < first {
            if at > wanted.start {
                let problem = "it was purged meanwhile".into();
                return Err(Cause::NoRecord { seq: at, problem }.into());
            }
            scan.gone.purge(at..first.min(wanted.end));
        }
        at = next;
        visit(&scan.found)?;
        scan.found.clear();
    }
    Ok(scan.gone)
}

/// What a step forwards came to.
pub(crate) struct Stepped {
    pub(crate) found: Vec<Found>,
    /// The record to go on from.
    pub(crate) next: u64,
    /// The first record that is not purged.
    pub(crate) first: u64,
}

/// Looks for the next records that match, in one segment: a page of them at most. The filter has no period.
pub(crate) fn step(store: &dyn Store, indexes: &Indexes, filter: &Filter, wanted: Range<u64>) -> Result<Stepped> {
    let matcher = Matcher::new(filter, filter.start);
    let mut scan = Scan::new(store, indexes, &matcher, VISITED);
    let (next, first) = scan.step_forwards(wanted.start, wanted.end, BLOCK_MAX)?;
    let found = scan.found.into_iter().map(Found::from).collect();
    Ok(Stepped { found, next, first })
}

/// Going over records until a page is full.
struct Scan<'a> {
    source: Source<'a>,
    limit: usize,
    gone: Gone,
    found: Vec<Record>,
    /// The last records that were looked at were read, one after the other.
    is_reading: bool,
}

impl<'a> Scan<'a> {
    fn new(store: &'a dyn Store, indexes: &'a Indexes, matcher: &'a Matcher<'a>, limit: usize) -> Self {
        Self {
            source: Source::new(store, indexes, matcher),
            limit,
            gone: Gone::default(),
            found: Vec::new(),
            is_reading: false,
        }
    }

    /// Fills the page from a range. Gives where the next page begins, if anything is left. Where records are read for
    /// longer than `alone`, several threads read parts of up to `part` records.
    fn fill(&mut self, wanted: Range<u64>, order: Order, alone: Duration, part: u64) -> Result<Option<u64>> {
        let (began, mut is_far) = (Instant::now(), true);
        let (mut rest, mut block) = (wanted, BLOCK_FIRST.max(self.limit as u64));
        while rest.start < rest.end {
            if is_far && self.is_reading && began.elapsed() >= alone {
                let length = rest.end - rest.start;
                self.look_ahead(&mut rest, order, part)?;
                // What does not fit is looked at again, and alone from then on where that is all the time.
                is_far = rest.end - rest.start < length;
                block = part.min(BLOCK_MAX);
            } else {
                self.step(&mut rest, order, block)?;
                block = (2 * block).min(BLOCK_MAX);
            }
            if self.found.len() == self.limit {
                let next = match order {
                    Order::OldestFirst => rest.start,
                    Order::NewestFirst => rest.end,
                };
                return Ok(Some(next).filter(|_| rest.start < rest.end));
            }
        }
        Ok(None)
    }

    /// Looks at some of the next records of a range, and takes them off it.
    fn step(&mut self, rest: &mut Range<u64>, order: Order, block: u64) -> Result<()> {
        let Range { start, end } = *rest;
        match order {
            Order::OldestFirst => {
                let (next, first) = self.step_forwards(start, end, block)?;
                if start < first {
                    self.gone.purge(start..first.min(end));
                }
                rest.start = next;
            }
            Order::NewestFirst => {
                let first = self.step_backwards(rest, block)?;
                if end <= first {
                    self.gone.purge(start..end);
                    rest.end = start;
                }
            }
        }
        Ok(())
    }

    /// Looks in one segment from a record on, where it has no index at up to `block` records. Gives where to go on, and
    /// the first record that is not purged.
    fn step_forwards(&mut self, at: u64, end: u64, block: u64) -> Result<(u64, u64)> {
        let room = self.limit - self.found.len();
        let range = |is_indexed: bool, first: u64| {
            let start = at.max(first);
            start..if is_indexed {
                end
            } else {
                end.min(start.saturating_add(block))
            }
        };
        let (seen, first) = self.source.look(at, range, Order::OldestFirst, room)?;
        let next = seen.range.end.max(first);
        self.take(seen);
        Ok((next, first))
    }

    /// The same from the end: a block from its beginning. Takes what was looked at off the range, and gives the first
    /// record that is not purged.
    fn step_backwards(&mut self, rest: &mut Range<u64>, block: u64) -> Result<u64> {
        let Range { start, end } = *rest;
        let room = self.limit - self.found.len();
        let range = |is_indexed: bool, first: u64| {
            let from = if is_indexed { 0 } else { end.saturating_sub(block) };
            from.max(start).max(first)..end
        };
        let (seen, first) = self.source.look(end - 1, range, Order::NewestFirst, room)?;
        if first < end {
            rest.end = seen.range.start;
            self.take(seen);
        }
        Ok(first)
    }

    /// Reads the next records of a range on several threads, and takes those off it that were read, until the page is
    /// full, or a part is to be looked at more closely: more was found in it than there is room for, it is purged, or it
    /// cannot be read.
    fn look_ahead(&mut self, rest: &mut Range<u64>, order: Order, part: u64) -> Result<()> {
        let Source {
            store,
            indexes,
            matcher,
            ..
        } = self.source;
        let parts = Parts::new(&store.segments()?, rest.clone(), order, part);
        let room = (self.limit - self.found.len()).min(AHEAD_FOUND_MAX);
        let worker = || {
            let source = Source::new(store, indexes, matcher);
            move |part: Range<u64>| {
                let at = match order {
                    Order::OldestFirst => part.start,
                    Order::NewestFirst => part.end - 1,
                };
                let (seen, _) = source
                    .look(at, |_, first| part.start.max(first)..part.end, order, room)
                    .ok()?;
                (seen.range == part).then_some(seen)
            }
        };
        parts::work(parts, Duration::ZERO, worker, |seen| {
            let Some(seen) = seen.filter(|seen| seen.found.len() <= self.limit - self.found.len()) else {
                return Ok(false);
            };
            match order {
                Order::OldestFirst => rest.start = seen.range.end,
                Order::NewestFirst => rest.end = seen.range.start,
            }
            self.take(seen);
            Ok(self.found.len() < self.limit)
        })
    }

    fn take(&mut self, seen: Seen) {
        self.is_reading = seen.is_read;
        self.found.extend(seen.found);
        self.gone.erased += seen.lost.erased;
        self.gone.personal_erased += seen.lost.personal;
    }
}

/// How many records are read at once: few at first, since from the end backwards all of them are, and the last page is
/// asked for most.
const BLOCK_FIRST: u64 = 128;
const BLOCK_MAX: u64 = 64 * 1024;

/// So many records are found at most in a part that is read ahead: several parts are in memory.
const AHEAD_FOUND_MAX: usize = 128;

/// So many records that are found are handed on at once.
const VISITED: usize = 1_000;

#[cfg(test)]
mod tests;

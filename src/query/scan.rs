//! Answering a query by going over the records.

use std::ops::Range;
use std::time::SystemTime;

use super::cursor::Cursor;
use super::index::Indexes;
use super::matcher::Matcher;
use super::page::{Found, Gone, Page};
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
    let next = match query.order {
        Order::NewestFirst => scan.backwards(wanted)?,
        Order::OldestFirst => scan.forwards(wanted)?,
    };
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
        let (next, first) = scan.step_forwards(at, wanted.end)?;
        if at < first {
            if at > wanted.start {
                let problem = "it was purged meanwhile".into();
                return Err(Cause::NoRecord { seq: at, problem }.into());
            }
            scan.gone.purged = Some(at..first.min(wanted.end));
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
    let (next, first) = scan.step_forwards(wanted.start, wanted.end)?;
    let found = scan.found.into_iter().map(Found::from).collect();
    Ok(Stepped { found, next, first })
}

/// Going over records until a page is full.
struct Scan<'a> {
    source: Source<'a>,
    limit: usize,
    gone: Gone,
    found: Vec<Record>,
}

impl<'a> Scan<'a> {
    fn new(store: &'a dyn Store, indexes: &'a Indexes, matcher: &'a Matcher<'a>, limit: usize) -> Self {
        Self {
            source: Source::new(store, indexes, matcher),
            limit,
            gone: Gone::default(),
            found: Vec::new(),
        }
    }

    /// Fills the page from the beginning of a range. Gives where the next page begins, if anything is left.
    fn forwards(&mut self, wanted: Range<u64>) -> Result<Option<u64>> {
        let mut at = wanted.start;
        while at < wanted.end {
            let (next, first) = self.step_forwards(at, wanted.end)?;
            if at < first {
                self.gone.purge(at..first.min(wanted.end));
            }
            at = next;
            if self.found.len() == self.limit {
                return Ok(Some(at).filter(|at| *at < wanted.end));
            }
        }
        Ok(None)
    }

    /// Looks in one segment from a record on. Gives where to go on, and the first record that is not purged.
    fn step_forwards(&mut self, at: u64, end: u64) -> Result<(u64, u64)> {
        let room = self.limit - self.found.len();
        let range = |_, first: u64| at.max(first)..end;
        let (seen, first) = self.source.look(at, range, Order::OldestFirst, room)?;
        let next = seen.range.end.max(first);
        self.take(seen);
        Ok((next, first))
    }

    /// The same from the end: block by block, each from its beginning, and larger while little is found.
    fn backwards(&mut self, wanted: Range<u64>) -> Result<Option<u64>> {
        let (mut end, mut block) = (wanted.end, BLOCK_FIRST.max(self.limit as u64));
        while end > wanted.start {
            let room = self.limit - self.found.len();
            let range = |is_indexed: bool, first: u64| {
                let start = if is_indexed { 0 } else { end.saturating_sub(block) };
                start.max(wanted.start).max(first)..end
            };
            let (seen, first) = self.source.look(end - 1, range, Order::NewestFirst, room)?;
            if end <= first {
                self.gone.purge(wanted.start..end);
                break;
            }
            end = seen.range.start;
            self.take(seen);
            if self.found.len() == self.limit {
                return Ok(Some(end).filter(|end| *end > wanted.start));
            }
            block = (2 * block).min(BLOCK_MAX);
        }
        Ok(None)
    }

    fn take(&mut self, seen: Seen) {
        self.found.extend(seen.found);
        self.gone.erased += seen.lost.erased;
        self.gone.personal_erased += seen.lost.personal;
    }
}

/// How many records are read at once, from the end backwards: few at first, since the last page is asked for most.
const BLOCK_FIRST: u64 = 128;
const BLOCK_MAX: u64 = 64 * 1024;

/// So many records that are found are handed on at once.
const VISITED: usize = 1_000;

//! The index of the segment that is written to, in memory. The log's own thread brings it up in the background; what it
//! does not know yet is read.

use std::collections::HashMap;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use roaring::RoaringBitmap;

use super::build::Builder;
use super::format::Zone;
use super::{Index, ListedValue, Term};
use crate::error::{Error, Result};
use crate::record::Line;
use crate::store::{LineEnd, Segment, Store};

/// The index of the last segment, as far as it goes.
#[derive(Debug)]
pub(in crate::query) struct Tail {
    builder: Builder,
    /// The newest posting of each hash.
    newest: HashMap<u64, u32>,
    /// The number of a record, and the posting before of the same hash.
    postings: Vec<(u32, u32)>,
}

impl Tail {
    pub(super) fn new(segment: &Segment, seed: u64) -> Self {
        Self {
            builder: Builder::new(segment, seed),
            newest: HashMap::new(),
            postings: Vec::new(),
        }
    }

    /// Takes the next lines of the segment, of the records before `size`: a few of them. Gives whether there may be more.
    pub(super) fn bring_up(&mut self, store: &dyn Store, segment: &Segment, size: u64) -> Result<bool> {
        let end = (self as &dyn Index).end();
        let taken = self.take_lines(store, segment, size.min(end + STEP));
        // Also where a line could not be read: those before it count as known.
        for (hash, record) in self.builder.take_postings() {
            let posting = u32::try_from(self.postings.len()).unwrap_or(NONE);
            let before = self.newest.insert(hash, posting).unwrap_or(NONE);
            self.postings.push((record, before));
        }
        taken.map(|()| (self as &dyn Index).end() > end)
    }

    fn take_lines(&mut self, store: &dyn Store, segment: &Segment, until: u64) -> Result<()> {
        let mut lines = store.lines(segment, (self as &dyn Index).end())?;
        // Behind the last one there may be megabytes of space that was written ahead.
        while (self as &dyn Index).end() < until
            && let Some(raw) = lines.next_line()?
        {
            if raw.end != LineEnd::Whole {
                break;
            }
            let damaged = |problem: String| Error::damaged(&segment.name, None, problem);
            let line = Line::parse(raw.bytes).map_err(|error| damaged(error.to_string()))?;
            match line.seq() {
                Some(seq) if seq >= until => break,
                Some(seq) if seq >= (self as &dyn Index).end() => self.builder.take(&line).map_err(damaged)?,
                _ => {}
            }
        }
        Ok(())
    }
}

impl Index for Tail {
    fn first(&self) -> u64 {
        self.builder.first()
    }

    fn is_sealed(&self) -> bool {
        false
    }

    fn is_current(&self) -> bool {
        true
    }

    fn records(&self) -> u32 {
        self.builder.records()
    }

    fn term(&self) -> Term {
        self.builder.term()
    }

    fn hashed(&self, hash: u64) -> io::Result<RoaringBitmap> {
        let mut found = RoaringBitmap::new();
        let mut next = self.newest.get(&hash).copied();
        while let Some((record, before)) = next.and_then(|at| self.postings.get(usize::try_from(at).ok()?)) {
            found.insert(*record);
            next = Some(*before).filter(|before| *before != NONE);
        }
        Ok(found)
    }

    fn is_listed(&self, place: usize) -> bool {
        self.builder.values(place).is_some()
    }

    fn listed(&self, place: usize, is: &dyn Fn(&str) -> bool) -> io::Result<Vec<ListedValue<'_>>> {
        let values = self.builder.values(place).into_iter().flatten();
        let values = values.filter(|(text, _)| is(text));
        Ok(values
            .map(|(text, records)| (&**text, Arc::new(records.clone())))
            .collect())
    }

    fn zones(&self) -> io::Result<&[Zone]> {
        Ok(self.builder.zones())
    }

    fn all_times(&self) -> io::Result<Zone> {
        Ok(Zone::over(self.builder.zones()))
    }

    fn lost(&self) -> (&RoaringBitmap, &RoaringBitmap) {
        self.builder.lost()
    }

    fn lines_of(&self, _: u64) -> io::Result<Option<Range<u64>>> {
        Ok(None)
    }
}

/// So many records are taken at once: no query waits for long.
const STEP: u64 = 256;

/// No posting.
const NONE: u32 = u32::MAX;

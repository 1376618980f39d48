//! Reading segments that a writer may be replacing or removing (FORMAT §5).

use std::collections::BTreeMap;

use super::commit::size_of_checkpoint;
use super::progress::{COUNTED_EVERY, Meter};
use super::ranges::Ranges;
use super::segment::{Rules, SegmentCheck, Step};
use super::summary::SegmentSummary;
use crate::error::{Cause, Error, Result};
use crate::hash::Hash;
use crate::merkle::{self, Tree};
use crate::reader::tree::TreeCache;
use crate::record::Line;
use crate::store::{LineEnd, Segment, Store};

/// Reads a segment with `read`; under the name that it has now, if it was replaced meanwhile. `None` if it is gone.
pub(super) fn with_segment<T>(
    store: &dyn Store,
    segment: &Segment,
    mut read: impl FnMut(&Segment) -> Result<T>,
) -> Result<Option<T>> {
    let mut segment = segment.clone();
    let mut tries = 0;
    loop {
        let error = match read(&segment) {
            Ok(value) => return Ok(Some(value)),
            Err(error) => error,
        };
        tries += 1;
        match store.segments()?.into_iter().find(|now| now.first == segment.first) {
            None => return Ok(None),
            Some(now) if now == segment || tries == TRIES_MAX => return Err(error),
            Some(now) => segment = now,
        }
    }
}

/// Verifies one segment.
pub(super) fn check_segment(store: &dyn Store, rules: &Rules<'_>, meter: &Meter<'_>) -> Result<Option<SegmentSummary>> {
    let segment = Segment {
        first: rules.first,
        name: rules.name.to_owned(),
    };
    with_segment(store, &segment, |segment| {
        let rules = Rules {
            name: &segment.name,
            ..rules.clone()
        };
        let mut check = SegmentCheck::new(&rules);
        let mut lines = store.lines(segment, 0)?;
        let (mut step, mut records, mut bytes) = (Step::Continue, 0, 0);
        while let Some(raw) = lines.next_line()? {
            bytes += u64::try_from(raw.bytes.len()).unwrap_or_default() + 1;
            if step == Step::End {
                check.look_behind_end(&raw);
                continue;
            }
            step = check.take(&raw).map_err(|format| {
                Error::from(Cause::Unsupported {
                    file: segment.name.clone(),
                    format,
                })
            })?;
            if step == Step::Continue && check.gives_up() {
                break;
            }
            if bytes >= COUNTED_EVERY {
                meter.add(check.records() - records, bytes);
                (records, bytes) = (check.records(), 0);
            }
        }
        meter.add(check.records() - records, bytes);
        Ok(check.finish(step))
    })
}

/// Whether a segment holds the checkpoint of a commit that ends at `size` or before.
pub(super) fn has_checkpoint_up_to(store: &dyn Store, segment: &Segment, size: u64) -> Result<bool> {
    let found = with_segment(store, segment, |segment| {
        let mut lines = store.lines(segment, 0)?;
        while let Some(raw) = lines.next_line()? {
            if size_of_checkpoint(&raw).is_some_and(|found| found <= size) {
                return Ok(true);
            }
        }
        Ok(false)
    })?;
    Ok(found.unwrap_or_default())
}

/// Calls `take` with each record in `wanted` that still has its content and is one of the log itself, in order.
pub(super) fn own_records(
    store: &dyn Store,
    segments: &[Segment],
    wanted: &Ranges,
    mut take: impl FnMut(u64),
) -> Result<()> {
    for (at, segment) in segments.iter().enumerate() {
        let part = wanted.within(segment.first, segments.get(at + 1).map_or(u64::MAX, |next| next.first));
        let Some(first) = part.iter().next().map(|(first, _)| first) else {
            continue;
        };
        let last = part.iter().last().map_or(first, |(_, last)| last);
        let mut after = None;
        with_segment(store, segment, |segment| {
            let mut lines = store.lines(segment, first)?;
            while let Some(raw) = lines.next_line()? {
                let (LineEnd::Whole, Ok(Line::Record(record))) = (raw.end, Line::parse(raw.bytes)) else {
                    continue;
                };
                if record.seq > last {
                    break;
                }
                if record.is_own() && part.contains(record.seq) && after < Some(record.seq) {
                    after = Some(record.seq);
                    take(record.seq);
                }
            }
            Ok(())
        })?;
    }
    Ok(())
}

/// The lines of the records with these `seq`s, which are in ascending order, as far as they are found.
pub(super) fn lines_of(store: &dyn Store, segments: &[Segment], seqs: &[u64]) -> Result<BTreeMap<u64, u64>> {
    let mut found = BTreeMap::new();
    for (at, segment) in segments.iter().enumerate() {
        let end = segments.get(at + 1).map_or(u64::MAX, |next| next.first);
        let mut wanted = seqs
            .iter()
            .copied()
            .filter(|seq| (segment.first..end).contains(seq))
            .peekable();
        if wanted.peek().is_none() {
            continue;
        }
        with_segment(store, segment, |segment| {
            let mut lines = store.lines(segment, 0)?;
            while let Some(raw) = lines.next_line()?
                && let Some(next) = wanted.peek()
            {
                let seq = match Line::parse(raw.bytes) {
                    Ok(Line::Record(record)) => record.seq,
                    Ok(Line::Erased { seq, .. }) => seq,
                    _ => continue,
                };
                if seq == *next {
                    found.insert(seq, raw.number);
                    wanted.next();
                }
            }
            Ok(())
        })?;
    }
    Ok(found)
}

/// The root of the first `size` records, of which some are purged, by the tiles that were kept. They are no evidence
/// (FORMAT §5): the root counts only if they show that the tree before the first retained record continues it.
pub(super) fn kept_root(store: &dyn Store, before: &Tree, size: u64) -> Option<Hash> {
    let mut tiles = TreeCache::open_read(&store.folder()?, before.size()).ok()?;
    let root = merkle::root_at(&mut tiles, size).ok()?;
    let proof = merkle::consistency_proof(&mut tiles, size, before.size()).ok()?;
    merkle::verify_consistency(size, &root, before.size(), &before.root(), &proof).ok()?;
    Some(root)
}

/// How often a segment that is replaced again and again is looked for.
const TRIES_MAX: u32 = 5;

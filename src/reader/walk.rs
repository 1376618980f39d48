//! Going over the hashes of a log's records: to fill what a cache lacks, or to answer for single nodes of the tree in
//! constant memory.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Range;

use memchr::memmem::Finder;

use super::tree::TreeCache;
use crate::error::{Cause, Error, Result};
use crate::hash::Hash;
use crate::merkle::{HashReader, ProofError, Tree};
use crate::query::seq_of;
use crate::record::{Header, Line, Record, RecordLine};
use crate::store::{LineEnd, Segment, Store};

/// A record on the way.
#[derive(Debug)]
pub(crate) struct Leaf<'a> {
    pub(crate) seq: u64,
    /// Its hash once it is erased.
    content: Result<&'a RecordLine<'a>, Hash>,
    pub(crate) bytes: usize,
}

impl<'a> Leaf<'a> {
    /// `None` once it is erased.
    pub(crate) fn record(&self) -> Option<&'a RecordLine<'a>> {
        self.content.ok()
    }

    pub(crate) fn hash(&self) -> Hash {
        self.content.map_or_else(|hash| hash, RecordLine::hash)
    }
}

/// Visits the records from `from` to before `to`.
///
/// # Errors
///
/// Where a record is missing, or a line is none.
pub(crate) fn walk_near(store: &dyn Store, from: u64, to: u64, mut visit: impl FnMut(Leaf<'_>)) -> Result<()> {
    if from >= to {
        return Ok(());
    }
    let segments = store.segments()?;
    let beginning = segments.iter().rposition(|segment| segment.first <= from);
    let Some(beginning) = beginning else {
        return Err(Cause::NoRecord {
            seq: from,
            problem: "it is purged".into(),
        }
        .into());
    };
    let mut next = from;
    for segment in segments.iter().skip(beginning).take_while(|segment| segment.first < to) {
        next = walk_segment(store, segment, (next, to), |_| Ok(from), &mut visit)?;
    }
    if next < to {
        return Err(Cause::NoRecord {
            seq: next,
            problem: "the log ends before it".into(),
        }
        .into());
    }
    Ok(())
}

/// Visits the records of ranges that are in order and apart, both ends inclusive. Of those that lie close together, the
/// records in between are read too: finding the next place takes longer.
///
/// # Errors
///
/// As [`walk_near`].
pub(crate) fn walk_ranges(store: &dyn Store, ranges: &[(u64, u64)], mut visit: impl FnMut(Leaf<'_>)) -> Result<()> {
    for near in ranges.chunk_by(|(_, last), (next, _)| next - last <= NEAR) {
        let (Some((from, _)), Some((_, to))) = (near.first(), near.last()) else {
            continue;
        };
        let mut left = near.iter().peekable();
        walk_near(store, *from, to + 1, |leaf| {
            while left.next_if(|(_, last)| *last < leaf.seq).is_some() {}
            if left.peek().is_some_and(|(first, _)| *first <= leaf.seq) {
                visit(leaf);
            }
        })?;
    }
    Ok(())
}

/// Visits the records of a segment that are in a range, and gives the `seq` after the last. `begin` gets the header,
/// where the reading begins there, and says which record is due at the least.
fn walk_segment(
    store: &dyn Store,
    segment: &Segment,
    (from, to): (u64, u64),
    mut begin: impl FnMut(Header) -> Result<u64, String>,
    visit: &mut impl FnMut(Leaf<'_>),
) -> Result<u64> {
    let mut next = from;
    let mut lines = store.lines(segment, from)?;
    while let Some(raw) = lines.next_line()? {
        if raw.end != LineEnd::Whole || next >= to {
            break;
        }
        let damaged = |problem: String| Error::damaged(&segment.name, None, format!("near seq {next}: {problem}"));
        let line = Line::parse(raw.bytes).map_err(|error| damaged(error.to_string()))?;
        if let Line::Header(header) = line {
            next = next.max(begin(header).map_err(damaged)?);
            continue;
        }
        let (seq, content) = match &line {
            Line::Record(record) if record.seq >= next => (record.seq, Ok(record)),
            Line::Erased { hash, seq } if *seq >= next => (*seq, Err(*hash)),
            _ => continue,
        };
        if seq != next {
            return Err(damaged(format!("seq {seq} where {next} is due")));
        }
        visit(Leaf {
            seq,
            content,
            bytes: raw.bytes.len() + 1,
        });
        next += 1;
    }
    Ok(next)
}

/// Visits the records in a range in whose lines one of some texts stands. They are looked for by bytes, since this may
/// go over the whole log; what is purged is passed over. `goes_on` is asked now and then.
///
/// # Errors
///
/// Where a segment cannot be read to its end, a record of the range is missing, or such a line is none: what stands there
/// is not to be missed.
pub(crate) fn find_records(
    store: &dyn Store,
    range: Range<u64>,
    texts: &[&str],
    goes_on: impl Fn() -> Result<()>,
    mut visit: impl FnMut(Record),
) -> Result<()> {
    let texts: Vec<Finder<'_>> = texts.iter().map(Finder::new).collect();
    let (mut next, mut gone) = (range.start, None);
    while next < range.end {
        let segments = store.segments()?;
        let after = segments.partition_point(|segment| segment.first <= next).max(1);
        let Some(segment) = segments.get(after - 1).filter(|segment| segment.first < range.end) else {
            break;
        };
        next = next.max(segment.first);
        let mut lines = match store.lines(segment, next) {
            Ok(lines) => lines,
            // It was purged since it was listed.
            Err(_) if gone != Some(segment.first) => {
                gone = Some(segment.first);
                continue;
            }
            Err(error) => return Err(error),
        };
        let end = segments.get(after).map_or(range.end, |next| next.first.min(range.end));
        let mut number = 0_u64;
        let damaged = |problem: String| Error::damaged(&segment.name, None, problem);
        while next < end
            && let Some(raw) = lines.next_line()?
        {
            match raw.end {
                LineEnd::Whole => {}
                LineEnd::Unreadable => return Err(damaged(String::from_utf8_lossy(raw.bytes).into_owned())),
                _ => break,
            }
            if number.is_multiple_of(ASK_EVERY) {
                goes_on()?;
            }
            number += 1;
            let Some(seq) = seq_of(raw.bytes).filter(|seq| *seq >= next) else {
                continue;
            };
            if seq != next {
                break;
            }
            next += 1;
            if texts.iter().all(|text| text.find(raw.bytes).is_none()) {
                continue;
            }
            let line = Line::parse(raw.bytes).map_err(|error| damaged(format!("record {seq}: {error}")))?;
            if let Line::Record(record) = &line {
                visit(Record::from_parts(record).map_err(damaged)?);
            }
        }
        if next < end {
            return Err(damaged(format!("record {next} is missing")));
        }
    }
    Ok(())
}

/// The tree of the records that are purged: the peaks that the first segment's header holds.
///
/// # Errors
///
/// Where there is no header, or none of this form.
pub(crate) fn tree_at_first(store: &dyn Store) -> Result<Tree> {
    let segments = store.segments()?;
    segments
        .first()
        .map_or(Ok(Tree::new()), |first| tree_before(store, first))
}

/// The tree of the records before a segment, as its header has it.
pub(crate) fn tree_before(store: &dyn Store, segment: &Segment) -> Result<Tree> {
    let damaged = |problem: String| Error::damaged(&segment.name, Some(1), problem);
    let mut lines = store.lines(segment, 0)?;
    match lines.next_line()?.map(|raw| Line::parse(raw.bytes)) {
        Some(Ok(Line::Header(header))) => {
            Tree::from_peaks(header.first, header.peaks).map_err(|error| damaged(error.to_string()))
        }
        _ => Err(damaged("no segment header".into())),
    }
}

/// The roots of the first `old_size` and of the first `size` records, by the records from the segment on that holds the
/// first of them; `None` where that is purged. Where the second root is right, the header that this begins with is, and
/// so is the first one.
pub(super) fn roots(store: &dyn Store, old_size: u64, size: u64) -> Result<Option<(Hash, Hash)>> {
    let segments = store.segments()?;
    let Some(segment) = segments.iter().rfind(|segment| segment.first <= old_size) else {
        return Ok(None);
    };
    let mut tree = tree_before(store, segment)?;
    let mut old_root = (tree.size() == old_size).then(|| tree.root());
    walk_near(store, tree.size(), size, |leaf| {
        tree.push(leaf.hash());
        if tree.size() == old_size {
            old_root = Some(tree.root());
        }
    })?;
    Ok(old_root.map(|old_root| (old_root, tree.root())))
}

/// Brings a cache that lacks few records up to `size`.
pub(super) fn complete(store: &dyn Store, cache: &mut TreeCache, size: u64) -> Result<()> {
    let covered = cache.size();
    if covered >= size {
        return Ok(());
    }
    let short = |problem: &str| {
        Error::from(Cause::NoRecord {
            seq: covered,
            problem: problem.into(),
        })
    };
    if size - covered > IN_MEMORY_MAX {
        return Err(short("the cache does not reach so far"));
    }
    let mut tree = cache.tree_at(covered);
    if tree.is_none() {
        cache.set_purged(tree_at_first(store)?);
        tree = cache.tree_at(covered);
    }
    let mut tree = tree.ok_or_else(|| short("the cache has holes"))?;
    walk_near(store, covered, size, |leaf| push(&mut tree, cache, &leaf))
}

/// Adds a record to a tree and to the cache of it.
pub(crate) fn push(tree: &mut Tree, cache: &mut TreeCache, leaf: &Leaf<'_>) {
    let (hash, mut subtrees) = (leaf.hash(), Vec::new());
    tree.push_noting(hash, |level, hash| {
        if level.is_multiple_of(8) {
            subtrees.push((level, hash));
        }
    });
    cache.extend(leaf.seq, &[hash], &subtrees, leaf.bytes);
}

/// Asks for a proof with the nodes of the tree that it takes, found by going over all records; over those that are left
/// where a purge gets ahead of it.
pub(super) fn answer<T>(
    store: &dyn Store,
    size: u64,
    ask: impl Fn(&mut dyn HashReader<Error = ProofError>) -> Result<T, ProofError>,
) -> Result<T> {
    let mut before = first(store)?;
    loop {
        let answer = answer_once(store, size, &ask);
        let now = first(store)?;
        if answer.is_ok() || now == before {
            return answer;
        }
        before = now;
    }
}

/// The first record that is not purged.
pub(crate) fn first(store: &dyn Store) -> Result<Option<u64>> {
    Ok(store.segments()?.first().map(|segment| segment.first))
}

/// Asks for a proof twice: first to learn which nodes of the tree it takes, then with those nodes, found by going over
/// all records once.
fn answer_once<T>(
    store: &dyn Store,
    size: u64,
    ask: impl Fn(&mut dyn HashReader<Error = ProofError>) -> Result<T, ProofError>,
) -> Result<T> {
    let failed = |error: ProofError| Error::damaged("segments", None, error.to_string());
    let mut wanted = Nodes(BTreeMap::new());
    ask(&mut wanted).map_err(failed)?;
    let growing = RefCell::new((Tree::new(), wanted));
    let mut next = 0;
    for segment in store.segments()?.iter().take_while(|segment| segment.first < size) {
        let begin = |header: Header| {
            let (tree, wanted) = &mut *growing.borrow_mut();
            if tree.size() == 0 {
                *tree = Tree::from_peaks(header.first, header.peaks).map_err(|error| error.to_string())?;
                wanted.found_peaks(tree);
            }
            Ok(tree.size())
        };
        let mut visit = |leaf: Leaf<'_>| {
            let (tree, wanted) = &mut *growing.borrow_mut();
            let hash = leaf.hash();
            wanted.found(0, leaf.seq, hash);
            tree.push_noting(hash, |level, hash| wanted.found(level, leaf.seq >> level, hash));
        };
        next = walk_segment(store, segment, (next, size), begin, &mut visit)?;
    }
    ask(&mut growing.into_inner().1).map_err(failed)
}

/// The nodes of a tree that are wanted, and those that were found.
struct Nodes(BTreeMap<(u32, u64), Hash>);

impl Nodes {
    fn found(&mut self, level: u32, index: u64, hash: Hash) {
        if let Some(node) = self.0.get_mut(&(level, index)) {
            *node = hash;
        }
    }

    /// Of what is purged only the peaks are known, and no proof of what is left takes more.
    fn found_peaks(&mut self, tree: &Tree) {
        let mut end = 0;
        let levels = (0..64).rev().filter(|level| tree.size() >> level & 1 == 1);
        for (level, peak) in levels.zip(tree.peaks()) {
            self.found(level, end >> level, *peak);
            end += 1 << level;
        }
    }
}

impl HashReader for Nodes {
    type Error = ProofError;

    fn hash(&mut self, level: u32, index: u64) -> Result<Hash, ProofError> {
        Ok(*self.0.entry((level, index)).or_insert(Hash::ZERO))
    }
}

/// Ranges that are not further apart are read in one go.
const NEAR: u64 = 64;

/// After so many lines it is asked whether to go on.
const ASK_EVERY: u64 = 256;

/// So many hashes are read into memory for a proof (2 MiB); for more, the log is gone over in constant memory.
const IN_MEMORY_MAX: u64 = 65_536;

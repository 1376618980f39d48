//! Finding the newest commit of a segment that verifies.

use crate::checkpoint::SignedCheckpoint;
use crate::error::{Cause, Error, Result};
use crate::hash::Hash;
use crate::merkle::Tree;
use crate::record::{Header, Line, LineError};
use crate::store::file::layout::Layout;
use crate::store::file::lines::FileLines;
use crate::store::file::position::Position;
use crate::store::file::reading::{check_whole, is_compressed, open_lines};
use crate::store::{Head, LineEnd, Lines, Opening, Segment};

/// What the end of a segment shows.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) newest: Option<Commit>,
    /// The header and where it ends, if it was read.
    pub(super) header: Option<(Header, u64)>,
    /// Why a commit that looks whole is not signed by the key in force.
    pub(super) refused: Option<String>,
}

/// A commit whose root is that of the tree up to its last record. Places are in what the segment holds, decompressed.
#[derive(Debug)]
pub(super) struct Commit {
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) last_line_start: u64,
    pub(super) head: Head,
    /// What follows it.
    pub(super) then: Then,
}

/// What follows a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    /// The end of the segment.
    End,
    /// Nothing but zeros.
    Space,
    Else,
}

/// The newest commit of a segment that verifies: from the position that the cache holds on, or else from the segment's
/// beginning.
pub(super) fn find(layout: &Layout, segment: &Segment, opening: &Opening<'_>) -> Result<Found> {
    let position = Position::load(layout, segment)?;
    let near = position
        .map(|position| scan(layout, segment, opening, position))
        .transpose()?;
    let mut found = match near.filter(|found| found.newest.is_some()) {
        Some(found) => found,
        None => scan(layout, segment, opening, Position::beginning(segment.first))?,
    };
    if let Some(newest) = &mut found.newest {
        newest.head.last_line = line_at(layout, segment, newest.last_line_start)?;
        // A rotation verifies under the old key too: to that, a commit of the new key behind it would look like what a
        // crash left.
        newest.head.check_in_force(opening.vkey)?;
    }
    Ok(found)
}

/// The line that begins at byte `start`.
fn line_at(layout: &Layout, segment: &Segment, start: u64) -> Result<Vec<u8>> {
    let (mut lines, mut at) = lines_from(layout, segment, start)?;
    while let Some(raw) = lines.next_line()? {
        if at >= start {
            return Ok(raw.bytes.to_vec());
        }
        at += raw.bytes.len() as u64 + 1;
    }
    Ok(Vec::new())
}

/// The lines from byte `offset` on, or from the beginning of a segment in which no place can be looked for; and the
/// byte where they begin.
fn lines_from(layout: &Layout, segment: &Segment, offset: u64) -> Result<(Box<dyn Lines>, u64)> {
    if is_compressed(&segment.name) {
        return Ok((open_lines(layout, segment, 0)?, 0));
    }
    let lines = FileLines::open(layout.disk.as_ref(), &layout.path(&segment.name), offset)?;
    Ok((Box::new(lines), offset))
}

/// Reads whole commits until a line does not fit. Of those whose root is right only the newest two are held: what a
/// crash leaves has at most one whole checkpoint line.
fn scan(layout: &Layout, segment: &Segment, opening: &Opening<'_>, from: Position) -> Result<Found> {
    let mut found = Found::default();
    let (mut lines, mut end) = lines_from(layout, segment, from.offset)?;
    let mut scan = Scan::new(from);
    let (mut newest, mut before): (Option<Commit>, Option<Commit>) = (None, None);
    while let Some(raw) = lines.next_line()? {
        let then = if raw.end == LineEnd::Space {
            Then::Space
        } else {
            Then::Else
        };
        newest.iter_mut().for_each(|newest| newest.then = then);
        match raw.end {
            LineEnd::Whole => {}
            LineEnd::Unreadable => check_whole(segment, &raw)?,
            _ => break,
        }
        let start = end;
        end += raw.bytes.len() as u64 + 1;
        let step = match Line::parse(raw.bytes) {
            Ok(Line::Header(header)) if start == 0 => {
                check_header(&header, segment, opening)?;
                scan.tree = Tree::from_peaks(header.first, header.peaks.clone())
                    .map_err(|error| Error::damaged(&segment.name, Some(1), error.to_string()))?;
                scan.commit_start = end;
                found.header = Some((header, end));
                continue;
            }
            Err(LineError::Unsupported(format)) => {
                return Err(Cause::Unsupported {
                    file: segment.name.clone(),
                    format,
                }
                .into());
            }
            Ok(line) if start > 0 => scan.take(line, (start, end)),
            _ => Step::Ends,
        };
        match step {
            Step::Continues => {}
            Step::Commit(commit) => before = newest.replace(*commit),
            Step::Ends => break,
        }
    }
    for commit in newest.into_iter().chain(before) {
        match commit.head.checkpoint.verify(opening.vkey) {
            Ok(_) => {
                found.newest = Some(commit);
                break;
            }
            Err(error) => found.refused = found.refused.or(Some(error.to_string())),
        }
    }
    Ok(found)
}

/// A walk along the chain.
#[derive(Debug)]
struct Scan {
    tree: Tree,
    /// `None` at the beginning of a segment: there the root says whether the first link is right.
    last: Option<Hash>,
    last_line_start: u64,
    commit_start: u64,
    records: u64,
}

enum Step {
    Continues,
    Commit(Box<Commit>),
    Ends,
}

impl Scan {
    fn new(from: Position) -> Self {
        Self {
            tree: from.tree,
            last: from.prev,
            last_line_start: 0,
            commit_start: from.offset,
            records: 0,
        }
    }

    fn take(&mut self, line: Line<'_>, (start, end): (u64, u64)) -> Step {
        let (seq, hash) = match line {
            Line::Record(record) if self.last.is_some_and(|last| last != record.prev) => return Step::Ends,
            Line::Record(record) => (record.seq, record.hash()),
            Line::Erased { hash, seq } => (seq, hash),
            Line::Checkpoint(note) => return self.commit(&note, end),
            Line::Header(_) => return Step::Ends,
        };
        if seq != self.tree.size() {
            return Step::Ends;
        }
        self.tree.push(hash);
        self.last = Some(hash);
        self.last_line_start = start;
        self.records += 1;
        Step::Continues
    }

    fn commit(&mut self, note: &str, end: u64) -> Step {
        let (Ok(checkpoint), Some(last)) = (note.parse::<SignedCheckpoint>(), self.last) else {
            return Step::Ends;
        };
        let said = checkpoint.checkpoint();
        if self.records == 0 || said.size() != self.tree.size() || said.root() != self.tree.root() {
            return Step::Ends;
        }
        self.records = 0;
        let head = Head {
            tree: self.tree.clone(),
            last,
            // Read once it is known which commit is the newest.
            last_line: Vec::new(),
            checkpoint,
        };
        Step::Commit(Box::new(Commit {
            start: std::mem::replace(&mut self.commit_start, end),
            end,
            last_line_start: self.last_line_start,
            head,
            then: Then::End,
        }))
    }
}

fn check_header(header: &Header, segment: &Segment, opening: &Opening<'_>) -> Result<()> {
    if header.origin != opening.origin.as_str() {
        let problem = format!("the log is {:?}, not {:?}", header.origin, opening.origin.as_str());
        return Err(Error::configuration("origin", problem));
    }
    if header.first != segment.first {
        return Err(Error::damaged(
            &segment.name,
            Some(1),
            format!("the header's first record is {}", header.first),
        ));
    }
    Ok(())
}

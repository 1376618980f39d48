//! Reads all that a store shows, and checks that it is a log (FORMAT §1, §2, §4, §5).

use std::collections::BTreeMap;

use super::commits::Maker;
use super::{Failure, Tried, ensure};
use crate::hash::Hash;
use crate::merkle::Tree;
use crate::record::{Header, Line};
use crate::store::{LineEnd, Segment, Store};

/// What a store shows.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) segments: Vec<SeenSegment>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct SeenSegment {
    pub(super) segment: Segment,
    /// Its lines without LF, the header first.
    pub(super) lines: Vec<Vec<u8>>,
    /// The `seq` after its last record.
    pub(super) end: u64,
}

impl Seen {
    /// Reads a store that nobody writes to now.
    pub(super) fn of(store: &dyn Store) -> Result<Self, Failure> {
        Self::up_to(store, u64::MAX)
    }

    /// Reads what stands before the record `size`, beside a writer.
    pub(super) fn up_to(store: &dyn Store, size: u64) -> Result<Self, Failure> {
        let mut walk = Walk::default();
        let mut segments = Vec::new();
        for segment in store.segments().tried("list the segments")? {
            if segment.first >= size {
                break;
            }
            let before = segments.last().map(|before: &SeenSegment| before.end);
            ensure!(
                before.is_none_or(|end| end == segment.first),
                "{} begins at {}, the segment before it ends at {before:?}",
                segment.name,
                segment.first
            );
            segments.push(walk.segment(store, segment, size)?);
        }
        Ok(Self { segments })
    }

    /// The first record, and the one after the last.
    pub(super) fn first(&self) -> u64 {
        self.segments.first().map_or(0, |segment| segment.segment.first)
    }

    pub(super) fn end(&self) -> u64 {
        self.segments.last().map_or(0, |segment| segment.end)
    }

    /// The lines of all commits, without headers.
    pub(super) fn content(&self) -> Vec<Vec<u8>> {
        let lines = self.segments.iter().flat_map(|segment| segment.lines.iter().skip(1));
        lines.cloned().collect()
    }

    /// The lines of the records, by `seq`.
    pub(super) fn records(&self) -> BTreeMap<u64, &[u8]> {
        let lines = self.segments.iter().flat_map(|segment| &segment.lines);
        lines
            .filter_map(|line| Some((Line::parse(line).ok()?.seq()?, line.as_slice())))
            .collect()
    }

    /// Checks that these are the commits of `maker`, byte for byte.
    pub(super) fn check_content(&self, maker: &Maker) -> Result<(), Failure> {
        let mut expected = maker.bytes.split(|byte| *byte == b'\n');
        let mut number = 0;
        for line in self.content() {
            number += 1;
            let expected = expected.next().filter(|line| !line.is_empty());
            ensure!(
                expected.is_some_and(|expected| expected == line),
                "line {number}, headers not counted, is {}, not {}",
                shown(&line),
                expected.map_or("nothing".into(), shown)
            );
        }
        let missing = expected.filter(|line| !line.is_empty()).count();
        ensure!(missing == 0, "{missing} lines are missing after line {number}");
        Ok(())
    }
}

/// A line as an error shows it.
pub(super) fn shown(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    match text.char_indices().nth(120) {
        Some((at, _)) => format!("{:?}… of {} bytes", &text[..at], line.len()),
        None => format!("{text:?}"),
    }
}

/// The way along the chain.
#[derive(Default)]
struct Walk {
    tree: Tree,
    last: Option<Hash>,
    /// Records since the last checkpoint.
    open: u64,
}

impl Walk {
    fn segment(&mut self, store: &dyn Store, segment: Segment, size: u64) -> Result<SeenSegment, Failure> {
        let name = segment.name.clone();
        let mut lines = Vec::new();
        let mut reading = store.lines(&segment, 0).tried(&format!("read {name}"))?;
        while let Some(raw) = reading.next_line().tried(&format!("read {name}"))? {
            if self.tree.size() >= size && self.open == 0 {
                break;
            }
            let number = lines.len() as u64 + 1;
            ensure!(
                raw.number == number,
                "line {number} of {name} says that it is line {}",
                raw.number
            );
            if raw.end == LineEnd::Space {
                let next = reading.next_line().tried(&format!("read {name}"))?;
                ensure!(next.is_none(), "something follows the space written ahead in {name}");
                break;
            }
            ensure!(
                raw.end == LineEnd::Whole,
                "line {number} of {name} ends with {:?}: {}",
                raw.end,
                shown(raw.bytes)
            );
            let line = raw.bytes.to_vec();
            let problem = self.line(&line, number, &segment).err();
            ensure!(
                problem.is_none(),
                "line {number} of {name}: {}: {}",
                problem.unwrap_or_default(),
                shown(&line)
            );
            lines.push(line);
        }
        ensure!(self.open == 0, "{name} ends within a commit");
        let end = self.tree.size();
        Ok(SeenSegment { segment, lines, end })
    }

    fn line(&mut self, line: &[u8], number: u64, segment: &Segment) -> Result<(), String> {
        let (seq, hash) = match Line::parse(line).map_err(|error| error.to_string())? {
            Line::Header(header) if number == 1 => return self.header(header, segment),
            _ if number == 1 => return Err("a segment begins with its header".into()),
            Line::Header(_) => return Err("a second header".into()),
            Line::Checkpoint(note) => return self.checkpoint(&note),
            Line::Record(record) if self.last.is_some_and(|last| last != record.prev) => {
                return Err("prev is not the hash of the record before".into());
            }
            Line::Record(record) => (record.seq, record.hash()),
            Line::Erased { hash, seq } => (seq, hash),
        };
        if seq != self.tree.size() {
            return Err(format!("seq {seq} where {} is due", self.tree.size()));
        }
        self.tree.push(hash);
        self.last = Some(hash);
        self.open += 1;
        Ok(())
    }

    fn header(&mut self, header: Header, segment: &Segment) -> Result<(), String> {
        if header.first != segment.first {
            return Err(format!("the segment is said to begin at {}", segment.first));
        }
        if self.last.is_none() {
            self.tree = Tree::from_peaks(header.first, header.peaks).map_err(|error| error.to_string())?;
            return Ok(());
        }
        match header.peaks == self.tree.peaks() {
            true => Ok(()),
            false => Err("the peaks are not those of the records before".into()),
        }
    }

    fn checkpoint(&mut self, note: &str) -> Result<(), String> {
        let signed: crate::checkpoint::SignedCheckpoint = note
            .parse()
            .map_err(|error: crate::checkpoint::CheckpointError| error.to_string())?;
        if self.open == 0 {
            return Err("a checkpoint without records".into());
        }
        self.open = 0;
        let (said, is) = (signed.checkpoint(), (self.tree.size(), self.tree.root()));
        match (said.size(), said.root()) == is {
            true => Ok(()),
            false => Err(format!("size or root are not those of the {} records before", is.0)),
        }
    }
}

//! JSON Lines: the log's own lines.

use std::ops::Range;

use super::output::Output;
use super::source::{Plan, Source, Written};
use crate::checkpoint::SignedCheckpoint;
use crate::error::{Cause, Error, Result};
use crate::json;
use crate::merkle::Tree;
use crate::proof::Proof;
use crate::query::{each, seq_of};
use crate::reader;
use crate::record::{CHECKPOINT, Header, Line, Personal};
use crate::store::{LineEnd, Lines, RawLine, Segment, Store};

/// Writes the lines of a range: a header, and whole commits but for the beginning of the first.
pub(super) fn write_log(source: &mut Source<'_>, plan: &Plan, output: &mut Output<'_>) -> Result<Written> {
    let mut copy = Copy {
        source,
        wanted: plan.range.clone(),
        next: plan.range.start,
        written: Written::default(),
        checkpoint: None,
    };
    while !copy.is_done() {
        copy.segment(output)?;
    }
    let Copy {
        checkpoint,
        mut written,
        ..
    } = copy;
    if let Some(last) = checkpoint {
        let last = last.checkpoint();
        let newest = source.checkpoint.checkpoint();
        let old = (last.size(), last.root());
        written.consistency = reader::consistency(source.store, old, newest, source.cache.as_mut())?;
    }
    Ok(written)
}

/// Copying lines, segment after segment.
struct Copy<'a, 'b> {
    source: &'a Source<'b>,
    wanted: Range<u64>,
    /// The record that is due.
    next: u64,
    written: Written,
    /// The last one that was written, where no record follows it.
    checkpoint: Option<SignedCheckpoint>,
}

impl<'b> Copy<'_, 'b> {
    fn is_done(&self) -> bool {
        self.next >= self.wanted.end && (self.checkpoint.is_some() || self.written.last.is_none())
    }

    /// Copies what a segment has of the range.
    fn segment(&mut self, output: &mut Output<'_>) -> Result<()> {
        let (segment, mut lines) = self.open()?;
        let damaged =
            |seq: u64, problem: String| Error::damaged(&segment.name, None, format!("near seq {seq}: {problem}"));
        let before = self.next;
        let is_cut = segment.first < self.next;
        if is_cut && self.written.last.is_none() {
            output.write(&header_at(self.source, &segment, self.next)?)?;
        }
        while let Some(raw) = lines.next_line()? {
            if raw.end != LineEnd::Whole {
                break;
            }
            let has_begun = self.written.last.is_some();
            if let Some(seq) = seq_of(raw.bytes) {
                if seq < self.next {
                    continue;
                }
                if seq != self.next {
                    return Err(damaged(seq, format!("record {} is due", self.next)));
                }
                self.record(&raw).map_err(|problem| damaged(seq, problem))?;
                output.count();
            } else if raw.bytes.starts_with(CHECKPOINT) {
                if !has_begun {
                    continue;
                }
                if self.next >= self.wanted.end {
                    let note = note_of(&raw).map_err(|problem| damaged(self.next, problem))?;
                    self.checkpoint = Some(note);
                }
            } else if is_cut {
                continue;
            }
            output.write(raw.bytes)?;
            output.write(b"\n")?;
            if self.is_done() {
                return Ok(());
            }
        }
        if self.next == before {
            return Err(damaged(before, "the segment does not hold it".into()));
        }
        Ok(())
    }

    #[inline]
    fn record(&mut self, raw: &RawLine<'_>) -> Result<(), String> {
        if raw.bytes.starts_with(ERASED) {
            self.written.gone.erased += 1;
        } else if may_be_without_personal(raw.bytes, self.next) {
            let line = Line::parse(raw.bytes).map_err(|error| error.to_string())?;
            let is_erased = matches!(line, Line::Record(record) if matches!(record.personal, Personal::Erased(_)));
            self.written.gone.personal_erased += u64::from(is_erased);
        }
        self.written.note(self.next);
        self.next += 1;
        Ok(())
    }

    /// The segment that holds the record that is due, or the first one where that is purged.
    fn open(&mut self) -> Result<(Segment, Box<dyn Lines + 'b>)> {
        let store: &'b dyn Store = self.source.store;
        let mut tries = 0;
        loop {
            let segments = store.segments()?;
            let Some(first) = segments.first().map(|segment| segment.first) else {
                return Err(purged(self.next));
            };
            if self.next < first {
                if self.written.last.is_some() {
                    return Err(purged(self.next));
                }
                self.written.gone.purged = Some(self.wanted.start..first.min(self.wanted.end));
                self.next = first;
            }
            let held = segments.into_iter().rev().find(|segment| segment.first <= self.next);
            let segment = held.ok_or_else(|| purged(self.next))?;
            let from = if segment.first == self.next { 0 } else { self.next };
            match store.lines(&segment, from) {
                Ok(lines) => return Ok((segment, lines)),
                // It was purged or replaced since it was listed.
                Err(error) if error.is_gone() && tries < TRIES_MAX => tries += 1,
                Err(error) => return Err(error),
            }
        }
    }
}

/// The header of a segment that would begin with a record within one.
fn header_at(source: &Source<'_>, segment: &Segment, seq: u64) -> Result<Vec<u8>> {
    let mut tree: Tree = reader::tree_before(source.store, segment)?;
    reader::walk_near(source.store, segment.first, seq, |leaf| tree.push(leaf.hash()))?;
    let header = Header {
        first: seq,
        origin: source.checkpoint.checkpoint().origin().to_string(),
        peaks: tree.peaks().to_vec(),
    };
    let mut line = Vec::new();
    header.write(&mut line);
    Ok(line)
}

fn note_of(raw: &RawLine<'_>) -> Result<SignedCheckpoint, String> {
    match Line::parse(raw.bytes) {
        Ok(Line::Checkpoint(note)) => note.parse().map_err(|error| format!("{error}")),
        Ok(_) => Err("not a checkpoint".into()),
        Err(error) => Err(error.to_string()),
    }
}

/// Whether the value of `personal`, before what every line ends with, may be a string.
#[inline]
fn may_be_without_personal(line: &[u8], seq: u64) -> bool {
    let digits = seq.checked_ilog10().map_or(1, |digits| digits as usize + 1);
    let end = line.len().checked_sub(BEHIND_PERSONAL + digits);
    end.and_then(|end| line.get(end.checked_sub(1)?)) != Some(&b'}')
}

fn purged(seq: u64) -> Error {
    let problem = "it was purged meanwhile".into();
    Cause::NoRecord { seq, problem }.into()
}

/// Writes the records that match, each with its proof.
pub(super) fn write_records(source: &mut Source<'_>, plan: &Plan, output: &mut Output<'_>) -> Result<Written> {
    let (mut written, mut personal_erased, mut out) = (Written::default(), 0, Vec::new());
    let (checkpoint, cache) = (&source.checkpoint, &mut source.cache);
    written.gone = each(
        source.store,
        source.indexes,
        &plan.filter,
        plan.range.clone(),
        |records| {
            let leaves: Vec<_> = records.iter().map(|record| (record.seq(), record.hash())).collect();
            if leaves.is_empty() {
                return Ok(());
            }
            let paths = reader::paths(source.store, &leaves, checkpoint.checkpoint(), cache.as_mut())?;
            for (record, path) in records.iter().zip(paths) {
                let Some(line) = record.line() else { continue };
                let proof = Proof::new(record.seq(), path, checkpoint.clone());
                let proof = proof.map_err(|error| Error::damaged("segments", None, error.to_string()))?;
                out.clear();
                out.extend_from_slice(PROOF);
                json::string(&mut out, &proof.to_string());
                out.extend_from_slice(RECORD);
                out.extend_from_slice(line.as_bytes());
                out.extend_from_slice(b"}\n");
                written.note(record.seq());
                personal_erased += u64::from(record.personal_json().is_none());
                output.count();
                output.write(&out)?;
            }
            Ok(())
        },
    )?;
    written.gone.personal_erased += personal_erased;
    Ok(written)
}

/// What stands before the proof, and before the record, in the line of a record with its proof.
pub(super) const PROOF: &[u8] = b"{\"proof\":";
pub(super) const RECORD: &[u8] = b",\"record\":";

/// How the line of an erased record begins.
const ERASED: &[u8] = b"{\"erased\":";

/// How many bytes stand behind the value of `personal`, but for the digits of `seq` (FORMAT §1, §2).
const BEHIND_PERSONAL: usize = r#","prev":"","recorded_at":"","seq":}"#.len() + 64 + 27;

/// How often a segment that is replaced or purged is looked for again.
const TRIES_MAX: u32 = 5;

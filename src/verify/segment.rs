//! One segment, line by line: the core of verification. It is pure: it is fed lines, and touches no file, thread or
//! clock.

use super::clock::{Clock, TimeError};
use super::commit::Commit;
use super::coverage::Announcements;
use super::finding::{Finding, FindingKind, shown};
use super::keys::KeyRing;
use super::own;
use super::ranges::Growing;
use super::summary::{FirstTime, SegmentSummary};
use crate::hash::Hash;
use crate::merkle::Tree;
use crate::record::{Header, Line, LineError, Personal, RecordLine};
use crate::store::{COMMIT_MAX, LineEnd, RawLine};

/// What a segment is checked against.
#[derive(Debug, Clone)]
pub(super) struct Rules<'a> {
    /// What findings call the segment.
    pub(super) name: &'a str,
    /// The `seq` of its first record by its name.
    pub(super) first: u64,
    /// The keys at its first record.
    pub(super) keys: KeyRing,
    /// The tree of the records before it, where it is known; otherwise the header is believed, whose peaks the
    /// segment's checkpoints commit to.
    pub(super) before: Option<Tree>,
    /// Whether it is the last one, where a crash leaves what it leaves.
    pub(super) is_last: bool,
    /// The size of the log with which the run ends: what follows the checkpoint of that size is not looked at.
    pub(super) end: Option<u64>,
    /// The size at which the root of the tree is wanted.
    pub(super) root_at: Option<u64>,
}

/// A walk along a segment.
#[derive(Debug)]
pub(super) struct SegmentCheck<'a> {
    pub(super) rules: &'a Rules<'a>,
    pub(super) summary: SegmentSummary,
    /// The tree so far; `None` from where a record is lost that it needs.
    pub(super) tree: Option<Tree>,
    /// The hash of the record before, where it is known.
    last: Option<Hash>,
    clock: Clock,
    erased: Growing,
    personal_erased: Growing,
    pub(super) line: u64,
    pub(super) commit: Commit,
    /// Lines since the last readable one that could not be read: each may be a record.
    pub(super) lost: u64,
    /// The size that the last checkpoint says, where lines that could not be read may be the records that it counts.
    pub(super) said: Option<u64>,
    /// The line at which it was cut, without LF.
    cut: Option<u64>,
    /// What is hashed.
    scratch: Vec<u8>,
    pub(super) runs: Runs,
}

/// Findings that go on from checkpoint to checkpoint and are told once.
#[derive(Debug, Default)]
pub(super) struct Runs {
    pub(super) root: Run,
    pub(super) signer: Run,
}

/// One finding, and how many checkpoints after it have the same.
#[derive(Debug, Default)]
pub(super) struct Run {
    pub(super) is_open: bool,
    pub(super) finding: Option<usize>,
    pub(super) more: u64,
}

/// Whether there is more to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Continue,
    /// The run ends here.
    End,
}

impl<'a> SegmentCheck<'a> {
    pub(super) fn new(rules: &'a Rules<'a>) -> Self {
        Self {
            rules,
            summary: SegmentSummary::new(rules),
            tree: rules.before.clone().filter(|tree| tree.size() == rules.first),
            last: (rules.first == 0).then_some(Hash::ZERO),
            clock: Clock::default(),
            erased: Growing::default(),
            personal_erased: Growing::default(),
            line: 0,
            commit: Commit::default(),
            lost: 0,
            said: None,
            cut: None,
            scratch: Vec::new(),
            runs: Runs::default(),
        }
    }

    /// Takes the next line.
    ///
    /// # Errors
    ///
    /// The format of a header that this version does not know.
    pub(super) fn take(&mut self, raw: &RawLine<'_>) -> Result<Step, u64> {
        self.line = raw.number;
        if raw.end != LineEnd::Whole {
            self.end_of_lines(raw);
            return Ok(Step::Continue);
        }
        self.commit.add_bytes(raw.bytes.len() + 1);
        let line = Line::parse(raw.bytes);
        if self.line == 1 {
            self.note_root();
            match line {
                Ok(Line::Header(header)) => {
                    self.header(header);
                    return Ok(Step::Continue);
                }
                Err(LineError::Unsupported(format)) => return Err(format),
                _ => self.find(FindingKind::Malformed, "the segment does not begin with its header"),
            }
        }
        match line {
            Ok(Line::Record(record)) => self.record(&record),
            Ok(Line::Erased { hash, seq }) => self.erased_record(hash, seq),
            Ok(Line::Checkpoint(note)) => return Ok(self.checkpoint(&note)),
            Ok(Line::Header(_)) => self.find(FindingKind::Malformed, "a segment header stands within a segment"),
            Err(_) if self.line == 1 => {}
            Err(error) => {
                self.find(FindingKind::Malformed, error.to_string());
                self.lost += 1;
                self.commit.add_line(self.summary.end, self.line);
            }
        }
        Ok(Step::Continue)
    }

    /// Gives up on a segment of which nothing is to be expected: a file of little that unpacks to very much must not take
    /// hours. What is wrong with it is told.
    pub(super) fn gives_up(&mut self) -> bool {
        let is_hopeless = self.summary.findings.count() > FINDINGS_MAX || self.commit.byte_count() > COMMIT_SEARCHED;
        if is_hopeless {
            self.find(
                FindingKind::Malformed,
                "so much is wrong that the rest of the segment is not looked at",
            );
        }
        is_hopeless
    }

    /// How many records it took.
    pub(super) fn records(&self) -> u64 {
        self.summary.records
    }

    /// Gives what the segment showed, once it has no more lines or the run has ended in it.
    pub(super) fn finish(mut self, ended: Step) -> SegmentSummary {
        if ended == Step::Continue {
            self.tail();
        }
        let is_whole = self.summary.committed.is_some() && self.commit.is_empty() && !self.runs.root.is_open;
        if let Some(said) = self.said.filter(|_| self.commit.is_empty()) {
            // The records are there, but what they are is not known.
            self.summary.end = said;
            (self.tree, self.last) = (None, None);
        }
        self.close_runs();
        let mut summary = self.summary;
        summary.last = self.last;
        summary.tree = self
            .tree
            .filter(|tree| is_whole && self.lost == 0 && tree.size() == summary.end);
        if summary.tree.is_none() {
            // Nothing that follows can cover them.
            summary.uncovered = Announcements::default();
        }
        summary.erased = self.erased.into_ranges();
        summary.personal_erased = self.personal_erased.into_ranges();
        summary.last_time = self.clock.last;
        summary
    }

    fn header(&mut self, header: Header) {
        self.commit = Commit::default();
        if header.origin != self.rules.keys.origin().as_str() {
            let finding = self.finding(FindingKind::WrongOrigin, "the header is of another log");
            self.push(finding.differs(self.rules.keys.origin(), &header.origin));
        }
        if header.first != self.rules.first {
            let finding = self.finding(
                FindingKind::Malformed,
                "the header's `first` is not that of the file's name",
            );
            self.push(finding.differs(self.rules.first, header.first));
            return;
        }
        let said = Tree::from_peaks(header.first, header.peaks).ok();
        if let (Some(before), Some(said)) = (&self.tree, &said)
            && before != said
        {
            let finding = self.finding(
                FindingKind::WrongRoot,
                "the header's peaks are not those of the records before",
            );
            self.push(finding.differs(format!("root {}", before.root()), format!("root {}", said.root())));
        }
        self.tree = self.tree.take().or_else(|| said.clone());
        self.summary.header = said;
        self.note_root();
    }

    #[inline]
    fn record(&mut self, record: &RecordLine<'_>) {
        if self.lost > 0 {
            self.bridge(record.seq, Some(record.prev));
        }
        let is_first = self.summary.records == 0 && self.line == 2;
        if is_first {
            self.summary.opening = Some((record.prev, self.line));
        }
        self.sequence(record.seq);
        if let Some(last) = self.last.filter(|last| *last != record.prev) {
            let finding = self.finding(FindingKind::BrokenLink, "prev is not the hash of the record before");
            self.push_junction(finding.seq(record.seq).differs(last, record.prev));
        }
        let own = record
            .action
            .as_deref()
            .filter(|action| action.starts_with("audit_log."));
        self.time(record, own == Some(own::CLOCK_SKEW));
        let hash = record.hash_in(&mut self.scratch);
        self.add(hash, record.seq);
        if matches!(record.personal, Personal::Erased(_)) {
            self.personal_erased.push(record.seq);
            self.commit.add_erased_personal();
        }
        if let Some(action) = own {
            self.own_record(action, record, hash);
        }
        if record.seq == 0 {
            self.genesis(record);
        }
    }

    fn erased_record(&mut self, hash: Hash, seq: u64) {
        if self.lost > 0 {
            self.bridge(seq, None);
        }
        self.sequence(seq);
        self.add(hash, seq);
        self.erased.push(seq);
    }

    /// What both kinds of record do to the tree and the commit.
    #[inline]
    fn add(&mut self, hash: Hash, seq: u64) {
        self.drop_rotation();
        self.last = Some(hash);
        self.summary.last_line = self.line;
        self.summary.end = seq + 1;
        self.summary.records += 1;
        self.commit.add_line(seq, self.line);
        if let Some(tree) = &mut self.tree {
            tree.push(hash);
        }
        self.note_root();
    }

    #[inline]
    fn sequence(&mut self, seq: u64) {
        if seq != self.summary.end {
            let detail = if seq > self.summary.end {
                "records are missing before this one"
            } else {
                "this seq was there before"
            };
            let finding = self.finding(FindingKind::BadSequence, detail);
            self.push_junction(finding.seq(seq).differs(self.summary.end, seq));
        }
    }

    /// Goes on behind lines that could not be read. Where one record is lost, the next one's `prev` is its hash.
    fn bridge(&mut self, seq: u64, prev: Option<Hash>) {
        let lost = std::mem::take(&mut self.lost);
        self.said = None;
        let missing = seq.saturating_sub(self.summary.end);
        if missing == 0 || missing > lost {
            return;
        }
        match (missing, prev, &mut self.tree) {
            (1, Some(prev), Some(tree)) => {
                tree.push(prev);
                self.note_root();
            }
            _ => self.tree = None,
        }
        self.last = prev;
        self.summary.end = seq;
    }

    #[inline]
    fn time(&mut self, record: &RecordLine<'_>, may_step_back: bool) {
        match self.clock.take(record.recorded_at.as_bytes(), may_step_back) {
            Ok(time) if self.summary.first_time.is_none() => {
                let (seq, line) = (record.seq, self.line);
                self.summary.first_time = Some(FirstTime {
                    time,
                    seq,
                    line,
                    may_step_back,
                });
            }
            Ok(_) => {}
            Err(error) => self.bad_time(record, error),
        }
    }

    #[cold]
    fn bad_time(&mut self, record: &RecordLine<'_>, error: TimeError) {
        let finding = match error {
            TimeError::Form => {
                let finding = self.finding(
                    FindingKind::BadTime,
                    "recorded_at is not a valid instant in the form YYYY-MM-DDTHH:MM:SS.ffffffZ",
                );
                Finding {
                    found: Some(shown(&record.recorded_at)),
                    ..finding
                }
            }
            TimeError::StepsBack(last) => {
                let last = String::from_utf8_lossy(&last);
                self.finding(FindingKind::BadTime, "recorded_at is before that of the record before")
                    .differs(format!("{last} or later"), &record.recorded_at)
            }
        };
        self.push(finding.seq(record.seq));
    }

    /// Notes the root of the tree where it is wanted.
    #[inline]
    fn note_root(&mut self) {
        if let (Some(wanted), Some(tree)) = (self.rules.root_at, &self.tree)
            && tree.size() == wanted
        {
            self.summary.root_at = Some(tree.root());
        }
    }

    /// What stands where no whole line does: FORMAT §5 says where that may be.
    fn end_of_lines(&mut self, raw: &RawLine<'_>) {
        let is_plain = !self.rules.name.ends_with(".zst");
        match raw.end {
            LineEnd::Whole => {}
            LineEnd::Space if self.rules.is_last && is_plain && self.line > 1 => {}
            LineEnd::Torn if self.rules.is_last => self.cut = Some(self.line),
            // A line that was cut, then space written ahead.
            LineEnd::TooLong if self.rules.is_last && is_cut_off(raw.bytes) => self.cut = Some(self.line),
            LineEnd::Space => self.find(
                FindingKind::Malformed,
                "zero bytes end a segment that may not end in them",
            ),
            LineEnd::Torn => self.find(
                FindingKind::Malformed,
                "the segment ends within a line, and is not the last one",
            ),
            LineEnd::BrokenSpace => self.find(FindingKind::Malformed, "bytes other than zero follow zero bytes"),
            LineEnd::TooLong => self.find(FindingKind::Malformed, "the line is longer than any line may be"),
            LineEnd::Unreadable => self.find(FindingKind::Malformed, shown(&String::from_utf8_lossy(raw.bytes))),
        }
    }

    /// What the end of the segment says.
    fn tail(&mut self) {
        let is_empty = self.line == 0;
        if is_empty {
            let detail = "the file is empty: it has not even a header";
            self.push(Finding::new(FindingKind::Malformed, self.rules.name, detail));
        }
        let open = self.commit.first().or(self.cut.map(|line| (self.summary.end, line)));
        match open {
            Some((seq, line)) if self.rules.is_last => {
                let detail = if self.commit.is_empty() {
                    "a line that is cut off follows the last checkpoint"
                } else {
                    "records follow the last checkpoint"
                };
                let finding = Finding::new(FindingKind::UnsignedTail, self.rules.name, detail)
                    .seq(seq)
                    .line(line);
                self.push(finding);
            }
            Some((seq, line)) => {
                let detail = "the segment is not the last one and does not end with a checkpoint";
                let finding = Finding::new(FindingKind::Malformed, self.rules.name, detail)
                    .seq(seq)
                    .line(line);
                self.push(finding);
            }
            None if self.summary.committed.is_none() && !self.rules.is_last && !is_empty => {
                self.find(
                    FindingKind::Malformed,
                    "the segment is not the last one and has no commit",
                );
            }
            None => {}
        }
    }

    pub(super) fn finding(&self, kind: FindingKind, detail: impl Into<String>) -> Finding {
        Finding::new(kind, self.rules.name, detail).line(self.line)
    }

    #[cold]
    pub(super) fn push(&mut self, finding: Finding) -> Option<usize> {
        let line = finding.line.unwrap_or_default();
        self.summary.findings.push((self.rules.first, line), finding)
    }

    /// Takes a finding between the last record and this line: in the order of findings it stands at that record.
    #[cold]
    fn push_junction(&mut self, finding: Finding) {
        self.summary
            .findings
            .push((self.rules.first, self.summary.last_line), finding);
    }

    #[cold]
    pub(super) fn find(&mut self, kind: FindingKind, detail: impl Into<String>) {
        let finding = self.finding(kind, detail);
        self.push(finding);
    }
}

/// So many findings in one segment say that it is garbage.
const FINDINGS_MAX: u64 = 100_000;

/// So far a checkpoint is looked for behind the last one: far beyond any commit.
const COMMIT_SEARCHED: usize = 32 * COMMIT_MAX;

/// Whether a line goes over into zeros that do not end.
fn is_cut_off(bytes: &[u8]) -> bool {
    let end = memchr::memchr(0, bytes).unwrap_or(bytes.len());
    end < bytes.len() && bytes.iter().skip(end).all(|byte| *byte == 0)
}

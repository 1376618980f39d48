//! Commits: the checkpoint that ends one, and the log's own records in it that count once it verifies (FORMAT §2, §3,
//! §4, §6, §7).

use super::finding::FindingKind;
use super::keys::{KEYS_MAX, check_countersigned};
use super::own::{self, Genesis, Rotation, read_announcement};
use super::segment::{Run, SegmentCheck, Step};
use crate::checkpoint::{Checkpoint, CheckpointError, SignedCheckpoint};
use crate::hash::Hash;
use crate::record::{CHECKPOINT, Line, RecordLine};
use crate::store::{COMMIT_MAX, LineEnd, RawLine};

/// The lines since the last checkpoint.
#[derive(Debug, Default)]
pub(super) struct Commit {
    bytes: usize,
    /// The `seq` and the line of its first record.
    first: Option<(u64, u64)>,
    /// The rotation that is its last record so far, and the line.
    rotation: Option<(Rotation, u64)>,
}

impl Commit {
    #[inline]
    /// How many bytes there are since the last checkpoint.
    pub(super) fn byte_count(&self) -> usize {
        self.bytes
    }

    pub(super) fn add_bytes(&mut self, bytes: usize) {
        self.bytes += bytes;
    }

    #[inline]
    pub(super) fn add_line(&mut self, seq: u64, line: u64) {
        if self.first.is_none() {
            self.first = Some((seq, line));
        }
    }

    /// A digest can be longer than the shortest object that it stands for: erasure may have made the commit longer than
    /// it was.
    pub(super) fn add_erased_personal(&mut self) {
        self.bytes = self.bytes.saturating_sub(DIGEST_BYTES - PERSONAL_BYTES_MIN);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    pub(super) fn first(&self) -> Option<(u64, u64)> {
        self.first
    }
}

impl SegmentCheck<'_> {
    /// Takes the checkpoint that ends a commit.
    pub(super) fn checkpoint(&mut self, note: &str) -> Step {
        self.summary.checkpoints += 1;
        if self.commit.is_empty() {
            self.find(FindingKind::Malformed, "a checkpoint without a record before it");
        }
        if self.commit.bytes > COMMIT_MAX {
            let finding = self.finding(FindingKind::Malformed, "a commit has at most 8 MiB");
            self.push(finding.differs(
                format!("at most {COMMIT_MAX} bytes"),
                format!("{} bytes", self.commit.bytes),
            ));
        }
        let opened = Checkpoint::open(note, self.summary.keys_after.in_force());
        let is_signed = opened.is_ok();
        self.summary.names_key |= matches!(opened, Ok(_) | Err(CheckpointError::Signature { .. }));
        let said = match opened {
            Ok(checkpoint) => {
                self.close_signer_run();
                Some((checkpoint.size(), checkpoint.root()))
            }
            Err(error) => {
                self.not_signed(error);
                let read = note.parse::<SignedCheckpoint>().ok();
                read.map(|signed| (signed.checkpoint().size(), signed.checkpoint().root()))
            }
        };
        let is_whole = said.is_some_and(|(size, root)| self.check_root(size, root));
        self.summary.committed = Some(self.said.unwrap_or(self.summary.end));
        if let (true, true, Some(verified)) = (is_signed, is_whole, said) {
            self.summary.verified = Some(verified);
            let covered = std::mem::take(&mut self.summary.uncovered);
            self.summary.announced.append(covered);
        }
        self.close_rotation(note, is_signed, is_whole);
        self.commit = Commit::default();
        match (self.rules.end, said) {
            (Some(end), Some((size, _))) if size >= end => Step::End,
            _ => Step::Continue,
        }
    }

    /// Looks at a line behind the end of the run, which is the writer's: its commits are of larger sizes. A checkpoint
    /// of no larger one is repeated, so that what stands before it would not be read.
    pub(super) fn look_behind_end(&mut self, raw: &RawLine<'_>) {
        if size_of_checkpoint(raw).is_some_and(|size| self.rules.end.is_some_and(|end| size <= end)) {
            self.line = raw.number;
            self.find(
                FindingKind::Malformed,
                "a checkpoint of no more records than one before it",
            );
        }
    }

    /// Whether a checkpoint's size and root are those of the records.
    fn check_root(&mut self, size: u64, root: Hash) -> bool {
        let Some(tree) = &self.tree else { return false };
        let found = (tree.size(), tree.root());
        if found == (size, root) && size == self.summary.end {
            self.close_root_run();
            // What could not be read was no record.
            (self.lost, self.said) = (0, None);
            return true;
        }
        // Lines before could not be read: they may be the records that the tree lacks.
        if self.lost > 0 && size > found.0 && size - found.0 <= self.lost {
            self.said = Some(size);
            return false;
        }
        let records = if found.0 == self.summary.end {
            found.0
        } else {
            self.summary.end
        };
        let finding = if records != size {
            let finding = self.finding(
                FindingKind::WrongRoot,
                "the checkpoint's size is not that of the records",
            );
            finding.differs(format!("size {records}"), format!("size {size}"))
        } else {
            let finding = self.finding(
                FindingKind::WrongRoot,
                "the checkpoint's root is not that of the records",
            );
            finding.differs(format!("root {}", found.1), format!("root {root}"))
        };
        let at = self.commit.first();
        let finding = at.map_or(finding.clone(), |(seq, _)| finding.seq(seq));
        if self.runs.root.is_open {
            self.runs.root.more += 1;
        } else {
            self.runs.root = Run {
                is_open: true,
                finding: self.push(finding),
                more: 0,
            };
        }
        false
    }

    fn not_signed(&mut self, error: CheckpointError) {
        let (kind, goes_on) = match error {
            CheckpointError::Origin { .. } => (FindingKind::WrongOrigin, true),
            CheckpointError::Unsigned { .. } => (FindingKind::BadSignature, true),
            _ => (FindingKind::BadSignature, false),
        };
        if goes_on && self.runs.signer.is_open {
            self.runs.signer.more += 1;
            return;
        }
        let mut finding = self.finding(kind, error.to_string());
        finding.seq = self.commit.first().map(|(seq, _)| seq);
        let finding = self.push(finding);
        self.close_signer_run();
        if goes_on {
            self.runs.signer = Run {
                is_open: true,
                finding,
                more: 0,
            };
        }
    }

    fn close_root_run(&mut self) {
        let run = std::mem::take(&mut self.runs.root);
        self.close_run(&run);
    }

    fn close_signer_run(&mut self) {
        let run = std::mem::take(&mut self.runs.signer);
        self.close_run(&run);
    }

    /// Says of the findings that go on to here how far they go.
    pub(super) fn close_runs(&mut self) {
        self.close_root_run();
        self.close_signer_run();
    }

    fn close_run(&mut self, run: &Run) {
        if let (Some(index), more @ 1..) = (run.finding, run.more) {
            self.summary
                .findings
                .amend(index, &format!("; the same at {more} later checkpoints of the segment"));
        }
    }

    /// Takes a record of the log itself.
    pub(super) fn own_record(&mut self, action: &str, record: &RecordLine<'_>, hash: Hash) {
        match action {
            own::ROTATED => match Rotation::read(record.seq, hash, record.event, self.rules.keys.origin()) {
                Ok(rotation) => self.commit.rotation = Some((rotation, self.line)),
                Err(problem) => {
                    let finding = self.finding(FindingKind::BadSignature, problem);
                    self.push(finding.seq(record.seq));
                }
            },
            own::PURGED | own::RECORD_ERASED | own::PERSONAL_DATA_ERASED => self.announcement(action, record),
            _ => {}
        }
    }

    fn announcement(&mut self, action: &str, record: &RecordLine<'_>) {
        let mut ranges = Vec::new();
        match read_announcement(action, record.seq, record.event, &mut ranges) {
            // No checkpoint from here on can cover it where the tree is lost.
            Ok(_) if self.tree.is_none() => {}
            Ok(what) => {
                let place = (self.rules.first, self.line);
                self.summary.uncovered.push(what, ranges, record.seq, place);
            }
            Err(problem) => {
                let finding = self.finding(FindingKind::Malformed, problem);
                self.push(finding.seq(record.seq));
            }
        }
    }

    /// A rotation is the last record of its commit: one that another record follows does not count.
    #[inline]
    pub(super) fn drop_rotation(&mut self) {
        if let Some((rotation, line)) = self.commit.rotation.take() {
            self.bad_rotation(&rotation, line, "the rotation is not the last record of its commit");
        }
    }

    /// Puts the rotation that ends a commit in force, if all of FORMAT §6 holds and its checkpoint verifies.
    fn close_rotation(&mut self, note: &str, is_signed: bool, is_whole: bool) {
        let Some((rotation, line)) = self.commit.rotation.take() else {
            return;
        };
        let checked = match note.parse::<SignedCheckpoint>() {
            Ok(checkpoint) => check_countersigned(&rotation, &checkpoint),
            Err(error) => Err(error.to_string()),
        };
        if let Err(problem) = checked {
            self.bad_rotation(
                &rotation,
                line,
                &format!("the rotation is not signed by both its keys: {problem}"),
            );
            return;
        }
        let same = match is_whole {
            true => &mut self.summary.rotations,
            false => &mut self.summary.unproven,
        };
        if same.len() < KEYS_MAX {
            same.push(rotation.clone());
        }
        let mut keys = self.summary.keys_after.clone();
        match keys.rotate(&rotation) {
            Ok(()) if is_signed && is_whole => self.summary.keys_after = keys,
            // The checkpoint has its own finding, which explains why nothing verifies that the new key signed.
            Ok(()) => {
                if let Some(index) = self.runs.root.finding {
                    self.summary.findings.amend(
                        index,
                        &format!("; so the rotation at seq {} does not count", rotation.seq),
                    );
                }
            }
            Err(problem) => self.bad_rotation(&rotation, line, &problem),
        }
    }

    fn bad_rotation(&mut self, rotation: &Rotation, line: u64, problem: &str) {
        let mut finding = self.finding(FindingKind::BadSignature, problem).seq(rotation.seq);
        finding.line = Some(line);
        self.push(finding);
    }

    /// Record 0 holds the log's identity (FORMAT §2).
    pub(super) fn genesis(&mut self, record: &RecordLine<'_>) {
        let mut findings = Vec::new();
        if record.action.as_deref() != Some(own::CREATED) {
            findings.push(self.finding(FindingKind::Malformed, "record 0 is not audit_log.created"));
        }
        let genesis = Genesis::read(record.event);
        if genesis.format != Some(1) {
            findings.push(self.finding(FindingKind::Malformed, "record 0 does not hold the format 1"));
        }
        let origin = self.rules.keys.origin();
        if genesis.origin.as_deref() != Some(origin.as_str()) {
            let finding = self.finding(FindingKind::WrongOrigin, "record 0 names another origin");
            findings.push(finding.differs(origin, genesis.origin.as_deref().unwrap_or("none")));
        }
        let key = self.summary.keys_before.in_force().to_string();
        if genesis.vkey.as_deref() != Some(key.as_str()) {
            let finding = self.finding(
                FindingKind::BadSignature,
                "record 0 names another key than that of the first commit",
            );
            findings.push(finding.differs(key, genesis.vkey.as_deref().unwrap_or("none")));
        }
        for finding in findings {
            self.push(finding.seq(0));
        }
    }
}

/// The size that a whole line says, if it is a checkpoint.
pub(super) fn size_of_checkpoint(raw: &RawLine<'_>) -> Option<u64> {
    if raw.end != LineEnd::Whole || !raw.bytes.starts_with(CHECKPOINT) {
        return None;
    }
    let Ok(Line::Checkpoint(note)) = Line::parse(raw.bytes) else {
        return None;
    };
    let signed: SignedCheckpoint = note.parse().ok()?;
    Some(signed.checkpoint().size())
}

/// A digest where `personal` stood, with its quotes.
const DIGEST_BYTES: usize = 66;

/// `{"salt":"…"}` with 32 digits.
const PERSONAL_BYTES_MIN: usize = 43;

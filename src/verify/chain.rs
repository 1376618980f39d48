//! What spans segments: each one continues the one before it.

use super::clock::Fixed;
use super::finding::{Finding, FindingKind, Place};
use super::keys::KeyRing;
use super::summary::SegmentSummary;
use crate::hash::Hash;
use crate::merkle::Tree;

/// The end of the segments so far: what the next one continues.
#[derive(Debug)]
pub(super) struct Boundary {
    /// The `seq` after the last record; `None` before the first segment.
    end: Option<u64>,
    last: Option<Hash>,
    /// Where the last record stands.
    last_place: Place,
    /// The tree of the records so far, where it is sure: their last checkpoint says its root.
    tree: Option<Tree>,
    pub(super) keys: KeyRing,
    time: Option<Fixed>,
}

impl Boundary {
    pub(super) fn new(keys: KeyRing) -> Self {
        Self {
            end: None,
            last: None,
            last_place: (0, 0),
            tree: None,
            keys,
            time: None,
        }
    }

    /// The tree before the segment that begins with the record `first`, if it is sure.
    pub(super) fn tree_before(&self, first: u64) -> Option<Tree> {
        match &self.tree {
            _ if first == 0 => Some(Tree::new()),
            Some(tree) => Some(tree.clone()).filter(|tree| tree.size() == first),
            None => None,
        }
    }

    /// Whether `summary` was made with what is known here: the keys, and the tree where the header does not say the
    /// same.
    pub(super) fn is_as_assumed(&self, summary: &SegmentSummary) -> bool {
        let same_keys = summary.keys_before == self.keys
            || (summary.rotations.is_empty() && summary.keys_before.in_force() == self.keys.in_force());
        let same_tree = match (self.tree_before(summary.first), &summary.header) {
            (None, _) => true,
            (Some(sure), said) => summary.before.as_ref() == Some(&sure) || said.as_ref() == Some(&sure),
        };
        same_keys && same_tree
    }

    /// Whether the tree here is the one that the header of the next segment says, so that a checkpoint of that segment
    /// covers the records up to here.
    pub(super) fn is_continued_by(&self, next: &SegmentSummary) -> bool {
        self.tree.is_some() && self.tree == next.header
    }

    /// Goes over the next segment, and gives what is wrong between it and the one before.
    pub(super) fn follow(&mut self, name: &str, summary: &SegmentSummary) -> Vec<(Place, Finding)> {
        let here = (summary.first, 1);
        let mut findings = Vec::new();
        match self.end {
            Some(end) if summary.first > end => {
                let finding = Finding::new(
                    FindingKind::MissingRecords,
                    name,
                    "records are gone between this segment and the one before",
                );
                findings.push((
                    here,
                    finding
                        .seq(end)
                        .line(1)
                        .differs(format!("first {end}"), format!("first {}", summary.first)),
                ));
                self.last = None;
            }
            Some(end) if summary.first < end => {
                let finding = Finding::new(
                    FindingKind::Malformed,
                    name,
                    "the segment begins before the end of the one before",
                );
                let finding = finding.seq(summary.first).line(1);
                findings.push((
                    here,
                    finding.differs(format!("first {end}"), format!("first {}", summary.first)),
                ));
                self.last = None;
            }
            _ => {}
        }
        if let (Some(last), Some((prev, line))) = (self.last, summary.opening)
            && last != prev
        {
            let finding = Finding::new(
                FindingKind::BrokenLink,
                name,
                "prev is not the hash of the last record of the segment before",
            );
            findings.push((
                self.last_place,
                finding.seq(summary.first).line(line).differs(last, prev),
            ));
        }
        findings.extend(self.follow_time(name, summary).map(|finding| (here, finding)));
        if summary.records > 0 {
            self.last = summary.last;
            self.last_place = (summary.first, summary.last_line);
        }
        self.tree = summary.tree.clone();
        self.end = Some(summary.end);
        // A segment without rotations may have been checked without knowing the former keys.
        if !summary.rotations.is_empty() {
            self.keys = summary.keys_after.clone();
        }
        self.time = summary.last_time.or(self.time);
        findings
    }

    fn follow_time(&self, name: &str, summary: &SegmentSummary) -> Option<Finding> {
        let (last, first) = (self.time?, summary.first_time?);
        if first.may_step_back || first.time >= last {
            return None;
        }
        let text = |time: &Fixed| String::from_utf8_lossy(time).into_owned();
        let finding = Finding::new(
            FindingKind::BadTime,
            name,
            "recorded_at is before that of the record before",
        );
        Some(
            finding
                .seq(first.seq)
                .line(first.line)
                .differs(format!("{} or later", text(&last)), text(&first.time)),
        )
    }
}

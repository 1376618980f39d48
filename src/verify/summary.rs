//! What one segment showed: all that the checks between segments need of it.

use super::clock::Fixed;
use super::coverage::Announcements;
use super::finding::Findings;
use super::keys::KeyRing;
use super::own::Rotation;
use super::ranges::Ranges;
use super::segment::Rules;
use crate::hash::Hash;
use crate::merkle::Tree;

/// What a segment showed.
#[derive(Debug)]
pub(super) struct SegmentSummary {
    /// The `seq` of its first record.
    pub(super) first: u64,
    /// The `seq` after its last record.
    pub(super) end: u64,
    /// The tree that its header says; `None` where there is no header.
    pub(super) header: Option<Tree>,
    /// `prev` of its first record and the line, where the first line after the header is that record.
    pub(super) opening: Option<(Hash, u64)>,
    /// The hash of its last record.
    pub(super) last: Option<Hash>,
    /// The line of its last record.
    pub(super) last_line: u64,
    /// The tree up to its last record, where it ends with a checkpoint whose root is that of the tree.
    pub(super) tree: Option<Tree>,
    /// The size and the root of its last checkpoint that verified.
    pub(super) verified: Option<(u64, Hash)>,
    /// The size of the tree at its last checkpoint, verified or not.
    pub(super) committed: Option<u64>,
    /// Whether any of its checkpoints names the key in force, whether or not that key made the signature.
    pub(super) names_key: bool,
    pub(super) records: u64,
    pub(super) checkpoints: u64,
    pub(super) erased: Ranges,
    pub(super) personal_erased: Ranges,
    /// What is announced in it, as far as one of its own checkpoints that verify covers it.
    pub(super) announced: Announcements,
    /// What is announced behind those: a checkpoint of a later segment may cover it.
    pub(super) uncovered: Announcements,
    /// The rotations that both keys signed, with the root of their records, whether they count or not.
    pub(super) rotations: Vec<Rotation>,
    /// Those without it. They do not count, but say which keys to expect.
    pub(super) unproven: Vec<Rotation>,
    /// The tree before it that was given, if one was.
    pub(super) before: Option<Tree>,
    pub(super) keys_before: KeyRing,
    pub(super) keys_after: KeyRing,
    pub(super) first_time: Option<FirstTime>,
    pub(super) last_time: Option<Fixed>,
    pub(super) root_at: Option<Hash>,
    pub(super) findings: Findings,
}

/// The time of the first record that has one.
#[derive(Debug, Clone, Copy)]
pub(super) struct FirstTime {
    pub(super) time: Fixed,
    pub(super) seq: u64,
    pub(super) line: u64,
    pub(super) may_step_back: bool,
}

impl SegmentSummary {
    /// Before the first line.
    pub(super) fn new(rules: &Rules<'_>) -> Self {
        Self {
            first: rules.first,
            end: rules.first,
            header: None,
            opening: None,
            last: None,
            last_line: 0,
            tree: None,
            verified: None,
            committed: None,
            names_key: false,
            records: 0,
            checkpoints: 0,
            erased: Ranges::default(),
            personal_erased: Ranges::default(),
            announced: Announcements::default(),
            uncovered: Announcements::default(),
            rotations: Vec::new(),
            unproven: Vec::new(),
            before: rules.before.clone(),
            keys_before: rules.keys.clone(),
            keys_after: rules.keys.clone(),
            first_time: None,
            last_time: None,
            root_at: None,
            findings: Findings::default(),
        }
    }
}

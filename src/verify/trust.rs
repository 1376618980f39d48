//! The trusted checkpoint: does the log contain its tree?

use super::finding::{Finding, FindingKind, Notice, NoticeKind};
use super::keys::KeyRing;
use crate::checkpoint::SignedCheckpoint;
use crate::hash::Hash;
use crate::merkle::Tree;
use crate::note::VerifierKey;

/// What there is of the log to compare with.
#[derive(Debug)]
pub(super) struct Compared<'a> {
    /// The first retained record.
    pub(super) first: u64,
    /// The `seq` after the last record.
    pub(super) end: u64,
    /// The tree before the first retained record.
    pub(super) before: Option<&'a Tree>,
    /// The root of the tree of the trusted size, where it is known.
    pub(super) root: Option<Hash>,
    /// The segment that holds that size, or else the first one.
    pub(super) file: &'a str,
}

/// Holds the log against a checkpoint that is known from elsewhere.
pub(super) fn compare(
    trusted: &SignedCheckpoint,
    keys: &KeyRing,
    vkeys: &[VerifierKey],
    log: &Compared<'_>,
) -> (Vec<Finding>, Option<Notice>) {
    let said = trusted.checkpoint();
    let mut findings = Vec::new();
    if said.origin() != keys.origin() {
        let finding = Finding::new(
            FindingKind::WrongOrigin,
            TRUSTED,
            "the trusted checkpoint is of another log",
        );
        return (vec![finding.differs(keys.origin(), said.origin())], None);
    }
    if !keys.iter().chain(vkeys).any(|key| trusted.verify(key).is_ok()) {
        let detail = "the trusted checkpoint is not signed by a key of the log";
        findings.push(Finding::new(FindingKind::BadSignature, TRUSTED, detail));
    }
    if said.size() > log.end {
        let finding = Finding::new(
            FindingKind::RolledBack,
            log.file,
            "the log is shorter than the trusted checkpoint",
        );
        findings.push(
            finding
                .seq(log.end)
                .differs(format!("{} records", said.size()), format!("{} records", log.end)),
        );
        return (findings, None);
    }
    match log.root.or_else(|| root_before(log.before, said.size())) {
        Some(root) if root == said.root() => (findings, None),
        Some(root) => {
            let finding = Finding::new(
                FindingKind::Forked,
                log.file,
                "the log does not contain the tree of the trusted checkpoint",
            );
            let sized = |root: Hash| format!("root {root} of {} records", said.size());
            findings.push(finding.differs(sized(said.root()), sized(root)));
            (findings, None)
        }
        None => {
            let why = if said.size() < log.first {
                format!(
                    "the first retained record is {}, and no kept tiles reach back so far",
                    log.first
                )
            } else {
                "the log's tree is not known at that size".to_owned()
            };
            let detail = format!(
                "the trusted checkpoint of {} records cannot be compared: {why}",
                said.size()
            );
            (
                findings,
                Some(Notice {
                    kind: NoticeKind::NotComparable,
                    seq: None,
                    detail,
                }),
            )
        }
    }
}

/// The root of a tree that ends before the first retained record. Of the purged records only the peaks are known here,
/// and the trees that they are the left part of.
pub(super) fn root_before(before: Option<&Tree>, size: u64) -> Option<Hash> {
    if size == 0 {
        return Some(Tree::new().root());
    }
    let before = before?;
    // The peaks of `size` are the first ones of the larger tree if its 1 bits are.
    let shift = size.trailing_zeros();
    if (before.size() >> shift) << shift != size {
        return None;
    }
    let count = usize::try_from(size.count_ones()).ok()?;
    let peaks = before.peaks().get(..count)?.to_vec();
    Tree::from_peaks(size, peaks).ok().map(|tree| tree.root())
}

/// What findings call it.
const TRUSTED: &str = "trusted checkpoint";

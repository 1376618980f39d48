use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;

use crate::note::plain;

/// What a finding is about (FORMAT §9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum FindingKind {
    /// A header, a checkpoint, record 0, the vkey or the trusted checkpoint names another origin.
    WrongOrigin,
    /// The log is shorter than the trusted checkpoint.
    RolledBack,
    /// Records are gone: a gap between segments, or a beginning after 0 that no `audit_log.purged` covers.
    MissingRecords,
    /// A record, or its personal data, is erased and no announcement of that kind covers it.
    UnannouncedErasure,
    /// `seq` has a gap, a repeat or a step back within a segment.
    BadSequence,
    /// `prev` is not the hash of the record before.
    BrokenLink,
    /// A line, a file or an announcement breaks FORMAT §1, §4, §5 or §7.
    Malformed,
    /// A checkpoint or a rotation breaks FORMAT §3 or §6.
    BadSignature,
    /// A checkpoint's root or size, or a header's `peaks`, is not that of the records.
    WrongRoot,
    /// The log does not contain the tree of the trusted checkpoint.
    Forked,
    /// `recorded_at` is not of its form, or steps back where it may not.
    BadTime,
    /// Records follow the last checkpoint.
    UnsignedTail,
}

impl FindingKind {
    /// The name that FORMAT §9 gives it: `broken_link`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::BrokenLink => "broken_link",
            Self::BadSequence => "bad_sequence",
            Self::BadTime => "bad_time",
            Self::WrongRoot => "wrong_root",
            Self::BadSignature => "bad_signature",
            Self::WrongOrigin => "wrong_origin",
            Self::UnsignedTail => "unsigned_tail",
            Self::MissingRecords => "missing_records",
            Self::UnannouncedErasure => "unannounced_erasure",
            Self::RolledBack => "rolled_back",
            Self::Forked => "forked",
        }
    }

    /// Causes come before what they cause.
    ///
    /// First what is about the log as a whole: it is another log, its keys are others, or content of it is gone; that
    /// explains whatever else is found. Then what breaks at a place in it: there the earliest place counts, because a
    /// chain that breaks is broken from there on, and at one place the kinds count in their order. Then what follows
    /// from a break, as `forked` does unless the log is sound in itself, and last what explains nothing but itself.
    fn class(self) -> u8 {
        match self {
            Self::WrongOrigin => 0,
            Self::RolledBack => 1,
            Self::MissingRecords => 2,
            Self::UnannouncedErasure => 3,
            Self::BadSequence | Self::BrokenLink | Self::Malformed | Self::BadSignature | Self::WrongRoot => 4,
            Self::Forked => 5,
            Self::BadTime => 6,
            Self::UnsignedTail => 7,
        }
    }
}

impl fmt::Display for FindingKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One breach of the format, with its evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// What it is about.
    pub kind: FindingKind,
    /// The record it is about, where it is about one.
    pub seq: Option<u64>,
    /// Where it was found: the path below the log directory, or `trusted checkpoint`.
    pub file: String,
    /// The line in the file, from 1.
    pub line: Option<u64>,
    /// What should stand there.
    pub expected: Option<String>,
    /// What stands there.
    pub found: Option<String>,
    /// What is wrong, in words.
    pub detail: String,
}

impl Finding {
    pub(super) fn new(kind: FindingKind, file: &str, detail: impl Into<String>) -> Self {
        let (seq, line, expected, found) = (None, None, None, None);
        Self {
            kind,
            seq,
            file: file.to_owned(),
            line,
            expected,
            found,
            // It may repeat what the log says.
            detail: plain(&detail.into()).into_owned(),
        }
    }

    pub(super) fn seq(mut self, seq: u64) -> Self {
        self.seq = Some(seq);
        self
    }

    pub(super) fn line(mut self, line: u64) -> Self {
        self.line = Some(line);
        self
    }

    pub(super) fn differs(mut self, expected: impl fmt::Display, found: impl fmt::Display) -> Self {
        self.expected = Some(shown(&expected.to_string()));
        self.found = Some(shown(&found.to_string()));
        self
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.detail)?;
        match (&self.expected, &self.found) {
            (Some(expected), Some(found)) => write!(f, " (expected {expected}, found {found})")?,
            (Some(expected), None) => write!(f, " (expected {expected})")?,
            (None, Some(found)) => write!(f, " (found {found})")?,
            (None, None) => {}
        }
        write!(f, ", in {}", self.file)?;
        self.line.map_or(Ok(()), |line| write!(f, " line {line}"))?;
        self.seq.map_or(Ok(()), |seq| write!(f, ", seq {seq}"))
    }
}

/// What does not make a log unsound (FORMAT §9), and what a report leaves out.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Notice {
    /// What it is about.
    pub kind: NoticeKind,
    /// The first record it is about, where it is about records.
    pub seq: Option<u64>,
    /// What there is to know, in words.
    pub detail: String,
}

/// What a notice is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NoticeKind {
    /// A record that an announcement names still has that content: the next opening removes it.
    PendingErasure,
    /// The trusted checkpoint is older than the first retained record.
    NotComparable,
    /// There are more findings than a report keeps.
    MoreFindings,
}

impl NoticeKind {
    /// The name that FORMAT §9 gives it: `pending_erasure`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PendingErasure => "pending_erasure",
            Self::NotComparable => "not_comparable",
            Self::MoreFindings => "more_findings",
        }
    }
}

impl fmt::Display for NoticeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.detail)
    }
}

/// Findings in a bounded amount of memory: the first of each kind, and how many there are.
#[derive(Debug, Clone, Default)]
pub(super) struct Findings {
    kept: Vec<Placed>,
    counts: BTreeMap<FindingKind, u64>,
}

/// A finding and its place in the order of the log.
#[derive(Debug, Clone)]
struct Placed {
    class: u8,
    place: Place,
    finding: Finding,
}

/// The first record of a segment, and the line at which the log is broken: a link that does not fit shows at the line
/// behind it.
pub(super) type Place = (u64, u64);

impl Findings {
    /// Takes a finding. Gives its index if it is kept: beyond [`KEPT_MAX`] of a kind, only the number grows.
    pub(super) fn push(&mut self, place: Place, finding: Finding) -> Option<usize> {
        let count = self.counts.entry(finding.kind).or_default();
        *count += 1;
        (*count <= KEPT_MAX).then(|| {
            let class = finding.kind.class();
            self.kept.push(Placed { class, place, finding });
            self.kept.len() - 1
        })
    }

    /// Takes a finding about the keys of the whole log, which explains whatever does not verify: where no more are
    /// kept, the last one that it explains gives way.
    pub(super) fn push_about_keys(&mut self, finding: Finding) {
        let (kind, class) = (finding.kind, FindingKind::WrongOrigin.class());
        *self.counts.entry(kind).or_default() += 1;
        if self.kept_of(kind) >= KEPT_MAX {
            let explained = |placed: &Placed| placed.finding.kind == kind && placed.class > class;
            let Some(last) = self.kept.iter().rposition(explained) else {
                return;
            };
            self.kept.remove(last);
        }
        let place = (0, 0);
        self.kept.push(Placed { class, place, finding });
    }

    /// Adds words to the detail of a finding that is kept.
    pub(super) fn amend(&mut self, index: usize, words: &str) {
        if let Some(placed) = self.kept.get_mut(index) {
            placed.finding.detail.push_str(words);
        }
    }

    /// Takes all that `later` holds. Of each kind the first ones are kept.
    pub(super) fn append(&mut self, later: Findings) {
        for (kind, count) in later.counts {
            *self.counts.entry(kind).or_default() += count;
        }
        self.kept.extend(later.kept);
        self.bound(&mut BTreeMap::new());
    }

    /// Drops the findings that stand behind enough others of their kind; `kept` counts those, and goes on counting.
    pub(super) fn bound(&mut self, kept: &mut BTreeMap<FindingKind, u64>) {
        self.kept.retain(|placed| {
            let kept = kept.entry(placed.finding.kind).or_default();
            *kept += 1;
            *kept <= KEPT_MAX
        });
    }

    /// Whether `later` dropped findings that there is room for here.
    pub(super) fn lacks_some_of(&self, later: &Self) -> bool {
        later.counts.iter().any(|(kind, count)| {
            let room = KEPT_MAX.saturating_sub(self.kept_of(*kind));
            later.kept_of(*kind) < room.min(*count)
        })
    }

    fn kept_of(&self, kind: FindingKind) -> u64 {
        let kept = self.kept.iter().filter(|placed| placed.finding.kind == kind);
        u64::try_from(kept.count()).unwrap_or(u64::MAX)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// How many there are, kept or not.
    pub(super) fn count(&self) -> u64 {
        self.counts.values().sum()
    }

    pub(super) fn has(&self, kind: FindingKind) -> bool {
        self.counts.contains_key(&kind)
    }

    /// The findings that are kept, the most important first.
    pub(super) fn into_sorted(mut self) -> Vec<Finding> {
        self.kept.sort_by(Placed::order);
        self.kept.into_iter().map(|placed| placed.finding).collect()
    }
}

impl Placed {
    fn order(&self, other: &Self) -> Ordering {
        let key = |placed: &Self| (placed.class, placed.place, placed.finding.kind);
        key(self).cmp(&key(other))
    }
}

/// Text of the log as a message shows it: plain, and shortened.
pub(super) fn shown(text: &str) -> String {
    match text.char_indices().nth(SHOWN_MAX) {
        Some((end, _)) => format!("{}…", plain(text.get(..end).unwrap_or_default())),
        None => plain(text).into_owned(),
    }
}

/// How many findings of a kind are kept: a log of nothing but bad lines must not fill the memory.
pub(super) const KEPT_MAX: u64 = 200;

/// How many characters of a text are shown.
const SHOWN_MAX: usize = 200;

//! What is gone against what was announced (FORMAT §7).

use std::iter::Peekable;
use std::vec::IntoIter;

use super::finding::{Finding, FindingKind, Notice, NoticeKind, Place};
use super::own::Announced;
use super::ranges::{Range, Ranges};
use super::summary::SegmentSummary;

/// What was announced and what is gone, over all segments.
#[derive(Debug, Default)]
pub(super) struct Coverage {
    /// Up to where a purge was announced.
    pub(super) purged_before: u64,
    erasures: Vec<Erasure>,
    /// The ranges that the erasures name.
    records: Vec<Range>,
    personal_data: Vec<Range>,
    erased: Vec<Range>,
    personal_erased: Vec<Range>,
}

/// An announcement that records are erased.
#[derive(Debug)]
struct Erasure {
    segment: u64,
    seq: u64,
    line: u64,
    ranges: (usize, usize),
    /// Whether it names a record of the log itself: then it covers nothing.
    is_broken: bool,
}

/// The records that are erased without an announcement, and those that were announced and are still there.
#[derive(Debug, Default)]
pub(super) struct Uncovered {
    pub(super) records: Ranges,
    pub(super) personal_data: Ranges,
    pub(super) pending_records: Ranges,
    pub(super) pending_personal_data: Ranges,
}

impl Coverage {
    /// Takes what is gone from a segment.
    pub(super) fn take_erased(&mut self, summary: &SegmentSummary) {
        self.erased.extend(summary.erased.iter());
        self.personal_erased.extend(summary.personal_erased.iter());
    }

    /// Takes the announcements of a segment that a checkpoint covers; all of them, if one of a later segment does.
    pub(super) fn take_announcements(&mut self, summary: &SegmentSummary, covered_later: bool) {
        for announcement in summary
            .announcements
            .iter()
            .filter(|said| said.covered || covered_later)
        {
            let (start, end) = announcement.ranges;
            let ranges = summary.announced.get(start..end).unwrap_or_default();
            match announcement.what {
                Announced::Purge(before) => self.purged_before = self.purged_before.max(before),
                Announced::PersonalData => self.personal_data.extend(ranges),
                Announced::Records => {
                    let start = self.records.len();
                    self.records.extend(ranges);
                    let ranges = (start, self.records.len());
                    let (segment, seq, line) = (summary.first, announcement.seq, announcement.line);
                    self.erasures.push(Erasure {
                        segment,
                        seq,
                        line,
                        ranges,
                        is_broken: false,
                    });
                }
            }
        }
    }

    /// The records from `first` to before `end` that are named to be erased and still have their content: if any of
    /// them is the log's own, what names it is broken.
    pub(super) fn to_look_at(&self, first: u64, end: u64) -> Ranges {
        Ranges::of(self.records.clone())
            .within(first, end)
            .minus(&Ranges::of(self.erased.clone()))
    }

    /// Looks for the announcements that name records of the log itself.
    pub(super) fn strike(&mut self) -> Strike<'_> {
        let mut named = Vec::with_capacity(self.records.len());
        for (at, erasure) in self.erasures.iter().enumerate() {
            let ranges = self.records.get(erasure.ranges.0..erasure.ranges.1).unwrap_or_default();
            named.extend(ranges.iter().map(|range| (*range, at)));
        }
        named.sort_unstable();
        Strike {
            erasures: &mut self.erasures,
            named: named.into_iter().peekable(),
            active: Vec::new(),
        }
    }

    /// Holds what is gone against what was announced, for the records from `first` to before `end`.
    pub(super) fn uncovered(&self, first: u64, end: u64) -> Uncovered {
        let sound = self.erasures.iter().filter(|erasure| !erasure.is_broken);
        let ranges = sound.flat_map(|erasure| self.records.get(erasure.ranges.0..erasure.ranges.1).unwrap_or_default());
        let announced = Ranges::of(ranges.copied().collect());
        let announced_personal = Ranges::of(self.personal_data.clone());
        let erased = Ranges::of(self.erased.clone());
        let personal_erased = Ranges::of(self.personal_erased.clone());
        Uncovered {
            records: erased.minus(&announced),
            personal_data: personal_erased.minus(&announced_personal),
            pending_records: announced.within(first, end).minus(&erased),
            pending_personal_data: announced_personal
                .within(first, end)
                .minus(&personal_erased)
                .minus(&erased),
        }
    }
}

/// A walk along the records of the log itself, to find the announcements that name them.
#[derive(Debug)]
pub(super) struct Strike<'a> {
    erasures: &'a mut [Erasure],
    /// The ranges and the erasure that each is of, by their beginning.
    named: Peekable<IntoIter<(Range, usize)>>,
    /// Those that have begun.
    active: Vec<(Range, usize)>,
}

impl Strike<'_> {
    /// Takes the next record of the log itself, in ascending order. Gives the findings for those that name it, each
    /// with its place.
    pub(super) fn own(&mut self, seq: u64) -> Vec<(Place, Finding)> {
        while let Some(range) = self.named.next_if(|((first, _), _)| *first <= seq) {
            self.active.push(range);
        }
        let mut findings = Vec::new();
        // Those that end before are over, and those that do not are broken: none is needed again.
        for ((_, last), at) in self.active.drain(..) {
            let broken = self
                .erasures
                .get_mut(at)
                .filter(|erasure| last >= seq && !erasure.is_broken);
            if let Some(erasure) = broken {
                erasure.is_broken = true;
                let detail = format!("the announcement names record {seq}, which is one of the log itself");
                let finding = Finding::new(FindingKind::Malformed, "", detail);
                findings.push((
                    (erasure.segment, erasure.line),
                    finding.seq(erasure.seq).line(erasure.line),
                ));
            }
        }
        findings
    }
}

impl Uncovered {
    /// Whether nothing is gone without an announcement.
    pub(super) fn is_covered(&self) -> bool {
        self.records.is_empty() && self.personal_data.is_empty()
    }

    /// What was announced and is not done yet.
    pub(super) fn notices(&self) -> Vec<Notice> {
        let notice = |ranges: &Ranges, what: &str| {
            let (first, last) = ranges.iter().next()?;
            let count = ranges.count();
            let detail = format!(
                "{count} records whose {what} was announced still have it, the first of them {}",
                span((first, last))
            );
            Some(Notice {
                kind: NoticeKind::PendingErasure,
                seq: Some(first),
                detail,
            })
        };
        let records = notice(&self.pending_records, "content");
        records
            .into_iter()
            .chain(notice(&self.pending_personal_data, "personal data"))
            .collect()
    }
}

/// A range in words.
fn span((first, last): Range) -> String {
    if first == last {
        format!("{first}")
    } else {
        format!("{first} to {last}")
    }
}

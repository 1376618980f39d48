//! What is gone against what was announced (FORMAT §7).

use std::iter::Peekable;
use std::sync::Arc;
use std::vec::IntoIter;

use super::finding::{Finding, FindingKind, Notice, NoticeKind, Place};
use super::own::Announced;
use super::ranges::{Growing, Range, Ranges};
use super::summary::SegmentSummary;

/// What was announced in the form that FORMAT §7 asks for.
#[derive(Debug, Clone, Default)]
pub(super) struct Announcements {
    purged_before: u64,
    personal_data: Growing,
    erasures: Vec<Erasure>,
}

/// An announcement that records are erased. It stands by itself: if one of them is the log's own, it covers nothing.
#[derive(Debug, Clone)]
struct Erasure {
    segment: u64,
    seq: u64,
    line: u64,
    ranges: Arc<Ranges>,
    is_broken: bool,
}

impl Announcements {
    /// Takes what the record `seq` announces, which stands at `place`.
    pub(super) fn push(&mut self, what: Announced, ranges: Vec<Range>, seq: u64, place: Place) {
        let ranges = Ranges::of(ranges);
        match what {
            Announced::Purge(before) => self.purged_before = self.purged_before.max(before),
            Announced::PersonalData => self.personal_data.extend(&ranges),
            Announced::Records => self.erasures.push(Erasure {
                segment: place.0,
                seq,
                line: place.1,
                ranges: Arc::new(ranges),
                is_broken: false,
            }),
        }
    }

    /// Takes all of `others`.
    pub(super) fn append(&mut self, mut others: Self) {
        self.purged_before = self.purged_before.max(others.purged_before);
        self.personal_data.extend(others.personal_data.ranges());
        self.erasures.append(&mut others.erasures);
    }
}

/// What was announced and what is gone, over all segments.
#[derive(Debug, Default)]
pub(super) struct Coverage {
    announced: Announcements,
    erased: Growing,
    personal_erased: Growing,
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
        self.erased.extend(&summary.erased);
        self.personal_erased.extend(&summary.personal_erased);
    }

    /// Takes the announcements of a segment that a checkpoint covers; all of them, if one of a later segment does.
    pub(super) fn take_announcements(&mut self, summary: &SegmentSummary, covered_later: bool) {
        self.announced.append(summary.announced.clone());
        if covered_later {
            self.announced.append(summary.uncovered.clone());
        }
    }

    /// Takes what a segment announces from the record `first` on.
    pub(super) fn take_announcements_from(&mut self, first: u64, summary: &SegmentSummary) {
        let mut later = summary.announced.clone();
        later.erasures.retain(|erasure| erasure.seq >= first);
        self.announced.append(later);
    }

    /// Up to where a purge was announced.
    pub(super) fn purged_before(&self) -> u64 {
        self.announced.purged_before
    }

    /// The records from `first` to before `end` that are named to be erased and still have their content: if any of
    /// them is the log's own, what names it is broken.
    pub(super) fn still_there(&mut self, first: u64, end: u64) -> Ranges {
        let named = self.announced.erasures.iter().flat_map(|erasure| erasure.ranges.iter());
        let named = Ranges::of(named.collect());
        named.within(first, end).minus(self.erased.ranges())
    }

    /// Looks for the announcements that name records of the log itself.
    pub(super) fn strike(&mut self) -> Strike<'_> {
        let erasures = &mut self.announced.erasures;
        let ranges = erasures.iter().enumerate();
        let ranges = ranges.flat_map(|(at, erasure)| erasure.ranges.iter().map(move |range| (range, at)));
        let mut named: Vec<(Range, usize)> = ranges.collect();
        named.sort_unstable();
        Strike {
            named: named.into_iter().peekable(),
            active: Vec::new(),
            erasures,
        }
    }

    /// Holds what is gone against what was announced, for the records from `first` to before `end`.
    pub(super) fn uncovered(&mut self, first: u64, end: u64) -> Uncovered {
        let sound = self.announced.erasures.iter().filter(|erasure| !erasure.is_broken);
        let announced = Ranges::of(sound.flat_map(|erasure| erasure.ranges.iter()).collect());
        let announced_personal = self.announced.personal_data.ranges();
        let (erased, personal_erased) = (self.erased.ranges(), self.personal_erased.ranges());
        Uncovered {
            records: erased.minus(&announced),
            personal_data: personal_erased.minus(announced_personal),
            pending_records: announced.within(first, end).minus(erased),
            pending_personal_data: announced_personal
                .within(first, end)
                .minus(personal_erased)
                .minus(erased),
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

//! From the segments to the report: the checks that span them.

use super::Verifier;
use super::chain::Boundary;
use super::coverage::Coverage;
use super::finding::{Finding, FindingKind, Findings, KEPT_MAX, Notice, NoticeKind, Place};
use super::kept::Kept;
use super::keys::{KeyRing, starting_keys};
use super::own::Rotation;
use super::progress::Meter;
use super::ranges::Ranges;
use super::reading::{check_segment, kept_root, lines_of, own_records};
use super::report::Report;
use super::run::Plan;
use super::segment::Rules;
use super::summary::SegmentSummary;
use super::trust::{self, Compared};
use crate::error::{Cause, Error, Result};
use crate::note::VerifierKey;
use crate::store::Store;

/// What a report is made from.
pub(super) struct Judge<'a> {
    pub(super) verifier: &'a Verifier,
    pub(super) store: &'a dyn Store,
    pub(super) plan: &'a Plan,
    pub(super) kept: &'a Kept,
    pub(super) meter: &'a Meter<'a>,
}

/// A report, and whether the vkey seems to be one of the log.
pub(super) struct Judged {
    pub(super) report: Report,
    pub(super) keys_fit: bool,
}

/// What the walk along the segments gave.
struct Walk {
    findings: Findings,
    boundary: Boundary,
    /// For each segment, whether a verified checkpoint of a later one covers its records.
    covered_later: Vec<bool>,
}

impl Judge<'_> {
    /// The keys that may have been in force at the first record, for who trusts `vkey`. If the rotations that verify do
    /// not lead to it, those may of which only the root does not.
    pub(super) fn starts(&self, vkey: &VerifierKey, summaries: &[SegmentSummary]) -> Vec<KeyRing> {
        let kept = self.kept.before(summaries.first().map_or(0, |summary| summary.first));
        let mut rotations: Vec<Rotation> = summaries.iter().flat_map(|summary| summary.rotations.clone()).collect();
        let mut starts = vec![starting_keys(vkey, &kept, &rotations)];
        rotations.extend(summaries.iter().flat_map(|summary| summary.unproven.clone()));
        rotations.sort_by_key(|rotation| rotation.seq);
        let other = starting_keys(vkey, &kept, &rotations);
        if !starts.contains(&other) {
            starts.push(other);
        }
        starts
    }

    /// Judges the segments for who trusts `vkey`, with the keys `start` at the first record. One that was checked under
    /// other keys is checked again. `None` if one is gone by then.
    pub(super) fn judge(
        &self,
        vkey: &VerifierKey,
        start: &KeyRing,
        summaries: &mut [SegmentSummary],
    ) -> Result<Option<Judged>> {
        let first = summaries.first().map_or(0, |summary| summary.first);
        let Some(mut walk) = self.walk(start.clone(), summaries)? else {
            return Ok(None);
        };
        let end = summaries.last().map_or(first, |summary| summary.end);
        let vkey = self.check_vkey(vkey, summaries, &mut walk);
        let ends = if self.plan.is_live { Some(end) } else { None };
        for finding in self.kept.check(start, summaries, ends) {
            walk.findings.push_about_keys(finding);
        }
        self.check_commits(summaries, &mut walk.findings);
        let Some(mut notices) = self.check_coverage(summaries, (first, end), &mut walk)? else {
            return Ok(None);
        };
        notices.extend(self.check_trusted(summaries, (first, end), &mut walk));
        let keys_fit = !walk.findings.has(FindingKind::BadSignature) && !walk.findings.has(FindingKind::WrongOrigin);
        Ok(Some(Judged {
            report: report(vkey, summaries, walk, notices),
            keys_fit,
        }))
    }

    /// Judges one segment by itself: what was erased in it may have been announced in a later one.
    pub(super) fn judge_segment(&self, vkey: &VerifierKey, summary: SegmentSummary) -> Result<Judged> {
        let mut summaries = [summary];
        let (first, end) = summaries.first().map_or((0, 0), |summary| (summary.first, summary.end));
        let start = starting_keys(vkey, &[], summaries.first().map_or(&[], |summary| &summary.rotations));
        let walk = self.walk(start, &mut summaries)?;
        let mut walk = walk.ok_or_else(|| Error::configuration("segment", "it is gone"))?;
        let vkey = self.check_vkey(vkey, &summaries, &mut walk);
        let mut coverage = Coverage::default();
        summaries
            .iter()
            .for_each(|summary| coverage.take_announcements(summary, false));
        for (place, finding) in self.strike(&mut coverage, first, end)? {
            walk.findings.push(place, finding);
        }
        // No announcement may name record 0.
        let erased = summaries.iter().map(|summary| summary.erased.within(0, 1));
        for erased in erased.filter(|erased| !erased.is_empty()) {
            self.unannounced(&erased, ERASED, &mut walk.findings)?;
        }
        let trusted = self
            .verifier
            .trusted
            .as_ref()
            .map(|trusted| trusted.checkpoint().size());
        let is_here = trusted.is_some_and(|size| (first..=end).contains(&size));
        let notices = if is_here {
            self.check_trusted(&summaries, (first, end), &mut walk)
        } else {
            None
        };
        Ok(Judged {
            report: report(vkey, &summaries, walk, notices.into_iter().collect()),
            keys_fit: true,
        })
    }

    /// Follows the segments in order.
    fn walk(&self, start: KeyRing, summaries: &mut [SegmentSummary]) -> Result<Option<Walk>> {
        let mut boundary = Boundary::new(start);
        let mut findings = Findings::default();
        let mut continued = Vec::with_capacity(summaries.len());
        for (at, (segment, summary)) in self.plan.segments.iter().zip(summaries.iter_mut()).enumerate() {
            // What was dropped for findings that did not last is found anew.
            if !boundary.is_as_assumed(summary) || findings.lacks_some_of(&summary.findings) {
                let (keys, before) = (boundary.keys.clone(), boundary.tree_before(segment.first));
                let Some(rules) = self.plan.rules(self.verifier, at, keys, before) else {
                    return Ok(None);
                };
                let Some(again) = check_segment(self.store, &rules, self.meter)? else {
                    return Ok(None);
                };
                *summary = again;
            }
            continued.push(boundary.is_continued_by(summary));
            for (place, finding) in boundary.follow(&segment.name, summary) {
                findings.push(place, finding);
            }
            findings.append(summary.findings.clone());
        }
        let mut covered_later = vec![false; summaries.len()];
        let mut covered = false;
        for (at, place) in covered_later.iter_mut().enumerate().rev() {
            let next = summaries.get(at + 1);
            covered =
                continued.get(at + 1) == Some(&true) && (covered || next.is_some_and(|next| next.verified.is_some()));
            *place = covered;
        }
        Ok(Some(Walk {
            findings,
            boundary,
            covered_later,
        }))
    }

    /// The vkey is the key in force at the first retained record, or one that a rotation brought (FORMAT §6).
    fn check_vkey(&self, vkey: &VerifierKey, summaries: &[SegmentSummary], walk: &mut Walk) -> Option<VerifierKey> {
        let is_named = summaries.iter().any(|summary| summary.names_key);
        let has_checkpoints = summaries.iter().any(|summary| summary.checkpoints > 0);
        let is_of_log = !walk.findings.has(FindingKind::WrongOrigin);
        // The root of a rotation that both keys signed has its own finding, which explains why it does not count.
        let brought = |rotation: &Rotation| rotation.new == *vkey;
        let is_unproven = summaries.iter().flat_map(|summary| &summary.unproven).any(brought);
        let is_key = walk.boundary.keys.has(vkey) || (is_unproven && walk.findings.count() > 0);
        if !is_key || (has_checkpoints && !is_named && is_of_log) {
            let detail = format!(
                "the vkey {} is neither the key in force at the first record nor the new key of a rotation",
                vkey.key_id()
            );
            let file = self.plan.segments.first().map_or("", |segment| &segment.name);
            walk.findings
                .push_about_keys(Finding::new(FindingKind::BadSignature, file, detail));
            return None;
        }
        Some(vkey.clone())
    }

    /// A log has at least the commit of record 0, or of the announcement that this is purged.
    fn check_commits(&self, summaries: &[SegmentSummary], findings: &mut Findings) {
        if summaries
            .iter()
            .all(|summary| summary.records == 0 && summary.committed.is_none())
        {
            let first = summaries.first().map_or(0, |summary| summary.first);
            let detail = "the log has no commit, not even that of its creation";
            findings.push(
                (first, 0),
                Finding::new(FindingKind::MissingRecords, self.name(first), detail).seq(first),
            );
        }
    }

    /// Holds what is gone against what was announced (FORMAT §7).
    fn check_coverage(
        &self,
        summaries: &[SegmentSummary],
        (first, end): (u64, u64),
        walk: &mut Walk,
    ) -> Result<Option<Vec<Notice>>> {
        let mut coverage = Coverage::default();
        for (summary, covered_later) in summaries.iter().zip(&walk.covered_later) {
            coverage.take_erased(summary);
            coverage.take_announcements(summary, *covered_later);
        }
        let mut broken = self.strike(&mut coverage, first, end)?;
        let mut uncovered = coverage.uncovered(first, end);
        // A writer announces before it erases: what is gone by now was announced by now, perhaps behind the end of the
        // run.
        if self.plan.is_live && (!uncovered.is_covered() || coverage.purged_before() < first) {
            if !self.take_later_announcements(summaries, &mut coverage)? {
                return Ok(None);
            }
            broken.extend(self.strike(&mut coverage, first, end)?);
            uncovered = coverage.uncovered(first, end);
        }
        for (place, finding) in broken {
            walk.findings.push(place, finding);
        }
        if first > coverage.purged_before() {
            let detail = format!("the records before {first} are gone and no audit_log.purged covers that");
            let finding = Finding::new(FindingKind::MissingRecords, self.name(first), detail)
                .seq(coverage.purged_before())
                .line(1);
            walk.findings.push((first, 0), finding);
        }
        self.unannounced(&uncovered.records, ERASED, &mut walk.findings)?;
        let detail = "without personal data, and no audit_log.personal_data.erased covers that";
        self.unannounced(&uncovered.personal_data, detail, &mut walk.findings)?;
        let mut notices = uncovered.notices();
        if let Some(segment) = self
            .plan
            .segments
            .get(1)
            .filter(|second| second.first <= coverage.purged_before())
        {
            let detail = format!(
                "the purge of the records before {} was announced and is not done",
                coverage.purged_before()
            );
            let detail = format!("{detail}: those before {} are still there", segment.first);
            notices.push(Notice {
                kind: NoticeKind::PendingErasure,
                seq: Some(first),
                detail,
            });
        }
        Ok(Some(notices))
    }

    /// Finds the announcements that name a record of the log itself: of the records that they name, those are read
    /// again that still have their content.
    fn strike(&self, coverage: &mut Coverage, first: u64, end: u64) -> Result<Vec<(Place, Finding)>> {
        let wanted = coverage.still_there(first, end);
        let mut findings = Vec::new();
        if !wanted.is_empty() {
            let mut strike = coverage.strike();
            own_records(self.store, &self.plan.segments, &wanted, |seq| {
                findings.extend(strike.own(seq))
            })?;
        }
        for ((segment, _), finding) in &mut findings {
            finding.file = self.name(*segment).to_owned();
        }
        Ok(findings)
    }

    /// Takes the announcements that were made behind the end of the run. False if the segment in which it ends is gone.
    fn take_later_announcements(&self, summaries: &[SegmentSummary], coverage: &mut Coverage) -> Result<bool> {
        let newest = match self.store.newest_checkpoint() {
            Err(error) if error.is_gone() => return Ok(false),
            // What stands there is no checkpoint: it announces nothing.
            Err(error) if matches!(error.cause(), Cause::Damaged { .. }) => None,
            newest => newest?,
        };
        let (Some(last), Some(newest)) = (summaries.last(), newest) else {
            return Ok(true);
        };
        let size = newest.checkpoint().size();
        let mut segments = self.store.segments()?;
        segments.retain(|segment| segment.first >= last.first && segment.first < size);
        if segments.first().is_none_or(|segment| segment.first != last.first) {
            return Ok(false);
        }
        let mut keys = last.keys_before.clone();
        for (at, segment) in segments.iter().enumerate() {
            let is_last = at + 1 == segments.len();
            let end = is_last.then_some(size);
            let rules = Rules {
                name: &segment.name,
                first: segment.first,
                keys,
                before: None,
                is_last,
                end,
                root_at: None,
            };
            let Some(summary) = check_segment(self.store, &rules, self.meter)? else {
                return Ok(false);
            };
            // Those up to the end of the run are there already.
            coverage.take_announcements_from(last.end, &summary);
            keys = summary.keys_after;
        }
        Ok(true)
    }

    fn unannounced(&self, ranges: &Ranges, what: &str, findings: &mut Findings) -> Result<()> {
        let kept = usize::try_from(KEPT_MAX).unwrap_or(usize::MAX);
        let seqs: Vec<u64> = ranges.iter().map(|(first, _)| first).take(kept).collect();
        let lines = lines_of(self.store, &self.plan.segments, &seqs)?;
        for (first, last) in ranges.iter() {
            let after = self.plan.segments.partition_point(|segment| segment.first <= first);
            let segment = after.checked_sub(1).and_then(|at| self.plan.segments.get(at));
            let (name, order) = segment.map_or(("", 0), |segment| (segment.name.as_str(), segment.first));
            let subject = if first == last {
                format!("record {first} is")
            } else {
                format!("records {first} to {last} are")
            };
            let detail = format!("{subject} {what}");
            let finding = Finding {
                line: lines.get(&first).copied(),
                ..Finding::new(FindingKind::UnannouncedErasure, name, detail)
            };
            findings.push((order, first), finding.seq(first));
        }
        Ok(())
    }

    /// Holds the log against the trusted checkpoint.
    fn check_trusted(&self, summaries: &[SegmentSummary], (first, end): (u64, u64), walk: &mut Walk) -> Option<Notice> {
        let trusted = self.verifier.trusted.as_ref()?;
        let size = trusted.checkpoint().size();
        let holding = summaries
            .iter()
            .rposition(|summary| summary.first < size || (summary.first == size && summary.root_at.is_some()));
        let at = holding.unwrap_or_default();
        let root = summaries.iter().rev().find_map(|summary| summary.root_at);
        let file = self.plan.segments.get(at).map_or("", |segment| segment.name.as_str());
        let before = summaries.first().and_then(|summary| summary.header.as_ref());
        let kept = || {
            before
                .filter(|_| size < first)
                .and_then(|before| kept_root(self.store, before, size))
        };
        let log = Compared {
            first,
            end,
            before,
            root: root.or_else(kept),
            file,
        };
        let (findings, notice) = trust::compare(trusted, &walk.boundary.keys, &self.verifier.vkeys, &log);
        for finding in findings {
            walk.findings.push(
                (summaries.get(at).map_or(0, |summary| summary.first), u64::MAX),
                finding,
            );
        }
        notice
    }

    fn name(&self, first: u64) -> &str {
        self.plan
            .segments
            .iter()
            .find(|segment| segment.first == first)
            .map_or("", |segment| &segment.name)
    }
}

fn report(vkey: Option<VerifierKey>, summaries: &[SegmentSummary], walk: Walk, mut notices: Vec<Notice>) -> Report {
    let sum = |number: fn(&SegmentSummary) -> u64| summaries.iter().map(number).sum();
    let first = summaries.first().map_or(0, |summary| summary.first);
    let last = summaries.iter().rev().find(|summary| summary.committed.is_some());
    let size = last.and_then(|last| last.committed).unwrap_or(first);
    let root = last
        .and_then(|last| last.verified)
        .filter(|(verified, _)| *verified == size);
    let keys = walk.boundary.keys;
    let findings_total = walk.findings.count();
    let findings = walk.findings.into_sorted();
    let kept = u64::try_from(findings.len()).unwrap_or(u64::MAX);
    if findings_total > kept {
        let detail = format!("{findings_total} findings, of which {kept} are kept: at most {KEPT_MAX} of a kind");
        notices.push(Notice {
            kind: NoticeKind::MoreFindings,
            seq: None,
            detail,
        });
    }
    Report {
        findings,
        findings_total,
        notices,
        records: sum(|summary| summary.records),
        erased: sum(|summary| summary.erased.count()),
        personal_erased: sum(|summary| summary.personal_erased.count()),
        checkpoints: sum(|summary| summary.checkpoints),
        first,
        size,
        root: root.map(|(_, root)| root),
        vkey,
        key_in_force: keys.in_force().clone(),
    }
}

const ERASED: &str = "erased, and no audit_log.record.erased covers that";

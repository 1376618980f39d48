//! A run over a store: which segments, on how many threads, and what to read again.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use super::Verifier;
use super::finding::{FindingKind, Findings};
use super::guess::{Guess, origin_of, rotations_in};
use super::judge::{Judge, Judged};
use super::kept::Kept;
use super::keys::{KeyRing, starting_keys};
use super::progress::Meter;
use super::reading::{check_segment, has_checkpoint_up_to};
use super::report::Report;
use super::segment::Rules;
use super::summary::SegmentSummary;
use super::trust::{self, Compared};
use crate::error::{Cause, Error, Result};
use crate::merkle::Tree;
use crate::note::VerifierKey;
use crate::store::{Segment, Store};

/// The part of a log that a run is about, fixed when it begins.
#[derive(Debug)]
pub(super) struct Plan {
    /// Whether a writer has the log.
    pub(super) is_live: bool,
    /// Beside a writer, the size with which the run ends.
    pub(super) end: Option<u64>,
    pub(super) segments: Vec<Segment>,
    /// Whether the last of them is the log's last.
    pub(super) is_to_end: bool,
}

impl Plan {
    /// Fixes what a run is about. Beside a writer it ends with the last whole commit that is seen now (FORMAT §9).
    fn new(store: &dyn Store) -> Result<Self> {
        let is_live = store.has_writer()?;
        let end = if is_live { live_end(store)? } else { None };
        let mut segments = store.segments()?;
        if let Some(end) = end {
            segments.retain(|segment| segment.first < end);
        }
        Ok(Self {
            is_live,
            end,
            segments,
            is_to_end: true,
        })
    }

    pub(super) fn rules<'a>(
        &'a self,
        verifier: &Verifier,
        at: usize,
        keys: KeyRing,
        before: Option<Tree>,
    ) -> Option<Rules<'a>> {
        let segment = self.segments.get(at)?;
        let is_last = self.is_to_end && at + 1 == self.segments.len();
        Some(Rules {
            name: &segment.name,
            first: segment.first,
            keys,
            before: before.or((segment.first == 0).then(Tree::new)),
            is_last,
            end: self.end.filter(|_| is_last),
            root_at: verifier.trusted.as_ref().map(|trusted| trusted.checkpoint().size()),
        })
    }
}

/// The size of the newest commit beside a writer. `None` where what seems to be its checkpoint is not: then all that
/// stands there is read, and told as a finding.
fn live_end(store: &dyn Store) -> Result<Option<u64>> {
    let listed = store.segments()?;
    let newest = match store.newest_checkpoint() {
        Err(error) if matches!(error.cause(), Cause::Damaged { .. }) => None,
        newest => newest?,
    };
    let (Some(newest), Some(first), Some(last)) = (newest, listed.first(), listed.last()) else {
        return Ok(None);
    };
    let end = newest.checkpoint().size();
    // A commit has a record, and what stood before a segment when it was listed was whole then.
    if end <= first.first || end < last.first {
        return Ok(None);
    }
    // A segment without a commit has no checkpoint either.
    let is_repeated = end == last.first && has_checkpoint_up_to(store, last, end)?;
    Ok((!is_repeated).then_some(end))
}

/// Verifies a store. What looks broken and may be a writer's doing is read once more.
pub(super) fn run(verifier: &Verifier, store: &dyn Store) -> Result<Report> {
    let mut known = Known::default();
    for attempt in 1..=ATTEMPTS_MAX {
        let mut plan = match Plan::new(store) {
            Err(error) if error.is_gone() && attempt < ATTEMPTS_MAX => continue,
            plan => plan?,
        };
        if plan.segments.is_empty() && store.segments()?.is_empty() {
            let problem = "there are no segments here: this is no log, or an empty one";
            return nothing_left(verifier).ok_or_else(|| Error::configuration("log", problem));
        }
        let Some(report) = attempt_with(verifier, store, &mut plan, &mut known)? else {
            continue;
        };
        let is_live = store.has_writer()?;
        let may_be_passing = plan.is_live || is_live || is_about_the_tail(&report, &plan);
        let is_confirmed = attempt > 1 && plan.is_live == is_live;
        let is_new = plan.is_live && has_no_commit(&report);
        if report.is_sound() || !may_be_passing || is_confirmed || attempt == ATTEMPTS_MAX {
            return match is_new {
                true => Err(Error::configuration("log", "its writer has made no commit yet")),
                false => Ok(report),
            };
        }
    }
    Err(Error::configuration("log", "its segments vanish while they are read"))
}

/// A log of which nothing is left is shorter than any checkpoint.
fn nothing_left(verifier: &Verifier) -> Option<Report> {
    let trusted = verifier.trusted.as_ref()?;
    let vkey = verifier.vkeys.first()?;
    let log = Compared {
        first: 0,
        end: 0,
        before: None,
        root: None,
        file: "segments",
    };
    let (findings, _) = trust::compare(trusted, &KeyRing::new(vkey.clone()), &verifier.vkeys, &log);
    Some(Report {
        findings_total: u64::try_from(findings.len()).unwrap_or(u64::MAX),
        findings,
        notices: Vec::new(),
        records: 0,
        erased: 0,
        personal_erased: 0,
        checkpoints: 0,
        first: 0,
        size: 0,
        root: None,
        vkey: None,
        key_in_force: vkey.clone(),
    })
}

/// Verifies one segment by itself.
pub(super) fn run_segment(verifier: &Verifier, store: &dyn Store, segment: &Segment) -> Result<Report> {
    let mut plan = Plan::new(store)?;
    plan.is_to_end = store.segments()?.last().is_none_or(|last| last.first <= segment.first);
    plan.segments = vec![segment.clone()];
    let meter = Meter::new(verifier.progress.as_ref(), None);
    let kept = Kept::default();
    let mut best: Option<Judged> = None;
    for vkey in &vkeys_of_log(verifier, store, &plan.segments) {
        let rotations = rotations_in(store, segment, vkey.name()).unwrap_or_default();
        let keys = starting_keys(vkey, &[], &rotations);
        let rules = plan.rules(verifier, 0, keys, None);
        let summary = rules
            .map(|rules| check_segment(store, &rules, &meter))
            .transpose()?
            .flatten();
        let summary =
            summary.ok_or_else(|| Error::configuration("segment", format!("there is no {}", segment.name)))?;
        let judge = Judge {
            verifier,
            store,
            plan: &plan,
            kept: &kept,
            meter: &meter,
        };
        let judged = judge.judge_segment(vkey, summary)?;
        if best
            .as_ref()
            .is_none_or(|best| judged.report.findings_total < best.report.findings_total)
        {
            best = Some(judged);
        }
    }
    best.map(|best| best.report).ok_or_else(no_vkey)
}

/// What need not be verified again when a run begins anew.
#[derive(Default)]
struct Known {
    /// Segments in which nothing was found, by their first record, with their names.
    sound: BTreeMap<u64, (String, SegmentSummary)>,
    kept: Kept,
}

/// One go. `None` if nothing of what the run is about is left.
fn attempt_with(verifier: &Verifier, store: &dyn Store, plan: &mut Plan, known: &mut Known) -> Result<Option<Report>> {
    let vkeys = vkeys_of_log(verifier, store, &plan.segments);
    let Some(origin) = vkeys.first().map(|vkey| vkey.name().clone()) else {
        return Err(no_vkey());
    };
    let mut guess = Guess::new(store, &plan.segments, &origin);
    guess.find_rotations(store, &plan.segments, &vkeys);
    let first = plan.segments.first().map_or(0, |segment| segment.first);
    let Known { sound, kept } = known;
    kept.update(store, &origin)?;
    let vkeys = likeliest_first(vkeys, &guess, kept);
    let Some(likeliest) = vkeys.first() else {
        return Err(no_vkey());
    };
    let keys = guess.keys(likeliest, &kept.before(first));

    let newest = if plan.is_live || verifier.progress.is_none() {
        None
    } else {
        store.newest_checkpoint().ok().flatten()
    };
    let size = plan.end.or(newest.map(|newest| newest.checkpoint().size()));
    let meter = Meter::new(verifier.progress.as_ref(), size.map(|size| size.saturating_sub(first)));
    let checked = Pass {
        verifier,
        store,
        plan,
        keys: &keys,
        meter: &meter,
    }
    .run(sound)?;
    let Some(mut summaries) = drop_purged(store, plan, checked)? else {
        return Ok(None);
    };

    // A rotation is kept before its segment is removed: whatever is gone by now is found there.
    kept.update(store, &origin)?;
    let judge = Judge {
        verifier,
        store,
        plan,
        kept,
        meter: &meter,
    };
    let report = best_of(&judge, &vkeys, &mut summaries)?;
    // The last segment is always read again.
    summaries.pop();
    let found = plan.segments.iter().zip(summaries);
    for (segment, summary) in found.filter(|(_, summary)| summary.findings.is_empty()) {
        sound.insert(segment.first, (segment.name.clone(), summary));
    }
    // Beside a writer the log may not end before the commit that was seen first.
    let is_whole = |report: &Report| !report.is_sound() || plan.end.is_none_or(|end| report.size >= end);
    Ok(report.filter(is_whole))
}

/// The report for the first vkey whose signatures fit. If none does, one that finds something else before the keys, and
/// among those the one with the fewest findings. `None` if a segment is gone.
fn best_of(judge: &Judge<'_>, vkeys: &[VerifierKey], summaries: &mut [SegmentSummary]) -> Result<Option<Report>> {
    let mut best: Option<Report> = None;
    let rank = |report: &Report| {
        let first = report.findings.first().map(|finding| finding.kind);
        (first == Some(FindingKind::BadSignature), report.findings_total)
    };
    for vkey in vkeys {
        for start in judge.starts(vkey, summaries) {
            let Some(Judged { report, keys_fit }) = judge.judge(vkey, &start, summaries)? else {
                return Ok(None);
            };
            if keys_fit {
                return Ok(Some(report));
            }
            if best.as_ref().is_none_or(|best| rank(&report) < rank(best)) {
                best = Some(report);
            }
        }
    }
    Ok(best)
}

/// The vkeys that name the log that the first header names. Where none does, those of the log of the first one: the
/// report says that this is another.
fn vkeys_of_log(verifier: &Verifier, store: &dyn Store, segments: &[Segment]) -> Vec<VerifierKey> {
    let origin = segments
        .first()
        .and_then(|segment| origin_of(store, segment).ok().flatten());
    let first = verifier.vkeys.first().map(|vkey| vkey.name().as_str());
    let of = |origin: Option<&str>| -> Vec<VerifierKey> {
        verifier
            .vkeys
            .iter()
            .filter(|vkey| origin == Some(vkey.name().as_str()))
            .cloned()
            .collect()
    };
    let vkeys = of(origin.as_deref());
    if vkeys.is_empty() { of(first) } else { vkeys }
}

/// The vkeys, those first that the log seems to know.
fn likeliest_first(vkeys: Vec<VerifierKey>, guess: &Guess, kept: &Kept) -> Vec<VerifierKey> {
    let is_known = |vkey: &VerifierKey| guess.names(vkey) || kept.names(vkey);
    let (mut known, unknown): (Vec<VerifierKey>, Vec<VerifierKey>) = vkeys.into_iter().partition(is_known);
    known.extend(unknown);
    known
}

fn no_vkey() -> Error {
    Error::configuration("vkey", "no vkey was given")
}

/// Leaves out the segments that a purge removed before they were read. One that is gone without those before it is
/// missing, and stays so.
fn drop_purged(
    store: &dyn Store,
    plan: &mut Plan,
    checked: Vec<Option<SegmentSummary>>,
) -> Result<Option<Vec<SegmentSummary>>> {
    // The run ends in the last one.
    if checked.last().is_none_or(Option::is_none) {
        return Ok(None);
    }
    let first = match checked.iter().all(Option::is_some) {
        true => 0,
        false => store.segments()?.first().map_or(u64::MAX, |segment| segment.first),
    };
    let all = std::mem::take(&mut plan.segments).into_iter().zip(checked);
    let there = all.filter_map(|(segment, summary)| Some((segment, summary?)));
    let (segments, summaries): (_, Vec<_>) = there.filter(|(segment, _)| segment.first >= first).unzip();
    plan.segments = segments;
    Ok(Some(summaries).filter(|summaries| !summaries.is_empty()))
}

/// Whether all there is to find is that the log has no commit, as one that a writer has just made.
fn has_no_commit(report: &Report) -> bool {
    let is_absence = |kind| matches!(kind, FindingKind::MissingRecords | FindingKind::UnsignedTail);
    report.first == 0 && report.checkpoints == 0 && report.findings.iter().all(|finding| is_absence(finding.kind))
}

/// Whether what was found may be the last segment's tail in the middle of a write.
fn is_about_the_tail(report: &Report, plan: &Plan) -> bool {
    let last = plan.segments.last();
    report
        .findings
        .iter()
        .any(|finding| last.is_some_and(|last| last.name == finding.file))
}

/// Verifying all segments beside each other.
struct Pass<'a> {
    verifier: &'a Verifier,
    store: &'a dyn Store,
    plan: &'a Plan,
    /// The keys at the beginning of each segment, as far as they are guessed.
    keys: &'a [KeyRing],
    meter: &'a Meter<'a>,
}

/// What the threads of a pass have so far.
#[derive(Default)]
struct Results {
    summaries: BTreeMap<usize, Option<SegmentSummary>>,
    error: Option<(usize, Error)>,
}

impl Pass<'_> {
    /// Verifies what `sound` does not hold. Gives each segment's summary, in order; `None` for one that is gone.
    fn run(&self, sound: &mut BTreeMap<u64, (String, SegmentSummary)>) -> Result<Vec<Option<SegmentSummary>>> {
        let mut results = Results::default();
        let last = self.plan.segments.len().saturating_sub(1);
        for (at, segment) in self.plan.segments.iter().enumerate().take(last) {
            if let Some((_, summary)) = sound.remove(&segment.first).filter(|(name, _)| *name == segment.name) {
                results.summaries.insert(at, Some(summary));
            }
        }
        let open: Vec<usize> = (0..self.plan.segments.len())
            .filter(|at| !results.summaries.contains_key(at))
            .collect();
        let (next, failed, results) = (AtomicUsize::new(0), AtomicBool::new(false), Mutex::new(results));
        let work = || {
            while !failed.load(Ordering::Relaxed)
                && let Some(at) = open.get(next.fetch_add(1, Ordering::Relaxed))
            {
                let checked = self.check(*at);
                let mut results = results.lock().unwrap_or_else(PoisonError::into_inner);
                failed.fetch_or(checked.is_err(), Ordering::Relaxed);
                results.take(*at, checked);
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..self.verifier.thread_count().min(open.len()) {
                scope.spawn(work);
            }
            work();
        });
        let results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
        match results.error {
            Some((_, error)) => Err(error),
            None => Ok(results.summaries.into_values().collect()),
        }
    }

    fn check(&self, at: usize) -> Result<Option<SegmentSummary>> {
        let keys = self.keys.get(at).cloned();
        match keys.and_then(|keys| self.plan.rules(self.verifier, at, keys, None)) {
            Some(rules) => check_segment(self.store, &rules, self.meter),
            None => Ok(None),
        }
    }
}

impl Results {
    fn take(&mut self, at: usize, checked: Result<Option<SegmentSummary>>) {
        match checked {
            Ok(summary) => {
                let has_findings = summary.as_ref().is_some_and(|summary| !summary.findings.is_empty());
                self.summaries.insert(at, summary);
                if has_findings {
                    self.bound_findings();
                }
            }
            Err(error) => {
                if self.error.as_ref().is_none_or(|(earlier, _)| at < *earlier) {
                    self.error = Some((at, error));
                }
            }
        }
    }

    /// Drops what no report will hold: of each kind the first findings in the log are kept, and segments that are not
    /// done yet can only add earlier ones. Where earlier ones turn out to be those of wrong keys, the judge reads again.
    fn bound_findings(&mut self) {
        let mut kept = BTreeMap::new();
        for summary in self.summaries.values_mut().flatten() {
            Findings::bound(&mut summary.findings, &mut kept);
        }
    }
}

/// How often a run begins anew where a writer is in its way.
const ATTEMPTS_MAX: u32 = 10;

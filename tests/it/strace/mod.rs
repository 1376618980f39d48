//! The writer killed, and given an I/O error, at every system call that it makes on the log's files: after reopening,
//! every acknowledged event is there and the log is sound.
//!
//! A sample is tried by `cargo test`; every call by
//!
//! ```sh
//! cargo test --test it -- --ignored --nocapture strace::every_call
//! ```
//!
//! which takes about a quarter of an hour. Both need `strace` and the right to trace a process, and are skipped without.

mod life;
mod trace;

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use indelible::verify::NoticeKind;
use indelible::{SignedCheckpoint, Verifier};

use crate::crash::key_in_force_at_first;
use crate::oracle::{self, Sound};
use crate::scene::*;
use life::{Life, Said};
use trace::{Call, Fault, Outcome};

/// Not a test of its own: what the child process does.
#[test]
#[ignore = "run under strace by the tests below"]
fn child_that_lives_under_strace() {
    let Ok(root) = std::env::var("INDELIBLE_TEST_CHILD") else {
        return;
    };
    let life = std::env::var("INDELIBLE_TEST_LIFE").ok();
    let life = life.and_then(|name| Life::parse(&name)).expect("a life");
    // The harness has begun a line.
    println!();
    life.live(Path::new(&root), |said| println!("{said}"));
}

#[test]
fn a_sample_of_calls_killed_or_failed() {
    if is_skipped() {
        return;
    }
    try_faults(&[alone(), threads()], Some(30));
    try_faults(&after_crashes(), Some(20));
}

#[test]
#[ignore = "takes many minutes"]
fn every_call_of_one_thread() {
    if !is_skipped() {
        try_faults(&[alone()], None);
    }
}

#[test]
#[ignore = "takes many minutes"]
fn every_call_of_threads() {
    if !is_skipped() {
        try_faults(&[threads()], None);
    }
}

#[test]
#[ignore = "takes many minutes"]
fn every_call_after_a_crash() {
    if !is_skipped() {
        try_faults(&after_crashes(), None);
    }
}

fn is_skipped() -> bool {
    let missing = trace::missing();
    if let Some(why) = &missing {
        eprintln!("SKIPPED: {why}");
    }
    missing.is_some()
}

/// A life, and the log that it begins with.
struct Setting {
    name: &'static str,
    life: Life,
    begin: Option<Scene>,
    /// What was acknowledged before.
    recorded: Vec<Said>,
}

fn alone() -> Setting {
    Setting {
        name: "one thread",
        life: Life::Alone,
        begin: None,
        recorded: Vec::new(),
    }
}

fn threads() -> Setting {
    Setting {
        name: "threads",
        life: Life::Threads,
        begin: None,
        recorded: Vec::new(),
    }
}

/// Logs that a crash left in the middle of something, with half a record at the end.
fn after_crashes() -> Vec<Setting> {
    let calls = trace::calls(Life::Alone, Scene::new().root());
    let segment = |call: &&Call, end: &str| {
        call.path.starts_with("audit/segments") && call.path.extension().is_some_and(|extension| extension == end)
    };
    let renamed = |call: &&Call| call.name == "rename";
    let crash = |name, at: Option<&Call>| {
        let (scene, at) = (Scene::new(), at.unwrap_or_else(|| panic!("{name}: no such call")));
        let outcome = trace::run_with(Life::Alone, scene.root(), at, Fault::Kill);
        assert!(outcome.was_killed(), "{name}: {outcome:?}");
        let mut content = std::fs::read(scene.last_segment()).expect("a segment");
        content.extend_from_slice(br#"{"event":{"action":"auth.login.succ"#);
        std::fs::write(scene.last_segment(), content).expect("written");
        Setting {
            name,
            life: Life::Again,
            begin: Some(scene),
            recorded: outcome.said,
        }
    };
    // The first time, a segment gets its name by that call, the second time it is written anew.
    let erasure = calls
        .iter()
        .filter(renamed)
        .find(|call| segment(call, "new") && call.nth == 2);
    let purge = calls
        .iter()
        .filter(|call| call.name == "unlink" && segment(call, "jsonl"))
        .nth(1);
    let rotation = calls
        .iter()
        .filter(renamed)
        .find(|call| call.path.ends_with("audit.key.next"));
    let first = calls
        .iter()
        .find(|call| call.name == "pwrite64" && segment(call, "jsonl"));
    vec![
        crash("after a crash in an erasure", erasure),
        crash("after a crash in a purge", purge),
        crash("after a crash in a rotation", rotation),
        crash("after a crash in the first commit", first),
    ]
}

/// Tries each fault of each call, or so many of them, and fails with all that goes wrong.
fn try_faults(settings: &[Setting], sample: Option<usize>) {
    let mut all: Vec<(&Setting, Call, Fault)> = Vec::new();
    for setting in settings {
        let calls = trace::calls(setting.life, setting.scene().root());
        println!("{}: {} calls: {}", setting.name, calls.len(), count_names(&calls));
        let faults = |call: Call| call.faults().iter().map(move |fault| (setting, call.clone(), *fault));
        all.extend(calls.into_iter().flat_map(faults));
    }
    let step = sample.map_or(1, |sample| (all.len() / sample).max(1));
    let mut tally = Tally::default();
    for (setting, call, fault) in all.into_iter().step_by(step) {
        tally.count += 1;
        let tried = AssertUnwindSafe(|| try_fault(setting, &call, fault, &mut tally));
        if let Err(panic) = catch_unwind(tried) {
            let message = panic.downcast_ref::<String>().map(String::as_str);
            let message = message.or(panic.downcast_ref::<&str>().copied()).unwrap_or("a panic");
            tally
                .wrong
                .push(format!("{}: {fault:?} at {call:?}: {message}", setting.name));
        }
    }
    println!("{tally}");
    assert!(tally.wrong.is_empty(), "{} faults did harm", tally.wrong.len());
    assert!(
        tally.missed * 4 <= tally.count,
        "too few faults took place: the lives differ too much"
    );
}

fn count_names(calls: &BTreeSet<Call>) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    calls
        .iter()
        .for_each(|call| *counts.entry(&call.name).or_default() += 1);
    let counts = counts.into_iter().map(|(name, count)| format!("{name} {count}"));
    counts.collect::<Vec<_>>().join(", ")
}

#[derive(Debug, Default)]
struct Tally {
    count: usize,
    killed: usize,
    failed: usize,
    /// The life went another way, and did not come to the call.
    missed: usize,
    /// Failures that the log did not tell of, with their paths.
    silent: BTreeMap<String, usize>,
    wrong: Vec<String>,
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            count,
            killed,
            failed,
            missed,
            ..
        } = self;
        writeln!(
            f,
            "{count} faults: {killed} kills, {failed} errors, {missed} not come to"
        )?;
        for (call, count) in &self.silent {
            writeln!(f, "silent: {call}: {count}")?;
        }
        self.wrong.iter().try_for_each(|wrong| writeln!(f, "WRONG: {wrong}"))
    }
}

impl Setting {
    /// A folder of its own to begin in.
    fn scene(&self) -> Scene {
        self.begin.as_ref().map_or_else(Scene::new, Scene::crash_copy)
    }
}

fn try_fault(setting: &Setting, call: &Call, fault: Fault, tally: &mut Tally) {
    let scene = setting.scene();
    let outcome = trace::run_with(setting.life, scene.root(), call, fault);
    assert!(!outcome.stderr.contains("panicked"), "{}", outcome.stderr);
    match fault {
        _ if !outcome.has_fired => tally.missed += 1,
        Fault::Kill => tally.killed += 1,
        Fault::Error(_) => tally.failed += 1,
    }
    if outcome.has_fired && fault == Fault::Kill {
        assert!(outcome.was_killed() && outcome.failures().is_empty(), "{outcome:?}");
    } else {
        assert!(outcome.status.success(), "{outcome:?}");
        check_told(&outcome, call, tally);
    }
    let life = setting.life;
    let recorded = [setting.recorded.clone(), outcome.said].concat();
    within(Duration::from_secs(60), "what follows", move || {
        check(&scene, life, &recorded)
    });
}

/// What fails is told, and why; but a cache is done without.
fn check_told(outcome: &Outcome, call: &Call, tally: &mut Tally) {
    let failures = outcome.failures();
    match failures.first() {
        // Of a cache that could not be read a purge tells later.
        Some(first) => assert!(
            first.contains("os error") || first.contains("open the log anew"),
            "it does not say why: {failures:?}"
        ),
        None => assert!(outcome.is_done(), "it ended and did not say why: {outcome:?}"),
    }
    if outcome.has_fired && failures.is_empty() {
        let is_read = READS.contains(&call.name.as_str());
        assert!(is_read || is_done_without(call), "nobody is told of it: {call:?}");
        let call = format!("{} {}", call.name, call.path.display());
        *tally.silent.entry(call).or_default() += 1;
    }
}

/// Whether a call writes a cache, or space ahead.
fn is_done_without(call: &Call) -> bool {
    let is_new_segment =
        call.path.starts_with("audit/segments") && call.path.extension().is_some_and(|end| end == "new");
    call.path.starts_with("audit/tree")
        || call.path.ends_with("audit/segments/spare")
        || call.name == "pwrite64" && is_new_segment
}

/// Opens what is left, checks it, lives the life again without faults, and checks it once more.
fn check(scene: &Scene, life: Life, recorded: &[Said]) {
    let trusted = trusted(scene);
    let log = life.open(scene.root(), &(Arc::new(|_| {}) as _)).expect("it opens");
    log.close(SOON).expect("it closes");
    check_recorded(&check_sound(scene, trusted.as_ref()), recorded);
    let again = live_again(scene, life);
    finish_erasures(scene, life);
    let sound = check_sound(scene, trusted.as_ref());
    check_recorded(&sound, recorded);
    check_recorded(&sound, &again);
    check_once(&sound);
    for email in life.erased_emails() {
        assert!(!scene.holds(email.as_bytes()), "{email} is still there");
    }
    let left = files_below(scene.root());
    let left: Vec<_> = left.iter().filter(|path| is_passing(path)).collect();
    assert!(left.is_empty(), "left behind: {left:?}");
}

/// Lives the life without faults, on what is there already.
fn live_again(scene: &Scene, life: Life) -> Vec<Said> {
    let said = Arc::new(Mutex::new(Vec::new()));
    let hear = Arc::clone(&said);
    life.live(scene.root(), move |word| hear.lock().expect("unpoisoned").push(word));
    let again = said.lock().expect("unpoisoned").clone();
    assert_eq!(again.last(), Some(&Said::Done), "it does not go on: {again:?}");
    assert!(
        again
            .iter()
            .all(|said| matches!(said, Said::Recorded { .. } | Said::Done)),
        "{again:?}"
    );
    again
}

/// What a crash interrupted is taken up again in the background.
fn finish_erasures(scene: &Scene, life: Life) {
    let log = life.open(scene.root(), &(Arc::new(|_| {}) as _)).expect("it opens");
    eventually("what was announced is done", || {
        !scene.folder().join("pending").exists()
    });
    log.close(SOON).expect("it closes");
}

/// The checkpoint in the second place.
fn trusted(scene: &Scene) -> Option<SignedCheckpoint> {
    let place = list(scene.root()).into_iter();
    let place = place
        .into_iter()
        .find(|path| path.extension().is_some_and(|end| end == "checkpoint"))?;
    let note = std::fs::read_to_string(place).expect("readable");
    Some(note.parse().expect("a whole checkpoint"))
}

fn check_sound(scene: &Scene, trusted: Option<&SignedCheckpoint>) -> Sound {
    let mut verifier = Verifier::new(scene.vkey());
    if let Some(trusted) = trusted {
        verifier = verifier.trusted(trusted.clone());
    }
    let report = verifier.verify_dir(scene.folder()).expect("readable");
    assert!(report.is_sound(), "{report}");
    let lost = report
        .notices
        .iter()
        .find(|notice| notice.kind == NoticeKind::NotComparable);
    assert!(lost.is_none(), "the tree of what was purged is not kept: {report}");
    oracle::check(&scene.store(), &key_in_force_at_first(scene))
}

/// Every acknowledged event is there, but for those that a purge took.
fn check_recorded(sound: &Sound, recorded: &[Said]) {
    for said in recorded {
        let Said::Recorded { id, seq, hash } = said else {
            continue;
        };
        assert!(*seq < sound.size(), "{id} at {seq} is lost: {} records", sound.size());
        if *seq >= sound.first {
            let there = sound.at(*seq);
            assert_eq!(there.hash.to_string(), *hash, "{id} at {seq}");
            assert!(
                there.event.is_null() || there.event["id"] == *id,
                "{id} at {seq}: {}",
                there.event
            );
        }
    }
}

/// No event was recorded twice.
fn check_once(sound: &Sound) {
    let mut ids = BTreeSet::new();
    for record in sound.records.iter().filter(|record| !record.event.is_null()) {
        let id = record.event["id"].as_str().expect("an id");
        assert!(ids.insert(id), "{id} was recorded twice");
    }
}

/// Whether a file is there only while something is under way.
fn is_passing(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.ends_with(".new") || name.ends_with(".next") || name == "pending" || name == "spare"
}

/// Calls that change nothing. What cannot be read for a cache, or is read again later, is not told.
const READS: [&str; 7] = [
    "openat",
    "read",
    "pread64",
    "statx",
    "newfstatat",
    "getdents64",
    "lseek",
];

//! The writer killed, and given an I/O error, at every system call that it makes on the log's files: after reopening,
//! every acknowledged event is there and the log is sound. The same for erasures, purges, compression, retention and
//! exports: what was announced is done after the next opening, nothing else is missing, and an export is done once.
//!
//! A sample is tried by `cargo test`; every call by
//!
//! ```sh
//! cargo test --all-features --test it -- --ignored --nocapture strace::every_call
//! ```
//!
//! which takes about an hour. Both need `strace` and the right to trace a process, and are skipped without.

mod check;
mod life;
mod tally;
mod trace;
mod upkeep;

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::scene::*;
use life::{Life, Said};
use tally::Tally;
use trace::{Call, Fault, Outcome};
use upkeep::Before;

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
fn a_sample_of_calls_of_upkeep_killed_or_failed() {
    if is_skipped() {
        return;
    }
    let lives = [
        Life::Erase,
        Life::Purge,
        #[cfg(feature = "compress")]
        Life::Compress,
        Life::Retain,
        Life::Export,
    ];
    try_faults(&lives.map(upkeep), Some(30));
}

/// Tests that try every fault of some lives.
macro_rules! every_call {
    ($($(#[$when:meta])* $name:ident: $settings:expr;)*) => {
        $(
            $(#[$when])*
            #[test]
            #[ignore = "takes many minutes"]
            fn $name() {
                if !is_skipped() {
                    try_faults(&$settings, None);
                }
            }
        )*
    };
}

every_call! {
    every_call_of_one_thread: [alone()];
    every_call_of_threads: [threads()];
    every_call_after_a_crash: after_crashes();
    every_call_of_an_erasure: [upkeep(Life::Erase)];
    every_call_of_a_purge: [upkeep(Life::Purge)];
    #[cfg(feature = "compress")]
    every_call_of_compression: [upkeep(Life::Compress)];
    every_call_of_a_retention: [upkeep(Life::Retain)];
    every_call_of_an_export: [upkeep(Life::Export)];
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
    /// What the log held before, where that is what the life is about.
    before: Option<Arc<Before>>,
}

fn alone() -> Setting {
    Setting {
        name: "one thread",
        life: Life::Alone,
        begin: None,
        recorded: Vec::new(),
        before: None,
    }
}

fn threads() -> Setting {
    Setting {
        name: "threads",
        life: Life::Threads,
        begin: None,
        recorded: Vec::new(),
        before: None,
    }
}

fn upkeep(life: Life) -> Setting {
    let (scene, before) = Before::begin(life);
    Setting {
        name: "upkeep",
        life,
        begin: Some(scene),
        recorded: Vec::new(),
        before: Some(Arc::new(before)),
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
            before: None,
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
        let calls: BTreeSet<Call> = calls.into_iter().filter(|call| setting.comes_again(call)).collect();
        println!(
            "{} ({}): {} calls: {}",
            setting.name,
            setting.life.name(),
            calls.len(),
            count_names(&calls)
        );
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
            tally.wrong.push(format!(
                "{} ({}): {fault:?} at {call:?}: {message}",
                setting.name,
                setting.life.name()
            ));
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

impl Setting {
    /// A folder of its own to begin in.
    fn scene(&self) -> Scene {
        self.begin.as_ref().map_or_else(Scene::new, Scene::crash_copy)
    }

    /// Whether a life makes such a call each time: the name of an index that is made in it is random.
    fn comes_again(&self, call: &Call) -> bool {
        let is_there = |begin: &Scene| begin.root().join(&call.path).exists();
        !call.path.starts_with("audit/index") || self.begin.as_ref().is_some_and(is_there)
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
    let (life, before) = (setting.life, setting.before.clone());
    let recorded = [setting.recorded.clone(), outcome.said].concat();
    within(Duration::from_secs(60), "what follows", move || {
        check::check(&scene, life, before.as_deref(), &recorded)
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
        || call.path.ends_with("audit/index") && call.name == "mkdir"
        || call.path.ends_with("audit/segments/spare")
        || call.name == "pwrite64" && is_new_segment
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

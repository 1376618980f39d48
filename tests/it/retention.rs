//! Retention: what is over goes and nothing else, whatever happens beside it.

mod beside;
mod clocks;
mod remembered;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use indelible::retention::{Period, Retention, RetentionReport, Rule};
use indelible::store::Store;
use indelible::{Actor, AuditLog, Builder, Cause, Clock, FileStore, LogReader, MemoryStore, Query, Signer, Timestamp};

use crate::clock::Hand;
use crate::oracle;
use crate::scene::*;
use crate::stores::{Hooked, Hooks};

const DAY: Duration = Duration::from_secs(86_400);

fn days(count: u32) -> Period {
    Period::days(count).expect("a period")
}

/// 30 days, and 60 for one of the two tenants.
fn retention() -> Retention {
    Retention::keep(days(30)).rule(Rule::keep(days(60)).tenant("org_1"))
}

fn builder(scene: &Scene, clock: &Hand) -> Builder {
    scene.builder().clock(clock.clone())
}

fn store(scene: &Scene) -> FileStore {
    FileStore::new(scene.folder()).segment_size(6_000)
}

/// An event of a host's and when it was taken.
#[derive(Debug, Clone)]
struct Taken {
    seq: u64,
    tenant: &'static str,
    at: Timestamp,
}

impl Taken {
    /// Whether it is over, by nothing but seconds.
    fn is_over(&self, now: Timestamp) -> bool {
        let days = if self.tenant == "org_1" { 60 } else { 30 };
        self.at.unix_micros() + days * 86_400_000_000 <= now.unix_micros()
    }
}

fn now(clock: &Hand) -> Timestamp {
    clock.now().into()
}

/// Records so many events, one every half day, a few of one tenant and then a few of the other.
fn fill(log: &AuditLog, clock: &Hand, count: u64) -> Vec<Taken> {
    let record = |number: u64| {
        let tenant = if number % 5 < 2 { "org_1" } else { "org_2" };
        let seq = log
            .append(login(format!("n{number}")).tenant(tenant))
            .expect("recorded")
            .seq;
        let at = log
            .reader()
            .record(seq)
            .expect("a record")
            .recorded_at()
            .expect("a time");
        clock.forward(DAY / 2);
        Taken { seq, tenant, at }
    };
    (0..count).map(record).collect()
}

fn is_gone(reader: &LogReader, seq: u64) -> bool {
    match reader.record(seq) {
        Ok(record) => record.is_erased(),
        Err(error) if matches!(error.cause(), Cause::NoRecord { .. }) => true,
        Err(error) => panic!("record {seq}: {error}"),
    }
}

/// Each record of the host's is gone if it is over and not spared, and not otherwise.
#[track_caller]
fn check_gone(reader: &LogReader, taken: &[Taken], now: Timestamp, is_spared: impl Fn(&Taken) -> bool) {
    for record in taken {
        let wanted = record.is_over(now) && !is_spared(record);
        assert_eq!(is_gone(reader, record.seq), wanted, "{record:?} at {now}");
    }
}

/// What stands in all files, but for the indexes: they are made in the background whenever there is time.
fn contents(scene: &Scene) -> BTreeMap<PathBuf, Vec<u8>> {
    let index = scene.folder().join("index");
    let files = files_below(scene.root())
        .into_iter()
        .filter(|file| !file.starts_with(&index));
    files
        .filter_map(|file| Some((file.clone(), fs::read(file).ok()?)))
        .collect()
}

/// What a plan and a run must agree on.
fn parts(report: &RetentionReport) -> impl PartialEq + std::fmt::Debug + use<> {
    let report = report.clone();
    (
        (report.purged, report.segments, report.erased, report.by_rule),
        (report.dropped, report.held, report.waiting),
    )
}

#[test]
fn what_is_over_goes_and_a_plan_says_so_before_without_changing_a_byte() {
    let (scene, clock) = (Scene::new(), Hand::new());
    let log = builder(&scene, &clock).open(store(&scene)).expect("opens");
    log.place_hold("old", &Query::new().actor_id("nobody"), "none", Actor::admin("usr_bob"))
        .expect("placed");
    let taken = fill(&log, &clock, 150);
    let mut runs = 0;
    for _ in 0..7 {
        eventually("the caches and the second place are still", || {
            let before = contents(&scene);
            std::thread::sleep(Duration::from_millis(30));
            let newest = log.checkpoint().expect("a checkpoint");
            contents(&scene) == before && before[&scene.place()] == newest.as_str().as_bytes()
        });
        let before = contents(&scene);
        let plan = log.plan_retention(&retention()).expect("a plan");
        let read = log.reader().plan_retention(&retention(), clock.now()).expect("a plan");
        assert_eq!(read, plan);
        let after = contents(&scene);
        let changed = after
            .iter()
            .filter(|(path, content)| before.get(*path) != Some(content));
        let changed: Vec<_> = changed.map(|(path, _)| path).collect();
        assert!(
            changed.is_empty() && after.len() == before.len(),
            "a plan changes nothing: {changed:?}"
        );
        let report = log.apply_retention(&retention()).expect("applied");
        assert_eq!(parts(&report), parts(&plan));
        check_gone(&log.reader(), &taken, now(&clock), |_| false);
        runs += u64::from(report.records() > 0);
        let again = log.apply_retention(&retention()).expect("applied");
        assert_eq!((again.records(), again.erased.len()), (0, 0), "nothing is left to do");
        if log.holds().expect("readable").len() == 1 {
            log.release_hold("old", "none", Actor::admin("usr_bob"))
                .expect("released");
        }
        clock.forward(DAY * 15);
    }
    let state = log.state().retention;
    assert!(state.taken >= 150 && state.runs == 14 && state.left > 0, "{state:?}");
    assert!(log.reader().first().expect("readable") > Some(100), "segments go");
    log.close(SOON).expect("closed");
    let sound = oracle::check(&store(&scene), &scene.vkey());
    // The policy is told once; each run that took something says what it took, after what it announced.
    assert_eq!(
        sound.of("audit_log.retention_policy.updated").len(),
        usize::from(sound.first == 0)
    );
    let purged = sound.of("audit_log.purged");
    let told: Vec<_> = purged
        .iter()
        .filter(|record| !record.event["metadata"]["left"].is_null())
        .collect();
    assert!(runs > 3 && !told.is_empty());
    for record in told {
        assert_eq!(record.event["metadata"]["reason"], "retention");
        assert!(record.event["metadata"]["taken"].as_u64() > Some(0));
    }
}

#[test]
fn the_rules_and_the_policy_are_told() {
    let (scene, clock) = (Scene::new(), Hand::new());
    let log = builder(&scene, &clock).open(store(&scene)).expect("opens");
    fill(&log, &clock, 60);
    clock.forward(DAY * 20);
    let report = log.apply_retention(&retention()).expect("applied");
    assert_eq!(report.by_rule.keys().collect::<Vec<_>>(), ["30d"]);
    log.apply_retention(&Retention::keep_forever()).expect("applied");
    clock.forward(DAY * 400);
    log.apply_retention(&Retention::keep_forever()).expect("applied");
    let report = log.apply_retention(&retention()).expect("applied");
    assert_eq!(
        report.by_rule.keys().collect::<Vec<_>>(),
        ["30d", "60d tenant_id=org_1"]
    );
    log.close(SOON).expect("closed");
    let sound = oracle::check(&store(&scene), &scene.vkey());
    let policies = sound.of("audit_log.retention_policy.updated");
    let policy = |at: usize| policies[at].event["metadata"]["policy"].as_str().expect("a policy");
    // The oldest one went with its segment.
    assert_eq!(policies.len(), 2);
    assert_eq!(policy(0), "forever");
    assert_eq!(policies[0].event["metadata"]["old"], "30d; 60d tenant_id=org_1");
    assert_eq!(policy(1), "30d; 60d tenant_id=org_1");
    assert_eq!(policies[1].event["metadata"]["old"], "forever");
}

#[test]
fn records_of_the_log_itself_keep_their_segment_as_long_as_a_rule_says() {
    let (scene, clock) = (Scene::new(), Hand::new());
    let log = builder(&scene, &clock).open(store(&scene)).expect("opens");
    let taken = fill(&log, &clock, 60);
    clock.forward(DAY * 100);
    let keeps_own = retention().rule(Rule::keep(days(365)).category("audit_log"));
    let report = log.apply_retention(&keeps_own).expect("applied");
    assert_eq!(report.purged, None, "the first segment has audit_log.created");
    check_gone(&log.reader(), &taken, now(&clock), |_| false);
    for seq in [0, 1] {
        assert!(!log.reader().record(seq).expect("a record").is_erased());
    }
    clock.forward(DAY * 365);
    let report = log.apply_retention(&keeps_own).expect("applied");
    assert_eq!(report.purged.expect("purged").start, 0);
    log.close(SOON).expect("closed");
    oracle::check(&store(&scene), &scene.vkey());
}

#[test]
fn what_a_hold_covers_stays_until_it_is_released() {
    let (scene, clock) = (Scene::new(), Hand::new());
    let log = builder(&scene, &clock).open(store(&scene)).expect("opens");
    let taken = fill(&log, &clock, 60);
    log.place_hold(
        "case",
        &Query::new().tenant("org_2").words("n2"),
        "lawsuit",
        Actor::admin("usr_bob"),
    )
    .expect("placed");
    let is_held = |record: &Taken| record.tenant == "org_2" && format!("n{}", record.seq - 2).contains("n2");
    clock.forward(DAY * 100);
    let report = log.apply_retention(&retention()).expect("applied");
    let count = taken.iter().filter(|record| is_held(record)).count();
    assert_eq!(report.held["case"], u64::try_from(count).expect("small"));
    check_gone(&log.reader(), &taken, now(&clock), is_held);
    assert_eq!(log.state().retention.held, report.held["case"]);
    log.release_hold("case", "settled", Actor::admin("usr_bob"))
        .expect("released");
    log.apply_retention(&retention()).expect("applied");
    check_gone(&log.reader(), &taken, now(&clock), |_| false);
    log.close(SOON).expect("closed");
    oracle::check(&store(&scene), &scene.vkey());
}

/// A log in which much is over, on a store that holds up its erasures.
fn blocked(scene: &Scene, clock: &Hand) -> (AuditLog, Vec<Taken>, Arc<Hooks>) {
    let hooks = Arc::new(Hooks::default());
    let log = builder(scene, clock)
        .open(Hooked::new(store(scene), &hooks))
        .expect("opens");
    let taken = fill(&log, clock, 100);
    log.place_hold("old", &Query::new().actor_id("nobody"), "none", Actor::admin("usr_bob"))
        .expect("placed");
    clock.forward(DAY * 10);
    hooks.block_erasures(true);
    (log, taken, hooks)
}

#[test]
fn a_hold_placed_while_a_run_goes_on_keeps_what_is_not_announced_yet() {
    let (scene, clock) = (Scene::new(), Hand::new());
    let (log, taken, hooks) = blocked(&scene, &clock);
    let runner = {
        let log = log.clone();
        std::thread::spawn(move || log.apply_retention(&retention()))
    };
    hooks.wait_for_erasures(1);
    // Neither an append nor a hold waits for the step.
    let receipt = log.append(login("beside")).expect("recorded");
    log.place_hold(
        "all",
        &Query::new().action("auth.*"),
        "lawsuit",
        Actor::admin("usr_bob"),
    )
    .expect("placed");
    assert!(receipt.seq > 100);
    hooks.block_erasures(false);
    let report = within(SOON, "the run", move || runner.join())
        .expect("no panic")
        .expect("applied");
    let gone: BTreeSet<u64> = taken
        .iter()
        .map(|record| record.seq)
        .filter(|seq| is_gone(&log.reader(), *seq))
        .collect();
    let over = taken.iter().filter(|record| record.is_over(now(&clock))).count();
    assert!(!gone.is_empty() && gone.len() < over, "{} of {over}", gone.len());
    assert_eq!(report.held["all"], u64::try_from(over - gone.len()).expect("small"));
    assert_eq!(report.records(), u64::try_from(gone.len()).expect("small"));
    log.close(SOON).expect("closed");
    oracle::check(&store(&scene), &scene.vkey());
}

#[test]
fn a_run_that_a_crash_interrupts_is_completed_by_the_next() {
    for steps in 1..=4 {
        let (scene, clock) = (Scene::new(), Hand::new());
        let (log, taken, hooks) = blocked(&scene, &clock);
        if steps > 1 {
            // Some steps are done before it.
            hooks.block_erasures(false);
        }
        let runner = {
            let log = log.clone();
            std::thread::spawn(move || log.apply_retention(&retention()))
        };
        hooks.wait_for_erasures(steps);
        hooks.block_erasures(true);
        let crashed = scene.crash_copy();
        hooks.block_erasures(false);
        runner.join().expect("no panic").expect("applied");
        drop(log);

        let vkey = crashed.vkey();
        let log = builder(&crashed, &clock).open(store(&crashed)).expect("opens");
        log.apply_retention(&retention()).expect("applied");
        check_gone(&log.reader(), &taken, now(&clock), |_| false);
        assert_eq!(log.holds().expect("readable").len(), 1);
        let again = log.apply_retention(&retention()).expect("applied");
        assert_eq!(again.records(), 0);
        log.close(SOON).expect("closed");
        oracle::check(&store(&crashed), &vkey);
    }
}

#[test]
fn nothing_goes_that_a_sink_has_not_got_up_to_the_limit() {
    let (scene, clock) = (Scene::new(), Hand::new());
    let position = Arc::new(AtomicU64::new(20));
    let siem = Arc::clone(&position);
    let log = builder(&scene, &clock)
        .keep_for("siem", move || siem.load(Ordering::SeqCst))
        .keep_for("archive", || 1_000)
        .open(store(&scene))
        .expect("opens");
    let taken = fill(&log, &clock, 60);
    clock.forward(DAY * 60);
    let report = log.apply_retention(&retention()).expect("applied");
    let is_waiting = |record: &Taken| record.seq >= 20;
    check_gone(&log.reader(), &taken, now(&clock), is_waiting);
    assert!(report.waiting >= 42 && report.dropped.is_empty(), "{report:?}");
    assert!(
        log.purge(log.state().size).expect("purged") <= 20,
        "nor does a purge by hand"
    );
    position.store(30, Ordering::SeqCst);
    // 25 days after its end a record goes all the same.
    let limited = retention().delivery_limit(days(25));
    let report = log.apply_retention(&limited).expect("applied");
    let at = now(&clock);
    let late = Timestamp::from_unix_micros(at.unix_micros() - 25 * 86_400_000_000).expect("a time");
    check_gone(&log.reader(), &taken, at, |record| {
        record.seq >= 30 && !record.is_over(late)
    });
    let dropped: Vec<u64> = report.dropped.iter().cloned().flatten().collect();
    let wanted = taken.iter().filter(|record| record.seq >= 30 && record.is_over(late));
    assert_eq!(dropped, wanted.map(|record| record.seq).collect::<Vec<_>>());
    assert_eq!(log.state().retention.dropped, dropped.len() as u64);
    log.close(SOON).expect("closed");
    let sound = oracle::check(&store(&scene), &scene.vkey());
    let told = sound.of("audit_log.events.dropped");
    let count: u64 = told
        .iter()
        .filter_map(|record| record.event["metadata"]["count"].as_u64())
        .sum();
    assert_eq!(count, dropped.len() as u64);
    for record in told {
        assert_eq!(record.event["metadata"]["sinks"], serde_json::json!(["siem"]));
        let next = sound.at(record.seq + 1);
        assert!(
            next.action == "audit_log.record.erased" || next.action == "audit_log.purged",
            "it is named first"
        );
    }
}

#[test]
fn it_runs_by_itself_until_the_log_is_closed() {
    let clock = Hand::new();
    let signer = TestSigner::new();
    let store = MemoryStore::new().segment_size(3_000);
    let open = |builder: Builder| builder.clock(clock.clone()).open(store.clone());
    let log = open(in_memory(&signer)).expect("opens");
    let taken = fill(&log, &clock, 40);
    log.close(SOON).expect("closed");
    clock.forward(DAY * 20);
    let log = open(in_memory(&signer).retention(retention(), Duration::from_millis(5))).expect("opens");
    eventually("a run", || log.state().retention.runs > 1);
    check_gone(&log.reader(), &taken, now(&clock), |_| false);
    clock.forward(DAY * 100);
    let runs = log.state().retention.runs;
    eventually("two more runs", || log.state().retention.runs > runs + 1);
    check_gone(&log.reader(), &taken, now(&clock), |_| false);
    assert!(log.state().healthy, "{:?}", log.state().last_error);
    log.close(SOON).expect("closed");
    oracle::check(&store, signer.vkey());
    let wrong = Retention::keep_forever().rule(Rule::keep(Period::YEAR_1));
    for builder in [
        in_memory(&signer).retention(wrong, DAY),
        in_memory(&signer).retention(retention(), Duration::ZERO),
    ] {
        let error = open(builder).expect_err("no retention");
        assert!(
            matches!(
                error.cause(),
                Cause::Configuration {
                    option: "retention",
                    ..
                }
            ),
            "{error}"
        );
    }
}

fn segments(scene: &Scene) -> usize {
    scene.store().segments().expect("listed").len()
}

//! What a run remembers of the segments that it looked at: it reads none of them again without need, and what it says is
//! what a look at all of them says.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use indelible::query::Field;
use indelible::retention::{Retention, RetentionReport, Rule};
use indelible::{Actor, AuditLog, MemoryStore, Query, Signer};
use proptest::prelude::*;

use super::{DAY, blocked, days, fill, retention};
use crate::clock::Hand;
use crate::oracle;
use crate::scene::*;
use crate::stores::{Hooked, Hooks};

/// The segments that a run reads, but for the newest ones: it looks there for holds that were placed since.
fn read_by_a_run(log: &AuditLog, hooks: &Hooks, retention: &Retention, before: u64) -> Vec<u64> {
    hooks.take_read();
    log.apply_retention(retention).expect("applied");
    let mut read = hooks.take_read();
    read.retain(|first| *first < before);
    read.dedup();
    read
}

#[test]
fn a_segment_is_not_read_again_until_something_in_it_is_due() {
    let (clock, signer, hooks) = (Hand::new(), TestSigner::new(), Arc::new(Hooks::default()));
    let store = MemoryStore::new().segment_size(6_000);
    let log = in_memory(&signer)
        .clock(clock.clone())
        .open(Hooked::new(store.clone(), &hooks))
        .expect("opens");
    let taken = fill(&log, &clock, 200);
    // Every second record stays for good.
    let keeps = Retention::keep(days(30)).rule(Rule::keep_forever().tenant("org_1"));
    let before = taken[150].seq;
    log.apply_retention(&keeps).expect("applied");
    let read = read_by_a_run(&log, &hooks, &keeps, before);
    assert_eq!(read, [0; 0], "nothing is due");
    clock.forward(DAY * 2);
    let read = read_by_a_run(&log, &hooks, &keeps, before);
    assert!((1..=3).contains(&read.len()), "a few records are over: {read:?}");
    let read = read_by_a_run(&log, &hooks, &keeps, before);
    assert_eq!(read, [0; 0]);
    // What is erased by somebody else is seen, and nothing else is read.
    let erased = taken[41].seq;
    log.erase_records([erased..=erased], "request").expect("erased");
    let read = read_by_a_run(&log, &hooks, &keeps, before);
    assert!(read.len() == 1 && read[0] <= erased, "{read:?}");
    // Another retention is for all of it.
    let read = read_by_a_run(&log, &hooks, &retention(), before);
    assert!(read.len() > 5, "{read:?}");
    log.close(SOON).expect("closed");
    oracle::check(&store, signer.vkey());
}

#[test]
fn steps_leave_no_segment_of_a_few_records() {
    let (scene, clock) = (Scene::new(), Hand::new());
    let (log, _, hooks) = blocked(&scene, &clock);
    hooks.block_erasures(false);
    let before = super::segments(&scene);
    let report = log.apply_retention(&retention()).expect("applied");
    assert!(report.erased.len() > 3, "{report:?}");
    let made = super::segments(&scene) + report.segments.len() - before;
    assert!(made <= 3, "{made} segments for {} ranges", report.erased.len());
}

/// What happens to a log.
#[derive(Debug, Clone)]
enum Act {
    Append(u8),
    Forward(u32),
    Back(u32),
    Erase(u64),
    Forget(u64),
    Hold(u8),
    Release(u8),
    Deliver(u64),
    Purge(u64),
    Run(u8),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => (1_u8..12).prop_map(Act::Append),
        3 => (1_u32..20).prop_map(Act::Forward),
        1 => (1_u32..40).prop_map(Act::Back),
        1 => any::<u64>().prop_map(Act::Erase),
        1 => any::<u64>().prop_map(Act::Forget),
        1 => (0_u8..3).prop_map(Act::Hold),
        1 => (0_u8..3).prop_map(Act::Release),
        2 => any::<u64>().prop_map(Act::Deliver),
        1 => any::<u64>().prop_map(Act::Purge),
        6 => (0_u8..8).prop_map(Act::Run),
    ]
}

/// What stays, and that nothing is to be done.
fn rest(report: &RetentionReport) -> impl PartialEq + std::fmt::Debug + use<> {
    let report = report.clone();
    (
        report.purged,
        report.erased,
        report.by_rule,
        report.held,
        report.waiting,
    )
}

fn live(acts: Vec<Act>) {
    let (clock, signer, store) = (Hand::new(), TestSigner::new(), MemoryStore::new().segment_size(3_000));
    let position = Arc::new(AtomicU64::new(0));
    let siem = Arc::clone(&position);
    let log = in_memory(&signer)
        .clock(clock.clone())
        .keep_for("siem", move || siem.load(Ordering::SeqCst))
        .open(store.clone())
        .expect("opens");
    let retentions = [
        retention().rule(Rule::keep(days(50)).category("audit_log")),
        retention().rule(Rule::keep_forever().action("auth.login.*").tenant("org_3")),
        retention().delivery_limit(days(10)),
    ];
    let bob = || Actor::admin("usr_bob");
    let queries = [
        Query::new().tenant("org_1"),
        Query::new().words("n3"),
        Query::new().with(Field::Category, "audit_log"),
    ];
    let mut number = 0;
    for act in acts {
        let size = log.state().size;
        match act {
            Act::Append(count) => {
                for _ in 0..count {
                    number += 1;
                    let tenant = format!("org_{}", number % 4);
                    log.append(login(format!("n{number}")).tenant(tenant))
                        .expect("recorded");
                }
            }
            Act::Forward(count) => clock.forward(DAY * count),
            Act::Back(count) => clock.back(DAY * count),
            // A hold may cover it; and whatever is purged is not there.
            Act::Erase(at) => drop(log.erase_records([at % size..=at % size], "request")),
            Act::Forget(at) => drop(log.erase_personal_data([at % size..=at % size], "request")),
            Act::Hold(which) => drop(log.place_hold(&which.to_string(), &queries[usize::from(which)], "case", bob())),
            Act::Release(which) => drop(log.release_hold(&which.to_string(), "settled", bob())),
            Act::Deliver(at) => position.store(at % (size + 1), Ordering::SeqCst),
            Act::Purge(at) => drop(log.purge(at % (size + 1))),
            Act::Run(which) => {
                let retention = &retentions[usize::from(which / 3)];
                // What is in the segment that is written to needs more than one.
                let last = (0..9).find_map(|_| {
                    let report = log.apply_retention(retention).expect("applied");
                    (report.records() == 0 && report.purged.is_none()).then_some(report)
                });
                let last = last.expect("nothing is left to do");
                let plan = log.plan_retention(retention).expect("a plan");
                assert_eq!(rest(&last), rest(&plan));
                // Who looks from outside takes what is erased for whole.
                assert!(last.left <= plan.left, "{} of {}", last.left, plan.left);
            }
        }
    }
    log.close(SOON).expect("closed");
    oracle::check(&store, signer.vkey());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_a_run_remembers_is_what_a_look_at_everything_finds(acts in proptest::collection::vec(act(), 10..60)) {
        live(acts);
    }
}

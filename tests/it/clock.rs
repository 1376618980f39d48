//! Clocks that stand still, jump and step back: `recorded_at` never decreases unsaid.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use indelible::{AuditLog, Builder, Clock, MemoryStore, Signer};

use crate::oracle::{self, Sound, between};
use crate::scene::*;

/// A clock that a test sets.
#[derive(Debug, Clone)]
pub(crate) struct Hand(Arc<Mutex<SystemTime>>);

impl Hand {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(
            SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000),
        )))
    }

    pub(crate) fn forward(&self, by: Duration) {
        *self.0.lock().expect("unpoisoned") += by;
    }

    pub(crate) fn back(&self, by: Duration) {
        *self.0.lock().expect("unpoisoned") -= by;
    }
}

impl Clock for Hand {
    fn now(&self) -> SystemTime {
        *self.0.lock().expect("unpoisoned")
    }
}

struct World {
    clock: Hand,
    signer: Arc<TestSigner>,
    store: MemoryStore,
}

impl World {
    fn new() -> Self {
        Self {
            clock: Hand::new(),
            signer: TestSigner::new(),
            store: MemoryStore::new().segment_size(2_000),
        }
    }

    fn builder(&self) -> Builder {
        in_memory(&self.signer)
            .clock(self.clock.clone())
            .signer_deadline(Duration::from_millis(30))
    }

    fn open(&self) -> AuditLog {
        self.builder().open(self.store.clone()).expect("opens")
    }

    fn check(&self) -> Sound {
        oracle::check(&self.store, self.signer.vkey())
    }
}

const SKEW: &str = "audit_log.clock_skew.detected";

#[test]
fn a_clock_that_stands_still_repeats_its_time() {
    let world = World::new();
    let log = world.open();
    for round in 0..20 {
        log.append(login(round)).expect("recorded");
    }
    log.close(SOON).expect("closed");
    let sound = world.check();
    assert!(
        sound
            .records
            .iter()
            .all(|record| record.recorded_at == sound.at(0).recorded_at)
    );
    assert!(sound.of(SKEW).is_empty());
}

#[test]
fn a_clock_that_jumps_forward_is_believed() {
    let world = World::new();
    let log = world.open();
    world.clock.forward(Duration::from_secs(86_400 * 400));
    log.append(login(1)).expect("recorded");
    let sound = world.check();
    let days = between(&sound.at(0).recorded_at, &sound.at(2).recorded_at).as_secs() / 86_400;
    assert_eq!(days, 400);
    assert!(sound.of(SKEW).is_empty());
}

#[test]
fn a_step_back_of_up_to_a_minute_repeats_the_last_time() {
    for step in [
        Duration::from_micros(1),
        Duration::from_secs(30),
        Duration::from_secs(60),
    ] {
        let world = World::new();
        let log = world.open();
        log.append(login(1)).expect("recorded");
        world.clock.back(step);
        log.append(login(2)).expect("recorded");
        world.clock.forward(step / 2);
        log.append(login(3)).expect("recorded");
        let sound = world.check();
        assert_eq!(sound.at(3).recorded_at, sound.at(2).recorded_at);
        assert_eq!(sound.at(4).recorded_at, sound.at(2).recorded_at);
        assert!(sound.of(SKEW).is_empty(), "{step:?}");
        // What happened is said as the host's clock says it.
        assert!(sound.at(3).event["occurred_at"].as_str() < sound.at(2).event["occurred_at"].as_str());
    }
}

#[test]
fn a_step_back_of_more_than_a_minute_is_said_first() {
    for step in [
        Duration::from_secs(60) + Duration::from_micros(1),
        Duration::from_secs(7200),
    ] {
        let world = World::new();
        let log = world.open();
        log.append(login(1)).expect("recorded");
        world.clock.back(step);
        let receipt = log.append(login(2)).expect("recorded");
        log.append(login(3)).expect("recorded");
        log.close(SOON).expect("closed");
        let sound = world.check();
        assert_eq!(receipt.seq, 4, "the skew stands before it");
        let skew = sound.of(SKEW);
        assert_eq!(skew.len(), 1, "it is said once");
        assert_eq!(
            (skew[0].seq, &skew[0].event["metadata"]["seconds"]),
            (3, &step.as_secs().into())
        );
        assert_eq!(between(&skew[0].recorded_at, &sound.at(2).recorded_at), step);
        assert_eq!(sound.at(4).recorded_at, skew[0].recorded_at);
    }
}

#[test]
fn a_step_back_while_the_log_was_closed_is_said_first() {
    let world = World::new();
    let log = world.open();
    log.append(login(1)).expect("recorded");
    log.close(SOON).expect("closed");
    world.clock.back(Duration::from_secs(7200));
    let log = world.open();
    log.append(login(2)).expect("recorded");
    log.close(SOON).expect("closed");
    let sound = world.check();
    let expected = [
        "audit_log.created",
        "audit_log.started",
        "auth.login.succeeded",
        "audit_log.stopped",
        SKEW,
        "audit_log.started",
        "auth.login.succeeded",
        "audit_log.stopped",
    ];
    assert_eq!(sound.actions(), expected);
}

#[test]
fn a_step_back_in_a_commit_that_fails_is_said_in_the_next() {
    let world = World::new();
    let log = world.open();
    let first = log.append(login("once").id("once")).expect("recorded");
    world.clock.back(Duration::from_secs(7200));
    world.signer.set(Mode::Fail);
    log.append(login(1)).expect_err("no signature");
    log.rotate_key(key()).expect_err("no signature");
    log.erase_records([2..=2], "test").expect_err("no signature");
    world.signer.set(Mode::Sign);
    log.append(login(2)).expect("recorded");
    assert_eq!(log.append(login("once").id("once")).expect("a retry"), first);
    log.close(SOON).expect("closed");
    assert_eq!(world.check().of(SKEW).len(), 1);
}

#[test]
fn a_step_back_before_an_announcement_that_is_refused_breaks_nothing() {
    let world = World::new();
    let log = world.open();
    let first = log.append(login("once").id("once")).expect("recorded");
    world.clock.back(Duration::from_secs(7200));
    // The reason is too long for a record.
    log.erase_personal_data([2..=2], &"x".repeat(100_000))
        .expect_err("too long");
    log.append(login(2)).expect("recorded");
    assert_eq!(
        log.append(login("once").id("once")).expect("a retry"),
        first,
        "the ids are not forgotten"
    );
    log.close(SOON).expect("closed");
    let sound = world.check();
    assert_eq!(sound.of(SKEW).len(), 1);
    assert_eq!(sound.count("usr_once"), 1);
}

#[test]
fn a_step_back_may_come_with_a_rotation_an_erasure_and_a_purge() {
    let world = World::new();
    let log = world.open();
    for round in 0..10 {
        log.append(login(round)).expect("recorded");
    }
    world.clock.back(Duration::from_secs(7200));
    let next = key();
    let vkey = next.vkey().clone();
    log.rotate_key(next).expect("rotated");
    world.clock.back(Duration::from_secs(7200));
    log.erase_personal_data([3..=4], "test").expect("erased");
    world.clock.back(Duration::from_secs(7200));
    log.append(login("after")).expect("recorded");
    let sound = world.check();
    assert_eq!(sound.of(SKEW).len(), 3);
    assert_eq!(sound.vkey, vkey);
    world.clock.back(Duration::from_secs(7200));
    assert!(log.purge(6).expect("purged") > 0);
    log.append(login("after")).expect("recorded");
}

#[test]
fn a_clock_beyond_all_years_is_no_panic() {
    let world = World::new();
    *world.clock.0.lock().expect("unpoisoned") = SystemTime::UNIX_EPOCH + Duration::from_secs(400_000_000_000);
    let log = world.open();
    log.append(login(1)).expect("recorded");
    *world.clock.0.lock().expect("unpoisoned") = SystemTime::UNIX_EPOCH - Duration::from_secs(10);
    log.append(login(2)).expect("recorded");
    log.close(SOON).expect("closed");
    let sound = world.check();
    assert_eq!(sound.at(0).recorded_at, "9999-12-31T23:59:59.999999Z");
    assert_eq!(sound.of(SKEW).len(), 1);
}

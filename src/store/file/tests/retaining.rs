//! Crashes at every step of a retention: what it leaves is sound, nothing is gone that is to be kept, and the next run
//! completes it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use super::crash::{check, choices, event, key, store};
use super::simulated::{Plan, SimulatedDisk};
use crate::event::Actor;
use crate::log::{AuditLog, Clock, Receipt};
use crate::query::Query;
use crate::reader::LogReader;
use crate::retention::{Period, Retention, Rule};
use crate::sign::SigningKey;

/// A clock of the past that a test sets, in seconds: whoever opens the log by the clock of the machine does so later.
#[derive(Debug, Clone)]
struct Past(Arc<AtomicU64>);

impl Past {
    fn new() -> Self {
        Self(Arc::new(AtomicU64::new(1_500_000_000)))
    }

    fn forward(&self, days: u64) {
        self.0.fetch_add(days * 86_400, Ordering::SeqCst);
    }
}

impl Clock for Past {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(self.0.load(Ordering::SeqCst))
    }
}

/// What was acknowledged in a life.
#[derive(Debug, Default)]
struct Acknowledged {
    events: Vec<(Receipt, Fate)>,
    has_hold: bool,
}

/// What becomes of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It goes with its segment, or is erased.
    Goes,
    /// A rule keeps it for good.
    Stays,
    /// A legal hold covers it, once that is acknowledged.
    Held,
}

fn retention() -> Retention {
    Retention::keep(Period::DAYS_90).rule(Rule::keep_forever().tenant("stays"))
}

fn open(disk: &SimulatedDisk, key: &Arc<SigningKey>, clock: Past) -> crate::Result<AuditLog> {
    AuditLog::builder("auth.example.com/audit")
        .signer(Arc::clone(key))
        .without_checkpoint_file()
        .lock_wait(Duration::from_secs(5))
        .clock(clock)
        .open(store(disk))
}

/// The life of a log, up to where it fails: appends over several segments, a hold, and a retention that purges the first
/// of them and erases in others.
fn live(disk: &SimulatedDisk, key: &Arc<SigningKey>) -> Acknowledged {
    let (clock, mut acknowledged) = (Past::new(), Acknowledged::default());
    let Ok(log) = open(disk, key, clock.clone()) else {
        return acknowledged;
    };
    for round in 0..14 {
        let fate = match round {
            8 | 9 | 12 => Fate::Stays,
            10 => Fate::Held,
            _ => Fate::Goes,
        };
        let tenant = if fate == Fate::Stays { "stays" } else { "goes" };
        let Ok(receipt) = log.append(event(round).tenant(tenant)) else {
            return acknowledged;
        };
        acknowledged.events.push((receipt, fate));
        if round == 11 {
            let query = Query::new().actor_id("usr_10");
            let placed = log.place_hold("case", &query, "lawsuit", Actor::admin("usr_bob"));
            acknowledged.has_hold = placed.is_ok();
        }
    }
    clock.forward(100);
    if acknowledged.has_hold {
        let _ = log.apply_retention(&retention());
    }
    if let Ok(receipt) = log.append(event(20).tenant("stays")) {
        acknowledged.events.push((receipt, Fate::Stays));
    }
    let _ = log.close(Duration::from_secs(10));
    acknowledged
}

/// Whether the content of a record is gone, with it or without.
fn is_gone(reader: &LogReader, receipt: &Receipt) -> bool {
    reader.record(receipt.seq).map_or(true, |record| record.is_erased())
}

/// Opens the log after a crash: it is sound, and nothing is gone that is kept. The next run takes all that is over, and
/// nothing else.
fn check_retained(disk: &SimulatedDisk, key: &Arc<SigningKey>, acknowledged: &Acknowledged, context: &str) {
    let Acknowledged { events, has_hold } = acknowledged;
    let receipts: Vec<Receipt> = events.iter().map(|(receipt, _)| *receipt).collect();
    check(disk, key, &receipts, context);
    let reader = LogReader::new(store(disk));
    let is_held = !reader.holds().expect("readable").is_empty();
    assert!(is_held || !has_hold, "{context}: the hold is gone");
    for (receipt, fate) in events {
        let is_kept = *fate == Fate::Stays || (*fate == Fate::Held && is_held);
        assert!(
            !is_kept || !is_gone(&reader, receipt),
            "{context}: {fate:?} {receipt:?}"
        );
    }
    let clock = Past::new();
    clock.forward(100);
    let log = open(disk, key, clock).unwrap_or_else(|error| panic!("{context}: {error}"));
    log.apply_retention(&retention())
        .unwrap_or_else(|error| panic!("{context}: {error}"));
    let reader = log.reader();
    for (receipt, fate) in events {
        let goes = *fate == Fate::Goes || (*fate == Fate::Held && !is_held);
        assert_eq!(is_gone(&reader, receipt), goes, "{context}: {fate:?} {receipt:?}");
    }
    log.close(Duration::from_secs(10))
        .unwrap_or_else(|error| panic!("{context}: {error}"));
    check(disk, key, &receipts, context);
}

/// The calls of a life, and that it does what it is to be interrupted in.
fn calls_of_a_life(key: &Arc<SigningKey>) -> u64 {
    let disk = SimulatedDisk::new();
    let acknowledged = live(&disk, key);
    let reader = LogReader::new(store(&disk));
    let first = reader.first().expect("readable").expect("records");
    assert!(first > acknowledged.events[0].0.seq, "a segment is purged");
    let erased = acknowledged.events.iter().filter(|(receipt, _)| {
        let record = reader.record(receipt.seq);
        record.is_ok_and(|record| record.is_erased())
    });
    assert!(erased.count() > 1, "records are erased one by one");
    disk.calls()
}

#[test]
fn killed_at_every_step_of_a_retention() {
    let key = key();
    for at in 0..calls_of_a_life(&key) {
        let disk = SimulatedDisk::new();
        disk.plan(Plan::StopAt(at));
        let acknowledged = live(&disk, &key);
        check_retained(&disk.after_kill(), &key, &acknowledged, &format!("killed at call {at}"));
    }
}

#[test]
fn power_lost_at_every_step_of_a_retention() {
    let key = key();
    for at in 0..calls_of_a_life(&key) {
        let disk = SimulatedDisk::new();
        disk.plan(Plan::StopAt(at));
        let acknowledged = live(&disk, &key);
        for seed in 0..2 {
            let choose: &mut dyn FnMut() -> bool = match seed {
                0 => &mut || false,
                _ => &mut choices(at),
            };
            let context = format!("power lost at call {at}, seed {seed}");
            check_retained(&disk.after_power_loss(choose), &key, &acknowledged, &context);
        }
    }
}

#[test]
fn every_call_of_a_retention_fails_once() {
    let key = key();
    for at in 0..calls_of_a_life(&key) {
        let disk = SimulatedDisk::new();
        disk.plan(Plan::FailAt(at));
        let acknowledged = live(&disk, &key);
        disk.plan(Plan::Nothing);
        check_retained(&disk, &key, &acknowledged, &format!("call {at} failed"));
    }
}

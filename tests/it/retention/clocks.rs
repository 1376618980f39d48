//! Retention where clocks are wrong: what was taken in a time that is still to come stays until that has come, and keeps
//! nothing else.

use indelible::retention::Retention;
use indelible::{AuditLog, Cause, MemoryStore, Signer};

use super::{DAY, days, is_gone};
use crate::clock::Hand;
use crate::oracle;
use crate::scene::*;

/// Records so many events, ten a day, and gives their `seq`s.
fn some(log: &AuditLog, clock: &Hand, count: u32) -> Vec<u64> {
    let seqs = (0..count).map(|number| {
        clock.forward(DAY / 10);
        log.append(login(number)).expect("recorded").seq
    });
    seqs.collect()
}

#[test]
fn what_was_taken_while_the_clock_was_decades_ahead_keeps_nothing_else() {
    let (clock, signer, store) = (Hand::new(), TestSigner::new(), MemoryStore::new().segment_size(4_000));
    let log = in_memory(&signer)
        .clock(clock.clone())
        .open(store.clone())
        .expect("opens");
    let retention = Retention::keep(days(30));
    let mut right = some(&log, &clock, 30);
    clock.forward(DAY * 36_500);
    let wrong = some(&log, &clock, 20);
    clock.back(DAY * 36_500);
    // Between two jumps, within one segment.
    right.extend(some(&log, &clock, 2));
    clock.forward(DAY * 36_500);
    let mut wrong = [wrong, some(&log, &clock, 20)].concat();
    clock.back(DAY * 36_500);
    right.extend(some(&log, &clock, 30));
    let report = log.apply_retention(&retention).expect("applied");
    assert_eq!(report.records(), 0);
    clock.forward(DAY * 32);
    log.apply_retention(&retention).expect("applied");
    let reader = log.reader();
    let stays: Vec<u64> = right.iter().copied().filter(|seq| !is_gone(&reader, *seq)).collect();
    assert_eq!(stays, [0; 0]);
    for seq in &wrong {
        assert!(!is_gone(&reader, *seq), "{seq}");
    }
    // The host that knows better erases it by hand, and all before it is purged by the next run.
    wrong.sort_unstable();
    let ranges: Vec<_> = wrong.iter().map(|seq| *seq..=*seq).collect();
    log.erase_records(ranges, "taken at a wrong time").expect("erased");
    clock.forward(DAY * 32);
    log.apply_retention(&retention).expect("applied");
    assert!(log.reader().first().expect("readable") > wrong.last().copied());
    log.close(SOON).expect("closed");
    oracle::check(&store, signer.vkey());
}

#[test]
fn a_clock_that_stepped_back_takes_nothing_early_and_what_came_before_it_is_still_found() {
    let (clock, signer, store) = (Hand::new(), TestSigner::new(), MemoryStore::new().segment_size(4_000));
    let log = in_memory(&signer)
        .clock(clock.clone())
        .open(store.clone())
        .expect("opens");
    let retention = Retention::keep(days(30));
    let first = some(&log, &clock, 40);
    clock.forward(DAY * 28);
    log.apply_retention(&retention).expect("applied");
    let gone = |seqs: &[u64]| {
        let reader = log.reader();
        seqs.iter().filter(|seq| is_gone(&reader, **seq)).count()
    };
    let before = gone(&first);
    assert!((1..40).contains(&before), "{before}");
    clock.back(DAY * 20);
    let second = some(&log, &clock, 40);
    let report = log.apply_retention(&retention).expect("applied");
    assert_eq!((report.records(), gone(&first)), (0, before));
    clock.forward(DAY * 31);
    log.apply_retention(&retention).expect("applied");
    assert_eq!((gone(&first), gone(&second)), (40, 40));
    match log.reader().record(first[0]) {
        Ok(record) => assert!(record.is_erased()),
        Err(error) => assert!(matches!(error.cause(), Cause::NoRecord { .. }), "{error}"),
    }
    log.close(SOON).expect("closed");
    oracle::check(&store, signer.vkey());
}

//! Following a log live: nothing is missed and nothing comes twice.

use std::ops::Range;
use std::time::Duration;

use indelible::follow::Followed;
use indelible::{Actor, AuditLog, Event, FileStore, Follower, LogReader, Query};

use crate::scene::*;

fn event(number: u64) -> Event {
    let action = if number.is_multiple_of(3) {
        "auth.login.failed"
    } else {
        "user.updated"
    };
    Event::new(action).actor(Actor::user(format!("usr_{}", number % 7)))
}

fn seq(followed: &Followed) -> u64 {
    match followed {
        Followed::Record(found) => found.record.seq(),
        other => panic!("{other:?}"),
    }
}

/// Takes so many records, with a new follower after each few: what a service does that is started again.
fn take(count: u64, mut position: u64, follow: impl Fn(u64) -> Follower) -> Vec<u64> {
    let mut taken = Vec::new();
    while (taken.len() as u64) < count {
        let mut follower = follow(position);
        for _ in 0..(1 + taken.len() % 40) {
            if taken.len() as u64 == count {
                break;
            }
            let next = follower.next_within(SOON).expect("readable").expect("it comes");
            taken.push(seq(&next));
            assert!(follower.position() > seq(&next));
        }
        position = follower.position();
    }
    taken
}

/// Appends from two threads, in segments of some hundred records.
fn write_beside(log: &AuditLog, count: u64) {
    std::thread::scope(|scope| {
        for half in 0..2 {
            scope.spawn(move || {
                for number in 0..count / 2 {
                    log.append(event(number * 2 + half)).expect("recorded");
                }
            });
        }
    });
}

#[test]
fn each_record_comes_once_in_order_and_across_restarts() {
    let scene = Scene::new();
    let store = FileStore::new(scene.folder()).segment_size(100_000);
    let log = scene.builder().open(store).expect("opens");
    let reader = LogReader::new(scene.store());
    std::thread::scope(|scope| {
        let inside = scope.spawn(|| {
            take(800, 2, |from| {
                log.follow(&Query::new().seq_from(from)).expect("followed")
            })
        });
        let outside = scope.spawn(|| {
            take(800, 2, |from| {
                reader.follow(&Query::new().seq_from(from)).expect("followed")
            })
        });
        write_beside(&log, 800);
        let all: Vec<u64> = (2..802).collect();
        assert_eq!(inside.join().expect("no panic"), all);
        assert_eq!(outside.join().expect("no panic"), all);
    });
}

#[test]
fn a_filter_leaves_out_the_rest_and_the_position_goes_on() {
    let log = memory_log();
    let query = Query::new().action("auth.login.failed");
    let mut follower = log.follow(&query).expect("followed");
    let begun = follower.position();
    for number in 0..100 {
        drop(log.submit(event(number)).expect("room"));
    }
    log.append(event(100)).expect("recorded");
    let mut failed = 0;
    while let Some(Followed::Record(found)) = follower.next_within(Duration::ZERO).expect("readable") {
        assert_eq!(found.record.action().as_deref(), Some("auth.login.failed"));
        failed += 1;
    }
    assert_eq!(failed, 34);
    // The record that it is followed, and the events.
    assert_eq!(follower.position(), begun + 102);
    // From a position in the middle of what was read, the rest comes again.
    let mut again = log.follow(&query.seq_from(begun)).expect("followed");
    for _ in 0..5 {
        again.next_within(SOON).expect("readable").expect("it is there");
    }
    let next = again.position();
    let follower = log
        .follow(&Query::new().action("auth.login.failed").seq_from(next))
        .expect("followed");
    drop(log.close(SOON));
    assert_eq!(follower.count(), 34 - 5);
}

#[test]
fn it_waits_for_what_comes_and_ends_with_the_log() {
    let log = memory_log();
    let mut follower = log.follow(&Query::new().action("user.*")).expect("followed");
    assert!(
        follower
            .next_within(Duration::from_millis(50))
            .expect("readable")
            .is_none()
    );
    assert!(!follower.is_ended());
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| follower.next_within(SOON).expect("readable").map(|next| seq(&next)));
        std::thread::sleep(Duration::from_millis(50));
        let receipt = log.append(event(1)).expect("recorded");
        assert_eq!(waiting.join().expect("no panic"), Some(receipt.seq));
    });
    let last = log.append(event(2)).expect("recorded");
    let mut to_the_end = log
        .follow(&Query::new().seq_from(last.seq).seq_to(last.seq + 1))
        .expect("followed");
    // A follower does not keep the log open, and gets all that was recorded before its end.
    drop(log);
    assert_eq!(
        follower
            .by_ref()
            .map(|next| seq(&next.expect("readable")))
            .collect::<Vec<_>>(),
        [last.seq]
    );
    assert!(follower.is_ended());
    assert_eq!(to_the_end.by_ref().count(), 1);
    assert!(to_the_end.is_ended());
}

#[test]
fn what_is_purged_is_told_and_what_is_erased_does_not_come() {
    let scene = Scene::new();
    let store = FileStore::new(scene.folder()).segment_size(20_000);
    let log = scene.builder().open(store).expect("opens");
    write_beside(&log, 300);
    log.erase_records([250..=252], "test").expect("erased");
    let first = log.purge(200).expect("purged");
    let mut follower = log.follow(&Query::new().seq_from(5)).expect("followed");
    let Some(Followed::Purged(Range { start: 5, end })) = follower.next_within(SOON).expect("readable") else {
        panic!("it is told");
    };
    assert_eq!(Some(end), log.reader().first().expect("readable"));
    assert!(first > 0 && end <= 200);
    // Of a range, no more than the range.
    let mut ended = log
        .follow(&Query::new().seq_from(5).seq_to(9))
        .expect("followed")
        .map(|next| next.expect("readable"));
    assert!(matches!(
        ended.next(),
        Some(Followed::Purged(Range { start: 5, end: 9 }))
    ));
    assert!(ended.next().is_none());
    for due in (end..302).filter(|due| !(250..=252).contains(due)) {
        let next = follower.next_within(SOON).expect("readable").expect("it comes");
        assert_eq!(seq(&next), due);
    }
}

#[test]
fn a_live_reader_is_recorded_once_and_gets_proofs_if_it_wants_them() {
    let log = memory_log();
    let query = Query::new()
        .action("user.*")
        .with_proofs()
        .asked_by(Actor::admin("usr_bob"));
    let mut follower = log.follow(&query).expect("followed");
    let (key, receipt): (_, _) = (log.vkey(), log.append(event(1)).expect("recorded"));
    log.append(event(2)).expect("recorded");
    for _ in 0..2 {
        let Some(Followed::Record(found)) = follower.next_within(SOON).expect("readable") else {
            panic!("it comes");
        };
        let proof = found.proof.expect("wanted");
        proof.verify(found.record.hash(), &key).expect("a proof of it");
    }
    let reader = log.reader();
    let records = reader.records(..receipt.size).expect("readable");
    let jsons = records.map(|record| record.expect("readable").merged_json().expect("kept"));
    let told: Vec<String> = jsons.filter(|json| json.contains("audit_log.accessed")).collect();
    assert_eq!(told.len(), 1);
    assert!(told[0].contains("usr_bob") && told[0].contains("event_type=user.*") && told[0].contains("\"live\":true"));
    let error = log.follow(&Query::new().after("x")).expect_err("no pages").to_string();
    assert!(error.contains("cursor"), "{error}");
}

#[test]
fn a_folder_that_took_the_place_of_another_is_followed() {
    let from = Scene::new();
    from.open().close(SOON).expect("closes");
    let reader = LogReader::new(from.store());
    let mut follower = reader.follow(&Query::new().seq_from(0)).expect("followed");
    while follower.next_within(Duration::ZERO).expect("readable").is_some() {}
    // As one does who brings back what was saved.
    let (segments, saved) = (from.folder().join("segments"), from.root().join("saved"));
    std::fs::rename(&segments, &saved).expect("renamed");
    std::fs::create_dir(&segments).expect("a folder");
    for path in list(&saved) {
        std::fs::copy(&path, segments.join(path.file_name().expect("a name"))).expect("copied");
    }
    let position = follower.position();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| follower.next_within(SOON).expect("readable"));
        // It waits by then.
        std::thread::sleep(Duration::from_millis(300));
        let (began, log) = (std::time::Instant::now(), from.open());
        assert_eq!(waiting.join().expect("no panic").map(|next| seq(&next)), Some(position));
        assert!(began.elapsed() < SOON / 2, "{:?}", began.elapsed());
        drop(log);
    });
}

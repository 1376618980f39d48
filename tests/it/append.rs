//! Events in, receipts out: none lost, none twice, none out of order, and nothing of what was refused.

use std::sync::Arc;
use std::time::Duration;

use indelible::event::{Limits, Problem};
use indelible::store::MemoryStore;
use indelible::{Actor, AuditLog, Cause, ErrorKind, Event, FileStore, Receipt, Signer, Target, action};

use crate::oracle;
use crate::scene::*;

#[test]
fn a_receipt_is_that_of_the_record() {
    let scene = Scene::new();
    let log = scene.open();
    let receipts: Vec<Receipt> = (0..40)
        .map(|round| log.append(login(round)).expect("recorded"))
        .collect();
    for (round, receipt) in receipts.iter().enumerate() {
        let record = log.reader().record(receipt.seq).expect("a record");
        assert_eq!(receipt.seq, 2 + round as u64);
        assert_eq!(record.hash(), receipt.hash);
        assert_eq!(receipt.size, receipt.seq + 1);
        assert!(record.merged_json().expect("JSON").contains(&format!("usr_{round}\"")));
        let proof = log.prove(receipt.seq).expect("a proof");
        proof.verify(receipt.hash, &log.vkey()).expect("a proof that verifies");
    }
    log.close(SOON).expect("closed");
    let sound = oracle::check(&scene.store(), &scene.vkey());
    assert_eq!(sound.size(), 43);
}

#[test]
fn what_a_host_says_is_what_is_read() {
    let log = memory_log();
    let event = Event::new("billing.invoice.sent")
        .actor(
            Actor::admin("adm_1")
                .name("Zoë \u{1F600} \u{7}")
                .email("zoe@personal.example"),
        )
        .on_behalf_of(Actor::user("usr_2").name("Bob"))
        .target(Target::new("invoice", "inv_9").name("Q3"))
        .target(Target::new("invoice", "inv_10"))
        .tenant("org_acme")
        .reason("monthly")
        .occurred_at(
            "2026-01-02T03:04:05.123456789+01:00"
                .parse::<indelible::Timestamp>()
                .expect("a time"),
        )
        .ip([203, 0, 113, 7])
        .metadata("amount", 12.5)
        .metadata("api_token", "s3cr3t-value")
        .personal_metadata("iban", "DE00 1234");
    let receipt = log.append(event).expect("recorded");
    let record = log.reader().record(receipt.seq).expect("a record");
    let merged: serde_json::Value = serde_json::from_str(&record.merged_json().expect("JSON")).expect("JSON");
    assert_eq!(merged["actor"]["name"], "Zoë \u{1F600} \u{7}");
    assert_eq!(merged["on_behalf_of"]["name"], "Bob");
    assert_eq!(merged["targets"][0]["name"], "Q3");
    assert_eq!(merged["targets"][1]["id"], "inv_10");
    assert_eq!(merged["occurred_at"], "2026-01-02T02:04:05.123456Z");
    assert_eq!(merged["context"]["ip"], "203.0.113.7");
    assert_eq!(merged["metadata"]["iban"], "DE00 1234");
    assert_eq!(merged["metadata"]["api_token"], "[redacted]");
    let kept = record.event_json().expect("event");
    for personal in ["zoe@", "203.0.113.7", "DE00", "Zoë", "Bob", "Q3", "s3cr3t"] {
        assert!(!kept.contains(personal), "{personal} stands in event: {kept}");
    }
}

#[test]
fn sixty_four_threads_record_each_event_once() {
    let scene = Scene::new();
    let log = scene.open();
    let threads: Vec<_> = (0..64)
        .map(|thread| {
            let log = log.clone();
            std::thread::spawn(move || -> Vec<Receipt> {
                (0..25)
                    .map(|round| log.append(login(format!("{thread}_{round}"))).expect("recorded"))
                    .collect()
            })
        })
        .collect();
    let receipts: Vec<Vec<Receipt>> = threads
        .into_iter()
        .map(|thread| thread.join().expect("no panic"))
        .collect();
    let state = log.state();
    assert_eq!(state.size, 2 + 64 * 25);
    assert_eq!((state.queued_events, state.lost_unseen, state.healthy), (0, 0, true));
    log.close(SOON).expect("closed");
    let sound = oracle::check(&scene.store(), &scene.vkey());
    assert_eq!(sound.size(), 3 + 64 * 25);
    for (thread, receipts) in receipts.iter().enumerate() {
        assert!(receipts.is_sorted_by_key(|receipt| receipt.seq), "a thread's order");
        for (round, receipt) in receipts.iter().enumerate() {
            let record = sound.at(receipt.seq);
            assert_eq!(record.hash, receipt.hash);
            assert_eq!(record.event["actor"]["id"], format!("usr_{thread}_{round}"));
            assert!(receipt.size > receipt.seq && receipt.size <= sound.size());
        }
    }
}

#[test]
fn every_way_in_keeps_a_threads_order() {
    let log = memory_log();
    let threads: Vec<_> = (0..8)
        .map(|thread| {
            let log = log.clone();
            std::thread::spawn(move || {
                for round in 0..30 {
                    let event = login(format!("{thread}_{round}")).metadata("round", round);
                    match round % 3 {
                        0 => drop(log.submit(event).expect("room")),
                        1 => drop(log.append(event).expect("recorded")),
                        _ => drop(block_on(log.append_async(event)).expect("recorded")),
                    }
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
    let mut next = [0; 8];
    for record in log.reader().records(2..).expect("readable") {
        let event: serde_json::Value =
            serde_json::from_str(record.expect("a record").event_json().expect("event")).expect("JSON");
        let actor = event["actor"]["id"].as_str().expect("an id");
        let thread: usize = actor[4..5].parse().expect("a number");
        assert_eq!(event["metadata"]["round"], next[thread], "{actor} is out of order");
        next[thread] += 1;
    }
    assert_eq!(next, [30; 8]);
}

#[test]
fn an_event_of_wrong_form_is_not_recorded() {
    let log = memory_log();
    let actor = || Actor::user("usr_1");
    let wrong: Vec<(&str, Event)> = vec![
        ("actor", Event::new(action::AUTH_LOGIN_FAILED)),
        ("action", Event::new("login").actor(actor())),
        ("action", Event::new("Auth.login").actor(actor())),
        ("action", Event::new(action::AUDIT_LOG_PURGED).actor(actor())),
        ("action", Event::new("audit_log.own_idea").actor(actor())),
        ("action", Event::new(format!("a.{}", "b".repeat(127))).actor(actor())),
        ("id", login(1).id("")),
        ("id", login(1).id("a b")),
        ("id", login(1).id("x".repeat(65))),
        ("actor.id", Event::new(action::AUTH_LOGIN_FAILED).actor(Actor::user(""))),
        (
            "actor.id",
            Event::new(action::AUTH_LOGIN_FAILED).actor(Actor::user("x".repeat(257))),
        ),
        ("metadata.score", login(1).metadata("score", f64::NAN)),
        ("metadata.big", login(1).metadata("big", 1_u64 << 53)),
        ("metadata", login(1).metadata("k".repeat(41), 1)),
        (
            "targets",
            (0..51).fold(login(1), |event, _| event.target(Target::user("usr_2"))),
        ),
        ("", login(1).reason("x".repeat(66_000))),
        ("", large(1, 300_000)),
    ];
    for (field, event) in wrong {
        let shown = format!("{event:?}");
        for (way, result) in [
            ("append", log.append(event.clone()).map(drop)),
            ("submit", log.submit(event.clone()).map(drop)),
            ("append_async", block_on(log.append_async(event)).map(drop)),
        ] {
            let error = result.expect_err(&shown);
            assert_eq!(error.kind(), ErrorKind::FixEvent);
            match error.cause() {
                Cause::InvalidEvent(invalid) => {
                    assert!(invalid.field.starts_with(field), "{way}: {error} does not name {field}");
                }
                other => panic!("{way}: {other}"),
            }
        }
    }
    let receipt = log.append(login("sound")).expect("recorded");
    assert_eq!(receipt.seq, 2, "something of what was refused was recorded");
    assert_eq!(log.state().lost_unseen, 0);
}

#[test]
fn limits_below_the_formats_hold_at_every_way_in() {
    let signer = TestSigner::new();
    let log = in_memory(&signer)
        .limits(Limits::default().metadata_keys(1))
        .open(MemoryStore::new())
        .expect("opens");
    let event = login(1).metadata("one", 1).metadata("two", 2);
    for error in [
        log.append(event.clone()).expect_err("two keys"),
        log.submit(event.clone()).expect_err("two keys"),
    ] {
        match error.cause() {
            Cause::InvalidEvent(invalid) => assert!(!matches!(invalid.problem, Problem::Missing), "{invalid}"),
            other => panic!("{other}"),
        }
    }
    log.append(login(1).metadata("one", 1)).expect("one key");
}

#[test]
fn the_largest_events_stand_in_commits_that_are_not_too_large() {
    let scene = Scene::new();
    let signer = TestSigner::new();
    let log = AuditLog::builder(ORIGIN)
        .signer(Arc::clone(&signer))
        .without_checkpoint_file()
        .open(FileStore::new(scene.folder()))
        .expect("opens");
    let first = signer.block_with(&log, login("first"));
    let tickets: Vec<_> = (0..60)
        .map(|round| log.submit(large(round, 250_000)).expect("room"))
        .collect();
    signer.set(Mode::Sign);
    first.wait().expect("recorded");
    for ticket in tickets {
        ticket.wait().expect("recorded");
    }
    assert!(log.state().commits < 60, "a group of events is not one commit each");
    log.close(SOON).expect("closed");
    assert_eq!(oracle::check(&scene.store(), signer.vkey()).size(), 64);
}

#[test]
fn a_value_may_append_while_it_is_serialized() {
    struct Nested(AuditLog);
    impl serde::Serialize for Nested {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let receipt = self.0.append(login("inner")).map_err(serde::ser::Error::custom)?;
            serializer.serialize_u64(receipt.seq)
        }
    }
    let log = memory_log();
    let nested = Nested(log.clone());
    let receipt = within(SOON, "an append in an append", move || {
        log.append(login("outer").metadata("inner", &nested)).expect("recorded")
    });
    assert_eq!(receipt.seq, 3);
}

#[test]
fn the_state_counts_what_happened() {
    let log = memory_log();
    let before = log.state();
    assert_eq!((before.size, before.commits, before.records), (2, 1, 2));
    for round in 0..5 {
        log.append(login(round)).expect("recorded");
    }
    let state = log.state();
    assert_eq!((state.size, state.commits, state.records), (7, 6, 7));
    assert!(state.bytes > before.bytes && state.healthy && state.last_error.is_none());
    assert!(state.last_commit > Duration::ZERO);
    assert_eq!(log.checkpoint().expect("a checkpoint").checkpoint().size(), 7);
    let debug = format!("{log:?}");
    assert!(debug.contains(ORIGIN), "{debug}");
}

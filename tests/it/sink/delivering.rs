//! What a sink gets, and when.

use std::time::{Duration, Instant};

use indelible::sink::{Batch, Delivery, Feed, Limits, Message, Rejection, Sink};
use indelible::{AuditLog, Cause, MemoryStore, Proof, Query, Record};

use super::*;

#[test]
fn every_record_comes_once_and_in_order() {
    let (scene, target) = (Scene::new(), Target::new());
    let log = open_with(&scene, &target);
    append(&log, 50);
    flush(&log);
    assert_eq!(target.seqs(), (0..52).collect::<Vec<_>>());
    let state = state(&log);
    assert_eq!((state.position, state.lag_records, state.delivered), (52, 0, 52));
    assert_eq!((state.lag, state.failing_since), (Duration::ZERO, None));
    assert!(state.rate > 0.0);
}

#[test]
fn closing_a_log_delivers_what_it_says_last() {
    let (scene, target) = (Scene::new(), Target::new());
    let log = open_with(&scene, &target);
    append(&log, 3);
    log.close(SOON).expect("closes");
    let size = log
        .reader()
        .checkpoint()
        .expect("read")
        .expect("a checkpoint")
        .checkpoint()
        .size();
    assert_eq!(target.seqs(), (0..size).collect::<Vec<_>>());
    let last = target.checkpoints().pop().expect("a checkpoint");
    let newest = log.reader().checkpoint().expect("read").expect("a checkpoint");
    assert_eq!(last, serde_json::json!({"checkpoint": newest.as_str()}).to_string());
}

#[test]
fn the_last_handle_of_a_log_delivers_when_it_goes() {
    let (scene, target) = (Scene::new(), Target::new());
    let log = open_with(&scene, &target);
    append(&log, 3);
    drop(log);
    assert_eq!(target.seqs().len(), 6);
}

#[test]
fn a_log_in_memory_is_delivered_too() {
    let target = Target::new();
    let log = AuditLog::builder(ORIGIN)
        .signer(key())
        .without_checkpoint_file()
        .sink(Feed::new("siem", target.clone()))
        .open(MemoryStore::new())
        .expect("opens");
    append(&log, 3);
    flush(&log);
    assert_eq!(target.seqs(), [0, 1, 2, 3, 4]);
}

#[test]
fn a_message_is_the_record_with_its_hash() {
    let (scene, target) = (Scene::new(), Target::new());
    let log = open_with(&scene, &target);
    let receipt = log.append(login(1)).expect("recorded");
    flush(&log);
    let messages = target.messages();
    let message = messages
        .iter()
        .find(|message| message.seq() == Some(2))
        .expect("it came");
    let mut json: serde_json::Value = serde_json::from_str(message.text()).expect("JSON");
    assert_eq!(json["hash"], receipt.hash.to_string());
    assert_eq!(
        serde_json_canonicalizer::to_string(&json).expect("JSON"),
        message.text()
    );
    json.as_object_mut().expect("an object").remove("hash");
    let record = Record::from_json(json.to_string().as_bytes()).expect("a record");
    assert_eq!((record.hash(), record.seq()), (receipt.hash, receipt.seq));
    assert_eq!(record.line(), message.record().and_then(Record::line));
    assert_eq!(message.id(), format!("2-{}", &receipt.hash.to_string()[..32]));
}

#[test]
fn personal_data_can_be_left_out_and_the_record_verifies() {
    let (scene, target) = (Scene::new(), Target::new());
    let feed = Feed::new("siem", target.clone()).without_personal_data().with_proofs();
    let log = scene.builder().sink(feed).open(scene.store()).expect("opens");
    let event = indelible::Event::new(indelible::action::AUTH_LOGIN_SUCCEEDED)
        .actor(indelible::Actor::user("usr_1").email("alice@example.com"))
        .ip(std::net::Ipv4Addr::new(203, 0, 113, 7));
    let receipt = log.append(event).expect("recorded");
    flush(&log);
    for message in target.messages() {
        assert!(!message.text().contains("alice@"), "{}", message.text());
        assert!(!message.text().contains("203.0.113"), "{}", message.text());
        if message.record().is_none() {
            continue;
        }
        let mut json: serde_json::Value = serde_json::from_str(message.text()).expect("JSON");
        let parts = json.as_object_mut().expect("an object");
        let proof: Proof = parts
            .remove("proof")
            .expect("a proof")
            .as_str()
            .expect("a text")
            .parse()
            .expect("a proof");
        parts.remove("hash");
        let record = Record::from_json(json.to_string().as_bytes()).expect("a record");
        proof.verify(record.hash(), &log.vkey()).expect("verifies");
    }
    let hashes: Vec<_> = target.messages().iter().filter_map(Message::hash).collect();
    assert_eq!(hashes[2], receipt.hash);
}

#[test]
fn a_filter_leaves_others_out_and_the_position_goes_on() {
    let (scene, target) = (Scene::new(), Target::new());
    let feed = Feed::new("siem", target.clone())
        .with_proofs()
        .filter(Query::new().actor_id("usr_7"));
    let log = scene.builder().sink(feed).open(scene.store()).expect("opens");
    append(&log, 20);
    flush(&log);
    assert_eq!(target.seqs(), [9]);
    assert!(
        target.messages()[0].text().contains("tlog-proof"),
        "whatever is said first"
    );
    assert_eq!(state(&log).position, 22);
}

#[test]
fn a_checkpoint_comes_at_most_once_a_second_and_at_last_the_newest() {
    let (scene, target) = (Scene::new(), Target::new());
    let log = open_with(&scene, &target);
    let began = Instant::now();
    while began.elapsed() < Duration::from_millis(2500) {
        append(&log, 1);
        std::thread::sleep(Duration::from_millis(10));
    }
    flush(&log);
    eventually("the last checkpoint", || {
        let newest = log.checkpoint().expect("a checkpoint");
        target.checkpoints().last() == Some(&serde_json::json!({"checkpoint": newest.as_str()}).to_string())
    });
    let seconds = usize::try_from(began.elapsed().as_secs()).expect("few");
    assert!(
        (3..=seconds + 1).contains(&target.checkpoints().len()),
        "{:?}",
        target.checkpoints()
    );
    assert_eq!(state(&log).checkpoint, state(&log).position);
}

#[test]
fn a_checkpoint_that_is_refused_is_told() {
    let scene = Scene::new();
    let target = Target::answering(|batch| {
        let is_checkpoint = |at: &usize| batch.messages[*at].record().is_none();
        let rejected = (0..batch.messages.len()).filter(is_checkpoint);
        let rejected = rejected.map(|at| Rejection::new(at, "HTTP 413")).collect();
        let undelivered = Vec::new();
        Delivery::Rejected { rejected, undelivered }
    });
    let log = open_with(&scene, &target);
    flush(&log);
    eventually("it is told", || state(&log).last_error.is_some());
    assert_eq!(state(&log).last_error.expect("a problem").what(), "HTTP 413");
    assert_eq!((state(&log).rejected, state(&log).checkpoint), (0, 0));
    assert_complete(&target, &log);
}

#[test]
fn a_sink_can_do_without_checkpoints() {
    let (scene, target) = (Scene::new(), Target::new());
    let feed = Feed::new("siem", target.clone()).without_checkpoints();
    let log = scene.builder().sink(feed).open(scene.store()).expect("opens");
    append(&log, 3);
    log.close(SOON).expect("closes");
    assert_eq!(target.checkpoints(), [""; 0]);
}

/// A target with limits, which it checks.
#[derive(Debug, Clone, Default)]
struct Limited(Target);

impl Sink for Limited {
    fn limits(&self) -> Limits {
        Limits::new(7, 4000).within(Duration::from_secs(3600))
    }

    fn size_of(&self, message: &Message) -> usize {
        message.text().len() + 26
    }

    fn deliver(&mut self, batch: &Batch<'_>) -> Delivery {
        let bytes: usize = batch.messages.iter().map(|message| self.size_of(message)).sum();
        assert!(batch.messages.len() <= 7 && (bytes <= 4000 || batch.messages.len() == 1));
        let times: Vec<_> = batch.messages.iter().map(Message::recorded_at).collect();
        assert!(times.is_sorted(), "{times:?}");
        let span = times[times.len() - 1].unix_micros() - times[0].unix_micros();
        assert!(span <= 3_600_000_000, "{times:?}");
        self.0.deliver(batch)
    }
}

#[test]
fn a_batch_keeps_within_the_limits() {
    let (scene, clock) = (Scene::new(), crate::clock::Hand::new());
    let log = scene.builder().clock(clock.clone()).open(scene.store()).expect("opens");
    for (at, event) in (0..200).map(|user| (user, large(user, 10 * user))) {
        if at % 20 == 0 {
            clock.forward(Duration::from_secs(3000));
        }
        if at == 100 {
            clock.back(Duration::from_secs(86_400));
        }
        log.append(event).expect("recorded");
    }
    let limited = Limited::default();
    log.add_sink(Feed::new("limited", limited.clone())).expect("added");
    flush(&log);
    assert_complete(&limited.0, &log);
    assert_eq!(state(&log).retries, 0);
}

#[test]
fn a_sink_begins_where_it_is_told() {
    let scene = Scene::new();
    let (early, late, third) = (Target::new(), Target::new(), Target::new());
    let log = scene.builder().sink(Feed::new("early", early.clone()).from_now_on());
    let log = log.open(scene.store()).expect("opens");
    append(&log, 3);
    log.add_sink(Feed::new("late", late.clone()).from_now_on())
        .expect("added");
    log.add_sink(Feed::new("third", third.clone()).from_seq(3))
        .expect("added");
    append(&log, 2);
    flush(&log);
    assert_eq!(early.seqs(), [0, 1, 2, 3, 4, 5, 6]);
    assert_eq!(late.seqs(), [5, 6]);
    assert_eq!(third.seqs(), [3, 4, 5, 6]);
}

#[test]
fn sinks_are_added_removed_paused_and_resumed() {
    let (scene, target) = (Scene::new(), Target::new());
    let log = open_with(&scene, &target);
    append(&log, 2);
    flush(&log);
    log.pause_sink("siem").expect("pauses");
    append(&log, 2);
    assert!(state(&log).is_paused);
    let late = log.flush_sinks(Duration::from_millis(100)).expect_err("it is paused");
    assert!(matches!(late.cause(), Cause::TimedOut { .. }), "{late}");
    assert_eq!(target.seqs().len(), 4);
    log.resume_sink("siem").expect("resumes");
    flush(&log);
    assert_eq!(target.seqs(), [0, 1, 2, 3, 4, 5]);
    log.remove_sink("siem", SOON).expect("removed");
    append(&log, 1);
    assert!(log.state().sinks.is_empty());
    assert_eq!(target.seqs().len(), 6);
    log.add_sink(Feed::new("siem", target.clone())).expect("added again");
    flush(&log);
    assert_eq!(target.seqs(), [0, 1, 2, 3, 4, 5, 6]);
}

#[test]
fn what_does_not_fit_is_refused_by_name() {
    let scene = Scene::new();
    let log = scene.open();
    let refused = |feed: Feed| match log.add_sink(feed).expect_err("refused").cause() {
        Cause::Configuration {
            option: "sink",
            problem,
        } => problem.clone(),
        other => panic!("{other}"),
    };
    let feed = |name: &str| Feed::new(name, Target::new());
    for name in ["", "a/b", "..", "Großes", "a.b", &"a".repeat(65)] {
        assert!(refused(feed(name)).contains("the name"), "{name:?}");
    }
    assert!(refused(feed("a").filter(Query::new().seq_from(3))).contains("seq_from"));
    let last = Query::parse("last=7d").expect("a query");
    assert!(refused(feed("a").filter(last)).contains("nor last"));
    assert!(refused(feed("a").filter(Query::new().after("cursor"))).contains("cursor"));
    log.add_sink(feed("a")).expect("added");
    assert!(refused(feed("a")).contains("already"));
    let none = log.pause_sink("b").expect_err("there is none");
    assert_eq!(none.to_string(), "sink: there is no sink \"b\"");
    log.close(SOON).expect("closes");
    let twice = scene
        .builder()
        .sink(feed("a"))
        .sink(feed("a"))
        .open(scene.store())
        .expect_err("twice");
    assert!(
        matches!(twice.cause(), Cause::Configuration { option: "sink", .. }),
        "{twice}"
    );
    let ended = log.add_sink(feed("c")).expect_err("it is closed");
    assert!(is_closed(ended.cause()), "{ended}");
}

#[test]
fn what_a_target_takes_in_part_comes_again_in_part() {
    let (scene, mut odd) = (Scene::new(), false);
    let target = Target::answering(move |batch| {
        odd = !odd;
        let undelivered: Vec<usize> = (0..batch.messages.len()).filter(|at| odd && at % 3 == 1).collect();
        Delivery::Partly { undelivered }
    });
    let log = scene.open();
    append(&log, 100);
    log.add_sink(Feed::new("siem", target.clone())).expect("added");
    flush(&log);
    let mut seqs = target.seqs();
    seqs.sort_unstable();
    assert_eq!(seqs, (0..102).collect::<Vec<_>>());
}

#[test]
fn a_rejection_of_some_keeps_the_rest() {
    let scene = Scene::new();
    let target = Target::answering(|batch| {
        let is_bad = |at: &usize| batch.messages[*at].seq().is_some_and(|seq| seq % 10 == 5);
        let rejected = (0..batch.messages.len())
            .filter(is_bad)
            .map(|at| Rejection::new(at, "it ends in 5"));
        let (rejected, undelivered) = (rejected.collect(), Vec::new());
        Delivery::Rejected { rejected, undelivered }
    });
    let log = scene.open();
    append(&log, 60);
    log.add_sink(Feed::new("siem", target.clone())).expect("added");
    flush(&log);
    let expected: Vec<u64> = (0..state(&log).position).filter(|seq| seq % 10 != 5).collect();
    assert_eq!(target.seqs(), expected);
    assert!(state(&log).rejected >= 6);
}

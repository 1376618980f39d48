//! Targets that fail: nothing is lost, nobody else waits, and the log says it once.

use std::fs;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use indelible::sink::{Delivery, Feed, Problem};
use proptest::prelude::*;

use super::*;

pub(super) fn rejected(scene: &Scene) -> Vec<serde_json::Value> {
    let text = fs::read_to_string(scene.folder().join("sinks/siem.rejected.jsonl")).unwrap_or_default();
    text.lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

#[test]
fn what_fails_is_tried_again_until_it_works() {
    let (scene, mut left) = (Scene::new(), 5);
    let target = Target::answering(move |_| {
        left -= i32::from(left > 0);
        match left {
            0 => Delivery::Delivered,
            1 => Delivery::Throttled {
                pause: Some(Duration::from_millis(50)),
                problem: Problem::new("too much"),
            },
            2 => panic!("the sink's own"),
            _ => Delivery::retry("it does not answer"),
        }
    });
    let log = open_with(&scene, &target);
    append(&log, 20);
    flush(&log);
    assert_complete(&target, &log);
    assert_eq!(state(&log).retries, 4);
    assert_eq!(state(&log).failing_since, None);
    // A short outage is not worth a record.
    assert!(told(&log, "audit_log.delivery.*").is_empty());
}

#[test]
fn a_record_that_is_never_taken_is_found_and_set_aside() {
    let scene = Scene::new();
    let log = scene.open();
    append(&log, 200);
    let target = Target::answering(
        |batch| match batch.messages.iter().any(|message| message.seq() == Some(77)) {
            true => Delivery::split(Problem::new("HTTP 400").with_answer("alice@example.com is not what I like")),
            false => Delivery::Delivered,
        },
    );
    log.add_sink(Feed::new("siem", target.clone())).expect("added");
    flush(&log);
    eventually("it is told", || told(&log, "audit_log.delivery.failed").len() == 1);
    flush(&log);
    let size = log.checkpoint().expect("a checkpoint").checkpoint().size();
    assert_eq!(target.seqs(), (0..size).filter(|seq| *seq != 77).collect::<Vec<_>>());
    assert_eq!(state(&log).rejected, 1);
    let rejected = rejected(&scene);
    assert_eq!(rejected.len(), 1);
    assert_eq!(rejected[0]["seq"], 77);
    assert_eq!(rejected[0]["problem"], "HTTP 400");
    assert_eq!(rejected[0]["answer"], "alice@example.com is not what I like");
    assert_eq!(rejected[0]["record"]["seq"], 77);
    let told = told(&log, "audit_log.delivery.failed");
    assert_eq!(told[0]["sink"], "siem");
    assert_eq!(
        (&told[0]["rejected"], &told[0]["first"], &told[0]["last"]),
        (&1.into(), &77.into(), &77.into())
    );
    assert_eq!(told[0]["problem"], "HTTP 400");
    // What a target answers may hold anything: it is not recorded for good.
    assert!(
        !content_of(&scene.last_segment())
            .windows(6)
            .any(|window| window == b"I like")
    );
}

#[test]
fn reports_of_rejections_that_are_rejected_make_no_loop() {
    let scene = Scene::new();
    let log = scene.open();
    append(&log, 3);
    let is_report = |message: &Message| message.text().contains("audit_log.delivery");
    let target = Target::answering(move |batch| {
        match batch
            .messages
            .iter()
            .any(|message| message.seq() == Some(2) || is_report(message))
        {
            true => Delivery::split("HTTP 400"),
            false => Delivery::Delivered,
        }
    });
    log.add_sink(Feed::new("siem", target)).expect("added");
    eventually("the report is set aside too", || rejected(&scene).len() == 2);
    std::thread::sleep(Duration::from_millis(500));
    flush(&log);
    assert_eq!(told(&log, "audit_log.delivery.failed").len(), 1);
    assert_eq!(rejected(&scene).len(), 2);
}

#[test]
fn a_target_that_refuses_everything_is_held_rather_than_emptied_into_a_file() {
    let scene = Scene::new();
    let log = scene.open();
    append(&log, 300);
    let target = Target::answering(|_| Delivery::split("HTTP 400"));
    log.add_sink(Feed::new("siem", target.clone())).expect("added");
    eventually("it is held", || state(&log).is_held);
    assert!(rejected(&scene).len() <= 100);
    assert!(state(&log).position <= 100);
    target.mend();
    log.resume_sink("siem").expect("resumes");
    flush(&log);
    eventually("it is told", || told(&log, "audit_log.delivery.recovered").len() == 1);
    flush(&log);
    let set_aside = rejected(&scene).len() as u64;
    let size = log.checkpoint().expect("a checkpoint").checkpoint().size();
    assert_eq!(target.seqs(), (set_aside..size).collect::<Vec<_>>());
}

#[test]
fn what_is_misconfigured_keeps_its_place_and_is_told_once() {
    let scene = Scene::new();
    let target = Target::answering(|_| Delivery::hold("HTTP 403: the token is not what it was"));
    let log = open_with(&scene, &target);
    append(&log, 5);
    eventually("it is told", || told(&log, "audit_log.delivery.failed").len() == 1);
    assert!(state(&log).is_held && state(&log).failing_since.is_some());
    assert!(state(&log).lag > Duration::ZERO);
    for _ in 0..3 {
        log.resume_sink("siem").expect("tries again");
        std::thread::sleep(Duration::from_millis(50));
    }
    let failed = told(&log, "audit_log.delivery.failed");
    assert_eq!(failed.len(), 1);
    assert_eq!((&failed[0]["held"], &failed[0]["position"]), (&true.into(), &0.into()));
    target.mend();
    log.resume_sink("siem").expect("tries again");
    eventually("it is told", || told(&log, "audit_log.delivery.recovered").len() == 1);
    flush(&log);
    assert_complete(&target, &log);
    assert!(!state(&log).is_held);
}

#[test]
fn an_outage_over_restarts_is_told_once_and_so_is_its_end() {
    let scene = Scene::new();
    let target = Target::answering(|_| Delivery::hold("HTTP 403"));
    for _ in 0..3 {
        let log = open_with(&scene, &target);
        eventually("it is held", || state(&log).retries > 0);
        eventually("it is told", || told(&log, "audit_log.delivery.failed").len() == 1);
        log.close(SOON).expect("closes");
    }
    target.mend();
    for _ in 0..2 {
        let log = open_with(&scene, &target);
        eventually("it is told", || told(&log, "audit_log.delivery.recovered").len() == 1);
        let (failed, recovered) = (
            told(&log, "audit_log.delivery.failed"),
            told(&log, "audit_log.delivery.recovered"),
        );
        assert_eq!((failed.len(), recovered.len()), (1, 1));
        assert_eq!(failed[0]["since"], recovered[0]["since"]);
        flush(&log);
        assert_complete(&target, &log);
        log.close(SOON).expect("closes");
    }
}

#[test]
fn what_was_set_aside_last_is_told_after_the_next_opening() {
    let scene = Scene::new();
    let target = Target::answering(|batch| {
        let is_bad = |message: &Message| message.text().contains("usr_bad");
        match batch.messages.iter().any(is_bad) {
            true => Delivery::split("HTTP 400"),
            false => Delivery::Delivered,
        }
    });
    let log = open_with(&scene, &target);
    let bad = |log: &AuditLog| log.append(login("bad")).expect("recorded").seq;
    let first = bad(&log);
    eventually("it is told", || told(&log, "audit_log.delivery.failed").len() == 1);
    // Within the minute in which it is not told again.
    let second = bad(&log);
    flush(&log);
    log.close(SOON).expect("closes");
    let log = scene.open();
    eventually("it is told", || told(&log, "audit_log.delivery.failed").len() == 2);
    let told = told(&log, "audit_log.delivery.failed");
    let seqs: Vec<_> = told.iter().map(|told| told["first"].clone()).collect();
    assert!(
        seqs.contains(&first.into()) && seqs.contains(&second.into()),
        "{told:?}"
    );
}

#[test]
fn a_sink_that_is_paused_lags_behind() {
    let (scene, target) = (Scene::new(), Target::new());
    let log = open_with(&scene, &target);
    flush(&log);
    log.pause_sink("siem").expect("pauses");
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(state(&log).lag, Duration::ZERO);
    let began = Instant::now();
    append(&log, 1);
    eventually("it lags", || state(&log).lag > Duration::from_millis(500));
    let lag = state(&log).lag;
    assert!(lag < began.elapsed() + Duration::from_millis(100), "{lag:?}");
    log.resume_sink("siem").expect("resumes");
    flush(&log);
    assert_eq!(state(&log).lag, Duration::ZERO);
}

#[test]
fn a_sink_that_hangs_costs_nobody_anything() {
    let (scene, (release, hanging)) = (Scene::new(), mpsc::channel::<()>());
    let hung = Target::answering(move |_| {
        let _ = hanging.recv();
        Delivery::Delivered
    });
    let (down, well) = (Target::answering(|_| Delivery::retry("down")), Target::new());
    let log = scene
        .builder()
        .sink(Feed::new("hung", hung))
        .sink(Feed::new("down", down))
        .sink(Feed::new("well", well.clone()))
        .open(scene.store())
        .expect("opens");
    append(&log, 100);
    eventually("the other has all", || well.seqs().len() == 102);
    assert!(log.state().sinks[0].under_way.is_some());
    assert_eq!(log.state().sinks[0].position, 0);
    assert!(log.state().healthy);
    let began = Instant::now();
    log.close(Duration::from_secs(5)).expect("closes, though one hangs");
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert_eq!(well.seqs().len(), 103);
    // Another opening waits for the one that hangs still.
    let log = scene.open();
    append(&log, 1);
    log.close(SOON).expect("closes");
    drop(release);
}

#[test]
fn closing_does_not_wait_for_a_target_that_is_down() {
    let scene = Scene::new();
    let log = open_with(&scene, &Target::answering(|_| Delivery::retry("down")));
    append(&log, 10);
    eventually("it fails", || state(&log).retries > 2);
    let began = Instant::now();
    log.close(SOON).expect("closes");
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}

#[test]
fn a_clock_that_jumps_loses_nothing_and_makes_no_lag() {
    let (scene, clock, target) = (Scene::new(), crate::clock::Hand::new(), Target::new());
    let feed = Feed::new("siem", target.clone());
    let log = scene.builder().clock(clock.clone()).sink(feed);
    let log = log.open(scene.store()).expect("opens");
    for year in 0..4 {
        append(&log, 5);
        match year % 2 {
            0 => clock.forward(Duration::from_secs(365 * 86_400)),
            _ => clock.back(Duration::from_secs(2 * 365 * 86_400)),
        }
        flush(&log);
        assert_eq!(state(&log).lag, Duration::ZERO);
    }
    target.answer(|_| Delivery::retry("down"));
    append(&log, 1);
    clock.back(Duration::from_secs(86_400));
    eventually("it fails", || state(&log).retries > 1);
    assert_eq!(state(&log).lag, Duration::ZERO);
    target.mend();
    log.resume_sink("siem").expect("tries again");
    flush(&log);
    assert_complete(&target, &log);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever a target answers, in the end it has all records, in the order of the log, or they are set aside.
    #[test]
    fn nothing_is_lost_whatever_a_target_answers(
        answers in proptest::collection::vec((0_u8..6, any::<u64>()), 0..60),
        count in 1_usize..80,
    ) {
        let scene = Scene::new();
        let log = scene.open();
        append(&log, count);
        let mut answers = answers.into_iter();
        let target = Target::answering(move |batch| {
            let count = batch.messages.len();
            let some = |bits: u64| (0..count).filter(move |at| bits >> (at % 64) & 1 == 1);
            match answers.next() {
                Some((0, bits)) => Delivery::Partly { undelivered: some(bits).collect() },
                Some((1, _)) => Delivery::split("too large"),
                Some((2, bits)) => Delivery::Rejected {
                    rejected: some(bits & 0x11).map(|at| indelible::sink::Rejection::new(at, "never")).collect(),
                    undelivered: some(bits & !0x11).collect(),
                },
                Some((3, _)) => Delivery::Throttled { pause: Some(Duration::ZERO), problem: Problem::new("slower") },
                _ => Delivery::Delivered,
            }
        });
        log.add_sink(Feed::new("siem", target.clone())).expect("added");
        log.flush_sinks(SOON).expect("delivered");
        log.close(SOON).expect("closes");
        // What it did not take at the very end, it gets the next time.
        target.mend();
        open_with(&scene, &target).close(SOON).expect("closes");
        let size = log.reader().checkpoint().expect("read").expect("a checkpoint").checkpoint().size();
        let mut all = target.first_arrivals();
        all.extend(rejected(&scene).iter().map(|line| line["seq"].as_u64().expect("a number")));
        all.sort_unstable();
        all.dedup();
        prop_assert_eq!(all, (0..size).collect::<Vec<_>>());
    }
}

//! Sinks, stores and hosts that misbehave: nothing is lost, nobody else is harmed, and it goes on.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use indelible::sink::{Batch, Delivery, Feed, Limits, Message, Problem, Rejection, Shipper, Sink};
use indelible::{FileStore, LogReader};

use super::*;
use crate::disk::{Small, fill, make_space};
use crate::stores::{BadRead, Hooked, Hooks};

/// A sink that panics wherever it is asked, the first times.
#[derive(Debug, Clone, Default)]
struct Panicking {
    target: Target,
    limits: Arc<AtomicUsize>,
    sizes: Arc<AtomicUsize>,
    unconfirmed: Arc<AtomicUsize>,
}

fn panic_times(left: &AtomicUsize) {
    let panics = left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
    assert!(panics.is_err(), "the sink's own");
}

impl Sink for Panicking {
    fn limits(&self) -> Limits {
        panic_times(&self.limits);
        Limits::new(7, 10_000)
    }

    fn size_of(&self, message: &Message) -> usize {
        panic_times(&self.sizes);
        message.text().len()
    }

    fn deliver(&mut self, batch: &Batch<'_>) -> Delivery {
        self.target.deliver(batch)
    }

    fn unconfirmed(&mut self) -> Option<u64> {
        panic_times(&self.unconfirmed);
        None
    }
}

#[test]
fn a_sink_that_panics_wherever_it_is_asked_goes_on() {
    let (scene, sink) = (Scene::new(), Panicking::default());
    for (left, count) in [(&sink.limits, 3), (&sink.sizes, 3), (&sink.unconfirmed, 2)] {
        left.store(count, Ordering::SeqCst);
    }
    let feed = Feed::new("siem", sink.clone());
    let log = scene.builder().sink(feed).open(scene.store()).expect("opens");
    append(&log, 50);
    eventually("it has failed often enough", || {
        let _ = log.resume_sink("siem");
        state(&log).lag_records == 0
    });
    flush(&log);
    assert_complete(&sink.target, &log);
    let problem = state(&log).last_error.expect("a problem").to_string();
    assert_eq!(problem, "the sink panicked");
    assert!(state(&log).retries >= 8, "{:?}", state(&log));
    assert_eq!(state(&log).failing_since, None);
    // While it is asked nothing else, too.
    sink.limits.store(1, Ordering::SeqCst);
    append(&log, 50);
    flush(&log);
    log.close(SOON).expect("closes");
    assert_eq!(sink.target.first_arrivals().len(), 103);
}

#[test]
fn a_store_that_cannot_be_read_now_and_then_hides_nothing() {
    for bad in [BadRead::Fails, BadRead::Panics] {
        let (scene, hooks) = (Scene::new(), Arc::new(Hooks::default()));
        let target = Target::new();
        // Each commit is read by itself.
        let store = Hooked::new(FileStore::new(scene.folder()).segment_size(1), &hooks);
        let log = scene.builder().open(store).expect("opens");
        for group in 0..160 {
            let users = group * 5..group * 5 + 5;
            let tickets: Vec<_> = users.map(|user| log.submit(login(user)).expect("room")).collect();
            tickets
                .into_iter()
                .for_each(|ticket| _ = ticket.wait().expect("recorded"));
        }
        // Far enough apart that one is in the midst of what is read ahead.
        let mut reads = vec![BadRead::Goes; 160];
        reads.iter_mut().step_by(75).for_each(|read| *read = bad);
        hooks.spoil_reads(reads);
        log.add_sink(Feed::new("siem", Many(target.clone()))).expect("added");
        flush(&log);
        assert!(!hooks.has_bad_reads(), "too little was read");
        assert_complete(&target, &log);
    }
}

/// A target that takes three hundred at a time: then as many are read meanwhile.
#[derive(Debug)]
struct Many(Target);

impl Sink for Many {
    fn limits(&self) -> Limits {
        Limits::new(300, 1_000_000)
    }

    fn deliver(&mut self, batch: &Batch<'_>) -> Delivery {
        self.0.deliver(batch)
    }
}

#[test]
fn places_that_are_not_in_the_batch_mean_nothing() {
    let scene = Scene::new();
    let log = scene.open();
    append(&log, 100);
    let target = Target::answering(|batch| {
        let beyond = batch.messages.len();
        let rejections = [0, 0, beyond, beyond + 3, usize::MAX].map(|at| Rejection::new(at, "never"));
        let is_bad = batch.messages[0].seq() == Some(3);
        Delivery::Rejected {
            rejected: rejections.into_iter().skip(if is_bad { 0 } else { 2 }).collect(),
            undelivered: vec![beyond, usize::MAX],
        }
    });
    log.add_sink(Feed::new("siem", OneByOne(target.clone())))
        .expect("added");
    flush(&log);
    let set_aside = super::troubles::rejected(&scene);
    assert_eq!(set_aside.len(), 1);
    assert_eq!(set_aside[0]["seq"], 3);
    let arrivals = target.first_arrivals();
    let expected: Vec<u64> = (0..arrivals.len() as u64 + 1).filter(|seq| *seq != 3).collect();
    assert_eq!(arrivals, expected);
}

#[derive(Debug)]
struct OneByOne(Target);

impl Sink for OneByOne {
    fn limits(&self) -> Limits {
        Limits::new(1, 1)
    }

    fn deliver(&mut self, batch: &Batch<'_>) -> Delivery {
        self.0.deliver(batch)
    }
}

#[test]
fn a_target_that_asks_for_a_year_waits_until_it_is_resumed_and_holds_up_no_closing() {
    let year = Duration::from_secs(365 * 86_400);
    let (scene, mut asked) = (Scene::new(), false);
    let target = Target::answering(move |_| match std::mem::replace(&mut asked, true) {
        false => Delivery::Throttled {
            pause: Some(year),
            problem: Problem::new("HTTP 429"),
        },
        true => Delivery::Delivered,
    });
    let log = open_with(&scene, &target);
    append(&log, 3);
    eventually("it asks", || state(&log).retries == 1);
    assert_eq!(state(&log).position, 0);
    log.resume_sink("siem").expect("resumes");
    flush(&log);
    let throttled = Target::answering(move |_| Delivery::Throttled {
        pause: Some(Duration::MAX),
        problem: Problem::new("HTTP 429"),
    });
    log.add_sink(Feed::new("throttled", throttled)).expect("added");
    eventually("it asks", || log.state().sinks[1].retries == 1);
    let began = Instant::now();
    log.close(SOON).expect("closes");
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert_complete_of(&target, 6);
}

#[track_caller]
fn assert_complete_of(target: &Target, size: u64) {
    assert_eq!(target.first_arrivals(), (0..size).collect::<Vec<_>>());
}

#[test]
fn limits_of_time_without_end_are_taken_as_they_are() {
    let (scene, target) = (Scene::new(), Target::new());
    let log = open_with(&scene, &target);
    append(&log, 10);
    log.remove_sink("siem", Duration::MAX).expect("removed");
    assert_complete_of(&target, 12);
    let shipped = Target::new();
    let feed = Feed::new("shipped", shipped.clone());
    let shipper = Shipper::start(LogReader::new(scene.store()), [feed]).expect("starts");
    shipper.flush(Duration::MAX).expect("delivered");
    shipper.stop(Duration::MAX).expect("stops");
    assert_complete_of(&shipped, 12);
}

#[test]
fn a_sink_that_is_asked_for_everything_at_once_loses_nothing() {
    let (scene, target) = (Scene::new(), Target::new());
    let log = open_with(&scene, &target);
    let until = Instant::now() + Duration::from_secs(2);
    std::thread::scope(|scope| {
        let hammer = |ask: fn(&AuditLog, &Target)| {
            let (log, target) = (&log, &target);
            scope.spawn(move || {
                while Instant::now() < until {
                    ask(log, target);
                }
            });
        };
        hammer(|log, _| append(log, 1));
        hammer(|log, _| _ = log.pause_sink("siem"));
        hammer(|log, _| _ = log.resume_sink("siem"));
        hammer(|log, _| _ = log.flush_sinks(Duration::from_millis(3)));
        hammer(|log, _| {
            let _ = log.remove_sink("siem", Duration::from_millis(50));
            std::thread::sleep(Duration::from_millis(5));
        });
        hammer(|log, target| {
            let added = log.add_sink(Feed::new("siem", target.clone()));
            if let Err(error) = added {
                assert!(error.to_string().contains("already"), "{error}");
            }
            std::thread::sleep(Duration::from_millis(2));
        });
    });
    let _ = log.add_sink(Feed::new("siem", target.clone()));
    log.resume_sink("siem").expect("resumes");
    flush(&log);
    log.close(SOON).expect("closes");
    let size = log.reader().checkpoint().expect("read").expect("a checkpoint");
    assert_complete_of(&target, size.checkpoint().size());
}

#[test]
fn no_sink_begins_while_a_log_ends() {
    for _ in 0..20 {
        let scene = Scene::new();
        let log = scene.open();
        let down = || Feed::new("down", Target::answering(|_| Delivery::retry("down")));
        let (closing, adding) = (log.clone(), log.clone());
        let added = std::thread::scope(|scope| {
            let closed = scope.spawn(move || closing.close(SOON));
            let added = scope.spawn(move || adding.add_sink(down()));
            closed.join().expect("no panic").expect("closes");
            added.join().expect("no panic")
        });
        if let Err(error) = added {
            assert!(is_closed(error.cause()), "{error}");
        }
        // Nobody holds its place.
        let log = scene.builder().sink(Feed::new("down", Target::new()));
        let log = log.open(scene.store()).expect("opens");
        flush(&log);
    }
}

#[test]
fn a_sink_that_holds_now_and_then_fills_no_log() {
    let (scene, mut holds) = (Scene::new(), false);
    // Each report is a record, which is delivered too.
    let target = Target::answering(move |_| {
        holds = !holds;
        match holds {
            true => Delivery::hold("HTTP 403"),
            false => Delivery::Delivered,
        }
    });
    let log = open_with(&scene, &target);
    let until = Instant::now() + Duration::from_secs(3);
    while Instant::now() < until {
        append(&log, 1);
        log.resume_sink("siem").expect("tries again");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(state(&log).retries > 10, "{:?}", state(&log));
    assert_eq!(told(&log, "audit_log.delivery.failed").len(), 1);
    assert!(told(&log, "audit_log.delivery.recovered").len() <= 1);
}

#[test]
fn where_all_that_failed_is_erased_nothing_is_amiss() {
    let scene = Scene::new();
    let log = scene.open();
    append(&log, 3);
    let target = Target::answering(|_| Delivery::retry("down"));
    let feed = Feed::new("siem", target).filter(indelible::Query::new().actor_id("usr_1"));
    log.add_sink(feed).expect("added");
    eventually("it fails", || state(&log).failing_since.is_some());
    log.erase_records([3..=3], "a request").expect("erased");
    eventually("nothing is amiss", || {
        let _ = log.resume_sink("siem");
        state(&log).failing_since.is_none()
    });
    flush(&log);
}

#[test]
fn a_disk_without_space_for_what_is_refused_keeps_its_place() {
    let Some(small) = Small::mount(64) else {
        return;
    };
    let scene = &small.scene;
    let log = scene.open();
    append(&log, 60);
    std::os::unix::fs::symlink(&small.path, scene.folder().join("sinks")).expect("a link");
    let is_bad = |message: &Message| message.seq().is_some_and(|seq| seq % 10 == 5);
    let target = Target::answering(move |batch| match batch.messages.iter().any(is_bad) {
        true => Delivery::split("HTTP 400"),
        false => Delivery::Delivered,
    });
    fill(&small.path);
    log.add_sink(Feed::new("siem", target.clone())).expect("added");
    eventually("it has no place for its position", || state(&log).retries > 1);
    assert!(target.seqs().is_empty(), "{:?}", target.seqs());
    make_space(&small.path);
    log.resume_sink("siem").expect("tries again");
    eventually("its position is saved", || state(&log).position > 0);
    flush(&log);
    log.pause_sink("siem").expect("pauses");
    fill(&small.path);
    append(&log, 60);
    log.resume_sink("siem").expect("resumes");
    eventually("it has no place for what is refused", || {
        let problem = state(&log).last_error.map(|problem| problem.to_string());
        problem.is_some_and(|problem| problem.contains("cannot be set aside"))
    });
    let retries = state(&log).retries;
    eventually("it tries again", || {
        let _ = log.resume_sink("siem");
        state(&log).retries > retries + 5
    });
    make_space(&small.path);
    log.resume_sink("siem").expect("tries again");
    flush(&log);
    // Whole lines, each record once or more.
    let mut set_aside: Vec<u64> = super::troubles::rejected(scene)
        .iter()
        .map(|line| line["seq"].as_u64().expect("a number"))
        .collect();
    set_aside.dedup();
    let size = state(&log).position;
    assert_eq!(set_aside, (0..size).filter(|seq| seq % 10 == 5).collect::<Vec<_>>());
    let expected: Vec<u64> = (0..size).filter(|seq| seq % 10 != 5).collect();
    assert_eq!(target.first_arrivals(), expected);
    log.close(SOON).expect("closes");
}

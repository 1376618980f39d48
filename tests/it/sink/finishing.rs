//! Targets that may lose what they took: the saved position stays before it, and a sink ends in order.

use std::fs;
use std::time::Duration;

use indelible::sink::{Batch, Delivery, Feed, Limits, Message, Sink};
use indelible::{AuditLog, Query};

use super::*;

/// A target that tells what it may lose still, and how it ends.
#[derive(Debug, Clone, Default)]
struct Losing {
    target: Target,
    may_lose: Arc<Mutex<Option<u64>>>,
    /// Whether all is confirmed at the end.
    confirms: bool,
    finished: Arc<Mutex<usize>>,
}

impl Losing {
    /// It may lose all from `seq` on.
    fn from(seq: u64) -> Self {
        let losing = Self::default();
        losing.may_lose_from(Some(seq));
        losing
    }

    fn may_lose_from(&self, seq: Option<u64>) {
        *self.may_lose.lock().expect("unpoisoned") = seq;
    }
}

impl Sink for Losing {
    fn deliver(&mut self, batch: &Batch<'_>) -> Delivery {
        assert_eq!(*self.finished.lock().expect("unpoisoned"), 0, "it has ended");
        self.target.deliver(batch)
    }

    fn unconfirmed(&mut self) -> Option<u64> {
        *self.may_lose.lock().expect("unpoisoned")
    }

    fn finish(&mut self) {
        *self.finished.lock().expect("unpoisoned") += 1;
        if self.confirms {
            self.may_lose_from(None);
        }
    }
}

fn open(scene: &Scene, losing: &Losing) -> AuditLog {
    let feed = Feed::new("siem", losing.clone());
    scene.builder().sink(feed).open(scene.store()).expect("opens")
}

/// What a process gets that begins after a crash now.
fn after_a_crash(scene: &Scene) -> Vec<u64> {
    let (crashed, target) = (scene.crash_copy(), Target::new());
    let log = open_with(&crashed, &target);
    flush(&log);
    target.seqs()
}

#[test]
fn what_a_target_may_lose_comes_again_after_a_crash() {
    let (scene, losing) = (Scene::new(), Losing::from(5));
    let log = open(&scene, &losing);
    append(&log, 10);
    flush(&log);
    assert_eq!(losing.target.seqs(), (0..12).collect::<Vec<_>>());
    assert_eq!(
        (state(&log).position, state(&log).confirmed, state(&log).lag_records),
        (12, 5, 0)
    );
    assert_eq!(after_a_crash(&scene)[..3], [5, 6, 7]);
    // It is noticed while nothing is recorded.
    losing.may_lose_from(Some(9));
    eventually("it is asked again", || state(&log).confirmed == 9);
    assert_eq!(after_a_crash(&scene)[..3], [9, 10, 11]);
    losing.may_lose_from(None);
    eventually("it is asked again", || state(&log).confirmed == 12);
    assert_eq!(after_a_crash(&scene)[0], 12);
}

#[test]
fn a_sink_that_ends_in_order_saves_what_is_confirmed_then() {
    for (confirms, expected) in [(true, 13), (false, 4)] {
        let scene = Scene::new();
        let losing = Losing {
            confirms,
            ..Losing::from(4)
        };
        let log = open(&scene, &losing);
        append(&log, 10);
        log.close(SOON).expect("closes");
        assert_eq!(*losing.finished.lock().expect("unpoisoned"), 1);
        let target = Target::new();
        let log = open_with(&scene, &target);
        flush(&log);
        assert_eq!(target.seqs()[0], expected);
    }
}

#[test]
fn a_sink_that_is_removed_or_shipped_ends_in_order_too() {
    let scene = Scene::new();
    let losing = Losing {
        confirms: true,
        ..Losing::from(4)
    };
    let log = open(&scene, &losing);
    append(&log, 10);
    log.remove_sink("siem", SOON).expect("removed");
    assert_eq!(losing.target.seqs().len(), 12);
    let again = Losing {
        confirms: true,
        ..Losing::from(12)
    };
    append(&log, 5);
    let feed = Feed::new("siem", again.clone());
    let shipper = indelible::sink::Shipper::start(indelible::LogReader::new(scene.store()), [feed]).expect("starts");
    shipper.flush(SOON).expect("delivered");
    shipper.stop(SOON).expect("stops");
    assert_eq!(again.target.seqs(), (12..17).collect::<Vec<_>>());
    assert_eq!(*again.finished.lock().expect("unpoisoned"), 1);
    assert_eq!(after_a_crash(&scene)[0], 17);
}

#[test]
fn what_a_filter_passes_over_does_not_pass_what_may_be_lost() {
    let (scene, losing) = (Scene::new(), Losing::from(4));
    let feed = Feed::new("siem", losing.clone()).filter(Query::new().actor_id("usr_2"));
    let log = scene.builder().sink(feed).open(scene.store()).expect("opens");
    append(&log, 20);
    flush(&log);
    assert_eq!(losing.target.seqs(), [4]);
    assert_eq!((state(&log).position, state(&log).confirmed), (22, 4));
    log.erase_records([10..=12], "a request").expect("erased");
    flush(&log);
    assert_eq!(state(&log).confirmed, 4);
    losing.may_lose_from(None);
    eventually("it is asked again", || {
        state(&log).confirmed == state(&log).position && state(&log).lag_records == 0
    });
}

#[test]
fn a_purge_waits_for_what_may_be_lost_and_an_erasure_names_who_had_it() {
    let (scene, losing) = (Scene::new(), Losing::from(5));
    let feed = Feed::new("siem", losing.clone());
    let log = scene.builder().sink(feed);
    let log = log.open(scene.store().segment_size(4096)).expect("opens");
    append(&log, 40);
    flush(&log);
    let size = log.checkpoint().expect("a checkpoint").checkpoint().size();
    let first = log.purge(size).expect("purged");
    assert!(first <= 5, "{first} of {size}");
    // Also where another opening is told of it by the file alone.
    log.remove_sink("siem", SOON).expect("removed");
    let first = log.purge(size).expect("purged");
    assert!(first <= 5, "{first} of {size}");
    let erased = log.erase_personal_data([20..=20], "a request").expect("erased");
    assert_eq!(erased.sinks, ["siem"]);
    losing.may_lose_from(None);
    *losing.finished.lock().expect("unpoisoned") = 0;
    log.add_sink(Feed::new("siem", losing.clone())).expect("added");
    flush(&log);
    eventually("it is confirmed", || state(&log).confirmed > 40);
    assert!(log.purge(size).expect("purged") > first);
}

#[test]
fn a_sink_that_panics_at_its_end_leaves_what_it_had_not_confirmed() {
    #[derive(Debug)]
    struct Panicking(Losing);
    impl Sink for Panicking {
        fn deliver(&mut self, batch: &Batch<'_>) -> Delivery {
            self.0.deliver(batch)
        }

        fn unconfirmed(&mut self) -> Option<u64> {
            self.0.unconfirmed()
        }

        fn finish(&mut self) {
            self.0.may_lose_from(None);
            panic!("the sink's own");
        }
    }
    let (scene, losing) = (Scene::new(), Losing::from(3));
    let feed = Feed::new("siem", Panicking(losing));
    let log = scene.builder().sink(feed).open(scene.store()).expect("opens");
    append(&log, 10);
    log.close(SOON).expect("closes");
    assert_eq!(after_a_crash(&scene)[0], 3);
}

#[test]
fn a_sink_that_hangs_at_its_end_keeps_no_log_open() {
    #[derive(Debug)]
    struct Hanging(Target);
    impl Sink for Hanging {
        fn deliver(&mut self, batch: &Batch<'_>) -> Delivery {
            self.0.deliver(batch)
        }

        fn finish(&mut self) {
            std::thread::sleep(SOON);
        }
    }
    let (scene, target) = (Scene::new(), Target::new());
    let feed = Feed::new("siem", Hanging(target.clone()));
    let log = scene.builder().sink(feed).open(scene.store()).expect("opens");
    append(&log, 10);
    let began = std::time::Instant::now();
    log.close(Duration::from_secs(3)).expect("closes");
    assert!(began.elapsed() < Duration::from_secs(6), "{:?}", began.elapsed());
    assert_eq!(target.seqs(), (0..13).collect::<Vec<_>>());
    // What was delivered is saved all the same.
    assert!(fs::metadata(scene.folder().join("sinks/siem.position")).is_ok());
    assert_eq!(after_a_crash(&scene)[0], 13);
}

/// A target that takes ten at a time, but none of `usr_bad`, and ends badly.
#[derive(Debug)]
struct Ending {
    target: Target,
    ends: fn(),
}

impl Sink for Ending {
    fn limits(&self) -> Limits {
        Limits::new(10, 100_000)
    }

    fn deliver(&mut self, batch: &Batch<'_>) -> Delivery {
        let is_bad = |message: &Message| message.text().contains("usr_bad");
        match batch.messages.iter().any(is_bad) {
            true => Delivery::split("HTTP 400"),
            false => self.target.deliver(batch),
        }
    }

    fn finish(&mut self) {
        (self.ends)();
    }
}

#[test]
fn how_a_sink_ends_keeps_back_nothing_that_was_to_be_told_or_saved() {
    let ends: [fn(); 2] = [|| panic!("the sink's own"), || std::thread::sleep(SOON)];
    for ends in ends {
        let (scene, target) = (Scene::new(), Target::new());
        let feed = |ends| {
            Feed::new(
                "siem",
                Ending {
                    target: target.clone(),
                    ends,
                },
            )
        };
        let log = scene.builder().sink(feed(ends)).open(scene.store()).expect("opens");
        for count in 1..=2 {
            log.append(login("bad")).expect("recorded");
            eventually("it is refused", || state(&log).rejected == count);
            eventually("the first is told", || {
                told(&log, "audit_log.delivery.failed").len() == 1
            });
        }
        // Its time is over in the midst of what there is.
        append(&log, 40);
        flush(&log);
        log.pause_sink("siem").expect("pauses");
        append(&log, 40);
        let before = target.seqs().len();
        target.answer(|_| {
            std::thread::sleep(Duration::from_millis(300));
            Delivery::Delivered
        });
        log.resume_sink("siem").expect("resumes");
        eventually("a batch is on its way", || state(&log).under_way.is_some());
        let _ = log.remove_sink("siem", Duration::ZERO);
        eventually("it is there", || target.seqs().len() > before);
        std::thread::sleep(Duration::from_millis(300));
        let crashed = scene.crash_copy();
        let (again, last) = (Target::new(), *target.seqs().last().expect("some"));
        let log = open_with(&crashed, &again);
        flush(&log);
        assert_eq!(again.seqs()[0], last + 1);
        eventually("the second is told", || {
            told(&log, "audit_log.delivery.failed").len() == 2
        });
    }
}

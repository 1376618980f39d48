//! What comes next is read and encoded while a sink waits for an answer: what is sent is what is told, whatever that is.

use std::borrow::Cow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use indelible::FileStore;
use indelible::sink::{Batch, Delivery, Encoded, Encoder, Feed, Limits, Message, Problem, Rejection, Sink};
use proptest::prelude::*;

use super::*;
use crate::stores::{BadRead, Hooked, Hooks};

/// One text behind the other.
struct Joined;

impl Encoder for Joined {
    fn encode(&self, messages: &[Message]) -> Result<Encoded, Delivery> {
        let texts: String = messages.iter().map(Message::text).collect();
        Ok(Encoded::new(texts.into_bytes()))
    }
}

/// A sink that encodes, and looks whether what it sends is what it was to send.
#[derive(Debug, Clone, Default)]
struct Encoding {
    target: Target,
    /// Batches that were encoded ahead.
    ahead: Arc<AtomicUsize>,
    wrong: Arc<AtomicUsize>,
}

impl Sink for Encoding {
    fn limits(&self) -> Limits {
        Limits::new(10, 100_000)
    }

    fn encoder(&self) -> Option<Box<dyn Encoder>> {
        Some(Box::new(Joined))
    }

    fn deliver(&mut self, batch: &Batch<'_>) -> Delivery {
        let encoded = batch.encoded(&Joined).expect("encoded");
        self.ahead
            .fetch_add(usize::from(matches!(encoded, Cow::Borrowed(_))), Ordering::SeqCst);
        let is_right = Joined.encode(batch.messages).expect("encoded") == *encoded;
        self.wrong.fetch_add(usize::from(!is_right), Ordering::SeqCst);
        self.target.deliver(batch)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_is_sent_is_what_is_told(answers in prop::collection::vec(0..8_usize, 0..40)) {
        let scene = Scene::new();
        let log = scene.open();
        append(&log, 300);
        let mut answers = answers.into_iter();
        let sink = Encoding {
            target: Target::answering(move |batch| {
                let half = batch.messages.len() / 2;
                match answers.next() {
                    Some(0) => Delivery::Partly { undelivered: (half..batch.messages.len()).collect() },
                    Some(1) => Delivery::Partly { undelivered: vec![0] },
                    Some(2) if batch.messages.len() > 1 => Delivery::split("too large"),
                    Some(3) => Delivery::Throttled { pause: Some(Duration::from_millis(1)), problem: Problem::new("later") },
                    Some(4) => panic!("the sink's own"),
                    Some(5) => Delivery::Rejected { rejected: vec![Rejection::new(half, "never")], undelivered: vec![] },
                    _ => Delivery::Delivered,
                }
            }),
            ..Encoding::default()
        };
        log.add_sink(Feed::new("siem", sink.clone())).expect("added");
        eventually("all is told of", || {
            let _ = log.resume_sink("siem");
            state(&log).lag_records == 0
        });
        prop_assert_eq!(sink.wrong.load(Ordering::SeqCst), 0);
        prop_assert!(sink.ahead.load(Ordering::SeqCst) > 5);
        let mut seqs = sink.target.seqs();
        seqs.extend(super::troubles::rejected(&scene).iter().filter_map(|line| line["seq"].as_u64()));
        seqs.sort_unstable();
        seqs.dedup();
        let size = seqs.len() as u64;
        prop_assert!(size >= 300);
        prop_assert_eq!(seqs, (0..size).collect::<Vec<_>>());
    }
}

/// Each commit is read by itself, as the store is told to.
fn of_segments(scene: &Scene, records: usize, reads: impl FnOnce(usize) -> Vec<BadRead>) -> AuditLog {
    let hooks = Arc::new(Hooks::default());
    let store = Hooked::new(FileStore::new(scene.folder()).segment_size(1), &hooks);
    let log = scene.builder().open(store).expect("opens");
    append(&log, records);
    hooks.spoil_reads(reads(records));
    log
}

#[test]
fn what_is_read_slowly_is_delivered_as_it_is_read() {
    let (scene, target) = (Scene::new(), Target::new());
    let log = of_segments(&scene, 200, |count| {
        vec![BadRead::Takes(Duration::from_millis(30)); count]
    });
    let began = Instant::now();
    log.add_sink(Feed::new("siem", target.clone())).expect("added");
    eventually("the first ones", || !target.seqs().is_empty());
    let took = began.elapsed();
    assert!(took < Duration::from_secs(2), "{took:?}");
    // Nor does who ends it wait until all is read.
    log.remove_sink("siem", Duration::ZERO).expect("it ends");
    assert!(target.seqs().len() < 200, "{}", target.seqs().len());
}

#[test]
fn what_is_passed_over_slowly_lags_behind() {
    let (scene, target) = (Scene::new(), Target::new());
    let log = of_segments(&scene, 60, |count| {
        vec![BadRead::Takes(Duration::from_millis(30)); count]
    });
    let feed = Feed::new("siem", target.clone()).filter(Query::new().actor_id("usr_0"));
    log.add_sink(feed).expect("added");
    eventually("the one", || target.seqs().len() == 1);
    let mut lags = Vec::new();
    eventually("all is passed over", || {
        let now = state(&log);
        lags.extend((now.lag_records > 0).then_some(now.lag));
        now.lag_records == 0
    });
    // One may be from the moment in which that is seen.
    let none = lags.iter().filter(|lag| lag.is_zero()).count();
    assert!(none <= 1, "{lags:?}");
    assert_eq!(state(&log).lag, Duration::ZERO);
}

/// Takes what it is given, and awaits its own answer afterwards.
#[derive(Debug)]
struct Waiting(Target, Limits);

impl Sink for Waiting {
    fn limits(&self) -> Limits {
        self.1
    }

    fn deliver(&mut self, batch: &Batch<'_>) -> Delivery {
        let delivery = self.0.answered(batch);
        batch.meanwhile();
        delivery
    }
}

#[test]
fn what_goes_wrong_with_reading_ahead_makes_no_batch_come_twice() {
    let hundred = Limits::new(100, 1_000_000);
    // Then nothing of what was read is left.
    let one = Limits::new(1, 1);
    for (bad, limits) in [
        (BadRead::Fails, hundred),
        (BadRead::Panics, hundred),
        (BadRead::Fails, one),
        (BadRead::Panics, one),
    ] {
        let (scene, target) = (Scene::new(), Target::new());
        let log = of_segments(&scene, 400, |count| {
            let mut reads = vec![BadRead::Goes; count];
            // The last one comes first.
            reads[count - 350] = bad;
            reads
        });
        let waiting = Waiting(target.clone(), limits);
        log.add_sink(Feed::new("siem", waiting)).expect("added");
        flush(&log);
        let seqs = target.seqs();
        assert_eq!(seqs, (0..seqs.len() as u64).collect::<Vec<_>>(), "{bad:?} {limits:?}");
    }
}

#[test]
fn who_catches_up_in_small_batches_gets_a_checkpoint_a_second_too() {
    let (scene, target) = (Scene::new(), Target::new());
    let log = scene.open();
    append(&log, 3000);
    let times = Arc::new(Mutex::new(Vec::new()));
    let came = Arc::clone(&times);
    target.answer(move |batch| {
        let checkpoints = batch.messages.iter().filter(|message| message.seq().is_none());
        came.lock()
            .expect("unpoisoned")
            .extend(checkpoints.map(|_| Instant::now()));
        Delivery::Delivered
    });
    log.add_sink(Feed::new("siem", Ten(target.clone()))).expect("added");
    flush(&log);
    let times = times.lock().expect("unpoisoned");
    let is_soon = |two: &&[Instant]| two[1] - two[0] < Duration::from_millis(900);
    assert_eq!(times.windows(2).filter(is_soon).count(), 0, "{} of them", times.len());
}

#[derive(Debug)]
struct Ten(Target);

impl Sink for Ten {
    fn limits(&self) -> Limits {
        Limits::new(10, 100_000)
    }

    fn deliver(&mut self, batch: &Batch<'_>) -> Delivery {
        self.0.deliver(batch)
    }
}

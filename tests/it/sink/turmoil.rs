//! A target that answers anything, while its log is paused, erased in, closed and crashes: nothing is lost, nothing comes
//! out of turn, and what is erased does not come.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use indelible::sink::{Batch, Delivery, Encoded, Encoder, Feed, Limits, Message, Problem, Rejection, Sink};
use proptest::prelude::*;

use super::*;

/// One text behind the other, unless it fails.
struct Joined(bool, u8);

impl Encoder for Joined {
    fn encode(&self, messages: &[Message]) -> Result<Encoded, Delivery> {
        match (self.0, self.1) {
            (true, 0) => panic!("the encoder's own"),
            (true, 1) => Err(Delivery::hold("no key")),
            (true, 2) => Err(Delivery::split("too much")),
            _ => Ok(Encoded::new(
                messages.iter().map(Message::text).collect::<String>().into_bytes(),
            )),
        }
    }
}

/// What it does, one batch after the other, also over restarts.
#[derive(Debug, Clone)]
struct Hostile {
    target: Target,
    plan: Arc<Vec<(u8, u8, u8)>>,
    at: Arc<AtomicUsize>,
    wrong: Arc<AtomicUsize>,
}

impl Hostile {
    fn now(&self) -> (u8, u8, u8) {
        let at = self.at.load(Ordering::SeqCst);
        // At the end it is well.
        self.plan.get(at).copied().unwrap_or((9, 9, 0))
    }
}

impl Sink for Hostile {
    fn limits(&self) -> Limits {
        match self.now().2 {
            0 => Limits::new(10, 100_000),
            1 => Limits::new(1, 1),
            2 => Limits::new(7, 4_000),
            _ => Limits::new(50, 1_000_000),
        }
    }

    fn encoder(&self) -> Option<Box<dyn Encoder>> {
        Some(Box::new(Joined(true, self.now().1)))
    }

    fn deliver(&mut self, batch: &Batch<'_>) -> Delivery {
        let (answer, encoder, _) = self.now();
        self.at.fetch_add(1, Ordering::SeqCst);
        let well = Joined(false, 0);
        let encoded = batch.encoded(&Joined(true, encoder));
        let encoded = match encoded {
            Ok(encoded) => encoded,
            Err(delivery) => return delivery,
        };
        let is_right = well.encode(batch.messages).expect("encoded") == *encoded;
        self.wrong.fetch_add(usize::from(!is_right), Ordering::SeqCst);
        if answer.is_multiple_of(3) {
            batch.meanwhile();
            batch.meanwhile();
        } else if answer.is_multiple_of(5) {
            std::thread::scope(|scope| _ = scope.spawn(|| batch.meanwhile()).join());
        }
        let half = batch.messages.len() / 2;
        let rest = (half..batch.messages.len()).collect();
        let delivery = match answer {
            0 => Delivery::Partly { undelivered: rest },
            1 => Delivery::split("too large"),
            2 => Delivery::Throttled {
                pause: Some(Duration::from_millis(1)),
                problem: Problem::new("later"),
            },
            3 => panic!("the sink's own"),
            4 => Delivery::Rejected {
                rejected: vec![Rejection::new(half, "never")],
                undelivered: (half + 1..batch.messages.len()).collect(),
            },
            5 => Delivery::retry("down"),
            6 => Delivery::hold("no permission"),
            _ => Delivery::Delivered,
        };
        self.target.answer(move |_| delivery.clone());
        let answered = self.target.answered(batch);
        if answer.is_multiple_of(2) {
            batch.meanwhile();
        }
        answered
    }
}

fn open(scene: &Scene, sink: &Hostile) -> AuditLog {
    let log = scene.open();
    log.add_sink(Feed::new("siem", sink.clone())).expect("added");
    log
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn whatever_a_target_answers_all_comes_in_turn_and_nothing_that_is_erased(
        plan in prop::collection::vec((0..14_u8, 0..12_u8, 0..4_u8), 0..60),
        steps in prop::collection::vec((0..8_u8, 0..200_u64), 1..12),
    ) {
        let mut scene = Scene::new();
        let mut log = scene.open();
        append(&log, 150);
        let sink = Hostile { target: Target::new(), plan: Arc::new(plan), at: Arc::default(), wrong: Arc::default() };
        log.close(SOON).expect("closes");
        log = open(&scene, &sink);
        // Of what is erased: all, and with what was taken before, what nobody had by then.
        let (mut erased_at, mut all_erased) = (BTreeMap::new(), BTreeSet::new());
        for (step, arg) in steps {
            match step {
                0 => log.pause_sink("siem").expect("pauses"),
                1 => log.resume_sink("siem").expect("resumes"),
                2 => append(&log, usize::try_from(arg).expect("few") / 4),
                3 | 4 => {
                    let size = log.checkpoint().expect("one").checkpoint().size();
                    let seq = arg % size;
                    let erased = match step {
                        3 => log.erase_personal_data([seq..=seq], "a request"),
                        _ => log.erase_records([seq..=seq], "a request"),
                    };
                    if let Ok(erased) = erased {
                        if erased.sinks.is_empty() {
                            erased_at.entry(seq).or_insert(sink.target.messages().len());
                        }
                        // It goes from those set aside, too.
                        all_erased.insert(seq);
                    }
                }
                5 => {
                    let _ = log.close(Duration::from_millis(arg));
                    log = open(&scene, &sink);
                }
                6 => {
                    log.pause_sink("siem").expect("pauses");
                    eventually("nothing is on its way", || state(&log).under_way.is_none());
                    std::thread::sleep(Duration::from_millis(20));
                    eventually("nothing is on its way", || state(&log).under_way.is_none());
                    let crashed = scene.crash_copy();
                    let _ = log.close(Duration::ZERO);
                    scene = crashed;
                    log = open(&scene, &sink);
                }
                _ => {
                    let _ = log.resume_sink("siem");
                    std::thread::sleep(Duration::from_millis(arg / 2));
                }
            }
        }
        eventually("all is told of", || {
            let _ = log.resume_sink("siem");
            state(&log).lag_records == 0
        });
        prop_assert_eq!(sink.wrong.load(Ordering::SeqCst), 0);
        let size = state(&log).position;
        let arrivals = sink.target.first_arrivals();
        prop_assert!(arrivals.is_sorted(), "{:?}", arrivals);
        let mut seqs: BTreeSet<u64> = arrivals.into_iter().chain(all_erased).collect();
        seqs.extend(super::troubles::rejected(&scene).iter().filter_map(|line| line["seq"].as_u64()));
        let missing: Vec<u64> = (0..size).filter(|seq| !seqs.contains(seq)).collect();
        prop_assert!(missing.is_empty(), "{:?}", missing);
        let messages = sink.target.messages();
        for (seq, after) in erased_at {
            let came = messages.iter().skip(after).filter(|message| message.seq() == Some(seq));
            for message in came {
                prop_assert!(!message.text().contains("@personal"), "{}", message.text());
            }
        }
        log.close(SOON).expect("closes");
    }
}

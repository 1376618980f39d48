//! What comes next is read and encoded while a sink waits for an answer: what is sent is what is told, whatever that is.

use std::borrow::Cow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use indelible::sink::{Batch, Delivery, Encoded, Encoder, Feed, Limits, Message, Problem, Rejection, Sink};
use proptest::prelude::*;

use super::*;

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

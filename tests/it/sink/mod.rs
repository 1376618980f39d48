//! Delivery to sinks: every record at least once and in order, whatever the target answers, and nobody waits for it.

mod ahead;
#[cfg(feature = "cloud")]
mod clouds;
#[cfg(feature = "datadog")]
mod datadog;
mod delivering;
mod erasing;
#[cfg(feature = "http")]
mod faults;
mod finishing;
#[cfg(feature = "http")]
mod hostile;
#[cfg(all(feature = "webhook", feature = "syslog"))]
mod kills;
mod misbehaving;
#[cfg(feature = "otlp")]
mod otlp;
#[cfg(any(feature = "splunk", feature = "datadog", feature = "otlp"))]
mod peers;
#[cfg(feature = "http")]
mod proxies;
#[cfg(feature = "http")]
mod receiver;
mod remembering;
mod ship;
#[cfg(feature = "splunk")]
mod splunk;
#[cfg(feature = "syslog")]
mod syslog;
#[cfg(feature = "http")]
mod targets;
mod troubles;
mod turmoil;
#[cfg(feature = "webhook")]
mod webhook;

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex, MutexGuard};

use indelible::sink::{Batch, Delivery, Feed, Message, Sink, SinkState};
use indelible::{AuditLog, Query};

use crate::scene::*;

type Script = Box<dyn FnMut(&Batch<'_>) -> Delivery + Send>;

/// A target that keeps what it takes, and answers as it is told to.
#[derive(Clone, Default)]
pub(crate) struct Target(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    script: Option<Script>,
    /// What it took, in the order in which it came.
    taken: Vec<Message>,
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Target")
    }
}

impl Target {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// One that answers so from now on. What it takes is what the answer says.
    pub(crate) fn answering(script: impl FnMut(&Batch<'_>) -> Delivery + Send + 'static) -> Self {
        let target = Self::new();
        target.answer(script);
        target
    }

    pub(crate) fn answer(&self, script: impl FnMut(&Batch<'_>) -> Delivery + Send + 'static) {
        self.inner().script = Some(Box::new(script));
    }

    /// It takes everything from now on.
    pub(crate) fn mend(&self) {
        self.inner().script = None;
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub(crate) fn messages(&self) -> Vec<Message> {
        self.inner().taken.clone()
    }

    /// The records that it took, by `seq`, as they came.
    pub(crate) fn seqs(&self) -> Vec<u64> {
        self.inner().taken.iter().filter_map(Message::seq).collect()
    }

    /// The same, each once, as it came first.
    pub(crate) fn first_arrivals(&self) -> Vec<u64> {
        let mut seen = BTreeSet::new();
        let mut seqs = self.seqs();
        seqs.retain(|seq| seen.insert(*seq));
        seqs
    }

    pub(crate) fn checkpoints(&self) -> Vec<String> {
        let taken = self.messages();
        let checkpoints = taken.iter().filter(|message| message.record().is_none());
        checkpoints.map(|message| message.text().to_owned()).collect()
    }

    /// What it answers to a batch, of which it keeps what it says.
    pub(crate) fn answered(&self, batch: &Batch<'_>) -> Delivery {
        let script = self.inner().script.take();
        // It may wait, and is then looked at from elsewhere.
        let Some(mut script) = script else {
            self.inner().taken.extend_from_slice(batch.messages);
            return Delivery::Delivered;
        };
        let delivery = catch_unwind(AssertUnwindSafe(|| script(batch)));
        self.inner().script.get_or_insert(script);
        let delivery = delivery.unwrap_or_else(|panicked| resume_unwind(panicked));
        let mut inner = self.inner();
        let is_taken = |at: usize| match &delivery {
            Delivery::Delivered => true,
            Delivery::Partly { undelivered } => !undelivered.contains(&at),
            Delivery::Rejected { rejected, undelivered } => {
                !undelivered.contains(&at) && rejected.iter().all(|rejection| rejection.index != at)
            }
            _ => false,
        };
        let taken = batch.messages.iter().enumerate().filter(|(at, _)| is_taken(*at));
        inner.taken.extend(taken.map(|(_, message)| message.clone()));
        delivery
    }
}

impl Sink for Target {
    fn deliver(&mut self, batch: &Batch<'_>) -> Delivery {
        batch.meanwhile();
        self.answered(batch)
    }
}

/// A log with a sink named `siem`.
pub(crate) fn open_with(scene: &Scene, target: &Target) -> AuditLog {
    let feed = Feed::new("siem", target.clone());
    scene.builder().sink(feed).open(scene.store()).expect("the log opens")
}

pub(crate) fn append(log: &AuditLog, count: usize) {
    for user in 0..count {
        log.append(login(user)).expect("recorded");
    }
}

#[track_caller]
pub(crate) fn flush(log: &AuditLog) {
    log.flush_sinks(SOON)
        .unwrap_or_else(|error| panic!("{error}: {:?}", log.state().sinks));
}

pub(crate) fn state(log: &AuditLog) -> SinkState {
    log.state().sinks.remove(0)
}

/// All records of the log, each once, in order.
#[track_caller]
pub(crate) fn assert_complete(target: &Target, log: &AuditLog) {
    let size = log.checkpoint().expect("a checkpoint").checkpoint().size();
    // The newest may be a report that was recorded just now.
    eventually("all comes", || target.first_arrivals().len() as u64 >= size);
    let arrivals = target.first_arrivals();
    assert_eq!(arrivals, (0..arrivals.len() as u64).collect::<Vec<_>>());
}

/// The metadata of the records with an action.
pub(crate) fn told(log: &AuditLog, action: &str) -> Vec<serde_json::Value> {
    let query = Query::new().action(action).limit(1000);
    let page = log.reader().query(&query).expect("a page");
    let event = |found: &indelible::query::Found| {
        let event = found.record.event_json().expect("not erased");
        serde_json::from_str::<serde_json::Value>(event).expect("JSON")["metadata"].clone()
    };
    page.found.iter().map(event).collect()
}

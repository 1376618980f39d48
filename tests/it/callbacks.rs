//! The host's own code in the log's way: a signer, a store, a clock, a waker or a callback that uses the log, panics or
//! takes its time. No thread waits for itself, no ticket stays unanswered, nothing is built on what was left half done.

use std::collections::HashSet;
use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Context, Wake, Waker};
use std::time::{Duration, Instant, SystemTime};

use indelible::store::{Commit, KeptRotation, Lines, Opened, Opening, Segment, Writer};
use indelible::{
    AuditLog, Cause, Clock, Error, LogReader, MemoryStore, SignError, SignedCheckpoint, Signer, SigningKey, Store,
    Verifier, VerifierKey,
};

use crate::scene::*;

/// A signer that does something with a log, once.
struct Meddler {
    key: SigningKey,
    log: OnceLock<AuditLog>,
    step: Mutex<Option<Step>>,
    said: Mutex<Vec<Result<(), Error>>>,
}

type Step = Box<dyn FnOnce(&AuditLog) -> Result<(), Error> + Send>;

impl Meddler {
    /// A log in memory, whose signer will meddle with that log.
    fn log() -> (Arc<Self>, AuditLog) {
        let signer = Arc::new(Self {
            key: key(),
            log: OnceLock::new(),
            step: Mutex::default(),
            said: Mutex::default(),
        });
        let log = AuditLog::builder(ORIGIN)
            .signer(Arc::clone(&signer))
            .without_checkpoint_file()
            .open(MemoryStore::new())
            .expect("opens");
        signer.log.set(log.clone()).expect("the first time");
        (signer, log)
    }

    fn will(&self, step: impl FnOnce(&AuditLog) -> Result<(), Error> + Send + 'static) {
        *self.step.lock().expect("no panic") = Some(Box::new(step));
    }

    fn said(&self) -> Vec<Result<(), Error>> {
        std::mem::take(&mut self.said.lock().expect("no panic"))
    }
}

impl Signer for Meddler {
    fn vkey(&self) -> &VerifierKey {
        self.key.vkey()
    }

    fn sign(&self, text: &[u8]) -> Result<[u8; 64], SignError> {
        let step = self.log.get().and_then(|_| self.step.lock().expect("no panic").take());
        if let (Some(step), Some(log)) = (step, self.log.get()) {
            let said = step(log);
            self.said.lock().expect("no panic").push(said);
        }
        self.key.sign(text)
    }
}

fn is_refused(said: &[Result<(), Error>]) -> bool {
    matches!(said, [Err(error)] if matches!(error.cause(), Cause::Configuration { .. }))
}

#[test]
fn a_signer_that_waits_for_its_log_is_refused_wherever_it_signs() {
    type Call = fn(&AuditLog) -> Result<(), Error>;
    let inner: &[(&str, Call)] = &[
        #[cfg(feature = "compress")]
        ("compress", |log| log.compress(0).map(drop)),
        ("append", |log| log.append(login("inner")).map(drop)),
        ("rotate_key", |log| log.rotate_key(key()).map(drop)),
        ("erase", |log| log.erase_personal_data([2..=2], "inner").map(drop)),
        ("erase_records", |log| log.erase_records([2..=2], "inner").map(drop)),
        ("purge", |log| log.purge(1).map(drop)),
    ];
    let outer: [(&str, Call); 4] = [
        ("append", |log| log.append(login("outer")).map(drop)),
        ("submit", |log| log.submit(login("outer"))?.wait().map(drop)),
        ("rotate_key", |log| log.rotate_key(key()).map(drop)),
        ("erase", |log| log.erase_personal_data([1..=1], "outer").map(drop)),
    ];
    for (within_what, outer) in outer {
        for &(what, inner) in inner {
            let (signer, log) = Meddler::log();
            log.append(login("first")).expect("recorded");
            signer.will(inner);
            let working = log.clone();
            let done = within(SOON, within_what, move || outer(&working));
            done.unwrap_or_else(|error| panic!("{what} within {within_what}: {error}"));
            let said = signer.said();
            assert!(is_refused(&said), "{what} within {within_what}: {said:?}");
            assert!(log.verify().expect("readable").is_sound());
            log.close(SOON).expect("closed");
        }
    }
}

#[test]
fn a_signer_that_waits_for_its_log_is_refused_in_a_flood() {
    // By the committer or by its assistant, whoever comes first.
    let (signer, log) = Meddler::log();
    for _ in 0..50 {
        signer.will(|log| log.append(login("inner")).map(drop));
        for round in 0..1_000 {
            drop(log.submit(login(round)));
        }
        let (appending, last) = (log.clone(), login("last"));
        within(SOON, "append", move || appending.append(last)).expect("recorded");
        let said = signer.said();
        assert!(is_refused(&said), "{said:?}");
    }
    within(SOON, "close", move || log.close(SOON)).expect("closed");
}

#[test]
fn a_signer_may_close_its_log_and_append_to_another() {
    let (signer, log) = Meddler::log();
    let (_, other) = Meddler::log();
    let elsewhere = other.clone();
    signer.will(move |_| elsewhere.append(login("inner")).map(drop));
    log.append(login("outer")).expect("recorded");
    assert!(matches!(signer.said().as_slice(), [Ok(())]));
    assert_eq!(other.state().size, 3);

    signer.will(|log| log.close(SOON));
    let began = Instant::now();
    log.append(login("outer")).expect("it was taken before");
    assert!(matches!(signer.said().as_slice(), [Ok(())]));
    assert!(began.elapsed() < SOON / 2, "it waited for itself");
    log.close(SOON).expect("closed");
}

/// A store that panics once a commit is durable, when it is told to.
#[derive(Debug, Clone, Default)]
struct PanicsLate {
    inner: MemoryStore,
    panics: Arc<AtomicBool>,
}

#[derive(Debug)]
struct PanicsLateWriter {
    inner: Box<dyn Writer>,
    panics: Arc<AtomicBool>,
}

impl Writer for PanicsLateWriter {
    fn append(&mut self, commit: &Commit<'_>) -> Result<(), Error> {
        self.inner.append(commit)?;
        assert!(!self.panics.swap(false, SeqCst), "the store panics");
        Ok(())
    }
    fn seal(&mut self) -> Result<(), Error> {
        self.inner.seal()
    }
    fn moved_is_announced(&mut self) -> Result<(), Error> {
        self.inner.moved_is_announced()
    }
    fn close(&mut self) -> Result<(), Error> {
        self.inner.close()
    }
}

impl Store for PanicsLate {
    fn open(&self, opening: &Opening<'_>) -> Result<Opened, Error> {
        let mut opened = self.inner.open(opening)?;
        opened.writer = Box::new(PanicsLateWriter {
            inner: opened.writer,
            panics: Arc::clone(&self.panics),
        });
        Ok(opened)
    }
    fn segments(&self) -> Result<Vec<Segment>, Error> {
        self.inner.segments()
    }
    fn lines(&self, segment: &Segment, from: u64) -> Result<Box<dyn Lines + '_>, Error> {
        self.inner.lines(segment, from)
    }
    fn newest_checkpoint(&self) -> Result<Option<SignedCheckpoint>, Error> {
        self.inner.newest_checkpoint()
    }
    fn has_writer(&self) -> Result<bool, Error> {
        self.inner.has_writer()
    }
    fn kept_rotations(&self) -> Result<Vec<KeptRotation>, Error> {
        self.inner.kept_rotations()
    }
}

#[test]
fn a_store_that_panics_poisons_the_log() {
    type Call = fn(&AuditLog) -> Result<(), Error>;
    let calls: [(&str, Call); 4] = [
        ("append", |log| log.append(login("lost")).map(drop)),
        ("submit", |log| log.submit(login("lost"))?.wait().map(drop)),
        ("rotate_key", |log| log.rotate_key(key()).map(drop)),
        ("erase", |log| log.erase_personal_data([1..=1], "lost").map(drop)),
    ];
    for (what, call) in calls {
        let store = PanicsLate::default();
        let signer = key();
        let vkey = signer.vkey().clone();
        let log = AuditLog::builder(ORIGIN)
            .signer(signer)
            .without_checkpoint_file()
            .open(store.clone())
            .expect("opens");
        store.panics.store(true, SeqCst);
        let error = call(&log).expect_err("it is not known whether it is durable");
        assert!(matches!(error.cause(), Cause::Io { .. }), "{what}: {error}");
        let error = log.append(login("after")).expect_err("the log is poisoned");
        assert!(matches!(error.cause(), Cause::Poisoned(_)), "{what}: {error}");
        assert!(!log.state().healthy, "{what}");
        log.close(SOON).expect_err("it failed");
        // What was durable verifies, and the log can be opened again by who has the key.
        let report = Verifier::new(vkey).verify_store(&store.inner).expect("readable");
        assert!(report.is_sound(), "{what}: {report}");
    }
}

/// A clock that panics on the committer's thread, when it is told to.
#[derive(Debug)]
struct PanickingClock(Arc<AtomicBool>);

impl Clock for PanickingClock {
    fn now(&self) -> SystemTime {
        let is_committer = std::thread::current().name() == Some("indelible-commit");
        assert!(!(is_committer && self.0.swap(false, SeqCst)), "the clock panics");
        SystemTime::now()
    }
}

struct SlowWaker;

impl Wake for SlowWaker {
    fn wake(self: Arc<Self>) {
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_committer_that_panics_leaves_no_ticket_unanswered_and_no_thread_behind() {
    for round in 0..12 {
        let panics = Arc::new(AtomicBool::new(false));
        let store = MemoryStore::new();
        let told = Arc::new(AtomicUsize::new(0));
        let callback = Arc::clone(&told);
        let log = AuditLog::builder(ORIGIN)
            .signer(key())
            .without_checkpoint_file()
            .clock(PanickingClock(Arc::clone(&panics)))
            .on_error(move |_| {
                callback.fetch_add(1, SeqCst);
            })
            .open(store.clone())
            .expect("opens");
        let waker = Waker::from(Arc::new(SlowWaker));
        let mut tickets = Vec::new();
        for number in 0..20_000 {
            if number == 4_000 + 700 * round {
                panics.store(true, SeqCst);
            }
            let Ok(mut ticket) = log.submit(login(number).id(format!("id-{number}"))) else {
                break;
            };
            if round % 2 == 0 && number % 500 == 0 {
                let _ = pin!(&mut ticket).poll(&mut Context::from_waker(&waker));
            }
            tickets.push(ticket);
        }
        let tickets = within(SOON, "the tickets", move || {
            tickets.into_iter().map(indelible::Ticket::wait).collect::<Vec<_>>()
        });
        let reader = LogReader::new(store);
        let recorded = reader.records(2..).expect("readable").map(|record| {
            let event = record
                .expect("readable")
                .event()
                .expect("an event")
                .expect("not erased");
            event.fields().id.clone().expect("an id")
        });
        let recorded: HashSet<String> = recorded.collect();
        for (number, result) in tickets.iter().enumerate() {
            let is_recorded = recorded.contains(&format!("id-{number}"));
            assert_eq!(result.is_ok(), is_recorded, "round {round}, event {number}: {result:?}");
        }
        drop(log);
        // The callback is owned by what the threads share.
        eventually("the log's threads end", || Arc::strong_count(&told) == 1);
    }
}

#[test]
fn the_callback_is_told_of_one_failure_after_the_other() {
    let scene = Scene::new();
    let (inside, most, told) = (
        AtomicUsize::new(0),
        Arc::new(AtomicUsize::new(0)),
        Arc::new(AtomicUsize::new(0)),
    );
    let (seen, counted) = (Arc::clone(&most), Arc::clone(&told));
    let place = scene.root().join("place/checkpoint");
    let folder = place.parent().expect("a folder").to_owned();
    std::fs::create_dir(&folder).expect("made");
    let signer = TestSigner::new();
    let log = AuditLog::builder(ORIGIN)
        .signer(Arc::clone(&signer))
        .checkpoint_file(&place)
        .signer_deadline(Duration::ZERO)
        .on_error(move |_| {
            seen.fetch_max(inside.fetch_add(1, SeqCst) + 1, SeqCst);
            std::thread::sleep(Duration::from_millis(100));
            inside.fetch_sub(1, SeqCst);
            counted.fetch_add(1, SeqCst);
        })
        .open(scene.store())
        .expect("opens");
    std::fs::remove_dir_all(&folder).expect("removed");
    eventually("both the second place and events fail", || {
        signer.set(Mode::Sign);
        log.append(login("seen")).expect("recorded");
        signer.set(Mode::Fail);
        drop(log.submit(login("dropped")));
        std::thread::sleep(Duration::from_millis(20));
        told.load(SeqCst) >= 40
    });
    signer.set(Mode::Sign);
    assert_eq!(most.load(SeqCst), 1, "at once");
    drop(log);
}

#[test]
fn closing_wakes_who_waits_to_ask_a_signer_again() {
    let signer = TestSigner::new();
    let log = in_memory(&signer).open(MemoryStore::new()).expect("opens");
    signer.set(Mode::Fail);
    let ticket = log.submit(login("late")).expect("room");
    // It is asked again after 20, 40 … 640 ms and then after a second.
    signer.wait_for_calls(8);
    signer.set(Mode::Sign);
    let began = Instant::now();
    log.close(Duration::from_millis(600)).expect("the signer is well again");
    assert!(began.elapsed() < Duration::from_millis(600));
    ticket.wait().expect("recorded");
}

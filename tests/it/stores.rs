//! Stores that fail, conflict and stand still, and random events through both of the crate's own.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use indelible::store::{
    Commit, Compressed, Eraser, Erasure, Head, KeptRotation, LineEnd, Lines, Opened, Opening, Segment, Store, Writer,
};
use indelible::{
    Actor, AuditLog, Cause, Change, Error, ErrorKind, Event, FileStore, LogReader, MemoryStore, Result,
    SignedCheckpoint, Signer, Target, Timestamp,
};
use proptest::prelude::*;

use crate::oracle;
use crate::scene::*;

/// What goes wrong in a store.
#[derive(Debug, Default)]
pub(crate) struct Hooks {
    /// Whether the store says that others may write to it.
    is_shared: bool,
    /// `Some(true)`: the next append takes effect and fails; `Some(false)`: it fails without effect.
    append: Mutex<Option<bool>>,
    /// How many appends from now on conflict though nobody else wrote.
    conflicts: AtomicUsize,
    /// The next append panics.
    panics: AtomicBool,
    /// How many erasures, purges and steps of compressing from now on fail.
    erasures: AtomicUsize,
    block: Mutex<(bool, usize)>,
    changed: Condvar,
    appends: AtomicUsize,
    /// The segments that were read, by the first record of each.
    read: Mutex<Vec<u64>>,
    /// What becomes of what sinks read, for the next reads.
    reads: Mutex<Vec<BadRead>>,
}

/// A read that goes wrong.
#[derive(Debug, Clone, Copy)]
pub(crate) enum BadRead {
    Fails,
    Panics,
    /// It takes this long.
    Takes(Duration),
    /// It is none.
    Goes,
}

impl Hooks {
    /// Of a store that says that others may write to it.
    pub(crate) fn shared() -> Self {
        Self {
            is_shared: true,
            ..Self::default()
        }
    }

    /// So many appends from now on conflict though nobody else wrote.
    pub(crate) fn conflict(&self, count: usize) {
        self.conflicts.store(count, Ordering::SeqCst);
    }

    /// What becomes of the next reads of sinks, the last first.
    pub(crate) fn spoil_reads(&self, reads: Vec<BadRead>) {
        *self.reads.lock().expect("unpoisoned") = reads;
    }

    pub(crate) fn has_bad_reads(&self) -> bool {
        !self.reads.lock().expect("unpoisoned").is_empty()
    }

    fn sink_read(&self) -> Result<()> {
        let thread = std::thread::current();
        if thread.name().is_some_and(|name| !name.starts_with("sink-")) {
            return Ok(());
        }
        let next = self.reads.lock().expect("unpoisoned").pop();
        match next {
            Some(BadRead::Fails) => Err(failure("read")),
            Some(BadRead::Panics) => panic!("the store panics, as the test told it"),
            Some(BadRead::Takes(time)) => {
                std::thread::sleep(time);
                Ok(())
            }
            Some(BadRead::Goes) | None => Ok(()),
        }
    }

    pub(crate) fn fail_append(&self, takes_effect: bool) {
        *self.append.lock().expect("unpoisoned") = Some(takes_effect);
    }

    pub(crate) fn fail_erasures(&self, count: usize) {
        self.erasures.store(count, Ordering::SeqCst);
    }

    /// Erasures, purges and what compresses wait from now on.
    pub(crate) fn block_erasures(&self, block: bool) {
        self.block.lock().expect("unpoisoned").0 = block;
        self.changed.notify_all();
    }

    /// Waits until so many erasures or purges have begun.
    pub(crate) fn wait_for_erasures(&self, count: usize) {
        let state = self.block.lock().expect("unpoisoned");
        let waited = self.changed.wait_timeout_while(state, SOON, |state| state.1 < count);
        assert!(!waited.expect("unpoisoned").1.timed_out(), "no erasure began");
    }

    /// How many erasures and purges have begun.
    pub(crate) fn erasures_begun(&self) -> usize {
        self.block.lock().expect("unpoisoned").1
    }

    /// The segments that were read since this was asked last, by the first record of each.
    pub(crate) fn take_read(&self) -> Vec<u64> {
        std::mem::take(&mut self.read.lock().expect("unpoisoned"))
    }

    fn erasure(&self) -> Result<()> {
        let mut state = self.block.lock().expect("unpoisoned");
        state.1 += 1;
        self.changed.notify_all();
        while state.0 {
            state = self.changed.wait(state).expect("unpoisoned");
        }
        drop(state);
        let fails = self
            .erasures
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1))
            .is_ok();
        if fails { Err(failure("erase")) } else { Ok(()) }
    }
}

fn failure(action: &'static str) -> Error {
    Cause::Io {
        action,
        path: PathBuf::from("hooked"),
        source: std::io::Error::other("the store fails, as the test told it"),
    }
    .into()
}

/// A store in which things go wrong.
#[derive(Debug, Clone)]
pub(crate) struct Hooked<S> {
    inner: S,
    hooks: Arc<Hooks>,
}

impl<S: Store> Hooked<S> {
    pub(crate) fn new(inner: S, hooks: &Arc<Hooks>) -> Self {
        let hooks = Arc::clone(hooks);
        Self { inner, hooks }
    }
}

impl<S: Store> Store for Hooked<S> {
    fn open(&self, opening: &Opening<'_>) -> Result<Opened> {
        let Opened {
            writer,
            eraser,
            head,
            moved,
        } = self.inner.open(opening)?;
        let (hooks, head_now) = (Arc::clone(&self.hooks), head.clone());
        Ok(Opened {
            writer: Box::new(HookedWriter {
                writer,
                hooks,
                head: head_now,
                failed: None,
            }),
            eraser: Box::new(HookedEraser {
                eraser,
                hooks: Arc::clone(&self.hooks),
            }),
            head,
            moved,
        })
    }

    fn segments(&self) -> Result<Vec<Segment>> {
        self.inner.segments()
    }

    fn lines(&self, segment: &Segment, from: u64) -> Result<Box<dyn Lines + '_>> {
        self.hooks.read.lock().expect("unpoisoned").push(segment.first);
        self.hooks.sink_read()?;
        self.inner.lines(segment, from)
    }

    fn newest_checkpoint(&self) -> Result<Option<SignedCheckpoint>> {
        self.inner.newest_checkpoint()
    }

    fn has_writer(&self) -> Result<bool> {
        self.inner.has_writer()
    }

    fn kept_rotations(&self) -> Result<Vec<KeptRotation>> {
        self.inner.kept_rotations()
    }

    fn is_shared(&self) -> bool {
        self.hooks.is_shared
    }

    fn folder(&self) -> Option<PathBuf> {
        self.inner.folder()
    }
}

#[derive(Debug)]
struct HookedWriter {
    writer: Box<dyn Writer>,
    hooks: Arc<Hooks>,
    head: Option<Head>,
    failed: Option<Error>,
}

impl Writer for HookedWriter {
    fn append(&mut self, commit: &Commit<'_>) -> Result<()> {
        self.hooks.appends.fetch_add(1, Ordering::SeqCst);
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        if let Some(head) = &self.head {
            let left = self
                .hooks
                .conflicts
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
            if left.is_ok() {
                return Err(Cause::Conflict {
                    expected: commit.first(),
                    head: Box::new(head.clone()),
                }
                .into());
            }
        }
        assert!(
            !self.hooks.panics.swap(false, Ordering::SeqCst),
            "the store panics, as the test told it"
        );
        let fails = self.hooks.append.lock().expect("unpoisoned").take();
        if fails != Some(false) {
            self.writer.append(commit)?;
            let (_, _, last_line) = commit.records().last().expect("a record");
            self.head = Some(Head {
                tree: commit.after.clone(),
                last: commit.last(),
                last_line: last_line.to_vec(),
                checkpoint: commit.checkpoint.clone(),
            });
        }
        if fails.is_some() {
            let error = failure("sync");
            self.failed = Some(error.clone());
            return Err(error);
        }
        Ok(())
    }

    fn seal(&mut self) -> Result<()> {
        self.writer.seal()
    }

    fn moved_is_announced(&mut self) -> Result<()> {
        self.writer.moved_is_announced()
    }

    fn close(&mut self) -> Result<()> {
        self.writer.close()
    }
}

#[derive(Debug)]
struct HookedEraser {
    eraser: Box<dyn Eraser>,
    hooks: Arc<Hooks>,
}

impl Eraser for HookedEraser {
    fn set_pending(&mut self, pending: Option<&[u8]>) -> Result<()> {
        self.eraser.set_pending(pending)
    }

    fn pending(&mut self) -> Result<Option<Vec<u8>>> {
        self.eraser.pending()
    }

    fn erase(&mut self, ranges: &[(u64, u64)], what: Erasure) -> Result<()> {
        self.hooks.erasure()?;
        self.eraser.erase(ranges, what)
    }

    fn purge(&mut self, before: u64) -> Result<u64> {
        self.hooks.erasure()?;
        self.eraser.purge(before)
    }

    fn compress(&mut self, before: u64) -> Result<Compressed> {
        self.hooks.erasure()?;
        self.eraser.compress(before)
    }
}

#[test]
fn a_store_that_fails_poisons_the_log_and_nothing_acknowledged_is_lost() {
    for takes_effect in [true, false] {
        let signer = TestSigner::new();
        let store = MemoryStore::new();
        let hooks = Arc::new(Hooks::default());
        let told = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&told);
        let log = in_memory(&signer)
            .on_error(move |_| {
                count.fetch_add(1, Ordering::SeqCst);
            })
            .open(Hooked::new(store.clone(), &hooks))
            .expect("opens");
        let first = log.append(login("once").id("once")).expect("recorded");
        hooks.fail_append(takes_effect);
        let error = log.append(login("unknown").id("unknown")).expect_err("the store fails");
        assert!(matches!(error.cause(), Cause::Io { .. }), "{error}");
        let appends = hooks.appends.load(Ordering::SeqCst);
        for error in [
            log.append(login("later")).expect_err("poisoned"),
            log.submit(login("later")).expect_err("poisoned"),
            block_on(log.append_async(login("later"))).expect_err("poisoned"),
            log.rotate_key(key()).expect_err("poisoned"),
            log.erase_personal_data([2..=2], "test").expect_err("poisoned"),
            log.close(SOON).expect_err("poisoned"),
        ] {
            assert!(matches!(error.cause(), Cause::Poisoned(_)), "{error}");
            assert_eq!(error.kind(), ErrorKind::Reopen);
            assert!(
                error.to_string().contains("as the test told it"),
                "{error} does not say why"
            );
        }
        assert_eq!(hooks.appends.load(Ordering::SeqCst), appends, "nothing is tried again");
        eventually("it is told", || told.load(Ordering::SeqCst) > 0);
        let state = log.state();
        assert!(!state.healthy && state.size == 3, "{state:?}");
        // Opened anew, beside the clone of the poisoned one.
        let anew = within(SOON, "opening anew", {
            let (signer, store) = (Arc::clone(&signer), store.clone());
            move || in_memory(&signer).open(store)
        })
        .expect("the store is let go");
        assert_eq!(anew.append(login("once").id("once")).expect("a retry"), first);
        let retried = anew.append(login("unknown").id("unknown")).expect("a retry");
        assert_eq!(retried.seq == 3, takes_effect, "a retry says whether it took effect");
        anew.close(SOON).expect("closed");
        let sound = oracle::check(&store, signer.vkey());
        assert_eq!((sound.count("usr_unknown"), sound.count("usr_later")), (1, 0));
    }
}

#[test]
fn a_store_that_panics_ends_the_log_and_nobody_hangs() {
    for alone in [true, false] {
        let signer = TestSigner::new();
        let (store, hooks) = (MemoryStore::new(), Arc::new(Hooks::default()));
        let log = in_memory(&signer)
            .open(Hooked::new(store.clone(), &hooks))
            .expect("opens");
        let first = log.append(login("before")).expect("recorded");
        let waiting: Vec<_> = if alone {
            hooks.panics.store(true, Ordering::SeqCst);
            let log = log.clone();
            let answer = within(SOON, "an append", move || log.append(login("lost")));
            answer.expect_err("the store panics");
            Vec::new()
        } else {
            let blocked = signer.block_with(&log, login("lost"));
            let more = (0..500).map(|round| log.submit(login(round)).expect("room"));
            let waiting = more.chain([blocked]).collect();
            hooks.panics.store(true, Ordering::SeqCst);
            signer.set(Mode::Sign);
            waiting
        };
        for ticket in waiting {
            within(SOON, "a ticket", move || ticket.wait()).expect_err("the store panics");
        }
        let error = within(SOON, "an append after it", {
            let log = log.clone();
            move || log.append(login("after"))
        });
        assert_eq!(error.expect_err("poisoned").kind(), ErrorKind::Reopen);
        assert!(!log.state().healthy);
        within(SOON, "closing", move || log.close(SOON)).expect_err("poisoned");
        let anew = within(SOON, "opening anew", {
            let (signer, store) = (Arc::clone(&signer), store.clone());
            move || in_memory(&signer).open(store)
        })
        .expect("the store is let go");
        anew.close(SOON).expect("closed");
        let sound = oracle::check(&store, signer.vkey());
        assert_eq!(sound.at(first.seq).hash, first.hash);
        assert_eq!(sound.count("usr_after"), 0);
    }
}

#[test]
fn waiting_tickets_of_a_poisoned_log_fail_and_none_hangs() {
    let signer = TestSigner::new();
    let hooks = Arc::new(Hooks::default());
    let log = in_memory(&signer)
        .open(Hooked::new(MemoryStore::new(), &hooks))
        .expect("opens");
    let blocked = signer.block_with(&log, login("blocked"));
    let tickets: Vec<_> = (0..100).map(|round| log.submit(login(round)).expect("room")).collect();
    hooks.fail_append(false);
    signer.set(Mode::Sign);
    blocked.wait().expect_err("the store fails");
    for ticket in tickets {
        let error = within(SOON, "a ticket of a poisoned log", move || ticket.wait()).expect_err("poisoned");
        assert_eq!(error.kind(), ErrorKind::Reopen, "{error}");
    }
    assert_eq!(log.state().size, 2);
}

#[test]
fn a_conflict_is_chained_anew_and_no_event_is_lost_or_doubled() {
    let signer = TestSigner::new();
    let store = MemoryStore::new();
    let hooks = Arc::new(Hooks::shared());
    let log = in_memory(&signer)
        .open(Hooked::new(store.clone(), &hooks))
        .expect("opens");
    let first = log.append(login("once").id("once")).expect("recorded");
    for round in 0..10 {
        hooks.conflicts.store(round % 3, Ordering::SeqCst);
        log.append(login(round)).expect("recorded");
    }
    hooks.conflicts.store(1, Ordering::SeqCst);
    let blocked = signer.block_with(&log, login("blocked"));
    let retry = log.submit(login("once").id("once")).expect("room");
    let tickets: Vec<_> = (10..30).map(|round| log.submit(login(round)).expect("room")).collect();
    hooks.conflicts.store(2, Ordering::SeqCst);
    signer.set(Mode::Sign);
    blocked.wait().expect("recorded");
    assert_eq!(
        retry.wait().expect("a retry"),
        first,
        "a conflict does not forget the ids"
    );
    tickets.into_iter().for_each(|ticket| {
        ticket.wait().expect("recorded");
    });
    hooks.conflicts.store(1, Ordering::SeqCst);
    log.rotate_key(key()).expect("rotated");
    hooks.conflicts.store(1, Ordering::SeqCst);
    log.erase_personal_data([3..=4], "test").expect("erased");
    hooks.conflicts.store(1, Ordering::SeqCst);
    log.close(SOON).expect("closed");
    let sound = oracle::check(&store, signer.vkey());
    for round in 0..30 {
        assert_eq!(sound.count(&format!("usr_{round}")), 1, "event {round}");
    }
    assert_eq!(sound.count("usr_once"), 1);
    assert_eq!(sound.actions().last(), Some(&"audit_log.stopped"));
}

#[test]
fn a_conflict_where_nobody_else_can_write_ends_the_log() {
    let signer = TestSigner::new();
    let store = MemoryStore::new();
    let hooks = Arc::new(Hooks::default());
    let log = in_memory(&signer)
        .open(Hooked::new(store.clone(), &hooks))
        .expect("opens");
    hooks.conflicts.store(1, Ordering::SeqCst);
    log.append(login(1)).expect_err("the store is not what the log knows");
    let error = log.append(login(2)).expect_err("poisoned");
    assert_eq!(error.kind(), ErrorKind::Reopen, "{error}");
    let log = in_memory(&signer).open(store.clone()).expect("the store is let go");
    log.append(login(3)).expect("recorded");
    log.close(SOON).expect("closed");
    oracle::check(&store, signer.vkey());
}

#[test]
fn a_memory_log_in_segments_is_the_same_log() {
    for segment_size in [1, 700, 5_000, usize::MAX] {
        let signer = TestSigner::new();
        let store = MemoryStore::new().segment_size(segment_size);
        let log = in_memory(&signer).open(store.clone()).expect("opens");
        for round in 0..20 {
            log.append(login(round)).expect("recorded");
        }
        for seq in 0..22 {
            let record = log.reader().record(seq).expect("a record");
            log.prove(seq)
                .expect("a proof")
                .verify(record.hash(), &log.vkey())
                .expect("verifies");
        }
        log.close(SOON).expect("closed");
        let sound = oracle::check(&store, signer.vkey());
        assert_eq!(sound.size(), 23);
        assert!(segment_size > 700 || sound.segments > 5);
    }
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![any::<String>(), "[a-z ]{0,20}"]
}

fn an_event() -> impl Strategy<Value = Event> {
    let id = prop_oneof!["\\PC{1,40}", "usr_[0-9]{1,4}"];
    let times = prop_oneof![
        Just(None),
        (Timestamp::MIN.unix_micros()..=Timestamp::MAX.unix_micros()).prop_map(Timestamp::from_unix_micros)
    ];
    let metadata = prop::collection::btree_map("[A-Za-z0-9_.-]{1,40}", (any::<i32>(), text(), any::<bool>()), 0..6);
    (
        "[a-z][a-z0-9_]{0,8}(\\.[a-z][a-z0-9_]{0,8}){1,2}",
        id.clone(),
        prop::option::of(text()),
        prop::collection::vec((text(), id, prop::option::of(text())), 0..4),
        times,
        metadata,
        prop::collection::vec((text(), any::<f32>(), text(), any::<bool>()), 0..3),
    )
        .prop_filter("open to hosts", |event| !event.0.starts_with("audit_log."))
        .prop_map(|(action, id, email, targets, time, metadata, changes)| {
            let actor = email.into_iter().fold(Actor::user(id), Actor::email);
            let mut event = Event::new(action).actor(actor);
            for (kind, id, name) in targets {
                event = event.target(name.into_iter().fold(Target::new(kind, id), Target::name));
            }
            event = time.into_iter().fold(event, Event::occurred_at);
            for (key, (number, text, personal)) in metadata {
                event = if personal {
                    event.personal_metadata(key, text)
                } else {
                    event.metadata(key, (number, text))
                };
            }
            for (field, number, new, personal) in changes {
                let number = if number.is_finite() { number } else { 0.0 };
                let change = Change::new(field, number, new);
                event = event.change(if personal { change.personal() } else { change });
            }
            event
        })
}

/// What a log's records say, but for what is random or of the clock.
fn contents(reader: &LogReader) -> Vec<(u64, serde_json::Value)> {
    let records = reader.records(..).expect("readable").map(|record| {
        let record = record.expect("a record");
        let merged = record.merged_json().expect("JSON");
        let mut event: serde_json::Value = serde_json::from_str(&merged).expect("JSON");
        let fields = event.as_object_mut().expect("an object");
        fields.remove("id");
        let own = fields["action"]
            .as_str()
            .is_some_and(|action| action.starts_with("audit_log."));
        if own
            || fields
                .get("metadata")
                .is_some_and(|metadata| metadata["untimed"] == true)
        {
            fields.remove("occurred_at");
        }
        (record.seq(), event)
    });
    records.collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_events_through_both_stores_read_back_equal(
        events in prop::collection::vec(an_event(), 1..30),
        segment_size in 500_usize..20_000,
        pause in 0_usize..8,
    ) {
        let signer = TestSigner::new();
        let scene = Scene::new();
        let files = FileStore::new(scene.folder()).segment_size(segment_size as u64).space_ahead(segment_size % 2 == 0);
        let memory = MemoryStore::new().segment_size(segment_size);
        let in_files = AuditLog::builder(ORIGIN)
            .signer(Arc::clone(&signer))
            .without_checkpoint_file()
            .open(files.clone())
            .expect("opens");
        let in_memory = in_memory(&signer).open(memory.clone()).expect("opens");
        let mut recorded = 0;
        for (index, event) in events.into_iter().enumerate() {
            let event = if event.fields().occurred_at.is_none() { event.metadata("untimed", true) } else { event };
            if event.check().is_err() {
                prop_assert!(in_files.append(event.clone()).is_err() && in_memory.submit(event).is_err());
                continue;
            }
            recorded += 1;
            for log in [&in_files, &in_memory] {
                if index % 8 < pause {
                    log.append(event.clone()).expect("recorded");
                } else {
                    drop(log.submit(event.clone()).expect("room"));
                }
            }
        }
        for log in [in_files, in_memory] {
            log.close(SOON).expect("closed");
        }
        let (of_files, of_memory) = (LogReader::new(files.clone()), LogReader::new(memory.clone()));
        let contents = contents(&of_files);
        prop_assert_eq!(&contents, &self::contents(&of_memory));
        prop_assert_eq!(contents.len(), recorded + 3);
        for sound in [oracle::check(&files, signer.vkey()), oracle::check(&memory, signer.vkey())] {
            prop_assert_eq!(sound.records.len(), contents.len());
        }
        for (seq, _) in &contents {
            for reader in [&of_files, &of_memory] {
                let from = reader.records(*seq..).expect("readable").next().expect("a record").expect("a record");
                prop_assert_eq!(from.seq(), *seq);
                prop_assert_eq!(&from, &reader.record(*seq).expect("a record"));
                reader.prove(*seq).expect("a proof").verify(from.hash(), signer.vkey()).expect("verifies");
            }
        }
    }
}

#[test]
fn a_store_gives_lines_from_any_record_on() {
    let signer = TestSigner::new();
    let scene = Scene::new();
    let files = FileStore::new(scene.folder()).segment_size(40_000);
    let log = AuditLog::builder(ORIGIN)
        .signer(Arc::clone(&signer))
        .without_checkpoint_file()
        .open(files.clone())
        .expect("opens");
    for round in 0..600 {
        drop(log.submit(login(round)).expect("room"));
        if round % 50 == 0 {
            std::thread::sleep(Duration::from_millis(2));
        }
    }
    log.close(SOON).expect("closed");
    for segment in files.segments().expect("segments") {
        let from = [
            segment.first,
            segment.first + 1,
            segment.first + 37,
            segment.first + 100_000,
        ];
        for from in from {
            let mut lines = files.lines(&segment, from).expect("lines");
            let first = lines.next_line().expect("a line").expect("a line");
            assert_eq!(first.end, LineEnd::Whole);
            let line = std::str::from_utf8(first.bytes).expect("UTF-8");
            let line: serde_json::Value = serde_json::from_str(line).expect("a whole line");
            if let Some(seq) = line["seq"].as_u64() {
                assert!(seq <= from, "{} begins after {from}, at {seq}", segment.name);
            }
        }
    }
}

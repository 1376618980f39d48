//! Where tests play: a folder with a log, signers and stores that misbehave when told to, limits of time.

use std::collections::HashMap;
use std::fs;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::{Duration, Instant};

use indelible::{
    Actor, AuditLog, Builder, Cause, Event, FileStore, MemoryStore, SignError, Signer, SigningKey, VerifierKey, action,
};
use tempfile::TempDir;

pub(crate) const ORIGIN: &str = "auth.example.com/audit";

/// Long enough for all that is not meant to wait.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// A folder with room for a log, its key and its second place.
#[derive(Debug)]
pub(crate) struct Scene {
    root: TempDir,
}

impl Scene {
    pub(crate) fn new() -> Self {
        Self {
            root: tempfile::tempdir().expect("a temporary folder"),
        }
    }

    pub(crate) fn root(&self) -> &Path {
        self.root.path()
    }

    pub(crate) fn folder(&self) -> PathBuf {
        self.root().join("audit")
    }

    pub(crate) fn key_file(&self) -> PathBuf {
        self.root().join("audit.key")
    }

    /// The second place, which is beside the key and named for the origin.
    pub(crate) fn place(&self) -> PathBuf {
        let names: Vec<PathBuf> = list(self.root())
            .into_iter()
            .filter(|path| path.extension().is_some_and(|end| end == "checkpoint"))
            .collect();
        assert_eq!(names.len(), 1, "one checkpoint file beside the key: {names:?}");
        names[0].clone()
    }

    pub(crate) fn store(&self) -> FileStore {
        FileStore::new(self.folder())
    }

    pub(crate) fn builder(&self) -> Builder {
        AuditLog::builder(ORIGIN)
            .key_file(self.key_file())
            .lock_wait(Duration::from_secs(5))
    }

    pub(crate) fn open(&self) -> AuditLog {
        self.builder().open(self.store()).expect("the log opens")
    }

    pub(crate) fn key(&self) -> SigningKey {
        SigningKey::read_file(self.key_file()).expect("the key file")
    }

    pub(crate) fn vkey(&self) -> VerifierKey {
        self.key().vkey().clone()
    }

    /// A copy of all of it as it is now, but for the lock: what a crash at this moment leaves.
    pub(crate) fn crash_copy(&self) -> Self {
        let copy = Self::new();
        copy_folder(self.root(), copy.root());
        copy
    }

    /// Every file of the log directory.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        files_below(&self.folder())
    }

    pub(crate) fn segment_files(&self) -> Vec<PathBuf> {
        let mut files = list(&self.folder().join("segments"));
        files.retain(|path| path.extension().is_some_and(|end| end == "jsonl"));
        files.sort();
        files
    }

    pub(crate) fn last_segment(&self) -> PathBuf {
        self.segment_files().pop().expect("a segment")
    }

    /// Whether any file of the log directory holds these bytes.
    pub(crate) fn holds(&self, bytes: &[u8]) -> bool {
        self.files()
            .iter()
            .any(|file| fs::read(file).is_ok_and(|content| find(&content, bytes).is_some()))
    }
}

pub(crate) fn find(content: &[u8], bytes: &[u8]) -> Option<usize> {
    content.windows(bytes.len()).position(|window| window == bytes)
}

pub(crate) fn list(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("list {}: {error}", folder.display()));
    entries.map(|entry| entry.expect("an entry").path()).collect()
}

pub(crate) fn files_below(folder: &Path) -> Vec<PathBuf> {
    let (folders, mut files): (Vec<_>, Vec<_>) = list(folder).into_iter().partition(|path| path.is_dir());
    files.extend(folders.iter().flat_map(|folder| files_below(folder)));
    files
}

/// Copies what stands there; a file that goes away meanwhile is left out, as it would be by any backup.
pub(crate) fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    let mut entries = list(from);
    entries.sort();
    for path in entries {
        let target = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy_folder(&path, &target);
        } else if path.file_name().is_some_and(|name| name != "lock") {
            let _ = fs::copy(&path, &target);
        }
    }
}

/// Content of a segment without the space written ahead.
pub(crate) fn content_of(segment: &Path) -> Vec<u8> {
    let mut content = fs::read(segment).expect("a segment");
    let length = content.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1);
    content.truncate(length);
    content
}

pub(crate) fn login(user: impl std::fmt::Display) -> Event {
    Event::new(action::AUTH_LOGIN_SUCCEEDED)
        .actor(Actor::user(format!("usr_{user}")).email(format!("{user}@personal.example")))
}

/// An event of about so many bytes.
pub(crate) fn large(user: impl std::fmt::Display, bytes: usize) -> Event {
    login(user).personal_metadata("filler", "x".repeat(bytes))
}

pub(crate) fn key() -> SigningKey {
    SigningKey::generate(ORIGIN.parse().expect("an origin")).expect("a key")
}

/// A log in memory, signed by `signer`.
pub(crate) fn in_memory(signer: &Arc<TestSigner>) -> Builder {
    AuditLog::builder(ORIGIN)
        .signer(Arc::clone(signer))
        .without_checkpoint_file()
        .lock_wait(Duration::from_secs(5))
}

pub(crate) fn memory_log() -> AuditLog {
    in_memory(&TestSigner::new())
        .open(MemoryStore::new())
        .expect("a log in memory")
}

pub(crate) fn is_closed(cause: &Cause) -> bool {
    matches!(cause, Cause::Closed)
}

/// What a signer does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Sign,
    /// Waits until the mode changes, then does what that says.
    Block,
    Fail,
    Panic,
    /// Gives 64 bytes that are no signature.
    Garbage,
}

/// A signer that misbehaves when told to.
#[derive(Debug)]
pub(crate) struct TestSigner {
    key: SigningKey,
    state: Mutex<(Mode, usize, usize)>,
    changed: Condvar,
}

impl TestSigner {
    pub(crate) fn new() -> Arc<Self> {
        Self::of(key())
    }

    pub(crate) fn of(key: SigningKey) -> Arc<Self> {
        Arc::new(Self {
            key,
            state: Mutex::new((Mode::Sign, 0, 0)),
            changed: Condvar::new(),
        })
    }

    pub(crate) fn set(&self, mode: Mode) {
        self.state.lock().expect("unpoisoned").0 = mode;
        self.changed.notify_all();
    }

    /// Misbehaves so many times, then signs.
    pub(crate) fn misbehave(&self, mode: Mode, times: usize) {
        let mut state = self.state.lock().expect("unpoisoned");
        (state.0, state.2) = (mode, times);
        self.changed.notify_all();
    }

    /// How often it was called.
    pub(crate) fn calls(&self) -> usize {
        self.state.lock().expect("unpoisoned").1
    }

    /// Waits until it was called so often in all.
    pub(crate) fn wait_for_calls(&self, calls: usize) {
        let state = self.state.lock().expect("unpoisoned");
        let waited = self.changed.wait_timeout_while(state, SOON, |state| state.1 < calls);
        assert!(!waited.expect("unpoisoned").1.timed_out(), "the signer was not called");
    }

    /// Blocks, makes the log wait in the signer with one event, and gives its ticket.
    pub(crate) fn block_with(&self, log: &AuditLog, event: Event) -> indelible::Ticket {
        let calls = self.calls();
        self.set(Mode::Block);
        let ticket = log.submit(event).expect("room");
        self.wait_for_calls(calls + 1);
        ticket
    }
}

impl Signer for TestSigner {
    fn vkey(&self) -> &VerifierKey {
        self.key.vkey()
    }

    fn sign(&self, text: &[u8]) -> Result<[u8; 64], SignError> {
        let mut state = self.state.lock().expect("unpoisoned");
        state.1 += 1;
        self.changed.notify_all();
        while state.0 == Mode::Block {
            state = self.changed.wait(state).expect("unpoisoned");
        }
        let mode = state.0;
        if state.2 > 0 {
            state.2 -= 1;
            if state.2 == 0 {
                state.0 = Mode::Sign;
            }
        }
        drop(state);
        match mode {
            Mode::Sign | Mode::Block => self.key.sign(text),
            Mode::Fail => Err(SignError::new("the key service is away")),
            Mode::Panic => panic!("the signer panics, as the test told it"),
            Mode::Garbage => Ok([7; 64]),
        }
    }
}

/// Runs a step on a thread of its own, and fails the test if it does not end in time.
pub(crate) fn within<T: Send + 'static>(limit: Duration, what: &str, step: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, receiver) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        let _ = sender.send(step());
    });
    match receiver.recv_timeout(limit) {
        Ok(result) => result,
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("{what}: hangs"),
        Err(mpsc::RecvTimeoutError::Disconnected) => match thread.join() {
            Err(panic) => std::panic::resume_unwind(panic),
            Ok(()) => unreachable!("it sends or panics"),
        },
    }
}

/// Waits until something holds.
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < SOON, "never: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// The smallest executor: one future on this thread.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    let began = Instant::now();
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        assert!(began.elapsed() < SOON, "the future was not woken");
        std::thread::park_timeout(SOON);
    }
}

/// A waker that counts.
#[derive(Debug, Default)]
pub(crate) struct Count(pub(crate) AtomicUsize);

impl Count {
    pub(crate) fn get(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// A task that holds something until it is woken, and that its wakers hold.
pub(crate) struct Task<T>(pub(crate) Mutex<Option<T>>);

impl<T: Send + 'static> Wake for Task<T> {
    fn wake(self: Arc<Self>) {
        drop(self.0.lock().expect("unpoisoned").take());
    }
}

/// Polls once with a waker that counts.
pub(crate) fn poll_once<F: Future + Unpin>(future: &mut F, count: &Arc<Count>) -> Poll<F::Output> {
    let waker = Waker::from(Arc::clone(count));
    std::pin::Pin::new(future).poll(&mut Context::from_waker(&waker))
}

/// How often each actor's id was recorded.
pub(crate) fn actors(log: &AuditLog) -> HashMap<String, usize> {
    let mut counts = HashMap::new();
    for record in log.reader().records(..).expect("readable") {
        let record = record.expect("a record");
        if let Some(event) = record.event_json() {
            let event: serde_json::Value = serde_json::from_str(event).expect("JSON");
            let actor = event["actor"]["id"].as_str().expect("an actor").to_owned();
            *counts.entry(actor).or_default() += 1;
        }
    }
    counts
}

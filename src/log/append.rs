//! An event's way from the host into the queue, or, on an idle log, straight into a commit.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use super::AuditLog;
use super::committer;
use super::queue::Entry;
use super::recent::IdDigest;
use super::shared::{Shared, try_lock};
use super::ticket::{Receipt, Ticket};
use super::turn::Turn;
use super::work::Work;
use crate::error::{Cause, Result};
use crate::event::{Event, Fill, Given};
use crate::record::Draft;
use crate::timestamp::Timestamp;

/// An event on its way, as a future; made by [`AuditLog::append_async`].
#[must_use = "a future does nothing until it is polled"]
#[derive(Debug)]
pub struct Append {
    log: AuditLog,
    state: State,
    /// Its number among those that wait for room.
    waiter: Option<u64>,
}

#[derive(Debug)]
enum State {
    Event(Option<Event>),
    /// It waits for room.
    Line(Vec<u8>, Option<Entry>, Option<Ticket>),
    Ticket(Ticket),
}

impl Append {
    pub(super) fn new(log: AuditLog, event: Event) -> Self {
        Self {
            log,
            state: State::Event(Some(event)),
            waiter: None,
        }
    }
}

impl Future for Append {
    type Output = Result<Receipt>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<Receipt>> {
        let Self { log, state, waiter } = &mut *self;
        let shared = log.shared();
        let polled_again = || Poll::Ready(Err(Cause::Closed.into()));
        loop {
            match state {
                State::Event(event) => {
                    let Some(event) = event.take() else {
                        return polled_again();
                    };
                    match shared.prepare(event, |line, entry, ticket| (line.to_vec(), entry, ticket)) {
                        Ok((line, entry, ticket)) => *state = State::Line(line, Some(entry), Some(ticket)),
                        Err(error) => return Poll::Ready(Err(error)),
                    }
                }
                State::Line(line, entry, ticket) => {
                    let (Some(taken), Some(pending)) = (entry.take(), ticket.take()) else {
                        return polled_again();
                    };
                    match shared.queue.push_or_register(line, taken, context.waker(), waiter) {
                        Err(error) => return Poll::Ready(Err(error)),
                        Ok(Some(back)) => {
                            (*entry, *ticket) = (Some(back), Some(pending));
                            return Poll::Pending;
                        }
                        Ok(None) => *state = State::Ticket(pending),
                    }
                }
                State::Ticket(ticket) => return Pin::new(ticket).poll(context),
            }
        }
    }
}

impl Drop for Append {
    fn drop(&mut self) {
        if let (State::Line(..), Some(waiter)) = (&self.state, self.waiter) {
            self.log.shared().queue.unregister(waiter);
        }
    }
}

impl Shared {
    /// Puts an event into the queue.
    pub(super) fn submit(&self, event: Event) -> Result<Ticket> {
        self.prepare(event, |line, entry, ticket| {
            self.queue.push(line, entry).map(|()| ticket)
        })?
    }

    /// Validates and writes an event, on the caller's thread: all that does not depend on its place in the chain. `then`
    /// gets the beginning of its line.
    pub(super) fn prepare<T>(&self, event: Event, then: impl FnOnce(&[u8], Entry, Ticket) -> T) -> Result<T> {
        // A value that a host serializes may append to a log itself: then this thread's buffers are taken. In the
        // destructor of a thread-local they may be gone.
        let mut then = Some(then);
        let mut with = |scratch: &mut Scratch| {
            let (line, entry, ticket) = self.write(&event, scratch)?;
            let then = then.take().ok_or(Cause::Closed)?;
            Ok(then(line, entry, ticket))
        };
        let done = SCRATCH.try_with(|scratch| scratch.try_borrow_mut().ok().map(|mut scratch| with(&mut scratch)));
        match done {
            Ok(Some(done)) => done,
            Ok(None) | Err(_) => with(&mut Scratch::default()),
        }
    }

    fn write<'a>(&self, event: &Event, scratch: &'a mut Scratch) -> Result<(&'a [u8], Entry, Ticket)> {
        let now = self.options.clock.now();
        let (mut id_text, salt) = ([0; 36], self.entropy.random()?);
        let (id, id_digest) = match &event.fields().id {
            Some(id) => (id.as_str(), IdDigest::of(id.as_bytes())),
            None => {
                let uuid = self.entropy.uuid(now)?;
                let id: &str = uuid.hyphenated().encode_lower(&mut id_text);
                (id, IdDigest::of_uuid(&uuid))
            }
        };
        let fill = Fill {
            id,
            occurred_at: Timestamp::from(now),
            source: self.options.source.as_deref(),
            salt,
        };
        let Scratch { line, personal } = scratch;
        line.clear();
        personal.clear();
        Draft::begin(line);
        event
            .write(&fill, &self.options.limits, &self.redaction, line, personal)
            .map_err(Cause::InvalidEvent)?;
        let draft = Draft::end(line, personal);
        let line = line.get(1..).unwrap_or_default();
        let (ticket, promise) = Ticket::new(self.queue.process());
        let entry = Entry {
            draft,
            length: line.len(),
            id: id_digest,
            given: Given::of(event),
            promise,
        };
        Ok((line, entry, ticket))
    }

    /// Commits one event on the caller's thread, if the log is idle: no hand-over. Else the entry comes back.
    pub(super) fn append_alone(&self, line: &[u8], entry: Entry) -> Result<Option<Entry>> {
        let Some(core) = try_lock(&self.core) else {
            return Ok(Some(entry));
        };
        let _answering = self.answering();
        if core.prepared.is_some() || !self.queue.is_idle()? || try_lock(&self.disk).is_none() {
            return Ok(Some(entry));
        }
        // The store, the signer and the clock are the host's code. What they leave half done must not be built upon.
        let _work = Work::begin(self);
        let mut turn = TURN.try_with(Cell::take).ok().flatten().unwrap_or_default();
        let done = catch_unwind(AssertUnwindSafe(|| {
            turn.with_one(line, entry);
            committer::commit(self, core, &mut turn);
            turn.answer(self);
        }));
        match done {
            Ok(()) if turn.is_small() => drop(TURN.try_with(|kept| kept.set(Some(turn)))),
            Ok(()) => {}
            Err(_) => self.panicked(),
        }
        Ok(None)
    }
}

/// What a thread writes its events into, again and again.
#[derive(Debug, Default)]
struct Scratch {
    /// Behind the byte that [`Draft::begin`] puts before it.
    line: Vec<u8>,
    personal: Vec<u8>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = const {
        RefCell::new(Scratch { line: Vec::new(), personal: Vec::new() })
    };

    static TURN: Cell<Option<Turn>> = const { Cell::new(None) };
}

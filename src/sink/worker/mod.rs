//! The worker of a sink: reads the log, delivers, saves the position, over and over.
//!
//! Whatever fails, and be it that a sink panics, what was read and not delivered is let go and read again: so nothing is
//! passed over, and what is erased meanwhile does not come.

mod checkpoints;
mod inbox;
mod pausing;
mod settle;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use super::Sink;
use super::begin::{First, begin};
use super::failed::Failed;
use super::feed::{Content, Feed};
use super::feeds::Host;
use super::intake::Intake;
use super::message::Message;
use super::position::Position;
use super::progress::Progress;
use super::report::Report;
use super::running::Running;
use super::troubles::Troubles;
use crate::query::Query;
use checkpoints::Checkpoints;
use inbox::{BATCHES, Inbox};

/// The worker of a sink.
struct Worker {
    name: String,
    sink: Box<dyn Sink>,
    content: Content,
    query: Query,
    host: Arc<dyn Host>,
    running: Arc<Running>,
    first: First,
    /// It is known where the sink begins.
    has_begun: bool,
    progress: Progress,
    inbox: Inbox,
    troubles: Troubles,
    /// What the log was to be told and has not taken.
    untold: Vec<Report>,
    /// How many messages the next batch may have, while it is found out what the target takes.
    messages_max: usize,
    /// How many records were refused since the target took one.
    refused: usize,
    checkpoints: Checkpoints,
}

/// The thread of a sink.
pub(super) fn run(feed: Feed, host: Arc<dyn Host>, running: &Arc<Running>, first: First) {
    let mut worker = Worker::new(feed, host, Arc::clone(running), first);
    worker.work();
    worker.finish();
    // With it goes the lock of its position.
    drop(worker);
    running.end();
}

impl Worker {
    fn new(feed: Feed, host: Arc<dyn Host>, running: Arc<Running>, first: First) -> Self {
        Self {
            troubles: Troubles::new(&feed.name),
            name: feed.name,
            sink: feed.sink,
            content: feed.content,
            query: feed.query,
            host,
            running,
            first,
            has_begun: false,
            progress: Progress::at(Position::at(first.next)),
            inbox: Inbox::default(),
            untold: Vec::new(),
            messages_max: usize::MAX,
            refused: 0,
            checkpoints: Checkpoints::default(),
        }
    }

    fn work(&mut self) {
        let running = Arc::clone(&self.running);
        while running.may_go_on(|| self.let_go()) {
            // Limits, sizes, clocks and stores may be the host's own.
            let stepped = catch_unwind(AssertUnwindSafe(|| self.step()));
            let done = stepped.unwrap_or_else(|_| Err(Failed::new("the sink panicked")));
            self.tell();
            match done {
                Ok(()) if self.is_done() => break,
                Ok(()) => {}
                Err(failed) => {
                    self.let_go();
                    if running.is_stopping() {
                        break;
                    }
                    self.pause(failed);
                }
            }
        }
    }

    /// The position is saved for the last time, once the sink has ended: that may hang, or panic, and then leaves what it had
    /// not confirmed.
    fn finish(&mut self) {
        if !self.has_begun {
            return;
        }
        self.save();
        let told = catch_unwind(AssertUnwindSafe(|| self.tell_last()));
        let finished = catch_unwind(AssertUnwindSafe(|| {
            self.sink.finish();
            self.move_to(self.progress.next());
        }));
        drop((told, finished));
        self.save();
        self.progress.sync();
    }

    /// Whether all is delivered of a log that has ended, or in time to stop.
    fn is_done(&self) -> bool {
        let is_last = self.inbox.is_empty() && !self.checkpoints.is_owed();
        is_last && (self.inbox.is_ended() || self.running.is_stopping() && self.is_up_to_date())
    }

    fn is_up_to_date(&self) -> bool {
        let newest = self.host.newest().ok().flatten();
        newest.is_none_or(|newest| newest.checkpoint().size() <= self.read_to())
    }

    /// The first record that was not read.
    fn read_to(&self) -> u64 {
        let next = self.progress.next();
        self.inbox.read_to().map_or(next, |read_to| read_to.max(next))
    }

    /// What is not delivered now is read again: it may be erased meanwhile.
    fn let_go(&mut self) {
        self.inbox = Inbox::default();
        self.save();
        let (host, next) = (&self.host, self.progress.next());
        // Before it has begun, nobody knows where it is.
        let oldest = self.has_begun.then(|| {
            let oldest = catch_unwind(AssertUnwindSafe(|| host.record(next).ok()?.recorded_at()));
            oldest.unwrap_or_default()
        });
        self.running
            .count(|numbers| (numbers.has_read, numbers.oldest) = (false, oldest.flatten()));
    }

    fn step(&mut self) -> Result<(), Failed> {
        self.begin()?;
        self.fill()?;
        // One that was paused meanwhile begins no batch.
        match self.inbox.is_empty() || self.running.is_paused() {
            true => Ok(()),
            false => self.deliver(),
        }
    }

    /// Finds where the sink begins, and reads from its position on, unless it does.
    fn begin(&mut self) -> Result<(), Failed> {
        if !self.has_begun {
            self.progress = begin(&self.name, self.first, self.host.as_ref())?;
            self.has_begun = true;
            if let Some(since) = self.progress.failing() {
                self.troubles.resume(since);
            }
            self.running.count(|numbers| {
                numbers.moved(&self.progress);
                numbers.recovered();
            });
        }
        if !self.inbox.is_open() {
            // Before anything is read: an erasure asks for it.
            self.running.count(|numbers| numbers.has_read = true);
            let query = self.query.clone().seq_from(self.progress.next());
            let follower = self.host.follow(&query);
            let follower = follower.map_err(|error| Failed::unreadable(&error))?;
            self.inbox = Inbox::of(Intake::new(follower, self.content));
        }
        Ok(())
    }

    /// Reads what there is to be delivered next. Waits for it where there is nothing.
    fn fill(&mut self) -> Result<(), Failed> {
        let is_failing = self.troubles.is_failing();
        let wait = match self.inbox.is_empty() && !is_failing {
            true => self.due_within(),
            false => Duration::ZERO,
        };
        let running = Arc::clone(&self.running);
        let is_called_off = || running.is_interrupted();
        let limits = self.sink.limits();
        // What fails is read again each time that it is tried.
        let batches = if is_failing { 1 } else { BATCHES };
        let read = self.inbox.read(&limits, batches, wait, Some(&is_called_off));
        self.count_read();
        match read {
            // What was read before goes first.
            Err(error) if self.inbox.is_empty() => return Err(Failed::unreadable(&error)),
            _ if self.inbox.is_empty() => self.pass_over(),
            _ => {}
        }
        self.add_checkpoint()
    }

    /// What the filter does not find is passed over, as is what is erased.
    fn pass_over(&mut self) {
        let next = self.read_to();
        if self.progress.is_nameless()
            && let Some(before) = next.checked_sub(1)
            && let Ok(record) = self.host.record(before)
        {
            self.progress.know_by(&record);
        }
        self.move_to(next);
        // Where nothing is to be delivered any more, nothing is amiss.
        if self.troubles.is_failing() && self.is_up_to_date() {
            self.recovered();
            self.running.count(|numbers| numbers.recovered());
        }
    }

    /// How long it may be waited for something new.
    fn due_within(&self) -> Duration {
        let untold = (!self.untold.is_empty()).then_some(TELL_AGAIN);
        let unconfirmed = (self.progress.confirmed() < self.progress.next()).then_some(CONFIRM_EVERY);
        let due = [
            self.checkpoints.due_within(),
            self.troubles.due_within(),
            untold,
            unconfirmed,
        ];
        due.into_iter().flatten().min().unwrap_or(LONG)
    }

    /// Lets it see what was read and is not delivered.
    fn count_read(&mut self) {
        let purged = self.inbox.take_purged();
        let oldest = self.inbox.iter().find(|message| message.record().is_some());
        let oldest = oldest.map(Message::recorded_at);
        // What is to be read is about as old as what was read last.
        let is_known = oldest.is_some() || self.is_up_to_date();
        self.running.count(|numbers| {
            if is_known {
                numbers.oldest = oldest;
            }
            numbers.purged += purged;
        });
    }

    /// The newest checkpoint comes last, at most once a second: not while one waits to be delivered.
    fn add_checkpoint(&mut self) -> Result<(), Failed> {
        let is_owed = self.content.has_checkpoints && (self.checkpoints.is_owed() || !self.inbox.is_empty());
        let is_last = self.running.is_stopping() && self.inbox.is_empty();
        let has_one = || self.inbox.iter().any(|message| message.record().is_none());
        if !is_owed || !(self.checkpoints.is_due() || is_last) || has_one() {
            return Ok(());
        }
        match self.host.newest().map_err(|error| Failed::unreadable(&error))? {
            Some(newest) => {
                let message = self.content.checkpoint(&newest, self.host.now());
                self.inbox.push(message);
            }
            None => self.checkpoints.is_gone(),
        }
        Ok(())
    }

    /// All before `next` is delivered or not to be delivered.
    fn move_to(&mut self, next: u64) {
        let unconfirmed = self.sink.unconfirmed();
        self.progress.move_to(next, unconfirmed);
        // Where the next batch follows at once, it is saved with that.
        match self.inbox.is_empty() {
            true => self.save(),
            false => self.running.count(|numbers| numbers.moved(&self.progress)),
        }
    }

    /// Saves the position.
    fn save(&mut self) {
        if !self.has_begun {
            return;
        }
        let saved = self.progress.save();
        self.running.count(|numbers| numbers.saved(&self.progress, saved));
    }
}

const TELL_AGAIN: Duration = Duration::from_millis(100);

/// How often a sink is asked what its target may still lose, while nothing else happens.
const CONFIRM_EVERY: Duration = Duration::from_secs(1);

/// So long is waited at once.
const LONG: Duration = Duration::from_secs(3600);

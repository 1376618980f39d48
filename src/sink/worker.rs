//! The worker of a sink: reads the log, delivers, saves the position, over and over.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::begin::{Begun, begin, unreadable};
use super::delivery::{Delivery, Problem, Rejection};
use super::feed::{Content, Feed};
use super::feeds::Host;
use super::intake::Intake;
use super::message::Message;
use super::position::{Position, PositionFile};
use super::rejected::RejectedFile;
use super::report::Report;
use super::running::Running;
use super::troubles::Troubles;
use super::{Batch, Sink, backoff};
use crate::query::Query;

/// The worker of a sink.
struct Worker {
    name: String,
    sink: Box<dyn Sink>,
    content: Content,
    query: Query,
    host: Arc<dyn Host>,
    running: Arc<Running>,
    file: Option<PositionFile>,
    position: Position,
    intake: Intake,
    /// Read and not delivered, in order.
    pending: VecDeque<Message>,
    /// There was more to read than the next batch.
    is_behind: bool,
    troubles: Troubles,
    /// What the log was to be told and has not taken.
    untold: Vec<Report>,
    /// How many messages the next batch may have, while it is found out what the target takes.
    messages_max: usize,
    /// How many records were refused since the target took one.
    refused: usize,
    checkpoints: Checkpoints,
}

/// When the target is to get the newest checkpoint.
#[derive(Debug, Default)]
struct Checkpoints {
    /// It has got records since the last one.
    is_owed: bool,
    sent: Option<Instant>,
}

impl Checkpoints {
    /// How long to wait until the next one is due; `None` while none is owed.
    fn due_within(&self) -> Option<Duration> {
        let since = self.sent.map_or(Duration::MAX, |sent| sent.elapsed());
        self.is_owed.then(|| CHECKPOINT_EVERY.saturating_sub(since))
    }
}

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Delivered,
    Rejected,
    Undelivered,
}

/// Why delivery pauses.
#[derive(Debug)]
struct Failed {
    problem: Problem,
    /// Something is misconfigured.
    is_held: bool,
    /// For how long the target asks.
    pause: Option<Duration>,
}

impl Failed {
    fn new(problem: impl Into<Problem>) -> Self {
        Self {
            problem: problem.into(),
            is_held: false,
            pause: None,
        }
    }
}

/// The thread of a sink.
pub(super) fn run(feed: Feed, host: Arc<dyn Host>, running: &Arc<Running>, start: u64) {
    let mut troubles = Troubles::new(&feed.name);
    while running.may_go_on() {
        match begin(&feed, host.as_ref(), start) {
            Ok(begun) => {
                Worker::new(feed, host, Arc::clone(running), troubles, begun).work();
                break;
            }
            Err(problem) => {
                troubles.failed(problem.clone(), false, host.now());
                running.count(|numbers| numbers.failed(problem, false, host.now()));
                if running.is_stopping() {
                    break;
                }
                running.wait(backoff::pause(troubles.failures(), host.random()).max(BEGIN_AGAIN));
            }
        }
    }
    running.end();
}

impl Worker {
    fn new(feed: Feed, host: Arc<dyn Host>, running: Arc<Running>, troubles: Troubles, begun: Begun) -> Self {
        running.count(|numbers| numbers.position = begun.position.next);
        Self {
            name: feed.name,
            sink: feed.sink,
            content: feed.content,
            query: feed.query,
            host,
            running,
            file: begun.file,
            position: begun.position,
            intake: begun.intake,
            pending: VecDeque::new(),
            is_behind: false,
            troubles,
            untold: Vec::new(),
            messages_max: usize::MAX,
            refused: 0,
            checkpoints: Checkpoints::default(),
        }
    }

    fn work(&mut self) {
        while self.running.may_go_on() {
            let done = self.fill().and_then(|()| match self.pending.is_empty() {
                true => Ok(()),
                false => self.deliver(),
            });
            self.tell();
            match done {
                Ok(()) if self.is_done() => break,
                Ok(()) => {}
                Err(_) if self.running.is_stopping() => break,
                Err(failed) => {
                    self.pause(failed);
                    if self.running.is_stopping() {
                        break;
                    }
                    self.read_again();
                }
            }
        }
        if let Some(file) = &self.file {
            // An older one is delivered from twice.
            let _ = file.sync();
        }
    }

    /// Whether all is delivered of a log that has ended, or in time to stop.
    fn is_done(&self) -> bool {
        let is_last = self.pending.is_empty() && !self.checkpoints.is_owed;
        is_last && (self.intake.is_ended() || self.running.is_stopping() && self.is_up_to_date())
    }

    fn is_up_to_date(&self) -> bool {
        let newest = self.host.newest().ok().flatten();
        newest.is_none_or(|newest| newest.checkpoint().size() <= self.intake.position())
    }

    /// What could not be delivered is not kept, but read again: it may be erased meanwhile.
    fn read_again(&mut self) {
        let query = self.query.clone().seq_from(self.position.next);
        if let Ok(follower) = self.host.follow(&query) {
            self.pending.clear();
            self.intake = Intake::new(follower, self.content);
        }
    }

    /// Reads what there is to be delivered next. Waits for it where there is nothing.
    fn fill(&mut self) -> Result<(), Failed> {
        let limits = self.limits();
        let wait = match self.pending.is_empty() {
            true => self.due_within(),
            false => Duration::ZERO,
        };
        let bytes: usize = self.pending.iter().map(|message| message.text().len()).sum();
        let room = (
            limits.0.saturating_sub(self.pending.len()),
            limits.1.saturating_sub(bytes),
        );
        let running = Arc::clone(&self.running);
        let read = self.intake.wait(wait, Some(&|| running.is_interrupted()), room);
        self.add(read.map_err(|error| Failed::new(unreadable(&error)))?, room);
        // What the filter does not find is passed over, as is what is erased.
        if self.pending.is_empty() && self.intake.position() > self.position.next {
            self.move_to(self.intake.position());
        }
        self.add_checkpoint()
    }

    /// How much is read at once: about what makes a batch, and not one message at a time for those who take one.
    fn limits(&self) -> (usize, usize) {
        let limits = self.sink.limits();
        (limits.messages_max.max(READ_MIN), limits.bytes_max.max(1))
    }

    /// How long it may be waited for something new.
    fn due_within(&self) -> Duration {
        let untold = (!self.untold.is_empty()).then_some(TELL_AGAIN);
        let due = [self.checkpoints.due_within(), self.troubles.due_within(), untold];
        due.into_iter().flatten().min().unwrap_or(LONG)
    }

    /// Takes what was read.
    fn add(&mut self, read: VecDeque<Message>, room: (usize, usize)) {
        let bytes: usize = read.iter().map(|message| message.text().len()).sum();
        self.is_behind = read.len() >= room.0 || bytes >= room.1;
        self.pending.extend(read);
        let oldest = self.pending.iter().find(|message| message.record().is_some());
        let oldest = oldest.map(Message::recorded_at);
        let purged = self.intake.take_purged();
        self.running.count(|numbers| {
            numbers.oldest = oldest;
            numbers.purged += purged;
        });
    }

    /// The newest checkpoint comes last, at most once a second.
    fn add_checkpoint(&mut self) -> Result<(), Failed> {
        let has_one = self.pending.back().is_some_and(|last| last.record().is_none());
        let is_owed = self.content.has_checkpoints && (self.checkpoints.is_owed || !self.pending.is_empty());
        let is_due = self
            .checkpoints
            .sent
            .is_none_or(|sent| sent.elapsed() >= CHECKPOINT_EVERY);
        let is_last = self.running.is_stopping() && self.pending.is_empty();
        if has_one || !is_owed || !(is_due || is_last) {
            return Ok(());
        }
        if let Some(newest) = self.host.newest().map_err(|error| Failed::new(unreadable(&error)))? {
            self.pending
                .push_back(self.content.checkpoint(&newest, self.host.now()));
        }
        Ok(())
    }

    /// Delivers the next batch.
    fn deliver(&mut self) -> Result<(), Failed> {
        let limits = self.limits();
        let (sink, intake) = (&mut self.sink, &mut self.intake);
        let count = sink.limits().prefix(&self.pending, |message| sink.size_of(message));
        let count = count.min(self.messages_max);
        let is_behind = self.is_behind && self.pending.len() - count < limits.0 / 2;
        let batch = Batch::new(self.pending.make_contiguous().get(..count).unwrap_or_default());
        self.running.count(|numbers| numbers.under_way = Some(Instant::now()));
        // Where there is more, it is read while this is on its way.
        let (delivery, ahead) = thread::scope(|scope| {
            let read = || intake.read_ahead(limits);
            let ahead = is_behind.then(|| thread::Builder::new().spawn_scoped(scope, read).ok());
            let delivery = catch_unwind(AssertUnwindSafe(|| sink.deliver(&batch)));
            (delivery, ahead.flatten().and_then(|ahead| ahead.join().ok()))
        });
        self.running.count(|numbers| numbers.under_way = None);
        // First: the position is before all that was read and is not delivered.
        if let Some(ahead) = ahead {
            self.add(ahead, limits);
        }
        self.settle_by(count, delivery.unwrap_or_else(|_| Delivery::retry("the sink panicked")))
    }

    /// Does what the target's answer to the first messages asks for.
    fn settle_by(&mut self, count: usize, delivery: Delivery) -> Result<(), Failed> {
        match delivery {
            Delivery::Delivered => self.settle(count, &[], &[]),
            Delivery::Partly { undelivered } => self.settle(count, &[], &undelivered),
            Delivery::Rejected { rejected, undelivered } => self.settle(count, &rejected, &undelivered),
            Delivery::Split { problem } if count == 1 => self.settle(count, &[Rejection::new(0, problem)], &[]),
            Delivery::Split { problem } => {
                self.messages_max = count / 2;
                self.running.count(|numbers| numbers.last_error = Some(problem));
                Ok(())
            }
            Delivery::Throttled { pause, problem } => Err(Failed {
                pause,
                ..Failed::new(problem)
            }),
            Delivery::Retry { problem } => Err(Failed::new(problem)),
            Delivery::Hold { problem } => Err(Failed {
                is_held: true,
                ..Failed::new(problem)
            }),
        }
    }

    /// Takes the first messages off the list, but for those that are delivered again, and moves the position.
    fn settle(&mut self, count: usize, rejected: &[Rejection], undelivered: &[usize]) -> Result<(), Failed> {
        let mut fates = vec![Fate::Delivered; count];
        let mut mark = |at: usize, fate| fates.get_mut(at).into_iter().for_each(|found| *found = fate);
        rejected
            .iter()
            .for_each(|rejection| mark(rejection.index, Fate::Rejected));
        undelivered.iter().for_each(|at| mark(*at, Fate::Undelivered));
        let taken = fates.iter().filter(|fate| **fate == Fate::Delivered).count();
        self.refuse(rejected, taken)?;
        let is_progress = fates.iter().any(|fate| *fate != Fate::Undelivered);
        let batch: Vec<Message> = self.pending.drain(..count).collect();
        let (mut again, mut records, mut refused) = (Vec::new(), 0, 0);
        for (message, fate) in batch.into_iter().zip(fates) {
            let is_record = u64::from(message.record().is_some());
            match fate {
                Fate::Delivered => records += is_record,
                Fate::Rejected => refused += is_record,
                Fate::Undelivered => {
                    again.push(message);
                    continue;
                }
            }
            self.done(&message, fate);
        }
        again
            .into_iter()
            .rev()
            .for_each(|message| self.pending.push_front(message));
        let next = self
            .pending
            .iter()
            .find_map(Message::seq)
            .unwrap_or(self.intake.position());
        self.running.count(|numbers| {
            numbers.rejected += refused;
            if taken > 0 {
                numbers.delivered(records);
            }
        });
        self.move_to(next);
        if taken > 0 {
            self.untold.extend(self.troubles.delivered(next));
        }
        self.messages_max = self.messages_max.saturating_mul(2);
        match is_progress {
            true => Ok(()),
            false => Err(Failed::new("the target took nothing")),
        }
    }

    /// A message that is not delivered again.
    fn done(&mut self, message: &Message, fate: Fate) {
        if let (Some(record), Fate::Delivered) = (message.record(), fate) {
            let is_later = self.position.last.is_none_or(|(seq, _)| seq < record.seq());
            if is_later {
                self.position.last = Some((record.seq(), record.hash()));
            }
            self.checkpoints.is_owed |= self.content.has_checkpoints;
        }
        if let Some(size) = message.checkpoint_size() {
            self.checkpoints = Checkpoints {
                is_owed: false,
                sent: Some(Instant::now()),
            };
            if fate == Fate::Delivered {
                self.running.count(|numbers| numbers.checkpoint = size);
            }
        }
    }

    fn move_to(&mut self, next: u64) {
        self.position.next = next;
        if let Some(file) = &mut self.file
            && let Err(error) = file.save(&self.position)
        {
            let problem = Problem::new(format!("the position cannot be saved: {error}"));
            self.running.count(|numbers| numbers.last_error = Some(problem));
        }
        self.running.count(|numbers| numbers.position = next);
    }

    /// Sets records aside that the target refuses.
    fn refuse(&mut self, rejected: &[Rejection], taken: usize) -> Result<(), Failed> {
        if taken > 0 {
            self.refused = 0;
        }
        let records = rejected.iter().filter_map(|rejection| {
            let record = self.pending.get(rejection.index)?.record()?;
            Some((record, &rejection.problem))
        });
        let records: Vec<_> = records.collect();
        let Some((_, problem)) = records.last() else {
            return Ok(());
        };
        if taken == 0 && self.refused + records.len() > REFUSED_MAX {
            let what = format!(
                "more than {REFUSED_MAX} records in a row are refused: {}",
                problem.what()
            );
            let problem = Problem::new(what).with_answer(problem.answer().unwrap_or_default());
            return Err(Failed {
                is_held: true,
                ..Failed::new(problem)
            });
        }
        if let Some(folder) = self.host.folder() {
            let added = RejectedFile::of(&folder, &self.name).add(&records, self.host.now());
            added.map_err(|error| Failed::new(format!("rejected records cannot be set aside: {error}")))?;
        }
        self.refused += records.len();
        for (record, problem) in &records {
            self.troubles.rejected(record, problem);
        }
        let problem = (*problem).clone();
        self.running.count(|numbers| numbers.last_error = Some(problem));
        Ok(())
    }

    /// Waits after a failure.
    fn pause(&mut self, failed: Failed) {
        let now = self.host.now();
        self.troubles.failed(failed.problem.clone(), failed.is_held, now);
        self.running
            .count(|numbers| numbers.failed(failed.problem, failed.is_held, now));
        let random = self.host.random();
        let pause = match failed.pause {
            Some(pause) => backoff::asked(pause),
            None if failed.is_held => backoff::pause(self.troubles.failures(), random).max(HELD_MIN),
            None => backoff::pause(self.troubles.failures(), random),
        };
        let began = Instant::now();
        loop {
            self.tell();
            let left = pause.saturating_sub(began.elapsed());
            let wait = self.troubles.due_within().unwrap_or(left).min(left);
            if self.running.wait(wait) {
                self.refused = 0;
                return;
            }
            if left.is_zero() || self.running.is_stopping() {
                return;
            }
        }
    }

    /// Tells the log what it is to be told. What it does not take now, it is told later.
    fn tell(&mut self) {
        self.untold.retain(|report| !self.host.report(report));
        if let Some(report) = self.troubles.due(self.position.next)
            && self.host.report(&report)
        {
            self.troubles.is_told(&report);
        }
    }
}

/// How often a target gets the newest checkpoint, at most.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(1);

/// So many messages are read at once, at least.
const READ_MIN: usize = 256;

/// More records in a row are not refused for what they are: they stay where they are.
const REFUSED_MAX: usize = 100;

/// How soon what is misconfigured is tried again.
const HELD_MIN: Duration = Duration::from_secs(5);

const BEGIN_AGAIN: Duration = Duration::from_millis(500);

const TELL_AGAIN: Duration = Duration::from_millis(100);

/// So long is waited at once.
const LONG: Duration = Duration::from_secs(3600);

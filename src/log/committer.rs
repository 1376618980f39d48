//! The committers: take what waits in the queue, make commits of it, and answer for each event.
//!
//! Two of them take turns. Who holds the [`Core`] chains records; who holds the [`Disk`] writes. A committer takes the
//! disk while it holds the core, so that commits are written in the order in which they were chained, and lets the core
//! go before it writes. So while one syncs, the other prepares the next commit, and when that has the disk, the first
//! one wakes those who wait for receipts.

use std::fmt;
use std::sync::{Arc, MutexGuard};
use std::time::{Duration, Instant};

use super::caches::id_of;
use super::chain::{Chain, Records};
use super::queue::{Batch, Entry, Queue, Work};
use super::recent::{IdDigest, RecentFile};
use super::ticket::Receipt;
use super::{Shared, own};
use crate::checkpoint::SignedCheckpoint;
use crate::error::{Cause, Error, Result};
use crate::event::{Event, recorded_id};
use crate::hash::Hash;
use crate::reader::tree::TreeCache;
use crate::reader::{push, record_at, walk_near};
use crate::sign::{SignError, Signer};
use crate::store::{Head, Store, Writer};

/// What gives records their place. Who holds it makes the next commit: a committer's thread, or a caller on an idle
/// log.
#[derive(Debug)]
pub(super) struct Core {
    pub(super) chain: Chain,
    pub(super) signer: Arc<dyn Signer>,
    /// Whether a signature of its was verified.
    pub(super) is_signer_checked: bool,
    pub(super) recent_file: Option<RecentFile>,
}

impl fmt::Debug for dyn Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({})", self.vkey())
    }
}

/// What writes commits.
#[derive(Debug)]
pub(super) struct Disk {
    /// `None` once the log is closed or poisoned: then the next writer may come.
    pub(super) writer: Option<Box<dyn Writer>>,
}

/// One commit on its way, with the events that are to be answered. Used again and again.
#[derive(Debug, Default)]
pub(super) struct Turn {
    records: Records,
    batches: Vec<Batch>,
    /// Which entries are in the commit: batch and entry, `seq` and hash.
    taken: Vec<(usize, usize, u64, Hash)>,
    next: Place,
}

/// Where in the batches of a turn the next entry stands.
#[derive(Debug, Clone, Copy, Default)]
struct Place {
    batch: usize,
    entry: usize,
    byte: usize,
}

/// Answers for an entry.
type Deliver<'a> = &'a mut dyn FnMut(&Entry, Result<Receipt>);

impl Turn {
    /// A turn with one event.
    pub(super) fn with_one(&mut self, line: &[u8], entry: Entry) {
        self.batches.resize_with(1, Batch::default);
        if let [batch] = self.batches.as_mut_slice() {
            batch.clear();
            batch.bytes.extend_from_slice(line);
            batch.entries.push(entry);
        }
    }

    /// All is answered: the batches can be filled again.
    pub(super) fn give_back(&mut self, queue: &Queue) {
        self.batches.drain(..).for_each(|batch| queue.give_back(batch));
    }

    /// Whether all entries are chained or answered.
    fn is_through(&self) -> bool {
        self.next.batch >= self.batches.len()
    }

    /// Answers for all that is in the commit.
    fn answer(&self, deliver: Deliver<'_>, result: impl Fn(u64, Hash) -> Result<Receipt>) {
        for (batch, entry, seq, hash) in &self.taken {
            if let Some(entry) = self.batches.get(*batch).and_then(|batch| batch.entries.get(*entry)) {
                deliver(entry, result(*seq, *hash));
            }
        }
    }

    /// Answers with an error for all that is not chained.
    fn fail_rest(&mut self, deliver: Deliver<'_>, error: &Error) {
        let from = self.next;
        for (at, batch) in self.batches.iter().enumerate().skip(from.batch) {
            let skipped = if at == from.batch { from.entry } else { 0 };
            for entry in batch.entries.iter().skip(skipped) {
                deliver(entry, Err(error.clone()));
            }
        }
        self.next.batch = self.batches.len();
    }
}

impl Core {
    /// Chains as many of the entries as one commit takes.
    fn fill(&mut self, shared: &Shared, turn: &mut Turn, deliver: Deliver<'_>) {
        let Turn {
            records,
            batches,
            taken,
            next,
        } = turn;
        while let Some(batch) = batches.get(next.batch) {
            let Some(entry) = batch.entries.get(next.entry) else {
                *next = Place {
                    batch: next.batch + 1,
                    entry: 0,
                    byte: 0,
                };
                continue;
            };
            let line = batch.bytes.get(next.byte..next.byte + entry.length).unwrap_or_default();
            if !records.fits(line.len()) && !records.is_empty() {
                return;
            }
            match entry
                .retry
                .as_ref()
                .and_then(|event| self.first_receipt(shared, entry, event))
            {
                None => {
                    let (seq, hash) = self.chain.push(records, line, &entry.draft, entry.id);
                    taken.push((next.batch, next.entry, seq, hash));
                }
                // Its first record is not durable yet: it is looked at again once that is.
                Some(Retry::Later) => return,
                Some(Retry::Answer(answer)) => deliver(entry, answer),
            }
            next.entry += 1;
            next.byte += entry.length;
        }
    }

    /// The answer for an event whose id was recorded before.
    fn first_receipt(&self, shared: &Shared, entry: &Entry, event: &Event) -> Option<Retry> {
        let seq = self.chain.find(&entry.id)?;
        let durable = shared.numbers.size();
        if seq >= durable {
            return Some(Retry::Later);
        }
        let (record, size) = match record_at(shared.store.as_ref(), seq, durable) {
            Ok(found) => found,
            // What is purged has no id any more.
            Err(_) if is_purged(shared.store.as_ref(), seq) => return None,
            Err(error) => return Some(Retry::Answer(Err(error))),
        };
        let id = event.fields().id.as_deref().unwrap_or_default();
        // An erased record has no id any more, and no content to compare. The cache of ids can be wrong.
        let kept = record
            .event_json()
            .filter(|kept| recorded_id(kept.as_bytes()).as_deref() == Some(id))?;
        let personal = record.personal_json().map(str::as_bytes);
        Some(Retry::Answer(
            if event.same_content(kept.as_bytes(), personal, &shared.redaction) {
                Ok(Receipt {
                    seq,
                    hash: record.hash(),
                    size,
                })
            } else {
                Err(Cause::IdReused {
                    id: id.to_owned(),
                    first_seq: seq,
                }
                .into())
            },
        ))
    }

    /// Signs, again and again while the signer fails, up to the host's deadline: nothing is written yet, and nothing is
    /// poisoned.
    fn sign(
        &mut self,
        shared: &Shared,
        records: &mut Records,
        successor: Option<&dyn Signer>,
        began: Instant,
    ) -> Result<SignedCheckpoint> {
        let mut pause = SIGN_AGAIN_FIRST;
        loop {
            let signers: [&dyn Signer; 2] = [self.signer.as_ref(), successor.unwrap_or(self.signer.as_ref())];
            let count = if successor.is_some() { 2 } else { 1 };
            let is_checked = self.is_signer_checked && successor.is_none();
            let signed = self.chain.sign(records, &signers[..count]).and_then(|checkpoint| {
                // The first signature under each key: a log signed by a key that lies could not be opened again.
                let verifies = |signer: &&dyn Signer| checkpoint.verify(signer.vkey()).is_ok();
                match is_checked || signers[..count].iter().all(verifies) {
                    true => Ok(checkpoint),
                    false => Err(SignError::new("a signature does not verify under its vkey")),
                }
            });
            match signed {
                Ok(checkpoint) => {
                    self.is_signer_checked = true;
                    return Ok(checkpoint);
                }
                Err(error) => {
                    let error = Error::from(Cause::Signer(error));
                    shared.numbers.failed(&error);
                    let left = shared.signer_time_left(began);
                    if left.is_zero() {
                        return Err(error);
                    }
                    std::thread::sleep(pause.min(left));
                    pause = (pause * 2).min(SIGN_AGAIN_LAST);
                }
            }
        }
    }

    /// Adds what came while the disk was busy.
    fn top_up(&mut self, shared: &Shared, turn: &mut Turn, deliver: Deliver<'_>) {
        while turn.is_through()
            && let Some(batch) = shared.queue.take(turn.records.room() / 2)
        {
            turn.batches.push(batch);
            self.fill(shared, turn, deliver);
        }
        if let Some(file) = &mut self.recent_file {
            file.advance(self.chain.recent(), turn.records.byte_count());
        }
    }

    /// Records an event of the log itself in a commit of its own, which `successor` signs too.
    pub(super) fn record(
        &mut self,
        shared: &Shared,
        disk: &mut Disk,
        event: &Event,
        successor: Option<&dyn Signer>,
    ) -> Result<Receipt> {
        let mut records = Records::default();
        loop {
            let chained = self
                .chain
                .begin(&mut records)
                .and_then(|()| self.chain.push_own(&mut records, event));
            let (seq, hash) = chained.inspect_err(|_| self.chain.undo(&mut records))?;
            match self.write_own(shared, disk, &mut records, successor) {
                Err(error) if matches!(error.cause(), Cause::Conflict { .. }) && shared.failure().is_none() => {}
                Err(error) => return Err(error),
                Ok(()) => {
                    let size = records.size();
                    return Ok(Receipt { seq, hash, size });
                }
            }
        }
    }

    /// Signs and writes records of the log itself. After an error they are taken back; one of the store's poisons the
    /// log.
    pub(super) fn write_own(
        &mut self,
        shared: &Shared,
        disk: &mut Disk,
        records: &mut Records,
        successor: Option<&dyn Signer>,
    ) -> Result<()> {
        let began = Instant::now();
        let checkpoint = self
            .sign(shared, records, successor, began)
            .inspect_err(|_| self.chain.undo(records))?;
        disk.write(shared, records, checkpoint, began)
            .inspect_err(|error| match error.cause() {
                Cause::Conflict { head, .. } => self.continue_from(shared, records, head),
                _ => self.chain.undo(records),
            })
    }

    /// Another writer was at the store: takes the records back, and goes on behind those of that one.
    fn continue_from(&mut self, shared: &Shared, records: &mut Records, head: &Head) {
        self.chain.undo(records);
        let (mut tree, mut ids) = (self.chain.tree().clone(), Vec::new());
        {
            let mut cache = shared.tree();
            let (from, to) = (tree.size(), head.tree.size());
            let walked = walk_near(shared.store.as_ref(), from, to, |leaf| {
                push(&mut tree, &mut cache, &leaf);
                ids.push(leaf.record.map_or(IdDigest::NONE, id_of));
            });
            if walked.is_err() || tree != head.tree {
                *cache = TreeCache::disabled();
            }
        }
        self.chain.continue_from(head, &ids);
    }

    /// Says that the log is closed, and closes the store in order.
    fn close(&mut self, shared: &Shared, disk: &mut Disk) -> Result<()> {
        if disk.writer.is_none() {
            return shared.failure().map_or(Ok(()), Err);
        }
        let stopped = self.record(shared, disk, &own::stopped(), None);
        shared.tree().write();
        if let Some(file) = &mut self.recent_file {
            file.save(self.chain.recent());
        }
        let closed = disk.writer.take().map_or(Ok(()), |mut writer| writer.close());
        stopped.map(drop).and(closed)
    }
}

impl Disk {
    /// Writes a commit. An error poisons the log, but for a conflict with another writer, where there can be one.
    fn write(
        &mut self,
        shared: &Shared,
        records: &mut Records,
        checkpoint: SignedCheckpoint,
        began: Instant,
    ) -> Result<()> {
        let Some(writer) = &mut self.writer else {
            return Err(shared.ended());
        };
        let commit = records.commit(&checkpoint);
        let bytes = commit.bytes.len();
        if let Err(error) = writer.append(&commit) {
            let is_conflict = matches!(error.cause(), Cause::Conflict { .. });
            if !(is_conflict && shared.store.is_shared()) {
                self.writer = None;
                shared.poison(&error);
            }
            return Err(error);
        }
        shared
            .numbers
            .committed(records.size(), records.hashes().len(), bytes, began.elapsed());
        shared.tree().extend(records.hashes(), records.subtrees(), bytes);
        shared.follow.publish(checkpoint);
        Ok(())
    }
}

enum Retry {
    Later,
    Answer(Result<Receipt>),
}

/// A committer's thread, from the opening to the end of the log.
pub(super) fn run(shared: &Shared) {
    let mut turn = Turn::default();
    let look_next = || Instant::now().checked_add(shared.rotation_due_in()?);
    let mut look_at = look_next();
    loop {
        let left = look_at.map(|at| at.saturating_duration_since(Instant::now()));
        match shared.queue.wait(left) {
            Work::Events => take_turn(shared, &mut turn),
            Work::Look => {}
            Work::Ended => break,
        }
        // Also where there is always something to commit.
        if look_at.is_some_and(|at| at <= Instant::now()) {
            shared.queue.without_this_committer(|| shared.rotate_if_due());
            look_at = look_next();
        }
    }
    // The last one to come here finds it closed.
    let mut core = shared.core();
    let mut disk = shared.disk();
    if !shared.ends_now() {
        return;
    }
    let closed = core.close(shared, &mut disk);
    drop((core, disk));
    shared.finish(closed);
    shared.tell_untold();
}

/// Commits what waits, and answers for it.
fn take_turn(shared: &Shared, turn: &mut Turn) {
    let core = shared.core();
    let Some(batch) = shared.queue.take(usize::MAX) else {
        return;
    };
    turn.batches.push(batch);
    commit(shared, core, None, turn, &mut |entry, result| {
        answer(shared, entry, result)
    });
    turn.give_back(&shared.queue);
    shared.tell_untold();
}

/// Commits what a turn holds, in as many commits as it takes. The core is let go before the last one is written, and
/// the disk before it is answered for.
pub(super) fn commit<'a>(
    shared: &'a Shared,
    core: MutexGuard<'a, Core>,
    disk: Option<MutexGuard<'a, Disk>>,
    turn: &mut Turn,
    deliver: Deliver<'_>,
) {
    let (mut core, mut disk) = (Some(core), disk);
    turn.next = Place::default();
    while let Some(holder) = &mut core
        && !turn.is_through()
    {
        turn.taken.clear();
        let start = turn.next;
        if let Err(error) = holder.chain.begin(&mut turn.records) {
            holder.chain.undo(&mut turn.records);
            return turn.fail_rest(deliver, &error);
        }
        holder.fill(shared, turn, deliver);
        let writer = disk.get_or_insert_with(|| shared.disk());
        if writer.writer.is_none() {
            return give_up(shared, turn, deliver);
        }
        holder.top_up(shared, turn, deliver);
        if turn.records.is_empty() {
            continue;
        }
        let began = Instant::now();
        let checkpoint = match holder.sign(shared, &mut turn.records, None, began) {
            Ok(checkpoint) => checkpoint,
            Err(error) => {
                holder.chain.undo(&mut turn.records);
                turn.answer(deliver, |_, _| Err(error.clone()));
                continue;
            }
        };
        if turn.is_through() && !shared.store.is_shared() {
            core = None;
        }
        let size = turn.records.size();
        match writer.write(shared, &mut turn.records, checkpoint, began) {
            Ok(()) if turn.is_through() => {
                (core, disk) = (None, None);
                turn.answer(deliver, |seq, hash| Ok(Receipt { seq, hash, size }));
            }
            Ok(()) => turn.answer(deliver, |seq, hash| Ok(Receipt { seq, hash, size })),
            Err(error) => match (error.cause(), &mut core) {
                // Another writer was at the store: all of it is chained anew, behind that one's records.
                (Cause::Conflict { head, .. }, Some(core)) if shared.store.is_shared() => {
                    core.continue_from(shared, &mut turn.records, head);
                    turn.next = start;
                }
                _ => turn.answer(deliver, |_, _| Err(error.clone())),
            },
        }
    }
}

fn is_purged(store: &dyn Store, seq: u64) -> bool {
    let segments = store.segments().unwrap_or_default();
    segments.first().is_some_and(|first| seq < first.first)
}

/// The log has ended: nothing of a turn is written.
fn give_up(shared: &Shared, turn: &mut Turn, deliver: Deliver<'_>) {
    let error = shared.ended();
    turn.answer(deliver, |_, _| Err(error.clone()));
    turn.fail_rest(deliver, &error);
}

/// Gives an entry's result to whoever waits for it; a failure that nobody waits for is counted and told.
pub(super) fn answer(shared: &Shared, entry: &Entry, result: Result<Receipt>) {
    let Some(ticket) = &entry.ticket else { return };
    match result {
        Ok(receipt) => ticket.keep(Ok(receipt)),
        Err(error) => {
            if !ticket.fail(error.clone()) {
                shared.failed_unseen(&error);
            }
        }
    }
}

const SIGN_AGAIN_FIRST: Duration = Duration::from_millis(20);
const SIGN_AGAIN_LAST: Duration = Duration::from_secs(1);

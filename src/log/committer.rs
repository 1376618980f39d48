//! The committer: takes what waits in the queue, makes commits of it, and answers for each event.
//!
//! Who holds the [`Core`] chains records; who holds the [`Disk`] writes. The disk is taken while the core is held, so that
//! commits are written in the order in which they were chained, and the core is let go before the last one is written.
//! So while the committer syncs, its assistant prepares the next commit, and answers for the one before.

use std::fmt;
use std::sync::MutexGuard;
use std::time::{Duration, Instant};

use super::caches::id_of;
use super::chain::{Chain, Records};
use super::own;
use super::queue::Entry;
use super::recent::{IdDigest, RecentFile};
use super::rotation::LogSigner;
use super::shared::{Alone, Shared};
use super::ticket::Receipt;
use super::turn::{Cursor, Turn};
use super::work::{Work, call_host};
use crate::checkpoint::SignedCheckpoint;
use crate::error::{Cause, Error, Result};
use crate::event::{Event, Given, recorded_id};
use crate::reader::tree::TreeCache;
use crate::reader::{push, record_and_commit, walk_near};
use crate::sign::{SignError, Signer};
use crate::store::{Head, Store, Writer};

/// What gives records their place. Who holds it makes the next commit: a committer's thread, or a caller on an idle
/// log.
#[derive(Debug)]
pub(super) struct Core {
    pub(super) chain: Chain,
    pub(super) signer: LogSigner,
    /// A signature of the key in force was verified.
    pub(super) is_signer_checked: bool,
    pub(super) recent_file: Option<RecentFile>,
    /// The next commit, signed, before anything else may be written.
    pub(super) prepared: Option<Turn>,
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

impl Core {
    /// Another key is in force, whose signature of the last commit was verified.
    pub(super) fn set_signer(&mut self, signer: LogSigner) {
        self.signer = signer;
    }

    /// Chains and signs the next commit of a turn: as many of its entries as one commit takes, and what came meanwhile.
    /// Nothing is signed where all of them are answered, or the first one has to wait for the disk.
    fn prepare(&mut self, shared: &Shared, turn: &mut Turn) {
        turn.taken.clear();
        if let Err(error) = self.chain.begin(&mut turn.records) {
            self.chain.undo(&mut turn.records);
            return turn.fail_rest(shared, &error);
        }
        self.fill(shared, turn);
        while turn.is_through()
            && let Some(batch) = shared.queue.take(turn.records.room() / 2)
        {
            turn.batches.push(batch);
            self.fill(shared, turn);
        }
        if let Some(file) = &mut self.recent_file {
            file.advance(self.chain.recent(), shared.numbers.size(), turn.records.byte_count());
        }
        if turn.records.is_empty() {
            return;
        }
        let began = Instant::now();
        match self.sign(shared, &mut turn.records, None, began) {
            Ok(checkpoint) => turn.signed = Some((checkpoint, began)),
            Err(error) => {
                self.chain.undo(&mut turn.records);
                turn.fail(shared, &error);
            }
        }
    }

    /// Chains entries until the commit is full.
    fn fill(&mut self, shared: &Shared, turn: &mut Turn) {
        let Turn {
            records,
            batches,
            taken,
            next,
            ..
        } = turn;
        while let Some(batch) = batches.get(next.batch) {
            let Some(entry) = batch.entries.get(next.entry) else {
                *next = Cursor {
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
            // Behind another writer's records, what was answered is met once more.
            if entry.given.is_some() && entry.promise.is_kept() {
                next.entry += 1;
                next.byte += entry.length;
                continue;
            }
            match entry
                .given
                .and_then(|given| self.first_receipt(shared, entry, given, line))
            {
                None => {
                    let (seq, hash) = self.chain.push(records, line, &entry.draft, entry.id);
                    taken.push((next.batch, next.entry, seq, hash));
                }
                // Its first record is not durable yet: it is looked at again once that is.
                Some(Retry::Later) => return,
                Some(Retry::Answer(answer)) => _ = shared.answer(entry, answer),
            }
            next.entry += 1;
            next.byte += entry.length;
        }
    }

    /// The answer for an event whose id was recorded before.
    fn first_receipt(&mut self, shared: &Shared, entry: &Entry, given: Given, line: &[u8]) -> Option<Retry> {
        let seq = self.chain.find(&entry.id)?;
        let durable = shared.numbers.size();
        if seq >= durable {
            return Some(Retry::Later);
        }
        let (record, size) = match record_and_commit(shared.store.as_ref(), seq, durable) {
            Ok(found) => found,
            // What is purged has no id any more.
            Err(_) if is_purged(shared.store.as_ref(), seq) => return None,
            Err(error) => return Some(Retry::Answer(Err(error))),
        };
        // An erased record has no id any more, and no content to compare. The cache of ids can be wrong.
        let kept = record.event_json()?.as_bytes();
        let id = recorded_id(kept).filter(|id| IdDigest::of(id.as_bytes()) == entry.id)?;
        let personal = record.personal_json().map(str::as_bytes);
        Some(Retry::Answer(if given.is_in(line, kept, personal) {
            Ok(Receipt {
                seq,
                hash: record.hash(),
                size,
            })
        } else {
            Err(Cause::IdReused { id, first_seq: seq }.into())
        }))
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
            let close_by = shared.close_by();
            let in_force = self.signer.signer.as_ref();
            let signers = match successor {
                Some(new) => &[in_force, new][..],
                None => &[in_force][..],
            };
            // A log with a signature that is wrong could not be opened again.
            let is_trusted = self.signer.is_own && self.is_signer_checked && successor.is_none();
            let signed = self.chain.sign(records, signers).and_then(|checkpoint| {
                let verifies = |signer: &&dyn Signer| checkpoint.verify(signer.vkey()).is_ok();
                match is_trusted || signers.iter().all(verifies) {
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
                    shared.pause(pause.min(left), close_by);
                    pause = (pause * 2).min(SIGN_AGAIN_LAST);
                }
            }
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
                Cause::Conflict { head, .. } => drop(self.continue_from(shared, records, head)),
                _ => self.chain.undo(records),
            })
    }

    /// Another writer was at the store: takes the records back, and goes on behind those of that one.
    fn continue_from(&mut self, shared: &Shared, records: &mut Records, head: &Head) -> Result<()> {
        self.chain.undo(records);
        let vkey = self.signer.vkey();
        let verified = head.checkpoint.verify(vkey);
        let verified = verified.map_err(|error| Error::configuration("key", error.to_string()));
        if let Err(error) = verified.and_then(|_| head.check_in_force(vkey)) {
            // That one put another key in force.
            shared.poison(&error);
            return Err(error);
        }
        let (mut tree, mut ids) = (self.chain.tree().clone(), Vec::new());
        {
            let mut cache = shared.tree();
            let (from, to) = (tree.size(), head.tree.size());
            let walked = walk_near(shared.store.as_ref(), from, to, |leaf| {
                push(&mut tree, &mut cache, &leaf);
                ids.push(leaf.record().map_or(IdDigest::NONE, id_of));
            });
            if walked.is_err() || tree != head.tree {
                *cache = TreeCache::disabled();
            }
        }
        self.chain.continue_from(head, &ids);
        shared.numbers.continued(head.tree.size());
        Ok(())
    }

    /// Says that the log is closed, and closes the store in order.
    fn close(&mut self, shared: &Shared, disk: &mut Disk) -> Result<()> {
        if disk.writer.is_none() {
            return shared.failure().map_or(Ok(()), Err);
        }
        let stopped = self.record(shared, disk, &own::stopped(), None);
        shared.tree().write();
        if let Some(file) = &mut self.recent_file {
            file.save(self.chain.recent(), shared.numbers.size());
        }
        let closed = disk
            .writer
            .take()
            .map_or(Ok(()), |mut writer| call_host("the store", || writer.close()));
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
        let (first, bytes) = (commit.first(), commit.bytes.len());
        if let Err(error) = call_host("the store", || writer.append(&commit)) {
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
        shared.tree().extend(first, records.hashes(), records.subtrees(), bytes);
        shared.follow.publish(checkpoint);
        Ok(())
    }
}

enum Retry {
    Later,
    Answer(Result<Receipt>),
}

/// The committer's thread, from the opening to the end of the log.
pub(super) fn run(shared: &Shared) {
    let _work = Work::begin(shared);
    let (mut turn, mut gathering) = (Turn::default(), Gathering::default());
    while shared.queue.wait() {
        let mut core = shared.core();
        shared.queue.takes_prepared();
        if let Some(prepared) = core.prepared.take() {
            shared.assistant.keep(std::mem::replace(&mut turn, prepared));
        } else if let Some(batch) = shared.queue.take(usize::MAX) {
            turn.clear();
            turn.batches.push(batch);
        } else {
            continue;
        }
        commit(shared, core, &mut turn);
        // In a flood the assistant answers, and prepares the next commit while this thread syncs.
        if shared.queue.events() >= FLOOD && shared.assistant.hand_over(&mut turn) {
            continue;
        }
        let before = shared.queue.events();
        let waiters = turn.answer(shared);
        gathering.gather(shared, before, waiters);
    }
    // A rotation of the key file comes to its end first: then it is the next writer's.
    let _rotation = shared.rotation();
    let closed = shared.alone().and_then(|mut alone| {
        let Alone { core, disk, .. } = &mut alone;
        core.close(shared, disk)
    });
    shared.finish(closed);
}

/// Those who were answered often come back with their next events at once. A commit that waits a little for them has more
/// of them: it pays where a sync takes longer (as PostgreSQL's `commit_delay` does).
#[derive(Debug, Default)]
struct Gathering {
    /// So many commits it is not tried: they did not come back the last time.
    left_out: u32,
}

impl Gathering {
    fn gather(&mut self, shared: &Shared, before: usize, waiters: usize) {
        if waiters < 2 || self.left_out > 0 {
            self.left_out = self.left_out.saturating_sub(1);
            return;
        }
        let (began, limit) = (Instant::now(), (shared.numbers.last_commit() / 2).min(GATHERING_MAX));
        // The last few are not worth waiting for.
        while shared.queue.events() < before + waiters - waiters / 8 && began.elapsed() < limit {
            std::thread::yield_now();
        }
        if shared.queue.events() < before + waiters / 2 {
            self.left_out = GATHERING_LEFT_OUT;
        }
    }
}

/// Prepares the next commit, on the assistant's thread, unless that was done. Gives a turn back that was not needed.
pub(super) fn prepare_next(shared: &Shared, mut turn: Turn) -> Option<Turn> {
    let _work = Work::begin(shared);
    let mut core = shared.core();
    if core.prepared.is_some() || shared.store.is_shared() || shared.failure().is_some() {
        return Some(turn);
    }
    let Some(batch) = shared.queue.take_to_prepare() else {
        return Some(turn);
    };
    turn.clear();
    turn.batches.push(batch);
    core.prepare(shared, &mut turn);
    core.prepared.replace(turn)
}

/// Commits what a turn holds, in as many commits as it takes, and leaves it to the caller to answer for the last one. The
/// core is let go before that is written.
pub(super) fn commit(shared: &Shared, mut core: MutexGuard<'_, Core>, turn: &mut Turn) {
    loop {
        let start = turn.next;
        if turn.signed.is_none() && !turn.is_through() {
            core.prepare(shared, turn);
        }
        let mut disk = shared.disk();
        if disk.writer.is_none() {
            let error = shared.ended();
            turn.fail(shared, &error);
            return turn.fail_rest(shared, &error);
        }
        let is_last = turn.is_through();
        let Some((checkpoint, began)) = turn.signed.take() else {
            match is_last {
                true => return,
                false => continue,
            }
        };
        if is_last && !shared.store.is_shared() {
            drop(core);
            if let Err(error) = disk.write(shared, &mut turn.records, checkpoint, began) {
                turn.fail(shared, &error);
            }
            return;
        }
        match disk.write(shared, &mut turn.records, checkpoint, began) {
            Ok(()) if is_last => return,
            Ok(()) => _ = turn.answer(shared),
            Err(error) => match error.cause() {
                // Another writer was at the store: all of it is chained anew, behind that one's records.
                Cause::Conflict { head, .. } if shared.store.is_shared() => {
                    match core.continue_from(shared, &mut turn.records, head) {
                        Ok(()) => turn.next = start,
                        Err(error) => turn.fail(shared, &error),
                    }
                }
                _ => turn.fail(shared, &error),
            },
        }
    }
}

fn is_purged(store: &dyn Store, seq: u64) -> bool {
    let segments = store.segments().unwrap_or_default();
    segments.first().is_some_and(|first| seq < first.first)
}

/// So many events wait only where hosts do not wait for each.
pub(super) const FLOOD: usize = 256;

/// Others wait meanwhile, and a processor may be busy for nothing.
const GATHERING_MAX: Duration = Duration::from_micros(100);

/// So seldom it costs nothing that counts.
const GATHERING_LEFT_OUT: u32 = 16;

const SIGN_AGAIN_FIRST: Duration = Duration::from_millis(20);
const SIGN_AGAIN_LAST: Duration = Duration::from_secs(1);

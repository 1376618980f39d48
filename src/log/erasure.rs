//! Purge and erasure: announced in the log and durable there, then done (FORMAT §7).
//!
//! A file `pending` names an announcement before it is made. What a crash interrupts is [taken up again](super::resume).

use std::ops::RangeInclusive;
use std::sync::PoisonError;
use std::sync::atomic::Ordering::Relaxed;

use super::selection::add;
use super::shared::Shared;
use super::work::{Work, call_host, check_not_at_work};
use super::{AuditLog, Receipt, own};
use crate::erasure::{Erased, ErasureOrder, Selection};
use crate::error::{Cause, Error, Result};
use crate::event::Event;
use crate::json;
use crate::reader::walk_ranges;
use crate::record::RecordLine;
use crate::retention::{InForce, Taking};
use crate::sink::erase_rejected;
use crate::store::{Eraser, Erasure};

impl AuditLog {
    /// Removes the records before `before`, as far as whole segments allow, and keeps what still proves the rest: the
    /// tiles of their tree, and the rotations of the key. Gives the first record that is left.
    ///
    /// It is announced in the log first (`audit_log.purged`). What a sink or an export still has to get stays
    /// ([`Builder::keep_for`](crate::Builder::keep_for)).
    ///
    /// # Errors
    ///
    /// [`Cause::NoRecord`] where `before` is beyond the log; [`Cause::Held`] where a legal hold covers a record that would
    /// go; what [`append`](Self::append) says.
    pub fn purge(&self, before: u64) -> Result<u64> {
        self.shared().purge(before)
    }

    /// Erases the content of records: `seq` and hash are left, and every proof still verifies. Records of the log
    /// itself (`audit_log.*`) are left out. It is announced first (`audit_log.record.erased`), with the reason and by whom
    /// it was ordered.
    ///
    /// # Errors
    ///
    /// [`Cause::InvalidQuery`], which names the parameter; [`Cause::NoRecord`] where a range goes beyond the log; [`Cause::Held`] where a legal hold covers a record that would
    /// be erased: then nothing is; what [`append`](Self::append) says.
    pub fn erase_records(&self, selection: impl Into<Selection>, order: impl Into<ErasureOrder>) -> Result<Erased> {
        self.shared().erase(&selection.into(), Erasure::Record, &order.into())
    }

    /// Erases the personal data of records (GDPR Art. 17): `event` is left, with a digest where `personal` was, and
    /// every proof still verifies. It is announced first (`audit_log.personal_data.erased`), with the reason and by whom it
    /// was ordered.
    ///
    /// It is gone from segments, indexes and `recovered/`, whose files are removed. What is in backups or was exported is
    /// not touched: [`Erased::handed_over`], [`Erased::under_way`] and [`Erased::sinks`] list the exports and sinks of this log that may
    /// hold it. What
    /// readers beside it took is not known to it.
    ///
    /// # Errors
    ///
    /// As [`erase_records`](Self::erase_records).
    ///
    /// ```
    /// use indelible::erasure::ErasureOrder;
    /// use indelible::{Actor, AuditLog, Event, MemoryStore, Query, SigningKey, action};
    ///
    /// # let key = SigningKey::generate("auth.example.com/audit".parse()?)?;
    /// # let log = AuditLog::builder("auth.example.com/audit")
    /// #     .signer(key)
    /// #     .without_checkpoint_file()
    /// #     .open(MemoryStore::new())?;
    /// let alice = Actor::user("usr_alice123").email("alice@example.com");
    /// let seq = log.append(Event::new(action::AUTH_LOGIN_FAILED).actor(alice))?.seq;
    ///
    /// let order = ErasureOrder::new("request 4711").by(Actor::admin("usr_dpo"));
    /// let erased = log.erase_personal_data(Query::subject("usr_alice123"), order)?;
    /// assert_eq!(erased.ranges, [(seq, seq)]);
    /// assert_eq!(log.reader().record(seq)?.personal_json(), None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn erase_personal_data(
        &self,
        selection: impl Into<Selection>,
        order: impl Into<ErasureOrder>,
    ) -> Result<Erased> {
        self.shared()
            .erase(&selection.into(), Erasure::PersonalData, &order.into())
    }
}

/// What is announced and to be done.
struct Promised<'a> {
    receipts: Vec<Receipt>,
    /// The ranges of an erasure that are announced.
    ranges: &'a [(u64, u64)],
    /// Why it is not all that was wanted.
    failed: Option<Error>,
}

impl Shared {
    /// Sorted, merged, and cut to what is retained.
    pub(super) fn ranges(&self, ranges: impl IntoIterator<Item = RangeInclusive<u64>>) -> Result<Vec<(u64, u64)>> {
        let size = self.numbers.size();
        let first = self.store.segments()?.first().map_or(0, |segment| segment.first);
        let mut ranges: Vec<(u64, u64)> = ranges
            .into_iter()
            .map(RangeInclusive::into_inner)
            .filter(|(from, to)| from <= to)
            .collect();
        if let Some((_, beyond)) = ranges.iter().find(|(_, to)| *to >= size) {
            return Err(Cause::NoRecord {
                seq: *beyond,
                problem: "it is not recorded yet".into(),
            }
            .into());
        }
        ranges.sort_unstable();
        let mut merged: Vec<(u64, u64)> = Vec::new();
        for (from, to) in ranges.into_iter().filter(|(_, to)| *to >= first) {
            match merged.last_mut() {
                Some((_, end)) if from <= *end + 1 => *end = to.max(*end),
                _ => merged.push((from.max(first), to)),
            }
        }
        Ok(merged)
    }

    /// The ranges, split around the records of the log itself.
    pub(super) fn without_own(&self, ranges: &[(u64, u64)]) -> Result<Vec<(u64, u64)>> {
        let mut split = Vec::new();
        walk_ranges(self.store.as_ref(), ranges, |leaf| {
            if !leaf.record().is_some_and(RecordLine::is_own) {
                add(&mut split, leaf.seq);
            }
        })?;
        Ok(split)
    }

    fn erase(&self, selection: &Selection, what: Erasure, order: &ErasureOrder) -> Result<Erased> {
        check_not_at_work(self, "erase")?;
        let mut erased = self.select(selection)?;
        if what == Erasure::Record {
            erased.ranges = self.without_own(&erased.ranges)?;
        }
        let ranges = &erased.ranges;
        if ranges.is_empty() {
            // What a crash left may be about the same person.
            self.with_eraser(|eraser| eraser.erase(ranges, what))?;
            return Ok(erased);
        }
        let may = |in_force: &InForce| {
            in_force.check(self.store.as_ref(), ranges, Taking::Content(what))?;
            Ok(true)
        };
        let receipts = self.erase_if(ranges, what, order, may);
        self.sights.forget(ranges);
        erased.receipts = receipts?.unwrap_or_default();
        // Before the records of those that are done are looked for: none is missed in between.
        erased.under_way = self.exporting.under_way();
        if let Some((first, _)) = ranges.first() {
            erased.sinks = self.feeds.that_may_have(*first, self.store.folder().as_deref());
        }
        match self.handed_over(ranges) {
            Ok(handed_over) => erased.handed_over = handed_over,
            // What is erased is erased, also where another segment cannot be read.
            Err(error) => erased.unread = Some(error),
        }
        Ok(erased)
    }

    /// Erases, unless `may` does not want it by what is in force; then this is `None`.
    pub(super) fn erase_if(
        &self,
        ranges: &[(u64, u64)],
        what: Erasure,
        order: &ErasureOrder,
        may: impl FnOnce(&InForce) -> Result<bool>,
    ) -> Result<Option<Vec<Receipt>>> {
        self.with_eraser(|eraser| {
            self.resume_first(eraser);
            let in_force = self.in_force("erase")?;
            if !may(&in_force)? {
                return Ok(None);
            }
            let promised = self.announce_erasure(eraser, ranges, what, order)?;
            drop(in_force);
            let done = self.do_promised(eraser, promised, |eraser, ranges| {
                self.erase_sealed(eraser, ranges, what)
            });
            done.map(Some)
        })
    }

    fn purge(&self, before: u64) -> Result<u64> {
        check_not_at_work(self, "purge")?;
        if before > self.numbers.size() {
            return Err(Cause::NoRecord {
                seq: before,
                problem: "it is not recorded yet".into(),
            }
            .into());
        }
        let before = before.min(self.needed()?.lowest());
        let may = |in_force: &InForce, going: (u64, u64)| {
            in_force.check(self.store.as_ref(), &[going], Taking::Everything)?;
            Ok(true)
        };
        let purged = self.purge_if(before, own::purged, may)?;
        match purged {
            Some(first) => Ok(first),
            None => Ok(crate::reader::first(self.store.as_ref())?.unwrap_or(0)),
        }
    }

    /// Purges whole segments and gives the first record that is left. It is `None` where there is none to purge, or `may`
    /// does not want it by what is in force and by the first and the last record that would go.
    pub(super) fn purge_if(
        &self,
        before: u64,
        event: impl FnOnce(u64) -> Event,
        may: impl FnOnce(&InForce, (u64, u64)) -> Result<bool>,
    ) -> Result<Option<u64>> {
        self.catch_up()?;
        self.with_eraser(|eraser| {
            self.resume_first(eraser);
            let segments = self.store.segments()?;
            let first = segments.first().map_or(0, |segment| segment.first);
            let boundary = segments
                .iter()
                .map(|segment| segment.first)
                .rfind(|first| *first <= before);
            let Some(boundary) = boundary.filter(|boundary| *boundary > first) else {
                return Ok(None);
            };
            self.sync_tree(boundary)?;
            let in_force = self.in_force("purge")?;
            if !may(&in_force, (first, boundary - 1))? {
                return Ok(None);
            }
            let promised = Promised {
                receipts: vec![self.announce(eraser, event(boundary))?],
                ranges: &[],
                failed: None,
            };
            drop(in_force);
            let mut left = first;
            self.do_promised(eraser, promised, |eraser, _| {
                // A checkpoint of before the purge could not be compared with what it leaves.
                self.write_place()?;
                left = self.purge_sealed(eraser, boundary)?;
                Ok(())
            })?;
            Ok(Some(left))
        })
    }

    /// The hashes of purged records are nowhere but in the tree cache.
    pub(super) fn sync_tree(&self, boundary: u64) -> Result<()> {
        self.catch_up()?;
        if !self.tree.check(self.store.as_ref(), boundary, || !self.is_closing())? {
            return Err(self.ended());
        }
        self.catch_up()?;
        self.tree()
            .sync(boundary)
            .map_err(|error| Error::io("sync", &self.store.folder().unwrap_or_default().join("tree"), error))
    }

    pub(super) fn with_eraser<T>(&self, step: impl FnOnce(&mut dyn Eraser) -> Result<T>) -> Result<T> {
        self.queue.check_process()?;
        let mut eraser = self.eraser.lock().unwrap_or_else(PoisonError::into_inner);
        let eraser = eraser.as_deref_mut().ok_or_else(|| self.ended())?;
        call_host("the store", || step(eraser))
    }

    /// Announces an erasure, in as many records as it takes.
    fn announce_erasure<'a>(
        &self,
        eraser: &mut dyn Eraser,
        ranges: &'a [(u64, u64)],
        what: Erasure,
        order: &ErasureOrder,
    ) -> Result<Promised<'a>> {
        let (mut receipts, mut count, mut failed) = (Vec::new(), 0, None);
        for part in ranges.chunks(RANGES_MAX) {
            match self.announce(eraser, own::erased(part, what, order)) {
                Ok(receipt) => receipts.push(receipt),
                Err(error) if count == 0 => return Err(error),
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            }
            count += part.len();
        }
        let ranges = ranges.get(..count).unwrap_or(ranges);
        Ok(Promised {
            receipts,
            ranges,
            failed,
        })
    }

    /// Does what was announced. What fails half-way is left to the next opening, whatever is done until then.
    fn do_promised(
        &self,
        eraser: &mut dyn Eraser,
        promised: Promised<'_>,
        step: impl FnOnce(&mut dyn Eraser, &[(u64, u64)]) -> Result<()>,
    ) -> Result<Vec<Receipt>> {
        let done = call_host("the store", || step(eraser, promised.ranges));
        done.inspect_err(|_| self.is_all_carried_out.store(false, Relaxed))?;
        if let Some(last) = promised.receipts.last() {
            self.carried_out(eraser, last.size)?;
        }
        promised.failed.map_or(Ok(promised.receipts), Err)
    }

    /// Names the announcement in `pending`, then makes it.
    fn announce(&self, eraser: &mut dyn Eraser, event: Event) -> Result<Receipt> {
        let id = self.entropy.uuid(self.options.clock.now())?.hyphenated().to_string();
        let mut pending = b"{\"id\":".to_vec();
        json::string(&mut pending, &id);
        pending.push(b'}');
        eraser.set_pending(Some(&pending))?;
        self.record_own(event.id(id))
    }

    /// Erases what was announced. Where some of it stands in the segment that is being written, that one is ended first.
    pub(super) fn erase_sealed(&self, eraser: &mut dyn Eraser, ranges: &[(u64, u64)], what: Erasure) -> Result<()> {
        let newest = self.store.segments()?.last().map_or(0, |segment| segment.first);
        let is_in_last = ranges.iter().any(|(_, last)| *last >= newest);
        if is_in_last {
            self.seal()?;
        }
        let erased = eraser.erase(ranges, what);
        if is_in_last {
            // Until something is appended, that is the last one still.
            self.indexes.forget_tail();
        }
        erased?;
        self.erase_rejected(ranges)
    }

    /// Purges what was announced. Gives the first record that is left.
    pub(super) fn purge_sealed(&self, eraser: &mut dyn Eraser, before: u64) -> Result<u64> {
        let left = eraser.purge(before)?;
        match left.checked_sub(1) {
            Some(last) => self.erase_rejected(&[(0, last)]).map(|()| left),
            None => Ok(left),
        }
    }

    /// What sinks have set aside of these records goes too.
    fn erase_rejected(&self, ranges: &[(u64, u64)]) -> Result<()> {
        let Some(folder) = self.store.folder() else {
            return Ok(());
        };
        erase_rejected(&folder, ranges).map_err(|error| Error::io("erase in", &folder.join("sinks"), error))
    }

    /// Ends the segment, so that the eraser may touch every record.
    fn seal(&self) -> Result<()> {
        let _work = Work::begin(self);
        let mut disk = self.disk();
        let writer = disk.writer.as_mut().ok_or_else(|| self.ended())?;
        call_host("the store", || writer.seal()).inspect_err(|error| {
            disk.writer = None;
            self.poison(error);
        })
    }
}

/// How many ranges one announcement names: with two ends of 16 digits each they fit the hashed form of a record.
const RANGES_MAX: usize = 1_000;

//! Delivering a batch, and what becomes of it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Instant;

use super::Worker;
use crate::error::Cause;
use crate::record::Record;
use crate::sink::Batch;
use crate::sink::delivery::{Delivery, Problem, Rejection};
use crate::sink::failed::Failed;
use crate::sink::meanwhile;
use crate::sink::message::Message;
use crate::sink::rejected::RejectedFile;

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Delivered,
    Rejected,
    Undelivered,
}

impl Worker {
    /// Delivers the next batch. While its target takes its time, what comes next is encoded and read.
    pub(super) fn deliver(&mut self) -> Result<(), Failed> {
        let limits = self.sink.limits();
        let prefix = |after: usize| limits.prefix(self.inbox.iter().skip(after), |message| self.sink.size_of(message));
        let count = prefix(0).min(self.messages_max);
        // Where all that was read goes into the next batch, more of it may come.
        let next = self.sink.encoder().map(|encoder| (prefix(count), encoder));
        let next = next.filter(|(next, _)| count + next < self.inbox.len());
        let (messages, encoded) = self.inbox.take(count);
        // Before it is sent: the target may have it, also where that fails or this process is killed.
        if let Some(last) = messages.iter().rev().find_map(Message::seq) {
            self.progress.give(last.saturating_add(1));
        }
        self.save();
        let inbox = Rc::new(RefCell::new(std::mem::take(&mut self.inbox)));
        let ahead = Rc::clone(&inbox);
        let is_failing = self.troubles.is_failing();
        let work = move || {
            if is_failing {
                return;
            }
            let next = next.as_ref().map(|(count, encoder)| (*count, encoder.as_ref()));
            // A panic in what comes next is none of the batch that is on its way.
            let worked = catch_unwind(AssertUnwindSafe(|| ahead.borrow_mut().work_ahead(next, &limits)));
            drop(worked);
        };
        let batch = Batch {
            messages: &messages,
            encoded: encoded.as_ref(),
        };
        self.running.count(|numbers| numbers.under_way = Some(Instant::now()));
        let delivery = meanwhile::with(Box::new(work), || {
            catch_unwind(AssertUnwindSafe(|| self.sink.deliver(&batch)))
        });
        self.running.count(|numbers| numbers.under_way = None);
        self.inbox = inbox.take();
        let settled = self.settle_by(
            messages,
            delivery.unwrap_or_else(|_| Delivery::retry("the sink panicked")),
        );
        self.count_read();
        settled
    }

    /// Does what the target's answer asks for. Where it is to be tried again, the batch is read again.
    fn settle_by(&mut self, batch: Vec<Message>, delivery: Delivery) -> Result<(), Failed> {
        match delivery {
            Delivery::Delivered => self.settle(batch, &[], &[]),
            Delivery::Partly { undelivered } => self.settle(batch, &[], &undelivered),
            Delivery::Rejected { rejected, undelivered } => self.settle(batch, &rejected, &undelivered),
            Delivery::Split { problem } if batch.len() == 1 => self.settle(batch, &[Rejection::new(0, problem)], &[]),
            Delivery::Split { problem } => {
                self.messages_max = batch.len() / 2;
                self.inbox.put_back(batch);
                self.running.count(|numbers| numbers.last_error = Some(problem));
                Ok(())
            }
            Delivery::Throttled { pause, problem } => Err(Failed {
                pause,
                ..Failed::new(problem)
            }),
            Delivery::Retry { problem } => Err(Failed::new(problem)),
            Delivery::Hold { problem } => Err(Failed::held(problem)),
        }
    }

    /// Puts back what is delivered again, and moves the position.
    fn settle(&mut self, batch: Vec<Message>, rejected: &[Rejection], undelivered: &[usize]) -> Result<(), Failed> {
        let mut fates = vec![Fate::Delivered; batch.len()];
        let mut mark = |at: usize, fate| fates.get_mut(at).into_iter().for_each(|found| *found = fate);
        rejected
            .iter()
            .for_each(|rejection| mark(rejection.index, Fate::Rejected));
        undelivered.iter().for_each(|at| mark(*at, Fate::Undelivered));
        let taken = fates.iter().filter(|fate| **fate == Fate::Delivered).count();
        self.refuse(&batch, rejected, &fates)?;
        let is_progress = fates.iter().any(|fate| *fate != Fate::Undelivered);
        let end = batch
            .iter()
            .rev()
            .find_map(Message::seq)
            .map_or(0, |last| last.saturating_add(1));
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
        self.inbox.put_back(again);
        let next = self.inbox.iter().find_map(Message::seq);
        self.running.count(|numbers| {
            numbers.rejected += refused;
            if taken > 0 {
                numbers.delivered(records);
            }
        });
        self.move_to(next.unwrap_or(self.read_to().max(end)));
        if taken > 0 {
            self.recovered();
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
            self.progress.know_by(record);
            if self.content.has_checkpoints {
                self.checkpoints.owe();
            }
        }
        if let Some(size) = message.checkpoint_size() {
            self.checkpoints.was_sent();
            if fate == Fate::Delivered {
                self.running.count(|numbers| numbers.checkpoint = size);
            }
        }
    }

    /// Sets records aside that the target refuses.
    fn refuse(&mut self, batch: &[Message], rejected: &[Rejection], fates: &[Fate]) -> Result<(), Failed> {
        let is_taken = fates.contains(&Fate::Delivered);
        if is_taken {
            self.refused = 0;
        }
        let refused = rejected
            .iter()
            .filter(|rejection| fates.get(rejection.index) == Some(&Fate::Rejected));
        if let Some(last) = refused.clone().next_back() {
            let problem = last.problem.clone();
            self.running.count(|numbers| numbers.last_error = Some(problem));
        }
        let records: BTreeMap<_, _> = refused
            .filter_map(|rejection| {
                let record = batch.get(rejection.index)?.record()?;
                Some((rejection.index, (record, &rejection.problem)))
            })
            .collect();
        let records: Vec<_> = records.into_values().collect();
        let Some((_, problem)) = records.last() else {
            return Ok(());
        };
        if !is_taken && self.refused + records.len() > REFUSED_MAX {
            let what = format!(
                "more than {REFUSED_MAX} records in a row are refused: {}",
                problem.what()
            );
            return Err(Failed::held(
                Problem::new(what).with_answer(problem.answer().unwrap_or_default()),
            ));
        }
        if let Some(folder) = self.host.folder() {
            let file = RejectedFile::of(&folder, &self.name);
            let added = file.add(&records, self.host.now(), |record| self.is_gone(record));
            added.map_err(|error| Failed::new(format!("rejected records cannot be set aside: {error}")))?;
        }
        self.refused += records.len();
        for (record, problem) in &records {
            self.troubles.rejected(record, problem);
        }
        Ok(())
    }

    /// Whether the content of a record was taken from the log since it was read.
    fn is_gone(&self, read: &Record) -> bool {
        match self.host.record(read.seq()) {
            Ok(now) => now.is_erased() || now.personal_json().is_none() && read.personal_json().is_some(),
            Err(error) => matches!(error.cause(), Cause::NoRecord { .. }),
        }
    }
}

/// More records in a row are not refused for what they are: they stay where they are.
const REFUSED_MAX: usize = 100;

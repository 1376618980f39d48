//! How far a sink has come: in memory, and in its file as far as the target cannot lose it any more.

use std::io;

use super::position::{Position, PositionFile};
use crate::record::Record;
use crate::timestamp::Timestamp;

/// How far a sink has come.
#[derive(Debug)]
pub(super) struct Progress {
    /// `None` where the log has no folder.
    file: Option<PositionFile>,
    position: Position,
    /// The first record that the target may still lose, else the next one.
    confirmed: u64,
    saved: Option<Position>,
}

impl Progress {
    /// That of a sink that begins there.
    pub(super) fn at(position: Position) -> Self {
        Self {
            file: None,
            position,
            confirmed: position.next,
            saved: None,
        }
    }

    /// The same, remembered by a file from now on, durably.
    pub(super) fn remembered(mut self, mut file: PositionFile) -> io::Result<Self> {
        file.save(&self.position)?;
        file.sync()?;
        (self.file, self.saved) = (Some(file), Some(self.position));
        Ok(self)
    }

    /// The first record that was not delivered.
    pub(super) fn next(&self) -> u64 {
        self.position.next
    }

    /// The first record that the file is before: the next one, or the first that the target may still lose.
    pub(super) fn confirmed(&self) -> u64 {
        self.confirmed
    }

    /// The first record that the target was never given.
    pub(super) fn had(&self) -> u64 {
        self.position.had()
    }

    /// Whether the log is not known again by any record yet.
    pub(super) fn is_nameless(&self) -> bool {
        self.position.last.is_none()
    }

    /// By a record before the next one the log is known again: the last that was delivered, as a rule.
    pub(super) fn know_by(&mut self, record: &Record) {
        let is_later = self.position.last.is_none_or(|(seq, _)| seq < record.seq());
        if is_later {
            self.position.last = Some((record.seq(), record.hash()));
        }
    }

    /// Since when nothing is delivered, as the log was told.
    pub(super) fn failing(&self) -> Option<Timestamp> {
        self.position.failing
    }

    /// The log was told that nothing is delivered since then, or that it is again.
    pub(super) fn tell_failing(&mut self, since: Option<Timestamp>) -> io::Result<()> {
        self.position.failing = since;
        self.save()
    }

    /// All before `end` is sent now, or was: whether the target has it may never be known.
    pub(super) fn give(&mut self, end: u64) {
        self.position.given = self.position.given.max(end);
    }

    /// All before `next` is delivered, and what is before `unconfirmed` the target cannot lose any more.
    pub(super) fn move_to(&mut self, next: u64, unconfirmed: Option<u64>) {
        self.position.next = next;
        self.confirmed = unconfirmed.map_or(next, |seq| seq.min(next));
    }

    /// Saves how far it is, where that is something new.
    pub(super) fn save(&mut self) -> io::Result<()> {
        let position = Position {
            next: self.confirmed,
            ..self.position
        };
        if let Some(file) = &mut self.file
            && self.saved != Some(position)
        {
            self.saved = None;
            file.save(&position)?;
            self.saved = Some(position);
        }
        Ok(())
    }

    /// Makes durable what is saved. Where that fails, an older one is delivered from twice.
    pub(super) fn sync(&self) {
        let _ = self.file.as_ref().map(PositionFile::sync);
    }
}

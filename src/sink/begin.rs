//! Where a sink begins: its saved position, if it is one of this log.

use std::io;

use super::delivery::Problem;
use super::failed::Failed;
use super::feed::Start;
use super::feeds::Host;
use super::position::{Position, PositionFile, Saved};
use super::progress::Progress;
use crate::error::Cause;
use crate::json;

/// Where a sink begins of which nothing is saved.
#[derive(Debug, Clone, Copy)]
pub(super) struct First {
    /// In a log that it has not met.
    pub(super) next: u64,
    /// Where something was saved that tells nothing: rather too much than too little.
    again: u64,
}

impl First {
    /// As a feed says it, in a log of so many records.
    pub(super) fn of(start: Start, size: u64) -> Self {
        match start {
            Start::Seq(seq) => {
                let next = seq.min(json::INTEGER_MAX);
                Self { next, again: next }
            }
            Start::Now => Self { next: size, again: 0 },
        }
    }
}

/// Finds how far a sink has come.
pub(super) fn begin(name: &str, first: First, host: &dyn Host) -> Result<Progress, Failed> {
    let Some(folder) = host.folder() else {
        return Ok(Progress::at(at(first.next, host)));
    };
    let unusable = |error: io::Error| {
        let problem = Problem::new(format!("its position cannot be read or saved: {}", error.kind()));
        Failed::new(problem.with_answer(error.to_string()))
    };
    let (file, saved) = match PositionFile::open(&folder, name) {
        Ok(opened) => opened,
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            return Err(Failed {
                is_elsewhere: true,
                ..Failed::new("another process delivers for it, or another sink of this name")
            });
        }
        Err(error) => return Err(unusable(error)),
    };
    let position = match saved {
        Saved::Nothing => at(first.next, host),
        Saved::Position(saved) if is_of_log(saved, host)? => saved,
        // What it was given nobody knows.
        Saved::Position(_) | Saved::Damaged => Position {
            given: size(host)?,
            ..at(first.again, host)
        },
    };
    Progress::at(position).remembered(file).map_err(unusable)
}

/// The position before a record. By the one before that the log is known again, if there is one.
fn at(next: u64, host: &dyn Host) -> Position {
    let before = next.checked_sub(1).and_then(|seq| host.record(seq).ok());
    Position {
        last: before.map(|record| (record.seq(), record.hash())),
        ..Position::at(next)
    }
}

/// Whether a position is one of this log: else what was delivered is delivered again, rather than too little.
fn is_of_log(saved: Position, host: &dyn Host) -> Result<bool, Failed> {
    if saved.had() > size(host)? {
        return Ok(false);
    }
    let Some((seq, hash)) = saved.last else {
        return Ok(true);
    };
    match host.record(seq) {
        Ok(record) => Ok(record.hash() == hash),
        // It is purged.
        Err(error) if matches!(error.cause(), Cause::NoRecord { .. }) => Ok(true),
        Err(error) => Err(Failed::unreadable(&error)),
    }
}

/// How many records the log has.
fn size(host: &dyn Host) -> Result<u64, Failed> {
    let newest = host.newest().map_err(|error| Failed::unreadable(&error))?;
    Ok(newest.map_or(0, |newest| newest.checkpoint().size()))
}

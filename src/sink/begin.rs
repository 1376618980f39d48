//! Where a sink begins: its saved position, if it is one of this log.

use std::io;

use super::delivery::Problem;
use super::feed::Feed;
use super::feeds::Host;
use super::intake::Intake;
use super::position::{Position, PositionFile};
use crate::error::{Cause, Error};

/// What a worker begins with.
pub(super) struct Begun {
    /// What remembers the position, if the log has a folder.
    pub(super) file: Option<PositionFile>,
    pub(super) position: Position,
    pub(super) intake: Intake,
}

/// Finds where a sink begins; at `start` where nothing is saved.
pub(super) fn begin(feed: &Feed, host: &dyn Host, start: u64) -> Result<Begun, Problem> {
    let (file, position) = find_position(feed, host, start)?;
    let query = feed.query.clone().seq_from(position.next);
    let follower = host.follow(&query).map_err(|error| unreadable(&error))?;
    Ok(Begun {
        file,
        position,
        intake: Intake::new(follower, feed.content),
    })
}

fn find_position(feed: &Feed, host: &dyn Host, start: u64) -> Result<(Option<PositionFile>, Position), Problem> {
    let first = Position {
        next: start,
        last: None,
    };
    let Some(folder) = host.folder() else {
        return Ok((None, first));
    };
    let unusable = |error: io::Error| match error.kind() {
        io::ErrorKind::WouldBlock => Problem::new("another process delivers for it, or another sink of this name"),
        _ => Problem::new(format!("its position cannot be read or saved: {error}")),
    };
    let (mut file, saved) = PositionFile::open(&folder, &feed.name).map_err(unusable)?;
    let position = match saved {
        Some(saved) => check(saved, host)?,
        None => first,
    };
    file.save(&position).and_then(|()| file.sync()).map_err(unusable)?;
    Ok((Some(file), position))
}

/// A position that is not of this log is gone back from: what was delivered is delivered again, rather than too little.
fn check(saved: Position, host: &dyn Host) -> Result<Position, Problem> {
    let newest = host.newest().map_err(|error| unreadable(&error))?;
    let size = newest.map_or(0, |newest| newest.checkpoint().size());
    match saved.last {
        _ if saved.next > size => Ok(Position::default()),
        None => Ok(saved),
        Some((seq, hash)) => match host.record(seq) {
            Ok(record) if record.hash() == hash => Ok(saved),
            Ok(_) => Ok(Position::default()),
            // It is purged.
            Err(error) if matches!(error.cause(), Cause::NoRecord { .. }) => Ok(saved),
            Err(error) => Err(unreadable(&error)),
        },
    }
}

pub(super) fn unreadable(error: &Error) -> Problem {
    Problem::new("the log cannot be read").with_answer(error.to_string())
}

//! What a worker reads of the log, as the messages that its sink is to get.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::feed::Content;
use super::message::Message;
use crate::error::Result;
use crate::follow::{CalledOff, Followed, Follower};

/// Reads the log on from the position of a sink.
pub(super) struct Intake {
    follower: Follower,
    content: Content,
    /// How many records were purged before they were read, and not counted yet.
    purged: u64,
    /// There was more to read.
    is_behind: bool,
}

impl Intake {
    pub(super) fn new(follower: Follower, content: Content) -> Self {
        Self {
            follower,
            content,
            purged: 0,
            is_behind: false,
        }
    }

    /// The first record that was not read.
    pub(super) fn position(&self) -> u64 {
        self.follower.position()
    }

    /// Whether the log has ended, and all of it was read.
    pub(super) fn is_ended(&self) -> bool {
        self.follower.is_ended()
    }

    /// Whether there was more to read.
    pub(super) fn is_behind(&self) -> bool {
        self.is_behind
    }

    pub(super) fn take_purged(&mut self) -> u64 {
        std::mem::take(&mut self.purged)
    }

    /// Waits for something new, and reads it: messages of up to about so many bytes, and not for long where they are far
    /// apart. What the filter does not find, and what is erased, is passed over; so there may be none.
    pub(super) fn wait(
        &mut self,
        limit: Duration,
        is_called_off: CalledOff<'_>,
        (messages_max, bytes_max): (usize, usize),
    ) -> Result<VecDeque<Message>> {
        let (mut read, mut bytes, mut wait) = (VecDeque::new(), 0, limit);
        let mut began: Option<Instant> = None;
        self.is_behind = false;
        while read.len() < messages_max && bytes < bytes_max && began.is_none_or(|began| began.elapsed() < LONGEST) {
            let message = match self.follower.read_next(wait, is_called_off) {
                Ok(Some(Followed::Record(found))) => self.content.message(found.record, found.proof.as_ref()),
                Ok(Some(Followed::Purged(range))) => {
                    self.purged += range.end - range.start;
                    None
                }
                Ok(None) => return Ok(read),
                Err(error) if read.is_empty() => return Err(error),
                // What was read before counts. It is met again.
                Err(_) => return Ok(read),
            };
            if let Some(message) = message {
                bytes += message.text().len();
                read.push_back(message);
                began.get_or_insert_with(Instant::now);
            }
            wait = Duration::ZERO;
        }
        self.is_behind = true;
        Ok(read)
    }
}

/// So long is read on at once, once there is something: it is delivered meanwhile, and who waits for an answer looks for it
/// again.
const LONGEST: Duration = Duration::from_millis(100);

//! Sending over connections that break, and ending one.

use std::time::Duration;

use super::Syslog;
use super::connection::{How, Lost};
use super::link::{Link, Target};
use super::window::{Frames, Window};
use crate::sink::{Delivery, Problem};

impl Syslog {
    /// Sends messages, on a new connection where the last one broke.
    pub(super) fn send(&mut self, frames: Frames) -> Result<(), Delivery> {
        if let Some(link) = &mut self.link {
            match link.check() {
                Ok(()) if link.age() > SOON => self.broken = 0,
                Ok(()) => {}
                Err(lost) => {
                    self.lose(lost);
                }
            }
        }
        let link = match &mut self.link {
            Some(link) => link,
            none => match open(
                &self.target,
                &mut self.window,
                LISTEN * (1 << self.broken.min(BROKEN_MAX)),
            ) {
                Ok(link) => none.insert(link),
                Err(NotOpen::Refused(lost)) => return Err(lost.delivery),
                Err(NotOpen::Broken(lost)) => return Err(self.again_broken(lost)),
            },
        };
        match link.send(&frames).and_then(|()| link.check()) {
            Ok(()) => {
                self.window.add(frames);
                Ok(())
            }
            Err(lost) => Err(self.lose(lost)),
        }
    }

    /// The connection is gone.
    fn lose(&mut self, lost: Lost) -> Delivery {
        if lost.how == How::Ended {
            self.window.was_read();
        }
        match self.link.take() {
            Some(link) if link.age() <= SOON => self.again_broken(lost),
            _ => lost.delivery,
        }
    }

    fn again_broken(&mut self, lost: Lost) -> Delivery {
        if lost.how != How::Otherwise {
            self.broken = self.broken.saturating_add(1);
        }
        match lost.delivery {
            Delivery::Retry { problem } if self.broken >= BROKEN_MAX => {
                let what = "the target ends each connection over what it gets: is its limit for a message lower?";
                Delivery::hold(Problem::new(what).with_answer(problem.what()))
            }
            delivery => delivery,
        }
    }

    /// Ends the connection in order. A receiver that then ends its side too has read all.
    pub(super) fn end(&mut self) {
        // One that ended it before, and be it that it died, may not have.
        let checked = self.link.as_mut().map(Link::check);
        if let Some(Err(lost)) = checked {
            self.lose(lost);
        }
        if self.link.take().is_some_and(Link::end) {
            self.window.was_read_to_its_end();
        }
    }
}

/// Why there is no connection.
enum NotOpen {
    /// There was none.
    Refused(Lost),
    /// It broke over what was written on it.
    Broken(Lost),
}

/// A new connection, on which all is written again that may not have arrived. What breaks a connection would break the next
/// one too: so it listens before it writes on.
fn open(target: &Target, window: &mut Window, listen: Duration) -> Result<Link, NotOpen> {
    let mut link = Link::open(target).map_err(NotOpen::Refused)?;
    if window.is_empty() {
        return Ok(link);
    }
    let sent = window.frames().try_for_each(|frames| link.send(frames));
    sent.and_then(|()| link.listen(listen)).map_err(NotOpen::Broken)?;
    window.was_written();
    Ok(link)
}

/// A connection that breaks sooner broke over what was written on it, it may be.
const SOON: Duration = Duration::from_secs(5);

/// So many in a row are no accident.
const BROKEN_MAX: u32 = 5;

/// So long a receiver has to end a connection over what was written again; twice as long each time that one broke.
const LISTEN: Duration = Duration::from_millis(250);

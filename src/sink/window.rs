//! Times that a target takes.

use std::time::{Duration, SystemTime};

use crate::timestamp::Timestamp;

/// How old a time may be, and how far ahead, that a target takes. An event is never dropped for its time: where the target
/// would not take it, it gets the time at which it is sent, and the event's own beside it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    pub(super) past: Duration,
    pub(super) ahead: Duration,
}

/// The time that a target gets for an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Placed {
    /// Since 1970, and not before.
    pub(super) time: Timestamp,
    /// When it happened, if that is another time.
    pub(super) original: Option<Timestamp>,
}

impl Window {
    /// The time to send for what happened at `time`, where it is `now`.
    pub(super) fn place(self, time: Timestamp, now: SystemTime) -> Placed {
        let (earliest, latest) = (now.checked_sub(self.past), now.checked_add(self.ahead));
        let is_taken = time.unix_micros() >= 0
            && earliest.is_none_or(|earliest| time >= Timestamp::from(earliest))
            && latest.is_none_or(|latest| time <= Timestamp::from(latest));
        match is_taken {
            true => Placed { time, original: None },
            false => Placed {
                time: Timestamp::from(now.max(SystemTime::UNIX_EPOCH)),
                original: Some(time),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_beyond_the_window_gives_way_to_now() {
        let at = |seconds: u64| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let window = Window {
            past: Duration::from_secs(100),
            ahead: Duration::from_secs(10),
        };
        for (seconds, is_taken) in [(899, false), (900, true), (1010, true), (1011, false)] {
            let time = Timestamp::from(at(seconds));
            let expected = match is_taken {
                true => Placed { time, original: None },
                false => Placed {
                    time: Timestamp::from(at(1000)),
                    original: Some(time),
                },
            };
            assert_eq!(window.place(time, at(1000)), expected, "{seconds}");
        }
        // Before 1970 no window reaches, whatever the clock says.
        let placed = window.place(Timestamp::MIN, at(5));
        assert_eq!(
            (placed.time, placed.original),
            (Timestamp::from(at(5)), Some(Timestamp::MIN))
        );
    }
}

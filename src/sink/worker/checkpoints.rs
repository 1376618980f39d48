//! When a target is to get the newest checkpoint.

use std::time::{Duration, Instant};

/// When a target is to get the newest checkpoint.
#[derive(Debug, Default)]
pub(super) struct Checkpoints {
    /// It has got records since the last one.
    is_owed: bool,
    sent: Option<Instant>,
}

impl Checkpoints {
    pub(super) fn is_owed(&self) -> bool {
        self.is_owed
    }

    pub(super) fn owe(&mut self) {
        self.is_owed = true;
    }

    /// It was delivered, or refused for good.
    pub(super) fn was_sent(&mut self) {
        (self.is_owed, self.sent) = (false, Some(Instant::now()));
    }

    /// There is none any more.
    pub(super) fn is_gone(&mut self) {
        self.is_owed = false;
    }

    /// Whether one may be sent again already.
    pub(super) fn is_due(&self) -> bool {
        self.sent.is_none_or(|sent| sent.elapsed() >= EVERY)
    }

    /// How long to wait until the next one is due; `None` while none is owed.
    pub(super) fn due_within(&self) -> Option<Duration> {
        let since = self.sent.map_or(Duration::MAX, |sent| sent.elapsed());
        self.is_owed.then(|| EVERY.saturating_sub(since))
    }
}

/// How often a target gets one, at most.
const EVERY: Duration = Duration::from_secs(1);

//! How long to wait after failures.

use std::time::Duration;

/// A random pause of up to twice as long with each failure ("full jitter"): workers that failed together do not come back
/// together.
pub(super) fn pause(failures: u32, random: [u8; 4]) -> Duration {
    let doubled = FIRST.saturating_mul(1 << failures.saturating_sub(1).min(16));
    let part = f64::from(u32::from_le_bytes(random)) / f64::from(u32::MAX);
    doubled.min(LONGEST).mul_f64(part).max(SHORTEST)
}

/// A pause that a target asks for, as far as it is believed.
pub(super) fn asked(pause: Duration) -> Duration {
    pause.clamp(SHORTEST, ASKED_MAX)
}

const SHORTEST: Duration = Duration::from_millis(10);

const FIRST: Duration = Duration::from_millis(200);

const LONGEST: Duration = Duration::from_secs(30);

const ASKED_MAX: Duration = Duration::from_secs(300);

//! What threads of the log do in the background, from the opening to the end of the log: one first does what the last
//! opening left undone, and then makes the indexes that queries use and records what sinks of other processes report; the other applies a retention. A run over a large
//! log takes long, and no query waits for it.

use std::collections::BTreeSet;
use std::time::Duration;

use super::follow::Grown;
use super::shared::Shared;
use crate::error::Result;
use crate::query::Indexes;

/// The thread of a log.
pub(super) fn run(shared: &Shared) {
    shared.resume_erasures();
    // An error comes again where a purge needs the cache.
    let _ = shared.catch_up();
    let (mut size, mut failed) = (0, BTreeSet::new());
    loop {
        shared.record_reports();
        match shared.follow.wait_beyond_within(size, LOOK_EVERY, &|| false) {
            Grown::To(newest) => {
                size = newest.checkpoint().size();
                make_indexes(shared, size, &mut failed);
            }
            Grown::Not => {}
            Grown::Ended => return,
        }
        if shared.follow.wait_ended(LOOK_EVERY) {
            return;
        }
    }
}

fn make_indexes(shared: &Shared, size: u64, failed: &mut BTreeSet<u64>) {
    // An index that cannot be made is done without.
    let _ = bring_up_index(shared, size);
    while let Ok(Some(_)) = make_index(shared, failed) {
        // Who waits to erase comes in between.
        std::thread::sleep(PAUSE);
    }
}

/// The index of the segment that is written to, in memory.
fn bring_up_index(shared: &Shared, size: u64) -> Result<()> {
    let random = shared.entropy.random()?;
    let goes_on = || !shared.is_closing();
    shared.indexes.bring_up(shared.store.as_ref(), size, random, &goes_on)
}

/// The next index that is missing of a sealed segment. While the eraser is held, none of them is replaced.
fn make_index(shared: &Shared, failed: &mut BTreeSet<u64>) -> Result<Option<u64>> {
    let random = shared.entropy.random()?;
    let goes_on = || !shared.is_closing();
    shared.with_eraser(|_| Indexes::make_next(shared.store.as_ref(), failed, random, &goes_on))
}

/// The thread of a log that has a retention: applies it at once, and then so long after each run.
pub(super) fn keep_retention(shared: &Shared) {
    let Some((retention, every)) = &shared.options.retention else {
        return;
    };
    loop {
        if let Err(error) = shared.retain(retention)
            && !shared.is_closing()
        {
            shared.numbers.failed(&error);
            shared.tell_later(&error);
        }
        if shared.follow.wait_ended((*every).min(EVERY_MAX)) {
            return;
        }
    }
}

/// How often segments are looked for that were sealed.
const LOOK_EVERY: Duration = Duration::from_secs(1);

const PAUSE: Duration = Duration::from_millis(1);

/// What the clock can count.
const EVERY_MAX: Duration = Duration::from_secs(365 * 86_400);

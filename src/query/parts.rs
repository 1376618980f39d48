//! The parts of a range that are worked on apart, and what works on them: one thread at first, several once it takes
//! longer.

use std::collections::VecDeque;
use std::num::NonZero;
use std::ops::Range;
use std::panic::resume_unwind;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::Order;
use crate::error::Result;
use crate::store::Segment;

/// A range in parts, none of which lies in two segments. They are made one after the other: a range that a damaged log
/// tells of may have more of them than fit in memory.
#[derive(Debug)]
pub(super) struct Parts {
    /// The first records of the segments, in order.
    firsts: Vec<u64>,
    rest: Range<u64>,
    order: Order,
    records_max: u64,
}

impl Parts {
    pub(super) fn new(segments: &[Segment], range: Range<u64>, order: Order, records_max: u64) -> Self {
        Self {
            firsts: segments.iter().map(|segment| segment.first).collect(),
            rest: range,
            order,
            records_max,
        }
    }
}

impl Iterator for Parts {
    type Item = Range<u64>;

    fn next(&mut self) -> Option<Range<u64>> {
        let Range { start, end } = self.rest;
        if start >= end {
            return None;
        }
        let known = match self.order {
            Order::OldestFirst => start,
            Order::NewestFirst => end - 1,
        };
        let after = self.firsts.partition_point(|first| *first <= known);
        let until = self.firsts.get(after).map_or(end, |next| end.min(*next));
        let segment = after.checked_sub(1).and_then(|at| self.firsts.get(at));
        let from = segment.map_or(start, |first| start.max(*first));
        // What is purged is one part, however long.
        let records_max = if segment.is_some() { self.records_max } else { u64::MAX };
        Some(match self.order {
            Order::OldestFirst => {
                let part = start..until.min(start.saturating_add(records_max));
                self.rest.start = part.end;
                part
            }
            Order::NewestFirst => {
                let part = from.max(end.saturating_sub(records_max))..end;
                self.rest.end = part.start;
                part
            }
        })
    }
}

/// Works on parts, each with what `worker` gives a thread, and hands on what comes of them in the order of the parts, as
/// long as `take` says so: on several threads once it takes longer than `alone`. Only a few parts that are not taken yet
/// are worked on, so that little is kept in memory, or done in vain.
pub(super) fn work<P, T: Send, W: FnMut(P) -> T>(
    mut parts: impl Iterator<Item = P> + Send,
    alone: Duration,
    worker: impl Fn() -> W + Sync,
    mut take: impl FnMut(T) -> Result<bool>,
) -> Result<()> {
    let (began, mut work) = (Instant::now(), worker());
    while began.elapsed() < alone {
        let Some(part) = parts.next() else { return Ok(()) };
        if !take(work(part))? {
            return Ok(());
        }
    }
    let threads = thread::available_parallelism().map_or(1, NonZero::get).min(THREADS_MAX);
    let desk = Desk {
        state: Mutex::new(State {
            parts,
            done: VecDeque::new(),
            taken: 0,
            ahead_max: 2 * threads,
            is_ended: false,
        }),
        changed: Condvar::new(),
    };
    thread::scope(|scope| {
        let help = || {
            let _leaving = Leaving(&desk, false);
            let mut work = worker();
            while let Some((number, part)) = desk.next_part() {
                desk.put(number, work(part));
            }
        };
        let helpers = (1..threads).filter_map(|_| thread::Builder::new().spawn_scoped(scope, help).ok());
        let helpers: Vec<_> = helpers.collect();
        let leaving = Leaving(&desk, true);
        let result = loop {
            match desk.next_task() {
                Task::Take(done) => match take(done) {
                    Ok(true) => {}
                    Ok(false) => break Ok(()),
                    Err(error) => break Err(error),
                },
                Task::Work(number, part) => desk.put(number, work(part)),
                Task::None => break Ok(()),
            }
        };
        drop(leaving);
        for helper in helpers {
            helper.join().unwrap_or_else(|panic| resume_unwind(panic));
        }
        result
    })
}

/// Where threads get their parts, and leave what came of them.
struct Desk<I, T> {
    state: Mutex<State<I, T>>,
    changed: Condvar,
}

struct State<I, T> {
    parts: I,
    /// What came of the parts that are given out and not taken yet.
    done: VecDeque<Option<T>>,
    /// How many parts were taken.
    taken: usize,
    /// How many parts are given out before the first of them is taken.
    ahead_max: usize,
    is_ended: bool,
}

/// What the thread that takes is to do next.
enum Task<P, T> {
    Take(T),
    Work(usize, P),
    None,
}

impl<P, I: Iterator<Item = P>, T> State<I, T> {
    /// The next part and its number; `None` where there is none, or enough are given out.
    fn next_part(&mut self) -> Option<(usize, P)> {
        if self.done.len() >= self.ahead_max {
            return None;
        }
        let part = self.parts.next()?;
        self.done.push_back(None);
        Some((self.taken + self.done.len() - 1, part))
    }
}

impl<P, I: Iterator<Item = P>, T> Desk<I, T> {
    fn state(&self) -> MutexGuard<'_, State<I, T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next part for a helper, once there is room for it; `None` at the end.
    fn next_part(&self) -> Option<(usize, P)> {
        let mut state = self.state();
        loop {
            if state.is_ended {
                return None;
            }
            let is_full = state.done.len() >= state.ahead_max;
            match state.next_part() {
                None if is_full => state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                part => return part,
            }
        }
    }

    fn next_task(&self) -> Task<P, T> {
        let mut state = self.state();
        loop {
            if state.is_ended {
                return Task::None;
            }
            if let Some(done) = state.done.front_mut().and_then(Option::take) {
                state.done.pop_front();
                state.taken += 1;
                self.changed.notify_all();
                return Task::Take(done);
            }
            if let Some((number, part)) = state.next_part() {
                return Task::Work(number, part);
            }
            if state.done.is_empty() {
                return Task::None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn put(&self, number: usize, done: T) {
        let mut state = self.state();
        let at = number.saturating_sub(state.taken);
        if let Some(place) = state.done.get_mut(at) {
            *place = Some(done);
        }
        self.changed.notify_all();
    }
}

/// Ends the work when the thread that takes is through, or any other one panics: nobody waits for ever.
struct Leaving<'a, P, I: Iterator<Item = P>, T>(&'a Desk<I, T>, bool);

impl<P, I: Iterator<Item = P>, T> Drop for Leaving<'_, P, I, T> {
    fn drop(&mut self) {
        if self.1 || thread::panicking() {
            self.0.state().is_ended = true;
            self.0.changed.notify_all();
        }
    }
}

/// So many records are read at once by each thread: some ten megabytes.
pub(super) const PART: u64 = 16 * 1024;

/// So long one thread is enough.
pub(super) const ALONE: Duration = Duration::from_millis(2);

const THREADS_MAX: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn segments(firsts: &[u64]) -> Vec<Segment> {
        let segment = |first: &u64| Segment {
            first: *first,
            name: format!("segments/{first:020}.jsonl"),
        };
        firsts.iter().map(segment).collect()
    }

    #[test]
    fn parts_end_with_their_segments_and_are_not_long() {
        let parts = |range, order| -> Vec<_> { Parts::new(&segments(&[100, 107, 120]), range, order, 5).collect() };
        let oldest = parts(3..131, Order::OldestFirst);
        assert_eq!(
            oldest,
            [
                3..100,
                100..105,
                105..107,
                107..112,
                112..117,
                117..120,
                120..125,
                125..130,
                130..131
            ]
        );
        let newest = parts(3..131, Order::NewestFirst);
        assert_eq!(
            newest,
            [
                126..131,
                121..126,
                120..121,
                115..120,
                110..115,
                107..110,
                102..107,
                100..102,
                3..100
            ]
        );
        assert_eq!(parts(104..110, Order::OldestFirst), [104..107, 107..110]);
        assert_eq!(parts(104..110, Order::NewestFirst), [107..110, 104..107]);
        assert_eq!(parts(5..5, Order::NewestFirst), []);
        let whole = Parts::new(&segments(&[0, 9]), 4..u64::MAX, Order::OldestFirst, u64::MAX);
        assert_eq!(whole.collect::<Vec<_>>(), [4..9, 9..u64::MAX]);
    }

    #[test]
    fn what_comes_of_parts_is_taken_in_their_order() {
        for alone in [Duration::ZERO, Duration::MAX] {
            for wanted in [0, 1, 40, 1000] {
                let mut taken = Vec::new();
                let worker = || {
                    |part: u64| {
                        // The later the sooner.
                        thread::sleep(Duration::from_micros(500 * (part % 3)));
                        part * part
                    }
                };
                let done = work(0..200, alone, worker, |square| {
                    taken.push(square);
                    Ok(taken.len() < wanted)
                });
                assert!(done.is_ok());
                let expected: Vec<u64> = (0..200).map(|part| part * part).take(wanted.max(1)).collect();
                assert_eq!(taken, expected);
            }
        }
    }

    #[test]
    fn an_error_of_who_takes_ends_the_work() {
        let refused = crate::error::Error::configuration("q", "refused");
        let done = work(
            0..u64::MAX,
            Duration::ZERO,
            || |part| part,
            |part| match part {
                100 => Err(refused.clone()),
                _ => Ok(true),
            },
        );
        assert_eq!(done.map_err(|error| error.to_string()), Err(refused.to_string()));
    }

    #[test]
    #[should_panic(expected = "broken")]
    fn a_thread_that_panics_keeps_nobody_waiting() {
        let main = thread::current().id();
        let worker = || {
            move |part: u64| {
                assert!(thread::current().id() == main || part < 10, "broken");
                thread::sleep(Duration::from_micros(100));
            }
        };
        let _ = work(0..100_000, Duration::ZERO, worker, |()| Ok(true));
    }
}

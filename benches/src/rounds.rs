//! Rounds: ours and the peers by turns, several times, and the median of what came out.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::latency::Latencies;
use crate::quiet::{Watch, settle};

/// What one round of one contestant gave.
#[derive(Debug, Clone, Copy, Default)]
pub struct Round {
    /// How many events.
    pub events: usize,
    /// Events a second.
    pub rate: f64,
    /// The median latency in microseconds.
    pub p50: f64,
    /// The 99th percentile in microseconds.
    pub p99: f64,
    /// Events a commit, where that is known.
    pub batch: f64,
}

impl Round {
    /// The same round, in which a contestant made so many commits.
    #[must_use]
    pub fn with_commits(mut self, commits: u64) -> Self {
        self.batch = self.events as f64 / commits as f64;
        self
    }
}

/// Runs `threads` threads for `length`, each of them `step` by `step` with its own state, and gives the rate and the
/// latencies.
pub fn run<S>(
    threads: usize,
    length: Duration,
    state: impl Fn(usize) -> S + Sync,
    step: impl Fn(&mut S) + Sync,
) -> Round {
    let (stop, barrier) = (AtomicBool::new(false), Barrier::new(threads + 1));
    let (mut latencies, elapsed) = std::thread::scope(|scope| {
        let work = |thread: usize| {
            let mut state = state(thread);
            let mut latencies = Latencies::new();
            barrier.wait();
            while !stop.load(Ordering::Relaxed) {
                let began = Instant::now();
                step(&mut state);
                latencies.push(began.elapsed());
            }
            latencies
        };
        let handles: Vec<_> = (0..threads).map(|thread| scope.spawn(move || work(thread))).collect();
        barrier.wait();
        let began = Instant::now();
        std::thread::sleep(length);
        stop.store(true, Ordering::Relaxed);
        let mut all = Latencies::new();
        handles
            .into_iter()
            .for_each(|handle| all.extend(handle.join().expect("a thread of the benchmark")));
        (all, began.elapsed())
    });
    Round {
        events: latencies.len(),
        batch: 0.0,
        rate: latencies.len() as f64 / elapsed.as_secs_f64(),
        p50: latencies.quantile_micros(0.5),
        p99: latencies.quantile_micros(0.99),
    }
}

/// The rounds: in each turn one of every contestant.
#[derive(Debug, Default)]
pub struct Rounds {
    turns: Vec<Vec<Round>>,
}

impl Rounds {
    /// Lets each contestant do a round, until `count` turns went undisturbed by other processes, or twice as many were
    /// tried. The first one counts for nothing: it warms up.
    pub fn of(count: usize, contestants: &mut [&mut dyn FnMut() -> Round]) -> Self {
        let (mut all, mut disturbed) = (Vec::new(), Vec::new());
        for index in 0..=2 * count {
            let mut quiet = true;
            let turn: Vec<Round> = contestants
                .iter_mut()
                .map(|contestant| {
                    settle();
                    let watch = Watch::start();
                    let round = contestant();
                    quiet &= !watch.was_disturbed();
                    round
                })
                .collect();
            if std::env::var_os("INDELIBLE_BENCH_ROUNDS").is_some() {
                eprintln!("{} {turn:?}", if quiet { "quiet" } else { "disturbed" });
            }
            match index {
                0 => {}
                _ if quiet => all.push(turn),
                _ => disturbed.push(turn),
            }
            if all.len() == count {
                break;
            }
        }
        let missing = count.saturating_sub(all.len());
        if missing > 0 {
            eprintln!("other processes disturbed {missing} of {count} turns");
            all.extend(disturbed.into_iter().take(missing));
        }
        Self { turns: all }
    }

    /// The median of what `figure` gives of a contestant.
    pub fn median(&self, contestant: usize, figure: impl Fn(&Round) -> f64) -> f64 {
        median(self.turns.iter().map(|turn| figure(&turn[contestant])).collect())
    }

    /// The median of the first contestant's figure through another one's of the same turn.
    pub fn ratio(&self, other: usize, figure: impl Fn(&Round) -> f64) -> f64 {
        median(self.ratios(other, figure))
    }

    /// The least and the largest of those ratios.
    pub fn spread(&self, other: usize, figure: impl Fn(&Round) -> f64) -> String {
        let mut ratios = self.ratios(other, figure);
        ratios.sort_by(f64::total_cmp);
        match (ratios.first(), ratios.last()) {
            (Some(least), Some(most)) => format!("{least:.2}–{most:.2}"),
            _ => String::new(),
        }
    }

    fn ratios(&self, other: usize, figure: impl Fn(&Round) -> f64) -> Vec<f64> {
        let ratio = |turn: &Vec<Round>| figure(&turn[0]) / figure(&turn[other]);
        self.turns.iter().map(ratio).collect()
    }
}

/// The median; 0 of nothing.
pub fn median(mut figures: Vec<f64>) -> f64 {
    if figures.is_empty() {
        return 0.0;
    }
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

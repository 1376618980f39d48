//! Latencies: quantiles of many durations.

use std::time::Duration;

/// Many durations.
#[derive(Debug, Clone, Default)]
pub struct Latencies {
    nanos: Vec<u64>,
}

impl Latencies {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one.
    pub fn push(&mut self, latency: Duration) {
        self.nanos.push(u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX));
    }

    /// Adds those of another thread.
    pub fn extend(&mut self, other: Self) {
        self.nanos.extend(other.nanos);
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.nanos.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.nanos.is_empty()
    }

    /// The quantile of `part` in 0..=1, in microseconds; 0 where there is none.
    pub fn quantile_micros(&mut self, part: f64) -> f64 {
        if self.nanos.is_empty() {
            return 0.0;
        }
        let last = self.nanos.len() - 1;
        let index = (last as f64 * part).round() as usize;
        *self.nanos.select_nth_unstable(index).1 as f64 / 1e3
    }
}

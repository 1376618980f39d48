//! Appends at a steady rate, and how long each record then takes until it has arrived.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use indelible::AuditLog;

use crate::events::Logins;
use crate::latency::Latencies;
use crate::receiver::{Arrival, now};

/// Appends so many events a second for so long, from four threads, and gives when each was acknowledged.
pub fn append(log: &AuditLog, logins: &Logins, rate: u32, length: Duration) -> Vec<Arrival> {
    const THREADS: u32 = 4;
    let (began, each) = (Instant::now(), Duration::from_secs(1) * THREADS / rate);
    let work = |thread: u32| {
        let mut acknowledged = Vec::new();
        let mut due = began + each * thread / THREADS;
        while due < began + length {
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            let event = logins.get(acknowledged.len()).event();
            let receipt = log.append(event).expect("a receipt");
            acknowledged.push((receipt.seq, now()));
            due += each;
        }
        acknowledged
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|thread| scope.spawn(move || work(thread))).collect();
        let all = threads.into_iter().flat_map(|thread| thread.join().expect("a thread"));
        all.collect()
    })
}

/// From the acknowledgement of each record to its first arrival.
///
/// # Panics
///
/// Where one has not arrived.
pub fn latencies(acknowledged: &[Arrival], arrivals: &[Arrival]) -> Latencies {
    let mut first = HashMap::new();
    arrivals.iter().for_each(|(seq, at)| {
        first.entry(*seq).or_insert(*at);
    });
    let mut latencies = Latencies::new();
    for (seq, at) in acknowledged {
        let arrived = first.get(seq).unwrap_or_else(|| panic!("record {seq} has not arrived"));
        latencies.push(Duration::from_micros(arrived.saturating_sub(*at)));
    }
    latencies
}

//! Whether others were at work on this machine: what they did to a round is not ours to count. Linux only; elsewhere
//! every round counts.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

/// The processor time of the machine and of this process, in ticks of 10 ms.
#[derive(Debug, Clone, Copy)]
struct Ticks {
    busy: u64,
    own: u64,
}

impl Ticks {
    fn now() -> Option<Self> {
        let machine = fs::read_to_string("/proc/stat").ok()?;
        let mut columns = machine.lines().next()?.split_whitespace().skip(1);
        let mut column = || columns.next()?.parse::<u64>().ok();
        let (user, nice, system, _idle, _waiting) = (column()?, column()?, column()?, column()?, column()?);
        let (irq, soft_irq, stolen) = (column()?, column()?, column()?);
        let process = fs::read_to_string("/proc/self/stat").ok()?;
        let mut columns = process.rsplit_once(')')?.1.split_whitespace().skip(11);
        let mut column = || columns.next()?.parse::<u64>().ok();
        Some(Self {
            busy: user + nice + system + irq + soft_irq + stolen,
            own: column()? + column()?,
        })
    }
}

/// Watches what others do.
#[derive(Debug)]
pub struct Watch {
    began: Instant,
    ticks: Option<Ticks>,
}

impl Watch {
    /// Begins to watch.
    pub fn start() -> Self {
        Self {
            began: Instant::now(),
            ticks: Ticks::now(),
        }
    }

    /// How many processors others kept busy since then, on average.
    pub fn others(&self) -> f64 {
        let (Some(before), Some(after)) = (self.ticks, Ticks::now()) else {
            return 0.0;
        };
        let others = (after.busy - before.busy) as f64 - (after.own - before.own) as f64;
        (others / 100.0 / self.began.elapsed().as_secs_f64()).max(0.0)
    }

    /// Whether they kept so much busy that a round does not count.
    pub fn was_disturbed(&self) -> bool {
        self.others() > OTHERS_MAX
    }
}

/// Waits until the disk has what the last round left for it and others are quiet, at most a minute.
pub fn settle() {
    let _ = Command::new("sync").status();
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(60) {
        let watch = Watch::start();
        std::thread::sleep(Duration::from_millis(150));
        if watch.others() < OTHERS_MAX / 2.0 {
            return;
        }
    }
}

/// The kernel's own threads take some of it.
const OTHERS_MAX: f64 = 0.25;

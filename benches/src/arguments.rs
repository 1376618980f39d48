//! What a benchmark is told: `--quick`, and names of the parts that are wanted.

use std::time::Duration;

/// The arguments of a benchmark.
#[derive(Debug, Clone, Default)]
pub struct Arguments {
    /// A look instead of a measurement.
    pub quick: bool,
    /// The parts that are wanted; all where there is none.
    pub parts: Vec<String>,
}

impl Arguments {
    /// Those of this process. What cargo adds is left out.
    pub fn read() -> Self {
        let mut arguments = Self::default();
        for argument in std::env::args().skip(1) {
            match argument.as_str() {
                "--quick" => arguments.quick = true,
                other if other.starts_with("--") => {}
                part => arguments.parts.push(part.to_owned()),
            }
        }
        arguments
    }

    /// Whether a part is wanted.
    pub fn wants(&self, part: &str) -> bool {
        self.parts.is_empty() || self.parts.iter().any(|wanted| wanted == part)
    }

    /// How many rounds: an odd number, so that the median is one of them.
    pub fn rounds(&self, full: usize) -> usize {
        if self.quick { 3 } else { full }
    }

    /// How long a round is.
    pub fn round(&self) -> Duration {
        Duration::from_millis(if self.quick { 150 } else { 1000 })
    }

    /// How many of something.
    pub fn count<T>(&self, quick: T, full: T) -> T {
        if self.quick { quick } else { full }
    }
}

//! What is wrong with a configuration.

use std::fmt;

/// What is wrong with a configuration: where, and what it takes. What stands where a secret belongs is not repeated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    key: String,
    line: Option<usize>,
    problem: String,
}

impl ConfigError {
    pub(super) fn new(key: impl Into<String>, line: Option<usize>, problem: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            line,
            problem: problem.into(),
        }
    }

    /// The key, such as `sinks[0].url`; empty where the file is none that can be read.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The line, from 1.
    pub fn line(&self) -> Option<usize> {
        self.line
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.problem)
    }
}

impl std::error::Error for ConfigError {}

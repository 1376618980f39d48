//! What a command could not do, in words.

use std::fmt::Display;
use std::io::{self, Read, Write};
use std::path::Path;

use crate::plain::plain;

/// Why a command could not be carried out. Made from any error by `?`.
#[derive(Debug)]
pub(crate) struct Failure(String);

impl Failure {
    pub(crate) fn new(problem: impl Into<String>) -> Self {
        Self(problem.into())
    }

    /// A failure at a file.
    pub(crate) fn at(path: &Path, problem: impl Display) -> Self {
        Self(format!("{}: {problem}", path.display()))
    }
}

impl<E: Display> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

impl AsRef<str> for Failure {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// Says on standard error what is wrong. Nobody may be listening.
pub(crate) fn complain(problem: impl AsRef<str>) {
    let _ = writeln!(io::stderr(), "indelible: {}", plain(problem.as_ref()));
}

/// The whole content of a file that is not larger than `limit` bytes.
pub(crate) fn read_file(path: &Path, limit: u64) -> Result<Vec<u8>, Failure> {
    let failed = |error| Failure::at(path, error);
    let mut content = Vec::new();
    let file = std::fs::File::open(path).map_err(failed)?;
    file.take(limit.saturating_add(1))
        .read_to_end(&mut content)
        .map_err(failed)?;
    if u64::try_from(content.len()).is_ok_and(|length| length <= limit) {
        Ok(content)
    } else {
        Err(Failure::at(path, format!("it has more than {limit} bytes")))
    }
}

/// The same as text.
pub(crate) fn read_text(path: &Path, limit: u64) -> Result<String, Failure> {
    String::from_utf8(read_file(path, limit)?).map_err(|_| Failure::at(path, "it is not UTF-8"))
}

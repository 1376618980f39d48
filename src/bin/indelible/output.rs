//! Standard output, buffered. A reader that goes away is not an error.

use std::io::{self, BufWriter, ErrorKind, IsTerminal, Stdout, Write};

use crate::failure::Failure;
use crate::plain::plain;

/// Standard output. Once nobody reads it any more, or it failed, what is written is dropped: a command that records
/// goes on.
#[derive(Debug)]
pub(crate) struct Output {
    /// Not locked meanwhile: a sink may write there too.
    out: BufWriter<Stdout>,
    ended: Option<io::Error>,
    is_terminal: bool,
}

impl Output {
    pub(crate) fn new() -> Self {
        Self {
            out: BufWriter::with_capacity(BUFFER, io::stdout()),
            ended: None,
            is_terminal: io::stdout().is_terminal(),
        }
    }

    /// Whether it is of no use to write more.
    pub(crate) fn is_ended(&self) -> bool {
        self.ended.is_some()
    }

    /// Adds a line.
    pub(crate) fn line(&mut self, line: std::fmt::Arguments<'_>) {
        if self.is_terminal {
            return self.text(&format!("{line}\n"));
        }
        self.attempt(|out| {
            out.write_fmt(line)?;
            out.write_all(b"\n")
        });
    }

    /// Adds text: as it is, or what a terminal can be shown of it.
    pub(crate) fn text(&mut self, text: &str) {
        let text = match self.is_terminal {
            true => plain(text),
            false => text.into(),
        };
        self.attempt(|out| out.write_all(text.as_bytes()));
    }

    /// Hands on what was written so far.
    pub(crate) fn flush(&mut self) {
        self.attempt(BufWriter::flush);
    }

    /// Hands on the rest.
    ///
    /// # Errors
    ///
    /// Where something could not be written, and not for want of a reader.
    pub(crate) fn finish(mut self) -> Result<(), Failure> {
        self.flush();
        match self.ended {
            Some(error) if error.kind() != ErrorKind::BrokenPipe => {
                Err(Failure::new(format!("cannot write to standard output: {error}")))
            }
            _ => Ok(()),
        }
    }

    fn attempt(&mut self, write: impl FnOnce(&mut BufWriter<Stdout>) -> io::Result<()>) {
        if self.ended.is_none() {
            self.ended = write(&mut self.out).err();
        }
    }
}

const BUFFER: usize = 64 * 1024;

//! A sink that writes JSON Lines to a file.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::{Batch, Delivery, Sink};
use crate::record::{Record, write_erased};

/// Appends each record to a file, as the line that the log has: for agents that tail it, or as a copy on another disk.
/// A batch is delivered once the file is synced.
///
/// The file is made with mode 0600. After a crash the last batch may stand there twice: `seq` tells.
#[derive(Debug)]
pub struct FileSink {
    path: PathBuf,
    file: Option<File>,
    buffer: Vec<u8>,
}

impl FileSink {
    /// A sink that appends to the file at `path`. It is opened, and made if need be, with the first batch.
    pub fn new(path: impl AsRef<Path>) -> Self {
        Self {
            path: path.as_ref().to_owned(),
            file: None,
            buffer: Vec::new(),
        }
    }

    fn write(&mut self) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            None => {
                let mut options = OpenOptions::new();
                self.file
                    .insert(options.append(true).create(true).mode(0o600).open(&self.path)?)
            }
        };
        file.write_all(&self.buffer)?;
        file.sync_data()
    }
}

impl Sink for FileSink {
    fn name(&self) -> &str {
        "file"
    }

    fn deliver(&mut self, batch: &Batch<'_>) -> Delivery {
        self.buffer.clear();
        batch
            .records
            .iter()
            .for_each(|record| write_record(&mut self.buffer, record));
        match self.write() {
            Ok(()) => Delivery::Delivered,
            Err(error) => {
                // The next try opens it anew: after a failed sync this descriptor tells nothing.
                self.file = None;
                Delivery::Retry {
                    problem: format!("write {}: {error}", self.path.display()),
                    after: None,
                }
            }
        }
    }
}

fn write_record(out: &mut Vec<u8>, record: &Record) {
    match record.line() {
        Some(line) => {
            out.extend_from_slice(line.as_bytes());
            out.push(b'\n');
        }
        None => write_erased(out, &record.hash(), record.seq()),
    }
}

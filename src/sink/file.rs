//! Sinks that write JSON Lines: to a file, or to standard output.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::{Batch, Delivery, Problem, Sink};

/// Appends each message to a file, as a line: for agents that tail it, or as a copy on another disk. A batch is delivered
/// once the file is synced.
///
/// The file is made with mode 0600. Where it was renamed or removed meanwhile, as log rotation does, it is made anew. After a
/// crash, or on a disk that is full, the last batch may stand there more than once, and be cut within a line but for the last
/// time: `seq` tells.
#[derive(Debug)]
pub struct FileSink {
    path: PathBuf,
    file: Option<File>,
    lines: Vec<u8>,
}

impl FileSink {
    /// A sink that appends to the file at `path`. It is opened, and made if need be, with the first batch.
    pub fn new(path: impl AsRef<Path>) -> Self {
        Self {
            path: path.as_ref().to_owned(),
            file: None,
            lines: Vec::new(),
        }
    }

    fn write(&mut self) -> io::Result<()> {
        let is_named = |file: &File| {
            let (is, named) = (file.metadata().ok(), std::fs::metadata(&self.path).ok());
            let id = |found: std::fs::Metadata| (found.dev(), found.ino());
            is.map(id) == named.map(id)
        };
        let mut file = match self.file.take().filter(is_named) {
            Some(file) => file,
            None => self.open()?,
        };
        file.write_all(&self.lines)?;
        // A pipe or a terminal cannot be synced.
        if file.metadata()?.is_file() {
            file.sync_data()?;
        }
        // After a failure the next try opens it anew: after a failed sync this descriptor tells nothing.
        self.file = Some(file);
        Ok(())
    }

    /// Opens it. A line that a crash cut is ended first, and a new file is there after a crash only once its folder is synced.
    fn open(&self) -> io::Result<File> {
        use std::os::unix::fs::FileExt;
        let mut options = OpenOptions::new();
        let mut file = options
            .read(true)
            .append(true)
            .create(true)
            .mode(0o600)
            .open(&self.path)?;
        let (found, mut last) = (file.metadata()?, [b'\n']);
        if found.is_file() && found.len() > 0 {
            file.read_exact_at(&mut last, found.len() - 1)?;
        } else if found.is_file() {
            let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
            File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
        }
        if last != [b'\n'] {
            file.write_all(b"\n")?;
        }
        Ok(file)
    }
}

impl Sink for FileSink {
    fn deliver(&mut self, batch: &Batch<'_>) -> Delivery {
        write_lines(&mut self.lines, batch);
        match self.write() {
            Ok(()) => Delivery::Delivered,
            Err(error) => failed(&self.path.display().to_string(), &error),
        }
    }
}

/// Writes each message to standard output, as a line: for a container whose output an agent collects.
#[derive(Debug, Default)]
pub struct StdoutSink {
    lines: Vec<u8>,
}

impl StdoutSink {
    /// A sink that writes to the standard output of this process.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Sink for StdoutSink {
    fn deliver(&mut self, batch: &Batch<'_>) -> Delivery {
        write_lines(&mut self.lines, batch);
        let mut out = io::stdout().lock();
        match out.write_all(&self.lines).and_then(|()| out.flush()) {
            Ok(()) => Delivery::Delivered,
            Err(error) => failed("standard output", &error),
        }
    }
}

fn write_lines(lines: &mut Vec<u8>, batch: &Batch<'_>) {
    lines.clear();
    for message in batch.messages {
        lines.extend_from_slice(message.text().as_bytes());
        lines.push(b'\n');
    }
}

fn failed(place: &str, error: &io::Error) -> Delivery {
    let problem = Problem::new(format!("it cannot be written: {}", error.kind()));
    let problem = problem.with_answer(format!("{place}: {error}"));
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied | io::ErrorKind::IsADirectory => {
            Delivery::hold(problem)
        }
        _ => Delivery::retry(problem),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_synced_is_written_all_the_same() {
        let mut null = FileSink::new("/dev/null");
        null.lines = b"{}\n".to_vec();
        null.write().expect("written");
        let folder = tempfile::tempdir().expect("a folder");
        let mut file = FileSink::new(folder.path().join("lines"));
        for _ in 0..2 {
            file.lines = b"{}\n".to_vec();
            file.write().expect("written");
        }
        assert_eq!(std::fs::read(&file.path).expect("the file"), b"{}\n{}\n");
    }
}

//! A log in memory: for tests, and for hosts that keep no file.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::rewrite::{Rotations, erase_line, overlaps};
use super::{
    Commit, Eraser, Erasure, Head, KeptRotation, LineEnd, Lines, Opened, Opening, RawLine, Segment, Store, Writer,
};
use crate::checkpoint::SignedCheckpoint;
use crate::error::{Cause, Error, Result};
use crate::record::Header;

/// A log in memory. Clones share it, so that a test can open it again.
///
/// What it holds is gone with its last clone: an acknowledged event is as durable as the process.
#[derive(Debug, Clone, Default)]
pub struct MemoryStore {
    log: Arc<Mutex<Log>>,
    /// How many bytes a segment may have; 0 stands for all in one.
    segment_size: usize,
}

#[derive(Debug, Default)]
struct Log {
    segments: Vec<Part>,
    head: Option<Head>,
    kept: Vec<KeptRotation>,
    pending: Option<Vec<u8>>,
    written: bool,
}

/// A segment: its header and whole commits, each shared with the readers that are at it.
#[derive(Debug)]
struct Part {
    first: u64,
    chunks: Vec<Chunk>,
    bytes: usize,
    sealed: bool,
}

#[derive(Debug, Clone)]
struct Chunk {
    /// The `seq` of its first record.
    first: u64,
    bytes: Arc<[u8]>,
}

impl MemoryStore {
    /// An empty log.
    pub fn new() -> Self {
        Self::default()
    }

    /// How large a segment may get, in bytes: without end unless told otherwise. One commit always fits.
    #[must_use]
    pub fn segment_size(mut self, bytes: usize) -> Self {
        self.segment_size = bytes.max(1);
        self
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for MemoryStore {
    fn open(&self, opening: &Opening<'_>) -> Result<Opened> {
        let began = Instant::now();
        loop {
            let mut log = self.log();
            if !log.written {
                if let Some(head) = &log.head {
                    let refused =
                        |error: crate::checkpoint::CheckpointError| Error::configuration("key", error.to_string());
                    head.checkpoint.verify(opening.vkey).map_err(refused)?;
                }
                let head = log.head.clone();
                log.written = true;
                drop(log);
                let held = Arc::new(Held { store: self.clone() });
                (opening.accept)(head.as_ref())?;
                return Ok(Opened {
                    head,
                    writer: Box::new(MemoryWriter {
                        store: self.clone(),
                        origin: opening.origin.as_str().to_owned(),
                        held: Some(Arc::clone(&held)),
                    }),
                    eraser: Box::new(MemoryEraser {
                        store: self.clone(),
                        _held: held,
                    }),
                    moved: Vec::new(),
                });
            }
            drop(log);
            let waited = began.elapsed();
            if waited >= opening.wait {
                return Err(Cause::Locked {
                    path: "memory".into(),
                    pid: Some(std::process::id()),
                    waited,
                }
                .into());
            }
            std::thread::sleep(Duration::from_millis(5).min(opening.wait - waited));
        }
    }

    fn segments(&self) -> Result<Vec<Segment>> {
        Ok(self.log().segments.iter().map(Part::segment).collect())
    }

    fn lines(&self, segment: &Segment, from: u64) -> Result<Box<dyn Lines + '_>> {
        let log = self.log();
        let part = log.segments.iter().find(|part| part.first == segment.first);
        let part = part.ok_or_else(|| {
            let gone = std::io::Error::new(std::io::ErrorKind::NotFound, "it was purged");
            Error::io("open", Path::new(&segment.name), gone)
        })?;
        let skipped = if from == 0 {
            0
        } else {
            part.chunks
                .partition_point(|chunk| chunk.first <= from)
                .saturating_sub(1)
        };
        let chunks = part.chunks.get(skipped..).unwrap_or_default().to_vec();
        Ok(Box::new(MemoryLines {
            chunks,
            chunk: 0,
            at: 0,
            number: 0,
        }))
    }

    fn newest_checkpoint(&self) -> Result<Option<SignedCheckpoint>> {
        Ok(self.log().head.as_ref().map(|head| head.checkpoint.clone()))
    }

    fn has_writer(&self) -> Result<bool> {
        Ok(self.log().written)
    }

    fn kept_rotations(&self) -> Result<Vec<KeptRotation>> {
        Ok(self.log().kept.clone())
    }
}

impl Part {
    fn segment(&self) -> Segment {
        Segment {
            first: self.first,
            name: format!("segments/{:020}.jsonl", self.first),
        }
    }
}

/// Keeps other writers out until it is dropped.
#[derive(Debug)]
struct Held {
    store: MemoryStore,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.store.log().written = false;
    }
}

#[derive(Debug)]
struct MemoryWriter {
    store: MemoryStore,
    origin: String,
    /// `None` once it is closed.
    held: Option<Arc<Held>>,
}

impl Writer for MemoryWriter {
    fn append(&mut self, commit: &Commit<'_>) -> Result<()> {
        if self.held.is_none() {
            return Err(Cause::Closed.into());
        }
        let limit = if self.store.segment_size == 0 {
            usize::MAX
        } else {
            self.store.segment_size
        };
        let mut log = self.store.log();
        commit.check_continues(log.head.as_ref())?;
        let full = |part: &Part| part.sealed || (part.chunks.len() > 1 && part.bytes + commit.bytes.len() > limit);
        if log.segments.last().is_none_or(full) {
            let mut line = Vec::new();
            let (first, peaks) = (commit.first(), commit.before.peaks().to_vec());
            Header {
                first,
                origin: self.origin.clone(),
                peaks,
            }
            .write(&mut line);
            let bytes = line.len();
            let header = Chunk {
                first,
                bytes: line.into(),
            };
            log.segments.push(Part {
                first,
                chunks: vec![header],
                bytes,
                sealed: false,
            });
        }
        if let Some(part) = log.segments.last_mut() {
            part.bytes += commit.bytes.len();
            part.chunks.push(Chunk {
                first: commit.first(),
                bytes: commit.bytes.into(),
            });
        }
        let last_line = commit
            .records()
            .last()
            .map_or_else(Vec::new, |(_, _, line)| line.to_vec());
        let (tree, checkpoint) = (commit.after.clone(), commit.checkpoint.clone());
        log.head = Some(Head {
            tree,
            last: commit.last(),
            last_line,
            checkpoint,
        });
        Ok(())
    }

    fn seal(&mut self) -> Result<()> {
        if let Some(part) = self.store.log().segments.last_mut() {
            part.sealed = true;
        }
        Ok(())
    }

    fn moved_is_announced(&mut self) -> Result<()> {
        Ok(())
    }

    fn close(&mut self) -> Result<()> {
        self.held = None;
        Ok(())
    }
}

#[derive(Debug)]
struct MemoryEraser {
    store: MemoryStore,
    _held: Arc<Held>,
}

impl Eraser for MemoryEraser {
    fn set_pending(&mut self, pending: Option<&[u8]>) -> Result<()> {
        self.store.log().pending = pending.map(<[u8]>::to_vec);
        Ok(())
    }

    fn pending(&mut self) -> Result<Option<Vec<u8>>> {
        Ok(self.store.log().pending.clone())
    }

    fn erase(&mut self, ranges: &[(u64, u64)], what: Erasure) -> Result<()> {
        let mut log = self.store.log();
        for chunk in log.segments.iter_mut().flat_map(|part| &mut part.chunks) {
            if overlaps(ranges, chunk.first, u64::MAX) {
                let mut bytes = Vec::with_capacity(chunk.bytes.len());
                let mut changed = false;
                for line in chunk.bytes.split_inclusive(|byte| *byte == b'\n') {
                    changed |= erase_line(&mut bytes, line.strip_suffix(b"\n").unwrap_or(line), ranges, what);
                }
                if changed {
                    chunk.bytes = bytes.into();
                }
            }
        }
        if let Some(head) = &mut log.head {
            let mut line = Vec::with_capacity(head.last_line.len() + 1);
            erase_line(&mut line, &head.last_line, ranges, what);
            line.pop();
            head.last_line = line;
        }
        Ok(())
    }

    fn purge(&mut self, before: u64) -> Result<u64> {
        let mut log = self.store.log();
        while let [part, next, ..] = log.segments.as_slice()
            && next.first <= before
        {
            let mut rotations = Rotations::default();
            for line in part
                .chunks
                .iter()
                .flat_map(|chunk| chunk.bytes.split(|byte| *byte == b'\n'))
            {
                rotations.take(line);
            }
            let kept = rotations.found.into_iter();
            let kept = kept.map(|(seq, content)| KeptRotation {
                name: format!("keys/{seq:020}"),
                content,
            });
            log.kept.extend(kept);
            log.segments.remove(0);
        }
        Ok(log.segments.first().map_or(0, |part| part.first))
    }
}

#[derive(Debug)]
struct MemoryLines {
    chunks: Vec<Chunk>,
    chunk: usize,
    at: usize,
    number: u64,
}

impl Lines for MemoryLines {
    fn next_line(&mut self) -> Result<Option<RawLine<'_>>> {
        while let Some(chunk) = self.chunks.get(self.chunk) {
            if self.at < chunk.bytes.len() {
                break;
            }
            self.chunk += 1;
            self.at = 0;
        }
        let Some(rest) = self.chunks.get(self.chunk).and_then(|chunk| chunk.bytes.get(self.at..)) else {
            return Ok(None);
        };
        let length = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        self.at += length + 1;
        self.number += 1;
        Ok(Some(RawLine {
            bytes: &rest[..length],
            number: self.number,
            end: LineEnd::Whole,
        }))
    }
}

//! Erasing and purging in segment files. A segment is written anew beside the old one, synced, and takes its name: at
//! every moment it is whole.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::disk::{How, Lock};
use super::layout::Layout;
use super::reading::{check_whole, open_lines};
use crate::error::{Error, Result};
use crate::store::rewrite::{Rotations, erase_line, overlaps};
use crate::store::{Eraser, Erasure, Segment};

/// The eraser of a log directory.
#[derive(Debug)]
pub(super) struct FileEraser {
    layout: Layout,
    active_first: Arc<AtomicU64>,
    _lock: Arc<dyn Lock>,
}

impl FileEraser {
    pub(super) fn new(layout: Layout, active_first: Arc<AtomicU64>, lock: Arc<dyn Lock>) -> Self {
        Self {
            layout,
            active_first,
            _lock: lock,
        }
    }

    /// The segments that are not being written, each with the `seq` after its last record; of the last one that is not
    /// known.
    fn sealed(&self) -> Result<Vec<(Segment, u64)>> {
        let active = self.active_first.load(Ordering::SeqCst);
        let segments = self.layout.segments()?;
        let ends: Vec<u64> = segments
            .iter()
            .skip(1)
            .map(|next| next.first)
            .chain([u64::MAX])
            .collect();
        Ok(segments
            .into_iter()
            .zip(ends)
            .filter(|(segment, _)| segment.first < active)
            .collect())
    }

    /// Writes one segment anew without what is erased. No copy is left behind that holds it still.
    fn erase_in(&self, segment: &Segment, ranges: &[(u64, u64)], what: Erasure) -> Result<()> {
        let new = self.new_of(segment);
        match self.write_erased(&new, segment, ranges, what) {
            Ok(true) => {
                self.remove_indexes(segment)?;
                let renamed = self.layout.rename(&new, &self.layout.segment(segment.first));
                renamed.inspect_err(|_| drop(self.layout.remove(&new)))?;
                self.layout.sync_folder(&self.layout.segments_folder())?;
                self.remove_compressed(segment)
            }
            Ok(false) => self.layout.remove(&new),
            Err(error) => {
                let _ = self.layout.remove(&new);
                Err(error)
            }
        }
    }

    /// Writes what is left of a segment to `new`. False where nothing is to be erased in it.
    fn write_erased(&self, new: &Path, segment: &Segment, ranges: &[(u64, u64)], what: Erasure) -> Result<bool> {
        let failed = |error| Error::io("write", new, error);
        let file = self.layout.disk.open(new, How::Create).map_err(failed)?;
        let mut lines = open_lines(&self.layout, segment, 0)?;
        let mut buffer = Vec::with_capacity(2 * BUFFER);
        let (mut offset, mut changed) = (0, false);
        while let Some(line) = lines.next_line()? {
            check_whole(segment, &line)?;
            changed |= erase_line(&mut buffer, line.bytes, ranges, what);
            if buffer.len() >= BUFFER {
                file.write_all_at(&buffer, offset).map_err(failed)?;
                offset += buffer.len() as u64;
                buffer.clear();
            }
        }
        file.write_all_at(&buffer, offset).map_err(failed)?;
        if changed {
            file.sync().map_err(failed)?;
        }
        Ok(changed)
    }

    /// Removes the indexes of what a segment held, durably: they are made anew of what it holds then.
    fn remove_indexes(&self, segment: &Segment) -> Result<()> {
        let folder = self.layout.index_folder();
        let beginning = format!("{:020}-", segment.first);
        let mut names = self.layout.list(&folder)?;
        names.retain(|name| name.starts_with(&beginning));
        for name in &names {
            self.layout.remove(&folder.join(name))?;
        }
        if names.is_empty() {
            Ok(())
        } else {
            self.layout.sync_folder(&folder)
        }
    }

    /// Where a segment is written anew.
    fn new_of(&self, segment: &Segment) -> PathBuf {
        self.layout.segment(segment.first).with_extension("new")
    }

    /// Removes the compressed file of a segment, if there is one, durably.
    fn remove_compressed(&self, segment: &Segment) -> Result<()> {
        let plain = self.layout.segment(segment.first);
        if self.layout.remove_found(&plain.with_extension("jsonl.zst"))? {
            self.layout.sync_folder(&self.layout.segments_folder())?;
        }
        Ok(())
    }

    /// Keeps the rotations of a segment in `keys/`, durably.
    fn keep_rotations(&self, segment: &Segment) -> Result<()> {
        let mut rotations = Rotations::default();
        let mut lines = open_lines(&self.layout, segment, 0)?;
        while let Some(line) = lines.next_line()? {
            check_whole(segment, &line)?;
            rotations.take(line.bytes);
        }
        let folder = self.layout.keys_folder();
        for (seq, content) in rotations.found {
            self.layout.make_folder(&folder)?;
            self.layout.write(&folder.join(format!("{seq:020}")), &content)?;
        }
        Ok(())
    }
}

impl Eraser for FileEraser {
    fn set_pending(&mut self, pending: Option<&[u8]>) -> Result<()> {
        let path = self.layout.pending();
        match pending {
            Some(content) => self.layout.write(&path, content),
            None => {
                self.layout.remove(&path)?;
                self.layout.sync_folder(&self.layout.folder)
            }
        }
    }

    fn pending(&mut self) -> Result<Option<Vec<u8>>> {
        self.layout.read(&self.layout.pending(), PENDING_BYTES_MAX)
    }

    fn erase(&mut self, ranges: &[(u64, u64)], what: Erasure) -> Result<()> {
        let active = self.active_first.load(Ordering::SeqCst);
        if ranges.iter().any(|(_, last)| *last >= active) {
            return Err(Error::configuration(
                "ranges",
                "a record to erase stands in the segment that is being written",
            ));
        }
        for (segment, end) in self.sealed()? {
            if overlaps(ranges, segment.first, end) {
                self.erase_in(&segment, ranges, what)?;
            }
        }
        Ok(())
    }

    fn purge(&mut self, before: u64) -> Result<u64> {
        for (segment, end) in self.sealed()? {
            if end > before {
                break;
            }
            self.keep_rotations(&segment)?;
            // Neither the compressed file that an interrupted erasure left must take the plain one's place again, nor
            // what it wrote anew stay.
            self.remove_compressed(&segment)?;
            self.remove_indexes(&segment)?;
            self.layout.remove(&self.new_of(&segment))?;
            self.layout.remove(&self.layout.segment(segment.first))?;
            self.layout.sync_folder(&self.layout.segments_folder())?;
        }
        Ok(self.layout.segments()?.first().map_or(0, |segment| segment.first))
    }
}

/// Written in one go.
const BUFFER: usize = 1024 * 1024;

/// As long as an announcement's record may be.
const PENDING_BYTES_MAX: u64 = 1024 * 1024;

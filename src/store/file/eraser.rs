//! Erasing, purging and compressing segment files. A segment is written anew beside the old one, synced, and takes its
//! name: at every moment it is whole.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::disk::Lock;
use super::layout::Layout;
use super::reading::{check_whole, is_compressed, open_compressed, open_lines};
use super::rewriting::NewSegment;
use crate::error::{Error, Result};
use crate::store::rewrite::{Rotations, erase_line, overlaps};
use crate::store::{Eraser, Erasure, LineEnd, Segment};

#[cfg(feature = "compress")]
use super::disk::How;
#[cfg(feature = "compress")]
use crate::store::Compressed;

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

    /// Writes one segment anew without what is erased. No copy is left behind that holds it still. A compressed one stays
    /// compressed: the disk may have no room for all of them unpacked.
    fn erase_in(&self, segment: &Segment, ranges: &[(u64, u64)], what: Erasure) -> Result<()> {
        let new = self.new_of(segment);
        let compressed = is_compressed(&segment.name);
        let rewrite = |out: &mut Vec<u8>, line: &[u8]| erase_line(out, line, ranges, what);
        let written = self.write_anew(segment, compressed, &rewrite).and_then(|changed| {
            if changed.is_some() {
                if compressed {
                    self.check_holds(&new, segment, &rewrite)?;
                }
                self.remove_indexes(segment)?;
                self.layout.rename(&new, &self.layout.path(&segment.name))?;
            } else {
                self.layout.remove(&new)?;
            }
            Ok(changed)
        });
        if written.inspect_err(|_| drop(self.layout.remove(&new)))?.is_some() {
            self.layout.sync_folder(&self.layout.segments_folder())?;
        }
        match compressed {
            true => Ok(()),
            false => self.remove_compressed(segment),
        }
    }

    /// Writes a segment to its new file, each line as `rewrite` appends it to what it is given, and makes it durable.
    /// Gives how many bytes the file has; `None` where `rewrite` changed no line.
    fn write_anew(&self, segment: &Segment, compressed: bool, rewrite: &Rewrite<'_>) -> Result<Option<u64>> {
        let mut new = NewSegment::create(self.layout.disk.as_ref(), &self.new_of(segment), compressed)?;
        let mut lines = open_lines(&self.layout, segment, 0)?;
        let (mut line, mut changed) = (Vec::new(), false);
        while let Some(raw) = lines.next_line()? {
            check_whole(segment, &raw)?;
            line.clear();
            changed |= rewrite(&mut line, raw.bytes);
            new.add(&line)?;
        }
        changed.then(|| new.end()).transpose()
    }

    /// Checks that a file that was compressed holds the lines of a segment, as `rewrite` leaves them, and nothing else:
    /// before there is no other that does.
    fn check_holds(&self, new: &Path, segment: &Segment, rewrite: &Rewrite<'_>) -> Result<()> {
        let mut packed = open_compressed(&self.layout, new, 0)?;
        let mut lines = open_lines(&self.layout, segment, 0)?;
        let mut expected = Vec::new();
        loop {
            expected.clear();
            let raw = lines.next_line()?;
            if let Some(raw) = &raw {
                check_whole(segment, raw)?;
                rewrite(&mut expected, raw.bytes);
            }
            let is_held = match packed.next_line()? {
                Some(packed) => packed.end == LineEnd::Whole && expected.strip_suffix(b"\n") == Some(packed.bytes),
                None => raw.is_none(),
            };
            if !is_held {
                let differs = io::Error::new(io::ErrorKind::InvalidData, "it does not unpack to what was packed");
                return Err(Error::io("compress", &self.layout.path(&segment.name), differs));
            }
            if raw.is_none() {
                return Ok(());
            }
        }
    }

    /// Compresses one segment, and gives how many bytes its file has then.
    ///
    /// The compressed file gets its name once it is whole, durable and shown to hold the same; the plain one counts
    /// until it is gone, and goes once the other's name is durable.
    #[cfg(feature = "compress")]
    fn compress_one(&self, segment: &Segment) -> Result<u64> {
        let new = self.new_of(segment);
        let as_it_is = |out: &mut Vec<u8>, line: &[u8]| {
            out.extend_from_slice(line);
            out.push(b'\n');
            true
        };
        let compressed = compressed_of(&self.layout.path(&segment.name));
        let named = self.write_anew(segment, true, &as_it_is).and_then(|bytes| {
            self.check_holds(&new, segment, &as_it_is)?;
            self.layout.rename(&new, &compressed)?;
            Ok(bytes.unwrap_or(0))
        });
        let bytes = named.inspect_err(|_| drop(self.layout.remove(&new)))?;
        let folder = self.layout.segments_folder();
        let synced = self.layout.sync_folder(&folder);
        synced.inspect_err(|_| drop(self.layout.remove(&compressed)))?;
        // Its offsets are those of the plain file.
        self.remove_indexes(segment)?;
        self.layout.remove(&self.layout.path(&segment.name))?;
        self.layout.sync_folder(&folder)?;
        Ok(bytes)
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

    /// Removes what recovery moved away, as far as it `goes` by its name: it was never acknowledged, and may hold what is
    /// erased, whole or torn.
    fn remove_recovered(&self, goes: impl Fn(&str) -> bool) -> Result<()> {
        let folder = self.layout.recovered_folder();
        let mut names = self.layout.list(&folder)?;
        names.retain(|name| goes(name) && !self.layout.disk.is_folder(&folder.join(name)));
        for name in &names {
            self.layout.remove(&folder.join(name))?;
        }
        match names.is_empty() {
            true => Ok(()),
            false => self.layout.sync_folder(&folder),
        }
    }

    /// Where a segment is written anew.
    fn new_of(&self, segment: &Segment) -> PathBuf {
        self.layout.segment(segment.first).with_extension("new")
    }

    /// Removes the compressed file of a segment, if there is one, durably.
    fn remove_compressed(&self, segment: &Segment) -> Result<()> {
        let compressed = compressed_of(&self.layout.segment(segment.first));
        if self.layout.remove_found(&compressed)? {
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
        self.remove_recovered(|_| true)?;
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
        let first = self.layout.segments()?.first().map_or(0, |segment| segment.first);
        // It goes with the records behind which it stood.
        self.remove_recovered(|name| recovered_at(name).is_some_and(|seq| seq < first))?;
        Ok(first)
    }

    #[cfg(feature = "compress")]
    fn compress(&mut self, before: u64) -> Result<Compressed> {
        let mut plain = self
            .sealed()?
            .into_iter()
            // The last segment is not compressed, sealed or not: an opening would have to unpack all of it.
            .filter(|(segment, end)| *end != u64::MAX && *end <= before && !is_compressed(&segment.name));
        let Some((segment, _)) = plain.next() else {
            return Ok(Compressed::default());
        };
        let path = self.layout.path(&segment.name);
        let file = self.layout.disk.open(&path, How::Read);
        let size = file.and_then(|file| file.size());
        Ok(Compressed {
            segments: 1,
            bytes_before: size.map_err(|error| Error::io("read", &path, error))?,
            bytes_after: self.compress_one(&segment)?,
        })
    }
}

/// Appends what becomes of a line with its LF, and tells whether it was changed.
type Rewrite<'a> = dyn Fn(&mut Vec<u8>, &[u8]) -> bool + 'a;

/// The record that the first of some moved bytes would have been, as the name of their file says.
fn recovered_at(name: &str) -> Option<u64> {
    name.split_once('-')?.0.parse().ok()
}

/// The compressed file of a plain segment.
fn compressed_of(plain: &Path) -> PathBuf {
    plain.with_extension("jsonl.zst")
}

/// As long as an announcement's record may be.
const PENDING_BYTES_MAX: u64 = 1024 * 1024;

//! Appending commits to segment files.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use super::disk::{DiskFile, How, Lock};
use super::layout::Layout;
use super::newest::Newest;
use super::position::{Position, PositionFile};
use super::reading::open_lines;
use super::recovery::{Tail, moved_is_announced};
use super::space::{Space, fill};
use crate::error::{Cause, Error, Result};
use crate::merkle::Tree;
use crate::note::Origin;
use crate::record::{Header, Line, Record};
use crate::store::{Commit, Head, Segment, Writer};
use crate::timestamp::Timestamp;

/// How segments are cut and prepared.
#[derive(Debug, Clone)]
pub(super) struct Options {
    pub(super) segment_size: u64,
    pub(super) segment_age: Option<Duration>,
    pub(super) space_ahead: bool,
}

/// The writer of a log directory.
#[derive(Debug)]
pub(super) struct FileWriter {
    layout: Layout,
    options: Options,
    origin: Origin,
    head: Option<Head>,
    active: Option<Active>,
    /// The first record of the segment that is being written, for the eraser: it must not touch that one.
    active_first: Arc<AtomicU64>,
    space: Option<Space>,
    position_file: Option<PositionFile>,
    /// Where the last commit begins, and how many bytes were written since that was saved.
    position: Option<Position>,
    unsaved_bytes: u64,
    failed: Option<Error>,
    /// For the readers of this process: what is durable.
    newest: Arc<Newest>,
    _lock: Arc<dyn Lock>,
}

/// The segment that is being written.
#[derive(Debug)]
struct Active {
    file: Box<dyn DiskFile>,
    first: u64,
    end: u64,
    size: u64,
    /// The space that it began with.
    space: u64,
    /// Whether the next segment's space was asked for. What fails is not asked for again: on a disk with less space than
    /// a segment, that would take all of it again and again.
    is_next_wanted: bool,
    /// How old it was when it became this writer's, and when that was.
    age_before: Duration,
    began: Instant,
}

impl Active {
    fn new(file: Box<dyn DiskFile>, first: u64, end: u64, size: u64) -> Self {
        Self {
            file,
            first,
            end,
            size,
            space: size - end,
            is_next_wanted: false,
            age_before: Duration::ZERO,
            began: Instant::now(),
        }
    }

    fn age(&self) -> Duration {
        self.age_before + self.began.elapsed()
    }

    fn path(&self, layout: &Layout) -> PathBuf {
        layout.segment(self.first)
    }
}

impl FileWriter {
    pub(super) fn new(
        layout: Layout,
        options: Options,
        origin: Origin,
        head: Option<Head>,
        tail: Option<Tail>,
        (newest, lock): (Arc<Newest>, Arc<dyn Lock>),
    ) -> Result<Self> {
        let position_file = PositionFile::open(&layout);
        let space = options
            .space_ahead
            .then(|| Space::new(Arc::clone(&layout.disk), layout.spare(), options.segment_size));
        let mut writer = Self {
            layout,
            options,
            origin,
            head,
            active: None,
            active_first: Arc::new(AtomicU64::new(u64::MAX)),
            space,
            position_file,
            position: None,
            // The first commit is saved, however far the cache lags.
            unsaved_bytes: POSITION_EVERY,
            failed: None,
            newest,
            _lock: lock,
        };
        writer.tell_newest();
        if let Some(tail) = tail {
            let path = writer.layout.path(&tail.segment.name);
            let size = writer.small_space(tail.file.as_ref(), &path, tail.end, tail.size)?;
            // Also for a cut that an opening before this one did not live to sync.
            tail.file.sync().map_err(|error| Error::io("sync", &path, error))?;
            let mut active = Active::new(tail.file, tail.segment.first, tail.end, size);
            if writer.options.segment_age.is_some() {
                active.age_before = age_of(&writer.layout, &tail.segment);
            }
            writer.set_active(active);
        }
        Ok(writer)
    }

    /// What the eraser must not touch: the segment from this record on.
    pub(super) fn active_first(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.active_first)
    }

    fn set_active(&mut self, active: Active) {
        self.active_first.store(active.first, Ordering::SeqCst);
        self.active = Some(active);
    }

    /// Writes a little space ahead where there is none, and gives the file's size. Larger space comes with a prepared
    /// file: zeros in the active file would be part of its next sync.
    fn small_space(&self, file: &dyn DiskFile, path: &Path, end: u64, size: u64) -> Result<u64> {
        let wanted = (end + SMALL_SPACE).min(self.options.segment_size);
        if !self.options.space_ahead || size >= wanted {
            return Ok(size);
        }
        match fill(file, size.max(end), wanted, || false) {
            Ok(_) => Ok(wanted),
            // Go on without.
            Err(error) if matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded) => {
                let cut = file.set_size(size);
                cut.map(|()| size).map_err(|error| Error::io("truncate", path, error))
            }
            Err(error) => Err(Error::io("write", path, error)),
        }
    }

    fn must_begin_segment(&self, bytes: u64) -> bool {
        let Some(active) = &self.active else { return true };
        let end = active.end + bytes;
        let has_commits = self.head.as_ref().is_some_and(|head| head.tree.size() > active.first);
        has_commits
            && (end > self.options.segment_size
                || self.options.segment_age.is_some_and(|age| active.age() >= age)
                || (end > active.size && self.space.as_ref().is_some_and(Space::is_ready)))
    }

    /// Begins the next segment. It has its name only once its header is durable.
    fn begin_segment(&mut self, before: &Tree) -> Result<()> {
        self.end_segment()?;
        let spare = self.layout.spare();
        if let Some(prepared) = self.space.as_ref().and_then(Space::take) {
            self.name_segment(prepared, &spare, before)?;
            // At once: in a flood this one is full before the next one could be prepared in its second half.
            self.want_next();
            return Ok(());
        }
        // The thread may be at work on the spare.
        let new = self.layout.segment(before.size()).with_extension("new");
        let file = self
            .layout
            .disk
            .open(&new, How::Create)
            .map_err(|error| Error::io("create", &new, error))?;
        self.name_segment(file, &new, before)
    }

    fn name_segment(&mut self, file: Box<dyn DiskFile>, path: &Path, before: &Tree) -> Result<()> {
        let header = Header {
            first: before.size(),
            origin: self.origin.as_str().to_owned(),
            peaks: before.peaks().to_vec(),
        };
        let mut line = Vec::new();
        header.write(&mut line);
        file.write_all_at(&line, 0)
            .map_err(|error| Error::io("write", path, error))?;
        let end = line.len() as u64;
        let size = file.size().map_err(|error| Error::io("read", path, error))?;
        let size = self.small_space(file.as_ref(), path, end, size)?;
        file.sync().map_err(|error| Error::io("sync", path, error))?;
        self.layout.rename(path, &self.layout.segment(header.first))?;
        self.layout.sync_folder(&self.layout.segments_folder())?;
        self.set_active(Active::new(file, header.first, end, size));
        Ok(())
    }

    fn want_next(&mut self) {
        if let (Some(space), Some(active)) = (&mut self.space, &mut self.active)
            && !std::mem::replace(&mut active.is_next_wanted, true)
            && !space.is_ready()
        {
            space.want();
        }
    }

    /// Cuts off the space ahead, durably, before anything follows the segment.
    fn end_segment(&mut self) -> Result<()> {
        if let Some(active) = self.active.take() {
            let path = active.path(&self.layout);
            if active.size != active.end {
                active
                    .file
                    .set_size(active.end)
                    .map_err(|error| Error::io("truncate", &path, error))?;
                active.file.sync().map_err(|error| Error::io("sync", &path, error))?;
            }
            self.active_first.store(u64::MAX, Ordering::SeqCst);
        }
        Ok(())
    }

    fn write(&mut self, commit: &Commit<'_>) -> Result<()> {
        let length = commit.bytes.len() as u64;
        if self.must_begin_segment(length) {
            self.begin_segment(commit.before)?;
        }
        let Some(active) = &mut self.active else {
            return Err(Cause::Closed.into());
        };
        let start = active.end;
        if let Err(error) = active.file.write_all_at(commit.bytes, start) {
            return Err(Error::io("write", &active.path(&self.layout), error));
        }
        if let Err(error) = active.file.sync() {
            return Err(Error::io("sync", &active.path(&self.layout), error));
        }
        active.end += length;
        active.size = active.size.max(active.end);
        let (segment, is_half_full) = (active.first, active.size - active.end < active.space / 2);
        if is_half_full {
            self.want_next();
        }
        self.advance_head(commit);
        self.tell_newest();
        self.advance_position(segment, start, commit);
        Ok(())
    }

    fn advance_head(&mut self, commit: &Commit<'_>) {
        let lines = commit
            .bytes
            .get(..commit.bytes.len().saturating_sub(1))
            .unwrap_or_default();
        let records = lines
            .get(..memchr::memrchr(b'\n', lines).unwrap_or(0))
            .unwrap_or_default();
        let last_line = match memchr::memrchr(b'\n', records) {
            Some(end) => records.get(end + 1..).unwrap_or_default(),
            None => records,
        };
        match &mut self.head {
            Some(head) => {
                head.tree.clone_from(commit.after);
                head.last = commit.last();
                head.last_line.clear();
                head.last_line.extend_from_slice(last_line);
                head.checkpoint = commit.checkpoint.clone();
            }
            None => {
                self.head = Some(Head {
                    tree: commit.after.clone(),
                    last: commit.last(),
                    last_line: last_line.to_vec(),
                    checkpoint: commit.checkpoint.clone(),
                });
            }
        }
    }

    fn advance_position(&mut self, segment: u64, start: u64, commit: &Commit<'_>) {
        self.unsaved_bytes += commit.bytes.len() as u64;
        match &mut self.position {
            Some(position) => {
                position.segment = segment;
                position.offset = start;
                position.tree.clone_from(commit.before);
                position.prev = Some(*commit.prev);
            }
            None => {
                let (tree, prev) = (commit.before.clone(), Some(*commit.prev));
                self.position = Some(Position {
                    segment,
                    offset: start,
                    tree,
                    prev,
                });
            }
        }
        if self.unsaved_bytes >= POSITION_EVERY {
            self.save_position();
        }
    }

    fn save_position(&mut self) {
        if let Some(position) = &self.position {
            if let Some(file) = &self.position_file {
                file.save(position);
            }
            self.unsaved_bytes = 0;
        }
    }

    fn tell_newest(&self) {
        self.newest.set_written(self.head.as_ref().map(|head| &head.checkpoint));
    }

    /// Runs a step that poisons the writer if it fails.
    fn guarded<T>(&mut self, step: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        step(self).inspect_err(|error| self.failed = Some(error.clone()))
    }
}

impl Writer for FileWriter {
    fn append(&mut self, commit: &Commit<'_>) -> Result<()> {
        if self.failed.is_none() {
            commit.check_continues(self.head.as_ref())?;
        }
        self.guarded(|writer| writer.write(commit))
    }

    fn seal(&mut self) -> Result<()> {
        self.guarded(Self::end_segment)
    }

    fn moved_is_announced(&mut self) -> Result<()> {
        self.guarded(|writer| moved_is_announced(&writer.layout))
    }

    fn close(&mut self) -> Result<()> {
        self.space = None;
        self.guarded(|writer| {
            writer.end_segment()?;
            writer.save_position();
            Ok(())
        })?;
        self.failed = Some(Cause::Closed.into());
        Ok(())
    }
}

impl Drop for FileWriter {
    fn drop(&mut self) {
        // Before the lock is let go: then another process may write.
        self.newest.set_written(None);
    }
}

/// How long ago the first record of a segment was taken that still says so; nothing where that cannot be told.
fn age_of(layout: &Layout, segment: &Segment) -> Duration {
    let first_recorded_at = || -> Option<Timestamp> {
        let mut lines = open_lines(layout, segment, 0).ok()?;
        loop {
            let raw = lines.next_line().ok()??;
            if let Ok(Line::Record(_)) = Line::parse(raw.bytes) {
                return Record::from_line(raw.bytes).ok()?.recorded_at();
            }
        }
    };
    let now = Timestamp::from(SystemTime::now());
    let age = first_recorded_at().map_or(0, |began| now.unix_micros() - began.unix_micros());
    Duration::from_micros(age.try_into().unwrap_or(0))
}

/// Space written into a file that has none, before anything is appended to it.
const SMALL_SPACE: u64 = 1024 * 1024;

/// How far the position cache may lag the head, in bytes.
const POSITION_EVERY: u64 = 512 * 1024;

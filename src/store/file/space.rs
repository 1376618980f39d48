//! Space written ahead (FORMAT §5): the next segment's file, filled with zeros in the background, so that a sync of the
//! active one need not update metadata.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use super::disk::{Disk, DiskFile, How};

#[cfg(test)]
mod tests;

/// A thread that prepares one file at a time.
#[derive(Debug)]
pub(super) struct Space {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    size: u64,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    wanted: bool,
    ready: Option<Box<dyn DiskFile>>,
    stop: bool,
}

impl Space {
    /// Prepares files of `size` bytes, or of [`SPACE_MAX`], at `path` when they are wanted.
    pub(super) fn new(disk: Arc<dyn Disk>, path: PathBuf, size: u64) -> Self {
        let shared = Arc::new(Shared {
            disk,
            path,
            size: size.min(SPACE_MAX),
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        Self { shared, thread: None }
    }

    /// Asks for the next file. Costs nothing where it is under way already; without a thread to be had there is no
    /// space ahead.
    pub(super) fn want(&mut self) {
        self.shared.state().wanted = true;
        self.shared.changed.notify_one();
        if self.thread.is_none() {
            let shared = Arc::clone(&self.shared);
            let spawned = std::thread::Builder::new()
                .name("indelible-space".into())
                .spawn(move || shared.run());
            self.thread = spawned.ok();
        }
    }

    pub(super) fn is_ready(&self) -> bool {
        self.shared.state().ready.is_some()
    }

    /// The prepared file, which is now the caller's to rename. Until it wants the next one, nothing is made in its
    /// place.
    pub(super) fn take(&self) -> Option<Box<dyn DiskFile>> {
        let mut state = self.shared.state();
        let ready = state.ready.take()?;
        state.wanted = false;
        Some(ready)
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        {
            let mut state = self.shared.state();
            state.stop = true;
        }
        self.shared.changed.notify_one();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
            if self.is_ready() {
                let _ = self.shared.disk.remove(&self.shared.path);
            }
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) {
        loop {
            let mut state = self.state();
            while !state.stop && (!state.wanted || state.ready.is_some()) {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            if state.stop {
                return;
            }
            state.wanted = false;
            drop(state);
            match self.prepare() {
                Ok(Some(file)) => self.state().ready = Some(file),
                // Stopped, or no space on the disk: the writer goes on without, and asks again in the next segment.
                Ok(None) | Err(_) => {
                    let _ = self.disk.remove(&self.path);
                }
            }
        }
    }

    fn prepare(&self) -> io::Result<Option<Box<dyn DiskFile>>> {
        let file = self.disk.open(&self.path, How::Create)?;
        if !fill(file.as_ref(), 0, self.size, || self.state().stop)? {
            return Ok(None);
        }
        file.sync()?;
        Ok(Some(file))
    }
}

/// Fills a file with zeros from `start` to `end`. It is not synced. False where it was told to stop.
pub(super) fn fill(file: &dyn DiskFile, start: u64, end: u64, stop: impl Fn() -> bool) -> io::Result<bool> {
    let zeros = vec![0; CHUNK];
    let mut at = start;
    while at < end {
        if stop() {
            return Ok(false);
        }
        let count = usize::try_from(end - at).unwrap_or(CHUNK).min(CHUNK);
        file.write_all_at(&zeros[..count], at)?;
        at += count as u64;
    }
    Ok(true)
}

/// The most space that is prepared, whatever the size of a segment.
pub(super) const SPACE_MAX: u64 = 1024 * 1024 * 1024;

const CHUNK: usize = 1024 * 1024;

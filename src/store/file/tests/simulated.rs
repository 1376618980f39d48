//! A disk that forgets what was not synced, and fails where it is told to.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::store::file::disk::{Disk, DiskFile, How, Lock};

/// A disk in memory: what programs see, and what a crash would leave.
#[derive(Debug, Clone)]
pub(super) struct SimulatedDisk {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    files: Vec<Content>,
    /// What programs see.
    names: BTreeMap<PathBuf, usize>,
    /// What is on the disk.
    durable_names: BTreeMap<PathBuf, usize>,
    /// Changes of names that are not synced, in order.
    unsynced_names: Vec<NameChange>,
    locked: BTreeSet<PathBuf>,
    /// Calls that change something, so far.
    calls: u64,
    plan: Plan,
    down: bool,
    /// How many bytes the files may have in all.
    space: Option<u64>,
    /// The names of files that were made, in order.
    made: Vec<PathBuf>,
    failed_syncs: usize,
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Plan {
    #[default]
    Nothing,
    /// The machine stops before this call.
    StopAt(u64),
    /// This call fails, and has no effect.
    FailAt(u64),
    /// This sync fails; the pages then look clean, though the disk does not have them.
    LoseAt(u64),
}

#[derive(Debug, Clone, Default)]
struct Content {
    seen: Vec<u8>,
    durable: Vec<u8>,
    /// Pages that were written and not synced.
    dirty: BTreeSet<usize>,
}

#[derive(Debug, Clone)]
struct NameChange {
    folder: PathBuf,
    removed: Option<PathBuf>,
    added: Option<(PathBuf, usize)>,
}

impl SimulatedDisk {
    pub(super) fn new() -> Self {
        Self { state: Arc::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn plan(&self, plan: Plan) {
        self.state().plan = plan;
    }

    pub(super) fn set_space_left(&self, bytes: Option<u64>) {
        let mut state = self.state();
        state.space = bytes.map(|bytes| state.used() + bytes);
    }

    /// How often a file of this name was made.
    pub(super) fn times_made(&self, path: impl AsRef<Path>) -> usize {
        self.state().made.iter().filter(|made| *made == path.as_ref()).count()
    }

    /// Calls so far that change something.
    pub(super) fn calls(&self) -> u64 {
        self.state().calls
    }

    /// How many syncs of files failed as planned.
    pub(super) fn failed_syncs(&self) -> usize {
        self.state().failed_syncs
    }

    /// The disk after a loss of power: of what was not synced, `choose` says for each page and each change of a name
    /// whether it is there.
    pub(super) fn after_power_loss(&self, mut choose: impl FnMut() -> bool) -> Self {
        let state = self.state();
        let mut after = State::default();
        after.durable_names.clone_from(&state.durable_names);
        for change in &state.unsynced_names {
            if choose() {
                change.apply(&mut after.durable_names);
            }
        }
        // A name in a folder that is gone is gone.
        let names = &mut after.durable_names;
        while let Some(lost) = names.keys().find(|path| !has_folder(names, path)).cloned() {
            names.remove(&lost);
        }
        after.names.clone_from(&after.durable_names);
        after.files = state
            .files
            .iter()
            .map(|content| content.after_power_loss(&mut choose))
            .collect();
        Self {
            state: Arc::new(Mutex::new(after)),
        }
    }

    /// The disk after the process was killed: all that was written is there.
    pub(super) fn after_kill(&self) -> Self {
        let state = self.state();
        let files = state.files.clone();
        let (names, durable_names) = (state.names.clone(), state.durable_names.clone());
        let unsynced_names = state.unsynced_names.clone();
        let after = State {
            files,
            names,
            durable_names,
            unsynced_names,
            ..State::default()
        };
        Self {
            state: Arc::new(Mutex::new(after)),
        }
    }
}

impl Content {
    fn write(&mut self, bytes: &[u8], offset: usize) {
        let end = offset + bytes.len();
        if self.seen.len() < end {
            self.dirty.extend(self.seen.len() / PAGE..=end / PAGE);
            self.seen.resize(end, 0);
        }
        self.seen[offset..end].copy_from_slice(bytes);
        self.dirty.extend(offset / PAGE..=end.saturating_sub(1) / PAGE);
    }

    fn sync(&mut self) {
        for page in std::mem::take(&mut self.dirty) {
            self.take_page(page);
        }
        self.durable.resize(self.seen.len(), 0);
    }

    fn take_page(&mut self, page: usize) {
        let start = page * PAGE;
        let end = (start + PAGE).min(self.seen.len());
        if start < end {
            if self.durable.len() < end {
                self.durable.resize(end, 0);
            }
            self.durable[start..end].copy_from_slice(&self.seen[start..end]);
        }
    }

    fn after_power_loss(&self, choose: &mut impl FnMut() -> bool) -> Self {
        let mut after = self.clone();
        for page in &self.dirty {
            if choose() {
                after.take_page(*page);
            }
        }
        if self.durable.len() > self.seen.len() && choose() {
            after.durable.truncate(self.seen.len());
        }
        after.dirty.clear();
        after.seen.clone_from(&after.durable);
        after
    }
}

impl NameChange {
    fn apply(&self, names: &mut BTreeMap<PathBuf, usize>) {
        if let Some(removed) = &self.removed {
            names.remove(removed);
        }
        if let Some((added, file)) = &self.added {
            names.insert(added.clone(), *file);
        }
    }
}

/// Whether the folder that a path is in is there.
fn has_folder(names: &BTreeMap<PathBuf, usize>, path: &Path) -> bool {
    let folder = path.parent().expect("a folder");
    folder == Path::new("") || names.contains_key(folder)
}

impl State {
    /// How many bytes the files have that have a name.
    fn used(&self) -> u64 {
        self.names
            .values()
            .map(|file| self.files[*file].seen.len() as u64)
            .sum()
    }

    /// Makes an empty file, or what stands for a folder.
    fn make(&mut self, path: &Path) -> io::Result<usize> {
        if !has_folder(&self.names, path) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let file = self.files.len();
        self.files.push(Content::default());
        self.change_names(None, Some((path, file)));
        Ok(file)
    }

    /// Counts a call that changes something, and fails it if it is to fail. `Some` is the plan that strikes here.
    fn call(&mut self) -> io::Result<Option<Plan>> {
        if self.down {
            return Err(io::Error::other("the machine is down"));
        }
        let call = self.calls;
        self.calls += 1;
        match self.plan {
            Plan::StopAt(at) if call == at => {
                self.down = true;
                Err(io::Error::other("the machine goes down"))
            }
            Plan::FailAt(at) if call == at => Err(io::Error::other("injected failure")),
            Plan::LoseAt(at) if call == at => Ok(Some(self.plan)),
            _ => Ok(None),
        }
    }

    fn change_names(&mut self, removed: Option<&Path>, added: Option<(&Path, usize)>) {
        let path = added.map(|(path, _)| path).or(removed).expect("a name");
        let change = NameChange {
            folder: path.parent().expect("a folder").to_owned(),
            removed: removed.map(Path::to_owned),
            added: added.map(|(path, file)| (path.to_owned(), file)),
        };
        change.apply(&mut self.names);
        self.unsynced_names.push(change);
    }
}

impl Disk for SimulatedDisk {
    fn open(&self, path: &Path, how: How) -> io::Result<Box<dyn DiskFile>> {
        let mut state = self.state();
        let known = state.names.get(path).copied();
        let file = match (how, known) {
            (How::Read | How::Write, Some(file)) => file,
            (How::Read | How::Write, None) => return Err(io::ErrorKind::NotFound.into()),
            (How::Keep, Some(file)) => file,
            (How::Create, Some(file)) => {
                state.call()?;
                state.made.push(path.to_owned());
                state.files[file].seen.clear();
                file
            }
            (How::Keep | How::Create, None) => {
                state.call()?;
                state.made.push(path.to_owned());
                state.make(path)?
            }
        };
        Ok(Box::new(SimulatedFile {
            disk: self.clone(),
            file,
        }))
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        let state = self.state();
        let names = state.names.keys().filter(|path| path.parent() == Some(folder));
        Ok(names
            .map(|path| path.file_name().expect("a name").to_str().expect("UTF-8").to_owned())
            .collect())
    }

    fn is_folder(&self, path: &Path) -> bool {
        self.state().names.contains_key(path)
    }

    fn create_folder(&self, folder: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.call()?;
        if !state.names.contains_key(folder) {
            state.make(folder)?;
        }
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.call()?;
        let file = *state.names.get(from).ok_or(io::ErrorKind::NotFound)?;
        state.change_names(Some(from), Some((to, file)));
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.call()?;
        if !state.names.contains_key(path) {
            return Err(io::ErrorKind::NotFound.into());
        }
        state.change_names(Some(path), None);
        Ok(())
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.call()?;
        let folder = if folder == Path::new(".") {
            Path::new("")
        } else {
            folder
        };
        if folder != Path::new("") && !state.names.contains_key(folder) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let changes = std::mem::take(&mut state.unsynced_names);
        let (synced, rest): (Vec<_>, Vec<_>) = changes.into_iter().partition(|change| change.folder == folder);
        synced.iter().for_each(|change| change.apply(&mut state.durable_names));
        state.unsynced_names = rest;
        Ok(())
    }

    fn lock(&self, path: &Path) -> io::Result<Result<Box<dyn Lock>, Option<u32>>> {
        let mut state = self.state();
        if !state.locked.insert(path.to_owned()) {
            return Ok(Err(Some(1)));
        }
        Ok(Ok(Box::new(SimulatedLock {
            disk: self.clone(),
            path: path.to_owned(),
        })))
    }

    fn is_locked(&self, path: &Path) -> io::Result<bool> {
        Ok(self.state().locked.contains(path))
    }

    fn takes_caches(&self) -> bool {
        false
    }
}

#[derive(Debug)]
struct SimulatedFile {
    disk: SimulatedDisk,
    file: usize,
}

impl DiskFile for SimulatedFile {
    fn size(&self) -> io::Result<u64> {
        Ok(self.disk.state().files[self.file].seen.len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let state = self.disk.state();
        let seen = &state.files[self.file].seen;
        let rest = seen.get(usize::try_from(offset).expect("small")..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut state = self.disk.state();
        state.call()?;
        let offset = usize::try_from(offset).expect("small");
        let grown = (offset + bytes.len()).saturating_sub(state.files[self.file].seen.len()) as u64;
        let left = state.space.map_or(u64::MAX, |space| space.saturating_sub(state.used()));
        if left < grown {
            // As a real disk: what fits is written.
            let fits = bytes.len() - usize::try_from(grown - left).expect("small");
            state.files[self.file].write(&bytes[..fits], offset);
            return Err(io::ErrorKind::StorageFull.into());
        }
        state.files[self.file].write(bytes, offset);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.disk.state();
        if state.call()?.is_some() {
            state.files[self.file].dirty.clear();
            state.failed_syncs += 1;
            return Err(io::Error::other("injected failure of a sync"));
        }
        state.files[self.file].sync();
        Ok(())
    }

    fn set_size(&self, size: u64) -> io::Result<()> {
        let mut state = self.disk.state();
        state.call()?;
        let content = &mut state.files[self.file];
        let size = usize::try_from(size).expect("small");
        content.seen.resize(size, 0);
        if let Some(page) = size.checked_sub(1) {
            content.dirty.insert(page / PAGE);
        }
        Ok(())
    }
}

#[derive(Debug)]
struct SimulatedLock {
    disk: SimulatedDisk,
    path: PathBuf,
}

impl Lock for SimulatedLock {}

impl Drop for SimulatedLock {
    fn drop(&mut self) {
        self.disk.state().locked.remove(&self.path);
    }
}

/// Smaller than a real one, so that small logs have many, and that of a header is not that of the commit behind it.
const PAGE: usize = 256;

//! What a folder holds, listed anew only once it changed: who asks a log again and again lists its segments once.

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

/// What was made of the names in a folder, and the folder as it was then.
#[derive(Debug, Default)]
pub(crate) struct Listing<T>(Mutex<Option<(State, T)>>);

impl<T: Clone> Listing<T> {
    /// What was listed when the folder was in this state, or what is listed now. The state is looked at before.
    pub(crate) fn get<E>(&self, state: Option<State>, list: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        let Some(state) = state else { return list() };
        let known = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, listed)) = known().as_ref().filter(|(known, _)| *known == state) {
            return Ok(listed.clone());
        }
        let listed = list()?;
        *known() = Some((state, listed.clone()));
        Ok(listed)
    }
}

/// Which folder it is, and when it changed last (`ctime`, which nobody sets but the kernel).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct State {
    device: u64,
    inode: u64,
    changed: (i64, i64),
}

impl State {
    /// That of a folder now; `None` where it cannot be told, or the folder changed so lately that the next change may
    /// get the same time.
    pub(crate) fn of(folder: &Path) -> Option<Self> {
        // It is opened, since that is when a network file system asks its server for changes.
        let folder = File::open(folder).ok()?.metadata().ok()?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
        let age = i64::try_from(now.as_secs()).ok()?.checked_sub(folder.ctime())?;
        (age > SETTLED_SECONDS).then_some(Self {
            device: folder.dev(),
            inode: folder.ino(),
            changed: (folder.ctime(), folder.ctime_nsec()),
        })
    }
}

/// No file system's times are coarser.
const SETTLED_SECONDS: i64 = 2;

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_folder_is_listed_anew_once_it_changed() {
        let folder = tempfile::tempdir().expect("a folder");
        let listing = Listing::default();
        let names = || -> Vec<String> {
            let entries = fs::read_dir(folder.path()).expect("a folder");
            let names = entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"));
            names.collect()
        };
        let mut lists = 0;
        let get = |lists: &mut u32| -> Vec<String> {
            let list = || -> Result<_, ()> {
                *lists += 1;
                Ok(names())
            };
            listing.get(State::of(folder.path()), list).expect("listed")
        };
        fs::write(folder.path().join("one"), "").expect("written");
        // As long as it is new, nothing is kept.
        assert_eq!((get(&mut lists), get(&mut lists)), (names(), names()));
        assert_eq!(lists, 2);
        std::thread::sleep(Duration::from_secs(4));
        assert_eq!((get(&mut lists), get(&mut lists)), (names(), names()));
        assert_eq!(lists, 3);
        fs::rename(folder.path().join("one"), folder.path().join("other")).expect("renamed");
        assert_eq!(get(&mut lists), ["other"]);
        fs::remove_file(folder.path().join("other")).expect("removed");
        assert_eq!(get(&mut lists), [""; 0]);
        assert_eq!(lists, 5);
    }
}

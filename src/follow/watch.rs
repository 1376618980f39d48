//! Waiting until another process writes to a log.
//!
//! With the feature `watch`, Linux tells it, and the log is looked at no more than once a second meanwhile. Else it is looked
//! at twenty times a second, as it is where a store has no folder.

use std::time::Duration;

#[cfg(all(feature = "watch", target_os = "linux"))]
use super::folder;
use crate::store::Store;

/// What is waited for.
#[derive(Debug)]
pub(super) enum Watch {
    #[cfg(all(feature = "watch", target_os = "linux"))]
    Folder(folder::Watched),
    /// Nobody tells.
    Time,
}

impl Watch {
    /// That of a log's segments, from now on.
    pub(super) fn of(store: &dyn Store) -> Self {
        #[cfg(all(feature = "watch", target_os = "linux"))]
        if let Some(watched) = store.folder().and_then(|folder| folder::watch(&folder).ok()) {
            return Self::Folder(watched);
        }
        let _ = store;
        Self::Time
    }

    /// Waits until there may be something new, at most so long, and tells whether there may be.
    pub(super) fn wait(&self, limit: Duration) -> bool {
        #[cfg(all(feature = "watch", target_os = "linux"))]
        if let Self::Folder(watched) = self
            && let Ok(may_be_new) = watched.wait(limit)
        {
            return may_be_new;
        }
        std::thread::sleep(limit.min(LOOK_EVERY));
        true
    }
}

const LOOK_EVERY: Duration = Duration::from_millis(50);

//! The folder of a log's segments, watched by the kernel (inotify).

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};

/// A folder that is watched.
#[derive(Debug)]
pub(super) struct Watched(OwnedFd);

pub(super) fn watch(folder: &Path) -> io::Result<Watched> {
    let watched = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
    let flags = WatchFlags::MODIFY | WatchFlags::CREATE | WatchFlags::MOVED_TO | WatchFlags::ONLYDIR;
    inotify::add_watch(&watched, folder.join("segments"), flags)?;
    Ok(Watched(watched))
}

impl Watched {
    /// Waits until something is written in it, at most so long, and tells whether something was.
    pub(super) fn wait(&self, limit: Duration) -> io::Result<bool> {
        let mut waited = [PollFd::new(&self.0, PollFlags::IN)];
        let limit = Timespec::try_from(limit.min(LIMIT_MAX)).map_err(io::Error::other)?;
        match poll(&mut waited, Some(&limit)) {
            // It is asked again.
            Err(rustix::io::Errno::INTR) | Ok(0) => return Ok(false),
            Err(error) => return Err(error.into()),
            Ok(_) => {}
        }
        let mut events = [0; 4096];
        loop {
            match rustix::io::read(&self.0, &mut events) {
                Ok(length) if length == events.len() => {}
                Ok(_) | Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => return Ok(true),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

const LIMIT_MAX: Duration = Duration::from_secs(3600);

//! The log itself, as a host opens it.

use std::path::Path;
use std::time::Duration;

use indelible::{AuditLog, FileStore};

use crate::events::ORIGIN;
use crate::folder::Folder;

/// A log on disk with a key file and the checkpoint beside it, all as they are unless told otherwise.
pub fn open(folder: &Folder, name: &str) -> AuditLog {
    open_in(folder.path(), name)
}

/// The same in any folder.
pub fn open_in(folder: &Path, name: &str) -> AuditLog {
    let builder = AuditLog::builder(ORIGIN).key_file(folder.join(format!("{name}.key")));
    builder.open(FileStore::new(folder.join(name))).expect("open a log")
}

/// Closes it.
pub fn close(log: &AuditLog) {
    log.close(Duration::from_secs(60)).expect("close a log");
}

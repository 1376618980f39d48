//! Compressing sealed segments, beside the writer.

use std::time::Duration;

use super::AuditLog;
use super::work::check_not_at_work;
use crate::error::Result;
use crate::store::Compressed;

impl AuditLog {
    /// Compresses the segments that lie wholly before the record `before`, oldest first, but for the newest one; with
    /// `u64::MAX`, all that are not written to any more. Gives how many it compressed, and their bytes before and after.
    /// What is compressed already is left alone: where nothing is to be done, the three are 0.
    ///
    /// Nothing changes but the space that the log takes: reading, verification, erasure and purge work on compressed
    /// segments as on others, and a record is read without unpacking more than a small part of its segment. Appends go
    /// on meanwhile. An erasure, a purge and the end of the log wait for the segment that is being compressed, which
    /// takes as many bytes more on the disk until it is done. This blocks: call it on a thread of your own, in an async
    /// host on one for blocking work.
    ///
    /// Only builds with the feature `compress` read the log then. A [`MemoryStore`](crate::MemoryStore) compresses
    /// nothing.
    ///
    /// ```
    /// use indelible::{Actor, AuditLog, Event, FileStore, SigningKey, action};
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let folder = folder.path();
    /// let log = AuditLog::builder("auth.example.com/audit")
    ///     .key_file(folder.join("audit.key"))
    ///     .open(FileStore::new(folder.join("audit")).segment_size(64 * 1024))?;
    /// for number in 0..200 {
    ///     log.append(Event::new(action::AUTH_LOGIN_SUCCEEDED).actor(Actor::user(format!("usr_{number}"))))?;
    /// }
    /// let compressed = log.compress(u64::MAX)?;
    /// assert!(compressed.segments > 0);
    /// assert!(compressed.bytes_after < compressed.bytes_before);
    /// assert!(log.verify()?.is_sound());
    /// # log.close(std::time::Duration::from_secs(5))?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Cause::Io`](crate::Cause::Io) where a file cannot be read or written, for want of space say, and
    /// [`Cause::Damaged`](crate::Cause::Damaged) where a segment is not what it should be: that segment then stays as it
    /// is, and the log goes on. What the log says once it has ended, also where it ends meanwhile.
    /// [`Cause::Configuration`](crate::Cause::Configuration) where a signer, a store, a clock or a waker calls it while
    /// the log waits for that. What was compressed before the error stays so.
    pub fn compress(&self, before: u64) -> Result<Compressed> {
        let shared = self.shared();
        check_not_at_work(shared, "compress")?;
        let mut all = Compressed::default();
        loop {
            let one = shared.with_eraser(|eraser| {
                shared.resume_first(eraser);
                match shared.is_closing() {
                    true => Err(shared.ended()),
                    false => eraser.compress(before),
                }
            })?;
            if one.segments == 0 {
                return Ok(all);
            }
            all.segments += one.segments;
            all.bytes_before += one.bytes_before;
            all.bytes_after += one.bytes_after;
            // Who waits for the eraser gets it now.
            std::thread::sleep(PAUSE);
        }
    }
}

/// Between two segments: a thread that waits for a lock is not handed it, it must have the time to take it.
const PAUSE: Duration = Duration::from_millis(1);

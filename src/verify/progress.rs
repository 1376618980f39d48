use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// How far a verification is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// Records read.
    pub records: u64,
    /// How many there are, where the store says it: by its newest checkpoint, which is not verified yet.
    pub records_total: Option<u64>,
    /// Bytes of lines read.
    pub bytes: u64,
}

/// What is called with it.
pub(super) type Callback = Arc<dyn Fn(Progress) + Send + Sync>;

/// Counts what all threads read, and tells it now and then.
pub(super) struct Meter<'a> {
    callback: Option<&'a Callback>,
    records_total: Option<u64>,
    records: AtomicU64,
    bytes: AtomicU64,
    /// From how many bytes on it is told again.
    next: Mutex<u64>,
}

impl<'a> Meter<'a> {
    pub(super) fn new(callback: Option<&'a Callback>, records_total: Option<u64>) -> Self {
        Self {
            callback,
            records_total,
            records: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            next: Mutex::new(0),
        }
    }

    pub(super) fn add(&self, records: u64, bytes: u64) {
        let records = self.records.fetch_add(records, Ordering::Relaxed) + records;
        let bytes = self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        // One thread tells it; the others do not wait for that.
        if let (Some(callback), Ok(mut next)) = (self.callback, self.next.try_lock())
            && bytes >= *next
        {
            *next = bytes + TOLD_EVERY;
            callback(Progress {
                records,
                records_total: self.records_total,
                bytes,
            });
        }
    }
}

/// Bytes: some hundred times a second at most.
const TOLD_EVERY: u64 = 4 * 1024 * 1024;

/// A thread counts on its own for so many bytes.
pub(super) const COUNTED_EVERY: u64 = 1024 * 1024;

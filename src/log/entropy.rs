//! Random bytes for salts and ids: one system call for about 150 events.

use std::cell::RefCell;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use uuid::{Builder, Uuid};

use crate::error::{Error, Result};

/// The random bytes of one log.
///
/// What a thread has in stock is given only to logs that were opened before it was fetched. So a process that was
/// forked off, which opens a log of its own, never gives out what its parent does.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entropy {
    /// The log's number among those that this process opened, from 1.
    log: u64,
}

impl Entropy {
    /// For a log that is being opened.
    pub(super) fn new() -> Self {
        Self {
            log: OPENED.fetch_add(1, Ordering::Relaxed) + 1,
        }
    }

    /// `N` random bytes from the operating system. Those that were given out are wiped.
    pub(super) fn random<const N: usize>(self) -> Result<[u8; N]> {
        const { assert!(N <= STOCK) };
        let mut random = [0; N];
        let stocked = STOCK_OF_THREAD.try_with(|stock| stock.borrow_mut().take(self.log, &mut random));
        // A thread that ends has no stock any more.
        stocked.unwrap_or_else(|_| fetch(&mut random))?;
        Ok(random)
    }

    /// A UUIDv7 (RFC 9562 §5.7) of this time.
    pub(super) fn uuid(self, now: SystemTime) -> Result<Uuid> {
        let millis = now
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or(Duration::ZERO)
            .as_millis();
        let millis = u64::try_from(millis).unwrap_or(u64::MAX);
        Ok(Builder::from_unix_timestamp_millis(millis, &self.random()?).into_uuid())
    }
}

/// Random bytes that a thread has fetched.
struct Stock {
    bytes: [u8; STOCK],
    left: usize,
    /// How many logs were opened before.
    opened: u64,
}

impl Stock {
    fn take(&mut self, log: u64, random: &mut [u8]) -> Result<()> {
        if self.left < random.len() || self.opened < log {
            let opened = OPENED.load(Ordering::Relaxed);
            fetch(&mut self.bytes)?;
            (self.left, self.opened) = (STOCK, opened);
        }
        self.left -= random.len();
        let taken = &mut self.bytes[self.left..self.left + random.len()];
        random.copy_from_slice(taken);
        taken.fill(0);
        Ok(())
    }
}

fn fetch(bytes: &mut [u8]) -> Result<()> {
    getrandom::fill(bytes).map_err(|error| {
        let error = io::Error::other(error.to_string());
        Error::io("read random bytes from", Path::new("the operating system"), error)
    })
}

const STOCK: usize = 4096;

static OPENED: AtomicU64 = AtomicU64::new(0);

thread_local! {
    static STOCK_OF_THREAD: RefCell<Stock> = const { RefCell::new(Stock { bytes: [0; STOCK], left: 0, opened: 0 }) };
}

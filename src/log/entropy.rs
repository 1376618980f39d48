//! Random bytes for salts and ids: one system call for about 150 events.

use std::cell::RefCell;
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use uuid::{Builder, Uuid};

use crate::error::{Error, Result};

/// `N` random bytes from the operating system. Those that were given out are wiped.
pub(super) fn random<const N: usize>() -> Result<[u8; N]> {
    const { assert!(N <= POOL) };
    POOL_OF_THREAD.with_borrow_mut(|pool| {
        if pool.left < N || pool.process != std::process::id() {
            // A child process must not give out what its parent does.
            getrandom::fill(&mut pool.bytes).map_err(|error| {
                let error = io::Error::other(error.to_string());
                Error::io("read random bytes from", Path::new("the operating system"), error)
            })?;
            pool.left = POOL;
            pool.process = std::process::id();
        }
        let mut random = [0; N];
        let part = &mut pool.bytes[pool.left - N..pool.left];
        random.copy_from_slice(part);
        part.fill(0);
        pool.left -= N;
        Ok(random)
    })
}

/// A UUIDv7 (RFC 9562 §5.7) of this time.
pub(super) fn uuid(now: SystemTime) -> Result<Uuid> {
    let millis = now
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or(Duration::ZERO)
        .as_millis();
    let millis = u64::try_from(millis).unwrap_or(u64::MAX);
    Ok(Builder::from_unix_timestamp_millis(millis, &random()?).into_uuid())
}

struct Pool {
    bytes: [u8; POOL],
    left: usize,
    process: u32,
}

const POOL: usize = 4096;

thread_local! {
    static POOL_OF_THREAD: RefCell<Pool> = const { RefCell::new(Pool { bytes: [0; POOL], left: 0, process: 0 }) };
}

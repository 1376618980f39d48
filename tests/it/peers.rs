//! Where the servers are that `tests/peers/install` puts into `target/peers`, and ports for them.

use std::net::TcpListener;
use std::path::{Path, PathBuf};

/// What `tests/peers/install` put there; `None`, said aloud, where it could not.
pub(crate) fn installed(path: &str, otherwise: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/peers").join(path);
    if !path.exists() {
        eprintln!("SKIPPED: {otherwise}; tests/peers/install gets it");
        return None;
    }
    Some(path)
}

/// Some servers take a second port, 10,000 above.
pub(crate) fn free_port() -> u16 {
    loop {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        if port < 55_000 {
            return port;
        }
    }
}

//! Servers that tests start, and that `tests/peers/install` puts into `target/peers`.

use std::path::{Path, PathBuf};

/// What is installed at a path there; `None`, said aloud, where it is not.
pub(crate) fn installed(path: &str, otherwise: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/peers").join(path);
    if !path.exists() {
        eprintln!("SKIPPED: {otherwise}; tests/peers/install gets it");
        return None;
    }
    Some(path)
}

//! A folder for a benchmark's data, on a disk, removed at the end.

use std::path::{Path, PathBuf};
use std::{env, fs, process};

/// The folder; dropping it removes it with all that is in it.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    /// A new, empty folder in `INDELIBLE_BENCH_DIR`, or where temporary files stand.
    pub fn new(name: &str) -> Self {
        let root = env::var_os("INDELIBLE_BENCH_DIR").map_or_else(env::temp_dir, PathBuf::from);
        let path = root.join(format!("indelible-bench-{name}-{}", process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap_or_else(|error| panic!("create {}: {error}", path.display()));
        Self { path }
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path of a file or a folder in it.
    pub fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

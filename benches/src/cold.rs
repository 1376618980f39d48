//! The page cache without the files of a folder.

use std::path::Path;
use std::process::{Command, Stdio};

/// Has the kernel drop what it keeps of the files in a folder and those below: `false` where that cannot be done. What
/// is not written yet is written first.
pub fn drop_page_cache(folder: &Path) -> bool {
    let script = r#"sync -f "$0" && find "$0" -type f -exec sh -c 'for f; do dd if="$f" iflag=nocache count=0 || exit 1; done' sh {} +"#;
    let mut shell = Command::new("sh");
    shell
        .args(["-c", script])
        .arg(folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    shell.status().is_ok_and(|status| status.success())
}

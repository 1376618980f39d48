//! Benchmarks that need a process of their own: to be killed, or to have their memory measured.

use std::process::{Child, Command, Stdio};

/// Starts this program again as the child of this name.
pub fn start(name: &str, arguments: &[&str]) -> Child {
    let program = std::env::current_exe().expect("this program");
    let mut command = Command::new(program);
    command
        .env(CHILD, name)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    command.spawn().expect("start a child")
}

/// The name of the child that this process is.
pub fn name() -> Option<String> {
    std::env::var(CHILD).ok()
}

/// The most memory that this process has held, in bytes: `VmHWM` of `/proc/self/status`. `None` where there is no such
/// file.
pub fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

/// The variable that names the child.
pub(crate) const CHILD: &str = "INDELIBLE_BENCH_CHILD";

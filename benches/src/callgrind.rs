//! Counts instructions with `valgrind --tool=callgrind`, thread by thread.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// The instructions of one thread.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Instructions {
    /// All of them.
    pub all: f64,
    /// Those of SHA-256's compression: valgrind knows no SHA instructions, so that it runs in software there.
    pub sha256: f64,
}

impl Instructions {
    /// Those of each of `count` more steps, by which `more` ran longer.
    pub fn each(less: Self, more: Self, count: usize) -> Self {
        Self {
            all: (more.all - less.all) / count as f64,
            sha256: (more.sha256 - less.sha256) / count as f64,
        }
    }

    /// These without others.
    #[must_use]
    pub fn without(self, other: Self) -> Self {
        Self {
            all: self.all - other.all,
            sha256: self.sha256 - other.sha256,
        }
    }
}

/// Whether valgrind is there.
pub fn is_there() -> bool {
    let mut valgrind = Command::new("valgrind");
    valgrind.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
    valgrind.status().is_ok_and(|status| status.success())
}

/// Runs this program again as the child of this name under callgrind, and gives the instructions of its first `threads`
/// threads.
pub fn run(folder: &Path, child: &str, argument: &str, threads: usize) -> Vec<Instructions> {
    let output = folder.join("callgrind");
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["-q", "--tool=callgrind", "--separate-threads=yes"]);
    valgrind.arg(format!("--callgrind-out-file={}", output.display()));
    valgrind
        .arg(std::env::current_exe().expect("this program"))
        .arg(folder)
        .arg(argument);
    valgrind.env(crate::child::CHILD, child);
    assert!(valgrind.status().expect("run valgrind").success(), "valgrind failed");
    let read = |number| {
        let path = folder.join(format!("callgrind-{number:02}"));
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        parse(&text)
    };
    (1..=threads).map(read).collect()
}

/// Sums up what each function did itself. A line after `calls=` is what the callee did.
fn parse(text: &str) -> Instructions {
    let (mut names, mut sums): (HashMap<&str, &str>, Instructions) = Default::default();
    let (mut is_sha256, mut is_call) = (false, false);
    for line in text.lines() {
        if let Some(function) = line.strip_prefix("fn=") {
            let (id, name) = function.split_once(' ').unwrap_or((function, ""));
            if !name.is_empty() {
                names.insert(id, name);
            }
            let name = names.get(id).copied().unwrap_or_default();
            is_sha256 = name.contains("sha256") && name.contains("compress");
        } else if let Some(function) = line.strip_prefix("cfn=") {
            if let Some((id, name)) = function.split_once(' ') {
                names.insert(id, name);
            }
        } else if line.starts_with("calls=") {
            is_call = true;
        } else if line.starts_with(|first: char| first.is_ascii_digit() || "+-*".contains(first)) {
            let cost = line.split(' ').nth(1).and_then(|cost| cost.parse::<f64>().ok());
            if !std::mem::take(&mut is_call) {
                sums.all += cost.unwrap_or(0.0);
                sums.sha256 += if is_sha256 { cost.unwrap_or(0.0) } else { 0.0 };
            }
        }
    }
    sums
}

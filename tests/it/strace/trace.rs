//! The writer as a child process under `strace`: which system calls it makes on the log's files, and what it says when
//! one of them fails.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use super::life::{Life, Said};

/// A system call of a life: of its thread the n-th of this name on this path.
///
/// Calls on other files are not counted: not the loader's, and none of what the test's own frame does.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Call {
    pub(super) name: String,
    /// Below the root.
    pub(super) path: PathBuf,
    pub(super) nth: usize,
}

/// What happens at a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// The process is killed instead.
    Kill,
    /// The call does nothing and gives this error.
    Error(&'static str),
}

impl Call {
    /// What is tried at this call.
    pub(super) fn faults(&self) -> &'static [Fault] {
        const KILL: Fault = Fault::Kill;
        const EIO: Fault = Fault::Error("EIO");
        const ENOSPC: Fault = Fault::Error("ENOSPC");
        match self.name.as_str() {
            // Linux closes the file whatever it answers; a call that is not made would leave it open.
            "close" => &[KILL],
            "openat" | "write" | "pwrite64" | "fsync" | "fdatasync" | "rename" | "mkdir" | "ftruncate"
            | "fallocate" => &[KILL, EIO, ENOSPC],
            _ => &[KILL, EIO],
        }
    }

    fn options(&self, fault: Fault, root: &Path) -> Vec<String> {
        let what = match fault {
            Fault::Kill => "signal=KILL".to_owned(),
            Fault::Error(error) => format!("error={error}"),
        };
        let Self { name, path, nth } = self;
        let path = if path.as_os_str().is_empty() {
            root.to_owned()
        } else {
            root.join(path)
        };
        [
            "-P",
            path.to_str().expect("UTF-8"),
            "-e",
            &format!("trace={name}"),
            "-e",
            &format!("inject={name}:{what}:when={nth}"),
        ]
        .map(str::to_owned)
        .to_vec()
    }
}

/// What became of a life.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) said: Vec<Said>,
    /// The fault took place.
    pub(super) has_fired: bool,
    pub(super) status: ExitStatus,
    pub(super) stderr: String,
    trace: String,
}

impl Outcome {
    pub(super) fn was_killed(&self) -> bool {
        self.status.signal() == Some(9)
    }

    pub(super) fn is_done(&self) -> bool {
        self.said.last() == Some(&Said::Done)
    }

    /// The failures that it told of.
    pub(super) fn failures(&self) -> Vec<&str> {
        let failures = self.said.iter().filter_map(|said| match said {
            Said::Failed(error) | Said::Told(error) => Some(error.as_str()),
            Said::Recorded { .. } | Said::Done => None,
        });
        failures.collect()
    }
}

/// Why nothing can be traced here, if so.
pub(super) fn missing() -> Option<String> {
    match Command::new("strace").args(["-qq", "-o", "/dev/null", "true"]).output() {
        Ok(output) if output.status.success() => None,
        Ok(output) => Some(String::from_utf8_lossy(&output.stderr).into_owned()),
        Err(error) => Some(format!("strace: {error}")),
    }
}

/// The calls that a life makes on the files below the root.
pub(super) fn calls(life: Life, root: &Path) -> BTreeSet<Call> {
    let options = ["-y", "-e", "trace=%file,%desc", "-e", "signal=none"].map(str::to_owned);
    let outcome = run(life, root, &options);
    assert!(
        outcome.is_done() && outcome.failures().is_empty(),
        "without a fault: {outcome:?}"
    );
    let mut counts: BTreeMap<(&str, &str, PathBuf), usize> = BTreeMap::new();
    let mut calls = BTreeSet::new();
    for line in outcome.trace.lines() {
        let Some((thread, name, arguments)) = parse(line) else {
            continue;
        };
        // By `fcntl` the standard library looks in debug builds whether a file that it closes was open.
        if name == "fcntl" {
            continue;
        }
        let paths = paths(arguments, root);
        for path in &paths {
            *counts.entry((thread, name, path.clone())).or_default() += 1;
        }
        if let Some(path) = paths.first() {
            calls.insert(Call {
                name: name.to_owned(),
                path: path.clone(),
                nth: counts[&(thread, name, path.clone())],
            });
        }
    }
    calls
}

/// Lives a life in which one call fails.
pub(super) fn run_with(life: Life, root: &Path, call: &Call, fault: Fault) -> Outcome {
    run(life, root, &call.options(fault, root))
}

/// A line of a trace: `1234 openat(AT_FDCWD, "…", …) = 3</…>`.
fn parse(line: &str) -> Option<(&str, &str, &str)> {
    let (thread, call) = line.split_once(' ')?;
    let (name, arguments) = call.trim_start().split_once('(')?;
    let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    is_name.then_some((thread, name, arguments))
}

/// The paths below the root that a call names, each once: `"path"`, or `3<path>` for an open file.
fn paths(arguments: &str, root: &Path) -> Vec<PathBuf> {
    let root = root.to_str().expect("UTF-8");
    let mut found = Vec::new();
    for (at, _) in arguments.match_indices(root) {
        let path = &arguments[at + root.len()..];
        let path = &path[..path.find(['"', '>']).unwrap_or(path.len())];
        let path = PathBuf::from(path.trim_start_matches('/'));
        if !found.contains(&path) {
            found.push(path);
        }
    }
    found
}

fn run(life: Life, root: &Path, options: &[String]) -> Outcome {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = |name: &str| folder.path().join(name);
    let read = |name: &str| String::from_utf8_lossy(&std::fs::read(file(name)).unwrap_or_default()).into_owned();
    let mut child = Command::new("strace")
        .args(["-f", "-qq", "-s", "0", "-o"])
        .arg(file("trace"))
        .args(options)
        .arg(std::env::current_exe().expect("this program"))
        .args([
            "--ignored",
            "--exact",
            "--nocapture",
            "strace::child_that_lives_under_strace",
        ])
        .env("INDELIBLE_TEST_CHILD", root)
        .env("INDELIBLE_TEST_LIFE", life.name())
        .stdin(Stdio::null())
        .stdout(File::create(file("said")).expect("a file"))
        .stderr(File::create(file("stderr")).expect("a file"))
        .process_group(0)
        .spawn()
        .expect("strace runs");
    let status = wait(&mut child);
    let said = read("said");
    let status = status.unwrap_or_else(|| panic!("it hangs: {said}\n{}\n{}", read("stderr"), read("trace")));
    let trace = read("trace");
    Outcome {
        said: said.lines().filter_map(Said::parse).collect(),
        has_fired: trace.contains("(INJECTED)") || status.signal() == Some(9),
        status,
        stderr: read("stderr"),
        trace,
    }
}

/// `None` where it does not end in time; then it is killed, with all that it traces.
fn wait(child: &mut Child) -> Option<ExitStatus> {
    let began = Instant::now();
    while began.elapsed() < LIFE_MAX {
        if let Some(status) = child.try_wait().expect("a child") {
            return Some(status);
        }
        std::thread::sleep(Duration::from_millis(3));
    }
    let group = format!("-{}", child.id());
    let _ = Command::new("kill").args(["-KILL", "--", &group]).status();
    child.wait().expect("a child");
    None
}

/// A life takes less than a second, and waits for a lock that is not let go.
const LIFE_MAX: Duration = Duration::from_secs(60);

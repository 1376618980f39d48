//! The command line, as a process.

mod append;
mod asking;
mod compress;
mod crash;
mod events;
mod export;
mod keys;
mod proofs;
mod reading;
mod retention;
mod shipping;
mod signals;
mod verify;

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

const ORIGIN: &str = "auth.example.com/audit";

/// A folder with a key, in which the command is run.
struct Folder {
    folder: TempDir,
}

impl Folder {
    /// With the key `audit.key`.
    fn new() -> Self {
        let folder = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        folder.good(&["keygen", "audit.key", "--origin", ORIGIN]);
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), content).unwrap();
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_indelible"));
        command.args(arguments).current_dir(self.folder.path());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).stdin(Stdio::null()).output().unwrap()
    }

    /// Runs a command that succeeds, and gives what it prints.
    #[track_caller]
    fn good(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(error_of(&output), "");
        assert_eq!(output.status.code(), Some(0));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs a command that does not, and gives what it complains of.
    #[track_caller]
    fn bad(&self, code: i32, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let error = error_of(&output);
        assert_eq!(output.status.code(), Some(code), "{error}");
        assert!(error.starts_with("indelible: "), "{error}");
        error
    }

    /// Runs `append` on these lines.
    fn append(&self, input: impl AsRef<[u8]>) -> Output {
        self.write("input", input);
        self.run(&["append", "audit", "--key", "audit.key", "input"])
    }

    /// The same, where nothing is wrong: gives the receipts.
    #[track_caller]
    fn append_good(&self, input: impl AsRef<[u8]>) -> Vec<Value> {
        let output = self.append(input);
        assert_eq!(error_of(&output), "");
        assert_eq!(output.status.code(), Some(0));
        lines_of(&output.stdout)
    }

    /// What `cat` prints.
    #[track_caller]
    fn cat(&self) -> Vec<Value> {
        lines_of(self.good(&["cat", "audit"]).as_bytes())
    }

    /// The ids of the actors of all records but the log's own.
    #[track_caller]
    fn actors(&self) -> Vec<String> {
        let events = self.cat().into_iter().map(|line| line["event"].clone());
        let hosts = events.filter(|event| !event["action"].as_str().unwrap().starts_with("audit_log."));
        hosts
            .map(|event| event["actor"]["id"].as_str().unwrap().to_owned())
            .collect()
    }

    /// An `append` with pipes to write and read by turns.
    fn talk(&self) -> Talk {
        let mut child = self
            .command(&["append", "audit", "--key", "audit.key"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Talk {
            input: child.stdin.take(),
            receipts: child.stdout.take().map(BufReader::new),
            child,
        }
    }

    fn vkey(&self) -> String {
        self.good(&["vkey", "audit.key"]).trim_end().to_owned()
    }
}

struct Talk {
    child: Child,
    input: Option<ChildStdin>,
    receipts: Option<BufReader<ChildStdout>>,
}

impl Talk {
    fn say(&mut self, text: &str) {
        self.input.as_mut().unwrap().write_all(text.as_bytes()).unwrap();
    }

    /// The next receipt.
    fn hear(&mut self) -> Value {
        let mut line = String::new();
        self.receipts.as_mut().unwrap().read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }

    /// Closes the input and waits for the end. Gives the exit status and the standard error.
    fn end(mut self) -> (Option<i32>, String) {
        drop(self.input.take());
        drop(self.receipts.take());
        let output = self.child.wait_with_output().unwrap();
        (output.status.code(), error_of(&output))
    }
}

fn error_of(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn lines_of(text: &[u8]) -> Vec<Value> {
    let lines = std::str::from_utf8(text).unwrap().lines();
    lines.map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A line with an event of this user.
fn login(user: &str) -> String {
    format!(
        r#"{{"action":"auth.login.succeeded","actor":{{"type":"user","id":"{user}"}},"context":{{"ip":"203.0.113.7"}}}}"#
    ) + "\n"
}

/// The same with an id of its own.
fn login_with_id(user: &str, id: &str) -> String {
    login(user).replacen('{', &format!(r#"{{"id":"{id}","#), 1)
}

fn logins(users: impl IntoIterator<Item = usize>) -> String {
    users.into_iter().map(|user| login(&format!("usr_{user}"))).collect()
}

fn seqs(receipts: &[Value]) -> Vec<u64> {
    receipts
        .iter()
        .map(|receipt| receipt["seq"].as_u64().unwrap())
        .collect()
}

#[test]
fn every_command_has_help_with_an_example() {
    let folder = Folder::new();
    let top = folder.good(&["--help"]);
    for command in [
        "keygen",
        "vkey",
        "append",
        "verify",
        "checkpoint",
        "cat",
        "prove",
        "check-proof",
        "rotate-key",
        "compress",
        "erase",
        "query",
        "count",
        "tail",
        "export",
        "verify-export",
    ] {
        assert!(top.contains(command), "{command}: {top}");
        let help = folder.good(&[command, "--help"]);
        assert!(help.contains(&format!("\n  indelible {command} ")), "{help}");
    }
    assert!(folder.good(&["--version"]).starts_with("indelible "));
}

#[test]
fn wrong_usage_is_an_error() {
    let folder = Folder::new();
    assert!(folder.bad(2, &["found"]).contains("'found'"));
    assert!(folder.bad(2, &["cat"]).contains("<DIR>"));
    assert!(folder.bad(2, &["cat", "audit", "--from", "x"]).contains("--from"));
    assert_eq!(folder.run(&[]).status.code(), Some(2));
}

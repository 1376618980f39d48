//! Processes that receive, store what they get, and are killed.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::{child_process, kill};
use crate::scene::*;
use crate::sink::receiver::{self, Reply};

/// A receiver in a process of its own, until this is dropped.
pub(super) struct Receiver {
    kind: &'static str,
    pub(super) port: u16,
    /// The `seq` of each record that it got, a line each.
    file: PathBuf,
    child: Option<Child>,
}

impl Receiver {
    /// A `webhook`, which stores before it answers, or `syslog`, which stores what it read a while ago.
    pub(super) fn new(kind: &'static str, scene: &Scene) -> Self {
        let mut receiver = Self {
            kind,
            port: quiet_port(),
            file: scene.root().join(kind),
            child: None,
        };
        receiver.again();
        receiver
    }

    /// Starts it, after it was killed too.
    pub(super) fn again(&mut self) {
        let variables = [
            ("INDELIBLE_TEST_CHILD", self.file.display().to_string()),
            ("INDELIBLE_TEST_KIND", self.kind.to_owned()),
            ("INDELIBLE_TEST_PORTS", self.port.to_string()),
        ];
        let mut command = child_process("sink::kills::receivers::child_that_receives", &variables);
        let child = command.stdout(Stdio::null()).spawn();
        self.child = Some(child.expect("a child process"));
    }

    pub(super) fn kill(&mut self) {
        self.child.iter_mut().for_each(kill);
        self.child = None;
    }

    /// The records that it stored, as they came.
    pub(super) fn taken(&self) -> Vec<u64> {
        let text = std::fs::read_to_string(&self.file).unwrap_or_default();
        // A line that was cut when it was killed is none.
        let whole = text.lines().filter_map(|line| line.strip_suffix('.'));
        whole.map(|seq| seq.parse().expect("a number")).collect()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A port that the kernel gives to no connection: while a receiver is down, nobody takes it.
fn quiet_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let process = u16::try_from(std::process::id() % 1_000).expect("few");
    loop {
        let port = 20_000 + process * 10 + NEXT.fetch_add(1, Ordering::Relaxed);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// Not a test of its own: what the child process does.
#[test]
#[ignore = "run as a child process by another test"]
fn child_that_receives() {
    let variable = |name: &str| std::env::var(name).ok();
    let (Some(file), Some(kind), Some(port)) = (
        variable("INDELIBLE_TEST_CHILD"),
        variable("INDELIBLE_TEST_KIND"),
        variable("INDELIBLE_TEST_PORTS"),
    ) else {
        return;
    };
    let port = port.parse().expect("a port");
    let mut stored = Stored::open(file.into());
    match kind.as_str() {
        "webhook" => {
            let _receiver = receiver::Receiver::on(port, move |request| {
                let list = request.json();
                let records = list.as_array().expect("a list").iter();
                stored.write(records.filter_map(|message| message["data"]["seq"].as_u64()));
                Reply::status(200)
            });
            std::thread::park();
        }
        _ => receive_syslog(port, stored),
    }
}

/// What is stored survives the process.
struct Stored(File);

impl Stored {
    fn open(path: PathBuf) -> Self {
        let file = OpenOptions::new().create(true).append(true).open(path);
        let mut stored = Self(file.expect("a file"));
        // After a line that was cut.
        stored.0.write_all(b"\n").expect("written");
        stored
    }

    fn write(&mut self, seqs: impl Iterator<Item = u64>) {
        let lines: String = seqs.map(|seq| format!("{seq}.\n")).collect();
        self.0.write_all(lines.as_bytes()).expect("written");
    }
}

fn receive_syslog(port: u16, mut stored: Stored) {
    let listener = TcpListener::bind(("127.0.0.1", port)).expect("the port");
    let read: Arc<Mutex<Vec<u64>>> = Arc::default();
    let reading = Arc::clone(&read);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let read = Arc::clone(&reading);
            std::thread::spawn(move || read_messages(stream, &read));
        }
    });
    loop {
        // As one does that has a queue in memory.
        std::thread::sleep(STORED_EVERY);
        let read = std::mem::take(&mut *read.lock().expect("unpoisoned"));
        stored.write(read.into_iter());
    }
}

/// Reads messages off a connection, `LENGTH SP MESSAGE` each, until it ends.
fn read_messages(mut stream: TcpStream, read: &Mutex<Vec<u64>>) {
    let (mut bytes, mut piece) = (Vec::new(), vec![0; 65_536]);
    while let Ok(length @ 1..) = stream.read(&mut piece) {
        bytes.extend_from_slice(&piece[..length]);
        let mut rest = bytes.as_slice();
        while let Some((message, after)) = split_message(rest) {
            // A checkpoint has none.
            let seq = super::super::syslog::seq(&String::from_utf8_lossy(message));
            read.lock().expect("unpoisoned").extend(seq);
            rest = after;
        }
        bytes = rest.to_vec();
    }
}

fn split_message(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let space = bytes.iter().position(|byte| *byte == b' ')?;
    let length: usize = std::str::from_utf8(&bytes[..space])
        .expect("ASCII")
        .parse()
        .expect("a length");
    bytes[space + 1..].split_at_checked(length)
}

const STORED_EVERY: Duration = Duration::from_millis(50);

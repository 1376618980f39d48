//! Services made of what nobody here wrote: the official models, in Python, which `tests/peers/install` gets.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

/// A script of `tests/peers/clouds`, until this is dropped.
pub(super) struct Peer {
    child: Child,
    port: u16,
    /// What it says of itself once it is ready.
    pub(super) said: Vec<String>,
}

impl Peer {
    /// `None`, said aloud, where what it needs is not installed.
    pub(super) fn start(script: &str, variables: &[(&str, &str)]) -> Option<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let python = root.join("target/peers/clouds/bin/python");
        if !python.exists() {
            eprintln!("SKIPPED: {script}: no Python with the models of clouds; tests/peers/install gets it");
            return None;
        }
        let mut child = Command::new(python)
            .arg(root.join("tests/peers/clouds").join(script))
            .envs(variables.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        let mut line = String::new();
        let out = child.stdout.take().expect("its output");
        BufReader::new(out).read_line(&mut line).expect("it says its port");
        let mut said: Vec<_> = line.split_whitespace().map(str::to_owned).collect();
        assert!(!said.is_empty(), "{script} does not start");
        let port = said.remove(0).parse().expect("a port");
        Some(Self { child, port, said })
    }

    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What it has taken.
    pub(super) fn taken(&self) -> Vec<Value> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("connects");
        write!(stream, "GET /_events HTTP/1.0\r\nHost: localhost\r\n\r\n").expect("asked");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("answered");
        let body = answer
            .windows(4)
            .position(|bytes| bytes == b"\r\n\r\n")
            .expect("a body")
            + 4;
        serde_json::from_slice(&answer[body..]).expect("JSON")
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

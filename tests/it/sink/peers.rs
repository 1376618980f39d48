//! Receivers nobody here wrote, or whose rules nobody here wrote, which `tests/peers/install` puts into `target/peers`.

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::peers::installed;
use crate::scene::eventually;

/// A process, until this is dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(command: &mut Command, log: &Path, port: u16) -> Running {
    let out = std::fs::File::create(log).expect("a file");
    let errors = out.try_clone().expect("a file");
    let child = command.stdin(Stdio::null()).stdout(out).stderr(errors).spawn();
    let running = Running(child.expect("it starts"));
    eventually("the peer listens", || TcpStream::connect(("127.0.0.1", port)).is_ok());
    running
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

/// `tests/peers/intake.py`: Splunk's collector and Datadog's intake.
pub(super) struct Intake {
    _running: Running,
    folder: TempDir,
    port: u16,
}

impl Intake {
    /// In a mode of the script. `None` where what it needs is not installed.
    pub(super) fn start(mode: &str) -> Option<Self> {
        let python = installed(
            "venv/bin/python",
            "Splunk and Datadog: no Python with datadog-api-client",
        )?;
        let (folder, port) = (tempfile::tempdir().expect("a folder"), free_port());
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/intake.py");
        let mut command = Command::new(python);
        command
            .arg(script)
            .arg(mode)
            .arg(port.to_string())
            .arg(folder.path().join("taken"));
        let running = start(&mut command, &folder.path().join("log"), port);
        Some(Self {
            _running: running,
            folder,
            port,
        })
    }

    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What it has taken, as it came.
    pub(super) fn taken(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.folder.path().join("taken")).expect("a file");
        text.lines()
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect()
    }
}

/// Rotel, a collector of OpenTelemetry, which prints what it decodes.
pub(super) struct Rotel {
    _running: Running,
    folder: TempDir,
    port: u16,
}

impl Rotel {
    /// `None` where it is not installed.
    pub(super) fn start() -> Option<Self> {
        let rotel = installed("rotel", "OTLP: no Rotel")?;
        let (folder, [grpc, http]) = (tempfile::tempdir().expect("a folder"), [free_port(), free_port()]);
        let mut command = Command::new(rotel);
        command
            .arg("start")
            .args(["--otlp-grpc-endpoint", &format!("127.0.0.1:{grpc}")])
            .args(["--otlp-http-endpoint", &format!("127.0.0.1:{http}")])
            .args(["--exporter", "blackhole", "--debug-log", "logs"])
            .args(["--debug-log-verbosity", "detailed"]);
        let running = start(&mut command, &folder.path().join("log"), http);
        Some(Self {
            _running: running,
            folder,
            port: http,
        })
    }

    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(super) fn printed(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).expect("a file")
    }
}

//! rsyslog, where `tests/peers/install` has put it: receives over TCP, and writes each message into a file as a line.

use std::fs::{self, File};
use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::folder::Folder;
use crate::receiver::{Arrival, now, seqs};

/// A running rsyslog; it ends when this is dropped.
#[derive(Debug)]
pub struct Rsyslog {
    child: Child,
    /// Where it listens.
    pub port: u16,
    messages: PathBuf,
}

impl Rsyslog {
    /// Starts it; `None`, said aloud, where it is not installed.
    pub fn start(folder: &Folder) -> Option<Self> {
        let debian = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/peers/debian");
        let program = debian.join("usr/sbin/rsyslogd");
        if !program.exists() {
            eprintln!("SKIPPED: rsyslog; tests/peers/install gets it");
            return None;
        }
        let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let port = port.expect("a port").port();
        let (config, messages) = (folder.join("rsyslog.conf"), folder.join("messages"));
        let (work, to) = (folder.path().display(), messages.display());
        let text = format!(
            "global(workDirectory=\"{work}\" net.enableDNS=\"off\" maxMessageSize=\"128k\")
            module(load=\"imtcp\")
            template(name=\"m\" type=\"string\" string=\"%msg%\\n\")
            ruleset(name=\"r\") {{ action(type=\"omfile\" file=\"{to}\" template=\"m\") }}
            input(type=\"imtcp\" address=\"127.0.0.1\" port=\"{port}\" ruleset=\"r\")\n"
        );
        fs::write(&config, text).expect("written");
        let mut command = Command::new(program);
        command
            .arg("-n")
            .arg("-f")
            .arg(&config)
            .arg("-i")
            .arg(folder.join("rsyslog.pid"));
        // The folders of libraries are named for the processor.
        let below = |lib: &str| fs::read_dir(debian.join(lib)).into_iter().flatten().flatten();
        let libraries: Vec<PathBuf> = below("lib").chain(below("usr/lib")).map(|entry| entry.path()).collect();
        for modules in libraries
            .iter()
            .map(|library| library.join("rsyslog"))
            .filter(|path| path.is_dir())
        {
            command.arg("-M").arg(modules);
        }
        let libraries: Vec<_> = libraries.iter().map(|path| path.display().to_string()).collect();
        command.env("LD_LIBRARY_PATH", libraries.join(":"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().expect("it starts");
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            std::thread::sleep(Duration::from_millis(10));
        }
        Some(Self { child, port, messages })
    }

    /// Empties the file of messages.
    pub fn empty(&self) {
        if let Ok(file) = File::options().write(true).open(&self.messages) {
            file.set_len(0).expect("emptied");
        }
    }

    /// Waits until that has so many bytes.
    pub fn wait_bytes(&self, bytes: u64) {
        while fs::metadata(&self.messages).map_or(0, |found| found.len()) < bytes {
            std::thread::sleep(Duration::from_micros(500));
        }
    }

    /// Watches what comes, a thousand times a second, until it is told to stop.
    pub fn watch(&self) -> Watching {
        let (path, stop) = (self.messages.clone(), Arc::new(AtomicBool::new(false)));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let (mut arrivals, mut file, mut text) = (Vec::new(), None, Vec::new());
            while !stopped.load(Ordering::Acquire) {
                std::thread::sleep(Duration::from_millis(1));
                let Some(file) = file.as_mut() else {
                    file = File::open(&path).ok();
                    continue;
                };
                file.read_to_end(&mut text).expect("read");
                let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
                let now = now();
                arrivals.extend(seqs(&text[..whole]).map(|seq| (seq, now)));
                text.drain(..whole);
            }
            arrivals
        });
        Watching { stop, thread }
    }
}

impl Drop for Rsyslog {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Watches what comes.
#[derive(Debug)]
pub struct Watching {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Vec<Arrival>>,
}

impl Watching {
    /// What came.
    pub fn stop(self) -> Vec<Arrival> {
        self.stop.store(true, Ordering::Release);
        self.thread.join().expect("the thread that watches")
    }
}

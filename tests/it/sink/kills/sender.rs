//! The process that is killed while it appends and delivers.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Stdio};
use std::time::Duration;

use indelible::sink::{Feed, Syslog, Webhook};
use indelible::{AuditLog, FileStore};

use super::child_process;
use crate::scene::*;

/// By the event's id, the `seq` and the hash.
pub(super) type Acknowledged = BTreeMap<String, (u64, String)>;

/// The ports of the receivers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Targets {
    pub(super) webhook: u16,
    pub(super) syslog: u16,
    /// Where it is installed.
    pub(super) rsyslog: Option<u16>,
}

impl Targets {
    /// Opens the log with a sink for each.
    pub(super) fn open(&self, root: &Path) -> AuditLog {
        let url = format!("http://127.0.0.1:{}/audit", self.webhook);
        let webhook = Webhook::new(url, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
            .in_lists(500)
            .allow_private_addresses();
        let tcp = |port| Syslog::tcp("127.0.0.1", port).timeout(Duration::from_secs(2));
        let feeds = [
            Some(Feed::new("webhook", webhook)),
            Some(Feed::new("syslog", tcp(self.syslog))),
            self.rsyslog.map(|port| Feed::new("rsyslog", tcp(port))),
        ];
        let builder = AuditLog::builder(ORIGIN)
            .key_file(root.join("audit.key"))
            .lock_wait(Duration::from_secs(5));
        let builder = feeds.into_iter().flatten().fold(builder, indelible::Builder::sink);
        builder.open(FileStore::new(root.join("audit"))).expect("opens")
    }

    /// A process that appends until it is killed.
    pub(super) fn child(&self, root: &Path) -> Child {
        let ports = [Some(self.webhook), Some(self.syslog), self.rsyslog];
        let ports: Vec<String> = ports.into_iter().flatten().map(|port| port.to_string()).collect();
        let variables = [
            ("INDELIBLE_TEST_CHILD", root.display().to_string()),
            ("INDELIBLE_TEST_PORTS", ports.join(",")),
        ];
        let mut command = child_process("sink::kills::sender::child_that_appends_and_delivers", &variables);
        command.stdout(Stdio::piped()).spawn().expect("a child process")
    }
}

/// Not a test of its own: what the child process does. It prints each receipt.
#[test]
#[ignore = "run as a child process by another test"]
fn child_that_appends_and_delivers() {
    let (Ok(root), Ok(ports)) = (
        std::env::var("INDELIBLE_TEST_CHILD"),
        std::env::var("INDELIBLE_TEST_PORTS"),
    ) else {
        return;
    };
    let ports: Vec<u16> = ports.split(',').map(|port| port.parse().expect("a port")).collect();
    let targets = Targets {
        webhook: ports[0],
        syslog: ports[1],
        rsyslog: ports.get(2).copied(),
    };
    let log = targets.open(&PathBuf::from(root));
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let log = &log;
            scope.spawn(move || append(log, thread));
        }
    });
}

/// Appends group after group, without end.
fn append(log: &AuditLog, thread: usize) {
    for group in 0.. {
        let ids = (0..GROUP).map(|at| format!("{}-{thread}-{}", std::process::id(), group * GROUP + at));
        let submitted: Vec<_> = ids
            .map(|id| (log.submit(login(&id).id(&id)).expect("room"), id))
            .collect();
        let lines = submitted.into_iter().map(|(ticket, id)| {
            let receipt = ticket.wait().expect("recorded");
            format!("{id} {} {}.\n", receipt.seq, receipt.hash)
        });
        // One write, so that lines of threads do not mix.
        print!("{}", lines.collect::<String>());
        std::thread::sleep(PAUSE);
    }
}

/// Reads what it printed. A line that was cut is none.
pub(super) fn read(output: BufReader<ChildStdout>) -> Acknowledged {
    let lines = output.lines().map_while(Result::ok);
    let read = lines.filter_map(|line| {
        let mut words = line.strip_suffix('.')?.split(' ').map(str::to_owned);
        let (id, seq, hash) = (words.next()?, words.next()?.parse().ok()?, words.next()?);
        Some((id, (seq, hash)))
    });
    read.collect()
}

/// Together they append up to 2,000 events a second.
const THREADS: usize = 3;

const GROUP: usize = 20;

const PAUSE: Duration = Duration::from_millis(30);

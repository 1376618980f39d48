//! The sender and its receiver die at the same time: what neither had any more is sent again. A sender that ends in order
//! sends nothing twice.

use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use super::faults::read_messages;
use super::*;

/// A receiver that reads all, until the test ends.
struct Reader {
    port: u16,
    /// What came over connections that have ended.
    messages: Arc<Mutex<Vec<String>>>,
}

impl Reader {
    fn on(listener: TcpListener) -> Self {
        let port = listener.local_addr().expect("an address").port();
        let messages: Arc<Mutex<Vec<String>>> = Arc::default();
        let reading = Arc::clone(&messages);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let read = read_messages(stream);
                reading.lock().expect("unpoisoned").extend(read);
            }
        });
        Self { port, messages }
    }

    fn seqs(&self) -> Vec<u64> {
        let messages = self.messages.lock().expect("unpoisoned");
        messages.iter().filter_map(|message| seq(message)).collect()
    }
}

fn any_port() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").expect("a port")
}

fn open_to(root: &Path, port: u16) -> AuditLog {
    let builder = AuditLog::builder(ORIGIN)
        .key_file(root.join("audit.key"))
        .lock_wait(Duration::from_secs(5));
    let syslog = Syslog::tcp("127.0.0.1", port).timeout(Duration::from_secs(2));
    let feed = Feed::new("syslog", syslog);
    let store = indelible::FileStore::new(root.join("audit"));
    builder.sink(feed).open(store).expect("opens")
}

/// Not a test of its own: what the child process does. What it says is delivered only its kernel has.
#[test]
#[ignore = "run as a child process by another test"]
fn child_that_delivers_to_nobody() {
    let (Ok(root), Ok(port)) = (
        std::env::var("INDELIBLE_TEST_CHILD"),
        std::env::var("INDELIBLE_TEST_PORTS"),
    ) else {
        return;
    };
    let log = open_to(Path::new(&root), port.parse().expect("a port"));
    append(&log, 50);
    flush(&log);
    let state = state(&log);
    println!("\ndelivered {} confirmed {}.", state.position, state.confirmed);
    std::thread::park();
}

/// Runs it until it has delivered, and kills it.
fn deliver_and_die(scene: &Scene, port: u16) -> (u64, u64) {
    let mut child = Command::new(std::env::current_exe().expect("this program"))
        .args(["--ignored", "--exact", "--nocapture"])
        .arg("sink::syslog::killed::child_that_delivers_to_nobody")
        .env("INDELIBLE_TEST_CHILD", scene.root())
        .env("INDELIBLE_TEST_PORTS", port.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("a child process");
    let lines = BufReader::new(child.stdout.take().expect("its output")).lines();
    let said = lines.map_while(Result::ok).find_map(|line| {
        let mut words = line.strip_suffix('.')?.strip_prefix("delivered ")?.split(" confirmed ");
        Some((words.next()?.parse().ok()?, words.next()?.parse().ok()?))
    });
    // SIGKILL.
    child.kill().expect("killed");
    child.wait().expect("gone");
    said.expect("it delivered")
}

#[test]
fn what_a_receiver_had_not_read_when_both_were_killed_is_sent_again() {
    let (scene, listener) = (Scene::new(), any_port());
    let port = listener.local_addr().expect("an address").port();
    let (mut taken, mut before): (Vec<TcpStream>, _) = (Vec::new(), 0);
    for _ in 0..3 {
        let (delivered, confirmed) = deliver_and_die(&scene, port);
        assert_eq!(confirmed, 0, "nobody has read anything");
        assert!(delivered > before + 50, "{delivered} after {before}");
        before = delivered;
        // It reads nothing.
        taken.push(listener.accept().expect("a connection").0);
    }
    // With it goes what it had not read.
    drop((listener, taken));
    let reader = Reader::on(TcpListener::bind(("127.0.0.1", port)).expect("the port"));
    let log = open_to(scene.root(), port);
    flush(&log);
    log.close(SOON).expect("closes");
    let size = log.reader().checkpoint().expect("read").expect("a checkpoint");
    let all: Vec<u64> = (0..size.checkpoint().size()).collect();
    eventually("all comes", || reader.seqs() == all);
}

#[test]
fn who_ends_in_order_sends_nothing_twice() {
    let (scene, reader) = (Scene::new(), Reader::on(any_port()));
    for _ in 0..4 {
        let log = open_to(scene.root(), reader.port);
        append(&log, 20);
        flush(&log);
        let state = state(&log);
        assert!(state.confirmed < state.position, "{state:?}");
        log.close(SOON).expect("closes");
    }
    // Two records of each opening, twenty, and one of each closing.
    let all: Vec<u64> = (0..4 * 22 + 1).collect();
    eventually("all comes", || reader.seqs().len() >= all.len());
    assert_eq!(reader.seqs(), all);
}

#[test]
fn a_sink_that_is_removed_and_added_again_sends_nothing_twice() {
    let (scene, reader) = (Scene::new(), Reader::on(any_port()));
    let log = open_to(scene.root(), reader.port);
    for _ in 0..3 {
        append(&log, 10);
        log.remove_sink("syslog", SOON).expect("removed");
        let syslog = Syslog::tcp("127.0.0.1", reader.port);
        log.add_sink(Feed::new("syslog", syslog)).expect("added");
    }
    flush(&log);
    log.close(SOON).expect("closes");
    eventually("all comes", || reader.seqs().len() >= 33);
    assert_eq!(reader.seqs(), (0..33).collect::<Vec<_>>());
}

#[test]
fn a_receiver_that_ends_without_having_read_confirms_nothing() {
    let (scene, listener) = (Scene::new(), any_port());
    let port = listener.local_addr().expect("an address").port();
    let log = open_to(scene.root(), port);
    append(&log, 20);
    flush(&log);
    let held = listener.accept().expect("a connection");
    log.close(SOON).expect("closes");
    drop((held, listener));
    let reader = Reader::on(TcpListener::bind(("127.0.0.1", port)).expect("the port"));
    let log = open_to(scene.root(), port);
    log.close(SOON).expect("closes");
    let size = log.reader().checkpoint().expect("read").expect("a checkpoint");
    let all: Vec<u64> = (0..size.checkpoint().size()).collect();
    eventually("all comes", || reader.seqs() == all);
}

#[test]
fn what_is_sent_by_datagrams_is_confirmed_at_once() {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("a port");
    let port = socket.local_addr().expect("an address").port();
    let scene = Scene::new();
    let feed = Feed::new("syslog", Syslog::udp("127.0.0.1", port));
    let log = scene.builder().sink(feed).open(scene.store()).expect("opens");
    append(&log, 5);
    flush(&log);
    let state = state(&log);
    assert_eq!(state.confirmed, state.position);
}

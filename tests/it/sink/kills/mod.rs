//! Receivers and the sender killed at random, under load: at the end each receiver has every record at least once, in order
//! of first arrival, and the log has all that was acknowledged.
//!
//! The seed is printed; `INDELIBLE_TEST_SEED` repeats it, as far as processes repeat. A whole minute of it:
//!
//! ```sh
//! cargo test --all-features --test it -- --ignored --nocapture sink::kills::a_minute
//! ```

mod receivers;
mod sender;

use std::collections::BTreeMap;
use std::io::BufReader;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::syslog::{Authority, Kind, Server};
use crate::scene::*;
use receivers::Receiver;
use sender::{Acknowledged, Targets};

#[test]
fn some_seconds_of_kills_lose_nothing() {
    kill_for(Duration::from_secs(8));
}

#[test]
#[ignore = "takes more than a minute"]
fn a_minute_of_kills_loses_nothing() {
    kill_for(Duration::from_secs(60));
}

fn kill_for(duration: Duration) {
    let seed = std::env::var("INDELIBLE_TEST_SEED").ok();
    let seed = seed.map_or_else(any_seed, |seed| seed.parse().expect("a seed is a number"));
    println!("INDELIBLE_TEST_SEED={seed}");
    let scene = Scene::new();
    // The key is there before anybody is killed.
    scene.open().close(SOON).expect("closes");
    let mut webhook = Receiver::new("webhook", &scene);
    let mut syslog = Receiver::new("syslog", &scene);
    let mut rsyslog = Server::start(Kind::Rsyslog, &Authority::new());
    let targets = Targets {
        webhook: webhook.port,
        syslog: syslog.port,
        rsyslog: rsyslog.as_ref().map(|server| server.tcp),
    };
    let (kills, until) = (AtomicUsize::new(0), Instant::now() + duration);
    let rounds = |number: u64, longest: u64| Rounds {
        random: Random(seed ^ number << 32),
        longest: Duration::from_millis(longest),
        until,
        kills: &kills,
    };
    let acknowledged = std::thread::scope(|scope| {
        let sending = scope.spawn(|| send(&scene, &targets, rounds(1, 1_500)));
        scope.spawn(|| rounds(2, 3_000).run(&mut webhook, Receiver::kill, Receiver::again));
        scope.spawn(|| rounds(3, 3_000).run(&mut syslog, Receiver::kill, Receiver::again));
        if let Some(server) = &mut rsyslog {
            scope.spawn(|| rounds(4, 5_000).run(server, Server::kill, Server::again));
        }
        sending.join().expect("sent")
    });
    // Nobody is killed any more.
    let log = targets.open(scene.root());
    deliver(&log, duration * 2 + SOON * 3);
    log.close(SOON).expect("closes");
    let size = assert_in_log(&log, &acknowledged);
    let (webhook, syslog) = (|| webhook.taken(), || syslog.taken());
    let rsyslog = || rsyslog.as_ref().map(rsyslog_taken);
    let all: Vec<u64> = (0..size).collect();
    let is_all = |taken: Vec<u64>| assert_ascending(taken) == all;
    eventually("the webhook has all", || is_all(webhook()));
    eventually("syslog has all", || is_all(syslog()));
    eventually("rsyslog has all", || rsyslog().is_none_or(is_all));
    println!(
        "{} kills; {} acknowledged; {size} records; received by webhook {}, by syslog {}, by rsyslog {:?}",
        kills.into_inner(),
        acknowledged.len(),
        webhook().len(),
        syslog().len(),
        rsyslog().map(|taken| taken.len()),
    );
}

fn any_seed() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.expect("after 1970").as_nanos() as u64 & 0xffff_ffff
}

/// Waits until every sink has all. One that waits after a failure is hurried, so that the test is.
fn deliver(log: &indelible::AuditLog, limit: Duration) {
    let began = Instant::now();
    while log.flush_sinks(Duration::from_secs(3)).is_err() {
        assert!(began.elapsed() < limit, "{:?}", log.state().sinks);
        for sink in log.state().sinks {
            log.resume_sink(&sink.name).expect("tries again");
        }
    }
}

/// The log is sound and has all that was acknowledged. Gives its size.
fn assert_in_log(log: &indelible::AuditLog, acknowledged: &Acknowledged) -> u64 {
    let sound = log.verify().expect("verified");
    assert!(sound.is_sound(), "{sound:?}");
    let mut recorded = BTreeMap::new();
    for record in log.reader().records(..).expect("readable") {
        let record = record.expect("a record");
        recorded.insert(record.seq(), record);
    }
    for (id, (seq, hash)) in acknowledged {
        let record = recorded.get(seq).unwrap_or_else(|| panic!("{id} is not there"));
        let event = record.event_json().expect("not erased");
        assert!(event.contains(&format!("\"id\":\"{id}\"")), "{id}: {event}");
        assert_eq!(record.hash().to_string(), *hash, "{id}");
    }
    recorded.len() as u64
}

/// The same, each once, as they came first: that is in order.
#[track_caller]
fn assert_ascending(taken: Vec<u64>) -> Vec<u64> {
    let mut first: Vec<u64> = Vec::new();
    for seq in taken {
        let next = first.len() as u64;
        assert!(seq <= next, "{seq} came before {next}");
        if seq == next {
            first.push(seq);
        }
    }
    first
}

/// One that was cut when the server or the sender was killed is none.
fn rsyslog_taken(server: &Server) -> Vec<u64> {
    let is_whole = |text: &str| serde_json::from_str::<serde_json::Value>(text).is_ok();
    let whole = server.recorded().into_iter().filter(|message| is_whole(&message.text));
    whole.filter_map(|message| message.seq).collect()
}

/// When a process is killed.
struct Rounds<'a> {
    random: Random,
    /// So long it lives.
    longest: Duration,
    until: Instant,
    kills: &'a AtomicUsize,
}

impl Rounds<'_> {
    fn go_on(&self) -> bool {
        Instant::now() < self.until
    }

    fn life(&mut self) -> Duration {
        self.random.between(Duration::from_millis(50), self.longest)
    }

    /// Kills one and starts it again, over and over. In the end it runs.
    fn run<T>(mut self, process: &mut T, kill: fn(&mut T), again: fn(&mut T)) {
        while self.go_on() {
            std::thread::sleep(self.life());
            kill(process);
            self.kills.fetch_add(1, Ordering::Relaxed);
            std::thread::sleep(self.random.between(Duration::ZERO, Duration::from_millis(300)));
            again(process);
        }
    }
}

/// Runs the sender and kills it, over and over. Gives what it said was acknowledged.
fn send(scene: &Scene, targets: &Targets, mut rounds: Rounds<'_>) -> Acknowledged {
    let mut acknowledged = Acknowledged::new();
    while rounds.go_on() {
        let mut child = targets.child(scene.root());
        let output = BufReader::new(child.stdout.take().expect("its output"));
        let life = rounds.life();
        std::thread::scope(|scope| {
            let reading = scope.spawn(|| sender::read(output));
            std::thread::sleep(life);
            assert_eq!(child.try_wait().expect("its state"), None, "the sender ended early");
            kill(&mut child);
            rounds.kills.fetch_add(1, Ordering::Relaxed);
            acknowledged.extend(reading.join().expect("read"));
        });
    }
    acknowledged
}

/// Runs a test of this program that is none of its own, with variables for it.
fn child_process(test: &str, variables: &[(&str, String)]) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command
        .args(["--ignored", "--exact", "--nocapture", test])
        .envs(variables.iter().map(|(name, value)| (*name, value)))
        .stdin(Stdio::null())
        .stderr(Stdio::null());
    command
}

/// As `kill -9` does.
fn kill(child: &mut Child) {
    child.kill().expect("killed");
    child.wait().expect("gone");
}

/// The same each time for a seed.
struct Random(u64);

impl Random {
    fn between(&mut self, from: Duration, to: Duration) -> Duration {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        let part = (mixed >> 40) as f64 / (1 << 24) as f64;
        from + (to - from).mul_f64(part)
    }
}

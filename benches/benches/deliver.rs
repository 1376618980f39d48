//! Delivery: how many records a second a sink ships beside a bare loop that sends the same bytes in the same batches to the
//! same receiver; how long a record takes from its acknowledgement to the receiver at 2,000 a second; and what a sink that
//! is dead costs the others. The receiver is a small HTTP server that unpacks and parses JSON, for syslog rsyslog over TCP.
//!
//! Parts: `rate`, `latency`, `dead`, and the beginning of a target's name: `-- rate Splunk`.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use indelible::AuditLog;
use indelible::sink::{Batch, Delivery, Feed, FileSink, Message, Sink, Syslog};
use indelible_benches::arguments::Arguments;
use indelible_benches::events::Logins;
use indelible_benches::folder::Folder;
use indelible_benches::latency::Latencies;
use indelible_benches::quiet::settle;
use indelible_benches::receiver::{Receiver, keeping_lines, keeping_requests, replay_lines, serve_as_child};
use indelible_benches::rounds::{self, median};
use indelible_benches::rsyslog::Rsyslog;
use indelible_benches::table::{Table, Target as Aim, count, figure, ratio};
use indelible_benches::targets::{TARGETS, Target};
use indelible_benches::{ours, paced};

fn main() {
    serve_as_child();
    let bench = Bench {
        folder: Folder::new("deliver"),
        opened: AtomicU32::new(0),
        logins: Logins::new(),
        arguments: Arguments::read(),
    };
    if bench.wants_part("rate") {
        bench.rates();
    }
    if bench.wants_part("latency") {
        bench.latencies();
    }
    if bench.wants_part("dead") {
        bench.dead();
    }
}

struct Bench {
    folder: Folder,
    /// How many logs were opened.
    opened: AtomicU32,
    logins: Logins,
    arguments: Arguments,
}

impl Bench {
    /// Whether a part is wanted: all are, where none is named.
    fn wants_part(&self, part: &str) -> bool {
        let named = |part: &&str| self.arguments.parts.iter().any(|named| named == *part);
        !PARTS.iter().any(|part| named(&part)) || named(&part)
    }

    /// Whether a target is wanted: all are, where none is named.
    fn wants(&self, target: &str) -> bool {
        let named = self
            .arguments
            .parts
            .iter()
            .filter(|named| !PARTS.contains(&named.as_str()));
        let mut named = named.peekable();
        named.peek().is_none() || named.any(|named| target.starts_with(named.as_str()))
    }

    fn targets(&self) -> impl Iterator<Item = &'static Target> {
        TARGETS.iter().filter(|target| self.wants(target.name))
    }

    /// Records that wait are delivered, as after an outage.
    fn rates(&self) {
        let records = self.arguments.count(30_000, 200_000);
        let log = ours::open(&self.folder, "rate");
        ours::fill(&log, records, |number| self.logins.get(number as usize).event());
        let size = log.state().size;
        let mut table = Table::new(&[
            "target",
            "records a second",
            "MB/s",
            "bare loop",
            "ratio",
            "spread",
            "target of the rate",
        ]);
        let mut rounds = 0;
        for target in self.targets() {
            // One by one takes as long for a tenth.
            let part = if target.name.ends_with("one by one") {
                size / 10
            } else {
                size
            };
            let receiver = Receiver::start(target.answer);
            let deliver = |name: &str, url: String| {
                let feed = target.feed(name, url).from_seq(size - part).without_checkpoints();
                log.add_sink(feed).expect("added");
                log.flush_sinks(LONG).expect("delivered");
            };
            let kept = keeping_requests(target.answer, |url| {
                deliver("kept", url);
                remove(&log, "kept");
            });
            std::fs::remove_file(self.folder.join("rate/sinks/kept.position")).expect("removed");
            let mut pairs = Pairs::default();
            for round in 0..=self.arguments.rounds(5) {
                rounds += 1;
                let name = format!("round-{rounds}");
                let ours = timed(|| deliver(&name, receiver.url()));
                remove(&log, &name);
                let bare = timed(|| receiver.replay(&kept));
                pairs.add(round, part, ours, bare, kept.iter().map(Vec::len).sum());
            }
            let aim = match target.name.starts_with("webhook, lists") {
                true => Aim::AtLeast(50_000.0),
                false => Aim::None,
            };
            table.row(pairs.row(target.name, aim, Aim::AtLeast(0.8)));
        }
        if self.wants("syslog") {
            self.syslog_rate(&log, size, &mut table);
        }
        if self.wants("file") {
            let mut pairs = Pairs::default();
            for round in 0..=self.arguments.rounds(5) {
                let (name, path) = (format!("file-{round}"), self.folder.join("shipped.jsonl"));
                let ours = timed(|| {
                    log.add_sink(Feed::new(&name, FileSink::new(&path)).without_checkpoints())
                        .expect("added");
                    log.flush_sinks(LONG).expect("delivered");
                });
                remove(&log, &name);
                let lines = std::fs::read(&path).expect("read");
                std::fs::remove_file(&path).expect("removed");
                let bare = timed(|| {
                    let mut file = std::fs::File::create(&path).expect("created");
                    for piece in lines.chunks(1 << 20) {
                        std::io::Write::write_all(&mut file, piece).expect("written");
                    }
                });
                std::fs::remove_file(&path).expect("removed");
                pairs.add(round, size, ours, bare, lines.len());
            }
            table.row(pairs.row("file", Aim::None, Aim::None));
        }
        table.print("Records that wait, delivered (medians)");
        ours::close(&log);
    }

    fn syslog_rate(&self, log: &AuditLog, size: u64, table: &mut Table) {
        let Some(rsyslog) = Rsyslog::start(&self.folder) else {
            return;
        };
        let lengths = Lengths::default();
        log.add_sink(Feed::new("lengths", lengths.clone()).without_checkpoints())
            .expect("added");
        log.flush_sinks(LONG).expect("delivered");
        remove(log, "lengths");
        let bytes = *lengths.0.lock().expect("unpoisoned");
        let mut pairs = Pairs::default();
        for round in 0..=self.arguments.rounds(5) {
            rsyslog.empty();
            let (name, port) = (format!("syslog-{round}"), rsyslog.port);
            let ours = timed(|| {
                log.add_sink(syslog(&name, port).without_checkpoints()).expect("added");
                rsyslog.wait_bytes(bytes);
            });
            remove(log, &name);
            // The same bytes, from a sink that writes them to nobody else.
            let kept = keeping_lines(|port| {
                let name = format!("kept-{round}");
                log.add_sink(syslog(&name, port).without_checkpoints()).expect("added");
                log.flush_sinks(LONG).expect("delivered");
                remove(log, &name);
            });
            rsyslog.empty();
            let bare = timed(|| {
                replay_lines(port, &kept, 256 * 1024);
                rsyslog.wait_bytes(bytes);
            });
            pairs.add(round, size, ours, bare, kept.len());
        }
        table.row(pairs.row("syslog over TCP, rsyslog", Aim::None, Aim::AtLeast(0.8)));
    }

    /// From the acknowledgement of a record to its arrival, at a steady rate.
    fn latencies(&self) {
        let mut table = Table::new(&["target", "p50", "p99", "target of p99"]);
        let length = Duration::from_secs(self.arguments.count(1, 5));
        let mut row = |name: &str, mut latencies: Latencies| {
            let (p50, p99) = (
                latencies.quantile_micros(0.5) / 1e3,
                latencies.quantile_micros(0.99) / 1e3,
            );
            let aim = figure(p99, "ms", Aim::AtMost(250.0));
            table.row([name.to_owned(), format!("{p50:.2} ms"), format!("{p99:.2} ms"), aim]);
        };
        for target in self.targets() {
            let mut receiver = Receiver::start(target.answer);
            let log = self.log_of([target.feed("siem", receiver.url())]);
            let acknowledged = paced::append(&log, &self.logins, RATE, length);
            log.flush_sinks(LONG).expect("delivered");
            ours::close(&log);
            row(target.name, paced::latencies(&acknowledged, &receiver.take_arrivals()));
        }
        if self.wants("syslog")
            && let Some(rsyslog) = Rsyslog::start(&self.folder)
        {
            let log = self.log_of([syslog("siem", rsyslog.port)]);
            rsyslog.empty();
            let watching = rsyslog.watch();
            let acknowledged = paced::append(&log, &self.logins, RATE, length);
            ours::close(&log);
            std::thread::sleep(Duration::from_secs(1));
            row(
                "syslog over TCP, rsyslog",
                paced::latencies(&acknowledged, &watching.stop()),
            );
        }
        table.print("From a record's acknowledgement to its arrival, at 2,000 a second");
    }

    /// A sink whose target is not there beside one that is well: what it costs the other one, and the appends.
    fn dead(&self) {
        let mut table = Table::new(&[
            "beside a sink that is",
            "what",
            "with it",
            "without",
            "ratio, target",
            "spread",
        ]);
        for (what, dead) in [
            ("refused", Some(refused as fn() -> Dead)),
            ("left without an answer", Some(hanging)),
            ("not there either: noise", None),
        ] {
            let (mut p99, mut rate) = ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
            // The first one warms up.
            for pair in 0..=self.arguments.count(2, 10) {
                // By turns which one is first.
                for with in [pair % 2 == 0, pair % 2 == 1] {
                    let (found, appended) = self.beside(dead.filter(|_| with));
                    if pair > 0 {
                        p99[usize::from(with)].push(found);
                        rate[usize::from(with)].push(appended);
                    }
                }
            }
            for (of, [without, with], unit, aim) in [
                ("p99 of the other, 2,000 a second", p99, "ms", Aim::AtMost(1.05)),
                ("appends a second, 8 threads", rate, "", Aim::AtLeast(0.95)),
            ] {
                let mut ratios: Vec<f64> = with
                    .iter()
                    .zip(&without)
                    .map(|(with, without)| with / without)
                    .collect();
                ratios.sort_by(f64::total_cmp);
                let spread = format!("{:.2}–{:.2}", ratios[0], ratios[ratios.len() - 1]);
                let print = |figures: &[f64]| match unit {
                    "" => count(median(figures.to_vec())),
                    unit => format!("{:.2} {unit}", median(figures.to_vec())),
                };
                table.row([
                    what.into(),
                    of.into(),
                    print(&with),
                    print(&without),
                    ratio(median(ratios), aim),
                    spread,
                ]);
            }
        }
        table.print("One sink dead (medians of 10 pairs)");
    }

    /// The p99 in milliseconds of a sink that is well, at a steady rate, and the appends a second of 8 threads.
    fn beside(&self, dead: Option<fn() -> Dead>) -> (f64, f64) {
        let target = &TARGETS[0];
        let mut receiver = Receiver::start(target.answer);
        let dead = dead.map(|start| start());
        let feeds = dead.iter().map(|dead| target.feed("dead", dead.url.clone()));
        let log = self.log_of(feeds.chain([target.feed("siem", receiver.url())]));
        settle();
        let length = Duration::from_millis(self.arguments.count(300, 8000));
        let acknowledged = paced::append(&log, &self.logins, RATE, length);
        while log.state().sinks.last().is_some_and(|sink| sink.lag_records > 0) {
            std::thread::sleep(Duration::from_millis(1));
        }
        let mut latencies = paced::latencies(&acknowledged, &receiver.take_arrivals());
        let append = |at: &mut usize| {
            *at += 1;
            log.append(self.logins.get(*at).event()).expect("a receipt");
        };
        settle();
        let length = Duration::from_millis(self.arguments.count(300, 2000));
        let round = rounds::run(8, length, |thread| thread * 512, append);
        log.close(Duration::from_secs(1)).expect("closed");
        (latencies.quantile_micros(0.99) / 1e3, round.rate)
    }

    /// A new log that delivers.
    fn log_of(&self, feeds: impl IntoIterator<Item = Feed>) -> AuditLog {
        let number = self.opened.fetch_add(1, Ordering::Relaxed);
        let folder = self.folder.join(&format!("log-{number}"));
        std::fs::create_dir(&folder).expect("a folder");
        let log = ours::open_in(&folder, "log");
        feeds.into_iter().for_each(|feed| log.add_sink(feed).expect("added"));
        log
    }
}

/// A target that is dead, until this is dropped.
struct Dead {
    url: String,
    _listener: Option<std::net::TcpListener>,
}

/// Nobody listens there.
fn refused() -> Dead {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    Dead {
        url: format!("http://127.0.0.1:{port}/"),
        _listener: None,
    }
}

/// Nobody answers there.
fn hanging() -> Dead {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    Dead {
        url: format!("http://127.0.0.1:{port}/"),
        _listener: Some(listener),
    }
}

/// Ours and the bare loop by turns.
#[derive(Default)]
struct Pairs {
    ours: Vec<f64>,
    bare: Vec<f64>,
    bytes: Vec<f64>,
}

impl Pairs {
    /// The first one warms up.
    fn add(&mut self, round: usize, records: u64, ours: Duration, bare: Duration, bytes: usize) {
        if round > 0 {
            self.ours.push(records as f64 / ours.as_secs_f64());
            self.bare.push(records as f64 / bare.as_secs_f64());
            self.bytes.push(bytes as f64 / 1e6 / ours.as_secs_f64());
        }
    }

    fn row(self, name: &str, rate: Aim, of_bare: Aim) -> [String; 7] {
        let mut ratios: Vec<f64> = self
            .ours
            .iter()
            .zip(&self.bare)
            .map(|(ours, bare)| ours / bare)
            .collect();
        ratios.sort_by(f64::total_cmp);
        let ours = median(self.ours);
        [
            name.into(),
            count(ours),
            count(median(self.bytes)),
            count(median(self.bare)),
            ratio(median(ratios.clone()), of_bare),
            format!("{:.2}–{:.2}", ratios[0], ratios[ratios.len() - 1]),
            figure(ours, "", rate),
        ]
    }
}

/// Adds up how long the messages are, each with a line end.
#[derive(Debug, Clone, Default)]
struct Lengths(Arc<Mutex<u64>>);

impl Sink for Lengths {
    fn deliver(&mut self, batch: &Batch<'_>) -> Delivery {
        let length = |message: &Message| message.text().len() as u64 + 1;
        *self.0.lock().expect("unpoisoned") += batch.messages.iter().map(length).sum::<u64>();
        Delivery::Delivered
    }
}

fn syslog(name: &str, port: u16) -> Feed {
    Feed::new(
        name,
        Syslog::tcp("127.0.0.1", port)
            .message_bytes_max(128 * 1024)
            .app_name("bench"),
    )
}

fn remove(log: &AuditLog, name: &str) {
    log.remove_sink(name, Duration::from_secs(10)).expect("removed");
}

fn timed(what: impl FnOnce()) -> Duration {
    let began = Instant::now();
    what();
    began.elapsed()
}

const PARTS: [&str; 3] = ["rate", "latency", "dead"];

const RATE: u32 = 2000;

const LONG: Duration = Duration::from_secs(60);

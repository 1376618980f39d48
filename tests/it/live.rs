//! Verification in a loop beside a writer that rolls segments, erases, purges and changes its key: always sound, and
//! never behind what was acknowledged before it began.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use indelible::store::{Opened, Opening};
use indelible::{Actor, AuditLog, Cause, Event, FileStore, MemoryStore, Origin, Store, Verifier, action};
use tempfile::TempDir;

use crate::rules::kinds;
use crate::scribe::{ORIGIN, Scribe, key, vkey};

const RUN_TIME: Duration = Duration::from_secs(5);

fn event(number: u64) -> Event {
    Event::new(action::AUTH_LOGIN_SUCCEEDED).actor(Actor::user(format!("usr_{number}")).email("alice@example.com"))
}

/// Writes until it is told to stop. `acknowledged` says how many records there are at least.
fn write(log: &AuditLog, stop: &AtomicBool, acknowledged: &AtomicU64) {
    let mut newest_key = 1;
    for round in 0_u64.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let receipts: Vec<_> = (0..8).map(|number| log.submit(event(number)).unwrap()).collect();
        let last = receipts
            .into_iter()
            .map(|ticket| ticket.wait().unwrap())
            .last()
            .unwrap();
        acknowledged.store(last.seq + 1, Ordering::SeqCst);
        let first = last.seq.saturating_sub(40);
        // Not even a host in memory purges faster than a verifier reads.
        thread::sleep(Duration::from_micros(500));
        match round % 8 {
            2 => drop(
                log.erase_records([first..=first + 3, first + 6..=first + 9], "test")
                    .unwrap(),
            ),
            4 => drop(log.erase_personal_data([first..=first + 20], "test").unwrap()),
            6 => drop(log.purge(last.seq.saturating_sub(200)).unwrap()),
            #[cfg(feature = "compress")]
            1 | 5 => drop(log.compress(last.seq.saturating_sub(60)).unwrap()),
            7 if newest_key < 200 && round % 32 == 7 => {
                newest_key += 1;
                log.rotate_key(key(newest_key)).unwrap();
            }
            _ => {}
        }
    }
}

fn verify_beside_a_writer(
    store: impl Store + Clone,
    verify: impl Fn(&Verifier) -> indelible::Result<indelible::Report>,
) {
    let log = AuditLog::builder(ORIGIN)
        .signer(key(1))
        .without_checkpoint_file()
        .open(store)
        .unwrap();
    let (stop, acknowledged) = (AtomicBool::new(false), AtomicU64::new(0));
    let verifier = Verifier::new(vkey(1)).threads(2);
    let (mut runs, mut purged) = (0, 0);
    thread::scope(|scope| {
        scope.spawn(|| write(&log, &stop, &acknowledged));
        let began = Instant::now();
        while began.elapsed() < RUN_TIME {
            let (size, trusted) = (acknowledged.load(Ordering::SeqCst), log.checkpoint().unwrap());
            let report = verify(&verifier.clone().trusted(trusted));
            if !report
                .as_ref()
                .is_ok_and(|report| report.is_sound() && report.size >= size)
            {
                stop.store(true, Ordering::SeqCst);
            }
            let report = report.unwrap();
            assert!(report.is_sound(), "after {runs} runs: {report}");
            assert!(report.size >= size, "{size}: {report}");
            runs += 1;
            purged += u64::from(report.first > 0);
        }
        stop.store(true, Ordering::SeqCst);
    });
    log.close(Duration::from_secs(10)).unwrap();
    let report = verify(&verifier).unwrap();
    assert!(report.is_sound(), "{report}");
    assert!(runs > 10 && purged > 0, "{runs} runs, {purged} of a purged log");
    println!("{runs} runs beside a writer of {} records", report.size);
}

#[test]
fn files() {
    let folder = TempDir::new().unwrap();
    let store = FileStore::new(folder.path()).segment_size(8 * 1024);
    verify_beside_a_writer(store, |verifier| verifier.verify_dir(folder.path()));
}

#[test]
fn memory() {
    let store = MemoryStore::new().segment_size(8 * 1024);
    verify_beside_a_writer(store.clone(), |verifier| verifier.verify_store(&store));
}

/// A writer that has the log and writes nothing.
fn hold(folder: &Path) -> Opened {
    let (origin, vkey) = (Origin::new(ORIGIN).unwrap(), vkey(1));
    let opening = Opening {
        origin: &origin,
        vkey: &vkey,
        wait: Duration::ZERO,
        accept: &|_| Ok(()),
    };
    FileStore::new(folder).space_ahead(false).open(&opening).unwrap()
}

/// A log in files whose last segment a test writes anew, again and again.
struct Tail {
    folder: TempDir,
    log: Scribe,
}

impl Tail {
    fn new() -> Self {
        let mut log = Scribe::new();
        for _ in 0..3 {
            log.hosts(2);
            log.commit();
            log.seal();
        }
        log.host();
        log.commit();
        let folder = TempDir::new().unwrap();
        log.write(folder.path());
        Self { folder, log }
    }

    fn write(&self, segment: usize, content: &str) {
        let name = format!("segments/{:020}.jsonl", self.log.segments[segment].0);
        fs::write(self.folder.path().join(name), content).unwrap();
    }

    /// The size and the findings once this is the last segment.
    fn verify(&self, last: &str) -> (u64, Vec<&'static str>) {
        self.write(3, last);
        let report = Verifier::new(vkey(1)).verify_dir(self.folder.path()).unwrap();
        (
            report.size,
            report.findings.iter().map(|finding| finding.kind.as_str()).collect(),
        )
    }
}

/// Beside a writer the run ends with the newest whole commit: what follows is let be, and judged once the writer is
/// gone. What stands before is judged as ever.
#[test]
fn what_follows_the_newest_commit() {
    let tail = Tail::new();
    let writer = hold(tail.folder.path());
    let content = tail.log.segments[3].1.clone();
    let mut longer = tail.log.clone();
    longer.host();
    let unsigned = longer.segments[3].1.clone();
    for end in [
        "",
        "{\"event\":{\"act",
        "{\"event\":{\"action\":\"a\"},\n",
        "\0\0\0\0",
        "\n\n\n",
        "\0\0x\n",
    ] {
        assert_eq!(tail.verify(&format!("{content}{end}")), (8, vec![]), "{end:?}");
        assert_eq!(tail.verify(&format!("{unsigned}{end}")), (8, vec![]), "{end:?}");
    }
    // A segment that has no commit yet.
    assert_eq!(tail.verify(content.lines().next().unwrap()), (7, vec![]));
    assert_eq!(tail.verify(""), (7, vec![]));
    drop(writer);
    assert_eq!(
        tail.verify(&format!("{content}{{\"event\":{{\"act")),
        (8, vec!["unsigned_tail"])
    );
    assert_eq!(tail.verify(&unsigned), (8, vec!["unsigned_tail"]));
    assert_eq!(tail.verify(&content), (8, vec![]));
}

/// A writer's lock hides nothing but what follows the newest commit.
#[test]
fn what_does_not_follow_it() {
    let tail = Tail::new();
    let _writer = hold(tail.folder.path());
    let content = tail.log.segments[3].1.clone();
    // An old checkpoint behind the newest one does not make the log end there, nor does one of a size that no log has.
    let old = tail.log.segments[1].1.lines().last().unwrap();
    assert_eq!(tail.verify(&format!("{content}{old}\n")).1, ["malformed", "wrong_root"]);
    let beyond = content
        .lines()
        .last()
        .unwrap()
        .replace("audit\\n8\\n", "audit\\n900\\n");
    assert_eq!(
        tail.verify(&format!("{content}{beyond}\n")).1,
        ["malformed", "bad_signature", "wrong_root"]
    );
    assert!(!tail.verify(&format!("{content}{{\"checkpoint\":\"\"}}\n")).1.is_empty());
    tail.write(0, &tail.log.segments[0].1.replace("Alice", "Mallory"));
    assert!(tail.verify(&content).1.contains(&"broken_link"));
}

/// A repeated checkpoint does not end the run: what stands before it is read, or told not to be.
#[test]
fn a_repeated_checkpoint_hides_nothing() {
    let mut tail = Tail::new();
    let older = tail.log.segments[2].1.lines().last().unwrap().to_owned();
    let old = tail.log.segments[3].1.lines().last().unwrap().to_owned();
    tail.log.host();
    tail.log.commit();
    let content = tail.log.segments[3].1.clone();
    let new = content.lines().last().unwrap().to_owned();
    tail.write(3, &content);
    let _writer = hold(tail.folder.path());
    assert_eq!(tail.verify(&content), (9, vec![]));
    assert_eq!(tail.verify(&format!("{content}{old}\n")).1, ["malformed"]);
    assert_eq!(tail.verify(&format!("{content}{new}\n")).1, ["malformed"]);
    // Of the size at which the last segment begins.
    let finds = tail.verify(&format!("{content}{older}\n")).1;
    assert_eq!(finds, ["malformed", "wrong_root"]);
    let changed = content.replace("\"seq\":8}", "\"seq\":88}");
    for end in [&older, &old, &new] {
        assert!(!tail.verify(&format!("{changed}{end}\n")).1.is_empty(), "{end}");
    }
}

/// A checkpoint of no record, or of none that is retained, is a finding and no reason not to verify the rest.
#[test]
fn a_checkpoint_of_nothing_ends_no_run() {
    let mut log = Scribe::new();
    let mut nothing = Scribe::empty();
    nothing.commit();
    let line = nothing.segments[0].1.lines().last().unwrap().to_owned();
    let folder = TempDir::new().unwrap();
    log.write(folder.path());
    let _writer = hold(folder.path());
    log.text().push_str(&format!("{line}\n"));
    log.write(folder.path());
    let report = Verifier::new(vkey(1)).verify_dir(folder.path()).unwrap();
    assert!(kinds(&report).contains(&"malformed"), "{report}");
}

/// A log that its writer has just begun is not broken: there is nothing to verify yet.
#[test]
fn a_log_without_a_commit_yet() {
    let folder = TempDir::new().unwrap();
    let writer = hold(folder.path());
    let mut log = Scribe::empty();
    log.write(folder.path());
    let verify = || Verifier::new(vkey(1)).verify_dir(folder.path());
    assert!(matches!(verify().unwrap_err().cause(), Cause::Configuration { .. }));
    log.record(
        "audit_log.created",
        &format!(r#"{{"format":1,"origin":"{ORIGIN}","vkey":"{}"}}"#, vkey(1)),
    );
    log.write(folder.path());
    assert!(matches!(verify().unwrap_err().cause(), Cause::Configuration { .. }));
    log.text().push_str("{}\n");
    log.write(folder.path());
    assert!(kinds(&verify().unwrap()).contains(&"malformed"));
    drop(writer);
    Scribe::empty().write(folder.path());
    assert_eq!(kinds(&verify().unwrap()), ["missing_records"]);
}

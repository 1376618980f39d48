//! Queries and counts beside appends, erasures, purges, a retention and compression in other threads: what none of them
//! touches is found as by a plain reading, on each page once.

use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use indelible::export::Format;
use indelible::retention::{Period, Retention, Rule};
use indelible::store::Store;
use indelible::{AuditLog, Export, FileStore, LogReader, MemoryStore, Query, Signer};
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::*;
use crate::clock::Hand;
use crate::oracle;

/// What the threads share.
struct World {
    log: AuditLog,
    clock: Hand,
    /// The records that nothing but a purge touches, and of the others those that may be erased.
    kept: Mutex<Plain>,
    touched: Mutex<Vec<u64>>,
    /// Records before this one may be purged.
    line: AtomicU64,
    done: AtomicBool,
}

impl World {
    /// Does something until the end. Gives how often.
    fn until_done(&self, pause: Duration, mut step: impl FnMut(u64)) -> u64 {
        for round in 0.. {
            if self.done.load(Ordering::SeqCst) {
                return round;
            }
            step(round);
            thread::sleep(pause);
        }
        unreachable!("it has an end")
    }

    /// Appends one record that is kept, one that may be erased, and one that the retention erases.
    fn append(&self, round: u64) {
        let kept = self.log.append(event(round).source(KEPT)).expect("recorded").seq;
        let record = self.log.reader().record(kept).expect("a record");
        let json = record.merged_json().expect("whole");
        let event_of = serde_json::from_str(&json).expect("JSON");
        let recorded_at = record.recorded_at().expect("a time").to_string();
        let row = (kept, Some(event_of), recorded_at, false);
        self.kept.lock().expect("unpoisoned").0.push(row);
        let touched = self
            .log
            .append(event(round + 1).source("touched"))
            .expect("recorded")
            .seq;
        self.touched.lock().expect("unpoisoned").push(touched);
        let over = event(round + 2).source("touched").tenant("org_over");
        self.log.append(over).expect("recorded");
        self.clock.forward(Duration::from_secs(600));
    }

    fn erase(&self, round: u64) {
        let touched: Vec<u64> = self.touched.lock().expect("unpoisoned").drain(..).collect();
        let ranges: Vec<_> = touched.into_iter().map(|seq| seq..=seq).collect();
        match round % 2 {
            0 => self.log.erase_records(ranges, "test").map(drop),
            _ => self.log.erase_personal_data(ranges, "test").map(drop),
        }
        .expect("erased");
    }

    fn retain(&self) {
        let period = Period::days(1).expect("a period");
        let retention = Retention::keep_forever().rule(Rule::keep(period).tenant("org_over"));
        self.log.apply_retention(&retention).expect("applied");
    }

    fn purge(&self) {
        self.log.purge(self.line.load(Ordering::SeqCst)).expect("purged");
        #[cfg(feature = "compress")]
        self.log.compress(u64::MAX).expect("compressed");
    }

    /// What is kept of the records that are there for sure, and their range.
    fn plain(&self) -> (Plain, std::ops::Range<u64>) {
        let kept = self.kept.lock().expect("unpoisoned");
        let size = kept.0.last().map_or(0, |(seq, ..)| seq + 1);
        let from = size.saturating_sub(REACH);
        self.line.fetch_max(from, Ordering::SeqCst);
        let rows = kept.0.iter().filter(|(seq, ..)| *seq >= from);
        let rows = rows.map(|(seq, event, at, is_without)| (*seq, event.clone(), at.clone(), *is_without));
        (Plain(rows.collect()), from..size)
    }
}

/// Asks both ways: for what is kept alone, which is all of it, and for whatever is there.
fn ask(world: &World, reader: &LogReader, parameters: &[Parameter], limit: usize, field: &str, seconds: u64) {
    let url = url(parameters);
    let Ok(query) = Query::parse(&url) else { return };
    let (plain, range) = world.plain();
    let parameters = &merged(parameters);
    let mut expected = plain.matching(parameters);
    let kept = Query::parse(&format!("{url}&source={KEPT}"))
        .expect("a query")
        .seq_from(range.start)
        .seq_to(range.end);
    let by = CountBy::new()
        .field(field.parse().expect("a field"))
        .every(Bucket::every(Duration::from_secs(seconds)));
    let counts = reader.count(&kept, &by).expect("counts");
    let groups = counts.groups.into_iter();
    let groups: Groups = groups
        .map(|group| ((group.start, group.value), group.records))
        .collect();
    assert_eq!(groups, plain.counts(parameters, Some(field), Some(seconds)), "{kept}");
    assert_eq!(counts.total, expected.len() as u64, "{kept}");
    for order in [Order::OldestFirst, Order::NewestFirst] {
        let exact = found(reader, &kept.clone().order(order).limit(limit), parameters);
        assert_eq!(exact, expected, "{kept} {order:?}");
        let found = found(reader, &query.clone().order(order).limit(limit.max(20)), parameters);
        let step = |pair: &[u64]| match order {
            Order::OldestFirst => pair[0] < pair[1],
            Order::NewestFirst => pair[0] > pair[1],
        };
        assert!(
            found.windows(2).all(step),
            "repeated or out of order: {query} {order:?}: {found:?}"
        );
        let found: BTreeSet<u64> = found.into_iter().collect();
        let missed: Vec<_> = expected.iter().filter(|seq| !found.contains(seq)).collect();
        assert!(
            missed.is_empty(),
            "{query} {order:?}: {missed:?} of {range:?} are missed"
        );
        expected.reverse();
    }
}

/// What is found on all pages, each of which is asked for.
fn found(reader: &LogReader, query: &Query, parameters: &[Parameter]) -> Vec<u64> {
    let pages = all(reader, query);
    let found = pages.iter().flat_map(|page| &page.found);
    found
        .map(|found| {
            let json = found.record.merged_json().expect("it is not erased");
            let event = serde_json::from_str(&json).expect("JSON");
            let at = found.record.recorded_at().expect("a time").to_string();
            assert!(matches(&event, &at, parameters), "{query}: {json}");
            found.record.seq()
        })
        .collect()
}

fn beside<S: Store + Clone>(store: &S) {
    let (clock, signer) = (Hand::new(), TestSigner::new());
    let log = in_memory(&signer)
        .clock(clock.clone())
        .open(store.clone())
        .expect("opens");
    let world = World {
        log,
        clock,
        kept: Mutex::new(Plain(Vec::new())),
        touched: Mutex::default(),
        line: AtomicU64::new(0),
        done: AtomicBool::new(false),
    };
    (0..100).for_each(|round| world.append(round));
    let strategy = (
        prop::collection::vec(parameter(), 0..3),
        prop::sample::select(vec![1_usize, 7, 30, 1000]),
        prop::sample::select(vec!["event_type", "tenant_id", "actor_id", "metadata.flags"]),
        prop::sample::select(vec![7_u64, 60]),
    );
    let readers = [world.log.reader(), LogReader::new(store.clone())];
    let millis = Duration::from_millis;
    let asked = thread::scope(|scope| {
        let workers = [
            scope.spawn(|| world.until_done(millis(1), |round| world.append(100 + round))),
            scope.spawn(|| world.until_done(millis(7), |round| world.erase(round))),
            scope.spawn(|| world.until_done(millis(30), |_| world.retain())),
            scope.spawn(|| world.until_done(millis(20), |_| world.purge())),
        ];
        let asked = catch_unwind(AssertUnwindSafe(|| {
            let (began, mut runner, mut asked) = (Instant::now(), TestRunner::default(), 0);
            let is_purged = || readers[0].first().expect("readable") > Some(0);
            // A busy machine takes longer to come to a purge.
            while began.elapsed() < RUN_TIME || began.elapsed() < SOON && !(asked > 10 && is_purged()) {
                let tree = strategy.new_tree(&mut runner).expect("a case");
                let (parameters, limit, field, seconds) = tree.current();
                ask(&world, &readers[asked % 2], &parameters, limit, field, seconds);
                asked += 1;
            }
            asked
        }));
        world.done.store(true, Ordering::SeqCst);
        let counts = workers.map(|worker| worker.join().expect("no breach"));
        assert!(counts.iter().all(|count| *count > 0), "{counts:?}");
        asked.unwrap_or_else(|panic| resume_unwind(panic))
    });
    world.log.close(SOON).expect("closed");
    let sound = oracle::check(store, signer.vkey());
    assert!(asked > 10 && sound.first > 0, "{asked} asked, {} purged", sound.first);
    assert!(sound.records.iter().any(|record| record.event.is_null()));
}

#[test]
fn queries_and_counts_stay_right_beside_all_that_changes_a_log_in_files() {
    let scene = Scene::new();
    beside(&FileStore::new(scene.folder()).segment_size(30_000));
}

#[test]
fn queries_and_counts_stay_right_beside_all_that_changes_a_log_in_memory() {
    beside(&MemoryStore::new().segment_size(30_000));
}

/// Does something when the first bytes of an export are handed on.
struct Meanwhile<'a>(Option<&'a dyn Fn()>);

impl Write for Meanwhile<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.take().iter().for_each(|act| act());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The segment is replaced while its index is in use: what the index says of places in it is not looked for in the new one.
#[test]
fn an_erasure_hides_nothing_else_from_an_export_that_is_under_way() {
    let scene = Scene::new();
    let log = scene
        .builder()
        .open(scene.store().segment_size(600_000))
        .expect("opens");
    let mut wanted = Vec::new();
    while scene.segment_files().len() < 3 {
        let tickets: Vec<_> = (0..164_u64)
            .map(|number| {
                let event = match number % 41 {
                    0 => large("wanted", 30_000),
                    _ => login(number),
                };
                log.submit(event).expect("room")
            })
            .collect();
        let seqs: Vec<u64> = tickets
            .into_iter()
            .map(|ticket| ticket.wait().expect("recorded").seq)
            .collect();
        wanted.extend(seqs.into_iter().step_by(41));
    }
    indexed(&scene);
    let segments = scene.segment_files();
    let second: u64 = segments[1]
        .file_stem()
        .and_then(|name| name.to_str()?.parse().ok())
        .expect("a seq");
    let query = Query::new().actor_id("usr_wanted").action("auth.login.succeeded");
    let reader = log.reader();
    assert_eq!(
        all(&reader, &query).iter().map(|page| page.found.len()).sum::<usize>(),
        wanted.len()
    );
    // Each erasure moves all that stands behind it by some bytes; one of eight places is known.
    for shift in 0..8 {
        let seq = second + 1 + shift;
        let act = || drop(log.erase_personal_data([seq..=seq], "test").expect("erased"));
        let export = Export::new(query.clone()).format(Format::Json);
        let exported = reader.export(&export, &mut Meanwhile(Some(&act))).expect("exported");
        assert_eq!(exported.records, wanted.len() as u64, "{seq}");
        assert!(!wanted.contains(&seq));
        indexed(&scene);
        all(&reader, &query);
    }
    log.close(SOON).expect("closed");
}

const KEPT: &str = "kept";

/// So many records are asked about.
const REACH: u64 = 400;

const RUN_TIME: Duration = Duration::from_secs(4);

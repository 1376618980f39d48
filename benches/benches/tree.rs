//! The tree: what it costs an append, and how long a proof takes from a large log.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::time::Instant;

use indelible::hash::Hash;
use indelible::merkle::Tree;
use indelible::{Actor, Event, FileStore, LogReader, action};
use indelible_benches::arguments::Arguments;
use indelible_benches::folder::Folder;
use indelible_benches::latency::Latencies;
use indelible_benches::ours;
use indelible_benches::rounds::median;
use indelible_benches::table::{Table, Target, count, figure};

fn main() {
    let arguments = Arguments::read();
    let mut table = Table::new(&["what", "p50", "p99", "target"]);
    if arguments.wants("push") {
        push(&arguments, &mut table);
    }
    if arguments.wants("proof") {
        proofs(&arguments, &mut table);
    }
    table.print("The tree");
}

/// What the log does for the tree with each record: the leaf, the nodes that are complete with it, and 32 bytes of the
/// cache's file, written each time that the log has grown by 512 KiB.
fn push(arguments: &Arguments, table: &mut Table) {
    let folder = Folder::new("tree-push");
    let leaves: Vec<Hash> = (0..1_000_000u64)
        .map(|number| Hash::of(&number.to_be_bytes()))
        .collect();
    let cost = |cache: Option<&File>| {
        let (mut tree, mut pending) = (Tree::new(), Vec::new());
        let (began, mut written) = (Instant::now(), 0);
        for leaf in &leaves {
            tree.push(*leaf);
            pending.extend_from_slice(leaf.as_bytes());
            if pending.len() == 32 * RECORDS_A_WRITE {
                if let Some(cache) = cache {
                    cache.write_all_at(&pending, written).expect("write the cache");
                }
                written += pending.len() as u64;
                pending.clear();
            }
        }
        let nanos = began.elapsed().as_nanos() as f64;
        std::hint::black_box(tree.root());
        nanos / leaves.len() as f64
    };
    let file = File::create(folder.join("cache")).expect("create the cache");
    let rounds = arguments.rounds(9);
    let alone = median((0..rounds).map(|_| cost(None)).collect());
    let cached = median((0..rounds).map(|_| cost(Some(&file))).collect());
    table.row([
        "an append: nodes".into(),
        format!("{alone:.0} ns"),
        String::new(),
        String::new(),
    ]);
    let target = figure(cached, "ns", Target::AtMost(600.0));
    table.row([
        "an append: nodes and cache".into(),
        format!("{cached:.0} ns"),
        String::new(),
        target,
    ]);
}

fn proofs(arguments: &Arguments, table: &mut Table) {
    let folder = Folder::new("tree-proof");
    let log = ours::open(&folder, "ours");
    let records = arguments.count(200_000, 10_000_000);
    let began = Instant::now();
    ours::fill(&log, records, |_| {
        Event::new(action::AUTH_LOGIN_SUCCEEDED).actor(Actor::user("usr_1"))
    });
    let size = log.state().size;
    eprintln!(
        "{} records in {:.0} s",
        count(size as f64),
        began.elapsed().as_secs_f64()
    );
    let reader = LogReader::new(FileStore::new(folder.join("ours")));
    let proofs = arguments.count(500, 5000);
    let mut prove = |name: &str, prove: &dyn Fn(u64)| {
        let mut latencies = Latencies::new();
        for number in 0..proofs {
            let seq = random(number) % size;
            let began = Instant::now();
            prove(seq);
            latencies.push(began.elapsed());
        }
        let (p50, p99) = (latencies.quantile_micros(0.5), latencies.quantile_micros(0.99));
        let target = figure(p99 / 1000.0, "ms", Target::AtMost(1.0));
        table.row([
            format!("{name} of {} records", count(size as f64)),
            format!("{p50:.0} µs"),
            format!("{p99:.0} µs"),
            target,
        ]);
    };
    // The pages that a proof takes are met for the first time.
    prove("a first proof by a reader", &|seq| {
        reader.prove(seq).expect("a proof");
    });
    prove("a proof by a reader", &|seq| {
        reader.prove(seq).expect("a proof");
    });
    prove("a proof by the writer's log", &|seq| {
        log.prove(seq).expect("a proof");
    });
    ours::close(&log);
}

fn random(number: u64) -> u64 {
    let mixed = (number + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed ^ (mixed >> 31)).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 16
}

/// Of about 760 bytes each.
const RECORDS_A_WRITE: usize = 512 * 1024 / 760;

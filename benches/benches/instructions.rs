use indelible::merkle::Tree;
use indelible::{Checkpoint, Signer, SigningKey};
use indelible_benches::events::{Logins, ORIGIN};
use indelible_benches::nowhere;
use std::hint::black_box;
use std::time::Instant;
fn time(name: &str, n: usize, mut f: impl FnMut(usize)) {
    for _ in 0..2 {
        let t = Instant::now();
        for i in 0..n {
            f(i)
        }
        println!("{name} {:.0} ns", t.elapsed().as_nanos() as f64 / n as f64);
    }
}
fn main() {
    let logins = Logins::new();
    let key = SigningKey::generate(ORIGIN.parse().unwrap()).unwrap();
    time("build+drop", 200000, |i| {
        let _ = black_box(logins.get(i).event());
    });
    let events: Vec<_> = (0..1000).map(|i| logins.get(i).event()).collect();
    time("check", 200000, |i| {
        black_box(events[i % 1000].check()).unwrap();
    });
    time("sign", 20000, |i| {
        black_box(key.sign(&[i as u8; 80])).unwrap();
    });
    let sig = key.sign(b"abc").unwrap();
    time("verify", 20000, |_| {
        black_box(key.vkey().verify(b"abc", &sig));
    });
    let tree = Tree::new();
    time("checkpoint sign", 20000, |i| {
        let c = Checkpoint::new(ORIGIN.parse().unwrap(), i as u64, tree.root()).unwrap();
        black_box(c.sign(&[&key])).unwrap();
    });
    let data = vec![7u8; 600];
    time("sha 600", 200000, |_| {
        black_box(indelible::Hash::of(black_box(&data)));
    });
    let h = indelible::Hash::ZERO;
    time("node", 200000, |_| {
        black_box(indelible::hash::node(black_box(&h), &h));
    });
    time("id hash", 200000, |_| {
        black_box(indelible::Hash::of(black_box(&data[..36])));
    });
    time("getpid", 200000, |_| {
        black_box(std::process::id());
    });
    time("now", 200000, |_| {
        black_box(std::time::SystemTime::now());
    });
    let log = nowhere::open();
    time("append nowhere", 50000, |i| {
        black_box(log.append(logins.get(i).event())).unwrap();
    });
}

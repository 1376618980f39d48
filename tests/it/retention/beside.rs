//! Retention beside appends and queries.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use indelible::store::Store;
use indelible::{Actor, Cause, Clock, Event, FileStore, LogReader, MemoryStore, Query, Signer, action};

use super::{DAY, Taken, now, retention};
use crate::clock::Hand;
use crate::oracle;
use crate::scene::*;

/// Asks for what is left of each actor, and never finds anything else. A plan is never in the way of a purge.
fn ask(reader: &LogReader, clock: &Hand, done: &AtomicBool) -> u64 {
    let mut asked = 0;
    while !done.load(Ordering::SeqCst) {
        let query = Query::new().tenant("org_1").action("auth.login.failed").limit(50);
        match reader.query(&query) {
            Ok(page) => {
                for found in page.found {
                    let json = found.to_json().expect("whole");
                    assert!(
                        json.contains("\"org_1\"") && json.contains("auth.login.failed"),
                        "{json}"
                    );
                }
            }
            Err(error) => assert!(matches!(error.cause(), Cause::NoRecord { .. }), "{error}"),
        }
        reader.plan_retention(&retention(), clock.now()).expect("a plan");
        asked += 1;
    }
    asked
}

fn beside<S: Store + Clone>(store: &S) {
    let (clock, signer) = (Hand::new(), TestSigner::new());
    let log = in_memory(&signer)
        .clock(clock.clone())
        .open(store.clone())
        .expect("opens");
    let done = Arc::new(AtomicBool::new(false));
    let appenders: Vec<_> = ["org_1", "org_2"]
        .into_iter()
        .map(|tenant| {
            let (log, clock) = (log.clone(), clock.clone());
            std::thread::spawn(move || {
                let mut taken = Vec::new();
                for _ in 0..500 {
                    let event = Event::new(action::AUTH_LOGIN_FAILED).actor(Actor::user("usr_1"));
                    taken.push((log.append(event.tenant(tenant)).expect("recorded").seq, tenant));
                    clock.forward(DAY / 8);
                }
                taken
            })
        })
        .collect();
    let asker = {
        let (reader, clock, done) = (LogReader::new(store.clone()), clock.clone(), Arc::clone(&done));
        std::thread::spawn(move || ask(&reader, &clock, &done))
    };
    while !appenders.iter().all(std::thread::JoinHandle::is_finished) {
        std::thread::sleep(Duration::from_millis(15));
        log.apply_retention(&retention()).expect("applied");
    }
    done.store(true, Ordering::SeqCst);
    assert!(within(SOON, "the queries", move || asker.join()).expect("no breach") > 0);
    let taken: Vec<_> = appenders
        .into_iter()
        .flat_map(|appender| within(SOON, "an append", move || appender.join()).expect("no breach"))
        .collect();
    log.apply_retention(&retention()).expect("applied");
    let at = now(&clock);
    let reader = log.reader();
    let mut found = BTreeSet::new();
    for (seq, tenant) in &taken {
        let Ok(record) = reader.record(*seq) else { continue };
        if let Some(recorded_at) = record.recorded_at() {
            found.insert(*seq);
            let record = Taken {
                seq: *seq,
                tenant,
                at: recorded_at,
            };
            assert!(!record.is_over(at), "{record:?} at {at}");
        }
    }
    // A query says the same as what was just read one by one.
    let mut answered = BTreeSet::new();
    let mut query = Query::new().action("auth.login.failed").limit(1_000);
    loop {
        let page = reader.query(&query).expect("an answer");
        answered.extend(page.found.iter().map(|found| found.record.seq()));
        let Some(next) = page.next else { break };
        query = query.after(next);
    }
    assert_eq!(answered, found);
    assert!(
        !found.is_empty() && found.len() < taken.len(),
        "{} of {}",
        found.len(),
        taken.len()
    );
    log.close(SOON).expect("closed");
    oracle::check(store, signer.vkey());
}

#[test]
fn beside_appends_and_queries() {
    let scene = Scene::new();
    beside(&FileStore::new(scene.folder()).segment_size(20_000));
    beside(&MemoryStore::new().segment_size(20_000));
}

//! Cursors: whatever text comes back as one is refused, or leads to records that the query asks for, from its place on.

#![no_main]

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use indelible::{Actor, AuditLog, Cause, Event, Hash, LogReader, MemoryStore, Query, SigningKey, Timestamp, action};
use libfuzzer_sys::fuzz_target;

/// A log with purged and erased records, and when each of the others happened, in microseconds.
static LOG: LazyLock<(LogReader, Vec<(u64, i64)>)> = LazyLock::new(|| {
    let key = SigningKey::from_seed("fuzz.example.com/audit".parse().expect("an origin"), &[1; 32]).expect("a key");
    let store = MemoryStore::new().segment_size(4_000);
    let builder = AuditLog::builder("fuzz.example.com/audit")
        .signer(key)
        .without_checkpoint_file();
    let log = builder.open(store.clone()).expect("a log in memory");
    for number in 0..30 {
        let event = Event::new(action::AUTH_LOGIN_FAILED).actor(Actor::user(format!("usr_{}", number % 3)));
        log.append(event).expect("recorded");
    }
    log.erase_records([12..=14, 20..=20], "fuzz").expect("erased");
    assert!(log.purge(9).expect("purged") > 0);
    log.close(std::time::Duration::from_secs(60)).expect("closed");
    let reader = LogReader::new(store);
    let mut times = Vec::new();
    for record in reader
        .records(..)
        .expect("readable")
        .map(|record| record.expect("a record"))
    {
        if let Some(event) = record.event().expect("an event") {
            let time = event.fields().occurred_at.expect("a time");
            times.push((record.seq(), time.unix_micros()));
        }
    }
    (reader, times)
});

/// Filters as they are printed; each is asked in both orders.
const FILTERS: [&str; 4] = [
    "",
    "actor_id=usr_1",
    "event_type=auth.login.*&seq_from=10&seq_to=25",
    "last=86400s",
];

fuzz_target!(|input: &[u8]| {
    let Some((choice, input)) = input.split_first() else {
        return;
    };
    let filter = FILTERS[usize::from(choice % 4)];
    let order = ["newest", "oldest"][usize::from(choice >> 2 & 1)];
    let limit = 1 + usize::from(choice >> 4);
    let mut query = Query::parse(&format!("{filter}&order={order}"))
        .expect("a query")
        .limit(limit);
    let content = input.first_chunk::<16>().filter(|_| choice & 8 == 0);
    let Some(content) = content else {
        // As it stands.
        query = query.after(String::from_utf8_lossy(input));
        let Err(error) = LOG.0.query(&query) else { return };
        return assert!(matches!(error.cause(), Cause::InvalidQuery(_)), "{error}");
    };
    // Made up, with the check of this query.
    let hash = Hash::of(&[content, format!("{order}\n{filter}").as_bytes()].concat());
    let cursor = [content, &hash.as_bytes()[..8]].concat();
    let page = LOG
        .0
        .query(&query.clone().after(URL_SAFE_NO_PAD.encode(cursor)))
        .expect("its check is right");
    let (next, start) = content.split_at(8);
    let next = u64::from_le_bytes(*next.first_chunk().expect("8 bytes"));
    let start = Timestamp::from_unix_micros(i64::from_le_bytes(*start.first_chunk().expect("8 bytes")));
    // Nothing but a period begins where the cursor says.
    let start = start.filter(|_| filter.contains("last"));
    let whole = Query::parse(&format!("{}&order={order}", filter.replace("last=86400s", ""))).expect("a query");
    let whole = LOG.0.query(&whole.limit(1_000)).expect("an answer").found;
    let is_wanted = |seq: u64| {
        let time = LOG.1.iter().find(|(known, _)| *known == seq).expect("it was read").1;
        let is_behind = if order == "newest" { seq < next } else { seq >= next };
        is_behind && start.is_none_or(|start| time >= start.unix_micros())
    };
    let wanted: Vec<u64> = whole
        .iter()
        .map(|found| found.record.seq())
        .filter(|seq| is_wanted(*seq))
        .collect();
    let found: Vec<u64> = page.found.iter().map(|found| found.record.seq()).collect();
    assert_eq!(
        found,
        wanted[..wanted.len().min(limit)],
        "{filter} {order} {next} {start:?}"
    );
    assert_eq!(
        page.next.is_some() || wanted.len() <= limit,
        true,
        "{filter} {order} {next} {start:?}"
    );
});

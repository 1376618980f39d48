//! Queries as text: what is read is printed in one way that reads the same, and is answered, counted and paged alike.

#![no_main]

use std::sync::LazyLock;

use indelible::query::CountBy;
use indelible::{Actor, AuditLog, Cause, Event, LogReader, MemoryStore, Query, SigningKey, Target, action};
use libfuzzer_sys::fuzz_target;

/// A few records of every kind that a filter tells apart.
static READER: LazyLock<LogReader> = LazyLock::new(|| {
    let key = SigningKey::from_seed("fuzz.example.com/audit".parse().expect("an origin"), &[1; 32]).expect("a key");
    let store = MemoryStore::new();
    let builder = AuditLog::builder("fuzz.example.com/audit")
        .signer(key)
        .without_checkpoint_file();
    let log = builder.open(store.clone()).expect("a log in memory");
    for number in 0..6_u8 {
        let actions = [action::AUTH_LOGIN_FAILED, action::CONFIG_UPDATED];
        let event = Event::new(actions[usize::from(number % 2)].clone())
            .actor(Actor::user(format!("usr_{number}")).email("alice@example.com"))
            .target(Target::new("application", "app_dashboard"))
            .tenant("org_acme")
            .ip([203, 0, 113, number])
            .reason("invalid_credentials")
            .metadata("plan", "free");
        log.append(event).expect("recorded");
    }
    log.erase_personal_data([3..=3], "fuzz").expect("erased");
    log.close(std::time::Duration::from_secs(60)).expect("closed");
    LogReader::new(store)
});

fuzz_target!(|text: &str| {
    let Ok(query) = Query::parse(text) else { return };
    let printed = query.to_string();
    let again = Query::parse(&printed).expect("what was printed is read");
    assert_eq!(again, query, "{printed}");
    assert_eq!(again.to_string(), printed);
    let page = match READER.query(&query) {
        Ok(page) => page,
        Err(error) => return assert!(matches!(error.cause(), Cause::InvalidQuery(_)), "{error}"),
    };
    // A period begins anew each time, and with a cursor it is not all pages.
    if text.contains("last") || text.contains("cursor") {
        return;
    }
    let (mut found, mut next) = (page.found.len() as u64, page.next);
    while let Some(cursor) = next {
        let page = READER.query(&again.clone().after(cursor)).expect("an answer");
        found += page.found.len() as u64;
        next = page.next;
    }
    assert_eq!(READER.count(&query, &CountBy::new()).expect("counts").total, found);
});

use super::*;
use crate::event::{Actor, Event, action};
use crate::log::AuditLog;
use crate::store::{FileStore, MemoryStore};

/// Records with words, some of them in many records, with gaps of all kinds; in segments of some twenty records.
fn fill(log: &AuditLog) {
    for number in 0..500_u32 {
        let event = Event::new(action::AUTH_LOGIN_SUCCEEDED).actor(Actor::user(format!("usr_{}", number % 7)));
        let event = match number % 90 {
            0 => event.reason("rare"),
            40..60 => event.reason("often"),
            _ => event,
        };
        log.append(event).expect("recorded");
    }
    log.erase_records([100..=110, 250..=250], "test").expect("erased");
    log.erase_personal_data([200..=230], "test").expect("erased");
    assert!(log.purge(60).expect("purged") > 0);
}

/// All that is found page by page, and what is gone.
fn pages(
    store: &dyn Store,
    filter: &Filter,
    order: Order,
    limit: usize,
    (alone, part): (Duration, u64),
) -> (Vec<u64>, Gone) {
    let (indexes, matcher) = (Indexes::default(), Matcher::new(filter, None));
    let (mut wanted, mut found, mut gone) = (0..500, Vec::new(), Gone::default());
    loop {
        let mut scan = Scan::new(store, &indexes, &matcher, limit);
        let next = scan.fill(wanted.clone(), order, alone, part).expect("read");
        assert!(scan.found.len() == limit || next.is_none());
        found.extend(scan.found.iter().map(Record::seq));
        gone.erased += scan.gone.erased;
        gone.personal_erased += scan.gone.personal_erased;
        gone.purged = gone.purged.or(scan.gone.purged);
        match (next, order) {
            (None, _) => return (found, gone),
            (Some(next), Order::OldestFirst) => wanted.start = next,
            (Some(next), Order::NewestFirst) => wanted.end = next,
        }
    }
}

#[test]
fn several_threads_find_what_one_does() {
    let folder = tempfile::tempdir().expect("a folder");
    let files = FileStore::new(folder.path().join("audit")).segment_size(16_000);
    let memory = MemoryStore::new().segment_size(16_000);
    let stores: [&dyn Store; 2] = [&files, &memory];
    let builder = || AuditLog::builder("auth.example.com/audit").key_file(folder.path().join("audit.key"));
    let logs = [
        builder().open(files.clone()).expect("opens"),
        AuditLog::builder("auth.example.com/audit")
            .signer(crate::SigningKey::generate("auth.example.com/audit".parse().expect("an origin")).expect("a key"))
            .without_checkpoint_file()
            .open(memory.clone())
            .expect("opens"),
    ];
    logs.iter().for_each(fill);
    for store in stores {
        for words in ["rare", "often", "nowhere", "usr_3", ""] {
            let query = Query::new().words(words);
            for (order, limit) in [
                (Order::OldestFirst, 3),
                (Order::OldestFirst, 1000),
                (Order::NewestFirst, 3),
            ] {
                let one = pages(store, &query.filter, order, limit, (Duration::MAX, PART));
                for part in [1, 6, 40, PART] {
                    let several = pages(store, &query.filter, order, limit, (Duration::ZERO, part));
                    assert_eq!(several, one, "{words}, {order:?}, {limit}, parts of {part}");
                }
                let expected_erased = 12;
                assert_eq!(one.1.erased, expected_erased, "{words}");
                assert!(one.1.purged.is_some());
            }
        }
    }
}

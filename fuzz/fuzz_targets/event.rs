//! Events: read, printed and read again they are the same, and a log records each one that it does not refuse.

#![no_main]

use std::cell::RefCell;

use indelible::{AuditLog, Cause, Event, MemoryStore, Record, SigningKey};
use libfuzzer_sys::fuzz_target;

/// How many events a log takes before the next one is begun: it is in memory.
const EVENTS_MAX: u32 = 1_000;

thread_local! {
    static LOG: RefCell<(u32, AuditLog)> = RefCell::new((0, log()));
}

fn log() -> AuditLog {
    let key = SigningKey::from_seed("fuzz.example.com/audit".parse().expect("an origin"), &[1; 32]).expect("a key");
    let builder = AuditLog::builder("fuzz.example.com/audit")
        .signer(key)
        .without_checkpoint_file();
    builder.open(MemoryStore::new()).expect("a log in memory")
}

fuzz_target!(|text: &[u8]| {
    let Ok(event) = Event::from_json(text) else { return };
    let printed = event.to_json().expect("what was read is right");
    let again = Event::from_json(printed.as_bytes()).expect("what was printed is read");
    assert_eq!(again, event);
    assert_eq!(again.to_json().as_deref(), Ok(printed.as_str()));
    LOG.with_borrow_mut(|(count, log)| {
        *count += 1;
        if count.is_multiple_of(EVENTS_MAX) {
            *log = self::log();
        }
        // The same id twice in one log is refused, with other content: only then.
        match log.append(event) {
            Ok(receipt) => {
                let record = log.reader().record(receipt.seq).expect("it was acknowledged");
                assert_eq!(record.hash(), receipt.hash);
                let line = record.line().expect("it is not erased");
                assert_eq!(Record::from_line(line.as_bytes()), Ok(record.clone()));
                let merged = record.merged_json().expect("two objects");
                assert!(
                    Event::from_json(merged.as_bytes()).is_ok(),
                    "what comes out of a log is an event"
                );
            }
            Err(error) => assert!(
                matches!(error.cause(), Cause::InvalidEvent(_) | Cause::IdReused { .. }),
                "{error}"
            ),
        }
    });
});

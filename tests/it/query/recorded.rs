//! Who asks an open log is recorded, whatever cursor comes with the query.

use super::*;

/// The readers that the log has recorded, each with how many records they got.
fn accessed(log: &AuditLog) -> Vec<(String, u64)> {
    log.append(login("after")).expect("recorded");
    let query = Query::new()
        .action("audit_log.accessed")
        .order(Order::OldestFirst)
        .limit(1_000);
    let page = log.reader().query(&query).expect("an answer");
    let told = page.found.iter().map(|found| {
        let json = found.record.merged_json().expect("there");
        let event: Value = serde_json::from_str(&json).expect("JSON");
        let reader = event["actor"]["id"].as_str().expect("a reader").to_owned();
        (reader, event["metadata"]["records"].as_u64().expect("a number"))
    });
    told.collect()
}

#[test]
fn a_cursor_that_the_reader_did_not_get_does_not_hide_the_reading() {
    let (signer, store) = (TestSigner::new(), MemoryStore::new());
    let log = in_memory(&signer).open(store.clone()).expect("opens");
    for number in 0..20 {
        log.append(login(number)).expect("recorded");
    }
    let by = |reader: &str| {
        Query::new()
            .action("auth.login.*")
            .limit(3)
            .asked_by(Actor::admin(reader))
    };
    let told = |reader: &str, records| (reader.to_owned(), records);
    let page = |log: &AuditLog, query: Query| log.query(&query).expect("an answer");
    let mut expected = vec![told("usr_1", 3)];
    let first = page(&log, by("usr_1")).next.expect("more");
    let second = page(&log, by("usr_1").after(&*first)).next.expect("more");
    page(&log, by("usr_1").after(&*second));
    page(&log, by("usr_1").after(&*first));
    assert_eq!(accessed(&log), expected, "one query, whichever of its pages");
    // Another reader goes on with it.
    page(&log, by("usr_2").after(&*first));
    expected.push(told("usr_2", 3));
    assert_eq!(accessed(&log), expected);
    // As anyone can make it who knows the query.
    let made_up = LogReader::new(store.clone()).query(&by("usr_3")).expect("an answer");
    let made_up = made_up.next.expect("more");
    let next = page(&log, by("usr_3").after(&*made_up)).next.expect("more");
    expected.push(told("usr_3", 3));
    page(&log, by("usr_3").after(&*next));
    let mark = first.split_once('.').expect("a mark").1;
    for mark in ["", "0", mark] {
        page(&log, by("usr_3").after(format!("{made_up}.{mark}")));
        expected.push(told("usr_3", 3));
    }
    assert_eq!(accessed(&log), expected);
    // A reader that records nothing takes it too.
    let unrecorded = LogReader::new(store.clone()).query(&by("usr_1").after(&*first));
    assert_eq!(unrecorded.expect("an answer").found.len(), 3);
    log.close(SOON).expect("closed");
    // A log that is opened again answers, and does not know who it was.
    let log = in_memory(&signer).open(store).expect("opens");
    let page = page(&log, by("usr_1").after(&*first));
    assert_eq!((page.found.len(), page.next.is_some()), (3, true));
    expected.push(told("usr_1", 3));
    assert_eq!(accessed(&log), expected);
}

/// A host that adds a beginning to what its users ask for bounds what they see.
#[test]
fn a_cursor_that_is_made_up_begins_no_earlier_than_the_query() {
    let log = memory_log();
    for second in 0..20 {
        log.append(login(second).occurred_at(time(second))).expect("recorded");
    }
    let query = Query::parse("event_type=auth.login.*&start_time=2026-02-01T00:00:10Z&limit=2").expect("a query");
    let next = log.reader().query(&query).expect("an answer").next.expect("more");
    // The check is no secret: FORMAT does not have it, but this source does.
    let content = [next_of(&next).to_le_bytes(), i64::MIN.to_le_bytes()].concat();
    let filter = query.to_string().replace("&limit=2", "");
    let check = indelible::Hash::of(&[&content, format!("newest\n{filter}").as_bytes()].concat());
    let cursor = encode(&[&content, &check.as_bytes()[..8]].concat());
    let page = log
        .reader()
        .query(&query.limit(1_000).after(cursor))
        .expect("an answer");
    let found: Vec<String> = page
        .found
        .iter()
        .map(|found| found.record.merged_json().expect("there"))
        .collect();
    assert_eq!(found.len(), 8, "{found:?}");
    assert!(found.iter().all(|json| json.contains("2026-02-01T00:00:1")));
}

fn next_of(cursor: &str) -> u64 {
    let mut bytes = Vec::new();
    let (mut bits, mut count) = (0_u32, 0);
    for digit in cursor.bytes() {
        let value = DIGITS.iter().position(|known| *known == digit).expect("a digit");
        bits = bits << 6 | u32::try_from(value).expect("small");
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from(bits >> count & 0xff).expect("a byte"));
        }
    }
    u64::from_le_bytes(*bytes.first_chunk().expect("a number"))
}

/// In base64url; the length is a multiple of three.
fn encode(bytes: &[u8]) -> String {
    let digits = bytes.chunks_exact(3).flat_map(|three| {
        let bits = three.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte));
        [18, 12, 6, 0].map(|shift| char::from(DIGITS[usize::try_from(bits >> shift & 63).expect("small")]))
    });
    digits.collect()
}

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

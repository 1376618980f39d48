//! Legal holds: what they cover stays, whoever wants it gone, and they are found again in the log alone.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use indelible::query::Field;
use indelible::{Actor, AuditLog, Cause, Error, ErrorKind, FileStore, LogReader, MemoryStore, Query, Signer};

use crate::oracle;
use crate::scene::*;
use crate::stores::{Hooked, Hooks};

fn store(scene: &Scene) -> FileStore {
    FileStore::new(scene.folder()).segment_size(6_000)
}

/// A log of so many logins from `seq` 2 on, in segments of about a dozen, of three users in turn.
fn log_of(scene: &Scene, count: u64) -> AuditLog {
    let log = scene.builder().open(store(scene)).expect("opens");
    for seq in 2..2 + count {
        let receipt = log.append(login(seq % 3).tenant("org_1")).expect("recorded");
        assert_eq!(receipt.seq, seq);
    }
    log
}

fn bob() -> Actor {
    Actor::admin("usr_bob").email("bob@personal.example")
}

fn of_user(user: u64) -> Query {
    Query::new().actor_id(format!("usr_{user}"))
}

#[track_caller]
fn held<T: std::fmt::Debug>(result: Result<T, Error>, hold: &str, seq: u64) {
    let error = result.expect_err("a hold covers it");
    assert!(
        matches!(error.cause(), Cause::Held { hold: by, seq: at } if by == hold && *at == seq),
        "{error}"
    );
    assert_eq!(error.kind(), ErrorKind::FixConfiguration);
    assert!(error.to_string().contains(hold), "{error}");
}

#[test]
fn what_a_hold_covers_is_neither_erased_nor_purged_until_it_is_released() {
    let scene = Scene::new();
    let log = log_of(&scene, 60);
    assert!(log.holds().expect("readable").is_empty());
    let placed = log
        .place_hold("case 17", &of_user(1), "lawsuit", bob())
        .expect("placed");
    let size = log.state().size;
    held(log.erase_records([2..=20], "retention"), "case 17", 4);
    held(log.erase_personal_data([2..=3, 6..=7], "request"), "case 17", 7);
    held(log.purge(40), "case 17", 4);
    assert_eq!(log.state().size, size, "nothing was announced");
    for seq in 2..62 {
        let record = log.reader().record(seq).expect("a record");
        assert!(record.personal_json().is_some(), "{seq}");
    }
    // What it does not cover goes.
    log.erase_records([2..=3, 5..=6], "retention").expect("erased");
    log.erase_personal_data([8..=9], "request").expect("erased");
    // What is recorded later is covered too.
    let later = log.append(login(1)).expect("recorded").seq;
    held(log.erase_records([later..=later], "request"), "case 17", later);

    let holds = log.holds().expect("readable");
    assert_eq!(holds.len(), 1);
    assert_eq!((holds[0].name.as_str(), holds[0].seq), ("case 17", placed.seq));
    assert_eq!(holds[0].filter.as_deref(), Some("actor_id=usr_1"));
    assert_eq!((holds[0].reason.as_str(), holds[0].by.as_str()), ("lawsuit", "usr_bob"));

    // Who placed it may be forgotten: what it covers is not personal.
    log.erase_personal_data([placed.seq..=placed.seq], "request")
        .expect("erased");
    assert!(!scene.holds(b"bob@personal.example"));
    held(log.erase_records([later..=later], "request"), "case 17", later);

    log.release_hold("case 17", "settled", bob()).expect("released");
    assert!(log.holds().expect("readable").is_empty());
    log.erase_records([2..=20], "retention").expect("erased");
    assert!(log.purge(40).expect("purged") > 20);
    log.close(SOON).expect("closed");
    let sound = oracle::check(&store(&scene), &scene.vkey());
    let placed = &sound.of("audit_log.legal_hold.placed")[0];
    assert_eq!(placed.event["metadata"]["name"], "case 17");
    assert_eq!(placed.event["actor"]["id"], "usr_bob");
    let released = &sound.of("audit_log.legal_hold.released")[0];
    assert_eq!(released.event["metadata"]["reason"], "settled");
}

#[test]
fn holds_are_found_again_whatever_becomes_of_the_caches() {
    let scene = Scene::new();
    let log = log_of(&scene, 40);
    log.place_hold("a", &of_user(0), "lawsuit", bob()).expect("placed");
    log.place_hold("b", &of_user(1), "lawsuit", bob()).expect("placed");
    log.place_hold("c", &Query::new().tenant("org_2"), "audit", bob())
        .expect("placed");
    log.release_hold("a", "settled", bob()).expect("released");
    let holds = log.holds().expect("readable");
    log.close(SOON).expect("closed");
    for without_caches in [false, true] {
        if without_caches {
            fs::remove_dir_all(scene.folder().join("tree")).expect("removed");
        }
        assert_eq!(LogReader::new(store(&scene)).holds().expect("readable"), holds);
        let log = scene.builder().open(store(&scene)).expect("opens");
        held(log.erase_records([2..=30], "retention"), "b", 4);
        assert_eq!(log.holds().expect("readable"), holds);
        log.erase_records([2..=3], "retention").expect("erased");
        log.place_hold("a", &of_user(2), "again", bob()).expect("placed");
        held(log.erase_records([5..=5], "retention"), "a", 5);
        log.release_hold("a", "settled", bob()).expect("released");
        log.close(SOON).expect("closed");
    }
    oracle::check(&store(&scene), &scene.vkey());
}

#[test]
fn the_record_that_places_a_hold_keeps_what_it_says() {
    let scene = Scene::new();
    let log = log_of(&scene, 20);
    let query = Query::new().with(Field::ActorEmail, "1@personal.example");
    let seq = log.place_hold("by mail", &query, "lawsuit", bob()).expect("placed").seq;
    assert!(
        !log.reader()
            .record(seq)
            .expect("a record")
            .event_json()
            .expect("event")
            .contains("@"),
        "a filter on personal data is personal"
    );
    for number in 0..40 {
        log.append(login(format!("other{number}"))).expect("recorded");
    }
    held(log.erase_personal_data([seq..=seq], "request"), "by mail", seq);
    held(log.purge(log.state().size), "by mail", seq);
    held(log.erase_records([4..=4], "request"), "by mail", 4);
    // A record without the person's address is not known to be theirs.
    log.erase_records([5..=6], "request").expect("erased");
    let log = {
        log.close(SOON).expect("closed");
        scene.builder().open(store(&scene)).expect("opens")
    };
    held(log.erase_records([4..=4], "request"), "by mail", 4);
    log.release_hold("by mail", "settled", bob()).expect("released");
    log.erase_personal_data([seq..=seq], "request").expect("erased");
    log.erase_records([4..=4], "request").expect("erased");
    log.close(SOON).expect("closed");
    oracle::check(&store(&scene), &scene.vkey());
}

#[test]
fn a_hold_without_a_filter_covers_everything_and_one_by_time_its_time() {
    let log = memory_log();
    let first = log.append(login(1)).expect("recorded").seq;
    std::thread::sleep(Duration::from_millis(1_200));
    let recent = log.append(login(1)).expect("recorded").seq;
    log.place_hold("recent", &Query::new().last(Duration::from_secs(1)), "breach", bob())
        .expect("placed");
    std::thread::sleep(Duration::from_millis(1_100));
    // Its period does not move on.
    held(log.erase_personal_data([first..=recent], "request"), "recent", recent);
    log.erase_personal_data([first..=first], "request").expect("erased");
    log.place_hold("all", &Query::new(), "breach", bob()).expect("placed");
    held(log.erase_personal_data([first..=first], "request"), "all", first);
    assert_eq!(log.holds().expect("readable")[1].filter.as_deref(), Some(""));
}

#[test]
fn a_hold_of_a_range_covers_that_range() {
    let log = memory_log();
    let seqs: Vec<u64> = (0..8).map(|_| log.append(login(1)).expect("recorded").seq).collect();
    let range = Query::new().seq_from(seqs[2]).seq_to(seqs[5]);
    log.place_hold("range", &range, "breach", bob()).expect("placed");
    held(log.erase_records([seqs[0]..=seqs[7]], "request"), "range", seqs[2]);
    held(
        log.erase_personal_data([seqs[4]..=seqs[4]], "request"),
        "range",
        seqs[4],
    );
    log.erase_records([seqs[0]..=seqs[1], seqs[5]..=seqs[7]], "request")
        .expect("erased");
    for (at, seq) in seqs.into_iter().enumerate() {
        let is_erased = log.reader().record(seq).expect("a record").is_erased();
        assert_eq!(is_erased, !(2..5).contains(&at), "{at}");
    }
}

#[test]
fn a_hold_placed_while_an_erasure_is_carried_out_is_for_what_comes_after() {
    let (store, signer, hooks) = (MemoryStore::new(), TestSigner::new(), Arc::new(Hooks::default()));
    let log = in_memory(&signer)
        .open(Hooked::new(store.clone(), &hooks))
        .expect("opens");
    let seqs: Vec<u64> = (0..4).map(|_| log.append(login(1)).expect("recorded").seq).collect();
    hooks.block_erasures(true);
    let eraser = {
        let (log, seq) = (log.clone(), seqs[0]);
        std::thread::spawn(move || log.erase_personal_data([seq..=seq], "request"))
    };
    hooks.wait_for_erasures(1);
    // It is announced: the hold comes too late for it, and does not wait for it.
    let placed = log.place_hold("case", &of_user(1), "lawsuit", bob()).expect("placed");
    log.append(login(1)).expect("recorded");
    hooks.block_erasures(false);
    let receipts = within(SOON, "the erasure", move || eraser.join())
        .expect("no panic")
        .expect("erased");
    assert!(receipts.receipts[0].seq < placed.seq);
    assert!(
        log.reader()
            .record(seqs[0])
            .expect("a record")
            .personal_json()
            .is_none()
    );
    held(log.erase_personal_data([seqs[1]..=seqs[1]], "request"), "case", seqs[1]);
    log.close(SOON).expect("closed");
    oracle::check(&store, signer.vkey());
}

#[test]
fn nothing_goes_where_a_hold_may_stand_in_what_cannot_be_read() {
    let scene = Scene::new();
    let log = log_of(&scene, 20);
    log.place_hold("case", &of_user(1), "lawsuit", bob()).expect("placed");
    for number in 0..40 {
        log.append(login(number % 3)).expect("recorded");
    }
    log.close(SOON).expect("closed");
    // It says another thing, is no line, and has no end.
    for (from, to) in [
        ("actor_id=usr_1", "actor_id=usr_9"),
        ("\"filter\":\"actor", "\"filter\":xactor"),
        ("audit_log.legal_hold.placed", "\n"),
    ] {
        let copy = scene.crash_copy();
        let changed = copy.segment_files().into_iter().any(|file| {
            let text = fs::read_to_string(&file).expect("a segment");
            let Some(at) = text.find(from) else { return false };
            let torn = format!("{}{}", &text[..at], "x".repeat(9));
            let text = if to == "\n" { torn } else { text.replacen(from, to, 1) };
            fs::write(&file, text).is_ok()
        });
        assert!(changed, "{from}");
        let log = copy.builder().open(store(&copy)).expect("opens");
        let error = log.erase_records([4..=4], "request").expect_err("it may be held");
        assert!(matches!(error.cause(), Cause::Damaged { .. }), "{from}: {error}");
        let error = log.purge(15).expect_err("it may be held");
        assert!(matches!(error.cause(), Cause::Damaged { .. }), "{from}: {error}");
        assert!(!log.reader().record(4).expect("a record").is_erased());
        LogReader::new(store(&copy))
            .holds()
            .err()
            .into_iter()
            .for_each(|error| {
                assert!(matches!(error.cause(), Cause::Damaged { .. }), "{from}: {error}");
            });
    }
}

/// A hold may stand in any record that is not there, also where the last segment ends before it, as it seems.
#[test]
fn nothing_goes_where_a_hold_may_stand_in_what_is_missing() {
    let scene = Scene::new();
    let log = scene.open();
    (0..20).for_each(|user| _ = log.append(login(user)).expect("recorded"));
    let placed = log
        .place_hold("case", &Query::new(), "lawsuit", bob())
        .expect("placed")
        .seq;
    (0..20).for_each(|user| _ = log.append(login(user)).expect("recorded"));
    log.close(SOON).expect("closed");
    for byte in *b"\0x\n" {
        let copy = scene.crash_copy();
        let path = copy.last_segment();
        let mut text = fs::read(&path).expect("a segment");
        let at = find(&text, b"{\"event\":{\"action\":\"audit_log.legal_hold.placed").expect("it stands there");
        let end = at + find(&text[at..], b"\n{\"checkpoint").expect("the end of its line");
        text[at] = byte;
        text[end - 1] = b'x';
        fs::write(&path, text).expect("written");
        let log = copy.open();
        for error in [
            log.holds().expect_err("one may be missing"),
            log.erase_records([5..=5], "request").expect_err("it may be held"),
        ] {
            assert!(matches!(error.cause(), Cause::Damaged { .. }), "{error}");
            let problem = format!("record {placed} is missing");
            assert!(error.to_string().contains(&problem), "{error}");
        }
        assert!(!log.reader().record(5).expect("a record").is_erased());
        log.close(SOON).expect("closed");
    }
}

#[test]
fn a_hold_that_is_none_is_refused() {
    let log = in_memory(&TestSigner::new()).open(MemoryStore::new()).expect("opens");
    let size = log.state().size;
    let long = "x".repeat(129);
    for name in ["", "a\nb", long.as_str()] {
        let error = log.place_hold(name, &Query::new(), "none", bob()).expect_err("no name");
        assert!(
            matches!(error.cause(), Cause::Configuration { option: "hold", .. }),
            "{error}"
        );
    }
    let wrong = Query::new().with(Field::Outcome, "lost");
    let error = log.place_hold("a", &wrong, "none", bob()).expect_err("no query");
    assert!(matches!(error.cause(), Cause::InvalidQuery(_)), "{error}");
    let error = log
        .place_hold("a", &Query::new(), &"x".repeat(70_000), bob())
        .expect_err("too long");
    assert!(matches!(error.cause(), Cause::InvalidEvent(_)), "{error}");
    log.release_hold("a", "none", bob()).expect_err("none in force");
    assert_eq!(log.state().size, size);
    log.place_hold("a", &Query::new(), "one", bob()).expect("placed");
    let error = log.place_hold("a", &Query::new(), "two", bob()).expect_err("in force");
    assert!(error.to_string().contains("release it first"), "{error}");
    log.close(SOON).expect("closed");
    log.holds().expect_err("closed");
}

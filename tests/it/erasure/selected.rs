//! What is erased by a query or by ids, however many they are, and who is told to have a copy.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use indelible::erasure::{ErasureOrder, Selection};
use indelible::{Actor, AuditLog, Export, Query};

use super::{email, id, log_of};
use crate::oracle;
use crate::scene::*;
use crate::stores::{Hooked, Hooks};

#[test]
fn a_query_and_ids_select_what_is_erased_and_exports_before_are_told() {
    let scene = Scene::new();
    let (log, _) = log_of(&scene, 40);
    let handed = scene.folder().join("../handed");
    let export = |from: u64, to: u64| {
        let query = Query::new().seq_from(from).seq_to(to).tenant("org_1");
        log.export(&Export::new(query), handed.as_path()).map(drop)
    };
    // Of other records, or of none.
    export(2, 10).expect("exported");
    let all = log
        .export(&Export::new(Query::new().seq_to(20)), handed.as_path())
        .expect("exported");
    let order = ErasureOrder::new("request 17").by(Actor::admin("usr_dpo"));
    let erased = log
        .erase_personal_data(Query::subject("usr_n0012"), order.clone())
        .expect("erased");
    assert_eq!(erased.ranges, [(12, 12)]);
    assert_eq!(erased.handed_over.len(), 1, "{:?}", erased.handed_over);
    let copy = &erased.handed_over[0];
    assert_eq!(
        (copy.to.as_str(), copy.format.as_str()),
        (handed.to_str().expect("text"), "jsonl")
    );
    assert_eq!(copy.range, (0, all.exported.last.expect("records")));
    assert!(!scene.holds(&email(12)) && scene.holds(&email(13)));
    let reader = log.reader();
    let announced = reader.record(erased.receipts[0].seq).expect("a record");
    let event = announced.event().expect("an event").expect("not erased");
    assert_eq!(event.fields().actor.as_ref().expect("an actor").id, "usr_dpo");
    // By id; one is not there, one comes twice.
    let id_of = |seq: u64| reader.record(seq).expect("a record").id().expect("an id");
    let ids = [id_of(30), "nobody".to_owned(), id_of(31), id_of(30)];
    let erased = log.erase_records(Selection::ids(ids), order).expect("erased");
    assert_eq!(erased.ranges, [(30, 31)]);
    assert_eq!(erased.not_found, ["nobody"]);
    assert!(erased.handed_over.is_empty());
    assert!(!scene.holds(&email(30)) && !scene.holds(&id(31)));
    let wrong = log
        .erase_records(Query::new().seq_from(5).seq_to(5), "none")
        .expect_err("no range");
    assert!(wrong.to_string().contains("seq_from"), "{wrong}");
    assert!(log.verify().expect("readable").is_sound());
}

/// A log of so many logins in small segments, on a store that says which of them are read.
fn watched(scene: &Scene, count: u64) -> (AuditLog, Arc<Hooks>) {
    let hooks = Arc::new(Hooks::default());
    let store = Hooked::new(super::store(scene), &hooks);
    let log = scene.builder().open(store).expect("opens");
    for seq in 2..2 + count {
        let event = login(seq % 2).id(format!("evt-{seq}"));
        assert_eq!(log.append(event).expect("recorded").seq, seq);
    }
    (log, hooks)
}

#[test]
fn scattered_records_are_not_looked_for_one_by_one() {
    let scene = Scene::new();
    let (log, hooks) = watched(&scene, 300);
    let nobody = Query::new().actor_id("nobody");
    log.place_hold("case", &nobody, "lawsuit", Actor::admin("usr_bob"))
        .expect("placed");
    let far = [3..=3, 290..=290];
    let scattered = (4..250).filter(|seq| seq % 2 == 1).map(|seq| seq..=seq);
    let ranges: Vec<_> = scattered.chain(far).collect();
    hooks.take_read();
    let erased = log.erase_records(ranges, "request").expect("erased");
    assert_eq!(erased.ranges.len(), 125);
    let (read, segments) = (hooks.take_read().len(), scene.segment_files().len());
    assert!(
        segments > 20 && read < 5 * segments,
        "{segments} segments, read {read} times"
    );
    for seq in 2..302 {
        let is_erased = seq == 290 || (seq < 250 && seq % 2 == 1);
        let record = log.reader().record(seq).expect("a record");
        assert_eq!(record.is_erased(), is_erased, "{seq}");
    }
    log.close(SOON).expect("closed");
    oracle::check(&super::store(&scene), &scene.vkey());
}

#[test]
fn many_ids_are_looked_for_in_one_go() {
    let scene = Scene::new();
    let (log, hooks) = watched(&scene, 300);
    let mut ids: Vec<String> = (0..20_000).map(|number| format!("nothing-{number}")).collect();
    ids.extend([7, 200, 8, 7].map(|seq| format!("evt-{seq}")));
    hooks.take_read();
    let erased = log.erase_personal_data(Selection::ids(ids), "request").expect("erased");
    assert_eq!(erased.ranges, [(7, 8), (200, 200)]);
    assert_eq!(erased.not_found.len(), 20_000);
    assert!((erased.not_found[0] == "nothing-0") && (erased.not_found[19_999] == "nothing-19999"));
    let (read, segments) = (hooks.take_read().len(), scene.segment_files().len());
    assert!(
        segments > 20 && read < 5 * segments,
        "{segments} segments, read {read} times"
    );
    log.close(SOON).expect("closed");
    oracle::check(&super::store(&scene), &scene.vkey());
}

/// A writer that says when it is given something, and waits until it may go on.
struct Slow {
    began: Sender<()>,
    goes_on: Receiver<()>,
}

impl Write for Slow {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = self.began.send(());
        let _ = self.goes_on.recv();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn an_export_is_told_whether_it_is_under_way_or_done() {
    let scene = Scene::new();
    let (log, _) = log_of(&scene, 40);
    let ((began, begins), (go, goes_on)) = (channel(), channel());
    let exporting = {
        let log = log.clone();
        std::thread::spawn(move || log.export_to(&Export::new(Query::new()), Slow { began, goes_on }))
    };
    begins.recv_timeout(SOON).expect("the export begins");
    // It has read the record before.
    let erased = log
        .erase_personal_data(Query::subject("usr_n0012"), "request")
        .expect("erased");
    assert_eq!(erased.under_way, ["a writer"]);
    assert!(erased.handed_over.is_empty());
    drop(go);
    within(SOON, "the export", move || exporting.join())
        .expect("no panic")
        .expect("exported");
    // What is done is recorded: nothing that returned before is missed.
    for seq in 20..30 {
        let range = Query::new().seq_from(seq).seq_to(seq + 1);
        log.export_to(&Export::new(range), io::sink()).expect("exported");
        let erased = log.erase_personal_data([seq..=seq], "request").expect("erased");
        assert_eq!(erased.handed_over.len(), 2, "{:?}", erased.handed_over);
        assert!(erased.under_way.is_empty());
    }
}

//! Exports that a log makes by itself: without a gap, without a record twice, whatever crash comes between two steps.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use indelible::export::{Every, Format, verify_export};
use indelible::{AuditLog, Builder, Cause, Export, FileStore, MemoryStore, Query};

use crate::clock::Hand;
use crate::export::*;
use crate::scene::*;

pub(crate) const HOUR: Duration = Duration::from_secs(3600);

pub(crate) struct World {
    pub(crate) scene: Scene,
    pub(crate) clock: Hand,
    pub(crate) out: PathBuf,
}

impl World {
    pub(crate) fn new() -> Self {
        let scene = Scene::new();
        let out = scene.root().join("out");
        let clock = Hand::new();
        Self { scene, clock, out }
    }

    fn builder(&self) -> Builder {
        self.scene.builder().clock(self.clock.clone())
    }

    fn open_every(&self, every: Every) -> AuditLog {
        let builder = self.builder().export_every(every, Export::new(Query::new()), &self.out);
        builder.open(FileStore::new(self.scene.folder())).expect("opens")
    }

    pub(crate) fn open(&self) -> AuditLog {
        self.open_every(Every::Hour)
    }

    pub(crate) fn remembered(&self) -> PathBuf {
        list(&self.scene.folder().join("exports")).remove(0)
    }

    /// The ranges of the manifests, in the order of their numbers.
    fn ranges(&self) -> Vec<std::ops::Range<u64>> {
        let names = list(&self.out).into_iter();
        let manifests = names.filter(|path| path.extension().is_some_and(|ending| ending == "manifest"));
        let mut manifests: Vec<Said> = manifests.map(|path| read(&path)).collect();
        manifests.sort_by_key(|manifest| manifest.number);
        manifests.into_iter().map(|manifest| manifest.range).collect()
    }

    /// Each record is exported once, up to the position.
    #[track_caller]
    pub(crate) fn check(&self, log: &AuditLog) {
        let mut next = 0;
        for range in self.ranges() {
            assert_eq!(range.start, next, "{:?}", self.ranges());
            next = range.end;
        }
        assert_eq!(log.state().exports[0].position, next);
        assert_eq!(assert_sound(&self.out, &log.vkey()).records, next);
    }
}

/// What a manifest says, whoever signed it.
struct Said {
    number: u64,
    range: std::ops::Range<u64>,
}

fn read(path: &Path) -> Said {
    let note = fs::read_to_string(path).expect("a manifest");
    let json: serde_json::Value = serde_json::from_str(note.lines().nth(1).expect("two lines")).expect("JSON");
    let number = |key: &str| json[key].as_u64().expect("a number");
    Said {
        number: number("number"),
        range: number("seq_from")..number("seq_to"),
    }
}

#[track_caller]
pub(crate) fn wait_for_exports(log: &AuditLog, exports: u64) {
    wait_until(log, |log| log.state().exports[0].exports >= exports);
}

#[track_caller]
fn wait_until(log: &AuditLog, is_so: impl Fn(&AuditLog) -> bool) {
    let began = Instant::now();
    while !is_so(log) {
        assert!(began.elapsed() < Duration::from_secs(30), "{:?}", log.state().exports);
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn each_hour_is_exported_also_where_nothing_happened() {
    let world = World::new();
    let log = world.open();
    wait_for_exports(&log, 1);
    for hour in 0..3 {
        // In the last one, nothing.
        for user in 0..hour % 3 {
            log.append(login(user)).expect("recorded");
        }
        world.clock.forward(HOUR);
        wait_for_exports(&log, hour + 2);
    }
    // Within an hour, no more.
    log.append(login(9)).expect("recorded");
    std::thread::sleep(Duration::from_millis(1_500));
    assert_eq!(log.state().exports[0].exports, 4);
    world.check(&log);
    let ranges = world.ranges();
    assert_eq!(ranges.len(), 4);
    assert_eq!(ranges[1], 2..3, "the record of the export before");
    let state = log.state();
    assert!(state.healthy && state.exports[0].last_error.is_none() && state.exports[0].failures == 0);
    assert_eq!(state.exports[0].destination, world.out.display().to_string());
}

#[test]
fn a_day_is_a_day() {
    let world = World::new();
    let log = world.open_every(Every::Day);
    wait_for_exports(&log, 1);
    // The hand's clock begins at 08:00.
    world.clock.forward(15 * HOUR);
    std::thread::sleep(Duration::from_millis(1_200));
    assert_eq!(log.state().exports[0].exports, 1);
    world.clock.forward(HOUR);
    wait_for_exports(&log, 2);
    world.check(&log);
}

#[test]
fn whatever_crash_comes_no_record_is_exported_twice_or_left_out() {
    let world = World::new();
    let log = world.open();
    wait_for_exports(&log, 1);
    log.close(Duration::from_secs(10)).expect("closed");
    let first = fs::read(world.remembered()).expect("remembered");
    type Crash = fn(&World, &[u8]);
    let crashes: [(&str, Crash); 6] = [
        ("nothing", |_, _| {}),
        ("the position is lost", |world, _| {
            fs::remove_file(world.remembered()).expect("removed")
        }),
        ("the position is an old one", |world, first| {
            fs::write(world.remembered(), first).expect("written");
        }),
        ("the position is torn", |world, first| {
            fs::write(world.remembered(), &first[..first.len() / 2]).expect("written");
        }),
        ("before the manifest", |world, _| {
            let mut manifests = list(&world.out);
            manifests.retain(|path| path.extension().is_some_and(|ending| ending == "manifest"));
            manifests.sort_by_key(|path| read(path).number);
            fs::remove_file(manifests.last().expect("a manifest")).expect("removed");
        }),
        ("all is lost there", |world, _| {
            fs::remove_dir_all(&world.out).expect("removed")
        }),
    ];
    for (what, crash) in crashes {
        crash(&world, &first);
        world.clock.forward(HOUR);
        let log = world.open();
        wait_for_exports(&log, 1);
        log.append(login(what.len())).expect("recorded");
        world.clock.forward(HOUR);
        wait_for_exports(&log, 2);
        eprintln!("{what}");
        world.check(&log);
        log.close(Duration::from_secs(10)).expect("closed");
    }
}

#[test]
fn what_fails_is_told_and_tried_again() {
    let world = World::new();
    fs::write(&world.out, "a file").expect("written");
    let told = Arc::new(Mutex::new(Vec::new()));
    let telling = Arc::clone(&told);
    let builder = world.builder().on_error(move |error| {
        telling.lock().expect("unpoisoned").push(error.to_string());
    });
    let builder = builder.export_every(Every::Hour, Export::new(Query::new()), &world.out);
    let store = FileStore::new(world.scene.folder()).segment_size(6_000);
    let log = builder.open(store).expect("opens");
    wait_until(&log, |log| log.state().exports[0].failures >= 2);
    let state = log.state();
    assert!(state.healthy, "appends go on");
    assert!(matches!(
        state.exports[0].last_error.as_ref().expect("an error").cause(),
        Cause::Export { .. }
    ));
    assert_eq!(state.exports[0].position, 0);
    log.append(login(1)).expect("recorded");
    assert!(told.lock().expect("unpoisoned")[0].contains("out"), "{told:?}");
    // What is not exported is not purged.
    let tickets: Vec<_> = (0..40).map(|user| log.submit(login(user)).expect("taken")).collect();
    let last = tickets
        .into_iter()
        .map(|ticket| ticket.wait().expect("recorded").seq)
        .max();
    let last = last.expect("recorded");
    assert_eq!(log.purge(last).expect("nothing"), 0);
    fs::remove_file(&world.out).expect("removed");
    wait_for_exports(&log, 1);
    assert!(log.purge(last).expect("purged") > 0);
    assert_eq!(log.state().exports[0].failures, 0);
    world.check(&log);
}

#[test]
fn what_a_former_key_signed_counts_and_what_a_stranger_signed_does_not() {
    let world = World::new();
    let log = world.open();
    wait_for_exports(&log, 1);
    let former = log.vkey();
    log.rotate_key_file().expect("rotated");
    log.close(Duration::from_secs(10)).expect("closed");
    fs::remove_file(world.remembered()).expect("removed");
    world.clock.forward(HOUR);
    let log = world.open();
    wait_for_exports(&log, 1);
    let report = verify_export(&world.out, &[former, log.vkey()]).expect("a report");
    assert!(report.is_sound(), "{report}");
    assert_eq!(report.records, log.state().exports[0].position);
    log.close(Duration::from_secs(10)).expect("closed");
    // A manifest that says that all is exported already.
    fs::remove_file(world.remembered()).expect("removed");
    let path = list(&world.out)
        .into_iter()
        .find(|path| path.extension().is_some_and(|ending| ending == "manifest"));
    let note = fs::read_to_string(path.expect("a manifest")).expect("a manifest");
    let (text, _) = note.split_once("\n\n").expect("a note");
    let end = text.find("\"seq_to\":").expect("a member") + 9;
    let forged = format!(
        "{}1000{}\n",
        &text[..end],
        &text[text[end..].find(',').expect("more") + end..]
    );
    let forged = indelible::note::sign(&forged, &[&key()]).expect("signed");
    fs::write(world.out.join("x.manifest"), forged).expect("written");
    world.clock.forward(HOUR);
    let log = world.open();
    wait_until(&log, |log| log.state().exports[0].failures >= 1);
    let state = log.state().exports.remove(0);
    assert_eq!((state.position, state.exports), (0, 0));
    let error = state.last_error.expect("an error").to_string();
    assert!(
        error.contains("x.manifest") && error.contains("no key of this log"),
        "{error}"
    );
}

#[test]
fn a_series_with_a_filter_passes_what_others_export_there() {
    let world = World::new();
    let logins = || Export::new(query("event_type=auth.*")).format(Format::Csv);
    let builder = || {
        let builder = world.builder().export_every(Every::Hour, logins(), &world.out);
        builder.open(FileStore::new(world.scene.folder())).expect("opens")
    };
    let log = builder();
    wait_for_exports(&log, 1);
    log.append(login(1)).expect("recorded");
    log.export(&Export::new(query("seq_to=3")), &world.out)
        .expect("exported");
    log.export(&Export::new(query("seq_from=3&event_type=auth.*")), &world.out)
        .expect("exported");
    world.clock.forward(HOUR);
    wait_for_exports(&log, 2);
    let of_series = list(&world.out)
        .into_iter()
        .filter(|path| path.to_string_lossy().ends_with(".csv.manifest"));
    let mut ranges: Vec<_> = of_series.map(|path| read(&path).range).collect();
    ranges.sort_by_key(|range| range.start);
    assert_eq!(ranges.len(), 2);
    assert_eq!((ranges[0].start, ranges[0].end), (0, ranges[1].start));
    assert_sound(&world.out, &log.vkey());
}

#[test]
fn a_series_that_is_none_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let refused = |exports: &[&str]| {
        let mut builder = in_memory(&TestSigner::new());
        for text in exports {
            builder = builder.export_every(Every::Hour, Export::new(query(text)), folder.path());
        }
        let error = builder.open(MemoryStore::new()).expect_err("refused");
        assert!(
            matches!(
                error.cause(),
                Cause::Configuration {
                    option: "export_every",
                    ..
                }
            ),
            "{error}"
        );
    };
    refused(&["seq_from=3"]);
    refused(&["seq_to=3"]);
    // Its manifests would name another time each.
    refused(&["last=24h"]);
    refused(&["", ""]);
}

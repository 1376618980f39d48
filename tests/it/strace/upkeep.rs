//! What is done to a log that is there: erasures, purges, compression, retention, exports. The log with which each of
//! these lives begins, what the life does, and what holds afterwards, wherever it was interrupted.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use indelible::export::{Format, verify_export};
use indelible::retention::{Period, Retention, Rule};
use indelible::store::Store;
use indelible::{Cause, Clock, Event, Export, Query, SystemClock};

use super::life::{self, Life, Writer};
use crate::oracle::{Seen, Sound};
use crate::scene::*;

/// What a log held before one of these lives, and what becomes of it.
#[derive(Debug)]
pub(super) struct Before {
    life: Life,
    sound: Sound,
    /// The exports that nothing interrupts, by their names.
    exports: BTreeMap<String, Vec<u8>>,
}

impl Writer {
    /// Lives a life of upkeep.
    pub(super) fn keep(&mut self) -> Option<()> {
        match self.life() {
            Life::Erase => {
                let ranges = || PERSONAL.map(seq).map(|seq| seq..=seq);
                self.step(|log| log.erase_personal_data(ranges(), "asked"))?;
                self.record(40..41)?;
                let ranges = || RECORDS.map(seq).map(|seq| seq..=seq);
                self.step(|log| log.erase_records(ranges(), "asked"))?;
            }
            Life::Purge => {
                self.step(|log| log.purge(seq(9)))?;
                self.record(40..41)?;
                self.step(|log| log.purge(seq(PURGED)))?;
            }
            #[cfg(feature = "compress")]
            Life::Compress => {
                self.step(|log| log.compress(seq(14)))?;
                self.record(40..41)?;
                self.step(|log| log.compress(u64::MAX))?;
            }
            Life::Retain => {
                let period = |days| Period::days(days).expect("a period");
                let retention = Retention::keep(period(30)).rule(Rule::keep(period(90)).tenant(KEPT));
                self.step(|log| log.apply_retention(&retention))?;
            }
            _ => {
                let range = || Query::new().seq_from(seq(5)).seq_to(seq(18));
                self.export(&Export::new(range()))?;
                self.record(40..41)?;
                self.export(&Export::new(range()).format(Format::Csv))?;
            }
        }
        self.close()
    }

    /// Exports, unless that is done.
    fn export(&mut self, export: &Export) -> Option<()> {
        let folder = self.root().join(EXPORTS);
        self.step(|log| match log.export(export, &folder) {
            Err(error) if matches!(error.cause(), Cause::AlreadyExported { .. }) => Ok(()),
            exported => exported.map(drop),
        })
    }
}

/// A clock for which everything that the log held at first was recorded long ago.
#[derive(Debug)]
pub(super) struct Later;

impl Clock for Later {
    fn now(&self) -> SystemTime {
        SystemClock.now() + Duration::from_secs(40 * 86_400)
    }
}

impl Before {
    pub(super) fn begin(life: Life) -> (Scene, Self) {
        let scene = begun().crash_copy();
        let exports = match life {
            Life::Export => undisturbed(&scene),
            _ => BTreeMap::new(),
        };
        let sound = crate::oracle::check(&scene.store(), &crate::crash::key_in_force_at_first(&scene));
        (scene, Self { life, sound, exports })
    }

    /// Whatever became of the life: what was announced is done, and nothing else is missing.
    pub(super) fn check(&self, scene: &Scene, after: &Sound) {
        for seen in &self.sound.records {
            if seen.seq < after.first {
                assert!(self.may_go(seen.seq), "{} is purged", seen.seq);
                continue;
            }
            let there = after.at(seen.seq);
            assert_eq!(there.hash, seen.hash, "{}", seen.seq);
            if there.event.is_null() {
                assert!(self.may_be_erased(seen.seq), "{} is erased", seen.seq);
                continue;
            }
            assert_eq!(there.event, seen.event, "{}", seen.seq);
            if there.personal != seen.personal {
                assert!(self.may_lose_personal(seen.seq), "{} lost its personal data", seen.seq);
                assert!(there.personal.is_string(), "{}", seen.seq);
            }
        }
        check_announced(after);
        if self.life == Life::Export {
            self.check_exports(scene, false);
        }
    }

    /// What holds once the life came to its end.
    pub(super) fn check_done(&self, scene: &Scene, after: &Sound) {
        self.check(scene, after);
        let is_gone = |seq: u64| seq < after.first || after.at(seq).event.is_null();
        match self.life {
            Life::Erase => {
                assert!(RECORDS.into_iter().all(|number| is_gone(seq(number))));
                assert!(
                    PERSONAL
                        .into_iter()
                        .all(|number| after.at(seq(number)).personal.is_string())
                );
            }
            Life::Purge => assert!(after.first > seq(9)),
            Life::Retain => {
                assert!(after.first > 0);
                let mut over = (0..EVENTS).filter(|number| tenant(*number) != KEPT);
                assert!(over.all(|number| is_gone(seq(number))));
            }
            Life::Export => self.check_exports(scene, true),
            _ => {
                let segments = scene.store().segments().expect("listed");
                let plain = segments
                    .iter()
                    .filter(|segment| segment.name.ends_with(".jsonl"))
                    .count();
                // The newest one is written to; the one before it may have been the newest.
                assert!(plain <= 3 && plain < segments.len(), "{segments:?}");
            }
        }
        // Each segment stands in one file, and each index belongs to one.
        let firsts = |folder: &str| -> Vec<String> {
            let files = list(&scene.folder().join(folder)).into_iter();
            let names = files.filter_map(|file| Some(file.file_name()?.to_str()?.get(..20)?.to_owned()));
            names.collect()
        };
        let segments: BTreeSet<String> = firsts("segments").into_iter().collect();
        assert_eq!(segments.len(), firsts("segments").len(), "a segment in two files");
    }

    fn may_go(&self, at: u64) -> bool {
        match self.life {
            Life::Purge => at < seq(PURGED),
            Life::Retain => is_over(at),
            _ => false,
        }
    }

    fn may_be_erased(&self, at: u64) -> bool {
        match self.life {
            Life::Erase => RECORDS.into_iter().any(|number| seq(number) == at),
            Life::Retain => number_of(at).is_some() && is_over(at),
            _ => false,
        }
    }

    fn may_lose_personal(&self, at: u64) -> bool {
        self.life == Life::Erase && PERSONAL.into_iter().any(|number| seq(number) == at)
    }

    /// What has a manifest is whole and as it should be; at the end that is all there is.
    fn check_exports(&self, scene: &Scene, is_done: bool) {
        let folder = scene.root().join(EXPORTS);
        let found = exports_in(&folder);
        let manifests: Vec<&str> = found.keys().filter_map(|name| name.strip_suffix(".manifest")).collect();
        for name in &manifests {
            assert_eq!(found.get(*name), self.exports.get(*name), "{name}");
        }
        if !manifests.is_empty() {
            let report = verify_export(&folder, &[scene.vkey()]).expect("readable");
            assert!(report.is_sound() && report.first_number == Some(0), "{report}");
        }
        if is_done {
            let names = |exports: &BTreeMap<String, Vec<u8>>| exports.keys().cloned().collect::<Vec<_>>();
            assert_eq!(names(&found), names(&self.exports), "no file twice, and none left");
        }
    }
}

/// A log of several segments, some of them compressed, all with their indexes, and a rotated key.
fn begun() -> &'static Scene {
    static BEGUN: OnceLock<Scene> = OnceLock::new();
    BEGUN.get_or_init(|| {
        let scene = Scene::new();
        let open = Life::Again.open(scene.root(), &(Arc::new(|_| {}) as _));
        let log = open.expect("it opens");
        log.rotate_key_file().expect("rotated");
        for number in 0..EVENTS {
            assert_eq!(log.append(event(number)).expect("recorded").seq, seq(number));
        }
        #[cfg(feature = "compress")]
        assert!(log.compress(seq(9)).expect("compressed").segments > 0);
        eventually("the segments are indexed", || {
            let indexes = scene.folder().join("index");
            let is_index = |path: &std::path::PathBuf| path.extension().is_some_and(|end| end == "idx");
            let segments = scene.store().segments().expect("listed").len();
            segments > 3
                && indexes.exists()
                && list(&indexes).iter().filter(|path| is_index(path)).count() + 1 == segments
        });
        log.close(SOON).expect("it closes");
        scene
    })
}

/// What is announced is done.
fn check_announced(after: &Sound) {
    for purged in after.of("audit_log.purged") {
        let before = purged.event["metadata"]["before"].as_u64().expect("before");
        assert!(before <= after.first, "the purge before {before} is not done");
    }
    for action in ["audit_log.record.erased", "audit_log.personal_data.erased"] {
        for announced in after.of(action) {
            let ranges = announced.event["metadata"]["ranges"].as_array().expect("ranges");
            for range in ranges {
                let (from, to) = (range[0].as_u64().expect("from"), range[1].as_u64().expect("to"));
                let left: Vec<&Seen> = (from.max(after.first)..=to).map(|seq| after.at(seq)).collect();
                assert!(
                    left.iter()
                        .all(|seen| seen.event.is_null() || action.contains("personal") && seen.personal.is_string()),
                    "{range} is announced and not done: {left:?}"
                );
            }
        }
    }
}

/// The exports of a life that nothing interrupts.
fn undisturbed(scene: &Scene) -> BTreeMap<String, Vec<u8>> {
    let scene = scene.crash_copy();
    Life::Export.live(scene.root(), |_| {});
    let exports = exports_in(&scene.root().join(EXPORTS));
    assert_eq!(exports.len(), 4, "two files and their manifests: {:?}", exports.keys());
    exports
}

/// The files in a folder of exports, but for its lock.
fn exports_in(folder: &std::path::Path) -> BTreeMap<String, Vec<u8>> {
    let files = if folder.exists() { list(folder) } else { Vec::new() };
    let name = |path: &std::path::Path| path.file_name().expect("a name").to_string_lossy().into_owned();
    let files = files.into_iter().filter(|path| !path.ends_with("export.lock"));
    files
        .map(|path| (name(&path), fs::read(&path).expect("readable")))
        .collect()
}

/// Whose personal data is erased, compressed, plain and in the segment that is written to; and erased as a whole.
const PERSONAL: [usize; 3] = [4, 13, EVENTS - 1];
const RECORDS: [usize; 3] = [5, 6, 14];

/// The emails that no file holds at the end.
pub(super) fn erased_emails() -> Vec<String> {
    let numbers = PERSONAL.into_iter().chain(RECORDS);
    numbers.map(life::email).collect()
}

/// The events that the log begins with.
const EVENTS: usize = 28;

/// The records before this one are purged, as far as segments allow.
const PURGED: usize = 16;

/// Whose records the retention keeps.
const KEPT: &str = "org_1";

/// The folder below the root.
const EXPORTS: &str = "exports";

fn event(number: usize) -> Event {
    life::event(number).tenant(tenant(number))
}

fn tenant(number: usize) -> &'static str {
    if number < 10 || number.is_multiple_of(3) {
        "org_2"
    } else {
        KEPT
    }
}

/// Behind the beginning of the log, of its writer, and the rotation of its key.
fn seq(number: usize) -> u64 {
    number as u64 + 3
}

fn number_of(seq: u64) -> Option<usize> {
    let number = usize::try_from(seq.checked_sub(3)?).ok()?;
    Some(number).filter(|number| *number < EVENTS)
}

/// Whether the retention does not keep a record of before the life.
fn is_over(seq: u64) -> bool {
    number_of(seq).is_none_or(|number| tenant(number) != KEPT)
}

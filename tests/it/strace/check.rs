//! What a crash or an error left: it opens, is sound and has all that was acknowledged, and the life goes on.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex};

use indelible::verify::NoticeKind;
use indelible::{SignedCheckpoint, Verifier};

use super::life::{Life, Said};
use super::upkeep::Before;
use crate::crash::key_in_force_at_first;
use crate::oracle::{self, Sound};
use crate::scene::*;

/// Opens what is left, checks it, lives the life again without faults, and checks it once more.
pub(super) fn check(scene: &Scene, life: Life, before: Option<&Before>, recorded: &[Said]) {
    let trusted = trusted(scene);
    if let Some(before) = before {
        finish_erasures(scene, life);
        before.check(scene, &check_sound(scene, trusted.as_ref()));
    } else {
        let log = life.open(scene.root(), &(Arc::new(|_| {}) as _)).expect("it opens");
        log.close(SOON).expect("it closes");
    }
    check_recorded(&check_sound(scene, trusted.as_ref()), recorded);
    let again = live_again(scene, life);
    finish_erasures(scene, life);
    let sound = check_sound(scene, trusted.as_ref());
    check_recorded(&sound, recorded);
    check_recorded(&sound, &again);
    check_once(&sound);
    if let Some(before) = before {
        before.check_done(scene, &sound);
    }
    for email in life.erased_emails() {
        assert!(!scene.holds(email.as_bytes()), "{email} is still there");
    }
    let left = files_below(scene.root());
    let left: Vec<_> = left.iter().filter(|path| is_passing(path)).collect();
    assert!(left.is_empty(), "left behind: {left:?}");
}

/// Lives the life without faults, on what is there already.
fn live_again(scene: &Scene, life: Life) -> Vec<Said> {
    let said = Arc::new(Mutex::new(Vec::new()));
    let hear = Arc::clone(&said);
    life.live(scene.root(), move |word| hear.lock().expect("unpoisoned").push(word));
    let again = said.lock().expect("unpoisoned").clone();
    assert_eq!(again.last(), Some(&Said::Done), "it does not go on: {again:?}");
    assert!(
        again
            .iter()
            .all(|said| matches!(said, Said::Recorded { .. } | Said::Done)),
        "{again:?}"
    );
    again
}

/// What a crash interrupted is taken up again in the background.
fn finish_erasures(scene: &Scene, life: Life) {
    let log = life.open(scene.root(), &(Arc::new(|_| {}) as _)).expect("it opens");
    eventually("what was announced is done", || {
        !scene.folder().join("pending").exists()
    });
    log.close(SOON).expect("it closes");
}

/// The checkpoint in the second place.
fn trusted(scene: &Scene) -> Option<SignedCheckpoint> {
    let place = list(scene.root()).into_iter();
    let place = place
        .into_iter()
        .find(|path| path.extension().is_some_and(|end| end == "checkpoint"))?;
    let note = std::fs::read_to_string(place).expect("readable");
    Some(note.parse().expect("a whole checkpoint"))
}

fn check_sound(scene: &Scene, trusted: Option<&SignedCheckpoint>) -> Sound {
    let mut verifier = Verifier::new(scene.vkey());
    if let Some(trusted) = trusted {
        verifier = verifier.trusted(trusted.clone());
    }
    let report = verifier.verify_dir(scene.folder()).expect("readable");
    assert!(report.is_sound(), "{report}");
    let lost = report
        .notices
        .iter()
        .find(|notice| notice.kind == NoticeKind::NotComparable);
    assert!(lost.is_none(), "the tree of what was purged is not kept: {report}");
    oracle::check(&scene.store(), &key_in_force_at_first(scene))
}

/// Every acknowledged event is there, but for those that a purge took.
fn check_recorded(sound: &Sound, recorded: &[Said]) {
    for said in recorded {
        let Said::Recorded { id, seq, hash } = said else {
            continue;
        };
        assert!(*seq < sound.size(), "{id} at {seq} is lost: {} records", sound.size());
        if *seq >= sound.first {
            let there = sound.at(*seq);
            assert_eq!(there.hash.to_string(), *hash, "{id} at {seq}");
            assert!(
                there.event.is_null() || there.event["id"] == *id,
                "{id} at {seq}: {}",
                there.event
            );
        }
    }
}

/// No event was recorded twice.
fn check_once(sound: &Sound) {
    let mut ids = BTreeSet::new();
    for record in sound.records.iter().filter(|record| !record.event.is_null()) {
        let id = record.event["id"].as_str().expect("an id");
        assert!(ids.insert(id), "{id} was recorded twice");
    }
}

/// Whether a file is there only while something is under way.
fn is_passing(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.ends_with(".new") || name.ends_with(".next") || name.ends_with(".part") || name == "pending" || name == "spare"
}

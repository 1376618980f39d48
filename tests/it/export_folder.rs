//! Exports into a folder: manifests that follow each other, tampering, crashes.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use indelible::export::{ExportFindingKind, ExportedFiles, Format, verify_export};
use indelible::{Actor, AuditLog, Cause, Export, MemoryStore, Query, Signer, VerifierKey};
use serde_json::Value;

use crate::export::*;
use crate::scene::*;

#[test]
fn manifests_follow_each_other_and_say_what_was_asked() {
    let scene = Scene::new();
    let log = log_of(&scene, 10);
    let out = scene.root().join("out");
    let exports = [
        Export::new(query("seq_to=5")),
        Export::new(query(
            "event_type=auth.login.failed&seq_to=12&actor_email=n0003@personal.example",
        )),
        Export::new(query("seq_from=5&seq_to=8"))
            .format(Format::Csv)
            .without_formula_guard(),
        Export::new(query("seq_from=5&seq_to=8")).format(Format::Json),
        Export::new(Query::new().seq_from(12).seq_to(12)),
    ];
    let mut files = Vec::new();
    for (number, export) in exports.iter().enumerate() {
        // A range that holds nothing is none.
        if number == 4 {
            assert!(matches!(
                log.export(export, &out).expect_err("empty").cause(),
                Cause::InvalidQuery(_)
            ));
            continue;
        }
        let exported = log.export(export, &out).expect("exported");
        let manifest = read_manifest(&exported.manifest, &log.vkey());
        assert_eq!(manifest.number, number as u64);
        files.push((exported, manifest));
    }
    let day = &files[0].1.created_at.to_string()[..10];
    let name = files[0].0.files[0]
        .file_name()
        .expect("a name")
        .to_str()
        .expect("UTF-8");
    assert_eq!(name, format!("{day}-00000000000000000000-00000000000000000005.jsonl"));
    assert_eq!(
        files[1].1.filter,
        "event_type=auth.login.failed&actor_email=n0003@personal.example&seq_to=12"
    );
    assert!(files[1].1.with_proofs && !files[0].1.with_proofs);
    assert!(!files[2].1.formula_guard);
    let report = assert_sound(&out, &log.vkey());
    assert_eq!((report.manifests, report.files, report.first_number), (4, 4, Some(0)));
    // Each is recorded, by whom is known where it was said.
    let asked = Export::new(query("seq_to=3").asked_by(Actor::admin("usr_auditor")));
    let mut to = Vec::new();
    log.export_to(&asked, &mut to).expect("exported");
    log.append(login("after")).expect("recorded");
    let found = log
        .reader()
        .query(&Query::new().action("audit_log.exported"))
        .expect("found")
        .found;
    assert_eq!(found.len(), 5);
    let event: Value = serde_json::from_str(&found[0].record.merged_json().expect("there")).expect("JSON");
    assert_eq!(event["actor"]["id"], "usr_auditor");
    assert_eq!(event["metadata"]["filter"], "seq_to=3");
    assert_eq!(event["metadata"]["format"], "jsonl");
    assert_eq!(event["metadata"]["records"], 3);
    let personal: Value = serde_json::from_str(&found[3].record.merged_json().expect("there")).expect("JSON");
    assert_eq!(personal["personal"]["metadata"][0], "filter", "an address is in it");
    // What is taken away from between others is missed.
    fs::remove_file(&files[1].0.manifest).expect("removed");
    let report = verify_export(&out, &[log.vkey()]).expect("a report");
    assert_eq!(kinds(&report), [ExportFindingKind::MissingManifest], "{report}");
    assert_eq!(report.unlisted.len(), 1);
}

fn read_manifest(path: &Path, vkey: &VerifierKey) -> indelible::export::Manifest {
    let note = fs::read_to_string(path).expect("a manifest");
    indelible::export::Manifest::open(&note, std::slice::from_ref(vkey)).expect("a manifest")
}

#[test]
fn whatever_byte_is_changed_it_is_found() {
    let log = memory_log();
    for user in 0..2 {
        log.append(login(user)).expect("recorded");
    }
    let folder = tempfile::tempdir().expect("a folder");
    let exports = [
        Export::new(query("seq_from=2&seq_to=4")),
        Export::new(query("event_type=auth.*")),
        Export::new(query("seq_to=4")).format(Format::Csv),
        Export::new(query("seq_to=4")).format(Format::Json),
    ];
    for export in &exports {
        log.export(export, folder.path()).expect("exported");
    }
    let vkeys = [log.vkey()];
    assert_sound(folder.path(), &log.vkey());
    let mut changed = 0;
    for path in list(folder.path())
        .into_iter()
        .filter(|path| !path.ends_with("export.lock"))
    {
        let content = fs::read(&path).expect("a file");
        for at in 0..content.len() {
            let mut other = content.clone();
            other[at] ^= 1;
            fs::write(&path, &other).expect("written");
            let report = verify_export(folder.path(), &vkeys).expect("a report");
            assert!(!report.is_sound(), "{} byte {at}", path.display());
            changed += 1;
        }
        for other in [&content[..content.len() - 1], &[&content[..], b"\n"].concat()] {
            fs::write(&path, other).expect("written");
            assert!(!verify_export(folder.path(), &vkeys).expect("a report").is_sound());
        }
        fs::write(&path, &content).expect("written");
    }
    assert!(changed > 8_000, "{changed}");
    assert_sound(folder.path(), &log.vkey());
    // Another key says nothing of it.
    let report = verify_export(folder.path(), &[key().vkey().clone()]).expect("a report");
    assert!(
        kinds(&report)
            .iter()
            .all(|kind| *kind == ExportFindingKind::BadSignature)
    );
    assert_eq!(report.findings_total, 4);
}

/// Who can sign a manifest for what is not in the log is still found out by the chain and the proofs.
#[test]
fn records_that_are_not_in_the_log_are_found_behind_a_manifest_that_fits() {
    let log_key = Arc::new(key());
    let log = AuditLog::builder(ORIGIN)
        .signer(Arc::clone(&log_key))
        .without_checkpoint_file()
        .open(MemoryStore::new())
        .expect("opens");
    for user in 0..6 {
        log.append(login(user)).expect("recorded");
    }
    let export = |text: &str| {
        let folder = tempfile::tempdir().expect("a folder");
        let files = log.export(&Export::new(query(text)), folder.path()).expect("exported");
        (folder, files)
    };
    let forged = |text: &str, change: &dyn Fn(&str) -> String| {
        let (folder, files) = export(text);
        let content = fs::read_to_string(&files.files[0]).expect("a file");
        let other = change(&content);
        assert_ne!(content, other);
        fs::write(&files.files[0], &other).expect("written");
        let note = fs::read_to_string(&files.manifest).expect("a manifest");
        let (text, _) = note.split_once("\n\n").expect("a note");
        let mut text = format!("{text}\n");
        let hashes = [&content, &other].map(|content| indelible::Hash::of(content.as_bytes()).to_string());
        text = text.replace(&hashes[0], &hashes[1]);
        text = text.replace(
            &format!("\"bytes\":{},", content.len()),
            &format!("\"bytes\":{},", other.len()),
        );
        let note = indelible::note::sign(&text, &[&log_key]).expect("signed");
        fs::write(&files.manifest, note).expect("written");
        let report = verify_export(folder.path(), &[log.vkey()]).expect("a report");
        assert_eq!(report.findings_total, 1, "{report}");
        assert!(report.findings[0].line.is_some());
        report.findings[0].kind
    };
    let without = |from: usize, to: usize| {
        move |text: &str| -> String {
            let lines = text.split_inclusive('\n').enumerate();
            lines
                .filter(|(at, _)| !(from..to).contains(at))
                .map(|(_, line)| line)
                .collect()
        }
    };
    let range = "seq_from=2&seq_to=8";
    let first = |from: &'static str, to: &'static str| move |text: &str| text.replacen(from, to, 1);
    assert_eq!(forged(range, &first("usr_1", "usr_9")), ExportFindingKind::WrongRoot);
    assert_eq!(forged(range, &without(0, 1)), ExportFindingKind::Malformed);
    assert_eq!(forged(range, &without(1, 3)), ExportFindingKind::BadSequence);
    let count = {
        let (_folder, files) = export(range);
        fs::read_to_string(&files.files[0]).expect("a file").lines().count()
    };
    assert_eq!(forged(range, &without(count - 1, count)), ExportFindingKind::Malformed);
    assert_eq!(
        forged(range, &without(count - 2, count)),
        ExportFindingKind::BadSequence
    );
    let filter = "event_type=auth.*";
    assert_eq!(forged(filter, &first("usr_1", "usr_9")), ExportFindingKind::WrongRoot);
    assert_eq!(forged(filter, &without(2, 3)), ExportFindingKind::BadSequence);
}

#[test]
fn one_vkey_suffices_after_a_rotation() {
    let scene = Scene::new();
    let log = log_of(&scene, 20);
    log.rotate_key(key()).expect("rotated");
    log.append(login("after")).expect("recorded");
    let files = log
        .export(&Export::new(query("seq_to=10")), scene.root().join("out"))
        .expect("exported");
    assert_sound(&files.manifest, &log.vkey());
    let filter = Export::new(query("seq_to=10&event_type=auth.*"));
    let files = log.export(&filter, scene.root().join("out")).expect("exported");
    assert_sound(&files.manifest, &log.vkey());
}

fn names(folder: &Path) -> Vec<String> {
    let names = list(folder)
        .into_iter()
        .map(|path| path.file_name().expect("a name").to_string_lossy().into_owned());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

#[test]
fn what_was_exported_is_not_exported_again_and_a_crash_leaves_no_duplicate() {
    let scene = Scene::new();
    let log = log_of(&scene, 20);
    let out = scene.root().join("out");
    let export = Export::new(query("seq_to=10"));
    let files: ExportedFiles = log.export(&export, &out).expect("exported");
    let content = |path: &PathBuf| fs::read(path).expect("a file");
    let before = (content(&files.files[0]), content(&files.manifest));
    let error = log.export(&export, &out).expect_err("there already");
    assert!(
        matches!(error.cause(), Cause::AlreadyExported { path } if *path == files.manifest),
        "{error}"
    );
    assert_eq!((content(&files.files[0]), content(&files.manifest)), before);
    // A crash at each step: half the data, all of it, and a part of the manifest.
    let part = files.manifest.with_extension("manifest.part");
    fs::remove_file(&files.manifest).expect("removed");
    for (data, manifest) in [
        (100, None),
        (before.0.len(), None),
        (before.0.len(), Some(50)),
        (0, Some(0)),
    ] {
        fs::write(&files.files[0], &before.0[..data]).expect("written");
        if let Some(length) = manifest {
            fs::write(&part, &before.1[..length]).expect("written");
        }
        let again = log.export(&export, &out).expect("exported");
        assert_eq!(content(&again.files[0]), before.0);
        assert_eq!(names(&out).len(), 3, "{:?}", names(&out));
        assert!(assert_sound(&out, &log.vkey()).unlisted.is_empty());
        fs::remove_file(&again.manifest).expect("removed");
    }
    // Between the manifest's link and the end of its other name.
    let again = log.export(&export, &out).expect("exported");
    fs::hard_link(&again.manifest, &part).expect("linked");
    let error = log.export(&export, &out).expect_err("there already");
    assert!(matches!(error.cause(), Cause::AlreadyExported { .. }));
    assert_eq!(names(&out).len(), 3, "the other name is gone: {:?}", names(&out));
    assert!(assert_sound(&out, &log.vkey()).unlisted.is_empty());
}

#[test]
fn one_export_into_a_folder_at_a_time_and_of_one_log() {
    let scene = Scene::new();
    let log = log_of(&scene, 20);
    let out = scene.root().join("out");
    let nested = Arc::new(Mutex::new(None));
    let (seen, inner_log, inner_out) = (Arc::clone(&nested), log.clone(), out.clone());
    let export = Export::new(query("seq_to=10")).progress(move |_| {
        let error = inner_log.export(&Export::new(query("seq_to=11")), &inner_out);
        *seen.lock().expect("unpoisoned") = Some(error.map(drop));
    });
    log.export(&export, &out).expect("exported");
    let error = nested
        .lock()
        .expect("unpoisoned")
        .take()
        .expect("called")
        .expect_err("busy");
    assert!(matches!(error.cause(), Cause::Export { .. }), "{error}");
    let other = AuditLog::builder("other.example.com/audit")
        .signer(indelible::SigningKey::generate("other.example.com/audit".parse().expect("an origin")).expect("a key"))
        .without_checkpoint_file()
        .open(MemoryStore::new())
        .expect("opens");
    let error = other
        .export(&Export::new(Query::new()), &out)
        .expect_err("another log's folder");
    assert!(matches!(error.cause(), Cause::Configuration { .. }), "{error}");
    assert_eq!(names(&out).len(), 3, "nothing is left of what failed");
}

#[test]
fn a_signer_that_fails_leaves_nothing() {
    let signer = TestSigner::new();
    let log = in_memory(&signer).open(MemoryStore::new()).expect("opens");
    log.append(login(1)).expect("recorded");
    let folder = tempfile::tempdir().expect("a folder");
    for mode in [Mode::Fail, Mode::Garbage, Mode::Panic] {
        signer.misbehave(mode, 1);
        log.export(&Export::new(query("seq_to=3")), folder.path())
            .expect_err("no signature");
        assert_eq!(names(folder.path()), ["export.lock"]);
    }
    log.export(&Export::new(query("seq_to=3")), folder.path())
        .expect("exported");
    assert_sound(folder.path(), &log.vkey());
}

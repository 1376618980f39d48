//! Exports that somebody forged who has a key that was replaced, or may write into their folder.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use indelible::export::{ExportFindingKind, Format, verify_export};
use indelible::{Cause, Export, Hash, Query, Signer};

use crate::export::*;
use crate::scene::*;

/// The text of a manifest, changed, and signed by whom it pleases.
fn signed(manifest: &Path, changes: &[(&str, &str)], signer: &dyn Signer) -> String {
    let note = fs::read_to_string(manifest).expect("a manifest");
    let (text, _) = note.split_once("\n\n").expect("a note");
    let text = changes.iter().fold(format!("{text}\n"), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replacen(from, to, 1)
    });
    indelible::note::sign(&text, &[signer]).expect("signed")
}

#[test]
fn a_key_that_was_replaced_signs_no_further_manifest() {
    let scene = Scene::new();
    let log = log_of(&scene, 20);
    let (former, out) = (scene.key(), scene.root().join("out"));
    let first = log.export(&Export::new(query("seq_to=10")), &out).expect("exported");
    log.rotate_key_file().expect("rotated");
    log.append(login("after")).expect("recorded");
    let second = log.export(&Export::new(query("seq_from=10")), &out).expect("exported");
    let vkeys = [former.vkey().clone(), log.vkey()];
    let report = verify_export(&out, &vkeys).expect("a report");
    assert!(report.is_sound(), "{report}");
    // With what was stolen of the former key, and all that an auditor has.
    let before = Hash::of(&fs::read(&second.manifest).expect("a manifest")).to_string();
    let zeros = Hash::ZERO.to_string();
    let changes = [("\"number\":0", "\"number\":2"), (zeros.as_str(), before.as_str())];
    let forged = signed(&first.manifest, &changes, &former);
    fs::write(out.join("x.manifest"), forged).expect("written");
    let report = verify_export(&out, &vkeys).expect("a report");
    assert_eq!(kinds(&report), [ExportFindingKind::BadSignature], "{report}");
    assert_eq!(report.findings[0].file, "x.manifest");
    // A new manifest is of the new key, and so is its checkpoint.
    let forged = signed(&second.manifest, &[], &former);
    fs::write(out.join("x.manifest"), forged).expect("written");
    let report = verify_export(out.join("x.manifest"), &vkeys).expect("a report");
    assert_eq!(kinds(&report), [ExportFindingKind::BadSignature], "{report}");
}

/// Who may write into the log's folder, but has none of its keys, adds none to them.
#[test]
fn a_rotation_that_no_key_of_the_log_covers_makes_no_manifest_one_of_the_log() {
    let (scene, other) = (Scene::new(), Scene::new());
    let (log, out) = (log_of(&scene, 20), scene.root().join("out"));
    // Another log of the same name, whose keys are its owner's.
    let forger = other.open();
    let rotated = forger.state().size;
    forger.rotate_key_file().expect("rotated");
    forger.export(&Export::new(Query::new()), &out).expect("exported");
    let text = String::from_utf8(content_of(&other.last_segment())).expect("text");
    let kept = text
        .split_inclusive('\n')
        .find(|line| line.contains("signing_key.rotated"))
        .expect("a record");
    let proof = forger.prove(rotated).expect("a proof");
    let forged_in_keys = |folder: &Path| {
        fs::create_dir_all(folder.join("keys")).expect("made");
        let name = folder.join("keys").join(format!("{rotated:020}"));
        fs::write(name, format!("{kept}{proof}")).expect("written");
    };
    let forged_in_segments = |folder: &Path| {
        let path = folder.join("segments").join(format!("{:020}.jsonl", 0));
        let text = fs::read_to_string(&path).expect("a segment");
        let end = format!(",\"seq\":{rotated}}}");
        let lines = text
            .split_inclusive('\n')
            .map(|line| if line.trim_end().ends_with(&end) { kept } else { line });
        fs::write(&path, lines.collect::<String>()).expect("written");
    };
    for forge in [&forged_in_keys as &dyn Fn(&Path), &forged_in_segments] {
        forge(&scene.folder());
        let error = log
            .export(&Export::new(Query::new()), &out)
            .expect_err("it is of no key of this log");
        assert!(matches!(error.cause(), Cause::Damaged { .. }), "{error}");
    }
}

#[test]
fn records_before_purged_ones_are_not_left_out() {
    let scene = Scene::new();
    let log = log_of(&scene, 40);
    let out = scene.root().join("out");
    let export = Export::new(query("seq_from=12&seq_to=30"));
    let files = log.export(&export, &out).expect("exported");
    // The records from 3 to 5 are neither there nor purged.
    let filter = ("filter\":\"seq_from=12&seq_to=30", "filter\":\"seq_from=3&seq_to=30");
    let changes = [
        filter,
        ("\"purged\":[]", "\"purged\":[[6,11]]"),
        ("\"seq_from\":12", "\"seq_from\":3"),
    ];
    let forged = signed(&files.manifest, &changes, &scene.key());
    fs::write(&files.manifest, forged).expect("written");
    let report = verify_export(&out, &[log.vkey()]).expect("a report");
    assert_eq!(kinds(&report), [ExportFindingKind::BadSequence], "{report}");
}

#[test]
fn a_file_whose_name_is_no_text_is_not_hidden() {
    let scene = Scene::new();
    let log = log_of(&scene, 4);
    let out = scene.root().join("out");
    log.export(&Export::new(Query::new()), &out).expect("exported");
    fs::write(out.join(OsStr::from_bytes(b"\xff.jsonl")), "").expect("written");
    let report = assert_sound(&out, &log.vkey());
    assert_eq!(report.unlisted, ["\u{fffd}.jsonl"]);
}

#[test]
fn no_manifest_follows_one_that_no_key_of_the_log_signed() {
    let scene = Scene::new();
    let log = log_of(&scene, 20);
    let out = scene.root().join("out");
    let files = log.export(&Export::new(query("seq_to=5")), &out).expect("exported");
    log.rotate_key_file().expect("rotated");
    log.export(&Export::new(query("seq_to=6")), &out)
        .expect("a former key's counts");
    let forged = signed(&files.manifest, &[("\"number\":0", "\"number\":2")], &key());
    fs::write(out.join("x.manifest"), forged).expect("written");
    let before = list(&out).len();
    let error = log
        .export(&Export::new(query("seq_to=7")), &out)
        .expect_err("a stranger's");
    assert!(matches!(error.cause(), Cause::Damaged { .. }), "{error}");
    assert!(error.to_string().contains("x.manifest"), "{error}");
    assert_eq!(list(&out).len(), before);
    fs::remove_file(out.join("x.manifest")).expect("removed");
    let csv = Export::new(query("seq_to=7")).format(Format::Csv);
    log.export(&csv, &out).expect("exported");
}

#[test]
fn many_files_in_a_folder_are_no_trouble() {
    let scene = Scene::new();
    let log = log_of(&scene, 4);
    let out = scene.root().join("out");
    let csv = Export::new(query("seq_to=2")).format(Format::Csv);
    let files = log.export(&csv, &out).expect("exported");
    let note = fs::read_to_string(&files.manifest).expect("a manifest");
    for number in 0..2_000 {
        fs::write(out.join(format!("{number}.manifest")), &note).expect("written");
        fs::write(out.join(format!("{number}.csv")), "").expect("written");
    }
    let report = verify_export(&out, &[log.vkey()]).expect("a report");
    assert_eq!((report.findings_total, report.findings.len()), (2_000, 200));
    assert_eq!(report.unlisted.len(), 2_000);
    assert!(
        report
            .findings
            .iter()
            .all(|finding| finding.kind == ExportFindingKind::BrokenChain)
    );
}

//! Exports: manifests and files of any bytes are judged to an end. Under a manifest that is as it was no byte of a file
//! can differ, and under any that is signed JSON Lines hold no record but those of the log.

#![no_main]

use std::collections::BTreeMap;
use std::fs;
use std::sync::LazyLock;

use indelible::export::{Manifest, verify_export};
use indelible::note::{self, Note};
use indelible::{Actor, AuditLog, Event, Export, Hash, MemoryStore, Query, Record, Signer, SigningKey, action};
use indelible_fuzz::{edit, folder};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

static KEY: LazyLock<SigningKey> = LazyLock::new(key);

fn key() -> SigningKey {
    SigningKey::from_seed("fuzz.example.com/audit".parse().expect("an origin"), &[1; 32]).expect("a key")
}

/// An export as it should be.
struct Exported {
    name: String,
    content: Vec<u8>,
    note: String,
}

/// The lines of a range, and records with their proofs; and the hashes of all records.
static TRUE: LazyLock<(Vec<Exported>, BTreeMap<u64, Hash>)> = LazyLock::new(|| {
    let builder = AuditLog::builder("fuzz.example.com/audit")
        .signer(key())
        .without_checkpoint_file();
    let log = builder
        .open(MemoryStore::new().segment_size(2_000))
        .expect("a log in memory");
    for number in 0..6 {
        let actor = Actor::user(format!("usr_{number}")).email("alice@example.com");
        log.append(Event::new(action::AUTH_LOGIN_FAILED).actor(actor))
            .expect("recorded");
    }
    log.erase_records([3..=3], "fuzz").expect("erased");
    let folder = folder();
    let exports = ["seq_from=2&seq_to=6", "event_type=auth.*"].map(|query| {
        let export = Export::new(Query::parse(query).expect("a query"));
        let exported = log.export(&export, folder.path()).expect("exported");
        Exported {
            name: exported.files[0]
                .file_name()
                .expect("a name")
                .to_string_lossy()
                .into_owned(),
            content: fs::read(&exported.files[0]).expect("the file"),
            note: fs::read_to_string(&exported.manifest).expect("the manifest"),
        }
    });
    let mut hashes = BTreeMap::new();
    for record in log.reader().records(..).expect("readable") {
        let record = record.expect("a record");
        hashes.insert(record.seq(), record.hash());
    }
    (exports.into(), hashes)
});

fuzz_target!(|input: &[u8]| {
    let Some((choice, input)) = input.split_first() else {
        return;
    };
    let (exports, hashes) = &*TRUE;
    let export = &exports[usize::from(choice & 1)];
    match choice >> 1 & 3 {
        // A manifest as it stands, or whose JSON is signed.
        0 => {
            let text = String::from_utf8_lossy(input);
            judge(export, &export.content, &text);
            let Ok(note) = sign(&text) else { return };
            judge(export, &export.content, &note);
            if Manifest::open(&note, &[KEY.vkey().clone()]).is_ok() {
                let value: Value = serde_json::from_str(&text).expect("JSON by another reader");
                assert_eq!(
                    text,
                    serde_json_canonicalizer::to_string(&value).expect("canonical by another writer")
                );
            }
        }
        // A file under the true manifest.
        1 => {
            let mut content = export.content.clone();
            edit(&mut content, input);
            assert_eq!(judge(export, &content, &export.note), content == export.content);
        }
        // A file under a manifest that says what it holds.
        what => {
            let mut content = input.to_vec();
            if what == 2 {
                content.clone_from(&export.content);
                edit(&mut content, input);
            }
            if judge(export, &content, &resigned(export, &content)) {
                let lines = content.split(|byte| *byte == b'\n');
                for record in lines.filter_map(record_of) {
                    assert_eq!(hashes.get(&record.seq()), Some(&record.hash()));
                }
            }
        }
    }
});

/// Whether an export is found to be sound.
fn judge(export: &Exported, content: &[u8], note: &str) -> bool {
    let folder = folder();
    let manifest = folder.path().join(format!("{}.manifest", export.name));
    fs::write(folder.path().join(&export.name), content).expect("written");
    fs::write(&manifest, note).expect("written");
    let vkeys = [KEY.vkey().clone()];
    let alone = verify_export(&manifest, &vkeys).expect("readable");
    let report = verify_export(folder.path(), &vkeys).expect("readable");
    assert!(alone.is_sound() || !report.is_sound(), "{alone}\n{report}");
    alone.is_sound()
}

/// A manifest of this JSON.
fn sign(json: &str) -> Result<String, indelible::SignError> {
    note::sign(&format!("indelible export manifest\n{json}\n"), &[&*KEY])
}

/// The manifest of an export with the length and the hash of other content.
fn resigned(export: &Exported, content: &[u8]) -> String {
    let note = Note::parse(&export.note).expect("a note");
    let json = note.text().lines().nth(1).expect("two lines");
    let mut manifest: Value = serde_json::from_str(json).expect("JSON");
    let file = &mut manifest["files"][0];
    file["bytes"] = content.len().into();
    file["sha256"] = Hash::of(content).to_string().into();
    sign(&serde_json_canonicalizer::to_string(&manifest).expect("canonical")).expect("signed")
}

/// The record of a line of the log, or of one with a proof.
fn record_of(line: &[u8]) -> Option<Record> {
    let with_proof = || {
        let line: Value = serde_json::from_slice(line).ok()?;
        Record::from_json(line["record"].to_string().as_bytes()).ok()
    };
    Record::from_line(line).ok().or_else(with_proof)
}

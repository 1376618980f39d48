//! Logs that another implementation wrote and tampered with: `tests/vectors/format-1`.

use std::fs;
use std::path::{Path, PathBuf};

use indelible::verify::{NoticeKind, VerifyError};
use indelible::{Cause, Proof, Record, Report, Verifier, VerifierKey};
use serde_json::Value;

/// A vector: its folder and what is expected of it.
struct Vector {
    folder: PathBuf,
    name: String,
    expected: Value,
}

impl Vector {
    fn all() -> Vec<Self> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/format-1");
        let mut vectors: Vec<Self> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|folder| folder.join("expected.json").exists())
            .map(|folder| {
                let expected = serde_json::from_slice(&fs::read(folder.join("expected.json")).unwrap()).unwrap();
                let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
                Self { folder, name, expected }
            })
            .collect();
        vectors.sort_by(|a, b| a.name.cmp(&b.name));
        vectors
    }

    fn findings(&self) -> Vec<&str> {
        self.expected["findings"]
            .as_array()
            .unwrap()
            .iter()
            .map(|kind| kind.as_str().unwrap())
            .collect()
    }

    fn is_compressed(&self) -> bool {
        let mut names = fs::read_dir(self.folder.join("log/segments"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name());
        self.name != "sound-both-spellings" && names.any(|name| name.to_str().unwrap().ends_with(".zst"))
    }

    fn verifier(&self) -> Verifier {
        let vkey: VerifierKey = self.expected["vkey"].as_str().unwrap().parse().unwrap();
        let verifier = Verifier::new(vkey);
        match fs::read_to_string(self.folder.join("checkpoint.txt")) {
            Ok(checkpoint) => verifier.trusted(checkpoint.parse().unwrap()),
            Err(_) => verifier,
        }
    }

    fn verify(&self) -> indelible::Result<Report> {
        self.verifier().verify_dir(self.folder.join("log"))
    }
}

#[test]
fn every_vector_gives_its_findings() {
    let vectors = Vector::all();
    assert_eq!(vectors.len(), 55);
    for vector in vectors {
        let expected = vector.findings();
        let report = match vector.verify() {
            Ok(report) => report,
            Err(error) if vector.is_compressed() && !cfg!(feature = "compress") => {
                assert!(error.to_string().contains("feature `compress`"), "{error}");
                eprintln!("skipped without the feature compress: {}", vector.name);
                continue;
            }
            Err(error) => {
                assert_eq!(expected, ["unsupported"], "{}: {error}", vector.name);
                assert!(
                    matches!(error.cause(), Cause::Unsupported { format: 2, .. }),
                    "{}",
                    vector.name
                );
                continue;
            }
        };
        let kinds: Vec<&str> = report.findings.iter().map(|finding| finding.kind.as_str()).collect();
        println!("{}: {kinds:?}", vector.name);
        for kind in &expected {
            assert!(
                kinds.contains(kind),
                "{}: {kinds:?} lacks {kind}\n{report}",
                vector.name
            );
        }
        assert_eq!(report.is_sound(), expected.is_empty(), "{}:\n{report}", vector.name);
        // The log that was cut off has the size and the root of the whole one in its expectation.
        if expected.is_empty() && vector.name != "cut-off-unseen" {
            assert_eq!(report.size, vector.expected["size"], "{}", vector.name);
            assert_eq!(
                report.root.unwrap().to_string(),
                vector.expected["root"],
                "{}",
                vector.name
            );
        }
        if !expected.is_empty() {
            assert!(report.to_string().starts_with("NOT SOUND"), "{report}");
        }
        check_json(&report);
    }
}

/// The report's JSON has exactly its keys and says the same.
fn check_json(report: &Report) {
    let text = report.to_json();
    let json: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        String::from_utf8(serde_json_canonicalizer::to_vec(&json).unwrap()).unwrap(),
        text
    );
    let keys: Vec<&String> = json.as_object().unwrap().keys().collect();
    assert_eq!(
        keys,
        [
            "checkpoints",
            "erased",
            "findings",
            "first",
            "notices",
            "records",
            "root",
            "size",
            "sound"
        ]
    );
    assert_eq!(json["sound"], report.is_sound());
    assert_eq!(json["findings"].as_array().unwrap().len(), report.findings.len());
    for (json, finding) in json["findings"].as_array().unwrap().iter().zip(&report.findings) {
        assert_eq!(json["kind"], finding.kind.as_str());
        assert_eq!(json["seq"].as_u64(), finding.seq);
        assert_eq!(json["line"].as_u64(), finding.line);
        assert_eq!(json["file"], finding.file.as_str());
        assert_eq!(json["found"].as_str(), finding.found.as_deref());
    }
}

/// What each tampered vector says first, and where: the cause, not what follows from it.
#[test]
fn the_first_finding_is_the_cause() {
    let first = |name: &str| {
        let vectors = Vector::all();
        let report = vectors
            .iter()
            .find(|vector| vector.name == name)
            .unwrap()
            .verify()
            .unwrap();
        let finding = report.findings[0].clone();
        let file = finding
            .file
            .rsplit('/')
            .next()
            .unwrap()
            .trim_start_matches('0')
            .trim_end_matches(".jsonl")
            .to_owned();
        (finding.kind.as_str(), file, finding.line, finding.seq)
    };
    let at = |kind, file: &str, line, seq| (kind, file.to_owned(), Some(line), Some(seq));
    assert_eq!(first("modified-event"), at("broken_link", "17", 6, 20));
    assert_eq!(first("modified-personal"), at("broken_link", "17", 4, 19));
    assert_eq!(first("deleted-record"), at("bad_sequence", "17", 5, 20));
    assert_eq!(first("inserted-record"), at("bad_sequence", "17", 5, 19));
    assert_eq!(first("missing-segment"), at("missing_records", "33", 1, 17));
    assert_eq!(first("missing-first-segment"), at("missing_records", "17", 1, 0));
    assert_eq!(first("unannounced-erasure"), at("unannounced_erasure", "17", 4, 19));
    assert_eq!(first("wrong-peaks"), ("wrong_root", "33".to_owned(), Some(1), None));
    assert_eq!(first("erasure-over-own-record"), at("malformed", "33", 31, 55));
    assert_eq!(first("unsigned-tail"), at("unsigned_tail", "33", 31, 55));
    assert_eq!(first("rotation-not-last"), at("bad_signature", "33", 31, 55));
}

#[test]
fn a_trusted_checkpoint_before_the_log_cannot_be_compared() {
    let vectors = Vector::all();
    let vector = vectors
        .iter()
        .find(|vector| vector.name == "sound-older-trust")
        .unwrap();
    let report = vector.verify().unwrap();
    assert_eq!(
        report.notices.iter().map(|notice| notice.kind).collect::<Vec<_>>(),
        [NoticeKind::NotComparable]
    );
}

/// Of several vkeys any may be the one of the log.
#[test]
fn one_of_several_vkeys_is_enough() {
    let vectors = Vector::all();
    let sound = vectors.iter().find(|vector| vector.name == "sound").unwrap();
    let newest = vectors.iter().find(|vector| vector.name == "sound-newest-key").unwrap();
    let other: VerifierKey = "auth.example.com/audit+8eed4845+AZN2nIEWxOapoHrQrQ/J5NtO0EhdKaeb9zKg+4q829m0"
        .parse()
        .unwrap();
    let foreign: VerifierKey = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
        .parse()
        .unwrap();
    let first: VerifierKey = sound.expected["vkey"].as_str().unwrap().parse().unwrap();
    let second: VerifierKey = newest.expected["vkey"].as_str().unwrap().parse().unwrap();
    let folder = sound.folder.join("log");
    for vkey in [&first, &second] {
        for wrong in [&other, &foreign] {
            for verifier in [
                Verifier::new(wrong.clone()).vkey(vkey.clone()),
                Verifier::new(vkey.clone()).vkey(wrong.clone()),
            ] {
                let report = verifier.verify_dir(&folder).unwrap();
                assert!(report.is_sound(), "{report}");
                assert_eq!(report.vkey.as_ref(), Some(vkey));
                assert_eq!(report.key_in_force, second);
            }
        }
    }
    let report = Verifier::new(other.clone()).vkey(foreign).verify_dir(&folder).unwrap();
    assert!(!report.is_sound());
    assert!(
        Verifier::new(other)
            .verify_dir(&folder)
            .unwrap()
            .findings
            .iter()
            .any(|finding| finding.kind.as_str() == "bad_signature")
    );
}

#[test]
fn threads_do_not_change_the_report() {
    for vector in Vector::all().iter().filter(|vector| !vector.is_compressed()) {
        let verify = |threads| vector.verifier().threads(threads).verify_dir(vector.folder.join("log"));
        match (verify(1), verify(4)) {
            (Ok(one), Ok(four)) => assert_eq!(one, four),
            (one, four) => assert!(one.is_err() && four.is_err()),
        }
    }
}

#[test]
fn records_with_their_proofs() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/format-1/proofs");
    let read = |name: String| fs::read_to_string(folder.join(name)).unwrap();
    let vkey: VerifierKey = read("vkey".into()).trim_end().parse().unwrap();
    let other: VerifierKey = "auth.example.com/audit+8eed4845+AZN2nIEWxOapoHrQrQ/J5NtO0EhdKaeb9zKg+4q829m0"
        .parse()
        .unwrap();
    let proof = |seq: u64| read(format!("{seq}.tlog-proof")).parse::<Proof>().unwrap();
    for seq in [0, 3, 27, 54] {
        let record = Record::from_line(read(format!("{seq}.record.json")).trim_end().as_bytes()).unwrap();
        let verifier = Verifier::new(vkey.clone());
        assert_eq!(verifier.verify_record(&record, &proof(seq)).unwrap().size(), 55);
        assert_eq!(
            verifier
                .clone()
                .vkey(other.clone())
                .verify_record(&record, &proof(seq))
                .unwrap()
                .size(),
            55
        );
        let refused = Verifier::new(other.clone())
            .verify_record(&record, &proof(seq))
            .unwrap_err();
        assert!(refused.to_string().contains("+d9fcf820"), "{refused}");
        let elsewhere = verifier
            .verify_record(&record, &proof(if seq == 3 { 27 } else { 3 }))
            .unwrap_err();
        assert!(matches!(elsewhere, VerifyError::OtherRecord { .. }));
        // The hash of an erased record says nothing of its place.
        let erased = format!("{{\"erased\":\"{}\",\"seq\":{}}}", record.hash(), seq + 1);
        let erased = Record::from_line(erased.as_bytes()).unwrap();
        assert!(verifier.verify_record(&erased, &proof(seq)).is_err());
    }
}

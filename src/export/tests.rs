//! Unit tests of the parts that no file shows.

use super::csv::guarded;
use super::manifest::Manifest;
use super::{Compression, Format, ManifestFile};
use crate::checkpoint::Checkpoint;
use crate::hash::Hash;
use crate::note;
use crate::query::Gone;
use crate::sign::{Signer, SigningKey};
use crate::timestamp::Timestamp;

#[test]
fn what_begins_a_formula_is_guarded_wherever_a_cell_may_begin() {
    let guarded_cells = [
        ("=1+1", "'=1+1"),
        ("+49 30", "'+49 30"),
        ("-2", "'-2"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\u{ff1d}1", "'\u{ff1d}1"),
        ("\u{ff0b}1", "'\u{ff0b}1"),
        ("\u{ff0d}1", "'\u{ff0d}1"),
        ("\u{ff20}1", "'\u{ff20}1"),
        ("\tx", "'\tx"),
        ("\rx", "'\rx"),
        ("\nx", "'\nx"),
        ("\0x", "'\0x"),
        (" =1", " '=1"),
        ("\u{feff}=1", "\u{feff}'=1"),
        ("\u{a0}\u{200b}@x", "\u{a0}\u{200b}'@x"),
        ("\u{b}\u{3000}\u{ff1d}1", "\u{b}\u{3000}'\u{ff1d}1"),
        ("a;\u{2060}+1", "a;\u{2060}'+1"),
        ("\"=1", "\"'=1"),
        ("\t=1", "'\t'=1"),
        ("a;=1", "a;'=1"),
        ("a; \"@x", "a; \"'@x"),
        ("a\n-1", "a\n'-1"),
        ("a|=cmd", "a|'=cmd"),
        ("é;=ü", "é;'=ü"),
    ];
    for (cell, expected) in guarded_cells {
        assert_eq!(guarded(cell), expected, "{cell:?}");
    }
    for cell in [
        "",
        "a",
        "a=1",
        "a, -1",
        "'=1",
        "user@example.com",
        "{\"a\":-1}",
        "2026-02-01",
    ] {
        assert_eq!(guarded(cell), cell);
    }
}

fn sample(key: &SigningKey) -> Manifest {
    let origin = key.vkey().name().clone();
    let checkpoint = Checkpoint::new(origin.clone(), 9, Hash::of(b"root")).expect("a checkpoint");
    Manifest {
        origin,
        number: 3,
        previous: Hash::of(b"before"),
        created_at: "2026-02-01T00:00:00Z".parse::<Timestamp>().expect("a time"),
        filter: "event_type=auth.login.*".into(),
        range: 2..9,
        format: Format::Csv,
        compression: None,
        with_proofs: false,
        formula_guard: true,
        gone: Gone {
            purged: Some(2..4),
            erased: 1,
            personal_erased: 2,
        },
        checkpoint: checkpoint.sign(&[key]).expect("signed"),
        consistency: vec![Hash::of(b"path")],
        files: vec![ManifestFile {
            name: "a.csv".into(),
            bytes: 7,
            records: 1,
            sha256: Hash::of(b"content"),
            first: Some(4),
            last: None,
        }],
    }
}

#[test]
fn a_manifest_is_read_exactly_as_it_is_written() {
    let key = SigningKey::generate("auth.example.com/audit".parse().expect("an origin")).expect("a key");
    let manifest = sample(&key);
    let vkeys = [key.vkey().clone()];
    let signed = |text: &str| note::sign(text, &[&key]).expect("signed");
    for format in Format::ALL {
        for compression in Compression::ALL {
            let compressed = Manifest {
                format,
                compression: Some(compression),
                formula_guard: format == Format::Csv,
                ..manifest.clone()
            };
            let text = compressed.text();
            assert_eq!(Manifest::open(&signed(&text), &vkeys).as_ref(), Ok(&compressed));
            let unknown = text.replacen(compression.name(), "lzma", 1);
            assert!(Manifest::open(&signed(&unknown), &vkeys).is_err());
        }
    }
    let text = manifest.text();
    assert_eq!(Manifest::open(&signed(&text), &vkeys).as_ref(), Ok(&manifest));
    // Whatever else the same key signed is none.
    assert!(Manifest::open(manifest.checkpoint.as_str(), &vkeys).is_err());
    let others = [
        ("\"version\":1", "\"version\":2"),
        ("\"number\":3", "\"number\":03"),
        ("{\"checkpoint\"", "{ \"checkpoint\""),
        (",\"version\":1", ",\"version\":1,\"x\":1"),
        (",\"version\":1", ""),
        ("a.csv", "../a.csv"),
        ("a.csv", ".csv"),
        ("[[2,3]]", "[[3,2]]"),
        ("[[2,3]]", "[[2,3],[4,5]]"),
        ("\"csv\"", "\"xml\""),
        ("manifest\n", "manifest 2\n"),
    ];
    for (from, to) in others {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text, "{from}");
        assert!(Manifest::open(&signed(&changed), &vkeys).is_err(), "{to}");
    }
}

#[test]
fn a_manifest_of_another_log_is_none_of_this_key() {
    let key = SigningKey::generate("auth.example.com/audit".parse().expect("an origin")).expect("a key");
    let mut manifest = sample(&key);
    manifest.origin = "other.example.com/audit".parse().expect("an origin");
    let note = note::sign(&manifest.text(), &[&key]).expect("signed");
    let error = Manifest::open(&note, &[key.vkey().clone()]).expect_err("of another log");
    assert!(matches!(error, super::ManifestError::Origin { .. }), "{error}");
}

//! Proofs: what is read is printed again byte for byte, and none but the true path of a record verifies.

#![no_main]

use std::sync::LazyLock;

use indelible::{Hash, Proof, Record, VerifierKey};
use libfuzzer_sys::fuzz_target;

macro_rules! vector {
    ($name:literal) => {
        include_str!(concat!("../../tests/vectors/format-1/proofs/", $name))
    };
}

/// The records and true proofs of a log, and its key.
static TRUE: LazyLock<(VerifierKey, Vec<(Hash, Proof)>)> = LazyLock::new(|| {
    let of = |record: &str, proof: &str| {
        let record = Record::from_json(record.as_bytes()).expect("a record");
        (record.hash(), proof.parse().expect("a proof"))
    };
    let proofs = vec![
        of(vector!("0.record.json"), vector!("0.tlog-proof")),
        of(vector!("3.record.json"), vector!("3.tlog-proof")),
        of(vector!("27.record.json"), vector!("27.tlog-proof")),
        of(vector!("54.record.json"), vector!("54.tlog-proof")),
    ];
    (vector!("vkey").trim().parse().expect("a vkey"), proofs)
});

fuzz_target!(|text: &str| {
    let Ok(proof) = text.parse::<Proof>() else { return };
    assert_eq!(proof.to_string(), text);
    let (vkey, known) = &*TRUE;
    for (hash, known) in known {
        if let Ok(checkpoint) = proof.verify(*hash, vkey) {
            assert_eq!((proof.index(), proof.path()), (known.index(), known.path()));
            assert_eq!(checkpoint, known.checkpoint().checkpoint());
        }
    }
    let again = proof.clone().with_extra(b"extra".to_vec()).expect("short").to_string();
    assert_eq!(again.parse::<Proof>().expect("a proof").path(), proof.path());
});

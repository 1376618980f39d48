#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::as_conversions)]

use proptest::prelude::*;

use super::*;
use crate::hash;
use crate::note::{NoteError, Origin};
use crate::sign::{Signer, SigningKey};

const TESSERA: &str = include_str!("../../tests/vectors/tlog-proof-own/tessera-idx4-five.tlog-proof");
const TESSERA_VKEY: &str = "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx";
const WITNESS_REQUEST: &str = include_str!("../../tests/vectors/tlog-proof-own/add-checkpoint-8-15.txt");

const VKEY: &str = include_str!("../../tests/vectors/format-1/proofs/vkey");

/// A record and its proof.
macro_rules! vector {
    ($seq:literal) => {
        (
            $seq,
            include_str!(concat!("../../tests/vectors/format-1/proofs/", $seq, ".record.json")),
            include_str!(concat!("../../tests/vectors/format-1/proofs/", $seq, ".tlog-proof")),
        )
    };
}

const RECORDS: [(u64, &str, &str); 4] = [vector!(0), vector!(3), vector!(27), vector!(54)];

/// The hash of a record whose line has its keys in their order: the value of `personal` gives way to its SHA-256
/// (FORMAT §2).
fn record_hash(line: &str) -> Hash {
    let (before, rest) = line.split_once(",\"personal\":").unwrap();
    let (personal, after) = rest.split_once(",\"prev\":").unwrap();
    let digest = Hash::of(personal.as_bytes());
    hash::leaf(format!("{before},\"personal\":\"{digest}\",\"prev\":{after}").as_bytes())
}

#[test]
fn a_proof_of_another_implementation() {
    let key: VerifierKey = TESSERA_VKEY.parse().unwrap();
    let proof: Proof = TESSERA.parse().unwrap();
    assert_eq!(proof.to_string(), TESSERA);
    assert_eq!((proof.index(), proof.path().len(), proof.extra().len()), (4, 4, 0));
    assert_eq!(proof.verify(hash::leaf(b"five"), &key).unwrap().size(), 15);
    let wrong = proof.verify(hash::leaf(b"four"), &key).unwrap_err();
    assert!(matches!(wrong, TlogProofError::Inclusion(ProofError::Root { .. })));
}

#[test]
fn a_witness_request_of_another_implementation() {
    let (head, note) = WITNESS_REQUEST.split_once("\n\n").unwrap();
    let checkpoint = Checkpoint::open(note, &TESSERA_VKEY.parse().unwrap()).unwrap();
    let mut lines = head.lines();
    assert_eq!(lines.next(), Some("old 8"));
    let proof: Vec<_> = lines
        .map(|line| Hash::from_bytes(base64::decode(line).unwrap()))
        .collect();
    // Of eight leaves' tree the proof for leaf 4 of fifteen has the other half of the root's left child.
    let inclusion: Proof = TESSERA.parse().unwrap();
    let [a, b, c, d] = *inclusion.path() else {
        panic!("four hashes")
    };
    assert_eq!(proof, [d]);
    let old = hash::node(&c, &hash::node(&hash::node(&hash::leaf(b"five"), &a), &b));
    merkle::verify_consistency(8, &old, checkpoint.size(), &checkpoint.root(), &proof).unwrap();
}

#[test]
fn proofs_of_the_format() {
    let key: VerifierKey = VKEY.trim_end().parse().unwrap();
    for (seq, record, text) in RECORDS {
        let proof: Proof = text.parse().unwrap();
        assert_eq!(proof.to_string(), text);
        assert_eq!(proof.index(), seq);
        assert_eq!(proof.verify(record_hash(record.trim_end()), &key).unwrap().size(), 55);
        assert!(proof.verify(Hash::ZERO, &key).is_err());
    }
}

#[test]
fn evidence_of_another_key() {
    let origin = Origin::new("auth.example.com/audit").unwrap();
    let other = SigningKey::from_seed(origin, &[1; 32]).unwrap();
    let proof: Proof = RECORDS[0].2.parse().unwrap();
    let error = proof
        .verify(record_hash(RECORDS[0].1.trim_end()), other.vkey())
        .unwrap_err();
    let made_by = VKEY.trim_end().parse::<VerifierKey>().unwrap().key_id();
    let expected = CheckpointError::Unsigned {
        key: other.vkey().key_id(),
        signers: vec![made_by],
    };
    assert_eq!(error, TlogProofError::Checkpoint(expected));
    assert!(
        error.to_string().ends_with("but by auth.example.com/audit+d9fcf820"),
        "{error}"
    );
    let foreign = proof.verify(Hash::ZERO, &TESSERA_VKEY.parse().unwrap()).unwrap_err();
    assert!(matches!(
        foreign,
        TlogProofError::Checkpoint(CheckpointError::Origin { .. })
    ));
}

#[test]
fn texts_that_are_no_proofs() {
    let error = |from: &str, to: &str| TESSERA.replacen(from, to, 1).parse::<Proof>().unwrap_err();
    let length = |found| TlogProofError::Inclusion(ProofError::Length { found, expected: 4 });
    assert_eq!(error("@v1", "@v2"), TlogProofError::Header);
    assert_eq!(error("@v1\n", "@v1\r\n"), TlogProofError::Index);
    assert_eq!(error("index 4", "index 04"), TlogProofError::Index);
    assert_eq!(error("index 4\n", ""), TlogProofError::Index);
    assert_eq!(error("index 4\n", "index 4\nindex 4\n"), length(5));
    assert_eq!(
        error("index 4", "index 15"),
        TlogProofError::Inclusion(ProofError::Index { index: 15, size: 15 })
    );
    assert_eq!(error("index 4", "extra \nindex 4"), TlogProofError::Extra);
    assert_eq!(error("index 4", "extra AA\nindex 4"), TlogProofError::Extra);
    assert_eq!(
        error("index 4", "extra AAAA\nextra AAAA\nindex 4"),
        TlogProofError::Index
    );
    assert_eq!(error("index 4", "extra AAAA"), TlogProofError::Index);
    assert_eq!(error("yiM+eia4w1wsk/Ukx7kF56IQVkDW3MWUaUz/VtJu+yU=\n", ""), length(3));
    assert_eq!(error("nk9gCR", "nk9g R"), TlogProofError::Path { hash: 2 });
    assert_eq!(
        TESSERA.replace("\n\n", "\n").parse::<Proof>(),
        Err(TlogProofError::NoCheckpoint)
    );
    assert_eq!(
        error("\n\nexample", "\n\n\nexample"),
        TlogProofError::Checkpoint(CheckpointError::Lines)
    );
    assert_eq!(
        error("ewI=\n", "ewI="),
        TlogProofError::Checkpoint(NoteError::Unended.into())
    );
    let bytes = PROOF_BYTES_MAX + 1;
    assert_eq!(
        "a".repeat(bytes).parse::<Proof>(),
        Err(TlogProofError::TooLong { bytes })
    );
}

#[test]
fn extra_data() {
    let proof: Proof = TESSERA.parse().unwrap();
    let extra = proof.clone().with_extra(b"data".to_vec()).unwrap();
    assert_eq!(extra.to_string(), TESSERA.replacen('\n', "\nextra ZGF0YQ==\n", 1));
    assert_eq!(extra.to_string().parse(), Ok(extra.clone()));
    assert_eq!(extra.extra(), b"data");
    assert!(
        extra
            .verify(hash::leaf(b"five"), &TESSERA_VKEY.parse().unwrap())
            .is_ok()
    );
    let most = proof.clone().with_extra(vec![7; EXTRA_BYTES_MAX]).unwrap();
    assert_eq!(most.to_string().parse(), Ok(most));
    assert_eq!(
        proof.with_extra(vec![7; EXTRA_BYTES_MAX + 1]),
        Err(TlogProofError::Extra)
    );
}

proptest! {
    #[test]
    fn a_changed_proof_shows_nothing(at in 0..1000_usize, byte in 0..0x80_u8) {
        let key: VerifierKey = TESSERA_VKEY.parse().unwrap();
        let mut changed = TESSERA.as_bytes().to_vec();
        let at = at % changed.len();
        changed[at] = byte;
        if let Some(proof) = String::from_utf8(changed).ok().and_then(|changed| changed.parse::<Proof>().ok()) {
            prop_assert_eq!(proof.verify(hash::leaf(b"five"), &key).is_ok(), proof.to_string() == TESSERA);
        }
    }
}

//! Keys and trusted checkpoints, in logs that are signed like the real thing.

use std::fs;

use indelible::checkpoint::CheckpointError;
use indelible::merkle::{self, ProofError, TileHashes, Tree};
use indelible::verify::VerifyError;
use indelible::{Checkpoint, FileStore, FindingKind, Hash, Origin, SignedCheckpoint, Store, Verifier};
use tempfile::TempDir;

use crate::rules::{assert_finds, kinds, sample, verify, verify_with};
use crate::scribe::{ORIGIN, Scribe, key, rotation, vkey};

#[test]
fn keys_follow_each_other() {
    let mut log = sample();
    log.rotate(1, 2);
    log.host();
    log.commit();
    log.seal();
    log.host();
    log.commit();
    log.rotate(2, 3);
    log.seal();
    log.rotate(3, 4);
    log.host();
    log.commit();
    for number in 1..=4 {
        let report = verify_with(&log, &Verifier::new(vkey(number)));
        assert!(report.is_sound(), "{number}: {report}");
        assert_eq!((report.vkey, report.key_in_force), (Some(vkey(number)), vkey(4)));
    }
    let report = verify_with(&log, &Verifier::new(vkey(5)));
    assert!(
        report
            .findings
            .iter()
            .all(|finding| finding.kind == FindingKind::BadSignature),
        "{report}"
    );
    assert_eq!(report.vkey, None);
    // Back to a former key, and on from a key that is not in force.
    for (old, new) in [(4, 2), (4, 4), (3, 5)] {
        let mut broken = log.clone();
        broken.rotate(old, new);
        broken.signers = vec![4];
        broken.host();
        broken.commit();
        assert!(kinds(&verify(&broken)).iter().all(|kind| *kind == "bad_signature"));
        assert!(!verify(&broken).is_sound());
    }
}

#[test]
fn a_rotation_is_signed_by_both_keys_in_order() {
    let rotated = |signers: &[u8]| {
        let mut log = sample();
        log.record("audit_log.signing_key.rotated", &rotation(1, 2));
        log.signers = signers.to_vec();
        log.commit();
        log.signers = vec![2];
        log.host();
        log.commit();
        log
    };
    assert_finds(&rotated(&[1, 2]), &[]);
    for signers in [&[2, 1][..], &[1], &[2], &[1, 3]] {
        let report = verify(&rotated(signers));
        assert!(
            !report.is_sound() && kinds(&report).iter().all(|kind| *kind == "bad_signature"),
            "{report}"
        );
    }
    let mut foreign = sample();
    let other = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    foreign.record(
        "audit_log.signing_key.rotated",
        &format!(r#"{{"new":"{other}","old":"{}"}}"#, vkey(1)),
    );
    foreign.commit();
    assert_finds(&foreign, &["bad_signature"]);
}

/// The later checkpoint commits to every record before it, but it has to be the newer key that says so: who trusts the
/// newest key is not told another past by an older one.
#[test]
fn a_forged_past_is_not_believed() {
    let mut forged = Scribe::empty();
    forged.signers = vec![7];
    forged.record(
        "audit_log.created",
        &format!(r#"{{"format":1,"origin":"{ORIGIN}","vkey":"{}"}}"#, vkey(7)),
    );
    forged.commit();
    // The holder of the key 7 names the key 1 as his successor, without its signature.
    forged.record("audit_log.signing_key.rotated", &rotation(7, 1));
    forged.commit();
    forged.host();
    forged.commit();
    assert!(!verify(&forged).is_sound());
}

/// Where no root fits, the key is still the one that signed.
#[test]
fn a_changed_record_is_not_a_wrong_key() {
    let mut log = Scribe::new();
    log.hosts(3);
    log.commit();
    log.replace(1, |line| line.replace("Alice", "Mallory"));
    assert_finds(&log, &["broken_link", "wrong_root"]);
    log.replace(0, |line| line.replace("Alice", "Mallory"));
    let report = verify(&log);
    assert_eq!(
        (kinds(&report)[0], report.findings[0].seq),
        ("broken_link", Some(1)),
        "{report}"
    );
    assert_eq!(report.vkey, Some(vkey(1)));
    // A rotation to the trusted key, put in front of a checkpoint that this key signed, misleads nobody.
    let mut misled = sample();
    misled.host();
    let note = misled.note();
    let (text, line) = note.split_once("\n\n").unwrap();
    misled.signers = vec![7];
    let other = misled.note();
    let mut forged = misled.clone();
    forged.record("audit_log.signing_key.rotated", &rotation(7, 1));
    forged.checkpoint_line(&format!("{text}\n\n{}{line}", other.split_once("\n\n").unwrap().1));
    let report = verify(&forged);
    assert_eq!(report.vkey, Some(vkey(1)));
    assert_eq!(kinds(&report), ["bad_signature", "wrong_root"], "{report}");
}

#[test]
fn purged_rotations_are_kept() {
    let mut log = sample();
    let mut kept = Vec::new();
    for (old, new) in [(1, 2), (2, 3)] {
        let path: Vec<Hash> = log.tree.peaks().iter().rev().copied().collect();
        let seq = log.rotate(old, new);
        let text = &log.segments.last().unwrap().1;
        let line = text
            .lines()
            .find(|line| line.ends_with(&format!("\"seq\":{seq}}}")))
            .unwrap();
        let note = text
            .lines()
            .last()
            .unwrap()
            .strip_prefix("{\"checkpoint\":\"")
            .unwrap()
            .strip_suffix("\"}")
            .unwrap();
        let checkpoint: SignedCheckpoint = note.replace("\\n", "\n").parse().unwrap();
        let proof = indelible::Proof::new(seq, path, checkpoint).unwrap();
        kept.push((format!("{seq:020}"), format!("{line}\n{proof}")));
        log.seal();
    }
    log.record("audit_log.purged", &format!(r#"{{"before":{}}}"#, log.size()));
    log.commit();
    let whole = log.clone();
    drop(log.segments.drain(..log.segments.len() - 1));
    let verify = |log: &Scribe, kept: &[(String, String)], number| {
        let folder = TempDir::new().unwrap();
        log.write(folder.path());
        fs::create_dir_all(folder.path().join("keys")).unwrap();
        for (name, content) in kept {
            fs::write(folder.path().join("keys").join(name), content).unwrap();
        }
        Verifier::new(vkey(number)).verify_dir(folder.path()).unwrap()
    };
    for number in 1..=3 {
        let report = verify(&log, &kept, number);
        assert!(report.is_sound(), "{number}: {report}");
        // Until they are removed, the segments have them too.
        let report = verify(&whole, &kept, number);
        assert!(report.is_sound(), "{number}: {report}");
    }
    // Whoever has the newest key needs none, but what is there has to be right.
    assert!(verify(&log, &[], 3).is_sound());
    assert!(!verify(&log, &[], 2).is_sound());
    assert!(verify(&log, &kept[1..], 2).is_sound());
    for number in 1..=3 {
        let report = verify(&log, &kept[..1], number);
        assert!(kinds(&report).contains(&"bad_signature"), "{number}: {report}");
        let misnamed = [
            (kept[0].0.clone(), kept[1].1.clone()),
            (kept[1].0.clone(), kept[0].1.clone()),
        ];
        assert!(!verify(&log, &misnamed, number).is_sound());
        let mut extra = kept.clone();
        extra.push((
            format!("{:020}", 1_000),
            kept[1].1.replace("\"seq\":30}", "\"seq\":1000}"),
        ));
        assert!(!verify(&log, &extra, number).is_sound());
        // Of a record that the log does not have: it was longer once.
        let mut shorter = whole.clone();
        drop(shorter.segments.drain(3..));
        let vkey = if number == 1 { 1 } else { 2 };
        assert!(!verify(&shorter, &kept, vkey).is_sound());
    }
}

#[test]
fn other_signers_are_let_be() {
    let witnessed = |more: usize| {
        let mut log = sample();
        log.host();
        let witness = "\u{2014} witness.example AAAAAQ==\n".replace("AAAAAQ==", "AAAAAQAAAAAAAAAA");
        let note = log.note() + &witness.repeat(more);
        log.checkpoint_line(&note);
        log
    };
    assert_finds(&witnessed(15), &[]);
    assert_finds(&witnessed(16), &["bad_signature"]);
    // Lines that name another key of the log, before the one that counts, mislead nobody.
    let mut log = sample();
    log.seal();
    log.host();
    let (text, lines) = log
        .note()
        .split_once("\n\n")
        .map(|(text, lines)| (text.to_owned(), lines.to_owned()))
        .unwrap();
    log.checkpoint_line(&format!("{text}\n\n\u{2014} {ORIGIN} AAAAAQAAAAAAAAAA\n{lines}"));
    log.host();
    log.commit();
    assert_finds(&log, &[]);
}

fn trusted(size: u64, tree: &Tree, number: u8) -> SignedCheckpoint {
    Checkpoint::new(Origin::new(ORIGIN).unwrap(), size, tree.root())
        .unwrap()
        .sign(&[&key(number)])
        .unwrap()
}

/// At every size, whether a checkpoint of that size stands in the log or not, also where it begins after 0 as far as
/// its peaks reach.
#[test]
fn the_trusted_checkpoint_is_found_at_every_size() {
    let log = sample();
    let mut purged = log.clone();
    purged.record("audit_log.purged", r#"{"before":28}"#);
    purged.commit();
    drop(purged.segments.drain(..3));
    assert_eq!(purged.segments[0].0, 28);
    let mut tree = Tree::new();
    for size in 0..=log.size() {
        let verifier = Verifier::new(vkey(1)).trusted(trusted(size, &tree, 1));
        assert_eq!(kinds(&verify_with(&log, &verifier)), Vec::<&str>::new(), "{size}");
        let report = verify_with(&purged, &verifier);
        assert!(report.is_sound(), "{report}");
        // 28 is 16 + 8 + 4.
        assert_eq!(
            report.notices.is_empty(),
            [0, 16, 24, 28, 29].contains(&size),
            "{size}: {report}"
        );
        let mut other = Tree::new();
        (0..size).for_each(|_| other.push(Hash::ZERO));
        if size > 0 {
            let verifier = Verifier::new(vkey(1)).trusted(trusted(size, &other, 1));
            assert_eq!(kinds(&verify_with(&log, &verifier)), ["forked"]);
        }
        if let Some(hash) = log.hashes.get(usize::try_from(size).unwrap()) {
            tree.push(*hash);
        }
    }
    let longer = Verifier::new(vkey(1)).trusted(trusted(30, &tree, 1));
    assert_eq!(kinds(&verify_with(&log, &longer)), ["rolled_back"]);
    // Of a log of which nothing is left.
    let empty = tempfile::tempdir().expect("a folder");
    fs::create_dir(empty.path().join("segments")).expect("made");
    let report = longer.verify_dir(empty.path()).expect("a report");
    assert_eq!((kinds(&report), report.is_sound()), (vec!["rolled_back"], false));
    Verifier::new(vkey(1))
        .verify_dir(empty.path())
        .expect_err("nothing to check");
    let unknown = Verifier::new(vkey(1)).trusted(trusted(29, &tree, 9));
    assert_eq!(kinds(&verify_with(&log, &unknown)), ["bad_signature"]);
    let origin = Origin::new("b.example").unwrap();
    let foreign_key = indelible::SigningKey::from_seed(origin.clone(), &[1; 32]).unwrap();
    let foreign = Checkpoint::new(origin, 29, tree.root())
        .unwrap()
        .sign(&[&foreign_key])
        .unwrap();
    assert_eq!(
        kinds(&verify_with(&log, &Verifier::new(vkey(1)).trusted(foreign))),
        ["wrong_origin"]
    );
}

#[test]
fn a_segment_by_itself() {
    let mut log = sample();
    log.rotate(1, 2);
    log.seal();
    log.host();
    log.commit();
    log.erase(12);
    let folder = TempDir::new().unwrap();
    log.write(folder.path());
    let store = FileStore::new(folder.path());
    let segments = store.segments().unwrap();
    for (at, segment) in segments.iter().enumerate() {
        let newest = if at < 3 { 1 } else { 2 };
        let report = Verifier::new(vkey(newest)).verify_segment(&store, segment).unwrap();
        assert!(report.is_sound(), "{at}: {report}");
        assert_eq!((report.first, report.erased), (segment.first, u64::from(at == 1)));
        assert!(
            !Verifier::new(vkey(9))
                .verify_segment(&store, segment)
                .unwrap()
                .is_sound()
        );
    }
    // What the trusted checkpoint says is held against the segment that it ends in, and no other.
    let newest: SignedCheckpoint = log.note().parse().unwrap();
    let verifier = Verifier::new(vkey(1)).vkey(vkey(2)).trusted(newest);
    for segment in &segments {
        let report = verifier.verify_segment(&store, segment).unwrap();
        assert!(report.is_sound(), "{report}");
    }
    let longer = Verifier::new(vkey(1)).trusted(trusted(9, &Tree::from_peaks(9, vec![Hash::ZERO; 2]).unwrap(), 1));
    assert_eq!(kinds(&longer.verify_segment(&store, &segments[0]).unwrap()), ["forked"]);
    let change = |at: usize, change: &dyn Fn(&str) -> String| {
        let path = folder.path().join(&segments[at].name);
        let content = fs::read_to_string(&path).unwrap();
        fs::write(&path, change(&content)).unwrap();
        let report = verifier.clone().verify_segment(&store, &segments[at]).unwrap();
        fs::write(&path, content).unwrap();
        kinds(&report)
    };
    assert!(change(1, &|content| content.replace("Alice", "Mallory")).contains(&"broken_link"));
    // Only the last one may end in zeros, or have no commit.
    assert_eq!(change(1, &|content| format!("{content}\0\0\0")), ["malformed"]);
    assert!(change(1, &|content| content.split_inclusive('\n').take(1).collect()).contains(&"malformed"));
    assert_eq!(change(4, &|content| format!("{content}\0\0\0")), Vec::<&str>::new());
    // Nothing covers that record 0 is erased.
    let mut erased = log.clone();
    erased.erase(0);
    let erased = erased.segments[0].1.clone();
    assert_eq!(change(0, &|_| erased.clone()), ["unannounced_erasure"]);
}

/// A file that is no kept rotation is a finding, whatever it is, and so is one more than a log can have.
#[test]
fn kept_files_are_findings_and_bounded() {
    let log = sample();
    let folder = TempDir::new().unwrap();
    log.write(folder.path());
    let keys = folder.path().join("keys");
    fs::create_dir_all(&keys).unwrap();
    fs::write(keys.join(format!("{:020}", 3)), vec![b'a'; 2 << 20]).unwrap();
    let report = Verifier::new(vkey(1)).verify_dir(folder.path()).unwrap();
    assert_eq!(kinds(&report), ["bad_signature"], "{report}");
    fs::write(keys.join(format!("{:020}", 3)), "").unwrap();
    for seq in 4..10_100 {
        fs::write(keys.join(format!("{seq:020}")), "").unwrap();
    }
    let report = Verifier::new(vkey(1)).verify_dir(folder.path()).unwrap();
    assert!((1..=10_001).contains(&report.findings_total), "{report}");
}

/// Of several keys, what is told is of the one that the proof names.
#[test]
fn a_record_under_several_keys() {
    let mut log = Scribe::new();
    let path: Vec<Hash> = log.tree.peaks().to_vec();
    let seq = log.host();
    let text = log.text().clone();
    let record = indelible::Record::from_json(text.lines().last().unwrap().as_bytes()).unwrap();
    let note = log.note();
    let prove = |note: &str| indelible::Proof::new(seq, path.clone(), note.parse().unwrap()).unwrap();
    let verifier = Verifier::new(vkey(2)).vkey(vkey(1)).vkey(vkey(3));
    assert_eq!(verifier.verify_record(&record, &prove(&note)).unwrap().size(), 2);
    let other = if note.as_bytes()[note.len() - 40] == b'A' {
        "B"
    } else {
        "A"
    };
    let mut forged = note.clone();
    forged.replace_range(note.len() - 40..=note.len() - 40, other);
    let error = verifier.verify_record(&record, &prove(&forged)).unwrap_err();
    assert!(
        matches!(error, VerifyError::Checkpoint(CheckpointError::Signature { .. })),
        "{error}"
    );
    let error = Verifier::new(vkey(2))
        .verify_record(&record, &prove(&note))
        .unwrap_err();
    assert!(error.is_of_another_key(), "{error}");
}

#[test]
fn a_checkpoint_continues_another() {
    let log = sample();
    let tree_of = |size: usize| {
        let mut tree = Tree::new();
        log.hashes[..size].iter().for_each(|hash| tree.push(*hash));
        tree
    };
    let (old, new) = (trusted(10, &tree_of(10), 1), trusted(29, &tree_of(29), 2));
    let mut tiles = TileHashes::new(29, |_| Ok::<_, ProofError>(log.hashes.clone()));
    let proof = merkle::consistency_proof(&mut tiles, 10, 29).unwrap();
    let verifier = Verifier::new(vkey(1)).vkey(vkey(2));
    verifier.verify_consistency(&old, &new, &proof).unwrap();
    assert!(matches!(
        verifier.verify_consistency(&old, &new, &proof[1..]),
        Err(VerifyError::Proof(_))
    ));
    assert!(matches!(
        verifier.verify_consistency(&new, &old, &proof),
        Err(VerifyError::Proof(_))
    ));
    assert!(matches!(
        Verifier::new(vkey(1)).verify_consistency(&old, &new, &proof),
        Err(VerifyError::Checkpoint(_))
    ));
}

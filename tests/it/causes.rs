//! What a report says first: the cause, and not what follows from it.

use indelible::merkle::Tree;
use indelible::{Checkpoint, Origin, SignedCheckpoint, Verifier};

use crate::rules::{kinds, sample, verify, verify_with};
use crate::scribe::{ORIGIN, Scribe, key, vkey};

/// The last record of a segment is not missing because it cannot be read: the checkpoint behind it counts it.
#[test]
fn a_record_that_cannot_be_read_is_not_missing() {
    let newest: SignedCheckpoint = sample().note().parse().unwrap();
    for seq in [9, 18, 28] {
        let mut log = sample();
        log.replace(seq, |_| "{}".to_owned());
        let report = verify_with(&log, &Verifier::new(vkey(1)).trusted(newest.clone()));
        assert_eq!(kinds(&report), ["malformed"], "{seq}: {report}");
        assert_eq!(report.size, 29);
    }
    // It counts no more than could stand there.
    let mut log = sample();
    log.replace(18, |_| "{}".to_owned());
    log.segments[1].1 = log.segments[1].1.replacen("{}\n", "", 1);
    assert_eq!(kinds(&verify(&log))[0], "missing_records");
}

/// A change of the log comes before what it does to the keys, also for who has the newest one.
#[test]
fn a_changed_record_comes_before_the_keys() {
    let mut log = Scribe::new();
    log.hosts(5);
    log.commit();
    log.hosts(5);
    log.rotate(1, 2);
    log.host();
    log.commit();
    log.rotate(2, 3);
    log.host();
    log.commit();
    log.replace(3, |line| line.replace("Alice", "Mallory"));
    for number in 1..=3 {
        let report = verify_with(&log, &Verifier::new(vkey(number)));
        let first = &report.findings[0];
        assert_eq!((first.kind.as_str(), first.seq), ("broken_link", Some(4)), "{report}");
        assert_eq!(report.vkey, Some(vkey(number)));
    }
    let report = verify_with(&log, &Verifier::new(vkey(9)));
    assert!(report.findings[0].detail.starts_with("the vkey"), "{report}");
    assert_eq!(report.vkey, None);
    // A signature that is not valid is of the key that it names.
    let mut log = Scribe::new();
    let signature = log.text().len() - 40;
    let other = if log.text().as_bytes()[signature] == b'A' {
        "B"
    } else {
        "A"
    };
    log.text().replace_range(signature..=signature, other);
    let report = verify(&log);
    assert_eq!(kinds(&report), ["bad_signature"], "{report}");
    assert_eq!(report.vkey, Some(vkey(1)));
}

/// That the vkey is another one explains all the rest, and is never crowded out by it.
#[test]
fn another_vkey_is_told_first() {
    let mut log = Scribe::new();
    for _ in 0..250 {
        log.seal();
        log.host();
        log.commit();
    }
    let report = verify_with(&log, &Verifier::new(vkey(9)));
    assert_eq!(report.findings.len(), 200);
    assert!(report.findings[0].detail.starts_with("the vkey"), "{report}");
}

/// Findings that a wrong guess of the keys made, and that do not last, never push out those that do.
#[test]
fn what_is_found_for_sure_is_kept() {
    let mut log = Scribe::new();
    for segment in 1..=400 {
        log.seal();
        log.host();
        match segment {
            299 => drop(log.rotate(1, 2)),
            // A line that names the former key first, so that the rotation is looked for at the wrong place.
            300 => {
                let former = format!("\u{2014} {ORIGIN} {}\n", misleading(1));
                let note = log.note().replacen("\n\n", &format!("\n\n{former}"), 1);
                log.checkpoint_line(&note);
            }
            _ => log.commit(),
        }
    }
    assert!(verify_with(&log, &Verifier::new(vkey(2))).is_sound());
    let text = log.text();
    let signature = text.len() - 40;
    let other = if text.as_bytes()[signature] == b'A' { "B" } else { "A" };
    text.replace_range(signature..=signature, other);
    let report = verify_with(&log, &Verifier::new(vkey(2)));
    assert_eq!(kinds(&report), ["bad_signature"], "{report}");
    assert!(report.findings[0].file.contains("00401"), "{report}");
}

/// The base64 of a signature by the key with this number that it did not make.
fn misleading(number: u8) -> String {
    let origin = Origin::new(ORIGIN).unwrap();
    let empty = Checkpoint::new(origin, 0, Tree::new().root()).unwrap();
    let note = empty.sign(&[&key(number)]).unwrap().to_string();
    note.trim_end().rsplit_once(' ').unwrap().1.to_owned()
}

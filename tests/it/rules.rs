//! Each rule of FORMAT.md, broken by itself in a log that is signed like the real thing.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use indelible::merkle::Tree;
use indelible::verify::NoticeKind;
use indelible::{Cause, Hash, Report, Verifier};
use tempfile::TempDir;

use crate::scribe::{ORIGIN, Scribe, event, header, personal, vkey};

pub(crate) fn verify_with(log: &Scribe, verifier: &Verifier) -> Report {
    let folder = TempDir::new().unwrap();
    log.write(folder.path());
    let report = verifier.verify_dir(folder.path()).unwrap();
    let one = verifier.clone().threads(1).verify_dir(folder.path()).unwrap();
    assert_eq!(report, one);
    report
}

pub(crate) fn verify(log: &Scribe) -> Report {
    verify_with(log, &Verifier::new(vkey(1)))
}

pub(crate) fn kinds(report: &Report) -> Vec<&'static str> {
    report.findings.iter().map(|finding| finding.kind.as_str()).collect()
}

#[track_caller]
pub(crate) fn assert_finds(log: &Scribe, expected: &[&str]) {
    let report = verify(log);
    assert_eq!(kinds(&report), expected, "{report}");
}

/// Some commits of three records in some segments.
pub(crate) fn sample() -> Scribe {
    let mut log = Scribe::new();
    for _ in 0..3 {
        for _ in 0..3 {
            log.hosts(3);
            log.commit();
        }
        log.seal();
    }
    log.host();
    log.commit();
    log
}

#[test]
fn a_log_of_the_scribe_is_sound() {
    let report = verify(&sample());
    assert!(report.is_sound(), "{report}");
    assert_eq!(
        (report.records, report.checkpoints, report.first, report.size),
        (29, 11, 0, 29)
    );
    assert_eq!(report.root, Some(sample().tree.root()));
    assert_eq!((report.vkey, report.key_in_force), (Some(vkey(1)), vkey(1)));
}

#[test]
fn record_0_holds_the_identity() {
    let created = |metadata: &str| {
        let mut log = Scribe::empty();
        log.record("audit_log.created", metadata);
        log.commit();
        log
    };
    let other = vkey(2);
    let own = vkey(1);
    assert_finds(
        &created(&format!(r#"{{"format":1,"origin":"{ORIGIN}","vkey":"{own}"}}"#)),
        &[],
    );
    assert_finds(
        &created(&format!(r#"{{"format":1,"origin":"{ORIGIN}","vkey":"{other}"}}"#)),
        &["bad_signature"],
    );
    assert_finds(
        &created(&format!(r#"{{"format":2,"origin":"{ORIGIN}","vkey":"{own}"}}"#)),
        &["malformed"],
    );
    // One field that is not of its type says nothing of the others.
    for format in ["\"1\"", "1.5", "null", "[]"] {
        assert_finds(
            &created(&format!(r#"{{"format":{format},"origin":"{ORIGIN}","vkey":"{own}"}}"#)),
            &["malformed"],
        );
    }
    assert_finds(
        &created(&format!(r#"{{"format":1,"origin":"b.example","vkey":"{own}"}}"#)),
        &["wrong_origin"],
    );
    let mut log = Scribe::empty();
    log.host();
    log.commit();
    assert!(kinds(&verify(&log)).contains(&"malformed"));
}

#[test]
fn a_log_without_a_commit_is_not_sound() {
    assert_finds(&Scribe::empty(), &["missing_records"]);
    let mut unsigned = Scribe::empty();
    unsigned.host();
    assert!(kinds(&verify(&unsigned)).contains(&"unsigned_tail"));
    let folder = TempDir::new().unwrap();
    let error = Verifier::new(vkey(1)).verify_dir(folder.path()).unwrap_err();
    assert!(matches!(error.cause(), Cause::Configuration { .. }), "{error}");
    assert!(
        Verifier::new(vkey(1))
            .verify_dir(folder.path().join("nowhere"))
            .is_err()
    );
}

#[test]
fn erasures_are_announced() {
    let base = || {
        let mut log = sample();
        log.erase(2);
        log.erase(3);
        log.erase(20);
        log
    };
    assert_finds(&base(), &["unannounced_erasure", "unannounced_erasure"]);
    let announced = |action: &str, ranges: &str| {
        let mut log = base();
        log.announce(action, ranges);
        log
    };
    assert_finds(&announced("audit_log.record.erased", "[[2,3],[20,20]]"), &[]);
    assert_finds(&announced("audit_log.record.erased", "[[2,2],[3,3],[20,20]]"), &[]);
    assert_finds(
        &announced("audit_log.record.erased", "[[2,3]]"),
        &["unannounced_erasure"],
    );
    assert_finds(
        &announced("audit_log.record.erased", "[[2,2],[20,20]]"),
        &["unannounced_erasure"],
    );
    // Of another kind, without a reason, and in no form that ranges have.
    assert_finds(
        &announced("audit_log.personal_data.erased", "[[2,3],[20,20]]"),
        &["unannounced_erasure"; 2],
    );
    for ranges in [
        "[[3,2],[20,20]]",
        "[[2,3,4],[20,20]]",
        "[2,3,20]",
        "{}",
        "[[2,3],[20,29]]",
        "[[0,3],[20,20]]",
        "[[2,3.5]]",
    ] {
        let log = announced("audit_log.record.erased", ranges);
        assert_finds(&log, &["unannounced_erasure", "unannounced_erasure", "malformed"]);
    }
    let mut log = base();
    log.record("audit_log.record.erased", r#"{"ranges":[[2,3],[20,20]]}"#);
    log.commit();
    assert_finds(&log, &["unannounced_erasure", "unannounced_erasure", "malformed"]);
}

#[test]
fn an_announcement_counts_where_a_checkpoint_covers_it() {
    let mut log = sample();
    log.erase(2);
    log.record("audit_log.record.erased", r#"{"ranges":[[2,2]],"reason":"test"}"#);
    let mut unsigned = log.clone();
    assert_finds(&unsigned, &["unannounced_erasure", "unsigned_tail"]);
    // By a checkpoint that does not verify, and by the next one.
    unsigned.signers = vec![9];
    unsigned.commit();
    assert_finds(&unsigned, &["unannounced_erasure", "bad_signature"]);
    unsigned.signers = vec![1];
    unsigned.host();
    unsigned.commit();
    assert_finds(&unsigned, &["bad_signature"]);
    // By one of a later segment alone.
    let mut later = log.clone();
    later.signers = vec![9];
    later.commit();
    later.seal();
    assert_finds(&later, &["unannounced_erasure", "bad_signature"]);
    later.signers = vec![1];
    later.host();
    later.commit();
    assert_finds(&later, &["bad_signature"]);
}

#[test]
fn personal_data_is_erased_with_an_announcement() {
    let mut log = sample();
    log.erase_personal(0);
    log.erase_personal(4);
    assert_finds(&log, &["unannounced_erasure", "unannounced_erasure"]);
    let mut wrong = log.clone();
    wrong.announce("audit_log.record.erased", "[[4,4]]");
    assert_finds(&wrong, &["unannounced_erasure", "unannounced_erasure"]);
    // Of the log's own records personal data may go.
    log.announce("audit_log.personal_data.erased", "[[0,4]]");
    let report = verify(&log);
    assert!(report.is_sound(), "{report}");
    assert_eq!((report.erased, report.personal_erased), (0, 2));
    assert_eq!(
        report
            .notices
            .iter()
            .map(|notice| (notice.kind, notice.seq))
            .collect::<Vec<_>>(),
        [(NoticeKind::PendingErasure, Some(1))]
    );
}

#[test]
fn what_is_announced_and_not_done_is_a_notice() {
    let mut log = sample();
    log.announce("audit_log.record.erased", "[[2,5],[12,12]]");
    log.erase(12);
    let report = verify(&log);
    assert!(report.is_sound());
    assert_eq!(report.notices.len(), 1);
    assert!(report.notices[0].detail.starts_with("4 records"), "{report}");
    let mut log = sample();
    log.record("audit_log.purged", r#"{"before":20}"#);
    log.commit();
    let report = verify(&log);
    assert!(report.is_sound());
    assert_eq!(report.notices[0].kind, NoticeKind::PendingErasure);
}

/// The ranges of an erasure name no record of the log itself, wherever it stands.
#[test]
fn the_logs_own_records_are_never_erased() {
    let mut log = sample();
    let own = log.record("audit_log.stopped", "{}");
    log.host();
    log.commit();
    log.seal();
    log.announce("audit_log.record.erased", &format!("[[5,{}]]", own + 1));
    log.announce("audit_log.record.erased", &format!("[[5,{}]]", own - 1));
    log.announce("audit_log.record.erased", &format!("[[3,3],[{own},{own}]]"));
    log.announce("audit_log.record.erased", &format!("[[{},{}]]", own + 1, own + 1));
    assert_finds(&log, &["malformed", "malformed"]);
    let report = verify(&log);
    assert!(
        report
            .findings
            .iter()
            .all(|finding| finding.seq != Some(own + 3) && finding.line.is_some()),
        "{report}"
    );
    // Such an announcement covers nothing, also of what it names rightly.
    log.erase(3);
    assert_finds(&log, &["unannounced_erasure", "malformed", "malformed"]);
    log.erase(6);
    assert_finds(&log, &["unannounced_erasure", "malformed", "malformed"]);
}

#[test]
fn a_purge_is_announced() {
    let purged = |before: u64, gone: usize| {
        let mut log = sample();
        log.record("audit_log.purged", &format!(r#"{{"before":{before}}}"#));
        log.commit();
        drop(log.segments.drain(..gone));
        log
    };
    assert_finds(&purged(10, 1), &[]);
    assert_finds(&purged(19, 2), &[]);
    assert_finds(&purged(18, 2), &["missing_records"]);
    assert_finds(&purged(10, 2), &["missing_records"]);
    assert_finds(&purged(29, 3), &[]);
    assert_finds(&purged(30, 1), &["missing_records", "malformed"]);
    let mut gap = purged(10, 1);
    gap.segments.remove(1);
    assert_finds(&gap, &["missing_records"]);
}

#[test]
fn time_goes_on() {
    let mut log = sample();
    log.time -= 3_600_000_000;
    let mut back = log.clone();
    back.host();
    back.commit();
    assert_finds(&back, &["bad_time"]);
    log.record("audit_log.clock_skew.detected", "{}");
    log.host();
    log.commit();
    assert_finds(&log, &[]);
    // The same across segments, and with erased records between.
    let mut across = sample();
    across.seal();
    across.host();
    across.host();
    across.time -= 3_600_000_000;
    let seq = across.host();
    across.commit();
    assert_finds(&across, &["bad_time"]);
    across.announce("audit_log.record.erased", &format!("[[{},{}]]", seq - 2, seq - 1));
    across.erase(seq - 2);
    across.erase(seq - 1);
    assert_finds(&across, &["bad_time"]);
}

#[test]
fn commits_have_a_bound() {
    let long = |seq: u64, bytes: usize| format!("{{\"name\":\"{}\",\"salt\":\"{seq:032x}\"}}", "a".repeat(bytes));
    let commit = |bytes: usize| {
        let mut log = Scribe::new();
        for seq in 1..=33 {
            log.push(
                &event("auth.login.succeeded", "{}"),
                &long(seq, if seq == 33 { bytes } else { 260_000 }),
            );
        }
        log.commit();
        let first = log.segments[0]
            .1
            .lines()
            .take(3)
            .map(|line| line.len() + 1)
            .sum::<usize>();
        (log.segments[0].1.len() - first, log)
    };
    let room = 8 * 1024 * 1024 - commit(1).0;
    assert_eq!(commit(1 + room).0, 8 * 1024 * 1024);
    assert_finds(&commit(1 + room).1, &[]);
    assert_finds(&commit(2 + room).1, &["malformed"]);
    // An erasure that makes lines longer breaks no bound.
    let mut log = Scribe::new();
    // A line of some 333 bytes grows by 23.
    for seq in 1..=25_000 {
        log.push(
            &event("auth.login.succeeded", &format!("{{\"pad\":\"{}\"}}", "p".repeat(40))),
            &format!("{{\"salt\":\"{seq:032x}\"}}"),
        );
    }
    let bytes = log.segments[0].1.len();
    assert!((8_200_000..8 * 1024 * 1024).contains(&bytes), "{bytes}");
    log.commit();
    let ranges = format!("[[1,{}]]", log.size() - 1);
    log.seal();
    log.announce("audit_log.personal_data.erased", &ranges);
    assert_finds(&log, &[]);
    let text = log.segments[0].1.clone();
    let erased = text.split_inclusive('\n').map(|line| {
        let Some((before, rest)) = line.split_once(",\"personal\":{\"salt\"") else {
            return line.to_owned();
        };
        let (salt, after) = rest.split_once("},").unwrap();
        format!(
            "{before},\"personal\":\"{}\",{after}",
            Hash::of(format!("{{\"salt\"{salt}}}").as_bytes())
        )
    });
    let first_lines = text.lines().take(3).map(|line| line.len() + 1).sum::<usize>();
    log.segments[0].1 = text.get(..first_lines).unwrap().to_owned() + &erased.skip(3).collect::<String>();
    assert!(log.segments[0].1.len() > 8 * 1024 * 1024);
    assert_finds(&log, &[]);
}

#[test]
fn files_end_as_they_may() {
    let with_end = |at: usize, end: &[u8]| {
        let folder = TempDir::new().unwrap();
        let log = sample();
        log.write(folder.path());
        let path = folder.path().join(format!("segments/{:020}.jsonl", log.segments[at].0));
        let mut content = fs::read(&path).unwrap();
        content.extend_from_slice(end);
        fs::write(path, content).unwrap();
        kinds(&Verifier::new(vkey(1)).verify_dir(folder.path()).unwrap())
    };
    let zeros = vec![0; 3 << 20];
    assert_eq!(with_end(3, &zeros), Vec::<&str>::new());
    assert_eq!(with_end(1, &zeros), ["malformed"]);
    assert_eq!(with_end(3, &[&zeros[..], b"\n"].concat()), ["malformed"]);
    assert_eq!(
        with_end(3, &[b"{\"event\":{\"act", &zeros[..]].concat()),
        ["unsigned_tail"]
    );
    assert_eq!(
        with_end(3, &[b"{\"event\":{\"act", &zeros[..], b"x"].concat()),
        ["unsigned_tail"]
    );
    assert_eq!(with_end(3, b"{\"event\":{\"act"), ["unsigned_tail"]);
    assert_eq!(with_end(3, &vec![b'a'; 1 << 20]), ["malformed"]);
    assert_eq!(with_end(1, b"{\"event\":{\"act"), ["malformed"]);
    assert_eq!(with_end(3, b"\n"), ["malformed", "unsigned_tail"]);
    assert_eq!(with_end(3, header(29, &sample().tree).as_bytes()), ["malformed"]);
}

#[test]
fn segments_follow_each_other() {
    let mut log = sample();
    log.seal();
    assert_finds(&log, &[]);
    log.seal();
    assert_eq!(
        log.segments.iter().map(|(first, _)| *first).collect::<Vec<_>>(),
        [0, 10, 19, 28, 29, 29]
    );
    // A segment in the middle that has a header alone, one that is empty, and one that begins too early.
    let mut early = sample();
    early
        .segments
        .insert(1, (9, header(9, &Tree::from_peaks(9, vec![Hash::ZERO; 2]).unwrap())));
    let report = verify(&early);
    assert!(kinds(&report).contains(&"malformed"), "{report}");
    let mut empty = sample();
    empty.segments[3].1.clear();
    assert_finds(&empty, &["malformed"]);
    assert_eq!(verify(&empty).findings[0].line, None, "lines count from 1");
    let mut cut = sample();
    cut.segments[3].1.truncate(20);
    assert_finds(&cut, &["unsigned_tail"]);
    let mut unnamed = sample();
    unnamed.segments[1].0 = 11;
    assert!(!verify(&unnamed).is_sound());
}

#[test]
fn a_report_has_a_bound() {
    let mut log = Scribe::new();
    for _ in 0..2 {
        (0..5_000).for_each(|_| log.text().push_str("{}\n"));
        log.host();
        log.commit();
        log.seal();
    }
    log.host();
    log.commit();
    let report = verify(&log);
    assert_eq!((report.findings.len(), report.findings_total), (200, 10_000));
    assert_eq!(report.notices[0].kind, NoticeKind::MoreFindings);
    assert!(report.to_string().contains("and 9980 more"), "{report}");
    assert_eq!(report.findings[0].line, Some(4));
}

#[test]
fn progress_is_told() {
    let mut log = Scribe::new();
    for _ in 0..200 {
        log.hosts(100);
        log.commit();
    }
    let told = Arc::new(AtomicU64::new(0));
    let records = Arc::clone(&told);
    let verifier = Verifier::new(vkey(1)).progress(move |progress| {
        assert_eq!(progress.records_total, Some(20_001));
        assert!(progress.bytes > 0);
        records.fetch_max(progress.records, Ordering::Relaxed);
    });
    assert!(verify_with(&log, &verifier).is_sound());
    assert!((1..=20_001).contains(&told.load(Ordering::Relaxed)));
}

/// What a log says is shown without its control characters.
#[test]
fn reports_are_safe_to_show() {
    let mut log = Scribe::empty();
    log.record(
        "audit_log.created",
        &format!(r#"{{"format":1,"origin":"{ORIGIN}","vkey":"\u001b[31m"}}"#),
    );
    log.commit();
    let report = verify(&log);
    assert!(!report.is_sound());
    assert!(
        !report.to_string().contains('\u{1b}') && report.to_json().is_ascii(),
        "{report}"
    );
    // Names that anyone may choose: C1 controls, DEL, and what turns the direction of text.
    for name in ["a\u{9b}31mb", "a\u{7f}b", "a\u{202e}b", "a\u{2066}b"] {
        let mut log = sample();
        log.host();
        let note = log.note();
        let (text, line) = note.split_once("\n\n").unwrap();
        log.checkpoint_line(&format!("{text}\n\n{}", line.replace(ORIGIN, name)));
        log.host();
        log.checkpoint_line(&log.note().replace(ORIGIN, name));
        let report = verify(&log);
        assert!(!report.is_sound());
        let shown = format!("{report}{}", report.to_json());
        assert!(!shown.contains(&name[1..name.len() - 1]), "{shown:?}");
    }
    assert_eq!(personal(0).len(), 58);
    assert!(format!("{:?}", Verifier::new(vkey(1))).contains(ORIGIN));
}

#[test]
fn a_segment_may_be_called_by_any_number_and_is_a_finding() {
    // Beyond the log, beyond 2^53, beyond 2^64; an announcement there is names records before it.
    for name in ["10000000000000000006", "18446744073709551615", "90000000000000000006"] {
        let mut log = sample();
        log.announce("audit_log.personal_data.erased", "[[2,2]]");
        log.commit();
        let folder = tempfile::tempdir().expect("a folder");
        log.write(folder.path());
        let segments = folder.path().join("segments");
        let last = format!("{:020}.jsonl", log.segments.last().expect("a segment").0);
        std::fs::rename(segments.join(last), segments.join(format!("{name}.jsonl"))).expect("renamed");
        let report = Verifier::new(vkey(1)).verify_dir(folder.path()).expect("a report");
        assert!(kinds(&report).contains(&"malformed"), "{name}: {report}");
    }
}

#[test]
fn a_segment_of_garbage_takes_no_hours() {
    let mut log = sample();
    let (_, text) = log.segments.get_mut(2).expect("a segment");
    text.push_str(&"\n".repeat(20_000_000));
    let began = std::time::Instant::now();
    let report = verify(&log);
    assert!(!report.is_sound());
    assert!(began.elapsed().as_secs() < 10, "{:?}", began.elapsed());
    assert!(report.findings_total < 200_000);
}

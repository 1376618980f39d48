#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::as_conversions)]

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::clock::{Clock, TimeError};
use super::finding::{Finding, FindingKind, Findings, KEPT_MAX, shown};
use super::keys::KeyRing;
use super::own::{Announced, PERSONAL_DATA_ERASED, PURGED, RECORD_ERASED, Rotation, read_announcement};
use super::ranges::{Growing, Range, Ranges};
use crate::hash::Hash;
use crate::note::Origin;
use crate::sign::{Signer, SigningKey};

fn members(ranges: &Ranges) -> BTreeSet<u64> {
    ranges.iter().flat_map(|(first, last)| first..=last).collect()
}

fn any_ranges() -> impl Strategy<Value = Vec<Range>> {
    prop::collection::vec(
        (0..60_u64, 0..8_u64).prop_map(|(first, length)| (first, first + length)),
        0..12,
    )
}

proptest! {
    #[test]
    fn ranges_are_sets(a in any_ranges(), b in any_ranges(), first in 0..70_u64, length in 0..70_u64) {
        let sets = [&a, &b].map(|ranges| ranges.iter().flat_map(|(first, last)| *first..=*last).collect::<BTreeSet<u64>>());
        let (a, b) = (Ranges::of(a), Ranges::of(b));
        prop_assert_eq!(&members(&a), &sets[0]);
        prop_assert_eq!(members(&a.minus(&b)), &sets[0] - &sets[1]);
        let inside = sets[0].range(first..first + length).copied().collect::<BTreeSet<u64>>();
        prop_assert_eq!(members(&a.within(first, first + length)), inside);
        prop_assert_eq!(a.count(), sets[0].len() as u64);
        for seq in 0..75 {
            prop_assert_eq!(a.contains(seq), sets[0].contains(&seq));
        }
        for ranges in [&a, &a.minus(&b)] {
            let ranges: Vec<Range> = ranges.iter().collect();
            prop_assert!(ranges.windows(2).all(|pair| pair[0].1 < pair[1].0));
        }
        let mut growing = Growing::default();
        sets[0].iter().rev().chain(&sets[0]).for_each(|seq| growing.push(*seq));
        prop_assert_eq!(growing.into_ranges(), a);
    }

    /// Whatever an announcement says, reading it does not panic, and one that is refused leaves nothing behind.
    #[test]
    fn announcements_of_any_content(text in "[\\[\\]{}\",:0-9a-z]{0,40}", seq in 0..100_u64) {
        for action in [PURGED, RECORD_ERASED, PERSONAL_DATA_ERASED] {
            let event = format!("{{\"metadata\":{{\"before\":{text},\"ranges\":{text},\"reason\":\"x\"}}}}");
            let mut ranges = vec![(1, 2)];
            match read_announcement(action, seq, event.as_bytes(), &mut ranges) {
                Ok(Announced::Purge(before)) => prop_assert!(before <= seq),
                Ok(_) => prop_assert!(ranges.iter().skip(1).all(|(first, last)| first <= last && *last < seq)),
                Err(_) => prop_assert_eq!(ranges, vec![(1, 2)]),
            }
        }
    }
}

/// However often the same records are named, they take the memory of their ranges.
#[test]
fn what_grows_has_a_bound() {
    let mut growing = Growing::default();
    let odd = Ranges::of((0..500).map(|at| (2 * at + 1, 2 * at + 1)).collect());
    for _ in 0..1_000 {
        growing.extend(&odd);
        (0..10).for_each(|seq| growing.push(4 * (seq % 3)));
        assert!(growing.held() < 5_000);
    }
    assert_eq!(members(growing.ranges()).len(), 503);
    assert_eq!(growing.into_ranges().count(), 503);
}

#[test]
fn the_largest_numbers() {
    let all = Ranges::of(vec![(0, u64::MAX)]);
    assert!(all.minus(&all).is_empty());
    assert_eq!(all.within(5, 7), Ranges::of(vec![(5, 6)]));
    assert!(all.within(0, 0).is_empty());
    assert_eq!(Ranges::of(vec![(u64::MAX, u64::MAX), (0, u64::MAX - 1)]), all);
}

#[test]
fn announcements_in_their_form() {
    let read = |action: &str, metadata: &str| {
        let mut ranges = Vec::new();
        let event = format!("{{\"action\":\"a\",\"metadata\":{metadata},\"z\":1}}");
        read_announcement(action, 10, event.as_bytes(), &mut ranges).map(|what| (what, ranges))
    };
    assert_eq!(read(PURGED, r#"{"before":10}"#), Ok((Announced::Purge(10), vec![])));
    assert!(read(PURGED, r#"{"before":11}"#).is_err());
    assert!(read(PURGED, r#"{"before":"1"}"#).is_err());
    assert!(read(PURGED, "{}").is_err());
    assert!(read(PURGED, "[]").is_err());
    let both = vec![(1, 2), (9, 9)];
    assert_eq!(
        read(RECORD_ERASED, r#"{"ranges":[[1,2],[9,9]],"reason":"x"}"#),
        Ok((Announced::Records, both.clone()))
    );
    assert_eq!(
        read(PERSONAL_DATA_ERASED, r#"{"ranges":[[1,2],[9,9]],"reason":"x"}"#),
        Ok((Announced::PersonalData, both))
    );
    assert_eq!(
        read(PERSONAL_DATA_ERASED, r#"{"ranges":[[0,0]],"reason":"x"}"#),
        Ok((Announced::PersonalData, vec![(0, 0)]))
    );
    assert!(read(RECORD_ERASED, r#"{"ranges":[[0,0]],"reason":"x"}"#).is_err());
    assert!(read(RECORD_ERASED, r#"{"ranges":[[1,10]],"reason":"x"}"#).is_err());
    assert!(read(RECORD_ERASED, r#"{"ranges":[[2,1]],"reason":"x"}"#).is_err());
    assert!(read(RECORD_ERASED, r#"{"ranges":[[1]],"reason":"x"}"#).is_err());
    assert!(read(RECORD_ERASED, r#"{"ranges":[[1,2]]}"#).is_err());
    assert!(read(RECORD_ERASED, r#"{"reason":"x"}"#).is_err());
}

/// As many keys as are followed take the memory of as many keys, wherever they are held, and no deep stack.
#[test]
fn key_rings_share_their_keys() {
    let origin = Origin::new("auth.example.com/audit").unwrap();
    let key = |number: usize| {
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&number.to_be_bytes());
        SigningKey::from_seed(origin.clone(), &seed).unwrap().vkey().clone()
    };
    let rotation = |number: usize| Rotation {
        seq: number as u64,
        record: Hash::ZERO,
        old: key(number),
        new: key(number + 1),
    };
    let mut rings = vec![KeyRing::new(key(0))];
    for number in 0..2_000 {
        let mut ring = rings.last().unwrap().clone();
        ring.rotate(&rotation(number)).unwrap();
        rings.push(ring);
    }
    let last = rings.last().unwrap().clone();
    assert!(last == rings[2_000] && last != rings[1_999] && last.has(&key(0)) && !last.has(&key(2_001)));
    assert_eq!(last.iter().count(), 2_001);
    assert!(last.clone().rotate(&rotation(1_000)).is_err());
    let mut other = KeyRing::new(key(1));
    assert!(other.rotate(&rotation(0)).is_err());
    assert!(other != rings[0] && other != rings[1]);
    drop(rings);
    let small = std::thread::Builder::new().stack_size(64 * 1024);
    small.spawn(move || drop(last)).unwrap().join().unwrap();
}

#[test]
fn a_clock() {
    let mut clock = Clock::default();
    let mut take = |text: &str, may_step_back| clock.take(text.as_bytes(), may_step_back).map(|time| time.to_vec());
    let steps_back = |text: &str| Err(TimeError::StepsBack(text.as_bytes().try_into().unwrap()));
    let (first, later) = ("2026-02-01T00:00:04.156010Z", "2026-02-01T00:00:04.156011Z");
    assert_eq!(take(first, false), Ok(first.as_bytes().to_vec()));
    assert_eq!(take(first, false), Ok(first.as_bytes().to_vec()));
    assert_eq!(take(later, false), Ok(later.as_bytes().to_vec()));
    assert_eq!(take(first, true), Ok(first.as_bytes().to_vec()));
    assert_eq!(take("2026-01-01T00:00:00.000000Z", false), steps_back(first));
    // It is told once: what follows goes on from there.
    assert_eq!(
        take("2026-01-01T00:00:00.000000Z", false).map(|time| time.len()),
        Ok(27)
    );
    for wrong in [
        "2026-01-01T00:00:00.00000ZZ",
        "2026-01-01T00:00:00.00000xZ",
        "2026-01-01T00:00:00.000000z",
        "2026-01-01T00:00:60.000000Z",
        "2026-02-30T00:00:00.000000Z",
        "2026-01-01T00:00:00.0000000Z",
        "2026-01-01T00:00:00.0Z",
        "",
    ] {
        assert_eq!(take(wrong, false), Err(TimeError::Form), "{wrong}");
    }
}

#[test]
fn findings_keep_the_first_of_each_kind() {
    let finding = |line: u64| Finding::new(FindingKind::Malformed, "file", "wrong").line(line);
    let mut findings = Findings::default();
    for segment in 0..3 {
        let mut more = Findings::default();
        (0..KEPT_MAX).for_each(|line| {
            more.push((segment, line), finding(line));
        });
        assert_eq!(more.push((segment, KEPT_MAX), finding(0)), None);
        findings.append(more);
    }
    findings.push((9, 0), Finding::new(FindingKind::Forked, "file", "wrong"));
    findings.push_about_keys(Finding::new(FindingKind::BadSignature, "file", "wrong"));
    assert_eq!(findings.count(), 3 * (KEPT_MAX + 1) + 2);
    let sorted = findings.into_sorted();
    assert_eq!(sorted.len() as u64, KEPT_MAX + 2);
    assert_eq!(
        (sorted[0].kind, sorted.last().unwrap().kind),
        (FindingKind::BadSignature, FindingKind::Forked)
    );
    assert!(
        sorted[1..]
            .iter()
            .zip(0..KEPT_MAX)
            .all(|(finding, line)| finding.line == Some(line))
    );
}

/// What is about all keys is kept, however much it explains.
#[test]
fn findings_about_keys_are_kept() {
    let finding = |detail: &str| Finding::new(FindingKind::BadSignature, "file", detail);
    let mut findings = Findings::default();
    for line in 0..2 * KEPT_MAX {
        findings.push((0, line), finding("follows").line(line));
    }
    (0..3).for_each(|_| findings.push_about_keys(finding("explains")));
    assert_eq!(findings.count(), 2 * KEPT_MAX + 3);
    let sorted = findings.into_sorted();
    assert_eq!(sorted.len() as u64, KEPT_MAX);
    assert!(sorted[..3].iter().all(|finding| finding.detail == "explains"));
    assert_eq!(sorted.last().unwrap().line, Some(KEPT_MAX - 4));
    // They have a bound themselves.
    let mut findings = Findings::default();
    (0..=KEPT_MAX).for_each(|_| findings.push_about_keys(finding("explains")));
    assert_eq!(findings.into_sorted().len() as u64, KEPT_MAX);
}

#[test]
fn what_is_shown_is_short_and_plain() {
    assert_eq!(shown("a\u{1b}[31m\n"), "a\\u{1b}[31m\\n");
    assert_eq!(shown("a\u{9b}\u{7f}\u{202e}é"), "a\\u{9b}\\u{7f}\\u{202e}é");
    assert_eq!(shown(&"a".repeat(500)).chars().count(), 201);
}

//! Checks of sealing, erasing and purging.

use super::commits::{Kind, MadeRecord, Maker};
use super::seen::{Seen, shown};
use super::writing::{append, check_head, open};
use super::{Failure, Log, Tried, ensure};
use crate::note::VerifierKey;
use crate::proof::Proof;
use crate::record::Line;
use crate::store::{Compressed, Eraser, Erasure, KeptRotation, Opened, Store};

/// A log of some records of each kind, sealed three times, open for writing.
fn begin(store: &dyn Store, maker: &mut Maker) -> Result<Opened, Failure> {
    let mut opened = open(store, maker)?;
    append(&mut opened, &maker.commit(&[Kind::Own, Kind::Own])?)?;
    for _ in 0..3 {
        append(&mut opened, &maker.commit(&[Kind::Login; 3])?)?;
        append(
            &mut opened,
            &maker.commit(&[Kind::Own, Kind::Large(70_000), Kind::Login])?,
        )?;
        append(&mut opened, &maker.commit(&[Kind::Login])?)?;
        opened.writer.seal().tried("seal")?;
    }
    Ok(opened)
}

pub(super) fn sealing(log: &Log<'_>) -> Result<(), Failure> {
    let (store, mut maker) = (log.store(), Maker::new()?);
    let mut opened = begin(store.as_ref(), &mut maker)?;
    let sealed = maker.size();
    opened.writer.seal().tried("seal once more")?;
    opened
        .eraser
        .erase(&[(0, sealed - 1)], Erasure::PersonalData)
        .tried("erase every record that was sealed")?;
    append(&mut opened, &maker.commit(&[Kind::Login])?)?;
    let segments = log.store().segments().tried("list the segments")?;
    ensure!(
        segments.iter().any(|segment| segment.first == sealed),
        "the commit after sealing at {sealed} does not begin a segment"
    );
    check_erased(log.store().as_ref(), &maker, |seq, record| {
        if seq < sealed {
            record.hashed_form.clone()
        } else {
            record.line.clone()
        }
    })
}

pub(super) fn personal_data(log: &Log<'_>) -> Result<(), Failure> {
    let (store, mut maker) = (log.store(), Maker::new()?);
    let mut opened = begin(store.as_ref(), &mut maker)?;
    let last = maker.size() - 1;
    opened
        .eraser
        .erase(&[(1, 3), (7, 7), (last, last)], Erasure::PersonalData)
        .tried("erase personal data")?;
    let expected = move |seq: u64, record: &MadeRecord| match seq {
        1..=3 | 7 => record.hashed_form.clone(),
        seq if seq == last => record.hashed_form.clone(),
        _ => record.line.clone(),
    };
    check_erased(log.store().as_ref(), &maker, expected)?;
    // The head of the next opening shows nothing of what was erased.
    drop(opened);
    let mut opened = open(store.as_ref(), &maker)?;
    let head = opened
        .head
        .as_ref()
        .map(|head| head.last_line.clone())
        .unwrap_or_default();
    let form = maker.records.last().map(|record| record.hashed_form.clone());
    ensure!(
        Some(&head) == form.as_ref(),
        "the head's line is not what is left of the last record: {}",
        shown(&head)
    );
    append(&mut opened, &maker.commit(&[Kind::Login])?)?;
    check_erased(log.store().as_ref(), &maker, expected)
}

pub(super) fn records(log: &Log<'_>) -> Result<(), Failure> {
    let (store, mut maker) = (log.store(), Maker::new()?);
    let mut opened = begin(store.as_ref(), &mut maker)?;
    let size = maker.size();
    opened
        .eraser
        .erase(&[(0, 6), (9, size - 1)], Erasure::Record)
        .tried("erase records")?;
    let expected = move |seq: u64, record: &MadeRecord| match seq {
        _ if record.is_own => record.line.clone(),
        0..=6 => erased(record, seq),
        seq if (9..size).contains(&seq) => erased(record, seq),
        _ => record.line.clone(),
    };
    check_erased(log.store().as_ref(), &maker, expected)?;
    append(&mut opened, &maker.commit(&[Kind::Login])?)?;
    drop(opened);
    let mut opened = open(store.as_ref(), &maker)?;
    check_head(opened.head.as_ref(), &maker)?;
    append(&mut opened, &maker.commit(&[Kind::Login])?)?;
    check_erased(log.store().as_ref(), &maker, expected)
}

pub(super) fn again(log: &Log<'_>) -> Result<(), Failure> {
    let (store, mut maker) = (log.store(), Maker::new()?);
    let mut opened = begin(store.as_ref(), &mut maker)?;
    for (ranges, what) in [
        ([(2, 5)], Erasure::PersonalData),
        ([(2, 5)], Erasure::PersonalData),
        ([(4, 8)], Erasure::Record),
        ([(4, 8)], Erasure::Record),
        ([(3, 9)], Erasure::PersonalData),
    ] {
        opened.eraser.erase(&ranges, what).tried("erase")?;
    }
    opened.eraser.erase(&[], Erasure::Record).tried("erase nothing")?;
    check_erased(log.store().as_ref(), &maker, |seq, record| match seq {
        4..=8 if !record.is_own => erased(record, seq),
        2..=9 => record.hashed_form.clone(),
        _ => record.line.clone(),
    })
}

fn erased(record: &MadeRecord, seq: u64) -> Vec<u8> {
    format!(r#"{{"erased":"{}","seq":{seq}}}"#, record.hash).into_bytes()
}

/// Checks that each record stands there as `expected` says, and that nothing else has changed.
fn check_erased(
    store: &dyn Store,
    maker: &Maker,
    expected: impl Fn(u64, &MadeRecord) -> Vec<u8>,
) -> Result<(), Failure> {
    // It checks every hash on the way, and the root of every checkpoint.
    let seen = Seen::up_to(store, maker.size())?;
    ensure!(seen.end() == maker.size(), "the log ends at {}", seen.end());
    let records = seen.records();
    for (seq, record) in (0..).zip(&maker.records) {
        let (is, expected) = (records.get(&seq), expected(seq, record));
        ensure!(
            is.is_some_and(|is| *is == expected),
            "record {seq} is {}, not {}",
            is.map_or("gone".into(), |is| shown(is)),
            shown(&expected)
        );
    }
    let checkpoints = |lines: &[Vec<u8>]| lines.iter().filter(|line| line.starts_with(b"{\"checkpoint\"")).count();
    let made = maker.bytes.split(|byte| *byte == b'\n').map(<[u8]>::to_vec);
    let (is, made) = (checkpoints(&seen.content()), checkpoints(&made.collect::<Vec<_>>()));
    ensure!(is == made, "{is} checkpoints are left of {made}");
    Ok(())
}

pub(super) fn purging(log: &Log<'_>) -> Result<(), Failure> {
    let (store, mut maker) = (log.store(), Maker::new()?);
    let mut opened = begin(store.as_ref(), &mut maker)?;
    let rotated = (maker.size() + 1, maker.vkey().clone());
    append(&mut opened, &maker.commit(&[Kind::Login, Kind::Rotation])?)?;
    let under = (rotated.0, rotated.1, maker.vkey().clone(), maker.newest.clone());
    opened.writer.seal().tried("seal")?;
    let boundary = maker.size();
    append(&mut opened, &maker.commit(&[Kind::Login])?)?;
    append(&mut opened, &maker.commit(&[Kind::Login, Kind::Rotation])?)?;
    opened.writer.seal().tried("seal")?;
    append(&mut opened, &maker.commit(&[Kind::Login])?)?;

    for before in [0, 4, under.0, boundary, boundary] {
        let earlier = Seen::up_to(log.store().as_ref(), maker.size())?;
        let first = opened.eraser.purge(before).tried("purge")?;
        check_purged(log.store().as_ref(), &earlier, before, first)?;
        let kept = log.store().kept_rotations().tried("list the kept rotations")?;
        let expected = usize::from(first > under.0);
        ensure!(
            kept.len() == expected,
            "{} rotations are kept after a purge before {before}, not {expected}",
            kept.len()
        );
    }
    let (seq, old, new, checkpoint) = under;
    drop(opened);
    let mut opened = open(store.as_ref(), &maker)?;
    check_head(opened.head.as_ref(), &maker)?;
    // Where one segment is left, which is written to, there is still a first record.
    let earlier = Seen::up_to(log.store().as_ref(), maker.size())?;
    let newest = earlier.segments.last().map_or(0, |newest| newest.segment.first);
    for before in [newest, 0] {
        let first = opened.eraser.purge(before).tried("purge")?;
        check_purged(log.store().as_ref(), &earlier, newest, first)?;
    }
    append(&mut opened, &maker.commit(&[Kind::Login])?)?;
    let kept = log.store().kept_rotations().tried("list the kept rotations")?;
    let record = usize::try_from(seq).ok().and_then(|seq| maker.records.get(seq));
    let (Some(kept), Some(record)) = (kept.first(), record) else {
        return Err(Failure("the kept rotation is gone when the log is opened again".into()));
    };
    let proof = check_kept(kept, seq, &record.line)?;
    for key in [&old, &new] {
        check_proof(&proof, record.hash, key)?;
    }
    ensure!(
        Some(proof.checkpoint()) == checkpoint.as_ref(),
        "the rotation is kept with the checkpoint of size {}",
        proof.checkpoint().checkpoint().size()
    );
    Ok(())
}

/// Checks that whole segments before `before` are gone, and nothing else.
fn check_purged(store: &dyn Store, earlier: &Seen, before: u64, first: u64) -> Result<(), Failure> {
    let now = Seen::up_to(store, earlier.end())?;
    ensure!(
        now.first() == first,
        "purge says that {first} is the first record, it is {}",
        now.first()
    );
    let expected = earlier
        .segments
        .iter()
        .position(|segment| segment.end > before)
        .unwrap_or(earlier.segments.len());
    let left = earlier.segments.get(expected..).unwrap_or_default();
    ensure!(
        now.segments == left,
        "a purge before {before} leaves the segments {:?} of {:?}",
        firsts(&now),
        firsts(earlier)
    );
    Ok(())
}

fn firsts(seen: &Seen) -> Vec<u64> {
    seen.segments.iter().map(|segment| segment.segment.first).collect()
}

/// Checks the form of a kept rotation: the record's line, LF, and its proof (FORMAT §6).
fn check_kept(kept: &KeptRotation, seq: u64, line: &[u8]) -> Result<Proof, Failure> {
    ensure!(
        kept.name.ends_with(&format!("{seq:020}")),
        "the rotation {seq} is kept as {:?}",
        kept.name
    );
    let Some(proof) = kept
        .content
        .strip_prefix(line)
        .and_then(|rest| rest.strip_prefix(b"\n"))
    else {
        return Err(Failure("a kept rotation does not begin with the record's line".into()));
    };
    let proof = std::str::from_utf8(proof)
        .ok()
        .and_then(|proof| proof.parse::<Proof>().ok());
    match proof.filter(|proof| proof.index() == seq) {
        Some(proof) => Ok(proof),
        None => Err(Failure("a kept rotation has no proof of its record".into())),
    }
}

fn check_proof(proof: &Proof, hash: crate::Hash, key: &VerifierKey) -> Result<(), Failure> {
    let verified = proof.verify(hash, key);
    let failed = |error| {
        Failure(format!(
            "the proof of a kept rotation does not verify under {key}: {error}"
        ))
    };
    verified.map(drop).map_err(failed)
}

/// A store may compress or not: what it holds stays the same.
pub(super) fn compressing(log: &Log<'_>) -> Result<(), Failure> {
    let (store, mut maker) = (log.store(), Maker::new()?);
    let mut opened = begin(store.as_ref(), &mut maker)?;
    let boundary = maker.size();
    append(&mut opened, &maker.commit(&[Kind::Login, Kind::Own])?)?;
    opened.writer.seal().tried("seal")?;
    append(&mut opened, &maker.commit(&[Kind::Login])?)?;
    let listed = log.store().segments().tried("list the segments")?;
    for before in [0, 1, boundary, u64::MAX] {
        compress_all(log.store().as_ref(), opened.eraser.as_mut(), &maker, before)?;
    }
    for segment in &listed {
        let lines = store.lines(segment, segment.first).map(drop);
        lines.tried("read a segment that was listed before it was compressed")?;
    }
    for seq in 0..maker.size() {
        check_lines_near(store.as_ref(), seq)?;
    }
    append(&mut opened, &maker.commit(&[Kind::Login])?)?;
    opened
        .eraser
        .erase(&[(2, 3)], Erasure::PersonalData)
        .tried("erase in what may be compressed")?;
    let expected = |seq: u64, record: &MadeRecord| match seq {
        2 | 3 => record.hashed_form.clone(),
        _ => record.line.clone(),
    };
    check_erased(log.store().as_ref(), &maker, expected)?;
    drop(opened);
    let mut opened = open(store.as_ref(), &maker)?;
    check_head(opened.head.as_ref(), &maker)?;
    let earlier = Seen::up_to(log.store().as_ref(), maker.size())?;
    let first = opened.eraser.purge(boundary).tried("purge what may be compressed")?;
    check_purged(log.store().as_ref(), &earlier, boundary, first)?;
    append(&mut opened, &maker.commit(&[Kind::Login])?)
}

/// Has a store compress until it says that nothing is left.
fn compress_all(store: &dyn Store, eraser: &mut dyn Eraser, maker: &Maker, before: u64) -> Result<(), Failure> {
    let segments = store.segments().tried("list the segments")?.len() as u64;
    let mut compressed = 0;
    loop {
        let step = eraser.compress(before).tried("compress")?;
        Seen::up_to(store, maker.size())?.check_content(maker)?;
        if step.segments == 0 {
            ensure!(
                step == Compressed::default(),
                "no segment was compressed, but bytes were: {step:?}"
            );
            return Ok(());
        }
        compressed += step.segments;
        ensure!(
            compressed <= segments,
            "{compressed} segments were compressed of {segments}, and there is no end"
        );
        ensure!(
            before > 1,
            "{compressed} segments were compressed that do not lie wholly before {before}"
        );
    }
}

/// Checks that the lines from a record on begin not after it.
fn check_lines_near(store: &dyn Store, seq: u64) -> Result<(), Failure> {
    let segments = store.segments().tried("list the segments")?;
    let Some(segment) = segments.iter().rfind(|segment| segment.first <= seq) else {
        return Err(Failure(format!("no segment holds the record {seq}")));
    };
    let mut lines = store.lines(segment, seq).tried("read")?;
    while let Some(raw) = lines.next_line().tried("read")? {
        match Line::parse(raw.bytes).ok().and_then(|line| line.seq()) {
            Some(found) if found == seq => return Ok(()),
            Some(found) if found > seq => break,
            _ => {}
        }
    }
    Err(Failure(format!("the lines from {seq} on begin after it")))
}

pub(super) fn pending(log: &Log<'_>) -> Result<(), Failure> {
    let mut maker = Maker::new()?;
    let mut opened = begin(log.store().as_ref(), &mut maker)?;
    let check = |opened: &mut Opened, expected: Option<&[u8]>| {
        let pending = opened.eraser.pending().tried("ask for what is pending")?;
        ensure!(
            pending.as_deref() == expected,
            "{:?} is pending, not {:?}",
            pending.map(|pending| String::from_utf8_lossy(&pending).into_owned()),
            expected.map(String::from_utf8_lossy)
        );
        Ok(())
    };
    let long = vec![b'x'; 60_000];
    for named in [b"{\"id\":\"1\"}".as_slice(), b"{\"id\":\"a longer one\"}", b"{}", &long] {
        opened.eraser.set_pending(Some(named)).tried("set what is pending")?;
        check(&mut opened, Some(named))?;
        drop(opened);
        opened = open(log.store().as_ref(), &maker)?;
        check(&mut opened, Some(named))?;
    }
    for _ in 0..2 {
        opened.eraser.set_pending(None).tried("say that nothing is pending")?;
        check(&mut opened, None)?;
    }
    drop(opened);
    check(&mut open(log.store().as_ref(), &maker)?, None)?;
    Seen::of(log.store().as_ref())?.check_content(&maker)
}

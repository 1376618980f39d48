//! Checks of reading, alone and beside a writer.

use std::sync::atomic::{AtomicBool, Ordering};

use super::commits::{Kind, Maker};
use super::seen::{Seen, SeenSegment, shown};
use super::writing::{append, open};
use super::{Failure, Log, Tried, ensure};
use crate::record::Line;
use crate::store::{Erasure, LineEnd, Opened, Segment, Store};

pub(super) fn lines_from_a_record(log: &Log<'_>) -> Result<(), Failure> {
    let (store, mut maker) = (log.store(), Maker::new()?);
    let mut opened = open(store.as_ref(), &maker)?;
    append(&mut opened, &maker.commit(&[Kind::Own; 2])?)?;
    for _ in 0..4 {
        append(&mut opened, &maker.commit(&[Kind::Login; 250])?)?;
        append(&mut opened, &maker.commit(&[Kind::Large(100_000); 4])?)?;
        append(&mut opened, &maker.commit(&[Kind::Login])?)?;
    }
    let while_open = Seen::up_to(log.store().as_ref(), maker.size())?;
    check_lines_from(log.store().as_ref(), &while_open)?;
    opened.writer.seal().tried("seal")?;
    opened
        .eraser
        .erase(&[(2, 40), (255, 300)], Erasure::Record)
        .tried("erase records")?;
    opened.writer.close().tried("close")?;
    drop(opened);
    let closed = Seen::of(store.as_ref())?;
    check_lines_from(log.store().as_ref(), &closed)
}

fn check_lines_from(store: &dyn Store, seen: &Seen) -> Result<(), Failure> {
    for segment in &seen.segments {
        let (first, end) = (segment.segment.first, segment.end);
        let middle = first + (end - first) / 2;
        for from in [
            0,
            first.saturating_sub(1),
            first,
            first + 1,
            middle,
            middle + 1,
            end - 1,
            end,
            end + 1000,
        ] {
            check_from(store, segment, from)?;
        }
    }
    Ok(())
}

fn check_from(store: &dyn Store, segment: &SeenSegment, from: u64) -> Result<(), Failure> {
    let what = format!("the lines of {} from record {from}", segment.segment.name);
    let mut reading = store.lines(&segment.segment, from).tried(&what)?;
    let mut lines = Vec::new();
    while let Some(raw) = reading.next_line().tried(&what)? {
        if raw.end == LineEnd::Space {
            break;
        }
        ensure!(raw.end == LineEnd::Whole, "{what}: one ends with {:?}", raw.end);
        lines.push(raw.bytes.to_vec());
        ensure!(
            raw.number == lines.len() as u64,
            "{what}: line {} says that it is line {}",
            lines.len(),
            raw.number
        );
    }
    let skipped = segment.lines.len().checked_sub(lines.len());
    let expected = skipped.and_then(|skipped| segment.lines.get(skipped..));
    ensure!(
        expected == Some(lines.as_slice()),
        "{what} are not the last lines of the segment: they begin with {}",
        lines.first().map_or("nothing".into(), |line| shown(line))
    );
    let is_due = |line: &Vec<u8>| Line::parse(line).is_ok_and(|line| line.seq().is_some_and(|seq| seq >= from));
    let due = segment.lines.iter().position(is_due).unwrap_or(segment.lines.len());
    let due = if from == 0 { 0 } else { due };
    ensure!(
        skipped.is_some_and(|skipped| skipped <= due),
        "{what} begin after it: {} lines are skipped, it is line {}",
        skipped.unwrap_or_default(),
        due + 1
    );
    Ok(())
}

pub(super) fn newest_checkpoint(log: &Log<'_>) -> Result<(), Failure> {
    let (store, mut maker) = (log.store(), Maker::new()?);
    let mut opened = open(store.as_ref(), &maker)?;
    for round in 0..6 {
        append(&mut opened, &maker.commit(&[Kind::Login; 3])?)?;
        if round % 2 == 0 {
            check_newest(log, &maker)?;
            opened.writer.seal().tried("seal")?;
        }
        check_newest(log, &maker)?;
    }
    opened.writer.seal().tried("seal")?;
    let everything = [(0, maker.size() - 1)];
    opened
        .eraser
        .erase(&everything, Erasure::PersonalData)
        .tried("erase personal data")?;
    check_newest(log, &maker)?;
    opened.eraser.purge(maker.size()).tried("purge")?;
    check_newest(log, &maker)?;
    opened.writer.close().tried("close")?;
    drop(opened);
    check_newest(log, &maker)?;
    let mut opened = open(store.as_ref(), &maker)?;
    check_newest(log, &maker)?;
    append(&mut opened, &maker.commit(&[Kind::Login])?)?;
    check_newest(log, &maker)
}

fn check_newest(log: &Log<'_>, maker: &Maker) -> Result<(), Failure> {
    let newest = log.store().newest_checkpoint().tried("read the newest checkpoint")?;
    let size = newest.as_ref().map(|newest| newest.checkpoint().size());
    ensure!(
        newest == maker.newest,
        "it is that of size {size:?}, {} records were appended",
        maker.size()
    );
    Ok(())
}

pub(super) fn gone_segment_is_an_error(log: &Log<'_>) -> Result<(), Failure> {
    let (store, mut maker) = (log.store(), Maker::new()?);
    let mut opened = open(store.as_ref(), &maker)?;
    append(&mut opened, &maker.commit(&[Kind::Login])?)?;
    let gone = Segment {
        first: 777,
        name: "segments/00000000000000000777.jsonl".into(),
    };
    let lines = store.lines(&gone, 0);
    ensure!(lines.is_err(), "lines of a segment that was never there are given");
    Ok(())
}

pub(super) fn readers_beside_a_writer(log: &Log<'_>) -> Result<(), Failure> {
    let (store, mut maker) = (log.store(), Maker::new()?);
    let mut opened = open(store.as_ref(), &maker)?;
    append(&mut opened, &maker.commit(&[Kind::Own; 2])?)?;
    let is_done = AtomicBool::new(false);
    let readers = [log.store(), log.store()];
    std::thread::scope(|scope| {
        let reading: Vec<_> = readers
            .iter()
            .map(|reader| scope.spawn(|| read_until(reader.as_ref(), &is_done)))
            .collect();
        let written = write_erase_and_purge(&mut opened, &mut maker);
        is_done.store(true, Ordering::SeqCst);
        let panicked = |_| Err(Failure("the store panicked".into()));
        for reader in reading {
            reader.join().unwrap_or_else(panicked)?;
        }
        written
    })?;
    drop(opened);
    let seen = Seen::of(store.as_ref())?;
    ensure!(
        seen.end() == maker.size(),
        "the log ends at {}, not {}",
        seen.end(),
        maker.size()
    );
    Ok(())
}

/// Writes while another thread erases and purges what was sealed before.
fn write_erase_and_purge(opened: &mut Opened, maker: &mut Maker) -> Result<(), Failure> {
    for round in 0..6 {
        opened.writer.seal().tried("seal")?;
        let Opened { writer, eraser, .. } = &mut *opened;
        let sealed = maker.size();
        std::thread::scope(|scope| {
            let erasing = scope.spawn(move || {
                let last = [(sealed.saturating_sub(12), sealed - 1)];
                eraser
                    .erase(&last, Erasure::PersonalData)
                    .tried("erase personal data")?;
                eraser.erase(&last, Erasure::Record).tried("erase records")?;
                if round % 2 == 1 {
                    eraser.purge(sealed - sealed / 3).tried("purge")?;
                }
                Ok(())
            });
            for count in [1, 9, 60] {
                let made = maker.commit(&vec![Kind::Login; count])?;
                writer.append(&made.commit()).tried("append beside an eraser")?;
            }
            erasing.join().map_err(|_| Failure("the store panicked".into()))?
        })?;
    }
    Ok(())
}

/// Reads up to the newest checkpoint, again and again: what it covers is always there, whole and chained.
fn read_until(store: &dyn Store, is_done: &AtomicBool) -> Result<(), Failure> {
    let mut size = 0;
    loop {
        let last_round = is_done.load(Ordering::SeqCst);
        let newest = store.newest_checkpoint().tried("read the newest checkpoint")?;
        let Some(newest) = newest else {
            return Err(Failure("the newest checkpoint is gone".into()));
        };
        let newest = newest.checkpoint();
        ensure!(
            newest.size() >= size,
            "the newest checkpoint steps back from {size} to {}",
            newest.size()
        );
        size = newest.size();
        let end = end_beside_a_purge(store, size)?;
        ensure!(end == size, "the log ends at {end} before its checkpoint at {size}");
        if last_round {
            return Ok(());
        }
    }
}

/// Where the log ends that is read up to `size`. A segment that is purged between listing and reading makes a reader list
/// again; all that it was to read can be purged too.
fn end_beside_a_purge(store: &dyn Store, size: u64) -> Result<u64, Failure> {
    let first = || -> Result<u64, Failure> {
        let segments = store.segments().tried("list the segments")?;
        Ok(segments.first().map_or(0, |first| first.first))
    };
    loop {
        let before = first()?;
        if before >= size {
            return Ok(size);
        }
        match Seen::up_to(store, size) {
            Ok(seen) if !seen.segments.is_empty() => return Ok(seen.end()),
            Err(problem) if first()? == before => return Err(problem),
            Ok(_) | Err(_) => {}
        }
    }
}

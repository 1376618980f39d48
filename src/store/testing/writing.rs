//! Checks of opening, appending and closing.

use std::time::{Duration, Instant};

use super::commits::{Kind, Made, Maker};
use super::seen::Seen;
use super::{Failure, Log, Tried, WAIT, ensure};
use crate::error::{Cause, Error};
use crate::store::{Head, LineEnd, Opened, Opening, Store};

pub(super) fn new_log_is_empty(log: &Log<'_>) -> Result<(), Failure> {
    let (store, maker) = (log.store(), Maker::new()?);
    let newest = store.newest_checkpoint().tried("read the newest checkpoint")?;
    ensure!(newest.is_none(), "it has a checkpoint");
    ensure!(
        store.segments().tried("list the segments")?.is_empty(),
        "it has segments"
    );
    ensure!(!store.has_writer().tried("ask for a writer")?, "it has a writer");
    let kept = store.kept_rotations().tried("list the kept rotations")?;
    ensure!(kept.is_empty(), "it has kept rotations");
    let mut opened = open(store.as_ref(), &maker)?;
    ensure!(opened.head.is_none(), "its head is {:?}", opened.head);
    ensure!(opened.moved.is_empty(), "something was moved: {:?}", opened.moved);
    let pending = opened.eraser.pending().tried("ask for what is pending")?;
    ensure!(pending.is_none(), "something is pending");
    opened.writer.seal().tried("seal a log without commits")?;
    opened
        .writer
        .moved_is_announced()
        .tried("say that nothing was announced")?;
    let newest = log.store().newest_checkpoint().tried("read the newest checkpoint")?;
    ensure!(newest.is_none(), "it has a checkpoint once it was opened");
    opened.writer.close().tried("close a log without commits")?;
    drop(opened);
    let opened = open(store.as_ref(), &maker)?;
    ensure!(
        opened.head.is_none(),
        "its head is {:?} when it is opened again",
        opened.head
    );
    Ok(())
}

pub(super) fn commits_are_read_back(log: &Log<'_>) -> Result<(), Failure> {
    let (store, mut maker) = (log.store(), Maker::new()?);
    let mut opened = open(store.as_ref(), &maker)?;
    let large = [Kind::Large(200_000); 5];
    let life: [&[Kind]; 9] = [
        &[Kind::Own, Kind::Own],
        &[Kind::Login],
        &[Kind::Login, Kind::Own, Kind::Login],
        &[Kind::Login; 300],
        &large,
        &[Kind::Login],
        &[Kind::Login, Kind::Rotation],
        &[Kind::Large(261_000)],
        &[Kind::Login; 7],
    ];
    for kinds in life {
        append(&mut opened, &maker.commit(kinds)?)?;
        for reader in [&store, &log.store()] {
            let seen = Seen::up_to(reader.as_ref(), maker.size())?;
            seen.check_content(&maker)?;
        }
    }
    opened.writer.close().tried("close")?;
    drop(opened);
    let reader = log.store();
    Seen::of(reader.as_ref())?.check_content(&maker)?;
    for segment in reader.segments().tried("list the segments")? {
        let mut lines = reader.lines(&segment, 0).tried("read a segment")?;
        while let Some(raw) = lines.next_line().tried("read a segment")? {
            ensure!(
                raw.end == LineEnd::Whole,
                "{} ends with {:?} once it is closed",
                segment.name,
                raw.end
            );
        }
    }
    Ok(())
}

pub(super) fn next_opening_finds_the_head(log: &Log<'_>) -> Result<(), Failure> {
    let mut maker = Maker::new()?;
    for round in 0..8 {
        let store = log.store();
        let mut opened = open(store.as_ref(), &maker)?;
        check_head(opened.head.as_ref(), &maker)?;
        ensure!(opened.moved.is_empty(), "something was moved: {:?}", opened.moved);
        append(&mut opened, &maker.commit(&[Kind::Login, Kind::Own])?)?;
        append(&mut opened, &maker.commit(&[Kind::Login; 5])?)?;
        // In order, by a drop alone, and with an end of a segment before it.
        match round % 4 {
            0 => opened.writer.close().tried("close")?,
            1 => opened.writer.seal().tried("seal")?,
            _ => {}
        }
    }
    let seen = Seen::of(log.store().as_ref())?;
    seen.check_content(&maker)
}

pub(super) fn conflicts_are_refused(log: &Log<'_>) -> Result<(), Failure> {
    let (store, mut maker) = (log.store(), Maker::new()?);
    let mut opened = open(store.as_ref(), &maker)?;
    let mut ahead = Maker::new()?;
    ahead.commit(&[Kind::Own; 3])?;
    let beyond = ahead.commit(&[Kind::Login])?;
    ensure!(
        opened.writer.append(&beyond.commit()).is_err(),
        "a commit that begins at record 3 is taken by an empty log"
    );
    ensure!(
        log.store().newest_checkpoint().tried("read")?.is_none(),
        "and it is there"
    );
    drop(opened);

    let mut opened = open(store.as_ref(), &maker)?;
    let first = maker.commit(&[Kind::Own, Kind::Own])?;
    append(&mut opened, &first)?;
    let mut other = Maker::new()?;
    other.commit(&[Kind::Own, Kind::Login])?;
    let (before, forked) = (maker.commit(&[Kind::Login])?, other.commit(&[Kind::Login])?);
    append(&mut opened, &before)?;
    // Its size is right once more is there, its `prev` is not.
    let forked_later = other.commit(&[Kind::Login])?;
    let mut later = Maker::new()?;
    later.commit(&[Kind::Own; 9])?;
    let too_late = later.commit(&[Kind::Login])?;
    for (what, commit) in [
        ("the first commit once more", &first),
        ("the last commit once more", &before),
        ("a commit that continues an earlier head", &forked),
        ("a commit that continues another history", &forked_later),
        ("a commit that leaves records out", &too_late),
    ] {
        let error = match opened.writer.append(&commit.commit()) {
            Ok(()) => return Err(Failure(format!("{what} is taken"))),
            Err(error) => error,
        };
        let Cause::Conflict { expected, head } = error.cause() else {
            return Err(Failure(format!("{what} is refused by another error: {error}")));
        };
        ensure!(
            *expected == commit.commit().first(),
            "{what}: the conflict says that it continues {expected}"
        );
        check_head(Some(head), &maker)?;
        Seen::up_to(log.store().as_ref(), u64::MAX)?.check_content(&maker)?;
    }
    append(&mut opened, &maker.commit(&[Kind::Login])?)?;
    drop(opened);
    Seen::of(log.store().as_ref())?.check_content(&maker)
}

pub(super) fn one_writer_at_a_time(log: &Log<'_>) -> Result<(), Failure> {
    let (store, mut maker) = (log.store(), Maker::new()?);
    let mut opened = open(store.as_ref(), &maker)?;
    append(&mut opened, &maker.commit(&[Kind::Own])?)?;
    for (which, store) in [("the same handle", &store), ("another handle", &log.store())] {
        ensure!(
            store.has_writer().tried("ask for a writer")?,
            "{which} does not know of the writer"
        );
        for wait in [Duration::ZERO, Duration::from_millis(60)] {
            let began = Instant::now();
            let error = match store.open(&maker.opening(wait)) {
                Ok(_) => return Err(Failure(format!("{which} is opened for writing a second time"))),
                Err(error) => error,
            };
            ensure!(began.elapsed() >= wait, "{which} waits for less than {wait:?}");
            ensure!(
                began.elapsed() < wait + WAIT / 2,
                "{which} waits for {:?}, not {wait:?}",
                began.elapsed()
            );
            ensure!(
                matches!(error.cause(), Cause::Locked { waited, .. } if *waited >= wait),
                "{which} fails with another error than that the log is locked: {error}"
            );
        }
    }
    append(&mut opened, &maker.commit(&[Kind::Login])?)?;
    let Opened { writer, eraser, .. } = opened;
    drop(writer);
    let second = log.store().open(&maker.opening(Duration::ZERO));
    ensure!(second.is_err(), "it is opened while an eraser is at work");
    drop(eraser);
    ensure!(
        !log.store().has_writer().tried("ask for a writer")?,
        "it has a writer after the last one was dropped"
    );
    let mut opened = open(log.store().as_ref(), &maker)?;
    check_head(opened.head.as_ref(), &maker)?;
    append(&mut opened, &maker.commit(&[Kind::Login])?)
}

pub(super) fn opening_waits(log: &Log<'_>) -> Result<(), Failure> {
    let (store, mut maker) = (log.store(), Maker::new()?);
    let mut opened = open(store.as_ref(), &maker)?;
    append(&mut opened, &maker.commit(&[Kind::Own])?)?;
    let waiting = log.store();
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| open(waiting.as_ref(), &maker).map(|opened| opened.head));
        std::thread::sleep(Duration::from_millis(100));
        ensure!(!waiter.is_finished(), "it is opened while there is a writer");
        drop(opened);
        let head = waiter.join().map_err(|_| Failure("the store panicked".into()))??;
        check_head(head.as_ref(), &maker)
    })
}

pub(super) fn other_keys_are_refused(log: &Log<'_>) -> Result<(), Failure> {
    let (store, mut maker) = (log.store(), Maker::new()?);
    let mut other = Maker::new()?;
    other.commit(&[Kind::Rotation])?;
    other.commit(&[Kind::Rotation])?;
    let mut opened = open(store.as_ref(), &maker)?;
    append(&mut opened, &maker.commit(&[Kind::Own])?)?;
    append(&mut opened, &maker.commit(&[Kind::Login])?)?;
    drop(opened);
    let refused = store.open(&other.opening(WAIT)).is_err();
    ensure!(
        refused,
        "a log is opened under a key that did not sign its newest checkpoint"
    );
    let mut opened = open(log.store().as_ref(), &maker)?;
    check_head(opened.head.as_ref(), &maker)?;
    ensure!(opened.moved.is_empty(), "something was moved: {:?}", opened.moved);
    append(&mut opened, &maker.commit(&[Kind::Login])?)?;
    drop(opened);
    Seen::of(store.as_ref())?.check_content(&maker)
}

pub(super) fn refused_heads_are_let_be(log: &Log<'_>) -> Result<(), Failure> {
    let (store, mut maker) = (log.store(), Maker::new()?);
    for round in 0..3 {
        let asked = std::cell::Cell::new(0);
        let accept = |head: Option<&Head>| {
            asked.set(asked.get() + 1);
            // What it may do.
            store.segments()?;
            let size = head.map_or(0, |head| head.tree.size());
            Err(Error::configuration("accept", format!("{size} records")))
        };
        let opening = Opening {
            accept: &accept,
            ..maker.opening(WAIT)
        };
        let refusal = store.open(&opening).map(drop).map_err(|error| error.to_string());
        let expected = format!("accept: {} records", maker.size());
        ensure!(
            refusal == Err(expected.clone()) && asked.get() == 1,
            "where {expected:?} refuses an opening, it says {refusal:?}, asked {} times",
            asked.get()
        );
        let mut opened = open(store.as_ref(), &maker)?;
        check_head_or_none(opened.head.as_ref(), &maker)?;
        let kind = if round == 0 { Kind::Own } else { Kind::Login };
        append(&mut opened, &maker.commit(&[kind])?)?;
    }
    Seen::of(store.as_ref())?.check_content(&maker)
}

fn check_head_or_none(head: Option<&Head>, maker: &Maker) -> Result<(), Failure> {
    match head {
        None if maker.size() == 0 => Ok(()),
        head => check_head(head, maker),
    }
}

pub(super) fn closed_takes_nothing(log: &Log<'_>) -> Result<(), Failure> {
    let (store, mut maker) = (log.store(), Maker::new()?);
    let mut opened = open(store.as_ref(), &maker)?;
    append(&mut opened, &maker.commit(&[Kind::Own])?)?;
    opened.writer.close().tried("close")?;
    let mut later = Maker::new()?;
    later.commit(&[Kind::Own])?;
    let late = later.commit(&[Kind::Login])?;
    ensure!(
        opened.writer.append(&late.commit()).is_err(),
        "a commit is taken after closing"
    );
    Seen::of(store.as_ref())?.check_content(&maker)?;
    drop(opened);
    let mut opened = open(store.as_ref(), &maker)?;
    check_head(opened.head.as_ref(), &maker)?;
    append(&mut opened, &maker.commit(&[Kind::Login])?)?;
    drop(opened);
    Seen::of(log.store().as_ref())?.check_content(&maker)
}

pub(super) fn open(store: &dyn Store, maker: &Maker) -> Result<Opened, Failure> {
    store.open(&maker.opening(WAIT)).tried("open for writing")
}

pub(super) fn append(opened: &mut Opened, made: &Made) -> Result<(), Failure> {
    let commit = made.commit();
    let what = format!("append {} records after {}", commit.hashes.len(), commit.first());
    opened.writer.append(&commit).tried(&what)
}

/// Checks that a head is what `maker` made last.
pub(super) fn check_head(head: Option<&Head>, maker: &Maker) -> Result<(), Failure> {
    let (size, newest) = (maker.size(), maker.newest.as_ref());
    let Some(head) = head else {
        ensure!(size == 0, "there is no head where {size} records were appended");
        return Ok(());
    };
    ensure!(
        head.tree == *maker.tree(),
        "the head's tree has size {}, or other peaks; {size} records were appended",
        head.tree.size()
    );
    ensure!(
        head.last == maker.last(),
        "the head's hash is not that of the last record"
    );
    ensure!(
        head.last_line == maker.last_line(),
        "the head's line is not that of the last record: {}",
        super::seen::shown(&head.last_line)
    );
    ensure!(
        Some(&head.checkpoint) == newest,
        "the head's checkpoint is that of size {}",
        head.checkpoint.checkpoint().size()
    );
    Ok(())
}

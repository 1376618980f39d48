//! Stores that break one contract each, and the check that finds it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::checkpoint::SignedCheckpoint;
use crate::error::{Cause, Error, Result};
use crate::note::{Origin, VerifierKey};
use crate::record::{Line, write_erased};
use crate::store::testing::{Breach, breaches_of};
use crate::store::{
    Commit, Compressed, Eraser, Erasure, Head, KeptRotation, LineEnd, Lines, MemoryStore, Opened, Opening, RawLine,
    Segment, Store, Writer,
};

/// What a store does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    ForgetsCommits,
    TakesConflicts,
    ShowsAnOldHead,
    HasTwoWriters,
    DoesNotWait,
    KnowsNoWriter,
    CutsLines,
    SkipsTooFar,
    LeavesHeadersOut,
    MiscountsLines,
    LeavesTheEndTorn,
    ShowsAnOldCheckpoint,
    ForgetsTheHead,
    TakesAnyKey,
    AsksNobody,
    TakesMoreAfterClosing,
    ErasesNothing,
    ErasesTooMuch,
    ErasesPersonalDataAlone,
    ErasesItsOwnRecords,
    DoesNotSeal,
    PurgesTooMuch,
    PurgesNothing,
    LiesAboutAPurge,
    ForgetsRotations,
    ForgetsWhatIsPending,
    CompressesWithLoss,
    CompressesForEver,
    InventsSegments,
    Panics,
}

/// A memory store with a fault.
#[derive(Debug, Clone)]
struct Broken {
    inner: MemoryStore,
    fault: Fault,
    memory: Arc<Mutex<Memory>>,
}

#[derive(Debug, Default)]
struct Memory {
    key: Option<(Origin, VerifierKey)>,
    first_head: Option<Head>,
    checkpoints: Vec<SignedCheckpoint>,
    erased: Vec<(u64, u64)>,
}

impl Broken {
    fn new(fault: Fault) -> Self {
        Self {
            inner: MemoryStore::new().segment_size(100_000),
            fault,
            memory: Arc::default(),
        }
    }

    fn is(&self, fault: Fault) -> bool {
        self.fault == fault
    }

    fn wrap(&self, opened: Opened) -> Opened {
        let (store, inner) = (self.clone(), opened.writer);
        let writer = Box::new(BrokenWriter { store, inner });
        let (store, inner) = (self.clone(), opened.eraser);
        Opened {
            writer,
            eraser: Box::new(BrokenEraser { store, inner }),
            head: opened.head.filter(|_| !self.is(Fault::ForgetsTheHead)),
            moved: opened.moved,
        }
    }
}

impl Store for Broken {
    fn open(&self, opening: &Opening<'_>) -> Result<Opened> {
        let key = || (opening.origin.clone(), opening.vkey.clone());
        let (origin, vkey) = match self.fault {
            Fault::TakesAnyKey => {
                let newest = self.inner.newest_checkpoint()?;
                let known = self
                    .memory
                    .lock()
                    .expect("no panic")
                    .key
                    .get_or_insert_with(key)
                    .clone();
                if newest.is_some_and(|newest| newest.verify(&known.1).is_ok()) {
                    known
                } else {
                    key()
                }
            }
            _ => key(),
        };
        let opening = Opening {
            origin: &origin,
            vkey: &vkey,
            wait: if self.is(Fault::DoesNotWait) {
                Duration::ZERO
            } else {
                opening.wait
            },
            accept: if self.is(Fault::AsksNobody) {
                &|_| Ok(())
            } else {
                opening.accept
            },
        };
        match self.inner.open(&opening) {
            Err(error) if self.is(Fault::HasTwoWriters) && matches!(error.cause(), Cause::Locked { .. }) => {
                MemoryStore::new().open(&opening)
            }
            opened => opened.map(|opened| self.wrap(opened)),
        }
    }

    fn segments(&self) -> Result<Vec<Segment>> {
        assert!(!self.is(Fault::Panics), "a store that panics");
        self.inner.segments()
    }

    fn lines(&self, segment: &Segment, from: u64) -> Result<Box<dyn Lines + '_>> {
        let lines = match self.inner.lines(segment, from) {
            Err(_) if self.is(Fault::InventsSegments) => self.inner.lines(&self.inner.segments()?[0], from)?,
            lines => lines?,
        };
        let skip = match self.fault {
            Fault::SkipsTooFar if from > segment.first => 2,
            Fault::LeavesHeadersOut => 1,
            _ => 0,
        };
        Ok(Box::new(BrokenLines {
            store: self.clone(),
            inner: lines,
            skip,
            line: Vec::new(),
        }))
    }

    fn newest_checkpoint(&self) -> Result<Option<SignedCheckpoint>> {
        let newest = self.inner.newest_checkpoint()?;
        let checkpoints = &self.memory.lock().expect("no panic").checkpoints;
        match checkpoints.as_slice() {
            [.., before, _] if self.is(Fault::ShowsAnOldCheckpoint) => Ok(Some(before.clone())),
            _ => Ok(newest),
        }
    }

    fn has_writer(&self) -> Result<bool> {
        Ok(self.inner.has_writer()? && !self.is(Fault::KnowsNoWriter))
    }

    fn kept_rotations(&self) -> Result<Vec<KeptRotation>> {
        let mut kept = self.inner.kept_rotations()?;
        kept.retain(|_| !self.is(Fault::ForgetsRotations));
        Ok(kept)
    }
}

#[derive(Debug)]
struct BrokenWriter {
    store: Broken,
    inner: Box<dyn Writer>,
}

impl Writer for BrokenWriter {
    fn append(&mut self, commit: &Commit<'_>) -> Result<()> {
        if self.store.is(Fault::ForgetsCommits) && commit.first() > 2 {
            return Ok(());
        }
        let result = self.inner.append(commit);
        let memory = &mut *self.store.memory.lock().expect("no panic");
        match result.as_ref().map_err(Error::cause) {
            Err(Cause::Conflict { .. }) if self.store.is(Fault::TakesConflicts) => Ok(()),
            Err(Cause::Conflict { expected, head }) if self.store.is(Fault::ShowsAnOldHead) => Err(Cause::Conflict {
                expected: *expected,
                head: Box::new(memory.first_head.clone().unwrap_or_else(|| head.as_ref().clone())),
            }
            .into()),
            _ => {
                memory.checkpoints.push(commit.checkpoint.clone());
                memory.first_head.get_or_insert_with(|| Head {
                    tree: commit.after.clone(),
                    last: commit.last(),
                    last_line: Vec::new(),
                    checkpoint: commit.checkpoint.clone(),
                });
                result
            }
        }
    }

    fn seal(&mut self) -> Result<()> {
        if self.store.is(Fault::DoesNotSeal) {
            return Ok(());
        }
        self.inner.seal()
    }

    fn moved_is_announced(&mut self) -> Result<()> {
        self.inner.moved_is_announced()
    }

    fn close(&mut self) -> Result<()> {
        if self.store.is(Fault::TakesMoreAfterClosing) {
            return Ok(());
        }
        self.inner.close()
    }
}

#[derive(Debug)]
struct BrokenEraser {
    store: Broken,
    inner: Box<dyn Eraser>,
}

impl Eraser for BrokenEraser {
    fn set_pending(&mut self, pending: Option<&[u8]>) -> Result<()> {
        self.inner.set_pending(pending)
    }

    fn pending(&mut self) -> Result<Option<Vec<u8>>> {
        Ok(self
            .inner
            .pending()?
            .filter(|_| !self.store.is(Fault::ForgetsWhatIsPending)))
    }

    fn erase(&mut self, ranges: &[(u64, u64)], what: Erasure) -> Result<()> {
        match self.store.fault {
            Fault::ErasesNothing => Ok(()),
            Fault::ErasesTooMuch => {
                let wider: Vec<_> = ranges.iter().map(|(from, to)| (*from, to + 1)).collect();
                self.inner.erase(&wider, what)
            }
            Fault::ErasesPersonalDataAlone => self.inner.erase(ranges, Erasure::PersonalData),
            Fault::ErasesItsOwnRecords if what == Erasure::Record => {
                self.store.memory.lock().expect("no panic").erased.extend(ranges);
                self.inner.erase(ranges, what)
            }
            _ => self.inner.erase(ranges, what),
        }
    }

    fn purge(&mut self, before: u64) -> Result<u64> {
        match self.store.fault {
            Fault::PurgesNothing => Ok(self.store.inner.segments()?.first().map_or(0, |first| first.first)),
            Fault::PurgesTooMuch => self.inner.purge(before + 5),
            Fault::LiesAboutAPurge => self.inner.purge(before).map(|first| first.max(before)),
            _ => self.inner.purge(before),
        }
    }

    fn compress(&mut self, before: u64) -> Result<Compressed> {
        let compressed = Compressed {
            segments: 1,
            bytes_before: 2,
            bytes_after: 1,
        };
        match self.store.fault {
            Fault::CompressesForEver if before > 1 => Ok(compressed),
            Fault::CompressesWithLoss if before > 1 => {
                self.inner.erase(&[(2, 2)], Erasure::PersonalData)?;
                Ok(compressed)
            }
            _ => self.inner.compress(before),
        }
    }
}

struct BrokenLines<'a> {
    store: Broken,
    inner: Box<dyn Lines + 'a>,
    skip: usize,
    line: Vec<u8>,
}

impl Lines for BrokenLines<'_> {
    fn next_line(&mut self) -> Result<Option<RawLine<'_>>> {
        while self.skip > 0 {
            self.skip -= 1;
            self.inner.next_line()?;
        }
        let Some(raw) = self.inner.next_line()? else {
            return Ok(None);
        };
        let (mut number, mut end) = (raw.number, raw.end);
        self.line = raw.bytes.to_vec();
        match self.store.fault {
            Fault::CutsLines => {
                let length = self.line.len().min(5_000);
                self.line.truncate(length);
            }
            Fault::MiscountsLines => number -= 1,
            Fault::LeavesTheEndTorn => {
                let newest = self.store.inner.newest_checkpoint()?;
                let note = newest.map(|newest| newest.as_str().lines().nth(2).unwrap_or_default().to_owned());
                if note.is_some_and(|note| String::from_utf8_lossy(&self.line).contains(&note)) {
                    end = LineEnd::Torn;
                }
            }
            Fault::ErasesItsOwnRecords => {
                let erased = &self.store.memory.lock().expect("no panic").erased;
                if let Ok(Line::Record(record)) = Line::parse(raw.bytes)
                    && erased.iter().any(|(from, to)| (*from..=*to).contains(&record.seq))
                {
                    self.line.clear();
                    write_erased(&mut self.line, &record.hash(), record.seq);
                    self.line.pop();
                }
            }
            _ => {}
        }
        Ok(Some(RawLine {
            bytes: &self.line,
            number,
            end,
        }))
    }
}

/// What a check finds in a store with a fault.
fn found(fault: Fault, check: &str) -> Vec<Breach> {
    let logs: Mutex<HashMap<String, Broken>> = Mutex::default();
    let handle = |name: &str| {
        let mut logs = logs.lock().expect("no panic");
        logs.entry(name.to_owned())
            .or_insert_with(|| Broken::new(fault))
            .clone()
    };
    breaches_of(handle, |name| name == check)
}

#[test]
fn each_fault_is_found() {
    for (fault, check) in [
        (Fault::ForgetsCommits, "commits are read back byte for byte"),
        (
            Fault::TakesConflicts,
            "a commit that does not continue the head is refused",
        ),
        (
            Fault::ShowsAnOldHead,
            "a commit that does not continue the head is refused",
        ),
        (Fault::HasTwoWriters, "there is one writer at a time"),
        (Fault::DoesNotWait, "an opening waits for the writer"),
        (Fault::KnowsNoWriter, "there is one writer at a time"),
        (Fault::CutsLines, "commits are read back byte for byte"),
        (Fault::SkipsTooFar, "lines begin not after a record"),
        (Fault::LeavesHeadersOut, "commits are read back byte for byte"),
        (Fault::MiscountsLines, "commits are read back byte for byte"),
        (Fault::LeavesTheEndTorn, "commits are read back byte for byte"),
        (
            Fault::ShowsAnOldCheckpoint,
            "the newest checkpoint is that of the last commit",
        ),
        (Fault::ForgetsTheHead, "the next opening finds the head"),
        (Fault::TakesAnyKey, "the newest checkpoint is by the key"),
        (Fault::AsksNobody, "a head that is not accepted is let be"),
        (Fault::TakesMoreAfterClosing, "a closed log takes nothing"),
        (Fault::ErasesNothing, "personal data is erased"),
        (Fault::ErasesTooMuch, "personal data is erased"),
        (Fault::ErasesPersonalDataAlone, "records are erased"),
        (Fault::ErasesItsOwnRecords, "records are erased"),
        (Fault::DoesNotSeal, "what is sealed is erasable"),
        (Fault::PurgesTooMuch, "whole segments are purged"),
        (Fault::PurgesNothing, "whole segments are purged"),
        (Fault::LiesAboutAPurge, "whole segments are purged"),
        (Fault::ForgetsRotations, "whole segments are purged"),
        (Fault::ForgetsWhatIsPending, "what is pending is kept"),
        (Fault::CompressesWithLoss, "compressing changes no line"),
        (Fault::CompressesForEver, "compressing changes no line"),
        (Fault::InventsSegments, "a segment that is gone is an error"),
        (Fault::Panics, "a new log is empty"),
    ] {
        assert_eq!(found(Fault::None, check), []);
        assert_eq!(found(fault, check).len(), 1, "{fault:?} is not found by {check:?}");
    }
}

#[test]
#[should_panic(expected = "whole segments are purged: 0 rotations are kept")]
fn a_broken_store_fails_the_suite() {
    let logs: Mutex<HashMap<String, Broken>> = Mutex::default();
    super::check_store(|name| {
        let mut logs = logs.lock().expect("no panic");
        logs.entry(name.to_owned())
            .or_insert_with(|| Broken::new(Fault::ForgetsRotations))
            .clone()
    });
}

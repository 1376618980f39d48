//! What a crash interrupted is taken up again (FORMAT §7): after the next opening, in the background, or by who erases
//! first.
//!
//! The file `pending` names what was announced last and is not done. Where it is gone, the announcements do, from the
//! position on up to which all are known to be carried out.

use std::fs::OpenOptions;
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering::Relaxed;

use super::announced::{ANNOUNCED, Announced, announced};
use super::shared::Shared;
use crate::error::{Cause, Error, Result};
use crate::event::recorded_id;
use crate::reader::find_records;
use crate::store::{Eraser, Erasure, open_file};

impl Shared {
    /// An announcement is carried out; if no other one is open, all before `size` are.
    pub(super) fn carried_out(&self, eraser: &mut dyn Eraser, size: u64) -> Result<()> {
        if !self.is_all_carried_out.load(Relaxed) {
            return Ok(());
        }
        eraser.set_pending(None)?;
        if let Some(path) = self.carried_out_path() {
            // A cache: without it, the next opening looks for announcements from the first record on.
            let _ = write_private(&path, size);
        }
        Ok(())
    }

    /// At the end of the log nothing is left to carry out, if nothing was interrupted.
    pub(super) fn nothing_interrupted(&self) {
        let pending = self.with_eraser(|eraser| eraser.pending());
        if self.is_all_carried_out.load(Relaxed)
            && let (Ok(None), Some(path)) = (pending, self.carried_out_path())
        {
            let _ = write_private(&path, self.numbers.size());
        }
    }

    fn carried_out_path(&self) -> Option<PathBuf> {
        Some(self.store.folder()?.join("tree").join("announced"))
    }

    /// Takes up again what a crash interrupted.
    pub(super) fn resume_erasures(&self) {
        // A log that has ended has no eraser any more.
        let _ = self.with_eraser(|eraser| {
            self.resume_first(eraser);
            Ok(())
        });
    }

    /// Before anything else is erased: who gets the eraser first does it.
    pub(super) fn resume_first(&self, eraser: &mut dyn Eraser) {
        if self.is_resumed.swap(true, Relaxed) {
            return;
        }
        if let Err(error) = self.resume_with(eraser)
            // A log that is closed meanwhile leaves the rest to the next opening. Its end waits for the eraser, and so
            // until the host can be told.
            && !matches!(error.cause(), Cause::Closed | Cause::Poisoned(_))
        {
            self.numbers.failed(&error);
            self.tell_later(&error);
        }
    }

    fn resume_with(&self, eraser: &mut dyn Eraser) -> Result<()> {
        // While the eraser is held, nothing is announced.
        let size = self.numbers.size();
        let (mut due, mut read) = (Due::default(), Ok(()));
        for seq in self.open_announcements(eraser, size)? {
            read = self.read_announcement(seq, &mut due);
            if read.is_err() {
                break;
            }
            if due.is_full() {
                self.carry_out(eraser, std::mem::take(&mut due))?;
            }
        }
        self.carry_out(eraser, due)?;
        read?;
        self.is_all_carried_out.store(true, Relaxed);
        self.carried_out(eraser, size)
    }

    /// The announcements that may not be carried out: those behind the position up to which all are. That position is
    /// in a cache: where it leaves out what `pending` names, it is wrong.
    fn open_announcements(&self, eraser: &mut dyn Eraser, size: u64) -> Result<Vec<u64>> {
        let path = self.carried_out_path();
        let from: u64 = path
            .and_then(|path| read_number(&path))
            .filter(|from| *from <= size)
            .unwrap_or(0);
        let pending = eraser.pending()?;
        let (found, has_pending) = self.announcements(from, size, pending.as_deref())?;
        if from == 0 || pending.is_none() || has_pending {
            return Ok(found);
        }
        Ok(self.announcements(0, size, None)?.0)
    }

    /// The announcements among the records of a range, and whether the one that `pending` names is among them.
    fn announcements(&self, from: u64, size: u64, pending: Option<&[u8]>) -> Result<(Vec<u64>, bool)> {
        let named = pending.and_then(recorded_id);
        let (mut found, mut has_pending) = (Vec::new(), false);
        let goes_on = || match self.is_closing() {
            true => Err(self.ended()),
            false => Ok(()),
        };
        find_records(self.store.as_ref(), from..size, &ANNOUNCED, goes_on, |record| {
            if announced(&record).is_some() {
                found.push(record.seq());
                let id = record.event_json().and_then(|event| recorded_id(event.as_bytes()));
                has_pending |= named.is_some() && id == named;
            }
        })?;
        Ok((found, has_pending))
    }

    /// Reads what an announcement says, once it is shown that the log's newest checkpoint covers it.
    fn read_announcement(&self, seq: u64, due: &mut Due) -> Result<()> {
        let record = crate::reader::record_at(self.store.as_ref(), seq, self.numbers.size())?;
        if !self.is_covered(&record)? {
            let problem = format!("the announcement {seq} is not one of this log");
            return Err(Error::damaged("segments", None, problem));
        }
        match announced(&record) {
            Some(Announced::Purged { before }) if before <= seq => due.before = due.before.max(before),
            Some(Announced::Erased { ranges, what }) if ranges.iter().all(|(from, to)| from <= to && *to < seq) => {
                let retained = self.ranges(ranges.iter().map(|(from, to)| *from..=*to))?;
                match what {
                    Erasure::PersonalData => due.personal.extend(retained),
                    Erasure::Record if self.without_own(&retained)? == retained => due.records.extend(retained),
                    Erasure::Record => {}
                }
            }
            // An announcement that breaks the rules covers nothing.
            _ => {}
        }
        Ok(())
    }

    fn carry_out(&self, eraser: &mut dyn Eraser, due: Due) -> Result<()> {
        if due.before > 0 {
            self.sync_tree(due.before)?;
            self.purge_sealed(eraser, due.before)?;
        }
        let erasures = [(Erasure::Record, due.records), (Erasure::PersonalData, due.personal)];
        for (what, ranges) in erasures.into_iter().filter(|(_, ranges)| !ranges.is_empty()) {
            let retained = self.ranges(ranges.into_iter().map(|(from, to)| from..=to))?;
            let erased = self.erase_sealed(eraser, &retained, what);
            self.sights.forget(&retained);
            erased?;
        }
        Ok(())
    }
}

/// What announcements say is to be done. Of several it is done together: a segment is written anew once, and not for
/// each of them.
#[derive(Debug, Default)]
struct Due {
    before: u64,
    records: Vec<(u64, u64)>,
    personal: Vec<(u64, u64)>,
}

impl Due {
    /// Whether no more is to be kept in memory.
    fn is_full(&self) -> bool {
        self.records.len() + self.personal.len() >= RANGES_MAX
    }
}

fn read_number(path: &Path) -> Option<u64> {
    let mut text = String::new();
    let file = open_file(OpenOptions::new().read(true), path).ok()?;
    file.take(20).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

fn write_private(path: &Path, size: u64) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    open_file(&options, path)?.write_all(size.to_string().as_bytes())
}

/// So many ranges are erased in one go: those of more than a thousand announcements.
const RANGES_MAX: usize = 1_000_000;

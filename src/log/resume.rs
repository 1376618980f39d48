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
        for seq in self.open_announcements(eraser, size)? {
            self.carry_out(eraser, seq)?;
        }
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

    /// Does what an announcement says, once it is shown that the log's newest checkpoint covers it.
    fn carry_out(&self, eraser: &mut dyn Eraser, seq: u64) -> Result<()> {
        let record = crate::reader::record_at(self.store.as_ref(), seq, self.numbers.size())?;
        if !self.is_covered(&record)? {
            return Err(Error::damaged(
                "segments",
                None,
                format!("the announcement {seq} is not one of this log"),
            ));
        }
        match announced(&record) {
            Some(Announced::Purged { before }) if before <= seq => {
                self.sync_tree(before)?;
                self.purge_sealed(eraser, before).map(drop)
            }
            Some(Announced::Erased { ranges, what }) if ranges.iter().all(|(from, to)| from <= to && *to < seq) => {
                let retained = self.ranges(ranges.iter().map(|(from, to)| *from..=*to))?;
                if what == Erasure::Record && self.without_own(&retained)? != retained {
                    return Ok(());
                }
                let erased = self.erase_sealed(eraser, &retained, what);
                self.sights.forget(&retained);
                erased
            }
            // An announcement that breaks the rules covers nothing.
            _ => Ok(()),
        }
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

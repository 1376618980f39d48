//! Exports of an open log: signed and recorded.

use std::io::{self, Write};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::shared::Shared;
use super::signers::Signers;
use super::work::{call_host, check_not_at_work};
use super::{AuditLog, own};
use crate::error::{Cause, Error, Result};
use crate::export::{Destination, Export, Exported, ExportedFiles, Exporter, Source};

impl AuditLog {
    /// Exports to a destination: a file, and beside it a manifest that the log's key has signed. Both are durable when
    /// this returns. A folder is made where it is not there; its file system must have hard links.
    ///
    /// Names are of the day of the first record and the range, and no file takes the place of another: what was exported
    /// once is [`Cause::AlreadyExported`] the next time, also after a crash. One that a crash interrupted before its
    /// manifest was there is done anew. One export into a folder goes on at a time; those of several logs need several
    /// folders, or prefixes.
    ///
    /// This blocks, for a bucket until it has answered: in an async host, call it on a thread for blocking work.
    ///
    /// That it was exported is recorded (`audit_log.exported`), durably, before the manifest appears: by whom
    /// ([`Query::asked_by`](crate::Query::asked_by)), what, in which format, and how many records.
    ///
    /// # Errors
    ///
    /// [`Cause::InvalidQuery`], which names the parameter; [`Cause::AlreadyExported`]; [`Cause::Export`] where the
    /// destination refuses, another export has it or got ahead, or the log is closing, [`Cause::Signer`] where the signer fails, [`Cause::NoRecord`] where a purge
    /// overtakes the export: then nothing was exported, and the same call can succeed later. Also where the log or a
    /// manifest at the destination cannot be read, and what [`append`](Self::append) says.
    ///
    /// ```
    /// use indelible::{Actor, AuditLog, Export, MemoryStore, Query, SigningKey, export::verify_export};
    ///
    /// # let key = SigningKey::generate("auth.example.com/audit".parse()?)?;
    /// # let log = AuditLog::builder("auth.example.com/audit")
    /// #     .signer(key)
    /// #     .without_checkpoint_file()
    /// #     .open(MemoryStore::new())?;
    /// # let folder = tempfile::tempdir()?;
    /// let files = log.export(&Export::new(Query::new().asked_by(Actor::admin("usr_bob"))), folder.path())?;
    /// assert_eq!(files.exported.records, 2);
    /// assert!(verify_export(&files.manifest, &[log.vkey()])?.is_sound());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn export(&self, export: &Export, to: impl Into<Destination>) -> Result<ExportedFiles> {
        check_not_at_work(self.shared(), "export")?;
        self.shared().export(export, &to.into(), None)
    }

    /// Exports to any writer, without a manifest. It is recorded as [`export`](Self::export) is, once it is written.
    ///
    /// # Errors
    ///
    /// As [`LogReader::export`](crate::LogReader::export), and what [`append`](Self::append) says.
    pub fn export_to(&self, export: &Export, mut to: impl Write) -> Result<Exported> {
        let shared = self.shared();
        check_not_at_work(shared, "export_to")?;
        let _under_way = shared.exporting.begin(A_WRITER);
        let checkpoint = self.checkpoint()?;
        let cache = shared.tree().view(checkpoint.checkpoint().size()).ok();
        let mut source = Source::new(
            shared.store.as_ref(),
            &shared.indexes,
            checkpoint,
            cache,
            shared.options.clock.now(),
        );
        let exported = source.write(export, &mut to, Path::new("the writer"))?;
        shared.record_own(own::exported(export, &exported, A_WRITER))?;
        Ok(exported)
    }
}

impl Shared {
    /// Exports. Where a `number` is given, the manifest has that one or is not made.
    pub(super) fn export(&self, export: &Export, to: &Destination, number: Option<u64>) -> Result<ExportedFiles> {
        let _under_way = self.exporting.begin(&to.to_string());
        // What it signs with has signed the checkpoint: they are in force together.
        let (signer, checkpoint) = loop {
            let signer = self.core().signer.clone();
            let checkpoint = self.follow.newest().ok_or_else(|| self.ended())?;
            if checkpoint.verify(signer.vkey()).is_ok() {
                break (signer, checkpoint);
            }
            if self.is_closing() {
                return Err(self.ended());
            }
            std::thread::yield_now();
        };
        let cache = self.tree().view(checkpoint.checkpoint().size()).ok();
        let now = self.options.clock.now();
        let source = Source::new(self.store.as_ref(), &self.indexes, checkpoint, cache, now);
        let goes_on = || !self.is_closing();
        let mut exporter = Exporter::begin(source, export, to, &goes_on)?;
        if let Some(number) = number {
            exporter.expect_number(number);
        }
        // From here on nobody else exports there: no manifest of a former key follows one of the key after it.
        if self.vkey() != *signer.vkey() {
            let rotated = io::Error::new(io::ErrorKind::Interrupted, "the log's key was rotated meanwhile");
            return Err(Error::export("begin", Path::new(&to.to_string()), rotated));
        }
        let mut signers = Signers::new(self);
        let exported = exporter.write(&mut |address, note| signers.open(address, note))?;
        let sign = || crate::note::sign(exporter.manifest_text(), &[signer.signer.as_ref()]).map_err(Cause::Signer);
        let note = call_host("the signer", || Ok(sign()?))?;
        exporter.check(&note, signer.vkey())?;
        self.record_own(own::exported(export, &exported, &to.to_string()))?;
        exporter.publish(&note)
    }
}

/// The exports that are under way: until the log's record of one is durable, nobody else can know of it.
#[derive(Debug, Default)]
pub(super) struct Exporting(Mutex<Vec<String>>);

/// An export is under way, until this is dropped.
pub(super) struct UnderWay<'a> {
    exporting: &'a Exporting,
    to: String,
}

impl Exporting {
    fn begin(&self, to: &str) -> UnderWay<'_> {
        self.names().push(to.to_owned());
        UnderWay {
            exporting: self,
            to: to.to_owned(),
        }
    }

    /// Where those go that are under way now.
    pub(super) fn under_way(&self) -> Vec<String> {
        self.names().clone()
    }

    fn names(&self) -> MutexGuard<'_, Vec<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        let mut names = self.exporting.names();
        if let Some(at) = names.iter().position(|name| *name == self.to) {
            names.swap_remove(at);
        }
    }
}

/// What a log calls a writer that the host gave.
const A_WRITER: &str = "a writer";

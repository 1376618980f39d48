//! Exports of an open log: signed and recorded.

use std::io::Write;
use std::path::Path;

use super::work::{call_host, check_not_at_work};
use super::{AuditLog, own};
use crate::error::{Cause, Result};
use crate::export::{Export, Exported, ExportedFiles, Exporter, Source};

impl AuditLog {
    /// Exports into a folder: a file, and beside it a manifest that the log's key has signed. Both are durable when this
    /// returns. The folder is made where it is not there; its file system must have hard links.
    ///
    /// Names are of the day of the first record and the range, and no file takes the place of another: what was exported
    /// once is [`Cause::AlreadyExported`] the next time, also after a crash. One that a crash interrupted before its
    /// manifest was there is done anew. One export into a folder goes on at a time; those of several logs need several
    /// folders.
    ///
    /// That it was exported is recorded (`audit_log.exported`) before the manifest appears, without waiting: by whom
    /// ([`Query::asked_by`](crate::Query::asked_by)), what, in which format, and how many records.
    ///
    /// # Errors
    ///
    /// [`Cause::InvalidQuery`], which names the parameter; [`Cause::AlreadyExported`]; [`Cause::Export`] where the folder
    /// refuses or another export has it, [`Cause::Signer`] where the signer fails, [`Cause::NoRecord`] where a purge
    /// overtakes the export: then nothing was exported, and the same call can succeed later. Also where the log or a
    /// manifest in the folder cannot be read, and where [`submit`](Self::submit) does not take the record.
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
    pub fn export(&self, export: &Export, folder: impl AsRef<Path>) -> Result<ExportedFiles> {
        let shared = self.shared();
        check_not_at_work(shared, "export")?;
        // What it signs with has signed the checkpoint: they are in force together.
        let (signer, checkpoint) = loop {
            let signer = shared.core().signer.clone();
            let checkpoint = self.checkpoint()?;
            if checkpoint.verify(signer.vkey()).is_ok() {
                break (signer, checkpoint);
            }
            if shared.is_closing() {
                return Err(shared.ended());
            }
            std::thread::yield_now();
        };
        let cache = shared.tree().view(checkpoint.checkpoint().size()).ok();
        let source = Source::new(
            shared.store.as_ref(),
            &shared.indexes,
            checkpoint,
            cache,
            shared.options.clock.now(),
        );
        let mut exporter = Exporter::begin(source, export, folder.as_ref())?;
        let exported = exporter.write()?;
        let sign = || crate::note::sign(exporter.manifest_text(), &[signer.signer.as_ref()]).map_err(Cause::Signer);
        let note = call_host("the signer", || Ok(sign()?))?;
        exporter.check(&note, signer.vkey())?;
        self.submit(own::exported(export.query(), export.format_name(), exported.records))?;
        exporter.publish(&note)
    }

    /// Exports to any writer, without a manifest. It is recorded as [`export`](Self::export) is, once it is written.
    ///
    /// # Errors
    ///
    /// As [`LogReader::export`](crate::LogReader::export), and where [`submit`](Self::submit) does not take the record.
    pub fn export_to(&self, export: &Export, mut to: impl Write) -> Result<Exported> {
        let shared = self.shared();
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
        self.submit(own::exported(export.query(), export.format_name(), exported.records))?;
        Ok(exported)
    }
}

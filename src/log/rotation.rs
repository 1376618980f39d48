//! The rotation of the signing key, by call and by age (FORMAT §6).

use std::path::Path;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use super::opening::{next_key_path, settle_next};
use super::shared::Shared;
use super::{AuditLog, Receipt, own};
use crate::error::{Error, Result};
use crate::note::VerifierKey;
use crate::record::Record;
use crate::sign::{Signer, SigningKey};
use crate::store::{LineEnd, Store};

impl AuditLog {
    /// Puts a new key in force: from the next commit on it alone signs. Keep the old one usable until this has
    /// returned, and publish the new vkey.
    ///
    /// The rotation is a record of its own commit, signed by both keys, so that whoever trusts the old vkey trusts the
    /// new one.
    ///
    /// # Errors
    ///
    /// [`Cause::Configuration`](crate::Cause::Configuration) where the key is of another origin or was in force before;
    /// what [`append`](Self::append) says.
    pub fn rotate_key(&self, new: impl Signer + 'static) -> Result<Receipt> {
        let shared = self.shared();
        let turn = shared.rotation();
        if was_in_force(shared.store.as_ref(), new.vkey())? {
            let problem = format!("{} was in force in this log before", new.vkey());
            return Err(Error::configuration("key", problem));
        }
        let rotated = shared.rotate(Arc::new(new));
        drop(turn);
        rotated
    }

    /// Makes a new key, puts it in force, and then in the place of the old key in the key file, whose content is gone.
    ///
    /// # Errors
    ///
    /// As [`rotate_key`](Self::rotate_key); also where the log has no key file.
    pub fn rotate_key_file(&self) -> Result<VerifierKey> {
        let shared = self.shared();
        let turn = shared.rotation();
        let rotated = shared.rotate_key_file();
        drop(turn);
        rotated
    }
}

impl Shared {
    /// One rotation after the other.
    fn rotation(&self) -> MutexGuard<'_, ()> {
        self.rotation.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn rotate(&self, new: Arc<dyn Signer>) -> Result<Receipt> {
        if *new.vkey().name() != self.origin {
            let problem = format!("the key is of the log {}, not of {}", new.vkey().name(), self.origin);
            return Err(Error::configuration("key", problem));
        }
        let (mut core, mut disk) = self.alone();
        let core = &mut *core;
        if core.signer.vkey() == new.vkey() {
            let problem = format!("{} is in force already", new.vkey());
            return Err(Error::configuration("key", problem));
        }
        let rotated = own::rotated(core.signer.vkey(), new.vkey());
        let receipt = core.record(self, &mut disk, &rotated, Some(new.as_ref()))?;
        *self.vkey.lock().unwrap_or_else(PoisonError::into_inner) = new.vkey().clone();
        core.signer = new;
        Ok(receipt)
    }

    fn rotate_key_file(&self) -> Result<VerifierKey> {
        let no_file = || Error::configuration("key_file", "the log was opened with a signer");
        let path = self.key_file.as_deref().ok_or_else(no_file)?;
        let next = next_key_path(path);
        if self.is_closing() {
            // After a failure, the key in `next` may be in force: the next opening settles it.
            return Err(self.ended());
        }
        self.settle_next(path)?;
        let failed = |error: &dyn std::fmt::Display| Error::configuration("key_file", error.to_string());
        let key = SigningKey::generate(self.origin.clone()).map_err(|error| failed(&error))?;
        let vkey = key.vkey().clone();
        // The new key is safe before it is in force, and has its place after.
        key.create_file(&next).map_err(|error| failed(&error))?;
        if let Err(error) = self.rotate(Arc::new(key)) {
            if self.failure().is_none() {
                let _ = std::fs::remove_file(&next);
            }
            return Err(error);
        }
        self.settle_next(path)?;
        Ok(vkey)
    }

    fn settle_next(&self, path: &Path) -> Result<()> {
        let in_force = self.core().signer.vkey().clone();
        settle_next(path, &in_force)
    }

    /// How long until the key is too old; `None` where keys do not age.
    pub(super) fn rotation_due_in(&self) -> Option<Duration> {
        let (age, path) = (self.options.rotate_key_after?, self.key_file.as_deref()?);
        Some(age.saturating_sub(age_of(path)?).max(ROTATION_LOOK_MIN))
    }

    pub(super) fn rotate_if_due(&self) {
        let turn = self.rotation();
        let due = match (self.options.rotate_key_after, self.key_file.as_deref().and_then(age_of)) {
            (Some(limit), Some(age)) => age >= limit,
            _ => false,
        };
        if due && let Err(error) = self.rotate_key_file() {
            self.numbers.failed(&error);
            self.tell_later(&error);
        }
        drop(turn);
    }
}

fn age_of(path: &Path) -> Option<Duration> {
    // A key from the future is new.
    let modified = std::fs::metadata(path).ok()?.modified().ok()?;
    Some(modified.elapsed().unwrap_or_default())
}

/// Whether the log ever had this key: as that of its first commit, or by a rotation.
fn was_in_force(store: &dyn Store, vkey: &VerifierKey) -> Result<bool> {
    let text = vkey.to_string();
    let names = |line: &[u8]| {
        let record = Record::from_line(line).ok();
        record.is_some_and(|record| {
            let action = record.action();
            matches!(
                action.as_deref(),
                Some("audit_log.created" | "audit_log.signing_key.rotated")
            ) && ["vkey", "old", "new"]
                .iter()
                .any(|key| record.metadata_text(key).as_ref() == Some(&text))
        })
    };
    for kept in store.kept_rotations()? {
        if kept.content.split(|byte| *byte == b'\n').next().is_some_and(names) {
            return Ok(true);
        }
    }
    let own = memchr::memmem::Finder::new(b"{\"event\":{\"action\":\"audit_log.");
    for segment in store.segments()? {
        let mut lines = store.lines(&segment, 0)?;
        while let Some(line) = lines.next_line()? {
            if line.end == LineEnd::Whole && own.find(line.bytes) == Some(0) && names(line.bytes) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// A failed rotation is not tried again at once.
const ROTATION_LOOK_MIN: Duration = Duration::from_secs(1);

//! The rotation of the signing key, by call and by age (FORMAT §6).
//!
//! The next key stands in a file beside the key file, whole and durable, before it is in force, and takes the place of
//! the key file after. No key is ever removed: what a crash leaves is put in its place, or is the next key again.

use std::any::Any;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use super::shared::{Alone, Shared};
use super::work::check_not_at_work;
use super::{AuditLog, Receipt, own};
use crate::error::{Error, Result};
use crate::note::VerifierKey;
use crate::record::Record;
use crate::sign::{KeyFileError, Signer, SigningKey};
use crate::store::{LineEnd, Segment, Store};

/// Who signs.
#[derive(Debug, Clone)]
pub(super) struct LogSigner {
    pub(super) signer: Arc<dyn Signer>,
    /// It is a key in this process, whose signatures need not be verified each time.
    pub(super) is_own: bool,
}

impl LogSigner {
    pub(super) fn new<S: Signer + 'static>(signer: S) -> Self {
        Self {
            is_own: (&signer as &dyn Any).is::<SigningKey>(),
            signer: Arc::new(signer),
        }
    }

    pub(super) fn vkey(&self) -> &VerifierKey {
        self.signer.vkey()
    }
}

impl AuditLog {
    /// Puts a new key in force: from the next commit on it alone signs. Keep the old one usable until this has
    /// returned, and publish the new vkey.
    ///
    /// The rotation is a record of its own commit, signed by both keys, so that whoever trusts the old vkey trusts the
    /// new one. A key file stays as it is: open the log with the new signer from then on. All rotations of the log are
    /// looked through first.
    ///
    /// # Errors
    ///
    /// [`Cause::Configuration`](crate::Cause::Configuration) where the key is of another origin or was in force before;
    /// what [`append`](Self::append) says.
    pub fn rotate_key(&self, new: impl Signer + 'static) -> Result<Receipt> {
        let shared = self.shared();
        check_not_at_work(shared, "rotate_key")?;
        let _turn = shared.rotation();
        let rotated = shared.rotate(LogSigner::new(new))?;
        shared.ages.store(false, Relaxed);
        Ok(rotated)
    }

    /// Makes a new key, puts it in force, and then in the place of the old key in the key file, whose content is gone. A
    /// key that stands ready in the file `KEYFILE.next` is taken instead of a new one.
    ///
    /// # Errors
    ///
    /// As [`rotate_key`](Self::rotate_key); also where the log has no key file.
    pub fn rotate_key_file(&self) -> Result<VerifierKey> {
        let shared = self.shared();
        check_not_at_work(shared, "rotate_key_file")?;
        let _turn = shared.rotation();
        shared.rotate_key_file()
    }
}

impl Shared {
    /// One rotation after the other, and none beside the end of the log.
    pub(super) fn rotation(&self) -> MutexGuard<'_, ()> {
        self.rotation.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn rotate(&self, new: LogSigner) -> Result<Receipt> {
        if *new.vkey().name() != self.origin {
            let problem = format!("the key is of the log {}, not of {}", new.vkey().name(), self.origin);
            return Err(Error::configuration("key", problem));
        }
        if self.is_closing() {
            return Err(self.ended());
        }
        let in_force = self.vkey();
        if in_force == *new.vkey() {
            return Err(Error::configuration("key", format!("{in_force} is in force already")));
        }
        if was_in_force(self.store.as_ref(), new.vkey())? {
            let problem = format!("{} was in force in this log before", new.vkey());
            return Err(Error::configuration("key", problem));
        }
        let rotated = own::rotated(&in_force, new.vkey());
        let mut alone = self.alone()?;
        let Alone { core, disk, .. } = &mut alone;
        let receipt = core.record(self, disk, &rotated, Some(new.signer.as_ref()))?;
        *self.vkey.lock().unwrap_or_else(PoisonError::into_inner) = new.vkey().clone();
        core.set_signer(new);
        Ok(receipt)
    }

    fn rotate_key_file(&self) -> Result<VerifierKey> {
        let no_file = || Error::configuration("key_file", "the log was opened with a signer");
        let path = self.key_file.as_deref().ok_or_else(no_file)?;
        if self.is_closing() {
            // After a failure, the next key may be in force: the next opening puts it in its place.
            return Err(self.ended());
        }
        let next = next_key_path(path);
        let failed = |error: KeyFileError| Error::configuration("key_file", error.to_string());
        let key = match read_next_key(path)? {
            Some(ready) if *ready.vkey() == self.vkey() => {
                replace_key(&next, path)?;
                None
            }
            Some(ready) => Some(ready),
            None => {
                if next.try_exists().unwrap_or(true) {
                    replace_key(&next, &with_suffix(&next, ".broken"))?;
                }
                None
            }
        };
        let key = match key {
            Some(ready) => ready,
            None => {
                let key = SigningKey::generate(self.origin.clone())
                    .map_err(|error| Error::configuration("key_file", error.to_string()))?;
                key.create_file(&next).map_err(failed)?;
                key
            }
        };
        let vkey = key.vkey().clone();
        self.rotate(LogSigner::new(key))?;
        replace_key(&next, path)?;
        Ok(vkey)
    }

    /// How long until it is to be seen whether the key is too old; `None` where keys do not age.
    pub(super) fn rotation_due_in(&self) -> Option<Duration> {
        let (limit, path) = (self.options.rotate_key_after?, self.key_file.as_deref()?);
        if !self.ages.load(Relaxed) {
            return None;
        }
        let left = age_of(path).map(|age| limit.saturating_sub(age));
        Some(left.unwrap_or(ROTATION_LOOK).clamp(ROTATION_LOOK_MIN, ROTATION_LOOK))
    }

    /// Rotates the key if it is too old, and says how long it is to be left alone: a rotation that failed is not tried
    /// again at once.
    pub(super) fn rotate_if_due(&self) -> Option<Duration> {
        let _turn = self.rotation();
        let due = match (self.options.rotate_key_after, self.key_file.as_deref().and_then(age_of)) {
            (Some(limit), Some(age)) => age >= limit,
            _ => false,
        };
        if due
            && !self.is_closing()
            && let Err(error) = self.rotate_key_file()
        {
            self.numbers.failed(&error);
            self.tell_later(&error);
            return Some(ROTATION_LOOK);
        }
        self.rotation_due_in()
    }
}

/// The path of the key that a rotation is about to put in the place of the key file.
fn next_key_path(key_file: &Path) -> PathBuf {
    with_suffix(key_file, ".next")
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(suffix);
    path.with_file_name(name)
}

/// The next key, if there is a whole one. One that is not whole never was in force: it is durable before its rotation.
/// One that cannot be read may be.
pub(super) fn read_next_key(key_file: &Path) -> Result<Option<SigningKey>> {
    match SigningKey::read_file(next_key_path(key_file)) {
        Ok(key) => Ok(Some(key)),
        Err(KeyFileError::Content { .. }) => Ok(None),
        Err(KeyFileError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::configuration("key_file", error.to_string())),
    }
}

/// Ends a rotation of the key file that a crash interrupted: the next key takes the place of the last one if it is in
/// force. Else it is left where it is.
pub(super) fn settle_next(key_file: &Path, in_force: &VerifierKey) -> Result<()> {
    match read_next_key(key_file)? {
        Some(key) if key.vkey() == in_force => replace_key(&next_key_path(key_file), key_file),
        _ => Ok(()),
    }
}

/// Renames a key file, durably.
fn replace_key(from: &Path, to: &Path) -> Result<()> {
    std::fs::rename(from, to).map_err(|error| Error::io("rename", from, error))?;
    let folder = to.parent().filter(|folder| *folder != Path::new(""));
    let folder = folder.unwrap_or(Path::new("."));
    let sync = || std::fs::File::open(folder)?.sync_all();
    sync().map_err(|error| Error::io("sync", folder, error))
}

fn age_of(path: &Path) -> Option<Duration> {
    // A key from the future is new.
    let modified = std::fs::metadata(path).ok()?.modified().ok()?;
    Some(modified.elapsed().unwrap_or_default())
}

/// Whether the log ever had this key: as that of its first commit, or by a rotation.
fn was_in_force(store: &dyn Store, vkey: &VerifierKey) -> Result<bool> {
    let text = vkey.to_string();
    for segment in store.segments()? {
        let found = match names_key(store, &segment, &text) {
            // It was purged meanwhile: its rotations are kept.
            Err(error) if error.is_gone() => false,
            found => found?,
        };
        if found {
            return Ok(true);
        }
    }
    let kept = store.kept_rotations()?;
    Ok(kept
        .iter()
        .filter_map(|kept| kept.content.split(|byte| *byte == b'\n').next())
        .any(|line| is_about_key(line, &text)))
}

/// Whether a record of a segment puts this key in force, or ends that.
fn names_key(store: &dyn Store, segment: &Segment, vkey: &str) -> Result<bool> {
    let mut lines = store.lines(segment, 0)?;
    while let Some(line) = lines.next_line()? {
        if line.end == LineEnd::Whole && line.bytes.starts_with(OWN_RECORD) && is_about_key(line.bytes, vkey) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn is_about_key(line: &[u8], vkey: &str) -> bool {
    let Ok(record) = Record::from_line(line) else {
        return false;
    };
    let names: &[&str] = match record.action().as_deref() {
        Some("audit_log.created") => &["vkey"],
        Some("audit_log.signing_key.rotated") => &["old", "new"],
        _ => return false,
    };
    names
        .iter()
        .any(|name| record.metadata_text(name).as_deref() == Some(vkey))
}

/// How the line of a record of the log itself begins.
const OWN_RECORD: &[u8] = b"{\"event\":{\"action\":\"audit_log.";

/// Now and then the key file is looked at, so that one that could not be read, or a clock that jumped, is no matter.
const ROTATION_LOOK: Duration = Duration::from_secs(60);

const ROTATION_LOOK_MIN: Duration = Duration::from_secs(1);

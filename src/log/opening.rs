//! Opening a log for writing: the key, the second place, the store, and what the log says first.
//!
//! The order of steps is the safety argument. A key is made only for a log that is not there. The store recovers, and
//! changes nothing if it cannot explain what it finds, or if that does not contain the tree that the second place holds.
//! Only then the first commit is signed: so the key never signs two histories.

use std::cell::Cell;
use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, RwLock};
use std::time::{Duration, Instant};

use super::assistant::Assistant;
use super::builder::{Builder, Key, PlaceOption};
use super::caches::Caches;
use super::chain::{Chain, Records};
use super::committer::{Core, Disk};
use super::entropy::Entropy;
use super::exporting::Exporting;
use super::follow::Follow;
use super::numbers::Numbers;
use super::pages::Pages;
use super::place::{Kept, Place};
use super::queue::Queue;
use super::recent::RecentFile;
use super::rotation::{LogSigner, read_next_key, settle_next};
use super::schedule::{self, Schedule};
use super::shared::Shared;
use super::{AuditLog, own};
use crate::error::{Cause, Error, Result};
use crate::note::{Origin, VerifierKey};
use crate::query::Indexes;
use crate::reader::{Leaf, contains, walk_near};
use crate::retention::Sights;
use crate::sign::{KeyFileError, Signer, SigningKey};
use crate::sink::{self, Feeds};
use crate::store::{Head, Moved, Opened, Opening, Store};

pub(super) fn open(builder: Builder, store: Arc<dyn Store>) -> Result<AuditLog> {
    let origin = Origin::new(&builder.origin).map_err(|error| Error::configuration("origin", error.to_string()))?;
    check_retention(&builder)?;
    schedule::check(&builder.options.exports)?;
    sink::check(&builder.options.feeds())?;
    let (place, key_file) = place(&builder, &origin)?;
    let (signer, opened, missing) = open_store(&builder, &origin, place.as_ref(), store.as_ref())?;
    // From here on nobody else writes the log, its key file and its second place.
    if let Some(path) = &key_file {
        settle_next(path, signer.vkey())?;
    }
    let Opened {
        writer,
        eraser,
        head,
        moved,
    } = opened;
    let Caches { tree, recent, saved } = Caches::open(store.as_ref(), head.as_ref());
    let recent_file = store.folder().and_then(|folder| RecentFile::open(&folder, saved).ok());
    let entropy = Entropy::new();
    let chain = Chain::new(
        origin.clone(),
        Arc::clone(&builder.options.clock),
        entropy,
        head.as_ref(),
        recent,
    );
    let size = chain.size();
    let vkey = signer.vkey().clone();
    let core = Core {
        chain,
        signer: LogSigner {
            signer,
            is_own: match &builder.key {
                Some(Key::Signer(signer)) => signer.is_own,
                _ => true,
            },
        },
        is_signer_checked: false,
        recent_file,
        prepared: None,
    };
    let assistant = Arc::new(Assistant::default());
    let queue = Queue::new(builder.options.queue_bytes, Arc::clone(&assistant));
    let redaction = builder.options.redaction.clone();
    let schedule = Schedule::new(&builder.options.exports, store.folder().as_deref());
    let shared = Shared {
        origin,
        store,
        queue,
        assistant,
        core: Mutex::new(core),
        disk: Mutex::new(Disk { writer: Some(writer) }),
        tree,
        indexes: Arc::new(Indexes::of_writer()),
        eraser: Mutex::new(Some(eraser)),
        in_force: Mutex::default(),
        numbers: Numbers::new(size),
        follow: Follow::default(),
        vkey: Mutex::new(vkey),
        failure: Mutex::default(),
        untold: Mutex::default(),
        close_by: Mutex::default(),
        closing: Condvar::new(),
        rotation: Mutex::default(),
        retaining: Mutex::default(),
        sights: Sights::default(),
        answering: RwLock::default(),
        ages: true.into(),
        is_resumed: false.into(),
        is_all_carried_out: false.into(),
        schedule,
        feeds: Feeds::default(),
        exporting: Exporting::default(),
        place,
        key_file,
        redaction,
        entropy,
        pages: Pages::new(entropy)?,
        options: builder.options,
    };
    say_first(&shared, head.as_ref(), &moved, missing.as_deref())?;
    AuditLog::start(shared, size)
}

pub(super) fn checkpoint_path(builder: &Builder) -> Result<Option<PathBuf>> {
    let origin = Origin::new(&builder.origin).map_err(|error| Error::configuration("origin", error.to_string()))?;
    Ok(place(builder, &origin)?.0.map(|place| place.path().to_owned()))
}

fn check_retention(builder: &Builder) -> Result<()> {
    match &builder.options.retention {
        Some((_, every)) if every.is_zero() => Err(Error::configuration("retention", "its interval is 0")),
        Some((retention, _)) => retention.check_option(),
        None => Ok(()),
    }
}

/// The second place, and the key file if there is one.
fn place(builder: &Builder, origin: &Origin) -> Result<(Option<Place>, Option<PathBuf>)> {
    let key_file = match &builder.key {
        Some(Key::File(path)) => Some(path.clone()),
        Some(Key::Signer(_)) => None,
        None => return Err(Error::configuration("key", "a log needs a key_file or a signer")),
    };
    if builder.options.rotate_key_after.is_some() && key_file.is_none() {
        return Err(Error::configuration(
            "rotate_key_after",
            "only the key of a key_file is rotated by age",
        ));
    }
    let place = match (&builder.place, &key_file) {
        (PlaceOption::File(path), _) => Some(Place::at(path.clone())),
        (PlaceOption::None, _) => None,
        (PlaceOption::BesideKey, Some(key_file)) => Some(Place::beside(key_file, origin)),
        (PlaceOption::BesideKey, None) => {
            let problem = "with a signer, say checkpoint_file(path) or without_checkpoint_file()";
            return Err(Error::configuration("checkpoint_file", problem));
        }
    };
    Ok((place, key_file))
}

/// Opens the store under the key that is in force once the lock is held: until then, another writer may change it. Gives
/// why there was no checkpoint in the second place, where the operator accepts that.
fn open_store(
    builder: &Builder,
    origin: &Origin,
    place: Option<&Place>,
    store: &dyn Store,
) -> Result<(Arc<dyn Signer>, Opened, Option<String>)> {
    let (began, limit) = (Instant::now(), builder.options.lock_wait);
    let mut wait = limit;
    let mut tried: Vec<VerifierKey> = Vec::new();
    let mut refused = None;
    loop {
        let mut untried = signers(builder, origin, place, store)?;
        untried.retain(|signer| !tried.contains(signer.vkey()));
        if untried.is_empty() {
            return Err(refused.unwrap_or_else(|| Cause::Closed.into()));
        }
        for signer in untried {
            tried.push(signer.vkey().clone());
            match open_with(builder, signer.as_ref(), origin, wait, place, store) {
                Ok((opened, missing)) => return Ok((signer, opened, missing)),
                Err(error) if matches!(error.cause(), Cause::Configuration { option: "key", .. }) => {
                    refused = Some(error);
                    wait = limit.saturating_sub(began.elapsed());
                }
                Err(error) => return Err(error),
            }
        }
    }
}

fn open_with(
    builder: &Builder,
    signer: &dyn Signer,
    origin: &Origin,
    wait: Duration,
    place: Option<&Place>,
    store: &dyn Store,
) -> Result<(Opened, Option<String>)> {
    if signer.vkey().name() != origin {
        let problem = format!("the key is of the log {}, not of {origin}", signer.vkey().name());
        return Err(Error::configuration("key", problem));
    }
    let missing = Cell::new(None);
    let accept = |head: Option<&Head>| {
        head.map_or(Ok(()), |head| head.check_in_force(signer.vkey()))?;
        if let Some(place) = place {
            missing.set(check_place(builder, place, store, head)?);
        }
        Ok(())
    };
    let opening = Opening {
        origin,
        vkey: signer.vkey(),
        wait,
        accept: &accept,
    };
    let opened = store.open(&opening)?;
    Ok((opened, missing.take()))
}

/// The keys that may be in force, the likelier one first. Nothing is changed but for a new log, whose key is made.
fn signers(
    builder: &Builder,
    origin: &Origin,
    place: Option<&Place>,
    store: &dyn Store,
) -> Result<Vec<Arc<dyn Signer>>> {
    let kept = place.map(Place::read);
    let is_empty = store.segments()?.is_empty();
    if let (Some(place), Some(Kept::Checkpoint(kept)), true) = (place, &kept, is_empty) {
        let size = kept.checkpoint().size();
        return Err(rolled_back(place, size, "the log is missing or empty"));
    }
    let path = match &builder.key {
        Some(Key::Signer(signer)) => return Ok(vec![Arc::clone(&signer.signer)]),
        Some(Key::File(path)) => path,
        None => return Err(Error::configuration("key", "a log needs a key_file or a signer")),
    };
    let failed = |error: &dyn std::fmt::Display| Error::configuration("key_file", error.to_string());
    let is_new = is_empty && !matches!(kept, Some(Kept::Unreadable(_)));
    let found = look_for(path)?;
    if found.is_none() && !is_new {
        if let (Some(place), Some(Kept::Unreadable(problem))) = (place, kept) {
            missing(builder, place, problem)?;
        }
        let problem = format!("{}: no such file, and the log is there already", path.display());
        return Err(failed(&problem));
    }
    // A crash can leave an empty file, and another process may begin the same log in this moment.
    let is_empty_file = found.as_ref().is_some_and(|file| file.is_file() && file.len() == 0);
    if is_new && (found.is_none() || is_empty_file) {
        let key = SigningKey::generate(origin.clone()).map_err(|error| failed(&error))?;
        let made = match is_empty_file {
            true => key.fill_file(path),
            false => key.create_file(path),
        };
        match made {
            Ok(()) | Err(KeyFileError::Exists { .. }) => {}
            Err(error) => return Err(failed(&error)),
        }
    }
    let key = read_key(path, is_new).map_err(|error| failed(&error))?;
    if let Some(successor) = read_next_key(path)?
        && let Some(newest) = store.newest_checkpoint()?
        && newest.verify(successor.vkey()).is_ok()
    {
        // By what it looks like: a rotation that a crash tore leaves the other one in force.
        return Ok(vec![Arc::new(successor), Arc::new(key)]);
    }
    Ok(vec![Arc::new(key)])
}

/// Reads the key file. Beside a new log, another process may be about to write it.
fn read_key(path: &Path, is_new: bool) -> Result<SigningKey, KeyFileError> {
    let began = Instant::now();
    loop {
        match SigningKey::read_file(path) {
            Err(KeyFileError::Content { .. }) if is_new && began.elapsed() < KEY_FILE_WAIT => {
                std::thread::sleep(KEY_FILE_WAIT / 50);
            }
            result => return result,
        }
    }
}

fn look_for(path: &Path) -> Result<Option<Metadata>> {
    match std::fs::metadata(path) {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io("look for", path, error)),
    }
}

/// Checks that the checkpoint in the second place is of a log that `head` may continue, by its size. Gives why there is
/// none, where the operator accepts that.
fn check_kept(
    builder: &Builder,
    place: &Place,
    kept: &Kept,
    store: &dyn Store,
    head: Option<&Head>,
) -> Result<Option<String>> {
    let trusted = match (kept, head) {
        (Kept::Checkpoint(kept), _) => kept.checkpoint(),
        // Something was there, also if the log is gone.
        (Kept::Unreadable(problem), _) => return missing(builder, place, problem.clone()),
        (Kept::Missing, None) => return Ok(None),
        (Kept::Missing, Some(head)) => {
            let problem = "no such file".to_owned();
            return match was_never_opened(store, head) {
                true => Ok(Some(problem)),
                false => missing(builder, place, problem),
            };
        }
    };
    let Some(newest) = head.map(|head| head.checkpoint.checkpoint()) else {
        return Err(rolled_back(place, trusted.size(), "the log is missing or empty"));
    };
    if trusted.origin() != newest.origin() {
        let problem = format!(
            "{}: a checkpoint of the log {}",
            place.path().display(),
            trusted.origin()
        );
        return Err(Error::configuration("checkpoint_file", problem));
    }
    if trusted.size() > newest.size() {
        let problem = format!("the log has {} records", newest.size());
        return Err(rolled_back(place, trusted.size(), problem));
    }
    Ok(None)
}

/// Whether the log holds nothing but what openings said first: a crash came between the first commit and the second
/// place, and nothing was ever acknowledged. It is gone on with, as a log without records is begun anew.
fn was_never_opened(store: &dyn Store, head: &Head) -> bool {
    let size = head.tree.size();
    let mut others = 0;
    let mut count = |leaf: Leaf<'_>| others += u64::from(!leaf.record().is_some_and(own::is_first));
    // Where a record is purged or cannot be read, there was more.
    size <= FIRST_RECORDS_MAX && walk_near(store, 0, size, &mut count).is_ok() && others == 0
}

/// Compares the log with the checkpoint in the second place. Gives why there was none, where the operator accepts that.
fn check_place(builder: &Builder, place: &Place, store: &dyn Store, head: Option<&Head>) -> Result<Option<String>> {
    let kept = place.read();
    let missing = check_kept(builder, place, &kept, store, head)?;
    if let (Kept::Checkpoint(kept), Some(head)) = (&kept, head) {
        let (trusted, newest) = (kept.checkpoint(), head.checkpoint.checkpoint());
        let (old, new) = ((trusted.size(), trusted.root()), (newest.size(), newest.root()));
        if old != new && !contains(store, old, new)? {
            return Err(rolled_back(place, trusted.size(), "the log does not contain its tree"));
        }
    }
    Ok(missing)
}

fn rolled_back(place: &Place, trusted: u64, problem: impl Into<String>) -> Error {
    Cause::RolledBack {
        place: place.path().to_owned(),
        trusted,
        problem: problem.into(),
    }
    .into()
}

fn missing(builder: &Builder, place: &Place, problem: String) -> Result<Option<String>> {
    if builder.options.accept_missing_checkpoint {
        return Ok(Some(problem));
    }
    Err(Cause::CheckpointMissing {
        place: place.path().to_owned(),
        problem,
    }
    .into())
}

/// The first commit: that the log was created, or what the opening found; and that it was started.
fn say_first(shared: &Shared, head: Option<&Head>, moved: &[Moved], missing: Option<&str>) -> Result<()> {
    let (mut core, mut disk) = (shared.core(), shared.disk());
    let (core, disk) = (&mut *core, &mut *disk);
    let mut records = Records::default();
    core.chain.begin(&mut records)?;
    if head.is_none() {
        let previous = shared.options.previous.as_ref().map(|previous| previous.as_str());
        let created = own::created(&shared.origin, core.signer.vkey(), previous);
        core.chain.push_own(&mut records, &created)?;
    }
    let last = head.and_then(|head| crate::record::Record::from_line(&head.last_line).ok());
    let stopped = last.and_then(|last| last.action()).as_deref() == Some("audit_log.stopped");
    let was_interrupted = head.is_some() && !stopped;
    if moved.is_empty() && (was_interrupted || missing.is_some()) {
        core.chain.push_own(&mut records, &own::recovered(None, missing))?;
    }
    for moved in moved {
        core.chain
            .push_own(&mut records, &own::recovered(Some(moved), missing))?;
    }
    core.chain
        .push_own(&mut records, &own::started(shared.options.source.as_deref()))?;
    core.write_own(shared, disk, &mut records, None)?;
    if !moved.is_empty()
        && let Some(writer) = &mut disk.writer
    {
        writer.moved_is_announced()?;
    }
    shared.write_place()
}

/// More records than openings say that do not come to their end.
const FIRST_RECORDS_MAX: u64 = 1_000;

/// How long another process may take to write the key of a new log.
const KEY_FILE_WAIT: Duration = Duration::from_secs(1);

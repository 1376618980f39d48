//! Reading a log, in any process and beside a writer, without a lock.

mod paths;
pub(crate) mod tree;
mod walk;

use std::fmt;
use std::io::Write;
use std::ops::{Bound, RangeBounds};
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use crate::checkpoint::SignedCheckpoint;
use crate::error::{Cause, Error, Result};
use crate::export::{Destination, Export, Exported, Source};
use crate::follow::Follower;
use crate::hash::Hash;
use crate::merkle::{self, HashReader, ProofError};
use crate::proof::Proof;
use crate::publish::{self, Published};
use crate::query::{self, CountBy, Counts, Found, Indexes, Page, Query};
use crate::record::{Line, Record};
use crate::retention::{Hold, InForce, Retention, RetentionReport, Sights, Survey};
use crate::store::{LineEnd, Lines, Segment, Store};
use paths::no_such_tree;
pub(crate) use paths::{consistency, paths, ready_cache};
use tree::TreeCache;
pub(crate) use walk::{Leaf, find_records, first, push, tree_at_first, tree_before, walk_near, walk_ranges};

/// Reads a log: records, the newest checkpoint, proofs. It verifies nothing: a `Verifier` does.
///
/// Reading takes no lock. It ends at the newest checkpoint, which is synced before it is handed on: what a reader has
/// seen, a crash does not take back.
///
/// ```no_run
/// use indelible::{FileStore, LogReader};
///
/// let reader = LogReader::new(FileStore::new("audit"));
/// for record in reader.records(100..)? {
///     println!("{}", record?.merged_json().unwrap_or_default());
/// }
/// # Ok::<(), indelible::Error>(())
/// ```
#[derive(Clone)]
pub struct LogReader {
    store: Arc<dyn Store>,
    indexes: Arc<Indexes>,
}

impl LogReader {
    /// A reader of the log in `store`.
    pub fn new(store: impl Store) -> Self {
        Self::of(Arc::new(store), Arc::default())
    }

    pub(crate) fn of(store: Arc<dyn Store>, indexes: Arc<Indexes>) -> Self {
        Self { store, indexes }
    }

    /// The newest checkpoint; `None` for a log without records.
    ///
    /// # Errors
    ///
    /// Where the log cannot be read.
    pub fn checkpoint(&self) -> Result<Option<SignedCheckpoint>> {
        self.store.newest_checkpoint()
    }

    /// The first record that is not purged; `None` for a log without records.
    ///
    /// # Errors
    ///
    /// Where the log cannot be read.
    pub fn first(&self) -> Result<Option<u64>> {
        Ok(self.store.segments()?.first().map(|segment| segment.first))
    }

    /// One record, as it stands: erased content is gone.
    ///
    /// # Errors
    ///
    /// [`Cause::NoRecord`] where it is purged or not recorded yet.
    pub fn record(&self, seq: u64) -> Result<Record> {
        let size = self
            .checkpoint()?
            .map_or(0, |checkpoint| checkpoint.checkpoint().size());
        record_at(self.store.as_ref(), seq, size)
    }

    /// The records in a range of `seq`, in order. A range that begins before the first record that is not purged begins
    /// there.
    ///
    /// # Errors
    ///
    /// Where the log cannot be read.
    pub fn records(&self, range: impl RangeBounds<u64>) -> Result<Records<'_>> {
        let size = self
            .checkpoint()?
            .map_or(0, |checkpoint| checkpoint.checkpoint().size());
        let from = match range.start_bound() {
            Bound::Included(from) => *from,
            Bound::Excluded(from) => from.saturating_add(1),
            Bound::Unbounded => 0,
        };
        let to = match range.end_bound() {
            Bound::Included(to) => to.saturating_add(1),
            Bound::Excluded(to) => *to,
            Bound::Unbounded => size,
        };
        Ok(Records {
            store: self.store.as_ref(),
            next: from,
            to: to.min(size),
            current: None,
        })
    }

    /// Answers a query, a page at a time. Nothing of it is recorded: an open log's
    /// [`query`](crate::AuditLog::query) is.
    ///
    /// # Errors
    ///
    /// [`Cause::InvalidQuery`], which names the parameter, and where the log cannot be read.
    ///
    /// ```no_run
    /// use indelible::{FileStore, LogReader, Query};
    ///
    /// let reader = LogReader::new(FileStore::new("audit"));
    /// let mut query = Query::new().action("auth.login.failed").limit(1000);
    /// loop {
    ///     let page = reader.query(&query)?;
    ///     for found in &page.found {
    ///         println!("{}", found.to_json().unwrap_or_default());
    ///     }
    ///     let Some(next) = page.next else { break };
    ///     query = query.after(next);
    /// }
    /// # Ok::<(), indelible::Error>(())
    /// ```
    pub fn query(&self, query: &Query) -> Result<Page> {
        let checkpoint = self.checkpoint()?;
        let size = checkpoint
            .as_ref()
            .map_or(0, |checkpoint| checkpoint.checkpoint().size());
        let mut page = query::answer(self.store.as_ref(), &self.indexes, query, size, SystemTime::now())?;
        if let (true, Some(checkpoint)) = (query.with_proofs, &checkpoint) {
            let cache = || TreeCache::open_read(&self.store.folder()?, size).ok();
            prove_found(self.store.as_ref(), &mut page.found, checkpoint, cache)?;
        }
        Ok(page)
    }

    /// Counts what a query finds: by a field, by time, by both, or all together. Nothing of it is recorded: an open log's
    /// [`count`](crate::AuditLog::count) is.
    ///
    /// # Errors
    ///
    /// [`Cause::InvalidQuery`], which names the parameter, and where the log cannot be read.
    ///
    /// ```no_run
    /// use indelible::query::{CountBy, Field};
    /// use indelible::{FileStore, LogReader, Query};
    ///
    /// let reader = LogReader::new(FileStore::new("audit"));
    /// for group in reader.count(&Query::new(), &CountBy::new().field(Field::EventType))?.groups {
    ///     println!("{:8} {}", group.records, group.value.unwrap_or_default());
    /// }
    /// # Ok::<(), indelible::Error>(())
    /// ```
    pub fn count(&self, query: &Query, by: &CountBy) -> Result<Counts> {
        let checkpoint = self.checkpoint()?;
        let size = checkpoint.map_or(0, |checkpoint| checkpoint.checkpoint().size());
        query::count(self.store.as_ref(), &self.indexes, query, by, size, SystemTime::now())
    }

    /// Follows the log live, from the query's `seq_from` on, or from now on where it has none, while another process
    /// writes it. With the feature `watch`, Linux tells of what is new; else the log is looked at twenty times a second.
    /// Nothing of it is recorded.
    ///
    /// # Errors
    ///
    /// As [`count`](Self::count).
    ///
    /// ```no_run
    /// use indelible::follow::Followed;
    /// use indelible::{FileStore, LogReader, Query};
    ///
    /// let reader = LogReader::new(FileStore::new("audit"));
    /// for next in reader.follow(&Query::new().action("auth.*"))? {
    ///     match next? {
    ///         Followed::Record(found) => println!("{}", found.to_json().unwrap_or_default()),
    ///         gone => eprintln!("{gone:?}"),
    ///     }
    /// }
    /// # Ok::<(), indelible::Error>(())
    /// ```
    pub fn follow(&self, query: &Query) -> Result<Follower> {
        Follower::of_reader(self.clone(), query)
    }

    pub(crate) fn store(&self) -> &dyn Store {
        self.store.as_ref()
    }

    pub(crate) fn indexes(&self) -> &Indexes {
        &self.indexes
    }

    /// Writes an export to any writer, in constant memory, and says what is in it. Nothing of it is recorded, and nothing
    /// is signed: an open log's [`export`](crate::AuditLog::export) is.
    ///
    /// # Errors
    ///
    /// [`Cause::InvalidQuery`], which names the parameter; [`Cause::Export`] where the writer fails;
    /// [`Cause::NoRecord`] where the log is empty, or a purge overtakes the export; where the log cannot be read.
    ///
    /// ```no_run
    /// use indelible::{Export, FileStore, LogReader, Query};
    ///
    /// let reader = LogReader::new(FileStore::new("audit"));
    /// let exported = reader.export(&Export::new(Query::new().seq_to(1000)), std::io::stdout().lock())?;
    /// eprintln!("{} records", exported.records);
    /// # Ok::<(), indelible::Error>(())
    /// ```
    pub fn export(&self, export: &Export, mut to: impl Write) -> Result<Exported> {
        let checkpoint = self.checkpoint()?.ok_or_else(|| no_record(0, "the log is empty"))?;
        let size = checkpoint.checkpoint().size();
        let cache = self.store.folder();
        let cache = cache.and_then(|folder| TreeCache::open_read(&folder, size).ok());
        let mut source = Source::new(self.store.as_ref(), &self.indexes, checkpoint, cache, SystemTime::now());
        source.write(export, &mut to, Path::new("the writer"))
    }

    /// The legal holds in force, in the order in which they were placed. The log is gone over for them.
    ///
    /// # Errors
    ///
    /// Where the log cannot be read.
    pub fn holds(&self) -> Result<Vec<Hold>> {
        let size = self
            .checkpoint()?
            .map_or(0, |checkpoint| checkpoint.checkpoint().size());
        Ok(in_force(self.store.as_ref(), size)?.holds().cloned().collect())
    }

    /// What [`AuditLog::apply_retention`](crate::AuditLog::apply_retention) would do at a time, as far as the log tells:
    /// what its sinks and exports still need is not known here. Nothing is changed.
    ///
    /// # Errors
    ///
    /// [`Cause::Configuration`] for a retention that is none, and where the log cannot be read.
    pub fn plan_retention(&self, retention: &Retention, now: SystemTime) -> Result<RetentionReport> {
        retention.check_option()?;
        let size = self
            .checkpoint()?
            .map_or(0, |checkpoint| checkpoint.checkpoint().size());
        let (in_force, sights) = (in_force(self.store.as_ref(), size)?, Sights::default());
        let log = (self.store.as_ref(), size);
        Survey::new(log, retention, &in_force, &sights, now.into(), u64::MAX).plan()
    }

    /// Publishes the log into a folder or a bucket as C2SP tlog-tiles, up to its newest checkpoint: see
    /// [`publish`](crate::publish). This blocks.
    ///
    /// # Errors
    ///
    /// [`Cause::Export`] where the destination refuses or is being published into; [`Cause::Configuration`] where the log does
    /// not continue what is published there; [`Cause::Damaged`] where a file that never changes has other content, or
    /// the log's hashes do not lead to its checkpoint; [`Cause::NoRecord`] where the log is empty, or a purge overtakes
    /// it. The published checkpoint is the one before then.
    ///
    /// ```no_run
    /// use indelible::{FileStore, LogReader, export::Destination};
    ///
    /// let to: Destination = "/srv/www/audit".parse()?;
    /// let published = LogReader::new(FileStore::new("audit")).publish(to)?;
    /// println!("{} records", published.checkpoint.checkpoint().size());
    /// # Ok::<(), indelible::Error>(())
    /// ```
    pub fn publish(&self, to: impl Into<Destination>) -> Result<Published> {
        let checkpoint = self.checkpoint()?.ok_or_else(|| no_record(0, "the log is empty"))?;
        let cache = self.store.folder();
        let cache = cache.and_then(|folder| TreeCache::open_read(&folder, checkpoint.checkpoint().size()).ok());
        publish::publish(self.store.as_ref(), cache, checkpoint, (&to.into(), &|| true))
    }

    /// A proof that one record is in the log: with the record and the vkey it verifies with nothing else (C2SP
    /// tlog-proof, FORMAT §10).
    ///
    /// # Errors
    ///
    /// [`Cause::NoRecord`] where the record is purged or not recorded yet, [`Cause::Damaged`] where the log's hashes do
    /// not lead to its checkpoint.
    pub fn prove(&self, seq: u64) -> Result<Proof> {
        let checkpoint = self.checkpoint()?.ok_or_else(|| no_record(seq, "the log is empty"))?;
        let cache = match self.store.folder() {
            Some(folder) => TreeCache::open_read(&folder, checkpoint.checkpoint().size()).ok(),
            None => None,
        };
        prove(self.store.as_ref(), seq, checkpoint, cache)
    }
}

impl fmt::Debug for LogReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogReader").field("store", &self.store).finish()
    }
}

/// Records in order; made by [`LogReader::records`].
pub struct Records<'a> {
    store: &'a dyn Store,
    next: u64,
    to: u64,
    current: Option<(Segment, Box<dyn Lines + 'a>)>,
}

impl fmt::Debug for Records<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Records")
            .field("next", &self.next)
            .field("to", &self.to)
            .finish_non_exhaustive()
    }
}

impl Records<'_> {
    /// Opens the segment that holds the next record; `false` where there is none.
    fn open(&mut self) -> Result<bool> {
        self.current = lines_near(self.store, |first| {
            self.next = self.next.max(first);
            self.next
        })?;
        Ok(self.current.is_some())
    }

    fn read(&mut self) -> Result<Option<Record>> {
        let mut opened = false;
        while self.next < self.to {
            let Some((segment, lines)) = &mut self.current else {
                // A segment that is opened for a record and does not have it is not opened again.
                if std::mem::replace(&mut opened, true) || !self.open()? {
                    let problem = format!("the log ends before it, though its checkpoint says {}", self.to);
                    return Err(Cause::NoRecord {
                        seq: self.next,
                        problem,
                    }
                    .into());
                }
                continue;
            };
            let raw = match lines.next_line()? {
                Some(raw) if raw.end == LineEnd::Whole => raw,
                _ => {
                    self.current = None;
                    continue;
                }
            };
            let damaged = |problem: String| Error::damaged(&segment.name, None, problem);
            let line = Line::parse(raw.bytes).map_err(|error| damaged(format!("near seq {}: {error}", self.next)))?;
            match line.seq() {
                Some(seq) if seq == self.next => {
                    let record = Record::from_line_parts(line).map_err(damaged)?;
                    self.next += 1;
                    return Ok(Some(record));
                }
                Some(seq) if seq > self.next => return Err(damaged(format!("seq {seq} where {} is due", self.next))),
                _ => {}
            }
        }
        Ok(None)
    }
}

impl Iterator for Records<'_> {
    type Item = Result<Record>;

    fn next(&mut self) -> Option<Result<Record>> {
        let record = self.read().transpose();
        if matches!(record, Some(Err(_))) {
            self.to = self.next;
        }
        record
    }
}

/// The segment of a record and its lines from there on; `None` where it is purged. `wanted` gets the first record that
/// is not purged, and says which one is looked for.
///
/// A segment that is gone when it is opened was purged since it was listed: they are listed again once (FORMAT §5).
fn lines_near(store: &dyn Store, mut wanted: impl FnMut(u64) -> u64) -> Result<Option<(Segment, Box<dyn Lines + '_>)>> {
    let mut find = || -> Result<Option<(Segment, u64)>> {
        let segments = store.segments()?;
        let Some(seq) = segments.first().map(|first| wanted(first.first)) else {
            return Ok(None);
        };
        let segment = segments.into_iter().rev().find(|segment| segment.first <= seq);
        Ok(segment.map(|segment| (segment, seq)))
    };
    let Some((segment, seq)) = find()? else { return Ok(None) };
    let error = match store.lines(&segment, seq) {
        Ok(lines) => return Ok(Some((segment, lines))),
        Err(error) => error,
    };
    match find()? {
        Some((again, _)) if again == segment => Err(error),
        Some((again, seq)) => {
            let lines = store.lines(&again, seq)?;
            Ok(Some((again, lines)))
        }
        None => Ok(None),
    }
}

/// What the first `size` records of a log say is in force.
pub(crate) fn in_force(store: &dyn Store, size: u64) -> Result<InForce> {
    let mut in_force = InForce::default();
    find_records(
        store,
        0..size,
        &InForce::TEXTS,
        || Ok(()),
        |record| in_force.take(&record),
    )?;
    Ok(in_force)
}

/// A record of a log that has `size` of them.
pub(crate) fn record_at(store: &dyn Store, seq: u64, size: u64) -> Result<Record> {
    find_record(store, seq, size).map(|(record, ..)| record)
}

/// A record, and the size of the checkpoint that covers it first.
pub(crate) fn record_and_commit(store: &dyn Store, seq: u64, size: u64) -> Result<(Record, u64)> {
    let (record, segment, mut lines) = find_record(store, seq, size)?;
    while let Some(raw) = lines.next_line()?.filter(|raw| raw.end == LineEnd::Whole) {
        if !raw.bytes.starts_with(b"{\"checkpoint\":") {
            continue;
        }
        let damaged = |problem: String| Error::damaged(&segment.name, None, format!("near seq {seq}: {problem}"));
        let line = Line::parse(raw.bytes).map_err(|error| damaged(error.to_string()))?;
        if let Line::Checkpoint(note) = line {
            let checkpoint: SignedCheckpoint = note.parse().map_err(|error| damaged(format!("{error}")))?;
            return Ok((record, checkpoint.checkpoint().size()));
        }
    }
    Err(no_record(seq, "no checkpoint covers it"))
}

/// A record, its segment and the lines that follow it.
fn find_record(store: &dyn Store, seq: u64, size: u64) -> Result<(Record, Segment, Box<dyn Lines + '_>)> {
    if seq >= size {
        return Err(no_record(seq, "it is not recorded yet"));
    }
    let Some((segment, mut lines)) = lines_near(store, |_| seq)? else {
        return Err(no_record(seq, "it is purged"));
    };
    // Most lines are not looked into: a record says its `seq` last.
    let ending = format!("\"seq\":{seq}}}");
    while let Some(raw) = lines.next_line()?.filter(|raw| raw.end == LineEnd::Whole) {
        if !raw.bytes.ends_with(ending.as_bytes()) {
            continue;
        }
        let damaged = |problem: String| Error::damaged(&segment.name, None, format!("near seq {seq}: {problem}"));
        let line = Line::parse(raw.bytes).map_err(|error| damaged(error.to_string()))?;
        if line.seq() == Some(seq) {
            let record = Record::from_line_parts(line).map_err(damaged)?;
            return Ok((record, segment, lines));
        }
    }
    Err(no_record(seq, "its segment does not hold it"))
}

fn no_record(seq: u64, problem: &str) -> Error {
    let problem = problem.into();
    Cause::NoRecord { seq, problem }.into()
}

/// A proof of `seq` under `checkpoint`, from the cache where it is right, else from the log.
pub(crate) fn prove(
    store: &dyn Store,
    seq: u64,
    checkpoint: SignedCheckpoint,
    cache: Option<TreeCache>,
) -> Result<Proof> {
    let (size, root) = (checkpoint.checkpoint().size(), checkpoint.checkpoint().root());
    let record = record_at(store, seq, size)?;
    let sound = |path: &Vec<Hash>| merkle::verify_inclusion(seq, size, record.hash(), path, &root).is_ok();
    let from_cache = cache.and_then(|mut cache| {
        walk::complete(store, &mut cache, size).ok()?;
        merkle::inclusion_proof(&mut cache, seq, size).ok().filter(sound)
    });
    let path = match from_cache {
        Some(path) => path,
        None => {
            let path = walk::answer(store, size, |reader| merkle::inclusion_proof(reader, seq, size))?;
            if !sound(&path) {
                // Of what was purged meanwhile not all nodes are known.
                record_at(store, seq, size)?;
                return Err(no_such_tree(size));
            }
            path
        }
    };
    Proof::new(seq, path, checkpoint).map_err(|error| Error::damaged("segments", None, error.to_string()))
}

/// Adds the proof of each record that was found. One that is gone meanwhile stays without.
pub(crate) fn prove_found(
    store: &dyn Store,
    found: &mut [Found],
    checkpoint: &SignedCheckpoint,
    cache: impl Fn() -> Option<TreeCache>,
) -> Result<()> {
    let leaves: Vec<(u64, Hash)> = found
        .iter()
        .map(|found| (found.record.seq(), found.record.hash()))
        .collect();
    let size = checkpoint.checkpoint().size();
    let mut ready = ready_cache(store, cache(), size);
    let Ok(paths) = paths(store, &leaves, checkpoint.checkpoint(), ready.as_mut()) else {
        return prove_each(store, found, checkpoint, cache);
    };
    for (found, path) in found.iter_mut().zip(paths) {
        let proof = Proof::new(found.record.seq(), path, checkpoint.clone());
        found.proof = Some(proof.map_err(|error| Error::damaged("segments", None, error.to_string()))?);
    }
    Ok(())
}

/// The same, each for itself.
fn prove_each(
    store: &dyn Store,
    found: &mut [Found],
    checkpoint: &SignedCheckpoint,
    cache: impl Fn() -> Option<TreeCache>,
) -> Result<()> {
    for found in found {
        found.proof = match prove(store, found.record.seq(), checkpoint.clone(), cache()) {
            Ok(proof) => Some(proof),
            Err(error) if matches!(error.cause(), Cause::NoRecord { .. }) => None,
            Err(error) => return Err(error),
        };
    }
    Ok(())
}

/// Whether the tree of `size` with `root` contains that of `old_size` with `old_root`: by a consistency proof, or by
/// the records, so that no cache is trusted.
pub(crate) fn contains(
    store: &dyn Store,
    (old_size, old_root): (u64, Hash),
    (size, root): (u64, Hash),
) -> Result<bool> {
    let sound = |proof: &Vec<Hash>| merkle::verify_consistency(old_size, &old_root, size, &root, proof).is_ok();
    let cache = store
        .folder()
        .and_then(|folder| TreeCache::open_read(&folder, size).ok());
    if let Some(mut cache) = cache {
        cache.set_purged(tree_at_first(store)?);
        let _ = walk::complete(store, &mut cache, size);
        if merkle::consistency_proof(&mut cache, old_size, size).is_ok_and(|proof| sound(&proof)) {
            return Ok(true);
        }
    }
    if let Some(roots) = walk::roots(store, old_size, size)? {
        return Ok(roots == (old_root, root));
    }
    let ask = |reader: &mut dyn HashReader<Error = ProofError>| merkle::consistency_proof(reader, old_size, size);
    Ok(sound(&walk::answer(store, size, ask)?))
}

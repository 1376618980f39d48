//! Handing records over: as files that verify by themselves, or to any writer.
//!
//! [`AuditLog::export`] writes a file and a signed [`Manifest`] to a [`Destination`]; [`LogReader::export`] and
//! [`AuditLog::export_to`] write to any writer. An [`Export`] says which records, as a [`Query`] does, and in which
//! [`Format`]: oldest first, without a limit, in memory that does not grow with their number.
//! [`verify_export`] checks what was handed over, with the vkey and nothing else.
//!
//! # JSON Lines
//!
//! **Of a range** of `seq`, that is where the query has no filter but `seq_from` and `seq_to`, the file holds the log's
//! own lines (FORMAT §1), byte for byte and each with LF:
//!
//! 1. A header. Where the range begins within a segment, it is one whose `first` and `peaks` are those of the first
//!    record, so that the file is what a segment would be that begins there.
//! 2. The lines that follow in the log, up to the checkpoint of the commit that holds the last record: an export may so
//!    have some records more than were asked for. Where a segment begins within, its header stands there.
//!
//! Such a file is complete: each record links to the one before, the tree of the records leads to the root of each
//! checkpoint, and the manifest holds the proof that its own checkpoint continues the last of them (RFC 6962
//! §2.1.2). So one vkey suffices, also where the key was rotated since. Erased records stand in it as they stand in the
//! log.
//!
//! **Of a filter**, each line is one object in canonical form, `{"proof":"…","record":{…}}`: the record's line as the
//! log has it, and its C2SP tlog-proof (FORMAT §10) under the manifest's checkpoint. Each line verifies alone, as
//! `indelible check-proof` does it. That no record was left out, it does not show: a range does.
//!
//! # JSON
//!
//! One object:
//!
//! ```text
//! {"schema":"indelible/export","schema_version":1,"origin":"…","filter":"…","checkpoint":"…","records":[
//! {"event":{…},"hash":"…","recorded_at":"…","seq":N},
//! …
//! ],"erased":N,"personal_erased":N,"purged":[[first,last]],"count":N}
//! ```
//!
//! The event is whole, with its personal data merged in (EVENTS §1); its member `personal` marks the metadata and
//! changes that are personal. A record that has lost its personal data has `"personal_erased":true` behind its hash.
//! `filter` is a query as [`Query::parse`] reads it, `checkpoint` the log's newest, `purged` is empty or holds the range
//! that is gone.
//!
//! # CSV
//!
//! RFC 4180: one header row, the columns [`COLUMNS`] in their order, every cell quoted, lines end in CRLF, UTF-8 without
//! a byte order mark. `target_*` are of the first target; `targets`, `context`, `changes` and `metadata` are JSON;
//! `personal_data` is `present` or `erased`. A cell without a value is empty.
//!
//! A cell that a spreadsheet would take for a formula gets a `'` before it (OWASP, "CSV Injection"): one that begins with
//! `=`, `+`, `-`, `@`, their full-width forms, tab, CR, LF or NUL, also behind quotes, spaces and what has no width.
//! Within a cell the same is done behind `;`, `|`, tab, CR and LF, which end a cell for some spreadsheets. So guarded
//! cells are not what the log holds, to the byte: what is to be read back by programs is JSON, or has
//! [`Export::without_formula_guard`]. No cell is cut: one of Excel holds 32,767 characters, and `metadata`, `changes`
//! and `context` can have more.
//!
//! # Compressed
//!
//! With [`Export::compressed`] a file is one member of gzip (RFC 1952) or one frame of zstd (RFC 8878, with a checksum
//! and a window of at most 8 MiB), and nothing else. The same export has the same bytes each time with the same build.
//!
//! # What is not there
//!
//! Purged and erased records are said and not left out in silence: how many stands in the manifest, in the envelope and
//! in [`Exported::gone`]. In JSON and CSV an erased record has no row.
//!
//! # Names
//!
//! A file is named `DAY-FROM-TO.FORMAT`, or `DAY-FROM-TO-FILTER.FORMAT`: the day (UTC) on which the first record of the
//! range was recorded, the range as it was asked for, from the first record to before the last, 20 digits each, and 16
//! digits of the filter's SHA-256. A compressed file has `.gz` or `.zst` behind its format. Its manifest has `.manifest` behind that. A file without a manifest is no export: it
//! is what a crash left. In a bucket they are named for their content and their number: see the module `bucket` (feature `object-store`).
//!
//! # The manifest
//!
//! A manifest is a C2SP signed note by the log's key. Its text has two lines: `indelible export manifest`, and one
//! object of canonical JSON (RFC 8785) with exactly these members:
//!
//! | member | what |
//! | --- | --- |
//! | `version` | 1 |
//! | `origin` | that of the log |
//! | `number`, `previous` | its place among the manifests of its folder, from 0, and the SHA-256 of the file of the one before; 64 zeros for the first |
//! | `created_at` | when the export began, in the form of `recorded_at` |
//! | `filter` | what was asked for, as a query; a period such as `last=24h` as the `start_time` that it was |
//! | `seq_from`, `seq_to` | the records that the filter can take: from the first to before the second |
//! | `format`, `options` | `jsonl` with `proofs` (false for the lines of a range), `json`, or `csv` with `formula_guard`; where the files are compressed, also `compression`: `gzip` or `zstd` |
//! | `files` | each with `name`, `bytes`, `records`, `sha256` and the `first` and `last` `seq`, `null` without records |
//! | `purged` | `[]`, or `[[first,last]]`: the records of the range that are purged |
//! | `erased` | records of the range whose content is erased |
//! | `personal_erased` | records that are exported without their personal data, or could not match for want of it |
//! | `checkpoint` | the log's newest when the export began, a signed note |
//! | `consistency` | for the lines of a range, the hashes of the proof that `checkpoint` continues the last checkpoint of the file; else `[]` |
//!
//! No checkpoint begins as a manifest does, since an origin has no space: the one is never taken for the other.
//!
//! [`AuditLog::export`]: crate::AuditLog::export
//! [`AuditLog::export_to`]: crate::AuditLog::export_to
//! [`LogReader::export`]: crate::LogReader::export

#[cfg(feature = "object-store")]
pub mod bucket;
mod chain;
mod compression;
mod content;
mod csv;
mod destination;
mod digest;
mod exporter;
mod folder;
mod json;
mod lines;
mod manifest;
mod output;
pub(crate) mod place;
pub(crate) mod position;
mod report;
mod source;
mod verify;

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

#[cfg(feature = "object-store")]
pub use bucket::Bucket;
pub use compression::{Compression, UnknownCompression};
pub use csv::COLUMNS;
pub use destination::Destination;
pub use manifest::{Manifest, ManifestError, ManifestFile};
pub use output::Progress;
pub use report::{ExportFinding, ExportFindingKind, ExportReport};
pub use verify::verify_export;

pub(crate) use destination::Kind;
pub(crate) use exporter::Exporter;
pub(crate) use source::Source;

use crate::checkpoint::SignedCheckpoint;
use crate::hash::Hash;
use crate::query::{Gone, Query};

/// What is to be exported.
///
/// The query's filters say which records; its order and its limit have no meaning here, and a cursor is an error. Who
/// asks ([`Query::asked_by`]) is who exports.
///
/// ```
/// use indelible::export::{Export, Format};
/// use indelible::Query;
///
/// let logins = Query::parse("event_type=auth.login.*&last=24h")?;
/// let export = Export::new(logins).format(Format::Csv);
/// # let _ = export;
/// # Ok::<(), indelible::query::QueryError>(())
/// ```
#[derive(Clone)]
#[must_use = "an export does nothing until a log is asked"]
pub struct Export {
    query: Query,
    format: Format,
    formula_guard: bool,
    compression: Option<Compression>,
    progress: Option<output::Callback>,
}

/// In which format records are exported: see [`export`](self).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Format {
    /// The log's own lines, which verify.
    #[default]
    JsonLines,
    /// One object with all events.
    Json,
    /// A table.
    Csv,
}

/// How often a log exports by itself: see [`Builder::export_every`](crate::Builder::export_every).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Every {
    /// At the end of each hour.
    Hour,
    /// At the end of each day, UTC.
    Day,
}

impl Every {
    pub(crate) const fn micros(self) -> i64 {
        match self {
            Self::Hour => 3_600_000_000,
            Self::Day => 86_400_000_000,
        }
    }
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Exported {
    /// How many records.
    pub records: u64,
    /// How many bytes.
    pub bytes: u64,
    /// The SHA-256 of the bytes.
    pub sha256: Hash,
    /// The `seq` of the first record; `None` without records.
    pub first: Option<u64>,
    /// The `seq` of the last record.
    pub last: Option<u64>,
    /// What the range lacks. [`Gone::personal_erased`] counts the records that were written without their personal data
    /// and those that could not match for want of it.
    pub gone: Gone,
    /// The log's newest checkpoint when the export began.
    pub checkpoint: SignedCheckpoint,
    /// For the lines of a range, the proof that the checkpoint continues the last one among them.
    pub consistency: Vec<Hash>,
}

/// What was written to a destination. In a bucket, paths are addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExportedFiles {
    /// The manifest.
    pub manifest: PathBuf,
    /// The files that it names.
    pub files: Vec<PathBuf>,
    /// What is in them.
    pub exported: Exported,
}

impl Export {
    /// The records that a query asks for, as JSON Lines.
    pub fn new(query: Query) -> Self {
        Self {
            query,
            format: Format::default(),
            formula_guard: true,
            compression: None,
            progress: None,
        }
    }

    /// In another format.
    pub fn format(mut self, format: Format) -> Self {
        self.format = format;
        self
    }

    /// CSV: cells are what the log holds, also where a spreadsheet takes them for formulas. The manifest says so.
    pub fn without_formula_guard(mut self) -> Self {
        self.formula_guard = false;
        self
    }

    /// Compresses what is written. The bytes and the SHA-256 of [`Exported`] and of the manifest are those of the
    /// compressed file. [`verify_export`] reads it as it reads a plain one.
    ///
    /// An export fails with [`Cause::Configuration`](crate::Cause::Configuration) where the build has not the feature:
    /// `gzip`, or `compress` for zstd.
    ///
    /// ```
    /// use indelible::export::Compression;
    /// use indelible::{Export, Query};
    ///
    /// let export = Export::new(Query::new()).compressed(Compression::Zstd);
    /// # let _ = export;
    /// ```
    pub fn compressed(mut self, compression: Compression) -> Self {
        self.compression = Some(compression);
        self
    }

    /// Calls `progress` now and then, about once in a megabyte, and at the end. What it takes, the export waits for.
    pub fn progress(mut self, progress: impl Fn(Progress) + Send + Sync + 'static) -> Self {
        self.progress = Some(Arc::new(progress));
        self
    }

    pub(crate) fn query(&self) -> &Query {
        &self.query
    }

    pub(crate) fn format_name(&self) -> &'static str {
        self.format.name()
    }
}

impl fmt::Debug for Export {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Export")
            .field("query", &self.query)
            .field("format", &self.format)
            .field("formula_guard", &self.formula_guard)
            .field("compression", &self.compression)
            .finish_non_exhaustive()
    }
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::JsonLines, Self::Json, Self::Csv];

    /// Its name, which is how a file of it ends: `jsonl`, `json` or `csv`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::JsonLines => "jsonl",
            Self::Json => "json",
            Self::Csv => "csv",
        }
    }

    fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(name: &str) -> Result<Self, UnknownFormat> {
        Self::of_name(name).ok_or(UnknownFormat)
    }
}

/// There is no such format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a format is one of jsonl, json, csv")]
pub struct UnknownFormat;

#[cfg(test)]
mod tests;

//! From a log to a writer: which records, in which form.

use std::io::Write;
use std::ops::Range;
use std::path::Path;
use std::time::SystemTime;

use super::compression::Packer;
use super::output::Output;
use super::{Export, Exported, Format, csv, json, lines};
use crate::checkpoint::SignedCheckpoint;
use crate::error::{Cause, Error, Result};
use crate::hash::Hash;
use crate::query::{Filter, Gone, Indexes, each};
use crate::reader;
use crate::reader::tree::TreeCache;
use crate::record::Record;
use crate::store::Store;

/// A log at a checkpoint.
pub(crate) struct Source<'a> {
    pub(super) store: &'a dyn Store,
    pub(super) indexes: &'a Indexes,
    pub(super) checkpoint: SignedCheckpoint,
    pub(super) cache: Option<TreeCache>,
    now: SystemTime,
}

/// What an export is asked for, at a checkpoint.
#[derive(Debug)]
pub(super) struct Plan {
    /// Without a period.
    pub(super) filter: Filter,
    /// The records that the filter can take, purged ones among them.
    pub(super) range: Range<u64>,
    pub(super) form: Form,
}

/// In which form records are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// The lines of the log.
    Log,
    /// Records, each with its proof.
    Records,
    Json,
    Csv {
        formula_guard: bool,
    },
}

/// What was written.
#[derive(Debug, Default)]
pub(super) struct Written {
    pub(super) first: Option<u64>,
    pub(super) last: Option<u64>,
    pub(super) gone: Gone,
    /// Where the lines of the log were written: that their tree is in the log's.
    pub(super) consistency: Vec<Hash>,
}

impl Written {
    /// One more record, in order.
    pub(super) fn note(&mut self, seq: u64) {
        self.first = self.first.or(Some(seq));
        self.last = Some(seq);
    }
}

impl Plan {
    pub(super) fn new(export: &Export, size: u64, now: SystemTime) -> Result<Self> {
        export.query.check_unpaged().map_err(Cause::InvalidQuery)?;
        let filter = export.query.filter.clone().at(now);
        let range = filter.range(size);
        let form = match export.format {
            Format::JsonLines if filter.is_range() => Form::Log,
            Format::JsonLines => Form::Records,
            Format::Json => Form::Json,
            Format::Csv => Form::Csv {
                formula_guard: export.formula_guard,
            },
        };
        let range = range.start.min(range.end)..range.end;
        Ok(Self { filter, range, form })
    }
}

impl<'a> Source<'a> {
    /// `cache` is that of the log's tree, if it can be had.
    pub(crate) fn new(
        store: &'a dyn Store,
        indexes: &'a Indexes,
        checkpoint: SignedCheckpoint,
        cache: Option<TreeCache>,
        now: SystemTime,
    ) -> Self {
        let cache = reader::ready_cache(store, cache, checkpoint.checkpoint().size());
        Self {
            store,
            indexes,
            checkpoint,
            cache,
            now,
        }
    }

    pub(super) fn plan(&self, export: &Export) -> Result<Plan> {
        Plan::new(export, self.checkpoint.checkpoint().size(), self.now)
    }

    pub(super) fn now(&self) -> SystemTime {
        self.now
    }

    /// Writes an export. An error of the writer names `path`.
    pub(crate) fn write(&mut self, export: &Export, to: &mut dyn Write, path: &Path) -> Result<Exported> {
        let plan = self.plan(export)?;
        self.write_plan(export, &plan, to, path)
    }

    pub(super) fn write_plan(
        &mut self,
        export: &Export,
        plan: &Plan,
        to: &mut dyn Write,
        path: &Path,
    ) -> Result<Exported> {
        let packer = export.compression.map(Packer::new).transpose()?;
        let mut output = Output::new(to, path, packer, export.progress.as_ref());
        let written = match plan.form {
            Form::Log => lines::write_log(self, plan, &mut output)?,
            Form::Records => lines::write_records(self, plan, &mut output)?,
            Form::Json => json::write(self, plan, &mut output)?,
            Form::Csv { formula_guard } => csv::write(self, plan, formula_guard, &mut output)?,
        };
        let (records, bytes, sha256) = output.finish()?;
        let Written {
            first,
            last,
            gone,
            consistency,
        } = written;
        Ok(Exported {
            records,
            bytes,
            sha256,
            first,
            last,
            gone,
            checkpoint: self.checkpoint.clone(),
            consistency,
        })
    }

    /// Visits the records that match, oldest first, and counts those without their personal data.
    pub(super) fn each(&self, plan: &Plan, mut visit: impl FnMut(&Record) -> Result<()>) -> Result<Written> {
        let (mut written, mut personal_erased) = (Written::default(), 0);
        written.gone = each(self.store, self.indexes, &plan.filter, plan.range.clone(), |records| {
            for record in records {
                written.note(record.seq());
                personal_erased += u64::from(record.personal_json().is_none());
                visit(record)?;
            }
            Ok(())
        })?;
        written.gone.personal_erased += personal_erased;
        Ok(written)
    }

    /// The day on which the first record of a range that says it was recorded, as `YYYY-MM-DD`; today where none does.
    pub(super) fn day(&self, range: &Range<u64>) -> Result<String> {
        let first = reader::first(self.store)?.unwrap_or_default();
        let (start, size) = (range.start.max(first), self.checkpoint.checkpoint().size());
        let mut recorded_at = None;
        for seq in (start..range.end.min(size)).take(DAY_LOOKED_FOR) {
            recorded_at = reader::record_at(self.store, seq, size)?.recorded_at();
            if recorded_at.is_some() {
                break;
            }
        }
        let recorded_at = recorded_at.unwrap_or_else(|| self.now.into());
        Ok(recorded_at.to_string().chars().take(10).collect())
    }
}

/// What a record's event is as people see it.
pub(super) fn merged(record: &Record) -> Result<String> {
    record.merged_json().ok_or_else(|| {
        let problem = format!("the event of record {} cannot be put together", record.seq());
        Error::damaged("segments", None, problem)
    })
}

/// In so many records a time is looked for: erased ones have none.
const DAY_LOOKED_FOR: usize = 1000;

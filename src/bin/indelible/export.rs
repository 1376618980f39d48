//! `indelible export`.

use std::io::{IsTerminal, stderr};
use std::process::ExitCode;

use clap::Args;
use indelible::export::{Compression, Destination, Format};
use indelible::{Actor, Query};
use indicatif::{ProgressBar, ProgressStyle};

use crate::failure::Failure;
use crate::opening::{self, Opening};
use crate::output::Output;

/// Export records to a folder or a bucket, with a signed manifest
///
/// All records, or those that QUERY asks for, oldest first. Prints the path of the manifest, then that of each file.
/// Nothing is overwritten: an export that is there already is a failure. The log records who exported what. What is
/// handed over is checked with verify-export.
///
/// Where a service holds the log, the command fails and names its process: there the library exports.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  indelible export audit --key audit.key --to /mnt/auditors
  indelible export audit --key audit.key --to /mnt/auditors --format csv 'event_type=auth.login.*&last=24h'")]
pub(crate) struct Export {
    #[command(flatten)]
    opening: Opening,

    /// The folder to export into, which is made if it is not there; or s3://BUCKET/PREFIX, az://CONTAINER/PREFIX or
    /// gs://BUCKET/PREFIX, in builds with the feature object-store, with credentials from the environment
    #[arg(long, value_name = "FOLDER_OR_BUCKET")]
    to: Destination,

    /// jsonl: the log's own lines, which verify. json: one object. csv: a table
    #[arg(long, default_value = "jsonl")]
    format: Format,

    /// Compress the files: gzip (.gz) or zstd (.zst)
    #[arg(long, value_name = "GZIP_OR_ZSTD")]
    compress: Option<Compression>,

    /// CSV: leave cells as they are that a spreadsheet takes for formulas
    #[arg(long)]
    no_formula_guard: bool,

    /// Who asked for it: the id that the log records as that of the admin who exported
    #[arg(long, value_name = "ID")]
    asked_by: Option<String>,

    /// What to export, as the query of a URL; a range alone, such as 'seq_from=100&seq_to=200', exports whole commits
    #[arg(default_value = "")]
    query: Query,
}

pub(crate) fn run(arguments: &Export, output: &mut Output) -> Result<ExitCode, Failure> {
    let mut query = arguments.query.clone();
    if let Some(id) = &arguments.asked_by {
        query = query.asked_by(Actor::admin(id.clone()));
    }
    let mut export = indelible::Export::new(query).format(arguments.format);
    if arguments.no_formula_guard {
        export = export.without_formula_guard();
    }
    if let Some(compression) = arguments.compress {
        export = export.compressed(compression);
    }
    let bar = stderr().is_terminal().then(bar);
    if let Some(bar) = bar.clone() {
        export = export.progress(move |progress| bar.set_position(progress.records));
    }
    let log = arguments.opening.open_for("AuditLog::export")?;
    let exported = log.export(&export, &arguments.to);
    bar.iter().for_each(ProgressBar::finish_and_clear);
    let closed = opening::close(&log);
    let exported = exported?;
    closed?;
    output.line(format_args!("{}", exported.manifest.display()));
    for file in &exported.files {
        output.line(format_args!("{}", file.display()));
    }
    Ok(ExitCode::SUCCESS)
}

/// Progress on a terminal. It is wiped away at the end.
fn bar() -> ProgressBar {
    let bar = ProgressBar::no_length();
    let style = ProgressStyle::with_template("{pos} records, {elapsed}");
    style.map_or_else(|_| bar.clone(), |style| bar.clone().with_style(style))
}

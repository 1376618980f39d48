//! `indelible checkpoint`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::failure::Failure;
use crate::opening;
use crate::output::Output;

/// Print the newest checkpoint
///
/// A checkpoint is a signed note (C2SP tlog-checkpoint): origin, number of records, root of the tree. Kept elsewhere,
/// it shows later that the log was not cut or rewritten: see verify --checkpoint. It is printed as it stands in the
/// log, unverified.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  indelible checkpoint audit > /mnt/elsewhere/audit.checkpoint")]
pub(crate) struct Checkpoint {
    /// The log directory
    dir: PathBuf,
}

pub(crate) fn run(arguments: &Checkpoint, output: &mut Output) -> Result<ExitCode, Failure> {
    let newest = opening::reader(&arguments.dir)?.checkpoint()?;
    let newest = newest.ok_or_else(|| Failure::at(&arguments.dir, "the log has no records"))?;
    output.text(newest.as_str());
    Ok(ExitCode::SUCCESS)
}

//! `indelible prove`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::failure::Failure;
use crate::opening;
use crate::output::Output;

/// Print a proof that a record is in the log
///
/// It is a C2SP tlog-proof under the newest checkpoint. With the record's line and the vkey it is checked by
/// check-proof, or by any other tool for that format, without the log.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  indelible prove audit 27 > 27.tlog-proof")]
pub(crate) struct Prove {
    /// The log directory
    dir: PathBuf,

    /// The record's seq, as its receipt and cat give it
    seq: u64,
}

pub(crate) fn run(arguments: &Prove, output: &mut Output) -> Result<ExitCode, Failure> {
    let proof = opening::reader(&arguments.dir)?.prove(arguments.seq)?;
    output.text(&proof.to_string());
    Ok(ExitCode::SUCCESS)
}

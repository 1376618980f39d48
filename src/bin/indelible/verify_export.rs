//! `indelible verify-export`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use indelible::export::verify_export;

use crate::FOUND;
use crate::failure::Failure;
use crate::output::Output;
use crate::verify;

/// Verify exports: files, manifests and records
///
/// Each manifest must be signed under a vkey that came from the log's owner, each file must be the one that it names,
/// and in JSON Lines each record must be in the log. Neither the log nor the network is needed.
///
/// Exit status 0: sound. 1: there are findings. 2: it could not be checked.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  indelible verify-export /mnt/auditors --vkey \"$(cat audit.vkey)\"")]
pub(crate) struct VerifyExport {
    /// A folder of exports, all of which are verified, or one manifest
    #[arg(value_name = "FOLDER_OR_MANIFEST")]
    path: PathBuf,

    /// The vkey of the log; more than one where the key was rotated since
    #[arg(long, required = true)]
    vkey: Vec<String>,

    /// Print the report as one JSON object
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &VerifyExport, output: &mut Output) -> Result<ExitCode, Failure> {
    let report = verify_export(&arguments.path, &verify::vkeys(&arguments.vkey)?)?;
    match arguments.json {
        true => output.line(format_args!("{}", report.to_json())),
        false => output.text(&report.to_string()),
    }
    Ok(match report.is_sound() {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(FOUND),
    })
}

//! `indelible vkey`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use indelible::{Signer, SigningKey};

use crate::failure::Failure;
use crate::output::Output;

/// Print the vkey of a key file
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  indelible vkey audit.key")]
pub(crate) struct Vkey {
    /// A file that keygen made
    keyfile: PathBuf,
}

pub(crate) fn run(arguments: &Vkey, output: &mut Output) -> Result<ExitCode, Failure> {
    let key = SigningKey::read_file(&arguments.keyfile)?;
    output.line(format_args!("{}", key.vkey()));
    Ok(ExitCode::SUCCESS)
}

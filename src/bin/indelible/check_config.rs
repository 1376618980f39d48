//! `indelible check-config`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use indelible::config::Config;

use crate::FOUND;
use crate::failure::{Failure, complain, read_file};
use crate::output::Output;

/// Check the file that a log is configured by
///
/// Nothing is opened, and nothing is connected to. Exit status 0: it can be used here. 1: something in it is wrong, with its
/// key and line, or a secret that it names is not there. 2: the file cannot be read.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  indelible check-config audit.toml")]
pub(crate) struct CheckConfig {
    /// The file: TOML, or JSON where its name ends in .json
    file: PathBuf,

    /// Do not look for the secrets: they are those of another machine
    #[arg(long)]
    without_secrets: bool,
}

pub(crate) fn run(arguments: &CheckConfig, output: &mut Output) -> Result<ExitCode, Failure> {
    let check = |config: Config| match arguments.without_secrets {
        true => Ok(()),
        false => config.check_secrets(),
    };
    read_file(&arguments.file, BYTES_MAX)?;
    match Config::read(&arguments.file).and_then(check) {
        Ok(()) => {
            output.line(format_args!("{} is sound", arguments.file.display()));
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => {
            complain(Failure::at(&arguments.file, error));
            Ok(ExitCode::from(FOUND))
        }
    }
}

/// No configuration has more.
const BYTES_MAX: u64 = 16 * 1024 * 1024;

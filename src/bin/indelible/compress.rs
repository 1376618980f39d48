//! `indelible compress`.

use std::process::ExitCode;

use clap::Args;

use crate::failure::Failure;
use crate::opening::{self, Opening};
use crate::output::Output;

/// Compress the segments that are not written to any more
///
/// What is in the log stays the same, and everything reads it as before. Where a service has the log, this is for the
/// service to do, with the call AuditLog::compress.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  indelible compress audit --key audit.key")]
pub(crate) struct Compress {
    #[command(flatten)]
    opening: Opening,
}

pub(crate) fn run(arguments: &Compress, output: &mut Output) -> Result<ExitCode, Failure> {
    let log = arguments.opening.open_for("AuditLog::compress")?;
    let compressed = log.compress(u64::MAX);
    let closed = opening::close(&log);
    let compressed = compressed?;
    closed?;
    output.line(format_args!(
        "compressed {} segments, {} bytes to {}",
        compressed.segments, compressed.bytes_before, compressed.bytes_after
    ));
    Ok(ExitCode::SUCCESS)
}

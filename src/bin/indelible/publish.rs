//! `indelible publish`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use indelible::export::Destination;

use crate::failure::Failure;
use crate::opening;
use crate::output::Output;

/// Publish the log as static files that anyone can serve and verify (C2SP tlog-tiles)
///
/// Writes what is new since the last time, and replaces the checkpoint at the end. What is published holds nothing that
/// identifies a person beyond an opaque id. No key is needed, and a service may hold the log meanwhile.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  indelible publish audit --to /srv/www/audit")]
pub(crate) struct Publish {
    /// The log directory
    dir: PathBuf,

    /// The folder to publish into, which is made if it is not there; or s3://BUCKET/PREFIX, az://CONTAINER/PREFIX or
    /// gs://BUCKET/PREFIX, in builds with the feature object-store, with credentials from the environment
    #[arg(long, value_name = "FOLDER_OR_BUCKET")]
    to: Destination,
}

pub(crate) fn run(arguments: &Publish, output: &mut Output) -> Result<ExitCode, Failure> {
    let published = opening::reader(&arguments.dir)?.publish(&arguments.to)?;
    output.line(format_args!(
        "published {} records, {} of them new, in {} files",
        published.checkpoint.checkpoint().size(),
        published.checkpoint.checkpoint().size() - published.from,
        published.files
    ));
    if !published.withheld.is_empty() {
        let bundles = published.withheld.len();
        output.line(format_args!(
            "withheld the entries of {bundles} bundles, which hold erased records"
        ));
    }
    Ok(ExitCode::SUCCESS)
}

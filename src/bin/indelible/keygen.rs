//! `indelible keygen`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use indelible::{Origin, Signer, SigningKey};

use crate::failure::Failure;
use crate::output::Output;

/// Make a signing key and print its vkey, the public half
///
/// The file holds one line, `PRIVATE+KEY+name+hash+base64`, with mode 0600. It is never overwritten. Publish the vkey:
/// with it anyone can check the log.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  indelible keygen audit.key --origin auth.example.com/audit > audit.vkey")]
pub(crate) struct Keygen {
    /// The file to make
    keyfile: PathBuf,

    /// The log's identity: a URL of its owner without "https://", such as auth.example.com/audit
    #[arg(long)]
    origin: Origin,
}

pub(crate) fn run(arguments: &Keygen, output: &mut Output) -> Result<ExitCode, Failure> {
    let key = SigningKey::generate(arguments.origin.clone())?;
    key.create_file(&arguments.keyfile)?;
    output.line(format_args!("{}", key.vkey()));
    Ok(ExitCode::SUCCESS)
}

//! `indelible rotate-key`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use indelible::{AuditLog, Origin, SignedCheckpoint, Signer, SigningKey};

use crate::failure::{Failure, read_text};
use crate::opening::{self, Opening};
use crate::output::Output;

/// Put a new signing key in force and print its vkey
///
/// The rotation is a record that both keys sign, so who trusts the old vkey can go on. From then on the log is written
/// with the new key alone: publish its vkey, and keep the old one, with which older proofs are checked. Where the new
/// key's file is in another folder, the log's newest checkpoint is put there too.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  indelible rotate-key audit --key audit.key --new audit-2027.key")]
pub(crate) struct RotateKey {
    #[command(flatten)]
    opening: Opening,

    /// The file of the new key. If it is not there it is made, as keygen does, for the same origin
    #[arg(long, value_name = "KEYFILE")]
    new: PathBuf,
}

pub(crate) fn run(arguments: &RotateKey, output: &mut Output) -> Result<ExitCode, Failure> {
    let RotateKey { opening, new } = arguments;
    // All that can be wrong with the new key is found before the log is opened.
    let given = new.exists().then(|| SigningKey::read_file(new)).transpose()?;
    let second_place = second_place(opening, new)?;
    opening::reader(&opening.dir)?;
    let log = opening.open()?;
    let rotated = rotate(&log, given, new, second_place.as_deref());
    let closed = opening::close(&log);
    let vkey = rotated?;
    closed?;
    if let Some(path) = &second_place {
        log.write_checkpoint(path)?;
    }
    output.line(format_args!("{vkey}"));
    Ok(ExitCode::SUCCESS)
}

fn rotate(
    log: &AuditLog,
    given: Option<SigningKey>,
    path: &Path,
    second_place: Option<&Path>,
) -> Result<String, Failure> {
    let key = match given {
        Some(key) => key,
        None => make_key(log.origin(), path)?,
    };
    let vkey = key.vkey().to_string();
    // It is there before the new key is in force: the log can be opened with it whatever happens next.
    if let Some(path) = second_place {
        check_second_place(path, log)?;
        log.write_checkpoint(path)?;
    }
    log.rotate_key(key)?;
    Ok(vkey)
}

fn make_key(origin: &Origin, path: &Path) -> Result<SigningKey, Failure> {
    let key = SigningKey::generate(origin.clone())?;
    key.create_file(path)?;
    Ok(key)
}

/// Where the log's checkpoint will be looked for once it is opened with the new key, if that is another place than now.
fn second_place(opening: &Opening, new: &Path) -> Result<Option<PathBuf>, Failure> {
    if opening.checkpoint_file.is_some() {
        return Ok(None);
    }
    let origin = opening.origin()?;
    let beside = |key: &Path| AuditLog::builder(origin.as_str()).key_file(key).checkpoint_path();
    let (old, new) = (beside(&opening.key)?, beside(new)?);
    let folder = |path: &Option<PathBuf>| {
        path.as_ref()?
            .parent()
            .and_then(|folder| folder.join(".").canonicalize().ok())
    };
    let moves = folder(&old) != folder(&new);
    Ok(new.filter(|_| moves))
}

/// A checkpoint that is ahead of the log is not overwritten: it shows that the log was rolled back.
fn check_second_place(path: &Path, log: &AuditLog) -> Result<(), Failure> {
    let Ok(kept) = read_text(path, opening::CHECKPOINT_BYTES_MAX) else {
        return Ok(());
    };
    let size = log.checkpoint()?.checkpoint().size();
    match kept.parse::<SignedCheckpoint>() {
        Ok(kept) if kept.checkpoint().size() > size => Err(Failure::at(
            path,
            format!(
                "this checkpoint is of {} records, and the log has {size}",
                kept.checkpoint().size()
            ),
        )),
        _ => Ok(()),
    }
}

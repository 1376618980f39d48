//! `indelible check-event`.

use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use indelible::Verifier;
use indelible::proof::{DeliveredError, DeliveredRecord};
use indelible::verify::VerifyError;

use crate::failure::{Failure, complain, read_file};
use crate::output::Output;
use crate::verify;
use crate::{FAILED, FOUND};

/// Check events that were copied out of a SIEM
///
/// It needs neither the log nor the network: an event that was delivered with its proof, and the log's vkey, say all. The
/// event may stand in whatever the SIEM puts around it, and be printed anew. Checkpoints, which are delivered between the
/// events, are checked too. Exit status 0: each event is in the log. 1: one is not, or was changed. 2: one could not be
/// checked, since it has no proof, say.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  indelible check-event exported-from-the-siem.json --vkey \"$(cat audit.vkey)\"")]
pub(crate) struct CheckEvent {
    /// A file with one event as JSON, a list of them, or one on each line, as jq -c prints them; - is standard input
    #[arg(default_value = "-")]
    file: PathBuf,

    /// The vkey of the log; more than one where the key was rotated and either may have signed
    #[arg(long, required = true)]
    vkey: Vec<String>,
}

pub(crate) fn run(arguments: &CheckEvent, output: &mut Output) -> Result<ExitCode, Failure> {
    let vkeys = verify::vkeys(&arguments.vkey)?;
    let verifier = verify::verifier(&vkeys)?;
    let text = read(&arguments.file)?;
    let mut codes = BTreeSet::new();
    for (line, event) in events(&text) {
        let place = line.map_or(String::new(), |line| format!(" line {line}"));
        for checked in check(&verifier, event) {
            match checked {
                Ok(said) => output.line(format_args!("{said}")),
                Err((code, problem)) => {
                    complain(format!("{}{place}: {problem}", arguments.file.display()));
                    codes.insert(code);
                }
            }
        }
    }
    // That something was changed counts for more than what could not be checked.
    Ok(codes.first().map_or(ExitCode::SUCCESS, |code| ExitCode::from(*code)))
}

/// What is said of each record in an event, or of the checkpoint that it is; else the exit status and what is wrong.
fn check(verifier: &Verifier, event: &[u8]) -> Vec<Result<String, (u8, String)>> {
    let refused = |error: VerifyError, what: String| match error.is_of_another_key() {
        true => (FAILED, format!("{what}{error}")),
        false => (FOUND, format!("{what}{error}")),
    };
    let each = |delivered: Result<DeliveredRecord, DeliveredError>| {
        let delivered = delivered.map_err(|error| match error {
            DeliveredError::NoRecord => (FAILED, error.to_string()),
            _ => (FOUND, error.to_string()),
        })?;
        let (record, proof) = (delivered.record(), delivered.proof());
        let proof = proof.ok_or_else(|| (FAILED, NO_PROOF.to_owned()))?;
        let seq = record.seq();
        match verifier.verify_record(record, proof) {
            Ok(checkpoint) => Ok(format!(
                "record {seq} is in the log {}, by the checkpoint of its first {} records",
                checkpoint.origin(),
                checkpoint.size()
            )),
            Err(error) => Err(refused(error, format!("record {seq}: "))),
        }
    };
    match DeliveredRecord::all_from_json(event) {
        Ok(delivered) => delivered.into_iter().map(each).collect(),
        Err(DeliveredError::Checkpoint(signed)) => vec![match verifier.verify_checkpoint(&signed) {
            Ok(checkpoint) => Ok(format!(
                "a checkpoint of the log {}, of its first {} records",
                checkpoint.origin(),
                checkpoint.size()
            )),
            Err(error) => Err(refused(error, "a checkpoint: ".to_owned())),
        }],
        Err(error) => vec![Err((FAILED, error.to_string()))],
    }
}

/// The events of a text, with their lines where each has one of its own.
fn events(text: &[u8]) -> Vec<(Option<usize>, &[u8])> {
    let is_json = |text| !matches!(DeliveredRecord::from_json(text), Err(DeliveredError::Json(_)));
    let lines = text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).enumerate();
    let lines: Vec<_> = lines.filter(|(_, line)| !line.is_empty()).collect();
    match lines.first() {
        Some((_, first)) if !is_json(text) && is_json(first) => {
            lines.into_iter().map(|(at, line)| (Some(at + 1), line)).collect()
        }
        _ => vec![(None, text)],
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    if path != Path::new("-") {
        return read_file(path, BYTES_MAX);
    }
    let mut text = Vec::new();
    std::io::stdin().lock().take(BYTES_MAX + 1).read_to_end(&mut text)?;
    match u64::try_from(text.len())? <= BYTES_MAX {
        true => Ok(text),
        false => Err(Failure::new(format!("standard input has more than {BYTES_MAX} bytes"))),
    }
}

const NO_PROOF: &str = "the event was delivered without a proof: have the sink deliver with proofs, or look for the record \
                        in the log";

/// More is not read at once.
const BYTES_MAX: u64 = 256 * 1024 * 1024;

//! `indelible check-event`.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use indelible::Verifier;
use indelible::proof::{DeliveredError, DeliveredRecord};
use indelible::verify::VerifyError;

use crate::failure::{Failure, complain};
use crate::output::Output;
use crate::values::Values;
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
    /// A file with events as JSON: one or many, on a line each or as jq prints them, or in lists; - is standard input
    #[arg(default_value = "-")]
    file: PathBuf,

    /// The vkey of the log; more than one where the key was rotated and either may have signed
    #[arg(long, required = true)]
    vkey: Vec<String>,
}

pub(crate) fn run(arguments: &CheckEvent, output: &mut Output) -> Result<ExitCode, Failure> {
    let vkeys = verify::vkeys(&arguments.vkey)?;
    let verifier = verify::verifier(&vkeys)?;
    let file = &arguments.file;
    let input: Box<dyn BufRead> = match file == Path::new("-") {
        true => Box::new(std::io::stdin().lock()),
        false => Box::new(BufReader::new(
            File::open(file).map_err(|error| Failure::at(file, error))?,
        )),
    };
    let mut values = Values::new(input, BYTES_MAX);
    let mut codes = BTreeSet::new();
    let mut tell = |line: usize, checked: Checked| match checked {
        Ok(said) => output.line(format_args!("{said}")),
        Err((code, problem)) => {
            complain(format!("{} line {line}: {problem}", file.display()));
            codes.insert(code);
        }
    };
    let mut is_empty = true;
    while let Some(value) = values.next().map_err(|error| Failure::at(file, error.as_ref()))? {
        is_empty = false;
        match DeliveredRecord::all_from_json(&value.text) {
            Ok(all) => all.into_iter().for_each(|one| tell(value.line, check(&verifier, one))),
            Err(error) => {
                tell(value.line, Err((FAILED, error.to_string())));
                // What was cut hides nothing that stands on a line of its own behind it.
                for (at, line) in value.text.split(|byte| *byte == b'\n').enumerate().skip(1) {
                    let all = DeliveredRecord::all_from_json(line).unwrap_or_default();
                    all.into_iter()
                        .for_each(|one| tell(value.line + at, check(&verifier, one)));
                }
            }
        }
    }
    if is_empty {
        complain(Failure::at(file, "there is no JSON in it"));
        codes.insert(FAILED);
    }
    // That something was changed counts for more than what could not be checked.
    Ok(codes.first().map_or(ExitCode::SUCCESS, |code| ExitCode::from(*code)))
}

/// What is said of a record or a checkpoint; else the exit status and what is wrong.
type Checked = Result<String, (u8, String)>;

fn check(verifier: &Verifier, delivered: Result<DeliveredRecord, DeliveredError>) -> Checked {
    let refused = |error: VerifyError, what: String| match error.is_of_another_key() {
        true => (FAILED, format!("{what}{error}")),
        false => (FOUND, format!("{what}{error}")),
    };
    let delivered = match delivered {
        Ok(delivered) => delivered,
        Err(DeliveredError::Checkpoint(signed)) => {
            return match verifier.verify_checkpoint(&signed) {
                Ok(checkpoint) => Ok(format!(
                    "a checkpoint of the log {}, of its first {} records",
                    checkpoint.origin(),
                    checkpoint.size()
                )),
                Err(error) => Err(refused(error, "a checkpoint: ".to_owned())),
            };
        }
        Err(error @ DeliveredError::NoRecord) => return Err((FAILED, error.to_string())),
        Err(error) => return Err((FOUND, error.to_string())),
    };
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
}

const NO_PROOF: &str = "the event was delivered without a proof: have the sink deliver with proofs, or look for the record \
                        in the log";

/// No value has more.
const BYTES_MAX: u64 = 256 * 1024 * 1024;

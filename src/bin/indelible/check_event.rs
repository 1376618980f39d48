//! `indelible check-event`.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use indelible::Verifier;
use indelible::proof::{DeliveredError, DeliveredRecord};

use crate::FOUND;
use crate::failure::{Failure, complain, read_file};
use crate::output::Output;
use crate::verify;

/// Check events that were copied out of a SIEM
///
/// It needs neither the log nor the network: an event that was delivered with its proof, and the log's vkey, say all. The
/// event may stand in whatever the SIEM puts around it, and be printed anew. Checkpoints among the events are passed over.
/// Exit status 0: each event is in the log. 1: one is not, or was changed. 2: one could not be checked, since it has no proof,
/// say.
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
    let (mut is_wrong, mut is_unchecked) = (false, false);
    let mut has_records = false;
    for (line, event) in events(&text) {
        let place = line.map_or(String::new(), |line| format!(" line {line}"));
        let all = match DeliveredRecord::all_from_json(event) {
            Ok(all) => all,
            Err(DeliveredError::Checkpoint) => continue,
            Err(error) => vec![Err(error)],
        };
        has_records = true;
        for delivered in all {
            let problem = match check(&verifier, delivered) {
                Ok(said) => {
                    output.line(format_args!("{said}"));
                    continue;
                }
                Err(Problem::Wrong(problem)) => {
                    is_wrong = true;
                    problem
                }
                Err(Problem::Unchecked(problem)) => {
                    is_unchecked = true;
                    problem
                }
            };
            complain(Failure::new(format!("{}{place}: {problem}", arguments.file.display())));
        }
    }
    match (has_records, is_wrong, is_unchecked) {
        (false, ..) => Err(Failure::at(
            &arguments.file,
            "there is no record in it, only checkpoints",
        )),
        (_, true, _) => Ok(ExitCode::from(FOUND)),
        (_, _, true) => Ok(ExitCode::from(UNCHECKED)),
        _ => Ok(ExitCode::SUCCESS),
    }
}

/// Why an event is not shown to be in the log.
enum Problem {
    Wrong(String),
    Unchecked(String),
}

/// Says that a record is in the log, and by what.
fn check(verifier: &Verifier, delivered: Result<DeliveredRecord, DeliveredError>) -> Result<String, Problem> {
    let delivered = delivered.map_err(|error| match error {
        DeliveredError::Json(_) | DeliveredError::NoRecord => Problem::Unchecked(error.to_string()),
        _ => Problem::Wrong(error.to_string()),
    })?;
    let proof = delivered
        .proof()
        .ok_or_else(|| Problem::Unchecked(NO_PROOF.to_owned()))?;
    let seq = delivered.record().seq();
    match verifier.verify_record(delivered.record(), proof) {
        Ok(checkpoint) => Ok(format!(
            "record {seq} is in the log {}, by the checkpoint of its first {} records",
            checkpoint.origin(),
            checkpoint.size()
        )),
        Err(error) if error.is_of_another_key() => Err(Problem::Unchecked(format!("record {seq}: {error}"))),
        Err(error) => Err(Problem::Wrong(format!("record {seq}: {error}"))),
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

/// The exit status where an event could not be checked, as that of any other failure.
const UNCHECKED: u8 = 2;

/// More is not read at once.
const BYTES_MAX: u64 = 256 * 1024 * 1024;

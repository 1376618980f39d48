//! `indelible check-proof`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use indelible::checkpoint::CheckpointError;
use indelible::proof::{PROOF_BYTES_MAX, TlogProofError};
use indelible::{Checkpoint, Proof, Record, VerifierKey};

use crate::FOUND;
use crate::failure::{Failure, complain, read_file, read_text};
use crate::output::Output;

/// Check a proof that a record is in a log
///
/// It needs neither the log nor the network: the proof, the record and the log's vkey say all. Exit status 0: the
/// record is in the log. 1: it is not, or the proof is not sound. 2: it could not be checked; the proof is under
/// another key, say, which the error names.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  indelible prove audit 27 > 27.tlog-proof
  grep -h '\"seq\":27}$' audit/segments/*.jsonl > 27.json
  indelible check-proof 27.tlog-proof --vkey \"$(cat audit.vkey)\" --record 27.json")]
pub(crate) struct CheckProof {
    /// A file with a tlog-proof, as prove prints it
    proof: PathBuf,

    /// The vkey of the log; more than one where the key was rotated and either may have signed
    #[arg(long, required = true)]
    vkey: Vec<VerifierKey>,

    /// A file with the record's line as the log has it, in any JSON spelling
    #[arg(long, value_name = "FILE")]
    record: PathBuf,
}

pub(crate) fn run(arguments: &CheckProof, output: &mut Output) -> Result<ExitCode, Failure> {
    let limit = u64::try_from(PROOF_BYTES_MAX)?;
    let proof: Proof = read_text(&arguments.proof, limit)?
        .parse()
        .map_err(|error: TlogProofError| Failure::at(&arguments.proof, error))?;
    let record = Record::from_json(&read_file(&arguments.record, RECORD_BYTES_MAX)?)
        .map_err(|error| Failure::at(&arguments.record, format!("not a record as the log has it: {error}")))?;
    match check(&proof, &record, &arguments.vkey) {
        Verdict::Holds(checkpoint, vkey) => {
            let (seq, origin, size) = (record.seq(), checkpoint.origin(), checkpoint.size());
            output.line(format_args!(
                "record {seq} is in the log {origin}, by the checkpoint of its first {size} records that {vkey} signed"
            ));
            Ok(ExitCode::SUCCESS)
        }
        Verdict::Fails(problem) => {
            complain(format!("{}: {problem}", arguments.proof.display()));
            Ok(ExitCode::from(FOUND))
        }
        Verdict::OtherKey(problem) => Err(Failure::at(&arguments.proof, problem)),
    }
}

enum Verdict<'a> {
    Holds(&'a Checkpoint, &'a VerifierKey),
    Fails(String),
    OtherKey(String),
}

fn check<'a>(proof: &'a Proof, record: &Record, vkeys: &'a [VerifierKey]) -> Verdict<'a> {
    // The hash of a record covers its seq, but that of an erased one stands beside it.
    if record.seq() != proof.index() {
        let (found, expected) = (record.seq(), proof.index());
        return Verdict::Fails(format!("the record is {found}, the proof is of record {expected}"));
    }
    let mut problem = None;
    for vkey in vkeys {
        match proof.verify(record.hash(), vkey) {
            Ok(checkpoint) => return Verdict::Holds(checkpoint, vkey),
            Err(TlogProofError::Checkpoint(CheckpointError::Unsigned { .. } | CheckpointError::Origin { .. })) => {}
            Err(error) => problem = Some(error),
        }
    }
    match problem {
        Some(TlogProofError::Inclusion(error)) => {
            Verdict::Fails(format!("the record is not the one of the proof: {error}"))
        }
        Some(error) => Verdict::Fails(error.to_string()),
        None => Verdict::OtherKey(other_key(proof, vkeys)),
    }
}

fn other_key(proof: &Proof, vkeys: &[VerifierKey]) -> String {
    let signers = proof.checkpoint().signers();
    let list = |keys: Vec<String>| keys.join(" and ");
    format!(
        "the proof is under the key {}, not under {}",
        list(signers.iter().map(ToString::to_string).collect()),
        list(vkeys.iter().map(|vkey| vkey.key_id().to_string()).collect())
    )
}

/// The longest spelling of a record that is read: four times the longest line of a log.
const RECORD_BYTES_MAX: u64 = 1024 * 1024;

//! `indelible check-proof`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use indelible::proof::{PROOF_BYTES_MAX, TlogProofError};
use indelible::verify::VerifyError;
use indelible::{Proof, Record, VerifierKey};

use crate::FOUND;
use crate::failure::{Failure, complain, read_file, read_text};
use crate::output::Output;
use crate::verify;

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
    vkey: Vec<String>,

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
    let vkeys = verify::vkeys(&arguments.vkey)?;
    let problem = match verify::verifier(&vkeys)?.verify_record(&record, &proof) {
        Ok(checkpoint) => {
            let (seq, origin, size) = (record.seq(), checkpoint.origin(), checkpoint.size());
            let signer = vkeys.iter().find(|vkey| proof.checkpoint().verify(vkey).is_ok());
            let signer = signer.map_or_else(String::new, ToString::to_string);
            output.line(format_args!(
                "record {seq} is in the log {origin}, by the checkpoint of its first {size} records that {signer} signed"
            ));
            return Ok(ExitCode::SUCCESS);
        }
        Err(error) if error.is_of_another_key() => {
            return Err(Failure::at(&arguments.proof, other_key(&proof, &vkeys)));
        }
        Err(VerifyError::Proof(error)) => format!("the record is not the one of the proof: {error}"),
        Err(error) => error.to_string(),
    };
    complain(format!("{}: {problem}", arguments.proof.display()));
    Ok(ExitCode::from(FOUND))
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

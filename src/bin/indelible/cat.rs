//! `indelible cat`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use indelible::Record;

use crate::failure::Failure;
use crate::opening;
use crate::output::Output;

/// Print records, one JSON object a line
///
/// A line is {"event","hash","recorded_at","seq"}. The event is whole, with its personal data merged in; its member
/// "personal" marks the metadata and changes that are personal, so that append keeps them apart again. An erased record
/// is {"erased":true,"hash","seq"}. Nothing is verified: see verify. Beside a writer it ends at the newest checkpoint.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  indelible cat audit --from 100 --to 200 | jq .event.action")]
pub(crate) struct Cat {
    /// The log directory
    dir: PathBuf,

    /// The first record; records that are purged are left out
    #[arg(long, value_name = "SEQ", default_value_t = 0)]
    from: u64,

    /// The record to stop before; the end of the log unless given
    #[arg(long, value_name = "SEQ")]
    to: Option<u64>,
}

pub(crate) fn run(arguments: &Cat, output: &mut Output) -> Result<ExitCode, Failure> {
    let reader = opening::reader(&arguments.dir)?;
    let to = arguments.to.unwrap_or(u64::MAX);
    for record in reader.records(arguments.from..to)? {
        print(&record?, output)?;
        if output.is_ended() {
            break;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn print(record: &Record, output: &mut Output) -> Result<(), Failure> {
    let (hash, seq) = (record.hash(), record.seq());
    if record.is_erased() {
        output.line(format_args!(r#"{{"erased":true,"hash":"{hash}","seq":{seq}}}"#));
        return Ok(());
    }
    let (Some(event), Some(recorded_at)) = (record.merged_json(), record.recorded_at()) else {
        return Err(Failure::new(format!("record {seq}: its event cannot be put together")));
    };
    output.line(format_args!(
        r#"{{"event":{event},"hash":"{hash}","recorded_at":"{recorded_at}","seq":{seq}}}"#
    ));
    Ok(())
}

//! `indelible erase`.

use std::process::ExitCode;

use clap::Args;
use indelible::erasure::{ErasureOrder, Selection};
use indelible::{Actor, Query};

use crate::failure::Failure;
use crate::opening::{self, Opening};
use crate::output::Output;

/// Erase personal data, or whole records, of what a query finds or of single events
///
/// It is announced in the log first, and keeps every hash and proof. Prints what was erased, and then each export that
/// may hold it, to be followed up outside the log. What a legal hold covers is not erased: the command fails and names
/// the hold. Where a service has the log, this is for the service to do, with the calls AuditLog::erase_personal_data and
/// AuditLog::erase_records.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  indelible erase audit --key audit.key --reason 'request 4711' --by usr_dpo user_id=usr_alice123
  indelible erase audit --key audit.key --reason 'wrong field' --by usr_dpo --records --id 01890a5d-ac96-774b-bcce-b302099a8057")]
pub(crate) struct Erase {
    #[command(flatten)]
    opening: Opening,

    /// Whole records, but for seq and hash, and not only their personal data
    #[arg(long)]
    records: bool,

    /// Why. It is kept for good: no personal data
    #[arg(long)]
    reason: String,

    /// The id of who orders it
    #[arg(long, value_name = "ID")]
    by: String,

    /// The id of an event; may be given several times
    #[arg(long = "id", value_name = "ID", conflicts_with = "query")]
    ids: Vec<String>,

    /// What is erased, as with query: at least one filter
    #[arg(required_unless_present = "ids")]
    query: Option<Query>,
}

pub(crate) fn run(arguments: &Erase, output: &mut Output) -> Result<ExitCode, Failure> {
    let selection = match &arguments.query {
        Some(query) if query.is_unfiltered() => {
            return Err(Failure::new("a query without a filter would erase everything"));
        }
        Some(query) => Selection::from(query),
        None => Selection::ids(&arguments.ids),
    };
    let order = ErasureOrder::new(&arguments.reason).by(Actor::admin(&arguments.by));
    let log = arguments
        .opening
        .open_for("AuditLog::erase_personal_data or AuditLog::erase_records")?;
    let erased = match arguments.records {
        true => log.erase_records(selection, order),
        false => log.erase_personal_data(selection, order),
    };
    let closed = opening::close(&log);
    let erased = erased?;
    let count: u64 = erased.ranges.iter().map(|(first, last)| last - first + 1).sum();
    output.line(format_args!("erased in {count} records"));
    for copy in &erased.handed_over {
        let (first, last) = copy.range;
        output.line(format_args!(
            "exported before: records {first} to {last} as {} to {}",
            copy.format, copy.to
        ));
    }
    for sink in &erased.sinks {
        output.line(format_args!("delivered before: to the sink {sink}"));
    }
    closed?;
    if let Some(error) = erased.unread {
        return Err(Failure::new(format!(
            "it is erased; exports before may be missing here: {error}"
        )));
    }
    match erased.not_found.as_slice() {
        [] => Ok(ExitCode::SUCCESS),
        missing => Err(Failure::new(format!("no event has the id {}", missing.join(", ")))),
    }
}

//! `indelible hold`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use indelible::{Actor, AuditLog, Error, Query, Receipt};

use crate::failure::Failure;
use crate::opening::{self, Opening};
use crate::output::Output;
use crate::table::{Table, Title};

/// Place, release and list legal holds
///
/// What a hold covers is neither erased nor removed, by nobody and by no retention.
#[derive(Debug, Args)]
pub(crate) struct Hold {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Place(Place),
    Release(Release),
    List(List),
}

/// Place a legal hold
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  indelible hold place audit --key audit.key --name 'case 17' --filter actor_id=usr_alice123 --reason lawsuit --by usr_bob"
)]
struct Place {
    #[command(flatten)]
    opening: Opening,

    /// The records that it covers, as a query says it; without it, every record
    #[arg(long, value_name = "QUERY", default_value = "")]
    filter: String,

    #[command(flatten)]
    told: Told,
}

/// Release a legal hold
#[derive(Debug, Args)]
struct Release {
    #[command(flatten)]
    opening: Opening,

    #[command(flatten)]
    told: Told,
}

/// Print the legal holds in force: on a terminal a table, elsewhere one JSON object a line
#[derive(Debug, Args)]
struct List {
    /// The log directory
    dir: PathBuf,
}

/// What the log says about it.
#[derive(Debug, Args)]
struct Told {
    /// The hold's name
    #[arg(long)]
    name: String,

    /// Why. It is kept for good: no personal data
    #[arg(long)]
    reason: String,

    /// The id of who orders it
    #[arg(long, value_name = "ID")]
    by: String,
}

pub(crate) fn run(arguments: &Hold, output: &mut Output) -> Result<ExitCode, Failure> {
    match &arguments.command {
        Command::Place(Place { opening, filter, told }) => {
            let query = Query::parse(filter)?;
            record(opening, "AuditLog::place_hold", output, |log| {
                log.place_hold(&told.name, &query, &told.reason, Actor::admin(&told.by))
            })
        }
        Command::Release(Release { opening, told }) => record(opening, "AuditLog::release_hold", output, |log| {
            log.release_hold(&told.name, &told.reason, Actor::admin(&told.by))
        }),
        Command::List(List { dir }) => {
            let holds = opening::reader(dir)?.holds()?;
            match Table::for_terminal(TITLES) {
                Some(mut table) => table.print(holds.iter().map(row), output),
                None => holds
                    .iter()
                    .for_each(|hold| output.line(format_args!("{}", hold.to_json()))),
            }
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn row(hold: &indelible::retention::Hold) -> Vec<String> {
    let filter = hold.filter.as_deref().unwrap_or("unreadable, so every record");
    vec![
        hold.name.clone(),
        if filter.is_empty() { "every record" } else { filter }.to_owned(),
        hold.reason.clone(),
        hold.by.clone(),
        hold.placed_at.to_string(),
        hold.seq.to_string(),
    ]
}

/// Prints the `seq` of the record that says so.
fn record(
    opening: &Opening,
    call: &str,
    output: &mut Output,
    step: impl FnOnce(&AuditLog) -> Result<Receipt, Error>,
) -> Result<ExitCode, Failure> {
    opening::reader(&opening.dir)?;
    let log = opening.open_for(call)?;
    let receipt = step(&log);
    let closed = opening::close(&log);
    let receipt = receipt?;
    closed?;
    output.line(format_args!("{}", receipt.seq));
    Ok(ExitCode::SUCCESS)
}

const TITLES: &[Title] = &[
    Title::Text("hold"),
    Title::Text("covers"),
    Title::Text("reason"),
    Title::Text("by"),
    Title::Text("since"),
    Title::Number("seq"),
];

//! `indelible query`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::failure::{Failure, complain};
use crate::opening;
use crate::output::Output;
use crate::rows::{Rows, tell_gone};

/// Print the records that a query finds, newest first
///
/// On a terminal a table, elsewhere one JSON object a line, as cat prints them. QUERY is the query of a URL: fields with
/// values, joined by &; values of a field that are joined by commas are "or", FIELD.not excludes. What is purged or
/// erased and may have been meant is told on standard error. Nothing is verified: see verify. Nothing is recorded either:
/// who can read the files reads them unrecorded.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  indelible query audit 'event_type=auth.login.failed&last=24h'
  indelible query audit 'actor_id=usr_alice123&start_time=2026-02-01T00:00:00Z&order=oldest' --all | jq .event.action")]
pub(crate) struct Query {
    /// The log directory
    dir: PathBuf,

    /// What is asked for; everything unless given
    #[arg(default_value = "")]
    query: indelible::Query,

    /// All that is found, not only the first page: 100 records, or as many as the query's limit says
    #[arg(long)]
    all: bool,

    /// JSON Lines on a terminal too
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &Query, output: &mut Output) -> Result<ExitCode, Failure> {
    let reader = opening::reader(&arguments.dir)?;
    let mut query = arguments.query.clone();
    let mut rows = Rows::new(arguments.json);
    loop {
        let page = reader.query(&query)?;
        rows.print(&page.found, output)?;
        output.flush();
        tell_gone(&page.gone);
        match page.next {
            Some(next) if arguments.all && !output.is_ended() => query = query.after(next),
            Some(next) => {
                if !output.is_ended() {
                    complain(format!("there are more: --all, or add cursor={next} to the query"));
                }
                break;
            }
            None => break,
        }
    }
    Ok(ExitCode::SUCCESS)
}

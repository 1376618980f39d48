//! `indelible tail`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use indelible::follow::Followed;
use indelible::query::Order;
use indelible::{LogReader, Query};

use crate::failure::Failure;
use crate::opening;
use crate::output::Output;
use crate::rows::{Rows, tell_gone, tell_purged};

/// Print the last records, and with --follow each new one as soon as it is durable
///
/// On a terminal a table, elsewhere one JSON object a line, as cat prints them. With --from, a program that was stopped
/// goes on behind the last record that it got: it misses none and gets none twice.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  indelible tail audit --follow 'severity_min=high'
  indelible tail audit --follow --from 1000 | my-forwarder")]
pub(crate) struct Tail {
    /// The log directory
    dir: PathBuf,

    /// What is printed, as with query; everything unless given
    #[arg(default_value = "")]
    query: Query,

    /// So many records of those that are there, 1,000 at most
    #[arg(
        short = 'n',
        long = "lines",
        value_name = "COUNT",
        default_value_t = 10,
        conflicts_with = "from"
    )]
    count: usize,

    /// All records from this one on
    #[arg(long, value_name = "SEQ")]
    from: Option<u64>,

    /// Go on with what is recorded from now on
    #[arg(short, long)]
    follow: bool,

    /// JSON Lines on a terminal too
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &Tail, output: &mut Output) -> Result<ExitCode, Failure> {
    let reader = opening::reader(&arguments.dir)?;
    let mut rows = Rows::new(arguments.json);
    let from = match arguments.from {
        Some(from) => from,
        None if arguments.count == 0 => size(&reader)?,
        None => {
            let last = arguments.query.clone().order(Order::NewestFirst);
            let page = reader.query(&last.limit(arguments.count))?;
            rows.print(page.found.iter().rev(), output)?;
            tell_gone(&page.gone);
            page.size
        }
    };
    let Some(rest) = rest(&arguments.query, from) else {
        return Ok(ExitCode::SUCCESS);
    };
    let mut follower = reader.follow(&rest)?;
    while !output.is_ended() {
        let next = match follower.next_within(Duration::ZERO)? {
            None if arguments.follow && !follower.is_ended() => {
                // What is there is handed on before more is waited for.
                output.flush();
                follower.next_within(WAITED)?
            }
            next => next,
        };
        match next {
            Some(Followed::Record(found)) => rows.print([&found], output)?,
            Some(Followed::Purged(range)) => tell_purged(&range),
            None if !arguments.follow || follower.is_ended() => break,
            _ => {}
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// What a query asks for from a record on; `None` where it ends before that.
fn rest(query: &Query, from: u64) -> Option<Query> {
    let begins_later = query.clone().seq_to(from).check().is_err();
    if begins_later && from > 0 {
        return Some(query.clone());
    }
    let rest = query.clone().seq_from(from);
    rest.check().is_ok().then_some(rest)
}

fn size(reader: &LogReader) -> Result<u64, Failure> {
    Ok(reader.checkpoint()?.map_or(0, |newest| newest.checkpoint().size()))
}

/// So long is waited at once.
const WAITED: Duration = Duration::from_secs(3600);

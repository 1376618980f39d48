//! `indelible count`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use indelible::Query;
use indelible::query::{Bucket, CountBy, Counts, Field};

use crate::failure::Failure;
use crate::opening;
use crate::output::Output;
use crate::table::{Table, Title};

/// Count the records that a query finds
///
/// All together, or by a field, by time, or both. On a terminal a table, elsewhere one JSON object a line:
/// {"records","start","value"}, without what it does not have. Nothing is recorded.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  indelible count audit 'last=7d' --by event_type
  indelible count audit 'event_type=auth.login.failed&last=24h' --every 1h --by reason")]
pub(crate) struct Count {
    /// The log directory
    dir: PathBuf,

    /// What is counted, as with query; everything unless given
    #[arg(default_value = "")]
    query: Query,

    /// For each value of this field
    #[arg(long, value_name = "FIELD")]
    by: Option<Field>,

    /// For each part of time: so many seconds, minutes, hours, days or weeks, such as 15m, or month. In UTC
    #[arg(long, value_name = "PERIOD")]
    every: Option<Bucket>,

    /// JSON Lines on a terminal too
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &Count, output: &mut Output) -> Result<ExitCode, Failure> {
    let reader = opening::reader(&arguments.dir)?;
    let mut by = CountBy::new();
    if let Some(field) = &arguments.by {
        by = by.field(field.clone());
    }
    if let Some(bucket) = arguments.every {
        by = by.every(bucket);
    }
    let counts = reader.count(&arguments.query, &by)?;
    let is_grouped = arguments.by.is_some() || arguments.every.is_some();
    match (Table::for_terminal(TITLES), is_grouped) {
        (_, false) => output.line(format_args!(r#"{{"records":{}}}"#, counts.total)),
        (Some(mut table), true) if !arguments.json => table.print(rows(&counts), output),
        _ => counts
            .groups
            .iter()
            .for_each(|group| output.line(format_args!("{}", group.to_json()))),
    }
    Ok(ExitCode::SUCCESS)
}

fn rows(counts: &Counts) -> impl Iterator<Item = Vec<String>> {
    let most = counts
        .groups
        .iter()
        .map(|group| group.records)
        .max()
        .unwrap_or(1)
        .max(1);
    counts.groups.iter().map(move |group| {
        let bar = u128::from(group.records) * 1000 / u128::from(most);
        vec![
            group.start.map(|start| start.to_string()).unwrap_or_default(),
            group.value.clone().unwrap_or_default(),
            group.records.to_string(),
            bar.to_string(),
        ]
    })
}

const TITLES: &[Title] = &[
    Title::Text("from"),
    Title::Text("value"),
    Title::Number("records"),
    Title::Bar,
];

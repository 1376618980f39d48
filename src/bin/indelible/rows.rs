//! Records as people look at them: rows of a table on a terminal, JSON Lines elsewhere.

use indelible::query::Found;

use crate::failure::Failure;
use crate::output::Output;
use crate::table::{Table, Title};

/// Where records are printed.
#[derive(Debug)]
pub(crate) struct Rows {
    table: Option<Table>,
}

impl Rows {
    /// On a terminal, unless `json` is asked for.
    pub(crate) fn new(json: bool) -> Self {
        Self {
            table: if json { None } else { Table::for_terminal(TITLES) },
        }
    }

    pub(crate) fn print<'a>(
        &mut self,
        found: impl IntoIterator<Item = &'a Found>,
        output: &mut Output,
    ) -> Result<(), Failure> {
        let found = found.into_iter();
        match &mut self.table {
            Some(table) => {
                let rows: Result<Vec<_>, Failure> = found.map(row).collect();
                table.print(rows?, output);
            }
            None => {
                for found in found {
                    let json = found.to_json();
                    let json = json.ok_or_else(|| unreadable(found))?;
                    output.line(format_args!("{json}"));
                }
            }
        }
        Ok(())
    }
}

fn row(found: &Found) -> Result<Vec<String>, Failure> {
    let record = &found.record;
    let event = record.event().map_err(|_| unreadable(found))?;
    let event = event.ok_or_else(|| unreadable(found))?;
    let fields = event.fields();
    let time = fields.occurred_at.or(record.recorded_at());
    let time = time.map(|time| time.to_string().chars().take(TIME_LENGTH).collect::<String>());
    let targets = fields
        .targets
        .iter()
        .map(|target| format!("{}:{}", target.target_type, target.id));
    let ip = fields.context.ip.map(|ip| ip.to_string());
    let reason = fields.reason.clone();
    Ok(vec![
        record.seq().to_string(),
        time.map(|time| time.replace('T', " ")).unwrap_or_default(),
        fields.action.to_string(),
        fields.outcome.to_string(),
        fields.actor.as_ref().map(|actor| actor.id.clone()).unwrap_or_default(),
        targets.collect::<Vec<_>>().join(" "),
        ip.unwrap_or_default(),
        reason.unwrap_or_default(),
    ])
}

fn unreadable(found: &Found) -> Failure {
    let seq = found.record.seq();
    Failure::new(format!("record {seq}: its event cannot be put together"))
}

const TITLES: &[Title] = &[
    Title::Number("seq"),
    Title::Text("time (UTC)"),
    Title::Text("action"),
    Title::Text("outcome"),
    Title::Text("actor"),
    Title::Text("target"),
    Title::Text("ip"),
    Title::Text("reason"),
];

/// The length of `YYYY-MM-DDTHH:MM:SS`.
const TIME_LENGTH: usize = 19;

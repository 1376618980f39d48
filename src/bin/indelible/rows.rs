//! Records as people look at them: rows of a table on a terminal, JSON Lines elsewhere.

use std::ops::Range;

use indelible::Timestamp;
use indelible::query::{Found, Gone};

use crate::failure::{Failure, complain};
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
                table.print(found.map(row), output);
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

fn row(found: &Found) -> Vec<String> {
    let record = &found.record;
    let shown = |time: Option<Timestamp>| {
        let time = time.map(|time| time.to_string().chars().take(TIME_LENGTH).collect::<String>());
        time.map(|time| time.replace('T', " ")).unwrap_or_default()
    };
    // One record that is not as this version knows them hides no other.
    let Ok(Some(event)) = record.event() else {
        let action = record.action();
        return vec![
            record.seq().to_string(),
            shown(record.recorded_at()),
            action.unwrap_or_default(),
            "(unreadable)".to_owned(),
        ];
    };
    let fields = event.fields();
    let targets = fields
        .targets
        .iter()
        .map(|target| format!("{}:{}", target.target_type, target.id));
    let ip = fields.context.ip.map(|ip| ip.to_string());
    let reason = fields.reason.clone();
    vec![
        record.seq().to_string(),
        shown(fields.occurred_at.or(record.recorded_at())),
        fields.action.to_string(),
        fields.outcome.to_string(),
        fields.actor.as_ref().map(|actor| actor.id.clone()).unwrap_or_default(),
        targets.collect::<Vec<_>>().join(" "),
        ip.unwrap_or_default(),
        reason.unwrap_or_default(),
    ]
}

fn unreadable(found: &Found) -> Failure {
    let seq = found.record.seq();
    Failure::new(format!("record {seq}: its event cannot be put together"))
}

/// Says on standard error what could not be found any more.
pub(crate) fn tell_gone(gone: &Gone) {
    if let Some(purged) = &gone.purged {
        tell_purged(purged);
    }
    if gone.erased > 0 {
        complain(format!("erased records among them: {}", gone.erased));
    }
    if gone.personal_erased > 0 {
        complain(format!(
            "records without their personal data among them: {}",
            gone.personal_erased
        ));
    }
}

pub(crate) fn tell_purged(range: &Range<u64>) {
    let last = range.end.saturating_sub(1);
    complain(format!("records {} to {last} are purged", range.start));
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

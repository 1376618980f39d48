//! CSV: RFC 4180, guarded against formulas.

use std::borrow::Cow;

use super::output::Output;
use super::source::{Plan, Source, Written, merged};
use crate::error::Result;
use crate::event::Action;
use crate::event::scan::{items, members, text};
use crate::record::Record;

/// The columns, in their order. Later versions add columns behind these, and change none.
pub const COLUMNS: [&str; 40] = [
    "seq",
    "recorded_at",
    "hash",
    "id",
    "action",
    "category",
    "outcome",
    "reason",
    "severity",
    "occurred_at",
    "actor_type",
    "actor_id",
    "actor_name",
    "actor_email",
    "on_behalf_of_type",
    "on_behalf_of_id",
    "on_behalf_of_name",
    "on_behalf_of_email",
    "target_type",
    "target_id",
    "target_name",
    "target_email",
    "targets",
    "tenant_id",
    "source",
    "ip",
    "user_agent",
    "country",
    "session_id",
    "request_id",
    "trace_id",
    "correlation_id",
    "auth_method",
    "client_id",
    "http_method",
    "http_path",
    "context",
    "changes",
    "metadata",
    "personal_data",
];

/// Writes the columns' names, and a row for each record that matches.
pub(super) fn write(
    source: &mut Source<'_>,
    plan: &Plan,
    formula_guard: bool,
    output: &mut Output<'_>,
) -> Result<Written> {
    let mut row = Row {
        out: Vec::new(),
        formula_guard,
    };
    COLUMNS.iter().for_each(|name| row.cell(name));
    output.write(row.end())?;
    source.each(plan, |record| {
        row.out.clear();
        row.record(record, merged(record)?.as_bytes());
        output.count();
        output.write(row.end())
    })
}

/// One row on its way.
struct Row {
    out: Vec<u8>,
    formula_guard: bool,
}

impl Row {
    fn record(&mut self, record: &Record, event: &[u8]) {
        let event = Fields(members(event).collect());
        for column in COLUMNS {
            match column {
                "seq" => self.cell(&record.seq().to_string()),
                "hash" => self.cell(&record.hash().to_string()),
                "recorded_at" => self.cell(&record.recorded_at().map(|time| time.to_string()).unwrap_or_default()),
                "category" => self.cell(Action::from(&*event.cell(&["action"])).category()),
                "personal_data" => self.cell(record.personal_json().map_or("erased", |_| "present")),
                _ => self.cell(&event.column(column)),
            }
        }
    }

    /// Adds a cell: always quoted, with its quotes doubled (RFC 4180 §2).
    fn cell(&mut self, text: &str) {
        let text = match self.formula_guard {
            true => guarded(text),
            false => Cow::Borrowed(text),
        };
        self.out
            .extend_from_slice(if self.out.is_empty() { b"\"" } else { b",\"" });
        for (at, part) in text.split('"').enumerate() {
            self.out.extend_from_slice(if at == 0 { b"" } else { b"\"\"" });
            self.out.extend_from_slice(part.as_bytes());
        }
        self.out.push(b'"');
    }

    fn end(&mut self) -> &[u8] {
        self.out.extend_from_slice(b"\r\n");
        &self.out
    }
}

/// The members of an event.
struct Fields<'a>(Vec<(&'a [u8], &'a [u8])>);

impl<'a> Fields<'a> {
    /// The cell of a column that is a field of the event.
    fn column(&self, column: &str) -> Cow<'a, str> {
        let path: &[&str] = match column {
            "session_id" | "request_id" | "trace_id" | "correlation_id" | "ip" | "user_agent" => &["context", column],
            "country" => &["context", "location", "country"],
            "auth_method" => &["context", "auth", "method"],
            "client_id" => &["context", "auth", "client_id"],
            "http_method" => &["context", "http", "method"],
            "http_path" => &["context", "http", "path"],
            _ => match column.rsplit_once('_') {
                Some(("actor", part)) => &["actor", part],
                Some(("on_behalf_of", part)) => &["on_behalf_of", part],
                Some(("target", part)) => {
                    let first = self.value(&["targets"]).and_then(|targets| items(targets).next());
                    return shown(first.and_then(|target| member(target, part)));
                }
                _ => &[column],
            },
        };
        self.cell(path)
    }

    fn cell(&self, path: &[&str]) -> Cow<'a, str> {
        shown(self.value(path))
    }

    fn value(&self, path: &[&str]) -> Option<&'a [u8]> {
        let (name, path) = path.split_first()?;
        let (_, value) = self.0.iter().find(|(key, _)| *key == name.as_bytes())?;
        path.iter().try_fold(*value, |object, name| member(object, name))
    }
}

fn member<'a>(object: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let mut found = members(object).filter(|(key, _)| *key == name.as_bytes());
    found.next().map(|(_, value)| value)
}

/// The text of a string, the JSON of another value, and nothing where there is none.
fn shown(value: Option<&[u8]>) -> Cow<'_, str> {
    match value {
        Some(value) if value.starts_with(b"\"") => text(value),
        Some(value) => String::from_utf8_lossy(value),
        None => Cow::Borrowed(""),
    }
}

/// Puts `'` before what a spreadsheet takes for the beginning of a formula (OWASP, "CSV Injection"): at the beginning of
/// a cell, and behind what another spreadsheet takes for the end of one.
pub(super) fn guarded(cell: &str) -> Cow<'_, str> {
    let (mut guarded, mut copied) = (String::new(), 0);
    let ends = cell.bytes().enumerate().filter(|(_, byte)| SEPARATORS.contains(byte));
    for begin in std::iter::once(0).chain(ends.map(|(at, _)| at + 1)) {
        let rest = cell.get(begin..).unwrap_or_default();
        let formula = rest.trim_start_matches(is_skipped);
        let is_formula = formula.starts_with(TRIGGERS) || begin == 0 && formula.starts_with(LEADING);
        if is_formula {
            let place = cell.len() - formula.len();
            guarded.push_str(cell.get(copied..place).unwrap_or_default());
            guarded.push('\'');
            copied = place;
        }
    }
    match guarded.is_empty() {
        true => Cow::Borrowed(cell),
        false => Cow::Owned(guarded + cell.get(copied..).unwrap_or_default()),
    }
}

/// What a spreadsheet may pass over before a formula: quotes, spaces of all kinds, and what has no width.
fn is_skipped(char: char) -> bool {
    char == '"' || char.is_whitespace() && !LEADING.contains(&char) || NO_WIDTH.contains(&char)
}

/// What a formula begins with, also in full width.
const TRIGGERS: [char; 8] = ['=', '+', '-', '@', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'];

/// What is dropped, or ends a cell, before a formula at the beginning of one.
const LEADING: [char; 4] = ['\t', '\r', '\n', '\0'];

const NO_WIDTH: [char; 5] = ['\u{200b}', '\u{200c}', '\u{200d}', '\u{2060}', '\u{feff}'];

/// What ends a cell elsewhere than in RFC 4180. Quotes hold a comma together everywhere.
const SEPARATORS: [u8; 5] = *b";\t\r\n|";

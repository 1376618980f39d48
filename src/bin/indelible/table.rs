//! Tables for people: as wide as their terminal.

use console::{Term, measure_text_width, truncate_str};

use crate::output::Output;
use crate::plain::plain;

/// A table that is printed some rows at a time. A column grows with what comes, and never shrinks; what has no room in
/// the terminal is cut, from the right.
#[derive(Debug)]
pub(crate) struct Table {
    titles: &'static [Title],
    widths: Vec<usize>,
    room: usize,
    is_begun: bool,
}

/// What stands above a column.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Title {
    /// Of text.
    Text(&'static str),
    /// Of numbers, which stand to the right.
    Number(&'static str),
    /// Of bars, each as long as its cell says in thousandths of the room that is left; the last column.
    Bar,
}

impl Title {
    fn text(self) -> &'static str {
        match self {
            Self::Text(text) | Self::Number(text) => text,
            Self::Bar => "",
        }
    }
}

impl Table {
    /// A table for the terminal that standard output is; `None` where it is none.
    pub(crate) fn for_terminal(titles: &'static [Title]) -> Option<Self> {
        let terminal = Term::stdout();
        terminal.is_term().then(|| {
            let width = terminal
                .size_checked()
                .map_or(WIDTH_UNKNOWN, |(_, columns)| columns.into());
            Self::of_width(titles, width)
        })
    }

    fn of_width(titles: &'static [Title], room: usize) -> Self {
        Self {
            widths: titles.iter().map(|title| title.text().len()).collect(),
            titles,
            room,
            is_begun: false,
        }
    }

    pub(crate) fn print(&mut self, rows: impl IntoIterator<Item = Vec<String>>, output: &mut Output) {
        let rows: Vec<Vec<String>> = rows
            .into_iter()
            .map(|row| row.iter().map(|cell| in_a_line(cell)).collect())
            .collect();
        for row in &rows {
            for ((width, title), cell) in self.widths.iter_mut().zip(self.titles).zip(row) {
                if let Title::Bar = title {
                    continue;
                }
                *width = measure_text_width(cell).min(CELL_MAX).max(*width);
            }
        }
        if !self.is_begun && !rows.is_empty() {
            self.is_begun = true;
            let titles: Vec<String> = self.titles.iter().map(|title| title.text().to_owned()).collect();
            output.line(format_args!("{}", self.line(&titles)));
        }
        for row in &rows {
            output.line(format_args!("{}", self.line(row)));
        }
    }

    fn line(&self, cells: &[String]) -> String {
        let mut line = String::new();
        for ((title, width), cell) in self.titles.iter().zip(&self.widths).zip(cells) {
            if let Title::Bar = title {
                let room = self.room.saturating_sub(measure_text_width(&line)).min(BAR_MAX);
                line.push_str(&"█".repeat(room * cell.parse().unwrap_or(0) / 1000));
                continue;
            }
            let cell = truncate_str(cell, *width, "…");
            let gap = " ".repeat(width.saturating_sub(measure_text_width(&cell)));
            match title {
                Title::Number(_) => line.extend([&gap, &*cell, "  "]),
                _ => line.extend([&*cell, &gap, "  "]),
            }
        }
        truncate_str(line.trim_end(), self.room, "…").into_owned()
    }
}

/// In one line that commands nothing.
fn in_a_line(cell: &str) -> String {
    plain(cell).replace('\n', "\\n").replace('\t', "\\t")
}

const WIDTH_UNKNOWN: usize = 80;

/// No column is wider.
const CELL_MAX: usize = 48;

/// No bar is longer.
const BAR_MAX: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_fits_the_terminal_and_commands_nothing() {
        let mut table = Table::of_width(&[Title::Number("seq"), Title::Text("action"), Title::Text("actor")], 30);
        table.widths = vec![5, 12, 20];
        let line = |cells: [&str; 3]| table.line(&cells.map(in_a_line));
        assert_eq!(line(["7", "auth.login", "usr_1"]), "    7  auth.login    usr_1");
        assert_eq!(
            line(["12345", "auth.login.failed", "a name that is long"]),
            "12345  auth.login.…  a name t…"
        );
        assert_eq!(line(["1", "日本語日本語日本語", "x"]), "    1  日本語日本…   x");
        assert_eq!(
            line(["1", "\u{1b}[31mred", "\u{202e}x\n"]),
            "    1  \\u001b[31mr…  \\u202ex\\n"
        );
    }
    #[test]
    fn a_bar_has_the_room_that_is_left() {
        let bar = |room, cells: [&str; 3]| {
            let mut table = Table::of_width(&[Title::Text("value"), Title::Number("records"), Title::Bar], room);
            table.widths = vec![10, 7, 0];
            let line = table.line(&cells.map(in_a_line));
            assert!(measure_text_width(&line) <= room);
            line.matches('█').count()
        };
        assert_eq!(bar(31, ["usr_1", "7", "1000"]), 10);
        assert_eq!(bar(31, ["usr_1", "3", "500"]), 5);
        assert_eq!(bar(200, ["usr_1", "7", "1000"]), 40);
        assert_eq!(bar(12, ["usr_1", "7", "1000"]), 0);
        assert_eq!(bar(80, ["records", "records", ""]), 0);
    }
}

//! Tables for people: as wide as their terminal.

use console::{Term, measure_text_width, truncate_str};

use crate::output::Output;

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
}

impl Title {
    fn text(self) -> &'static str {
        match self {
            Self::Text(text) | Self::Number(text) => text,
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
            .map(|row| row.iter().map(|cell| shown(cell)).collect())
            .collect();
        for row in &rows {
            for (width, cell) in self.widths.iter_mut().zip(row) {
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
            let cell = truncate_str(cell, *width, "…");
            let gap = " ".repeat(width.saturating_sub(measure_text_width(&cell)));
            match title {
                Title::Number(_) => line.extend([&gap, &*cell, "  "]),
                Title::Text(_) => line.extend([&*cell, &gap, "  "]),
            }
        }
        truncate_str(line.trim_end(), self.room, "…").into_owned()
    }
}

/// Without what a terminal would take for a command.
fn shown(text: &str) -> String {
    let is_plain = |char: char| !char.is_control() && !is_directing(char);
    if text.chars().all(is_plain) {
        return text.to_owned();
    }
    let mut shown = String::new();
    for char in text.chars() {
        match is_plain(char) {
            true => shown.push(char),
            false => shown.extend(char.escape_default()),
        }
    }
    shown
}

/// What changes the direction in which text is read.
fn is_directing(char: char) -> bool {
    matches!(char, '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

const WIDTH_UNKNOWN: usize = 80;

/// No column is wider.
const CELL_MAX: usize = 48;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_fits_the_terminal_and_commands_nothing() {
        let mut table = Table::of_width(&[Title::Number("seq"), Title::Text("action"), Title::Text("actor")], 30);
        table.widths = vec![5, 12, 20];
        let line = |cells: [&str; 3]| table.line(&cells.map(shown));
        assert_eq!(line(["7", "auth.login", "usr_1"]), "    7  auth.login    usr_1");
        assert_eq!(
            line(["12345", "auth.login.failed", "a name that is long"]),
            "12345  auth.login.…  a name t…"
        );
        assert_eq!(line(["1", "日本語日本語日本語", "x"]), "    1  日本語日本…   x");
        assert_eq!(
            line(["1", "\u{1b}[31mred", "\u{202e}x\n"]),
            "    1  \\u{1b}[31mr…  \\u{202e}…"
        );
    }
}

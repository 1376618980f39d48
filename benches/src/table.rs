//! Tables in Markdown, aligned for a terminal, so that they can be put into the README as they are.

/// A table.
#[derive(Debug)]
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these columns.
    pub fn new(columns: &[&str]) -> Self {
        Self {
            rows: vec![columns.iter().map(|column| (*column).to_owned()).collect()],
        }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Prints it under a title.
    pub fn print(&self, title: &str) {
        println!("\n{title}\n");
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0).max(3)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for (index, row) in self.rows.iter().enumerate() {
            let cells = widths.iter().enumerate().map(|(column, width)| {
                let cell = row.get(column).map_or("", String::as_str);
                if column == 0 {
                    format!("{cell:<width$}")
                } else {
                    format!("{cell:>width$}")
                }
            });
            println!("| {} |", cells.collect::<Vec<_>>().join(" | "));
            if index == 0 {
                let rule = widths.iter().enumerate().map(|(column, width)| {
                    if column == 0 {
                        "-".repeat(*width)
                    } else {
                        format!("{}:", "-".repeat(width - 1))
                    }
                });
                println!("| {} |", rule.collect::<Vec<_>>().join(" | "));
            }
        }
    }
}

/// A whole number with separators: `123,456`.
pub fn count(number: f64) -> String {
    let digits = format!("{:.0}", number.max(0.0));
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A ratio beside what it is to be.
pub fn ratio(ratio: f64, target: Target) -> String {
    match target {
        Target::None => format!("{ratio:.2}"),
        _ => format!("{ratio:.2} ({})", figure(ratio, "", target)),
    }
}

/// What a figure is to be, and whether it is not.
pub fn figure(figure: f64, unit: &str, target: Target) -> String {
    let (sign, limit, met) = match target {
        Target::AtLeast(limit) => ("≥", limit, figure >= limit),
        Target::AtMost(limit) => ("≤", limit, figure <= limit),
        Target::None => return String::new(),
    };
    let space = if unit.is_empty() { "" } else { " " };
    format!("{sign}{limit}{space}{unit}{}", if met { "" } else { " MISSED" })
}

/// What a figure is to be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Target {
    /// This or more.
    AtLeast(f64),
    /// This or less.
    AtMost(f64),
    /// It is for orientation.
    None,
}

//! Aligned columns.

use console::{measure_text_width, style, truncate_str};

/// The widest cell on a terminal, in columns; the first and the last of a row aside.
const LONGEST_CELL: usize = 32;

/// Rows of cells. Cells may carry colour; it counts for no width.
#[derive(Debug)]
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
    has_header: bool,
}

impl Table {
    /// A table with these column names.
    pub(crate) fn new<const N: usize>(header: [&str; N]) -> Self {
        let header = header.map(|name| style(name.to_uppercase()).dim().to_string());
        Self { rows: vec![header.into()], has_header: true }
    }

    /// Names on the left, what they stand for on the right.
    pub(crate) fn of_pairs() -> Self {
        Self { rows: Vec::new(), has_header: false }
    }

    /// Adds a row.
    pub(crate) fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.into());
    }

    /// Adds a name and what it stands for, unless that is empty.
    pub(crate) fn pair(&mut self, name: &str, value: impl Into<String>) {
        let value = value.into();
        if !value.is_empty() {
            self.row([style(name).dim().to_string(), value]);
        }
    }

    /// The lines, two spaces between columns and none at the end. A column in which nothing
    /// stands but its name is left out.
    pub(crate) fn lines(&self) -> impl Iterator<Item = String> {
        let widths = self.widths();
        self.rows.iter().map(move |row| {
            let shown = row.iter().zip(&widths).filter_map(|(cell, width)| Some((cell, (*width)?)));
            let cells = shown.map(|(cell, width)| {
                let gap = width + 2 - measure_text_width(cell);
                format!("{cell}{}", " ".repeat(gap))
            });
            cells.collect::<String>().trim_end().to_owned()
        })
    }

    /// The lines for a terminal of so many columns: long cells are cut, and so is each line,
    /// for wrapped lines are no table. What is cut ends with "…".
    pub(crate) fn lines_within(&self, columns: usize) -> Vec<String> {
        let cut = |row: &Vec<String>| {
            let last = row.len().saturating_sub(1);
            let cell = |(index, cell): (usize, &String)| match index {
                _ if index == last => cell.clone(),
                // An id is of use only as a whole.
                0 => cell.clone(),
                _ => truncate_str(cell, LONGEST_CELL, "…").into_owned(),
            };
            row.iter().enumerate().map(cell).collect()
        };
        let rows = self.rows.iter().map(cut).collect();
        let table = Self { rows, has_header: self.has_header };
        table.lines().map(|line| truncate_str(&line, columns, "…").into_owned()).collect()
    }

    /// The width of each column; `None` for one that is left out.
    fn widths(&self) -> Vec<Option<usize>> {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        (0..columns).map(|column| self.width(column)).collect()
    }

    fn width(&self, column: usize) -> Option<usize> {
        let cells = self.rows.iter().filter_map(|row| row.get(column));
        let widths: Vec<usize> = cells.map(|cell| measure_text_width(cell)).collect();
        let body = if self.has_header { widths.get(1..)? } else { &widths[..] };
        body.iter().any(|width| *width > 0).then(|| widths.iter().copied().max())?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_by_what_is_seen() {
        let mut table = Table::new(["name", "state"]);
        table.row(["日本".to_owned(), "ready".to_owned()]);
        table.row([style("b").red().force_styling(true).to_string(), String::new()]);
        let lines: Vec<String> = table.lines().collect();
        assert_eq!(console::strip_ansi_codes(&lines[0]), "NAME  STATE");
        assert_eq!(lines[1], "日本  ready");
        assert_eq!(console::strip_ansi_codes(&lines[2]).trim_end(), "b");
    }

    #[test]
    fn on_a_terminal_nothing_wraps() {
        let mut table = Table::new(["id", "group", "why"]);
        table.row(["a".repeat(36), "g".repeat(128), "long words ".repeat(20)]);
        let lines = table.lines_within(90);
        assert!(lines.iter().all(|line| measure_text_width(line) <= 90), "{lines:?}");
        assert!(lines[1].starts_with(&format!("{}  {}…  long", "a".repeat(36), "g".repeat(31))));
        assert!(lines[1].ends_with('…'));
    }
}

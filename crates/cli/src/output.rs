//! The one place that prints: standard output is data, standard error is talk.

use std::io::{self, IsTerminal, Write};

use crate::table::Table;

/// Prints a line of data.
///
/// # Errors
/// When nobody reads any more: the command should end, quietly (see `failure::report`).
pub(crate) fn line(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.write_all(b"\n")?;
    out.flush()
}

/// Prints a table, cut to the width of the terminal if it goes to one.
///
/// # Errors
/// As [`line`].
pub(crate) fn table(table: &Table) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let lines = match out.is_terminal() {
        true => table.lines_within(usize::from(console::Term::stdout().size().1).max(20)),
        false => table.lines().collect(),
    };
    for line in lines {
        writeln!(out, "{line}")?;
    }
    out.flush()
}

/// Prints data as it stands, at once. Model text on a terminal loses its control characters:
/// an answer must not move the cursor or retitle the window.
///
/// # Errors
/// As [`line`].
pub(crate) fn text(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if out.is_terminal() {
        out.write_all(printable(text).as_bytes())?;
    } else {
        out.write_all(text.as_bytes())?;
    }
    out.flush()
}

/// Prints bytes of data as they stand.
///
/// # Errors
/// As [`line`].
pub(crate) fn bytes(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    out.flush()
}

/// Says something to a person. Nobody listening is no error.
pub(crate) fn talk(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// The text as a cell of a table: on one line and without control characters.
pub(crate) fn cell(text: &str) -> String {
    text.split_whitespace().map(printable).collect::<Vec<_>>().join(" ")
}

/// The text without control characters, lines and tabs aside.
pub(crate) fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect()
}

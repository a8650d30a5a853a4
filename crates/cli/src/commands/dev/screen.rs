//! One terminal that several parties write to: lines that stay, and below them a region
//! that is drawn again and again.

use std::{
    io::{self, IsTerminal, Write},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use console::{Term, truncate_str};

use crate::output;

/// Back to the first column, and clear all below. The cursor always rests at the top of the
/// region, so that what another process writes to the terminal pushes the region down and is
/// never erased.
const CLEAR: &str = "\r\x1b[J";

/// The screen; clones share it.
#[derive(Debug, Clone)]
pub(super) struct Screen {
    region: Arc<Mutex<Region>>,
    live: bool,
}

#[derive(Debug, Default)]
struct Region {
    lines: Vec<String>,
}

impl Screen {
    /// The screen of this process. Only a terminal that knows more than plain text has a region.
    pub(super) fn new() -> Self {
        let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        Self { region: Arc::default(), live: io::stdout().is_terminal() && !dumb }
    }

    /// Whether there is a region, and a person who looks at it.
    pub(super) fn is_live(&self) -> bool {
        self.live
    }

    /// Prints a line of data that stays.
    ///
    /// # Errors
    /// When nobody reads any more.
    pub(super) fn line(&self, text: &str) -> io::Result<()> {
        let region = self.lock();
        self.erase(&region)?;
        output::line(text)?;
        self.draw(&region)
    }

    /// Says something to a person.
    pub(super) fn talk(&self, text: &str) {
        let region = self.lock();
        // A terminal that takes no more is noticed by the next line of data.
        let _ = self.erase(&region);
        output::talk(text);
        let _ = self.draw(&region);
    }

    /// Replaces the region's lines. Without a region it does nothing.
    ///
    /// # Errors
    /// As [`Screen::line`].
    pub(super) fn show(&self, lines: Vec<String>) -> io::Result<()> {
        let mut region = self.lock();
        if !self.live || region.lines == lines {
            return Ok(());
        }
        self.erase(&region)?;
        region.lines = lines;
        self.draw(&region)
    }

    /// Removes the region.
    pub(super) fn clear(&self) {
        // See `talk`.
        let _ = self.show(Vec::new());
    }

    /// How many columns a line has.
    pub(super) fn width(&self) -> usize {
        usize::from(Term::stdout().size().1).max(20)
    }

    /// The line, cut to the width of the terminal if it is one.
    pub(super) fn fitted(&self, line: &str) -> String {
        let width = if self.live { self.width() } else { usize::MAX };
        truncate_str(line, width, "…").into_owned()
    }

    fn erase(&self, region: &Region) -> io::Result<()> {
        if region.lines.is_empty() { Ok(()) } else { write(CLEAR) }
    }

    fn draw(&self, region: &Region) -> io::Result<()> {
        if region.lines.is_empty() {
            return Ok(());
        }
        let width = self.width() - 1;
        // A region higher than the terminal would scroll away from under the cursor.
        let height = usize::from(Term::stdout().size().0).saturating_sub(2).max(1);
        let shown = &region.lines[..region.lines.len().min(height)];
        let lines = shown.iter().map(|line| format!("{}\n", truncate_str(line, width, "…")));
        write(&format!("{CLEAR}{}\x1b[{}A", lines.collect::<String>(), shown.len()))
    }

    fn lock(&self) -> MutexGuard<'_, Region> {
        self.region.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn write(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

//! The tasks as they run: on a terminal one live line each and the whole text at the end;
//! elsewhere whole lines as they come.

use std::io;

use console::{Color, measure_text_width, style};
use taskfleet_proto::v1::{TaskState, TaskStateChanged};

use super::screen::Screen;
use crate::{follow::Event, output::printable, words};

/// Told apart at a glance; taken in turns.
const COLORS: [Color; 4] = [Color::Cyan, Color::Magenta, Color::Yellow, Color::Blue];

/// All tasks of a session.
pub(super) struct Board {
    screen: Screen,
    tasks: Vec<Shown>,
}

/// What is shown of one task.
struct Shown {
    tag: String,
    prompt: String,
    /// What it does, until it says something.
    status: String,
    /// Live: the whole text so far. Otherwise: the line that has not ended yet.
    text: String,
    done: bool,
}

impl Board {
    /// A board for these prompts, in their order.
    pub(super) fn new(screen: Screen, prompts: &[String]) -> Self {
        let shown = |(index, prompt): (usize, &String)| Shown {
            tag: style(format!("[{}]", index + 1)).fg(COLORS[index % COLORS.len()]).to_string(),
            prompt: printable(prompt),
            status: "queued".to_owned(),
            text: String::new(),
            done: false,
        };
        let tasks = prompts.iter().enumerate().map(shown).collect();
        Self { screen, tasks }
    }

    /// Takes an event of task `index`.
    ///
    /// # Errors
    /// When nobody reads any more.
    pub(super) fn take(&mut self, index: usize, event: Event) -> io::Result<()> {
        match event {
            Event::State(change) => {
                self.tasks[index].status = status(&change);
                Ok(())
            }
            Event::Text(text) => self.text(index, &text),
            Event::StartedAgain => {
                self.tasks[index].text.clear();
                self.line(index, "— started again —")
            }
            Event::Interrupted => {
                "the connection broke; making it again".clone_into(&mut self.tasks[index].status);
                Ok(())
            }
            Event::Ended(task) => self.end(index, &words::ending(&task)),
        }
    }

    /// Draws the live lines.
    ///
    /// # Errors
    /// As [`Board::take`].
    pub(super) fn draw(&self) -> io::Result<()> {
        let width = self.screen.width();
        let running = self.tasks.iter().filter(|task| !task.done);
        self.screen.show(running.map(|task| task.live_line(width)).collect())
    }

    /// Removes the live lines.
    ///
    /// # Errors
    /// As [`Board::take`].
    pub(super) fn close(&self) -> io::Result<()> {
        self.screen.show(Vec::new())
    }

    fn text(&mut self, index: usize, text: &str) -> io::Result<()> {
        self.tasks[index].text.push_str(&printable(text));
        if self.screen.is_live() {
            return Ok(());
        }
        while let Some((line, rest)) = self.tasks[index].text.split_once('\n') {
            let (line, rest) = (line.to_owned(), rest.to_owned());
            self.tasks[index].text = rest;
            self.line(index, &line)?;
        }
        Ok(())
    }

    fn end(&mut self, index: usize, ending: &str) -> io::Result<()> {
        self.tasks[index].done = true;
        let text = std::mem::take(&mut self.tasks[index].text);
        if !self.screen.is_live() {
            if !text.is_empty() {
                self.line(index, &text)?;
            }
            return self.line(index, ending);
        }
        self.draw()?;
        let prompt = style(self.tasks[index].prompt.replace('\n', " ")).bold().to_string();
        self.line(index, &prompt)?;
        for line in wrapped(text.trim(), self.screen.width().saturating_sub(6)) {
            self.screen.line(&format!("    {line}"))?;
        }
        self.screen.line(&format!("    {}", style(ending).dim()))?;
        self.screen.line("")
    }

    fn line(&self, index: usize, text: &str) -> io::Result<()> {
        self.screen.line(&format!("{} {text}", self.tasks[index].tag))
    }
}

impl Shown {
    /// The tag, what the task does, and the end of its text as far as it fits.
    fn live_line(&self, width: usize) -> String {
        let head = format!("{} {}", self.tag, style(&self.status).dim());
        let room = width.saturating_sub(measure_text_width(&head) + 3);
        format!("{head}  {}", tail(&self.text, room))
    }
}

fn status(change: &TaskStateChanged) -> String {
    match change.state() {
        TaskState::Running => change.worker.clone(),
        state => words::short(state.as_str_name(), "TASK_STATE_"),
    }
}

/// The last characters of `text` that fit into `width` columns, on one line.
fn tail(text: &str, width: usize) -> String {
    let mut room = width;
    let fits =
        text.chars().rev().map(|c| if c.is_whitespace() { ' ' } else { c }).take_while(|c| {
            let columns = measure_text_width(c.encode_utf8(&mut [0; 4]));
            let fits = columns <= room;
            room = room.saturating_sub(columns);
            fits
        });
    let backwards: Vec<char> = fits.collect();
    backwards.into_iter().rev().collect()
}

/// The lines of `text`, none wider than `width` columns unless a single word is.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    text.lines().flat_map(|line| wrapped_line(line, width)).collect()
}

fn wrapped_line(line: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in line.split(' ') {
        let last = lines.len() - 1;
        if !lines[last].is_empty()
            && measure_text_width(&lines[last]) + 1 + measure_text_width(word) > width
        {
            lines.push(word.to_owned());
        } else {
            if !lines[last].is_empty() {
                lines[last].push(' ');
            }
            lines[last].push_str(word);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tail_fits_and_cuts_no_character() {
        assert_eq!(tail("one\ntwo 日本", 8), "two 日本");
        assert_eq!(tail("日本", 3), "本");
        assert_eq!(tail("", 3), "");
    }

    #[test]
    fn words_wrap_and_lines_stay() {
        assert_eq!(wrapped("a bc def\n\nghijkl m", 5), ["a bc", "def", "", "ghijkl", "m"]);
    }
}

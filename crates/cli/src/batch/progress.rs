//! How far a submission has come: a bar on a terminal, a line now and then elsewhere.

use std::{
    fmt,
    io::{self, IsTerminal},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use tokio::time::Instant;

use super::ledger::Counts;
use crate::{
    output,
    words::{self, grouped},
};

/// Without a terminal a line is said this often, and none when nothing has changed.
const SAY_EVERY: Duration = Duration::from_secs(10);
const BAR: &str = "{bar:24} {human_pos}/{human_len} {msg}, {rate}, {eta} left";

/// Tells a person how it goes. Clones tell of the same submission.
#[derive(Debug, Clone)]
pub(super) struct Progress {
    bar: ProgressBar,
    is_live: bool,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    counts: Counts,
    running: Option<u64>,
    /// Ended before this run.
    before: u64,
    since: Instant,
    said_at: Instant,
    said: String,
}

impl Progress {
    /// Of tasks that stand like this at the beginning.
    pub(super) fn new(counts: Counts) -> Self {
        let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        let is_live = io::stderr().is_terminal() && !dumb;
        let target = match is_live {
            true => ProgressDrawTarget::stderr(),
            false => ProgressDrawTarget::hidden(),
        };
        let bar = ProgressBar::with_draw_target(Some(counts.ended() + counts.open), target);
        // Cannot fail: the template is ours, and right.
        if let Ok(style) = ProgressStyle::with_template(BAR) {
            let style = style.with_key("rate", |state: &ProgressState, to: &mut dyn fmt::Write| {
                // A line that cannot be drawn is drawn again.
                let _ = write!(to, "{:.1} a second", state.per_sec());
            });
            bar.set_style(style.progress_chars("━╸─"));
        }
        bar.set_position(counts.ended());
        bar.reset_eta();
        let now = Instant::now();
        let state = State {
            counts,
            running: None,
            before: counts.ended(),
            since: now,
            said_at: now,
            said: String::new(),
        };
        let progress = Self { bar, is_live, state: Arc::new(Mutex::new(state)) };
        progress.draw();
        progress
    }

    /// How the tasks stand now.
    pub(super) fn counts(&self, counts: Counts) {
        self.lock().counts = counts;
        self.bar.set_position(counts.ended());
        self.draw();
    }

    /// How many run now, of all tasks of the fleet.
    pub(super) fn running(&self, running: u64) {
        self.lock().running = Some(running);
        self.draw();
    }

    /// Time goes on: elsewhere than on a terminal it is time for a line.
    pub(super) fn tick(&self) {
        self.bar.tick();
        let mut state = self.lock();
        if self.is_live || state.said_at.elapsed() < SAY_EVERY {
            return;
        }
        state.said_at = Instant::now();
        let line = state.line();
        if line != state.said {
            output::talk(&line);
            state.said = line;
        }
    }

    /// Says something to a person, above the bar.
    pub(super) fn say(&self, words: &str) {
        self.bar.suspend(|| output::talk(words));
    }

    /// Does something that may print on the same terminal.
    pub(super) fn beside<T>(&self, print: impl FnOnce() -> T) -> T {
        self.bar.suspend(print)
    }

    /// Removes the bar.
    pub(super) fn close(&self) {
        self.bar.finish_and_clear();
    }

    fn draw(&self) {
        self.bar.set_message(self.lock().message());
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn message(&self) -> String {
        let running = self.running.map(|running| format!(", the fleet runs {}", grouped(running)));
        format!("done, {}{}", self.counts.not_completed(), running.unwrap_or_default())
    }

    /// "1,200 of 20,000 done, 3 failed, the fleet runs 64, 40.1 a second, 8 min left".
    fn line(&self) -> String {
        let (done, open) = (self.counts.ended(), self.counts.open);
        let rate = (done - self.before) as f64 / self.since.elapsed().as_secs_f64().max(0.001);
        let left = Duration::try_from_secs_f64(open as f64 / rate).ok();
        let left = left.map(|left| format!(", {rate:.1} a second, {} left", words::duration(left)));
        let (done, all) = (grouped(done), grouped(done + open));
        format!("{done} of {all} {}{}", self.message(), left.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_line_says_how_far_it_is_and_how_long_it_takes() {
        let counts = Counts { open: 900, completed: 99, failed: 1, ..Counts::default() };
        let progress = Progress::new(counts);
        tokio::time::advance(Duration::from_secs(10)).await;
        let later = Counts { open: 400, completed: 597, failed: 3, ..counts };
        progress.counts(later);
        progress.running(64);
        let line = progress.lock().line();
        assert_eq!(
            line,
            "600 of 1,000 done, 3 failed, the fleet runs 64, 50.0 a second, 8.0 s left"
        );
        progress.counts(counts);
        assert_eq!(progress.lock().line(), "100 of 1,000 done, 1 failed, the fleet runs 64");
    }
}

//! Says what a prompt waits for when nothing comes for some seconds.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use taskfleet_proto::v1::{AttemptEnd, GetTaskRequest, Task};
use tokio::time::{Instant, interval};

use super::screen::Screen;
use crate::{client::Client, follow::Event, output::printable, words};

/// Without a piece of text or an end for so long, the supervisor is asked why. The pause
/// doubles with each question …
const QUIET: Duration = Duration::from_secs(3);
/// … up to this.
const LONGEST_QUIET: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Questions at a time: the screen is not to wait for hundreds.
const ASKED_AT_ONCE: usize = 16;

/// How long nothing has come of each task.
pub(super) struct Waits {
    tasks: Mutex<Vec<Quiet>>,
}

/// Of one task.
#[derive(Debug, Clone)]
struct Quiet {
    /// When it is asked for next; never, once it has ended.
    ask_at: Option<Instant>,
    pause: Duration,
    told: String,
}

impl Waits {
    /// Nothing has come yet of so many tasks.
    pub(super) fn new(tasks: usize) -> Self {
        let ask_at = Some(Instant::now() + QUIET);
        let quiet = Quiet { ask_at, pause: QUIET, told: String::new() };
        Self { tasks: Mutex::new(vec![quiet; tasks]) }
    }

    /// This has come of task `index`. That it was started, or came back, says nothing of
    /// whether it gets on.
    pub(super) fn hear(&self, index: usize, event: &Event) {
        let quiet = &mut self.lock()[index];
        match event {
            Event::Text(_) => {
                quiet.pause = QUIET;
                quiet.ask_at = Some(Instant::now() + QUIET);
            }
            Event::Ended(_) => quiet.ask_at = None,
            Event::State(_) | Event::StartedAgain | Event::Interrupted => {}
        }
    }

    /// Says what they wait for, as often as that has changed, until it is dropped.
    pub(super) async fn tell(
        &self,
        client: &Client,
        ids: &[String],
        screen: &Screen,
    ) -> Infallible {
        let mut looks = interval(LOOK_EVERY);
        loop {
            looks.tick().await;
            let mut said: BTreeMap<String, Vec<String>> = BTreeMap::new();
            for index in self.due() {
                if let Some(words) = self.ask(client, index, &ids[index]).await {
                    said.entry(words).or_default().push(format!("[{}]", index + 1));
                }
            }
            for (words, tags) in said {
                screen.talk(&format!("{} {}", tags.join(" "), printable(&words)));
            }
        }
    }

    /// Those that are to be asked for now.
    fn due(&self) -> Vec<usize> {
        let now = Instant::now();
        let mut tasks = self.lock();
        let all = tasks.iter_mut().enumerate();
        let due = all.filter(|(_, quiet)| quiet.ask_at.is_some_and(|at| at <= now));
        due.take(ASKED_AT_ONCE)
            .map(|(index, quiet)| {
                quiet.pause = (quiet.pause * 2).min(LONGEST_QUIET);
                quiet.ask_at = Some(now + quiet.pause);
                index
            })
            .collect()
    }

    /// What it waits for, unless that was said before.
    async fn ask(&self, client: &Client, index: usize, id: &str) -> Option<String> {
        let request = GetTaskRequest { task_id: id.to_owned() };
        // A supervisor that is away is told of where the task is followed.
        let answer = client.answer(client.tasks().get_task(request)).await.ok()?;
        let (what, words) = reason(&answer.task?)?;
        let told = &mut self.lock()[index].told;
        (std::mem::replace(told, what.clone()) != what).then_some(words)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Quiet>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why a task gets on so slowly: by what it is known again, and in words.
fn reason(task: &Task) -> Option<(String, String)> {
    if let Some(waiting) = &task.waiting {
        return Some((waiting.detail.clone(), format!("waits: {}", words::waiting(waiting))));
    }
    let mut ended = task.attempts.iter().rev().filter(|one| one.end() != AttemptEnd::Running);
    let error = &ended.find(|attempt| !attempt.error.is_empty())?.error;
    Some((error.clone(), format!("is tried again; its last try failed: {error}")))
}

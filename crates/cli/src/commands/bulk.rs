//! Commands that do one thing to tasks that are named, or to all that a filter finds.

use std::{
    future::Future,
    io::{self, BufRead, IsTerminal},
    process::ExitCode,
    time::Duration,
};

use clap::Args;
use futures::{StreamExt, stream};
use taskfleet_proto::v1::TaskState;

use super::filter::{FilterArgs, Pages, State, in_words};
use crate::{
    ask,
    client::Client,
    failure::{self, Failure, Usage},
    output,
    words::{self, counted, grouped},
};

/// Tasks that are asked for at once.
const AT_ONCE: usize = 16;
/// How long a supervisor that does not answer is asked again.
const PATIENCE: Duration = Duration::from_secs(30);

/// Which tasks, and whether to ask before.
#[derive(Debug, Args)]
pub(crate) struct BulkArgs {
    /// The tasks' ids; or else choose them by what they have in common.
    #[arg(value_name = "ID")]
    ids: Vec<String>,
    #[command(flatten)]
    filter: FilterArgs,
    /// Do not ask before something is done to all tasks that are found.
    #[arg(long)]
    yes: bool,
}

/// What is done to each task.
pub(super) struct Deed {
    /// "cancel".
    pub(super) verb: &'static str,
    /// "cancelled".
    pub(super) done: &'static str,
    /// Tasks in these states, unless others are asked for.
    pub(super) states: &'static [State],
    /// It can be done to tasks in these states only.
    pub(super) possible: &'static [State],
}

/// What came of one task.
pub(super) struct Told {
    /// The line of data.
    pub(super) line: String,
    /// What became of the task.
    pub(super) outcome: Outcome,
}

/// What became of one task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It was done.
    Done,
    /// It had been done, or had ended, before.
    Before,
    /// The task left the state that it was chosen by before its turn came.
    Left,
}

impl BulkArgs {
    /// The tasks that are meant; `None` when a person thought better of it.
    ///
    /// # Errors
    /// [`Usage`] when neither or both ways of choosing are used.
    pub(super) async fn ids(
        &self,
        client: &Client,
        deed: &Deed,
    ) -> anyhow::Result<Option<Vec<String>>> {
        if self.filter.is_empty() {
            return Ok(Some(self.ids.clone()));
        }
        let filter = self.filter.filter(deed.states);
        let mut pages = Pages::new(client, filter.clone(), u32::MAX);
        let mut ids = Vec::new();
        while let Some(tasks) = pages.next().await? {
            ids.extend(tasks.into_iter().map(|task| task.id));
        }
        let found = in_words(&filter, ids.len() as u64);
        if ids.is_empty() {
            output::talk(&format!("There is nothing to {}: {found}.", deed.verb));
        } else if !self.yes && !is_confirmed(deed, &found)? {
            return Ok(None);
        }
        Ok(Some(ids))
    }

    /// The one state that the tasks were chosen by.
    pub(super) fn only_state(&self) -> Option<TaskState> {
        let (first, rest) = self.filter.states.split_first()?;
        rest.iter().all(|state| state == first).then(|| first.wire())
    }

    /// Refuses what chooses nothing, or in two ways.
    ///
    /// # Errors
    /// [`Usage`].
    pub(super) fn check(&self, deed: &Deed) -> Result<(), Usage> {
        match (self.ids.is_empty(), self.filter.is_empty()) {
            (true, true) => Err(Usage(format!(
                "name the tasks to {} by their ids, or choose them with --group, --label, --state, \
                 --kind or --tenant",
                deed.verb
            ))),
            (false, false) => {
                Err(Usage("name tasks by their ids or choose them with flags, not both".into()))
            }
            _ if self.filter.states.iter().any(|state| !deed.possible.contains(state)) => {
                let possible: Vec<_> = deed.possible.iter().map(State::name).collect();
                let (verb, possible) = (deed.verb, possible.join(", "));
                Err(Usage(format!("--state: to {verb} is possible for {possible} tasks only")))
            }
            _ => Ok(()),
        }
    }
}

/// Asks where somebody can answer; a script has decided already.
fn is_confirmed(deed: &Deed, found: &str) -> io::Result<bool> {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Ok(true);
    }
    output::talk(&format!("{} {found}? [y/N]", words::capital(deed.verb)));
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}

/// Does it to every task, several at once; one that is refused does not keep the others.
///
/// # Errors
/// When the supervisor stays away.
pub(super) async fn each<T, F>(
    deed: &Deed,
    ids: Vec<String>,
    act: impl Fn(String) -> F,
    tell: impl Fn(&str, &T) -> anyhow::Result<Told>,
) -> anyhow::Result<ExitCode>
where
    F: Future<Output = Result<T, Failure>>,
{
    let (all, mut done, mut left) = (ids.len() as u64, 0, 0);
    let mut code = ExitCode::SUCCESS;
    let act = &act;
    let acting = ids.into_iter().map(|id| async move {
        let answer = ask::persist(PATIENCE, output::talk, || act(id.clone())).await;
        (id, answer)
    });
    let mut answers = stream::iter(acting).buffered(AT_ONCE);
    while let Some((id, answer)) = answers.next().await {
        match answer {
            Ok(answer) => {
                let told = tell(&id, &answer)?;
                done += u64::from(told.outcome == Outcome::Done);
                left += u64::from(told.outcome == Outcome::Left);
                output::line(&told.line)?;
            }
            Err(refused @ Failure::Refused(_)) => {
                code = failure::report(&anyhow::Error::new(refused).context(id));
            }
            Err(failure) => return Err(failure.into()),
        }
    }
    if all > 1 || left > 0 {
        output::talk(&summary(deed, all, done, left));
    }
    Ok(code)
}

/// "3 of 5 tasks cancelled; 2 left alone: not in the state that was asked for any more."
fn summary(deed: &Deed, all: u64, done: u64, left: u64) -> String {
    let left = match left {
        0 => String::new(),
        left => {
            format!("; {} left alone: not in the state that was asked for any more", grouped(left))
        }
    };
    format!("{} of {} {}{left}.", grouped(done), counted(all, "task"), deed.done)
}

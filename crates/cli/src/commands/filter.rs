//! Which tasks are meant, by what they have in common.

use clap::{Args, ValueEnum, builder::PossibleValue};
use taskfleet_core::failure::FailureKind;
use taskfleet_proto::{
    v1::{ListTasksRequest, ListTasksResponse, Task, TaskFilter, TaskState},
    worker,
};

use super::submit::label;
use crate::{
    client::Client,
    failure::Failure,
    words::{self, counted},
};

/// The most tasks that one call lists.
const PAGE: u32 = 1_000;

/// Flags that choose tasks; each that is given must match.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Which tasks")]
pub(crate) struct FilterArgs {
    /// In one of these states; with commas between, or several times.
    #[arg(long = "state", value_name = "STATE", value_delimiter = ',')]
    pub(super) states: Vec<State>,
    /// Of this group.
    #[arg(long)]
    group: Option<String>,
    /// With this label; may be given several times.
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = label)]
    labels: Vec<(String, String)>,
    /// That failed in this way; with commas between, or several times.
    #[arg(long = "kind", value_name = "KIND", value_delimiter = ',')]
    kinds: Vec<Kind>,
    /// Of this tenant.
    #[arg(long)]
    tenant: Option<String>,
}

/// A task's state by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum State {
    Queued,
    Running,
    Completed,
    Failed,
    Cancelled,
}

impl State {
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// A failure's kind by the name that it has everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kind(FailureKind);

impl ValueEnum for Kind {
    fn value_variants<'a>() -> &'a [Self] {
        const ALL: [Kind; FailureKind::ALL.len()] = {
            let mut all = [Kind(FailureKind::Internal); FailureKind::ALL.len()];
            let mut index = 0;
            while index < all.len() {
                all[index] = Kind(FailureKind::ALL[index]);
                index += 1;
            }
            all
        };
        &ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.0.name()))
    }
}

impl State {
    pub(super) fn wire(self) -> TaskState {
        match self {
            Self::Queued => TaskState::Queued,
            Self::Running => TaskState::Running,
            Self::Completed => TaskState::Completed,
            Self::Failed => TaskState::Failed,
            Self::Cancelled => TaskState::Cancelled,
        }
    }
}

impl FilterArgs {
    /// Whether nothing is chosen: all tasks match.
    pub(super) fn is_empty(&self) -> bool {
        let named = self.group.is_some() || self.tenant.is_some();
        !named && self.states.is_empty() && self.labels.is_empty() && self.kinds.is_empty()
    }

    /// The same on the wire; `states` unless some are given.
    pub(super) fn filter(&self, states: &[State]) -> TaskFilter {
        let states = if self.states.is_empty() { states } else { &self.states };
        let kind = |kind: &Kind| worker::FailureKind::from(kind.0).into();
        TaskFilter {
            states: states.iter().map(|state| state.wire().into()).collect(),
            tenant: self.tenant.clone().unwrap_or_default(),
            group: self.group.clone().unwrap_or_default(),
            labels: self.labels.iter().cloned().collect(),
            kinds: self.kinds.iter().map(kind).collect(),
        }
    }
}

/// "failed tasks of group g", for a question.
pub(super) fn in_words(filter: &TaskFilter, count: u64) -> String {
    let states = filter.states().map(|state| words::short(state.as_str_name(), "TASK_STATE_"));
    let states: Vec<String> = states.collect();
    let mut said = format!("{} ({})", counted(count, "task"), states.join(" or "));
    for (name, value) in [("group", &filter.group), ("tenant", &filter.tenant)] {
        if !value.is_empty() {
            said.push_str(&format!(" of {name} {value}"));
        }
    }
    for (key, value) in &filter.labels {
        said.push_str(&format!(" with {key}={value}"));
    }
    said
}

/// Tasks of a filter, page by page.
pub(super) struct Pages<'a> {
    client: &'a Client,
    request: ListTasksRequest,
    is_over: bool,
}

impl<'a> Pages<'a> {
    /// Newest first; `page` tasks at a time, 1,000 at most.
    pub(super) fn new(client: &'a Client, filter: TaskFilter, page: u32) -> Self {
        let page_size = page.clamp(1, PAGE);
        let request =
            ListTasksRequest { filter: Some(filter), page_size, ..ListTasksRequest::default() };
        Self { client, request, is_over: false }
    }

    /// Whether there are more tasks.
    pub(super) fn has_more(&self) -> bool {
        !self.is_over
    }

    /// The next tasks; `None` after the last.
    ///
    /// # Errors
    /// As [`Client::answer`].
    pub(super) async fn next(&mut self) -> Result<Option<Vec<Task>>, Failure> {
        if self.is_over {
            return Ok(None);
        }
        let request = self.request.clone();
        let answer = self.client.answer(self.client.tasks().list_tasks(request)).await?;
        let ListTasksResponse { tasks, next_page_token } = answer;
        self.is_over = next_page_token.is_empty();
        self.request.page_token = next_page_token;
        Ok(Some(tasks))
    }
}

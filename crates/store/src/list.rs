//! Which tasks a list holds.

use std::collections::{BTreeMap, BTreeSet};

use taskfleet_core::{
    TaskId,
    failure::FailureKind,
    task::{TaskRecord, TaskState},
};

use crate::types::TaskDetail;

/// Which tasks are wanted; each part that is set must match.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TaskFilter {
    /// Any of these; empty: any.
    pub states: BTreeSet<TaskState>,
    /// Ended with any of these; empty: whether it has ended or not.
    pub kinds: BTreeSet<FailureKind>,
    /// Empty: any.
    pub tenant: String,
    /// Empty: any.
    pub group: String,
    /// All of them.
    pub labels: BTreeMap<String, String>,
}

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TaskPage {
    /// Newest first, without attempts and results. Perhaps fewer than asked for, even none,
    /// though there are more: a page looks at so many tasks only.
    pub tasks: Vec<TaskDetail>,
    /// Every task down to this one was looked at: where the next page begins. `None`: there
    /// are no more.
    pub next: Option<TaskId>,
}

/// What of a task a filter looks at, besides its labels.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Looks<'a> {
    pub(crate) state: TaskState,
    pub(crate) kind: Option<FailureKind>,
    pub(crate) tenant: &'a str,
    pub(crate) group: &'a str,
}

impl<'a> Looks<'a> {
    pub(crate) fn of(record: &TaskRecord, tenant: &'a str, group: &'a str) -> Self {
        Self { state: record.state, kind: record.kind, tenant, group }
    }
}

impl TaskFilter {
    /// Whether a task matches, but for its labels.
    pub(crate) fn likes(&self, task: Looks<'_>) -> bool {
        let ended_with = || task.kind.filter(|_| task.state.is_terminal());
        (self.states.is_empty() || self.states.contains(&task.state))
            && (self.kinds.is_empty() || ended_with().is_some_and(|k| self.kinds.contains(&k)))
            && (self.tenant.is_empty() || self.tenant == task.tenant)
            && (self.group.is_empty() || self.group == task.group)
    }

    /// The states that a matching task can be in.
    pub(crate) fn possible_states(&self) -> BTreeSet<TaskState> {
        let any = |state: &TaskState| self.states.is_empty() || self.states.contains(state);
        // A completed task has no kind, and an open one has not ended with its kind.
        let ended_badly = [TaskState::Failed, TaskState::Cancelled];
        let has_kind = |state: &TaskState| self.kinds.is_empty() || ended_badly.contains(state);
        TaskState::ALL.into_iter().filter(any).filter(has_kind).collect()
    }
}

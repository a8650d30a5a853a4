//! What the supervisor in memory knows, and how it is to behave.

use std::collections::HashMap;

use taskfleet_proto::{
    FieldError,
    v1::{SubmitTaskResponse, Task, TaskResult, TaskSpec, TaskState},
    worker::FailureKind,
};
use tonic::{Code, Status};

/// Tasks, in the order in which they were made.
#[derive(Default)]
pub(crate) struct Book {
    pub(crate) tasks: Vec<Task>,
    pub(crate) specs: Vec<TaskSpec>,
    keys: HashMap<String, usize>,
    references: HashMap<(String, String), usize>,
    /// The ended ones, in the order of their ends.
    pub(crate) outcomes: Vec<usize>,
    /// The sizes of the batches that were asked for, with those that were refused.
    pub(crate) batches: Vec<usize>,
    /// How often a task was asked for.
    pub(crate) gets: usize,
    /// How often tasks were listed, and statistics asked for.
    pub(crate) lists: usize,
    pub(crate) stats: usize,
    /// Tasks end when they are made.
    pub(crate) instant: bool,
    /// So many batches more are refused as UNAVAILABLE, and not taken.
    pub(crate) away: usize,
    /// From this batch on, counted from the first, they are refused as `away`; 0: from none on.
    pub(crate) away_from: usize,
    /// Batches are taken and never answered.
    pub(crate) mute: bool,
    /// These begin to run when their cancel comes.
    pub(crate) begin_at_cancel: Vec<usize>,
    /// Of each result this much stands in a message, in bytes; 0: all.
    pub(crate) inline: usize,
}

impl Book {
    /// Takes all or none.
    pub(super) fn submit(
        &mut self,
        specs: Vec<TaskSpec>,
    ) -> Result<Vec<SubmitTaskResponse>, Status> {
        let taken = specs.iter().enumerate().filter_map(|(index, spec)| {
            let reference = (spec.group.clone(), spec.client_ref.clone());
            let new = !self.keys.contains_key(&spec.idempotency_key);
            (new && self.references.contains_key(&reference))
                .then(|| FieldError::new(format!("tasks[{index}].client_ref"), "is taken"))
        });
        let taken: Vec<FieldError> = taken.collect();
        if !taken.is_empty() {
            return Err(FieldError::status_as(Code::AlreadyExists, &taken));
        }
        Ok(specs.into_iter().map(|spec| self.take(spec)).collect())
    }

    fn take(&mut self, spec: TaskSpec) -> SubmitTaskResponse {
        let known = self.keys.get(&spec.idempotency_key).copied();
        let index = known.unwrap_or_else(|| self.make(spec));
        let task = &self.tasks[index];
        let task_id = task.id.clone();
        SubmitTaskResponse { task_id, state: task.state, existing: known.is_some() }
    }

    fn make(&mut self, spec: TaskSpec) -> usize {
        let index = self.tasks.len();
        self.keys.insert(spec.idempotency_key.clone(), index);
        self.references.insert((spec.group.clone(), spec.client_ref.clone()), index);
        let mut task = Task {
            id: format!("task-{index}"),
            group: spec.group.clone(),
            client_ref: spec.client_ref.clone(),
            labels: spec.labels.clone(),
            endpoint: spec.request.clone().unwrap_or_default().endpoint,
            ..Task::default()
        };
        task.set_state(TaskState::Queued);
        self.tasks.push(task);
        self.specs.push(spec);
        if self.instant {
            self.complete(index);
        }
        index
    }

    /// Ends a task well: with its prompt in capitals, or its body as it was.
    pub(crate) fn complete(&mut self, index: usize) {
        let spec = &self.specs[index];
        let body = spec.request.clone().unwrap_or_default().body.into_bytes();
        let text = spec.content.to_uppercase();
        let size_bytes = (text.len() + body.len()) as u64;
        let result = TaskResult { text, body, size_bytes, ..TaskResult::default() };
        self.end(index, TaskState::Completed, result);
    }

    /// Ends a task badly.
    pub(crate) fn fail(&mut self, index: usize) {
        let mut result = TaskResult { error: "no".into(), ..TaskResult::default() };
        result.set_kind(FailureKind::InvalidRequest);
        self.end(index, TaskState::Failed, result);
    }

    /// A worker was faster than the client.
    pub(super) fn begin_before_cancel(&mut self, index: usize) {
        if self.begin_at_cancel.contains(&index) {
            self.tasks[index].set_state(TaskState::Running);
        }
    }

    /// Ends a task as its client wants it.
    pub(crate) fn cancel(&mut self, index: usize) {
        let mut result = TaskResult::default();
        result.set_kind(FailureKind::Cancelled);
        self.end(index, TaskState::Cancelled, result);
    }

    /// Makes a new task from an ended one, once for each key.
    pub(super) fn retry(&mut self, index: usize, key: String) -> SubmitTaskResponse {
        let first = self.tasks[index].id.clone();
        let client_ref = format!("retry of {first}");
        let spec = TaskSpec { idempotency_key: key, client_ref, ..self.specs[index].clone() };
        let answer = self.take(spec);
        if let (false, Some(new)) = (answer.existing, self.tasks.last_mut()) {
            new.client_ref.clear();
            new.retry_of = first;
        }
        answer
    }

    /// Knows a task's key and name no more, as after its retention.
    pub(crate) fn forget(&mut self, index: usize) {
        let spec = &self.specs[index];
        self.keys.remove(&spec.idempotency_key);
        self.references.remove(&(spec.group.clone(), spec.client_ref.clone()));
    }

    /// Ends well all that have not ended.
    pub(crate) fn complete_all(&mut self) {
        for index in 0..self.tasks.len() {
            if self.tasks[index].result.is_none() {
                self.complete(index);
            }
        }
    }

    fn end(&mut self, index: usize, state: TaskState, result: TaskResult) {
        assert!(self.tasks[index].result.is_none(), "a task ends once");
        self.tasks[index].set_state(state);
        self.tasks[index].result = Some(result);
        self.outcomes.push(index);
    }

    /// The task as it stands in a message.
    pub(super) fn shown(&self, index: usize) -> Task {
        let mut task = self.tasks[index].clone();
        if let Some(result) = &mut task.result
            && self.inline > 0
            && result.text.len() > self.inline
        {
            result.text.truncate(self.inline);
            result.truncated = true;
        }
        task
    }

    /// Where the task with this id stands.
    pub(super) fn index(&self, id: &str) -> Option<usize> {
        self.tasks.iter().position(|task| task.id == id)
    }
}

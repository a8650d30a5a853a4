//! What the memory store holds.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap},
    convert::Infallible,
    ops::Bound,
    sync::Arc,
};

use taskfleet_core::{
    Epoch, Lease, TaskId, Timestamp,
    machine::Refusal,
    task::{TaskRecord, TaskSpec, TaskState, Work},
};

use crate::{
    decide,
    error::{StoreError, SubmitError},
    intake::{self, ClientRef, Known, Plan},
    tally::Tally,
    types::{
        Applied, Attempt, Change, NewTask, OutcomeFilter, OutcomePage, Running, StoredResult,
        Submitted, TaskDetail, TaskMeta,
    },
};

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) tally: Tally,
    tasks: BTreeMap<TaskId, Entry>,
    keys: HashMap<String, (TaskId, [u8; 32])>,
    /// By tenant, group and name.
    client_refs: HashMap<[String; 3], TaskId>,
    outcomes: BTreeMap<u64, TaskId>,
}

#[derive(Debug)]
struct Entry {
    record: TaskRecord,
    spec: Arc<TaskSpec>,
    attempts: BTreeMap<Lease, Attempt>,
    result: Option<StoredResult>,
}

impl Known for State {
    type Error = Infallible;

    fn by_key(&self, key: &str) -> Result<Option<(TaskId, [u8; 32])>, Infallible> {
        Ok(self.keys.get(key).copied())
    }

    fn has_client_ref(&self, reference: ClientRef<'_>) -> Result<bool, Infallible> {
        Ok(self.client_refs.contains_key(&owned(reference)))
    }
}

fn owned(reference: ClientRef<'_>) -> [String; 3] {
    [reference.tenant, reference.group, reference.name].map(str::to_owned)
}

impl State {
    pub(super) fn submit(
        &mut self,
        tasks: &[NewTask],
        epoch: Epoch,
        now: Timestamp,
    ) -> Result<Vec<Submitted>, SubmitError> {
        let Ok(plans) = intake::plan(self, tasks);
        let plans = plans.map_err(SubmitError::Conflicts)?;
        self.refuse_known_ids(tasks, &plans)?;
        let accept = |(task, plan)| self.accept(task, plan, epoch, now);
        Ok(tasks.iter().zip(plans).map(accept).collect())
    }

    /// A file would refuse them by its primary key.
    fn refuse_known_ids(&self, tasks: &[NewTask], plans: &[Plan]) -> Result<(), StoreError> {
        let mut new = std::collections::HashSet::new();
        let fresh = |(task, plan): (&NewTask, &Plan)| {
            *plan != Plan::New || (!self.tasks.contains_key(&task.id) && new.insert(task.id))
        };
        if tasks.iter().zip(plans).all(fresh) {
            return Ok(());
        }
        Err(StoreError::Failed("a task with this id exists".to_owned()))
    }

    fn accept(&mut self, task: &NewTask, plan: Plan, epoch: Epoch, now: Timestamp) -> Submitted {
        if let Plan::Existing(id) = plan {
            // Planned from these very maps; a task is never taken out of them.
            let state = self.tasks.get(&id).map_or(TaskState::Queued, |entry| entry.record.state);
            return Submitted::Existing { id, state };
        }
        let record = intake::record(task, epoch, now);
        self.tally.accepted(&record);
        if let Some(key) = &task.spec.idempotency_key {
            self.keys.insert(key.clone(), (task.id, task.digest));
        }
        if let Some(reference) = intake::client_ref(task) {
            self.client_refs.insert(owned(reference), task.id);
        }
        let entry = Entry {
            record: record.clone(),
            spec: Arc::clone(&task.spec),
            attempts: BTreeMap::new(),
            result: None,
        };
        self.tasks.insert(task.id, entry);
        Submitted::New(record)
    }

    pub(super) fn apply(&mut self, change: Change, now: Timestamp) -> Result<Applied, Refusal> {
        let id = change.task;
        let entry = self.tasks.get_mut(&id).ok_or(Refusal::Unknown)?;
        let from = entry.record.state;
        let former = decide::former_lease(&entry.record, &change.event)
            .and_then(|lease| entry.attempts.get(&lease).cloned());
        let decision = decide::decide(&mut entry.record, former, change, now);
        if let Some(attempt) = decision.attempt {
            entry.attempts.insert(attempt.lease, attempt);
        }
        let mut applied = decision.answer?;
        entry.result = decision.result;
        applied.outcome = self.tally.moved(from, &applied.record);
        if let Some(number) = applied.outcome {
            self.outcomes.insert(number, id);
        }
        Ok(applied)
    }

    pub(super) fn task(&self, id: TaskId, max_result: usize) -> Option<TaskDetail> {
        let entry = self.tasks.get(&id)?;
        let attempts = entry.attempts.values().cloned().collect();
        Some(TaskDetail { attempts, ..entry.without_attempts(max_result) })
    }

    pub(super) fn specs(&self, ids: &[TaskId]) -> Vec<(TaskId, TaskSpec)> {
        let spec = |id: &TaskId| Some((*id, TaskSpec::clone(&self.tasks.get(id)?.spec)));
        ids.iter().filter_map(spec).collect()
    }

    pub(super) fn ready(&self, now: Timestamp, limit: usize) -> Vec<TaskRecord> {
        let due = |record: &&TaskRecord| record.not_before.is_none_or(|time| time <= now);
        let mut ready = self.in_state(TaskState::Queued).filter(due).collect::<Vec<_>>();
        ready.sort_by_key(|record| (Reverse(record.priority), record.id));
        ready.into_iter().take(limit).cloned().collect()
    }

    pub(super) fn running(&self) -> Vec<Running> {
        let running = |record: &TaskRecord| {
            Some(Running {
                id: record.id,
                lease: record.lease,
                holder: record.holder.clone()?,
                claimed_at: record.claimed_at?,
            })
        };
        self.in_state(TaskState::Running).filter_map(running).collect()
    }

    pub(super) fn overdue(&self, now: Timestamp, limit: usize) -> Vec<TaskId> {
        let open = self.tasks.values().map(|entry| &entry.record);
        let late = |record: &&TaskRecord| !record.state.is_terminal() && record.deadline <= now;
        let mut overdue = open.filter(late).collect::<Vec<_>>();
        overdue.sort_by_key(|record| (record.deadline, record.id));
        overdue.into_iter().take(limit).map(|record| record.id).collect()
    }

    pub(super) fn outcomes(
        &self,
        filter: &OutcomeFilter,
        after: u64,
        limit: usize,
        max_result: usize,
    ) -> OutcomePage {
        let later = self.outcomes.range((Bound::Excluded(after), Bound::Unbounded));
        let entries = later.filter_map(|(number, id)| Some((*number, self.tasks.get(id)?)));
        let outcomes = entries
            .filter(|(_, entry)| filter.matches(&entry.spec))
            .take(limit)
            .map(|(number, entry)| (number, entry.without_attempts(max_result)))
            .collect();
        OutcomePage::new(outcomes, after, limit, self.tally.last_outcome)
    }

    fn in_state(&self, state: TaskState) -> impl Iterator<Item = &TaskRecord> {
        let records = self.tasks.values().map(|entry| &entry.record);
        records.filter(move |record| record.state == state)
    }
}

impl Entry {
    fn without_attempts(&self, max_result: usize) -> TaskDetail {
        let result = self.result.as_ref().map(|result| StoredResult {
            payload: result.payload.as_ref().map(|whole| decide::beginning(whole, max_result)),
            ..result.without_payload()
        });
        TaskDetail { record: self.record.clone(), meta: meta(&self.spec), attempts: vec![], result }
    }
}

impl StoredResult {
    fn without_payload(&self) -> Self {
        Self {
            payload: None,
            size_bytes: self.size_bytes,
            error: self.error.clone(),
            http_status: self.http_status,
            provider_request_id: self.provider_request_id.clone(),
            served_model: self.served_model.clone(),
            usage: self.usage,
            finish_reason: self.finish_reason.clone(),
        }
    }
}

impl OutcomeFilter {
    fn matches(&self, spec: &TaskSpec) -> bool {
        (self.tenant.is_empty() || self.tenant == spec.tenant)
            && (self.group.is_empty() || self.group == spec.group)
            && self.labels.iter().all(|(key, value)| spec.labels.get(key) == Some(value))
    }
}

fn meta(spec: &TaskSpec) -> TaskMeta {
    TaskMeta {
        tenant: spec.tenant.clone(),
        group: spec.group.clone(),
        client_ref: spec.client_ref.clone(),
        parent_id: spec.parent_id,
        retry_of: spec.retry_of,
        endpoint: match &spec.work {
            Work::Content(_) => None,
            Work::Request(request) => Some(request.endpoint),
        },
        labels: spec.labels.clone(),
    }
}

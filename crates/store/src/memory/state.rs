//! What the memory store holds.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    convert::Infallible,
    ops::Bound,
    sync::Arc,
};

use taskfleet_core::{
    Epoch, Lease, TaskId, Timestamp,
    machine::Refusal,
    queue::{Lane, LaneRead, LaneRows},
    retry,
    task::{TaskRecord, TaskSpec, TaskState, Work},
};

use crate::{
    decide::{self, Former},
    error::{StoreError, SubmitError},
    intake::{self, ClientRef, Known, Plan},
    list::{Looks, TaskFilter, TaskPage},
    tally::{Before, Tally},
    types::{
        Applied, Attempt, Change, Keyed, NewTask, OutcomeFilter, OutcomePage, Running,
        StoredResult, Submitted, TaskDetail, TaskMeta, Trace,
    },
};

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) tally: Tally,
    pub(super) tasks: BTreeMap<TaskId, Entry>,
    pub(super) keys: HashMap<String, (TaskId, [u8; 32])>,
    /// By tenant, group and name.
    pub(super) client_refs: HashMap<[String; 3], TaskId>,
    pub(super) outcomes: BTreeMap<u64, TaskId>,
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) record: TaskRecord,
    pub(super) spec: Arc<TaskSpec>,
    pub(super) attempts: BTreeMap<Lease, Attempt>,
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

pub(super) fn owned(reference: ClientRef<'_>) -> [String; 3] {
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
            // Planned from these very maps.
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

    pub(super) fn keyed(&self, keys: Vec<String>) -> Vec<Keyed> {
        let known = |key: String| {
            let (id, digest) = *self.keys.get(&key)?;
            let state = self.tasks.get(&id)?.record.state;
            Some(Keyed { key, id, digest, state })
        };
        keys.into_iter().filter_map(known).collect()
    }

    /// As when a file is opened: no backoff lasts longer than the longest of its kind.
    pub(super) fn hold_backoffs(&mut self, now: Timestamp) {
        for Entry { record, .. } in self.tasks.values_mut() {
            if record.state == TaskState::Queued {
                let latest = now + retry::longest(record.kind, &record.retry);
                record.not_before = record.not_before.map(|until| until.min(latest));
            }
        }
    }

    pub(super) fn apply(&mut self, change: Change, now: Timestamp) -> Result<Applied, Refusal> {
        let id = change.task;
        let entry = self.tasks.get_mut(&id).ok_or(Refusal::Unknown)?;
        let before = Before::of(&entry.record);
        let former = decide::former(&entry.record, &change.event).and_then(|former| {
            let found = match former {
                Former::Of(lease) => entry.attempts.get(&lease),
                Former::Last => entry.attempts.last_key_value().map(|(_, last)| last),
            };
            found.cloned()
        });
        let decision = decide::decide(&mut entry.record, former, change, now);
        if let Some(attempt) = decision.attempt {
            entry.attempts.insert(attempt.lease, attempt);
        }
        let mut applied = decision.answer?;
        entry.result = decision.result;
        applied.outcome = self.tally.moved(before, &applied.record);
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

    pub(super) fn trace(&self, id: TaskId, lease: Lease) -> Option<Trace> {
        let entry = self.tasks.get(&id)?;
        let attempt = entry.attempts.get(&lease).cloned();
        Some(Trace { context: entry.spec.trace.clone(), attempt })
    }

    pub(super) fn lanes(&self, after: Option<&Lane>, limit: usize) -> Vec<Lane> {
        let lanes: BTreeSet<Lane> = self.in_state(TaskState::Queued).map(Lane::of).collect();
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        lanes.range((from, Bound::Unbounded)).take(limit).cloned().collect()
    }

    pub(super) fn ready(&self, read: &LaneRead, now: Timestamp) -> LaneRows {
        let queued = self.in_state(TaskState::Queued);
        let lane = queued.filter(|record| Lane::of(record) == read.lane).collect::<Vec<_>>();
        let fresh = lane.iter().filter(|record| {
            record.not_before.is_none() && read.from.is_none_or(|from| from <= record.id)
        });
        let mut delayed: Vec<_> =
            lane.iter().filter_map(|record| Some((record.not_before?, *record))).collect();
        delayed.sort_by_key(|(due, record)| (*due, record.id));
        let due = delayed.iter().filter(|(due, record)| {
            *due <= now && read.due_after.is_none_or(|after| after < (*due, record.id))
        });
        LaneRows {
            fresh: fresh.take(read.limit).copied().cloned().collect(),
            due: due.take(read.due_limit).map(|(_, record)| TaskRecord::clone(record)).collect(),
            next_due: delayed.iter().map(|(due, _)| *due).find(|due| *due > now),
        }
    }

    pub(super) fn list(
        &self,
        filter: &TaskFilter,
        before: Option<TaskId>,
        limit: usize,
    ) -> TaskPage {
        let before = before.map_or(Bound::Unbounded, Bound::Excluded);
        let older = self.tasks.range((Bound::Unbounded, before)).rev();
        let mut found = older.map(|(_, entry)| entry).filter(|entry| entry.is_liked_by(filter));
        let tasks = found.by_ref().take(limit).map(Entry::listed).collect::<Vec<_>>();
        let last = tasks.last().map(|task| task.record.id);
        TaskPage { tasks, next: found.next().and(last) }
    }

    pub(super) fn oldest_queued(&self) -> Option<Timestamp> {
        self.in_state(TaskState::Queued).next().map(|record| record.created_at)
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
            .map(|(number, entry)| Ok((number, entry.without_attempts(max_result))));
        let page = OutcomePage::cut(outcomes, after, limit, self.tally.last_outcome);
        page.unwrap_or_else(|never: Infallible| match never {})
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

impl Entry {
    fn is_liked_by(&self, filter: &TaskFilter) -> bool {
        let looks = Looks::of(&self.record, &self.spec.tenant, &self.spec.group);
        filter.likes(looks) && has_all(&self.spec, &filter.labels)
    }

    fn listed(&self) -> TaskDetail {
        let (record, meta) = (self.record.clone(), meta(&self.spec));
        TaskDetail { record, meta, attempts: vec![], result: None }
    }
}

fn has_all(spec: &TaskSpec, labels: &BTreeMap<String, String>) -> bool {
    labels.iter().all(|(key, value)| spec.labels.get(key) == Some(value))
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
            && has_all(spec, &self.labels)
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

//! Which tasks of a submission are new, known or clashing: decided before anything is
//! written, so that all or none needs no undoing.

use std::collections::{HashMap, HashSet};

use taskfleet_core::{
    Epoch, TaskId, Timestamp,
    machine::{self, Event},
    retry::Jitter,
    task::TaskRecord,
};

use crate::{
    error::{Conflict, ConflictField},
    types::NewTask,
};

/// What a store knows of the tasks that it has.
pub(crate) trait Known {
    /// How it can fail.
    type Error;

    /// The task with this idempotency key, and its digest.
    fn by_key(&self, key: &str) -> Result<Option<(TaskId, [u8; 32])>, Self::Error>;

    /// Whether a task of this tenant and group has this client_ref.
    fn has_client_ref(&self, reference: ClientRef<'_>) -> Result<bool, Self::Error>;
}

/// A client's own id is unique among these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ClientRef<'a> {
    pub(crate) tenant: &'a str,
    pub(crate) group: &'a str,
    pub(crate) name: &'a str,
}

/// What is to be done about one submitted task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Plan {
    /// Write it.
    New,
    /// It is this one, written before or a little earlier in the same call.
    Existing(TaskId),
}

/// Looks at all tasks of a submission; nothing is to be written if one of them clashes.
pub(crate) fn plan<K: Known>(
    known: &K,
    tasks: &[NewTask],
) -> Result<Result<Vec<Plan>, Vec<Conflict>>, K::Error> {
    let mut seen = Seen { known, keys: HashMap::new(), refs: HashSet::new() };
    let mut plans = Vec::with_capacity(tasks.len());
    let mut conflicts = Vec::new();
    for (index, task) in tasks.iter().enumerate() {
        match seen.look_at(task)? {
            Ok(plan) => plans.push(plan),
            Err(field) => conflicts.push(Conflict { index, field }),
        }
    }
    Ok(if conflicts.is_empty() { Ok(plans) } else { Err(conflicts) })
}

/// The store, and the new tasks of this call so far.
struct Seen<'a, K> {
    known: &'a K,
    keys: HashMap<&'a str, (TaskId, [u8; 32])>,
    refs: HashSet<ClientRef<'a>>,
}

impl<'a, K: Known> Seen<'a, K> {
    fn look_at(&mut self, task: &'a NewTask) -> Result<Result<Plan, ConflictField>, K::Error> {
        if let Some((id, digest)) = self.first_with_key(task)? {
            let same = digest == task.digest;
            return Ok(same.then_some(Plan::Existing(id)).ok_or(ConflictField::IdempotencyKey));
        }
        let reference = client_ref(task);
        if let Some(reference) = reference
            && (self.refs.contains(&reference) || self.known.has_client_ref(reference)?)
        {
            return Ok(Err(ConflictField::ClientRef));
        }
        self.refs.extend(reference);
        if let Some(key) = &task.spec.idempotency_key {
            self.keys.insert(key, (task.id, task.digest));
        }
        Ok(Ok(Plan::New))
    }

    fn first_with_key(&self, task: &NewTask) -> Result<Option<(TaskId, [u8; 32])>, K::Error> {
        let Some(key) = &task.spec.idempotency_key else {
            return Ok(None);
        };
        match self.keys.get(key.as_str()) {
            Some(first) => Ok(Some(*first)),
            None => self.known.by_key(key),
        }
    }
}

/// The client's own id of a task, with what it is unique within.
pub(crate) fn client_ref(task: &NewTask) -> Option<ClientRef<'_>> {
    let spec = &task.spec;
    let name = spec.client_ref.as_deref()?;
    Some(ClientRef { tenant: &spec.tenant, group: &spec.group, name })
}

/// The record of a new task, claimed if a worker waits for it.
pub(crate) fn record(task: &NewTask, epoch: Epoch, now: Timestamp) -> TaskRecord {
    let mut record = task.spec.record(task.id, now);
    if let Some(holder) = &task.claim {
        let claim = Event::Claim { holder: holder.clone(), epoch };
        // Refused only when its time is over already: then it waits to expire.
        let _ = machine::apply(&mut record, &claim, now, Jitter::new(0.0));
    }
    record
}

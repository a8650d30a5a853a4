//! Taking ended tasks out.

use std::ops::Bound;

use taskfleet_core::{TaskId, Timestamp};

use super::state::{Entry, State, owned};
use crate::{intake::ClientRef, types::EndedPage};

impl State {
    pub(super) fn ended_by(&self, time: Timestamp, after: u64, limit: usize) -> EndedPage {
        let later = self.outcomes.range((Bound::Excluded(after), Bound::Unbounded));
        let ended = later.filter_map(|(number, id)| {
            Some((*number, *id, self.tasks.get(id)?.record.finished_at?))
        });
        EndedPage::new(&ended.take(limit).collect::<Vec<_>>(), time, limit)
    }

    /// What a file would count as rows is counted here, too.
    pub(super) fn remove(&mut self, tasks: &[TaskId], max_rows: usize) -> usize {
        let (mut removed, mut rows) = (0, max_rows);
        for id in tasks {
            let Some(entry) = self.tasks.get_mut(id) else { continue };
            if !entry.record.state.is_terminal() {
                continue;
            }
            while rows > 0 && entry.attempts.pop_first().is_some() {
                rows -= 1;
            }
            let own = entry.rows_besides_attempts();
            if !entry.attempts.is_empty() || rows < own {
                break;
            }
            rows -= own;
            self.forget(*id);
            removed += 1;
        }
        removed
    }

    fn forget(&mut self, id: TaskId) {
        let Some(entry) = self.tasks.remove(&id) else { return };
        let spec = &entry.spec;
        if let Some(name) = &spec.client_ref {
            let (tenant, group) = (&spec.tenant, &spec.group);
            self.client_refs.remove(&owned(ClientRef { tenant, group, name }));
        }
        if let Some(key) = &spec.idempotency_key {
            self.keys.remove(key);
        }
        self.outcomes.retain(|_, ended| *ended != id);
        self.tally.removed(entry.record.state);
    }
}

impl Entry {
    fn rows_besides_attempts(&self) -> usize {
        let key = usize::from(self.spec.idempotency_key.is_some());
        3 + self.spec.labels.len() + key
    }
}

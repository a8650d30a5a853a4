//! The workers: who is there, and the one verdict on who is not.

mod dial;
mod member;
mod probe;
mod settlements;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use taskfleet_core::{BootId, RegistrationId, adoption::Held, machine::Event, task::Holder};
use tokio::sync::{mpsc, oneshot};

pub(crate) use dial::DialError;
pub(crate) use member::{Description, LinkState, Member};
pub(crate) use settlements::Verdict;

use crate::engine::Engine;

/// Every worker that is known.
#[derive(Default)]
pub(crate) struct Fleet {
    members: Mutex<Members>,
}

#[derive(Default)]
struct Members {
    by_boot: HashMap<BootId, Arc<Member>>,
    registrations: HashMap<RegistrationId, BootId>,
}

/// Settlements that may wait for one worker.
const SETTLEMENT_QUEUE: usize = 16_384;

impl Fleet {
    pub(crate) fn member(&self, boot_id: BootId) -> Option<Arc<Member>> {
        self.lock().by_boot.get(&boot_id).cloned()
    }

    pub(crate) fn members(&self) -> Vec<Arc<Member>> {
        self.lock().by_boot.values().cloned().collect()
    }

    /// The worker of a registration; `None` when it is not known (any more).
    pub(crate) fn registered(&self, registration: RegistrationId) -> Option<Arc<Member>> {
        let members = self.lock();
        let boot_id = members.registrations.get(&registration)?;
        members.by_boot.get(boot_id).cloned()
    }

    fn remember(&self, registration: RegistrationId, boot_id: BootId) {
        let mut members = self.lock();
        members.registrations.retain(|_, known| *known != boot_id);
        members.registrations.insert(registration, boot_id);
    }

    fn lock(&self) -> MutexGuard<'_, Members> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The member with this boot_id, new or known. A new one has to be dialled.
    fn enter(
        &self,
        boot_id: BootId,
        description: &Description,
    ) -> (Arc<Member>, Option<mpsc::Receiver<taskfleet_proto::v1::Settlement>>) {
        let mut members = self.lock();
        if let Some(member) = members.by_boot.get(&boot_id) {
            return (member.clone(), None);
        }
        let (settlements, waiting) = mpsc::channel(SETTLEMENT_QUEUE);
        let member = Arc::new(Member::new(boot_id, description.clone(), settlements));
        members.by_boot.insert(boot_id, member.clone());
        (member, Some(waiting))
    }

    fn forget(&self, member: &Arc<Member>) {
        let mut members = self.lock();
        if members.by_boot.get(&member.boot_id).is_some_and(|known| Arc::ptr_eq(known, member)) {
            members.by_boot.remove(&member.boot_id);
            members.registrations.retain(|_, boot_id| *boot_id != member.boot_id);
        }
    }
}

impl Engine {
    /// A worker asks to join: it is dialled back, and what it holds is adopted.
    ///
    /// # Errors
    /// When the address does not lead to this very process.
    pub(crate) async fn join(
        self: &Arc<Self>,
        boot_id: BootId,
        description: Description,
    ) -> Result<RegistrationId, DialError> {
        let (member, fresh) = self.fleet.enter(boot_id, &description);
        member.describe(description);
        let registration = RegistrationId::from_random(self.entropy.bytes());
        if let Some(settlements) = fresh {
            // In a task of its own: a worker that gives up waiting for the answer must not
            // leave a member behind that nobody dials.
            let (answer, answered) = oneshot::channel();
            self.tasks.spawn(member::welcome(self.clone(), member.clone(), settlements, answer));
            answered.await.unwrap_or(Err(DialError::Silent))?;
        } else {
            member.redial_now();
            member.wait_up().await?;
        }
        self.fleet.remember(registration, boot_id);
        member.offer(self);
        tracing::info!(worker = member.name(), %boot_id, "worker joined");
        Ok(registration)
    }

    /// A worker that had tasks before this supervisor started is looked for, as long as the
    /// start grace lasts.
    pub(crate) fn recall(self: &Arc<Self>, holder: &Holder) {
        let (member, fresh) = self.fleet.enter(holder.boot_id, &Description::of_holder(holder));
        if let Some(settlements) = fresh {
            self.tasks.spawn(member::recall(self.clone(), member, settlements));
        }
    }

    /// The one verdict: this worker is gone, and what it had goes back to the queue. Its
    /// drivers see that the member is gone and report their own leases.
    pub(crate) async fn worker_lost(self: &Arc<Self>, member: &Arc<Member>, evidence: &str) {
        self.fleet.forget(member);
        // In this order: an offer that is just being made sees that the member is gone.
        member.go();
        self.board.leave(member.boot_id);
        let (worker, boot_id) = (member.name(), member.boot_id);
        if member.description().draining {
            tracing::info!(worker, %boot_id, "a draining worker is gone");
        } else {
            tracing::warn!(worker, %boot_id, evidence, "worker lost");
        }
        let undriven = self.undriven(member.boot_id).await;
        let changes = undriven
            .iter()
            .map(|held| self.change(held.task, Event::Lost { lease: held.lease }))
            .collect();
        self.apply_surely(changes).await;
    }

    /// The leases that the store believes to be on a worker and that nobody here drives.
    async fn undriven(self: &Arc<Self>, boot_id: BootId) -> Vec<Held> {
        let mut running = Vec::new();
        while !self.tasks.is_stopping() {
            match self.store.running().await {
                Ok(rows) => {
                    running = rows;
                    break;
                }
                Err(error) => {
                    tracing::error!(%error, "could not read the running tasks, trying again");
                    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
                }
            }
        }
        // Only after the rows were read: a claim that is being started is marked before it
        // is committed, so one that stands in the rows is either marked or driven by now.
        running
            .into_iter()
            .filter(|row| row.holder.boot_id == boot_id)
            .map(|row| Held { task: row.id, lease: row.lease })
            .filter(|held| !self.executions.is_ours(*held))
            .collect()
    }
}

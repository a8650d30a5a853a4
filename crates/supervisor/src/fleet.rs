//! The workers: who is there, and the one verdict on who is not.

mod brake;
mod conduct;
mod connection;
mod description;
mod dial;
mod drain;
mod join;
mod kept;
mod member;
mod post;
mod probe;
mod registrant;
mod serving;
mod settlements;
mod silence;
mod standing;

use std::{
    collections::HashMap,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use taskfleet_core::{BootId, RegistrationId, adoption::Held, machine::Event, task::Holder};
use tokio::sync::{Notify, mpsc};

pub(crate) use description::{Description, Local};
pub(crate) use dial::DialError;
pub(crate) use drain::NotOne;
pub(crate) use join::Joined;
pub(crate) use member::{Beat, LinkState, Member};
pub(crate) use post::{Answer, Post};
pub(crate) use registrant::Registrant;
pub(crate) use settlements::Verdict;
pub(crate) use standing::{Standing, next_trial, who_is_away, why_none_is_ready};

use crate::engine::Engine;

/// Every worker that is known.
#[derive(Default)]
pub(crate) struct Fleet {
    members: Mutex<Members>,
    drains: drain::Drains,
    joined: Notify,
}

#[derive(Default)]
struct Members {
    by_boot: HashMap<BootId, Arc<Member>>,
    registrations: HashMap<RegistrationId, Registrant>,
    /// By address.
    posts: HashMap<String, Arc<Post>>,
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

    /// Who made a registration; `None` when it is not known (any more).
    pub(crate) fn registered(&self, registration: RegistrationId) -> Option<Registrant> {
        self.lock().registrations.get(&registration).cloned()
    }

    /// Waits until this local worker has joined.
    pub(crate) async fn local(&self, local: Local) -> Arc<Member> {
        let is_it = |member: &Arc<Member>| {
            let known = member.description();
            let up = matches!(member.link_state(), LinkState::Up(_));
            up && known.slots > 0 && known.local == Some(local)
        };
        loop {
            let mut joined = pin!(self.joined.notified());
            // Before looking: one that joins in between is not missed.
            joined.as_mut().enable();
            if let Some(member) = self.members().into_iter().find(is_it) {
                return member;
            }
            joined.await;
        }
    }

    /// A registrant's older registrations end with this one.
    fn remember(&self, registration: RegistrationId, registrant: Registrant) {
        let mut members = self.lock();
        members.registrations.retain(|_, known| !known.is_same(&registrant));
        members.registrations.insert(registration, registrant);
    }

    /// Every address that is kept dialled.
    pub(crate) fn posts(&self) -> Vec<Arc<Post>> {
        self.lock().posts.values().cloned().collect()
    }

    fn post(&self, address: &str) -> Option<Arc<Post>> {
        self.lock().posts.get(address).cloned()
    }

    /// The post at an address, and whether it is new.
    fn post_at(&self, description: &Description, is_static: bool) -> (Arc<Post>, bool) {
        let mut members = self.lock();
        if let Some(known) = members.posts.get(&description.address) {
            return (known.clone(), false);
        }
        let post = Arc::new(Post::new(description.clone(), is_static));
        members.posts.insert(description.address.clone(), post.clone());
        (post, true)
    }

    /// An address is dialled no more.
    fn dismiss(&self, post: &Arc<Post>) {
        let mut members = self.lock();
        members.posts.remove(&post.address);
        members.registrations.retain(|_, known| !known.is_address(post));
    }

    fn admit(&self, member: &Arc<Member>) {
        self.lock().by_boot.insert(member.boot_id, member.clone());
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
            members.registrations.retain(|_, known| !known.is_process(member.boot_id));
        }
    }
}

impl Engine {
    /// A worker that had tasks before this supervisor started is looked for, as long as the
    /// start grace lasts.
    pub(crate) fn recall(self: &Arc<Self>, holder: &Holder) {
        if holder.boot_id.is_of_connection() {
            // It went down with the supervisor that had it: nothing is waited for.
            self.tasks.spawn(cut_off(self.clone(), holder.boot_id));
            return;
        }
        let (member, fresh) = self.fleet.enter(holder.boot_id, &Description::of_holder(holder));
        if let Some(settlements) = fresh {
            self.tasks.spawn(serving::recall(self.clone(), member, settlements));
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
        if member.description().draining || member.is_drained() {
            tracing::info!(worker, %boot_id, "a draining worker is gone");
        } else {
            tracing::warn!(worker, %boot_id, evidence, "worker lost");
        }
        if self.stands_back() {
            return; // What it had is another's to judge.
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

/// What ran by a connection of a supervisor before this one goes back to the queue.
async fn cut_off(engine: Arc<Engine>, boot_id: BootId) {
    let rows = engine.undriven(boot_id).await;
    let over = |held: &Held| engine.change(held.task, Event::CutOff { lease: held.lease });
    engine.apply_surely(rows.iter().map(over).collect()).await;
}

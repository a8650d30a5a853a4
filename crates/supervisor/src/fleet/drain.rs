//! An operator's word that a worker is to get nothing new. The worker keeps it in mind, so
//! that it lives exactly as long as the process that it is about.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use taskfleet_core::BootId;
use taskfleet_proto::v1::{SetDrainedRequest, worker_control_client::WorkerControlClient};
use taskfleet_runtime::{patience::answer_within, transport::Link};

use super::{Fleet, LinkState, Member};
use crate::{engine::Engine, settings::DIAL_TIMEOUT};

/// What operators said to this supervisor, also of workers that are not there now: an entry
/// for each process that was ever drained by hand.
#[derive(Default)]
pub(super) struct Drains {
    said: Mutex<HashMap<BootId, bool>>,
}

impl Drains {
    fn say(&self, boot_id: BootId, drained: bool) {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).insert(boot_id, drained);
    }

    fn said(&self, boot_id: BootId) -> Option<bool> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).get(&boot_id).copied()
    }
}

/// Why there is no one worker of a name.
pub(crate) enum NotOne {
    Unknown,
    /// Several have the name.
    Ambiguous(Vec<BootId>),
}

impl Fleet {
    /// The worker with this boot_id or name.
    pub(crate) fn find(&self, worker: &str) -> Result<Arc<Member>, NotOne> {
        if let Some(member) = worker.parse().ok().and_then(|boot_id| self.member(boot_id)) {
            return Ok(member);
        }
        let mut named = self.members();
        named.retain(|member| member.name() == worker);
        match named.len() {
            0 => Err(NotOne::Unknown),
            1 => Ok(named.remove(0)),
            _ => Err(NotOne::Ambiguous(named.iter().map(|member| member.boot_id).collect())),
        }
    }
}

impl Engine {
    /// Drains a worker or takes it back; returns when the worker knows, or cannot be told now.
    pub(crate) async fn drain(self: &Arc<Self>, member: &Arc<Member>, drained: bool) {
        self.fleet.drains.say(member.boot_id, drained);
        member.set_drained(self, drained);
        tracing::info!(worker = member.name(), boot_id = %member.boot_id, drained, "an operator drains a worker");
        if let LinkState::Up(link) = member.link_state() {
            tell(self, member, &link).await;
        }
    }
}

/// A worker that was just adopted says whether it is drained: what was said here stands over
/// that, and without it the worker's word is a former supervisor's.
pub(super) async fn agree(engine: &Arc<Engine>, member: &Member, link: &Link, worker_says: bool) {
    match engine.fleet.drains.said(member.boot_id) {
        None => member.set_drained(engine, worker_says),
        Some(said) => {
            member.set_drained(engine, said);
            if said != worker_says {
                tell(engine, member, link).await;
            }
        }
    }
}

/// One at a time, and each says what holds then: the last word that is sent is the last that
/// was spoken. A worker that does not answer is told when it is adopted again.
async fn tell(engine: &Arc<Engine>, member: &Member, link: &Link) {
    let _turn = member.telling.lock().await;
    let Some(drained) = engine.fleet.drains.said(member.boot_id) else { return };
    let request = SetDrainedRequest { caller: Member::caller(engine), drained };
    let mut client = WorkerControlClient::new(link.channel());
    let told = answer_within(DIAL_TIMEOUT, client.set_drained(request)).await;
    if !matches!(told, Ok(Ok(_))) {
        tracing::warn!(
            worker = member.name(),
            drained,
            "a worker could not be told that it is drained: a restart of the supervisor may forget it"
        );
    }
}

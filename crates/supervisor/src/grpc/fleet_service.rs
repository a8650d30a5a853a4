//! FleetService: the fleet, for operators.

use std::{sync::Arc, sync::atomic::Ordering, time::Duration};

use taskfleet_core::task::TaskRecord;
use taskfleet_proto::v1::{self, fleet_service_server::FleetService};
use tonic::{Request, Response, Status, async_trait};

use super::{status, view};
use crate::{
    engine::Engine,
    fleet::{Fleet, LinkState, Member},
};

/// Serves FleetService.
pub(crate) struct FleetApi {
    pub(crate) engine: Arc<Engine>,
}

#[async_trait]
impl FleetService for FleetApi {
    async fn list_workers(
        &self,
        _: Request<v1::ListWorkersRequest>,
    ) -> Result<Response<v1::ListWorkersResponse>, Status> {
        let members = self.engine.fleet.members();
        let mut workers: Vec<v1::Worker> =
            members.iter().map(|member| worker(&self.engine, member)).collect();
        workers.sort_by(|a, b| (&a.name, &a.boot_id).cmp(&(&b.name, &b.boot_id)));
        Ok(Response::new(v1::ListWorkersResponse { workers }))
    }

    async fn drain_worker(
        &self,
        _: Request<v1::DrainWorkerRequest>,
    ) -> Result<Response<v1::DrainWorkerResponse>, Status> {
        Err(status::not_served_yet("DrainWorker"))
    }

    async fn get_stats(
        &self,
        _: Request<v1::GetStatsRequest>,
    ) -> Result<Response<v1::GetStatsResponse>, Status> {
        Ok(Response::new(stats(&self.engine)))
    }

    async fn backup_store(
        &self,
        _: Request<v1::BackupStoreRequest>,
    ) -> Result<Response<v1::BackupStoreResponse>, Status> {
        Err(status::not_served_yet("BackupStore"))
    }
}

fn stats(engine: &Engine) -> v1::GetStatsResponse {
    let counts = engine.store.counts();
    let workers: Vec<v1::Worker> =
        engine.fleet.members().iter().map(|member| worker(engine, member)).collect();
    let ready = workers.iter().filter(|w| w.state() == v1::WorkerState::Ready);
    v1::GetStatsResponse {
        queued: counts.queued,
        running: counts.running,
        completed: counts.completed,
        failed: counts.failed,
        cancelled: counts.cancelled,
        queued_bytes: counts.queued_bytes,
        workers_ready: u32::try_from(ready.count()).unwrap_or(u32::MAX),
        slots: workers.iter().map(|worker| worker.slots).sum(),
        slots_in_use: workers.iter().map(|worker| worker.slots_in_use).sum(),
        stale_results: engine.stale_results.load(Ordering::Relaxed),
        store_id: engine.caller.store_id.clone(),
        epoch: engine.caller.epoch,
        started_at: Some(view::timestamp(engine.time.started())),
        ..v1::GetStatsResponse::default()
    }
}

fn worker(engine: &Engine, member: &Member) -> v1::Worker {
    let known = member.description();
    let (state, detail) = state(member, known.draining, known.slots);
    let heard = member.heard_micros();
    let silent = Duration::from_micros(engine.time.micros().saturating_sub(heard));
    let since = |silent| prost_types::Duration::try_from(silent).ok();
    let mut worker = v1::Worker {
        name: known.name,
        boot_id: member.boot_id.to_string(),
        address: known.address,
        slots: known.slots,
        slots_in_use: engine.board.in_use(member.boot_id),
        models: known.models,
        features: known.features,
        account: known.account,
        registered_at: Some(view::timestamp(known.registered_at)),
        since_heard: Some(silent).filter(|_| heard > 0).and_then(since),
        detail: detail.to_owned(),
        foreign_held: known.foreign_held,
        version: known.version,
        ..v1::Worker::default()
    };
    worker.set_state(state);
    worker
}

fn state(member: &Member, draining: bool, slots: u32) -> (v1::WorkerState, &'static str) {
    use v1::WorkerState::{Connecting, Draining, Lost, NotServing, Ready, Suspect};
    match member.link_state() {
        LinkState::Gone => (Lost, "its process is gone"),
        LinkState::Connecting if member.heard_micros() > 0 => {
            (Suspect, "its connection broke; it is being dialled")
        }
        LinkState::Connecting => (Connecting, "it is being dialled"),
        LinkState::Up(_) if draining => (Draining, "it ends what it runs and takes nothing new"),
        LinkState::Up(_) if !member.is_serving() => (NotServing, "it says that it is not ready"),
        LinkState::Up(_) if slots == 0 => {
            (Connecting, "it ends what it ran; it has not registered again yet")
        }
        LinkState::Up(_) => (Ready, ""),
    }
}

impl Fleet {
    /// Why a task that is ready has no slot.
    pub(crate) fn why_no_slot(
        &self,
        record: &TaskRecord,
        has_room: bool,
    ) -> (v1::WaitReason, String) {
        let members = self.members();
        let ready: Vec<_> = members
            .iter()
            .filter(|member| matches!(member.link_state(), LinkState::Up(_)))
            .map(|member| member.description())
            .filter(|known| known.slots > 0 && !known.draining)
            .collect();
        let serves = |models: &[String]| {
            models.is_empty() || record.model.as_ref().is_none_or(|model| models.contains(model))
        };
        if ready.is_empty() {
            (v1::WaitReason::NoWorker, "no worker is ready".to_owned())
        } else if !ready.iter().any(|known| serves(&known.models)) {
            let model = record.model.as_deref().unwrap_or_default();
            (v1::WaitReason::NoWorkerForModel, format!("no worker serves the model {model}"))
        } else if record.runs_alone() {
            let detail = "workers died with it, so it waits for one that runs nothing else";
            (v1::WaitReason::NoFreeSlot, detail.to_owned())
        } else if has_room {
            (v1::WaitReason::Starting, "its turn is about to come".to_owned())
        } else {
            (v1::WaitReason::NoFreeSlot, "all slots are in use".to_owned())
        }
    }
}

//! FleetService: the fleet, for operators.

use std::{sync::Arc, time::Duration};

use taskfleet_core::{BootId, Epoch};
use taskfleet_proto::{
    FieldError,
    v1::{self, fleet_service_server::FleetService},
};
use tonic::{Code, Request, Response, Status, async_trait};

use super::{backup, status, view};
use crate::{
    engine::Engine,
    fleet::{Answer, Fleet, Member, NotOne, Post},
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
        let mut workers = workers(&self.engine);
        workers.sort_by(|a, b| (&a.name, &a.boot_id).cmp(&(&b.name, &b.boot_id)));
        Ok(Response::new(v1::ListWorkersResponse { workers }))
    }

    async fn drain_worker(
        &self,
        request: Request<v1::DrainWorkerRequest>,
    ) -> Result<Response<v1::DrainWorkerResponse>, Status> {
        let v1::DrainWorkerRequest { worker: named, drain } = request.into_inner();
        let member = find(&self.engine.fleet, &named)?;
        let (engine, drained) = (self.engine.clone(), member.clone());
        let draining = async move { engine.drain(&drained, drain).await };
        self.engine.to_the_end(draining).await;
        let worker = Some(worker(&self.engine, &member));
        Ok(Response::new(v1::DrainWorkerResponse { worker }))
    }

    async fn get_stats(
        &self,
        _: Request<v1::GetStatsRequest>,
    ) -> Result<Response<v1::GetStatsResponse>, Status> {
        let oldest = self.engine.store.oldest_queued().await;
        let oldest = oldest.map_err(|error| status::of_store(&error))?;
        let age = oldest.map(|submitted| self.engine.time.now().since(submitted));
        let oldest_queued_age = age.and_then(|age| age.try_into().ok());
        let stats = stats(&self.engine);
        Ok(Response::new(v1::GetStatsResponse { oldest_queued_age, ..stats }))
    }

    async fn backup_store(
        &self,
        request: Request<v1::BackupStoreRequest>,
    ) -> Result<Response<v1::BackupStoreResponse>, Status> {
        let path = backup::read_path(&request.get_ref().path)?;
        let written = self.engine.store.backup(path).await;
        let size_bytes = written.map_err(|error| backup::status(&error))?;
        tracing::info!(size_bytes, "wrote a copy of the store");
        Ok(Response::new(v1::BackupStoreResponse { size_bytes }))
    }
}

fn find(fleet: &Fleet, named: &str) -> Result<Arc<Member>, Status> {
    if named.is_empty() {
        let problem = "is empty: a worker's name or boot_id is needed";
        return Err(FieldError::new("worker", problem).into());
    }
    fleet.find(named).map_err(|not_one| match not_one {
        NotOne::Unknown => Status::not_found(
            "worker: there is none of this name or boot_id; ListWorkers tells who is there",
        ),
        NotOne::Ambiguous(boot_ids) => {
            let boot_ids: Vec<String> = boot_ids.iter().map(BootId::to_string).collect();
            let problem = format!(
                "several workers have this name: name one by its boot_id: {}",
                boot_ids.join(", ")
            );
            FieldError::status_as(Code::FailedPrecondition, &[FieldError::new("worker", problem)])
        }
    })
}

fn stats(engine: &Engine) -> v1::GetStatsResponse {
    let (counts, totals) = (engine.store.counts(), engine.store.totals());
    let workers = workers(engine);
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
        stale_results: engine.metrics.stale_results(),
        store_id: engine.caller.store_id.clone(),
        epoch: engine.caller.epoch,
        started_at: Some(view::timestamp(engine.time.started())),
        attempts_failed: totals.attempts_failed,
        worker_losses: totals.worker_losses,
        throttles: totals.throttles,
        requeues: totals.requeues,
        superseded_by: engine.superseded_by().map_or(0, Epoch::number),
        ..v1::GetStatsResponse::default()
    }
}

/// The members, and the addresses where none answers.
pub(crate) fn workers(engine: &Engine) -> Vec<v1::Worker> {
    let members = engine.fleet.members();
    let mut workers: Vec<v1::Worker> =
        members.iter().map(|member| worker(engine, member)).collect();
    for post in engine.fleet.posts() {
        let known = post.member().map(|member| member.boot_id.to_string());
        let same = |worker: &&mut v1::Worker| Some(&worker.boot_id) == known.as_ref();
        match workers.iter_mut().find(same) {
            Some(worker) => worker.is_static = post.is_static,
            None => workers.push(unreachable(&post)),
        }
    }
    workers
}

/// An address where no worker answers now.
fn unreachable(post: &Post) -> v1::Worker {
    let known = post.description();
    let detail = match post.answer() {
        Answer::Away(problem) => problem,
        Answer::Awaited | Answer::Up(_) => "it is being dialled".to_owned(),
    };
    let mut worker = v1::Worker {
        name: known.name,
        address: post.address.clone(),
        models: known.models,
        features: known.features,
        registered_at: Some(view::timestamp(known.registered_at)),
        detail,
        is_static: post.is_static,
        version: known.version,
        ..v1::Worker::default()
    };
    worker.set_state(v1::WorkerState::Connecting);
    worker
}

fn worker(engine: &Engine, member: &Member) -> v1::Worker {
    let known = member.description();
    let standing = member.standing(engine);
    let heard = member.heard_micros();
    let silent = Duration::from_micros(engine.time.micros().saturating_sub(heard));
    let since = |silent| prost_types::Duration::try_from(silent).ok();
    let mut worker = v1::Worker {
        name: known.name,
        boot_id: member.boot_id.to_string(),
        address: known.address,
        slots: known.slots,
        slots_in_use: engine.board.in_use(member.boot_id).saturating_add(known.taken),
        models: known.models,
        features: known.features,
        account: known.account,
        registered_at: Some(view::timestamp(known.registered_at)),
        since_heard: Some(silent).filter(|_| heard > 0).and_then(since),
        detail: standing.detail(),
        foreign_held: known.foreign_held,
        newer_held: member.newer_held(),
        version: known.version,
        local_pid: known.local.map_or(0, |local| local.pid),
        ..v1::Worker::default()
    };
    worker.set_state(standing.state());
    worker
}

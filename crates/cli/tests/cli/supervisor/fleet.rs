//! The calls of operators: a fleet of one worker that runs nothing.

use std::sync::Arc;

use taskfleet_proto::{
    FieldError,
    v1::{self, WorkerState, fleet_service_server::FleetService},
};
use tonic::{Request, Response, Status};

use super::Shared;

type Answer<T> = Result<Response<T>, Status>;

pub(super) struct Fleet(pub(super) Arc<Shared>);

fn worker(state: WorkerState) -> v1::Worker {
    let mut worker = v1::Worker {
        name: "worker-1".into(),
        boot_id: "boot-1".into(),
        address: "127.0.0.1:50052".into(),
        slots: 64,
        slots_in_use: 3,
        version: "0.1.0".into(),
        since_heard: Some(prost_types::Duration { seconds: 1, nanos: 0 }),
        ..v1::Worker::default()
    };
    worker.set_state(state);
    worker
}

#[tonic::async_trait]
impl FleetService for Fleet {
    async fn list_workers(
        &self,
        _: Request<v1::ListWorkersRequest>,
    ) -> Answer<v1::ListWorkersResponse> {
        let workers = vec![worker(WorkerState::Ready)];
        Ok(Response::new(v1::ListWorkersResponse { workers }))
    }

    async fn drain_worker(
        &self,
        request: Request<v1::DrainWorkerRequest>,
    ) -> Answer<v1::DrainWorkerResponse> {
        let request = request.into_inner();
        if !["worker-1", "boot-1"].contains(&request.worker.as_str()) {
            return Err(Status::not_found("worker: there is none of this name or boot_id"));
        }
        let state = if request.drain { WorkerState::Draining } else { WorkerState::Ready };
        Ok(Response::new(v1::DrainWorkerResponse { worker: Some(worker(state)) }))
    }

    async fn get_stats(&self, _: Request<v1::GetStatsRequest>) -> Answer<v1::GetStatsResponse> {
        self.0.book.lock().unwrap().stats += 1;
        let stats = v1::GetStatsResponse { queued: 12_000, slots: 64, ..Default::default() };
        Ok(Response::new(stats))
    }

    async fn backup_store(
        &self,
        request: Request<v1::BackupStoreRequest>,
    ) -> Answer<v1::BackupStoreResponse> {
        if !request.get_ref().path.starts_with('/') {
            return Err(FieldError::new("path", "must be absolute").into());
        }
        Ok(Response::new(v1::BackupStoreResponse { size_bytes: 4_096 }))
    }
}

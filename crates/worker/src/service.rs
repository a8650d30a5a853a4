//! `worker.WorkerService`: ProcessTask.

mod request;
pub(crate) mod status;

use std::pin::Pin;

use futures::Stream;
use taskfleet_core::BootId;
use taskfleet_proto::worker::{TaskRequest, TaskResponse, worker_service_server::WorkerService};
use taskfleet_runtime::trace::Place;
use tonic::{Request, Response, Status};

use crate::executions::Executions;
use request::Asked;
use status::{plain, refused};

/// Serves ProcessTask, to our supervisors and to whoever knows the published part only.
pub(crate) struct Processing {
    boot_id: BootId,
    executions: Executions,
}

impl Processing {
    pub(crate) fn new(boot_id: BootId, executions: Executions) -> Self {
        Self { boot_id, executions }
    }
}

type Responses = Pin<Box<dyn Stream<Item = Result<TaskResponse, Status>> + Send>>;

#[tonic::async_trait]
impl WorkerService for Processing {
    type ProcessTaskStream = Responses;

    async fn process_task(
        &self,
        request: Request<TaskRequest>,
    ) -> Result<Response<Responses>, Status> {
        let caller = Place::of_caller(request.metadata());
        let mut request = request.into_inner();
        if let Some(caller) = caller.filter(|_| request.traceparent.is_empty()) {
            request.traceparent = caller.traceparent();
            request.tracestate = caller.tracestate();
        }
        let reader = match request::read(request, self.boot_id)? {
            Asked::Unleased { task, job } => {
                self.executions.process_unleased(task, job).map_err(plain)?
            }
            Asked::Leased { caller, wanted, from_offset, job } => {
                let reader = self.executions.process(caller, wanted, from_offset, job);
                reader.map_err(|why| refused(why, caller.store))?
            }
        };
        Ok(Response::new(Box::pin(reader.into_stream())))
    }
}

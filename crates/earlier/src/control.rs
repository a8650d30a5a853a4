//! WorkerControl, as it was at first.

use std::sync::Arc;

use tonic::{Request, Response, Status, async_trait};

use crate::{
    BOOT_ID,
    executions::Executions,
    wire::v1::{
        AdoptRequest, AdoptResponse, CancelRequest, CancelResponse, HeldExecution, HeldState,
        SettleRequest, SettleResponse, worker_control_server::WorkerControl,
    },
};

pub(crate) struct Service(pub(crate) Arc<Executions>);

#[async_trait]
impl WorkerControl for Service {
    async fn adopt(
        &self,
        request: Request<AdoptRequest>,
    ) -> Result<Response<AdoptResponse>, Status> {
        self.0.check_caller(request.get_ref().caller.as_ref())?;
        let told = |((task_id, lease), ended): ((String, u64), bool)| {
            let mut held = HeldExecution { task_id, lease, ..HeldExecution::default() };
            held.set_state(if ended { HeldState::Ended } else { HeldState::Running });
            held
        };
        let held = self.0.held().into_iter().map(told).collect();
        Ok(Response::new(AdoptResponse { boot_id: BOOT_ID.to_owned(), held, foreign_held: 0 }))
    }

    async fn settle(
        &self,
        request: Request<SettleRequest>,
    ) -> Result<Response<SettleResponse>, Status> {
        self.0.check_caller(request.get_ref().caller.as_ref())?;
        for settled in request.into_inner().settlements {
            self.0.forget(&(settled.task_id, settled.lease));
        }
        Ok(Response::new(SettleResponse {}))
    }

    async fn cancel(
        &self,
        request: Request<CancelRequest>,
    ) -> Result<Response<CancelResponse>, Status> {
        self.0.check_caller(request.get_ref().caller.as_ref())?;
        let cancelled = request.into_inner();
        let was_running = self.0.forget(&(cancelled.task_id, cancelled.lease));
        Ok(Response::new(CancelResponse { was_running }))
    }
}

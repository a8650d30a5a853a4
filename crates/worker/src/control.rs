//! `taskfleet.v1.WorkerControl`: how a supervisor takes over, settles and cancels.

use std::sync::{Mutex, PoisonError};

use taskfleet_core::{
    BootId, Epoch, Lease, StoreId, TaskId, adoption::Held, execution::Caller as Supervisor,
};
use taskfleet_proto::{
    FieldError, parse_id,
    v1::{
        AdoptRequest, AdoptResponse, Caller, CancelRequest, CancelResponse, HeldExecution,
        HeldState, SetDrainedRequest, SetDrainedResponse, SettleRequest, SettleResponse,
        Settlement, Verdict, worker_control_server::WorkerControl,
    },
};
use tonic::{Request, Response, Status};

use crate::{
    executions::{Adopted, Executions},
    service::status::refused,
};

/// Serves WorkerControl.
pub(crate) struct Control {
    boot_id: BootId,
    executions: Executions,
    /// Whose operator wants no new work for this process. It is kept for the supervisor's
    /// successor and has no effect here.
    drained_for: Mutex<Option<StoreId>>,
}

impl Control {
    pub(crate) fn new(boot_id: BootId, executions: Executions) -> Self {
        Self { boot_id, executions, drained_for: Mutex::new(None) }
    }

    fn with_drained<T>(&self, look: impl FnOnce(&mut Option<StoreId>) -> T) -> T {
        look(&mut self.drained_for.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[tonic::async_trait]
impl WorkerControl for Control {
    async fn adopt(
        &self,
        request: Request<AdoptRequest>,
    ) -> Result<Response<AdoptResponse>, Status> {
        let AdoptRequest { caller, boot_id } = request.into_inner();
        let supervisor = supervisor(caller)?;
        if !boot_id.is_empty() && parse_id::<BootId>("boot_id", &boot_id)? != self.boot_id {
            // Whoever dialled wrongly is told who answers, and must not take us over.
            let boot_id = self.boot_id.to_string();
            return Ok(Response::new(AdoptResponse { boot_id, ..AdoptResponse::default() }));
        }
        let adopted =
            self.executions.adopt(supervisor).map_err(|why| refused(why, supervisor.store))?;
        let drained = self.with_drained(|store| *store == Some(supervisor.store));
        Ok(Response::new(AdoptResponse { drained, ..adopt_response(self.boot_id, &adopted) }))
    }

    async fn settle(
        &self,
        request: Request<SettleRequest>,
    ) -> Result<Response<SettleResponse>, Status> {
        let SettleRequest { caller, settlements } = request.into_inner();
        let supervisor = supervisor(caller)?;
        let leases = read_settlements(&settlements)?;
        self.executions
            .settle(supervisor, &leases)
            .map_err(|why| refused(why, supervisor.store))?;
        Ok(Response::new(SettleResponse {}))
    }

    async fn cancel(
        &self,
        request: Request<CancelRequest>,
    ) -> Result<Response<CancelResponse>, Status> {
        let CancelRequest { caller, task_id, lease } = request.into_inner();
        let supervisor = supervisor(caller)?;
        let lease = read_lease("task_id", &task_id, lease)?;
        let was_running = self
            .executions
            .cancel(supervisor, lease)
            .map_err(|why| refused(why, supervisor.store))?;
        Ok(Response::new(CancelResponse { was_running }))
    }

    async fn set_drained(
        &self,
        request: Request<SetDrainedRequest>,
    ) -> Result<Response<SetDrainedResponse>, Status> {
        let SetDrainedRequest { caller, drained } = request.into_inner();
        let supervisor = supervisor(caller)?;
        self.executions.check(supervisor).map_err(|why| refused(why, supervisor.store))?;
        self.with_drained(|store| *store = drained.then_some(supervisor.store));
        Ok(Response::new(SetDrainedResponse {}))
    }
}

fn supervisor(caller: Option<Caller>) -> Result<Supervisor, FieldError> {
    let caller = caller.ok_or_else(|| FieldError::new("caller", "is missing"))?;
    let store = parse_id::<StoreId>("caller.store_id", &caller.store_id)?;
    Ok(Supervisor { store, epoch: Epoch::new(caller.epoch) })
}

fn adopt_response(boot_id: BootId, adopted: &Adopted) -> AdoptResponse {
    let held = adopted.held.iter().map(|(held, ended)| {
        let state = if *ended { HeldState::Ended } else { HeldState::Running };
        let task_id = held.task.to_string();
        HeldExecution { task_id, lease: held.lease.number(), state: state.into() }
    });
    AdoptResponse {
        boot_id: boot_id.to_string(),
        held: held.collect(),
        foreign_held: adopted.foreign as u64,
        drained: false,
        foreign_running: adopted.foreign_running as u64,
    }
}

/// Both verdicts free the lease; one that is void is aborted too, if it still runs.
fn read_settlements(settlements: &[Settlement]) -> Result<Vec<Held>, FieldError> {
    settlements
        .iter()
        .enumerate()
        .map(|(index, settlement)| {
            if settlement.verdict() == Verdict::Unspecified {
                let field = format!("settlements[{index}].verdict");
                return Err(FieldError::new(field, "is neither SETTLED nor STALE"));
            }
            let field = format!("settlements[{index}].task_id");
            read_lease(&field, &settlement.task_id, settlement.lease)
        })
        .collect()
}

fn read_lease(field: &str, task: &str, lease: u64) -> Result<Held, FieldError> {
    Ok(Held { task: parse_id::<TaskId>(field, task)?, lease: Lease::new(lease) })
}

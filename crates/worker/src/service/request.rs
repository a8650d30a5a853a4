//! What a TaskRequest asks for.

use std::time::Duration;

use secrecy::SecretString;
use taskfleet_core::{
    BootId, Epoch, Lease, StoreId, TaskId, adoption::Held, execution::Caller, limits,
    task::TraceContext,
};
use taskfleet_proto::{FieldError, feature, parse_id, read_work, worker::TaskRequest};
use tonic::Status;

use crate::executions::Job;

/// A request that was understood.
pub(super) enum Asked {
    /// A client that knows only the published part: run it.
    Unleased { task: String, job: Job },
    /// Run or attach to an execution; without a job only attach.
    Leased { caller: Caller, wanted: Held, from_offset: usize, job: Option<Job> },
}

/// Reads a request to the process `boot_id`.
///
/// # Errors
/// UNIMPLEMENTED for an unknown requirement, FAILED_PRECONDITION for another process,
/// INVALID_ARGUMENT names the field.
pub(super) fn read(mut request: TaskRequest, boot_id: BootId) -> Result<Asked, Status> {
    known(&request.requires)?;
    if request.lease == 0 {
        let job = job(&mut request)?;
        return Ok(Asked::Unleased { task: request.task_id, job });
    }
    if parse_id::<BootId>("boot_id", &request.boot_id)? != boot_id {
        return Err(Status::failed_precondition("another worker process is meant"));
    }
    let store = parse_id::<StoreId>("store_id", &request.store_id)?;
    let task = parse_id::<TaskId>("task_id", &request.task_id)?;
    Ok(Asked::Leased {
        caller: Caller { store, epoch: Epoch::new(request.epoch) },
        wanted: Held { task, lease: Lease::new(request.lease) },
        from_offset: usize::try_from(request.from_offset).unwrap_or(usize::MAX),
        job: if request.attach_only { None } else { Some(job(&mut request)?) },
    })
}

fn known(requires: &[String]) -> Result<(), Status> {
    match requires.iter().find(|name| !feature::ALL.contains(&name.as_str())) {
        Some(unknown) => {
            let unknown: String = unknown.chars().take(64).collect();
            Err(Status::unimplemented(format!("this worker does not know the feature {unknown}")))
        }
        None => Ok(()),
    }
}

fn job(request: &mut TaskRequest) -> Result<Job, FieldError> {
    let limit = match request.remaining_ms {
        0 => limits::DEFAULT_ATTEMPT_TIMEOUT,
        millis => Duration::from_millis(millis).min(limits::MAX_ATTEMPT_TIMEOUT),
    };
    let key = std::mem::take(&mut request.api_key);
    let traceparent = std::mem::take(&mut request.traceparent);
    let tracestate = std::mem::take(&mut request.tracestate);
    let limit_key = std::mem::take(&mut request.limit_key);
    Ok(Job {
        work: read_work(request)?,
        limit,
        key: (!key.is_empty()).then(|| SecretString::from(key)),
        trace: (!traceparent.is_empty()).then_some(TraceContext { traceparent, tracestate }),
        limit_key: (!limit_key.is_empty()).then_some(limit_key),
    })
}

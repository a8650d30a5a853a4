//! A client that knows the published messages only.

use tonic::{Status, Streaming, transport::Endpoint};

use crate::wire::{TaskRequest, TaskResponse, worker_service_client::WorkerServiceClient};

/// Sends a task to the worker at `address` (host:port).
///
/// # Errors
/// UNAVAILABLE when nobody answers there; else what the worker says.
pub async fn call(
    address: &str,
    task_id: &str,
    content: &str,
) -> Result<Streaming<TaskResponse>, Status> {
    let endpoint = Endpoint::from_shared(format!("http://{address}"))
        .map_err(|error| Status::invalid_argument(error.to_string()))?;
    let channel =
        endpoint.connect().await.map_err(|error| Status::unavailable(error.to_string()))?;
    let request = TaskRequest {
        task_id: task_id.to_owned(),
        content: content.to_owned(),
        api_key: String::new(),
    };
    Ok(WorkerServiceClient::new(channel).process_task(request).await?.into_inner())
}

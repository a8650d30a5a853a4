//! `/sim/…`: what tests and the curious ask about the calls that came, and how they change what
//! becomes of those that come next.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use bytes::Bytes;
use serde_json::Value;

use crate::app::App;
use crate::behaviour::Behaviour;
use crate::errors::ApiError;
use crate::ledger::Report;

/// Every call since the last reset.
pub(crate) async fn all(State(app): State<Arc<App>>) -> Json<Report> {
    Json(app.ledger.report())
}

/// The calls of one task; zeros for a task that never called.
pub(crate) async fn task(State(app): State<Arc<App>>, Path(task): Path<String>) -> Json<Report> {
    Json(app.ledger.report_task(&task))
}

/// Forgets every call, and with them where each task stands in its marker.
pub(crate) async fn reset(State(app): State<Arc<App>>) -> StatusCode {
    app.ledger.reset();
    StatusCode::NO_CONTENT
}

/// The faults and waits in force.
pub(crate) async fn faults(State(app): State<Arc<App>>) -> Json<Value> {
    Json(app.chance.behaviour().to_json())
}

/// Puts others in force for the calls to come; answers what is in force then.
pub(crate) async fn set_faults(
    State(app): State<Arc<App>>,
    body: Bytes,
) -> Result<Json<Value>, ApiError> {
    let behaviour = Behaviour::from_json(&body)?;
    app.chance.behave(behaviour);
    Ok(Json(behaviour.to_json()))
}

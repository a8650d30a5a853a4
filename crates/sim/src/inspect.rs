//! `/sim/calls`: what tests and the curious ask about the calls that came.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;

use crate::app::App;
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

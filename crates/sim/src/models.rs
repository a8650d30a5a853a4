//! `/v1/models`. The simulator answers in the name of any model, so that any may be asked about;
//! some are listed.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use serde_json::{Value, json};

use crate::access;
use crate::app::App;
use crate::errors::ApiError;

const LISTED: [&str; 3] = ["simulated", "gpt-4o-mini", "text-embedding-3-small"];

/// `GET /v1/models`
pub(crate) async fn all(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
) -> Result<Json<Value>, ApiError> {
    access::check(app.settings.key.as_deref(), &headers)?;
    let models = LISTED.map(|id| model(&app, id));
    Ok(Json(json!({"object": "list", "data": models})))
}

/// `GET /v1/models/{model}`
pub(crate) async fn one(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    access::check(app.settings.key.as_deref(), &headers)?;
    Ok(Json(model(&app, &id)))
}

fn model(app: &App, id: &str) -> Value {
    json!({"id": id, "object": "model", "created": app.started, "owned_by": "openai-sim"})
}

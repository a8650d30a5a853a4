//! OpenAI's error object.

pub(crate) mod canned;

use std::borrow::Cow;

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// An answer that is an error, in OpenAI's shape.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ApiError {
    pub(crate) status: StatusCode,
    pub(crate) kind: &'static str,
    pub(crate) code: Option<&'static str>,
    pub(crate) param: Option<&'static str>,
    pub(crate) message: Cow<'static, str>,
}

impl ApiError {
    /// 400: the request is wrong.
    pub(crate) fn invalid(
        param: Option<&'static str>,
        code: Option<&'static str>,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            kind: "invalid_request_error",
            code,
            param,
            message: message.into(),
        }
    }

    /// The name under which the ledger keeps a call that was refused with it.
    pub(crate) fn outcome(&self) -> &'static str {
        match self.status {
            StatusCode::UNAUTHORIZED => "401",
            StatusCode::PAYLOAD_TOO_LARGE => "413",
            StatusCode::TOO_MANY_REQUESTS => "429",
            _ => "400",
        }
    }

    /// The body: `{"error": {"message", "type", "param", "code"}}`.
    pub(crate) fn body(&self) -> Value {
        json!({"error": {
            "message": self.message,
            "type": self.kind,
            "param": self.param,
            "code": self.code,
        }})
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        (self.status, Json(self.body())).into_response()
    }
}

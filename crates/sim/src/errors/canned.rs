//! The errors that a marker can ask for, worded and coded as the real API does.

use std::borrow::Cow;

use axum::http::StatusCode;

use super::ApiError;

const INVALID: &str = "invalid_request_error";
const SERVER: &str = "server_error";

const fn error(
    status: StatusCode,
    kind: &'static str,
    code: Option<&'static str>,
    message: &'static str,
) -> ApiError {
    ApiError { status, kind, code, param: None, message: Cow::Borrowed(message) }
}

pub(crate) static BAD_REQUEST: ApiError =
    error(StatusCode::BAD_REQUEST, INVALID, Some("invalid_value"), "Simulated: invalid request.");
pub(crate) static UNAUTHORIZED: ApiError = error(
    StatusCode::UNAUTHORIZED,
    INVALID,
    Some("invalid_api_key"),
    "Simulated: incorrect API key provided.",
);
pub(crate) static FORBIDDEN: ApiError = error(
    StatusCode::FORBIDDEN,
    INVALID,
    None,
    "Simulated: you are not allowed to sample from this model.",
);
pub(crate) static NOT_FOUND: ApiError = error(
    StatusCode::NOT_FOUND,
    INVALID,
    Some("model_not_found"),
    "Simulated: the model does not exist or you do not have access to it.",
);
pub(crate) static TIMEOUT: ApiError =
    error(StatusCode::REQUEST_TIMEOUT, SERVER, None, "Simulated: the request timed out.");
pub(crate) static CONFLICT: ApiError =
    error(StatusCode::CONFLICT, INVALID, None, "Simulated: the resource is locked.");
pub(crate) static TOO_LARGE: ApiError =
    error(StatusCode::PAYLOAD_TOO_LARGE, INVALID, None, "The request is too large.");
pub(crate) static UNPROCESSABLE: ApiError =
    error(StatusCode::UNPROCESSABLE_ENTITY, INVALID, None, "Simulated: unprocessable entity.");
pub(crate) static RATE_LIMIT: ApiError = error(
    StatusCode::TOO_MANY_REQUESTS,
    "requests",
    Some("rate_limit_exceeded"),
    "Simulated: rate limit reached for requests.",
);
pub(crate) static QUOTA: ApiError = error(
    StatusCode::TOO_MANY_REQUESTS,
    "insufficient_quota",
    Some("insufficient_quota"),
    "Simulated: you exceeded your current quota, please check your plan and billing details.",
);
pub(crate) static INTERNAL: ApiError = error(
    StatusCode::INTERNAL_SERVER_ERROR,
    SERVER,
    None,
    "Simulated: the server had an error while processing your request.",
);
pub(crate) static BAD_GATEWAY: ApiError =
    error(StatusCode::BAD_GATEWAY, SERVER, None, "Simulated: bad gateway.");
pub(crate) static OVERLOADED: ApiError = error(
    StatusCode::SERVICE_UNAVAILABLE,
    SERVER,
    Some("server_is_overloaded"),
    "Simulated: the server is overloaded, please try again later.",
);
pub(crate) static GATEWAY_TIMEOUT: ApiError =
    error(StatusCode::GATEWAY_TIMEOUT, SERVER, None, "Simulated: gateway timeout.");
/// What `errmid` sends inside an answer whose status was 200.
pub(crate) static MID_ANSWER: ApiError = error(
    StatusCode::OK,
    SERVER,
    Some("server_error"),
    "Simulated: the server had an error while generating the answer.",
);
/// What `429mid` sends there.
pub(crate) static MID_LIMIT: ApiError = error(
    StatusCode::OK,
    "tokens",
    Some("rate_limit_exceeded"),
    "Simulated: rate limit reached for tokens in the middle of the answer.",
);
pub(crate) static UNKNOWN_URL: ApiError = error(
    StatusCode::NOT_FOUND,
    INVALID,
    Some("unknown_url"),
    "Unknown request URL: the simulator has POST /v1/chat/completions, /v1/responses and \
     /v1/embeddings, GET /v1/models, GET and DELETE /sim/calls, GET /sim/calls/{task}, GET and \
     PUT /sim/faults, and GET /sim/healthz.",
);
pub(crate) static METHOD_NOT_ALLOWED: ApiError = error(
    StatusCode::METHOD_NOT_ALLOWED,
    INVALID,
    Some("method_not_supported"),
    "This endpoint does not take that method.",
);

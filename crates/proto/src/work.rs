//! What to call the model with, between supervisor and worker.

use taskfleet_core::task::{Content, Endpoint, Request, Work};

use crate::{
    FieldError, feature,
    worker::{ApiRequest, TaskRequest},
};

/// Puts the work into a request, with the features that the worker needs for it.
pub fn write_work(request: &mut TaskRequest, work: &Work) {
    match work {
        Work::Content(content) => {
            request.content = content.text.clone();
            request.model = content.model.clone().unwrap_or_default();
            request.instructions = content.instructions.clone().unwrap_or_default();
            request.parameters_json = content.parameters_json.clone().unwrap_or_default();
        }
        Work::Request(Request { endpoint, body, .. }) => {
            request.request = Some(ApiRequest {
                endpoint: endpoint.path().to_owned(),
                body: body.clone().into_bytes().into(),
            });
        }
    }
    request.requires.extend(feature::names(work.needs()).map(str::to_owned));
}

/// The work in a request.
///
/// # Errors
/// Names the field that is wrong.
pub fn read_work(request: &mut TaskRequest) -> Result<Work, FieldError> {
    match (request.request.take(), request.content.is_empty()) {
        (Some(_), false) => Err(FieldError::new("content", "is set beside request: set one")),
        (None, true) => Err(FieldError::new("content", "is empty: a prompt is needed")),
        (Some(wire), true) => read_request(&wire).map(Work::Request),
        (None, false) => Ok(Work::Content(Content {
            text: std::mem::take(&mut request.content),
            model: non_empty(std::mem::take(&mut request.model)),
            instructions: non_empty(std::mem::take(&mut request.instructions)),
            parameters_json: non_empty(std::mem::take(&mut request.parameters_json)),
        })),
    }
}

fn read_request(wire: &ApiRequest) -> Result<Request, FieldError> {
    let body = std::str::from_utf8(&wire.body)
        .map_err(|_| FieldError::new("request.body", "is not UTF-8"))?;
    let endpoint = endpoint("request.endpoint", &wire.endpoint)?;
    // The worker forwards the body and does not ask what it says.
    Ok(Request { endpoint, body: body.to_owned(), model: None })
}

/// The endpoint that stands in `field`.
pub(crate) fn endpoint(field: &str, path: &str) -> Result<Endpoint, FieldError> {
    Endpoint::from_path(path).ok_or_else(|| {
        let known = Endpoint::ALL.map(Endpoint::path).join(", ");
        FieldError::new(field, format!("is not one of {known}"))
    })
}

/// Empty stands for unset on the wire.
pub(crate) fn non_empty(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

//! Exports spans by OTLP over gRPC, set up by the OTEL variables that the SDK reads.

use opentelemetry::{Key, KeyValue};
use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::{
    Resource,
    trace::{Config, SdkTracerProvider},
};

use super::{InvalidTelemetry, delivery::Telling};
use crate::trace;

/// The variables that are read, by the names that they have everywhere.
pub const VARIABLES: [&str; 12] = [
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_PROTOCOL",
    "OTEL_EXPORTER_OTLP_HEADERS",
    "OTEL_EXPORTER_OTLP_TIMEOUT",
    "OTEL_SERVICE_NAME",
    "OTEL_RESOURCE_ATTRIBUTES",
    "OTEL_TRACES_SAMPLER",
    "OTEL_TRACES_SAMPLER_ARG",
    "OTEL_BSP_SCHEDULE_DELAY",
    "OTEL_BSP_MAX_QUEUE_SIZE",
    "OTEL_BSP_MAX_EXPORT_BATCH_SIZE",
];
/// The first two say whether spans are exported at all.
const ENDPOINTS: [&str; 2] = [VARIABLES[0], VARIABLES[1]];
const PROTOCOL: &str = VARIABLES[2];

/// Starts exporting if there is somewhere to export to. Spans wait in a bounded queue for a
/// thread of the SDK; what does not fit is dropped.
pub(super) fn start(service: &str) -> Result<Option<SdkTracerProvider>, InvalidTelemetry> {
    if !ENDPOINTS.into_iter().any(is_set) {
        return Ok(None);
    }
    ENDPOINTS.into_iter().filter(|variable| is_set(variable)).try_for_each(check_endpoint)?;
    let protocol = std::env::var(PROTOCOL).unwrap_or_default();
    if !["", "grpc"].contains(&protocol.as_str()) {
        let words = format!("{PROTOCOL} is {protocol}: only grpc is spoken");
        return Err(InvalidTelemetry(words));
    }
    let exporter = SpanExporter::builder().with_tonic().build();
    let exporter = exporter.map_err(|error| InvalidTelemetry(format!("OTEL: {error}")))?;
    let provider = SdkTracerProvider::builder()
        .with_id_generator(trace::GivenIds)
        .with_resource(resource(service))
        .with_batch_exporter(Telling::new(exporter))
        .build();
    trace::begin(&provider, Config::default().sampler);
    Ok(Some(provider))
}

/// The exporter takes nearly any text, and then says every few seconds that nothing arrives.
/// The value is not shown: a password may stand in it.
fn check_endpoint(variable: &str) -> Result<(), InvalidTelemetry> {
    let uri: Option<http::Uri> = std::env::var(variable).ok().and_then(|text| text.parse().ok());
    let leads_somewhere = uri.is_some_and(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some()
    });
    match leads_somewhere {
        true => Ok(()),
        false => Err(InvalidTelemetry(format!(
            "{variable} must be where a collector listens, such as http://127.0.0.1:4317"
        ))),
    }
}

fn is_set(variable: &str) -> bool {
    std::env::var_os(variable).is_some_and(|value| !value.is_empty())
}

fn resource(service: &str) -> Resource {
    let detected = Resource::builder().build();
    let named = detected.get(&Key::new("service.name")).map(|name| name.to_string());
    let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    let resource = Resource::builder().with_attribute(version);
    // What the SDK says when nobody named the service.
    match named.filter(|name| !name.starts_with("unknown_service")) {
        Some(_) => resource.build(),
        None => resource.with_service_name(format!("taskfleet-{service}")).build(),
    }
}

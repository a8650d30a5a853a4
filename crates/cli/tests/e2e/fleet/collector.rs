//! A collector of spans inside the test: the receiving side of OTLP over gRPC.

use std::sync::{Arc, Mutex};

use opentelemetry_proto::tonic::{
    collector::trace::v1::{
        ExportTraceServiceRequest, ExportTraceServiceResponse,
        trace_service_server::{TraceService, TraceServiceServer},
    },
    common::v1::{KeyValue, any_value::Value},
    trace::v1::Span,
};
use taskfleet_runtime::{
    Tasks,
    transport::{Listener, TcpListener, bound_server, serve},
};
use tonic::{Request, Response, Status};

/// Receives spans until it is dropped.
pub(crate) struct Collector {
    address: String,
    received: Received,
    tasks: Tasks,
}

type Requests = Arc<Mutex<Vec<ExportTraceServiceRequest>>>;

#[derive(Clone, Default)]
struct Received(Requests);

/// A span, and the service that sent it.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    pub(crate) service: String,
    pub(crate) span: Span,
}

impl Collector {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = format!("http://{}", listener.local_addr());
        let (received, tasks) = (Received::default(), Tasks::default());
        let router = bound_server().add_service(TraceServiceServer::new(received.clone()));
        let stopping = tasks.clone();
        tasks.spawn(async move {
            let stop = async move { stopping.stopping().await };
            serve(router, Box::new(listener), stop, std::time::Duration::ZERO).await.unwrap();
        });
        Self { address, received, tasks }
    }

    /// For `OTEL_EXPORTER_OTLP_ENDPOINT`.
    pub(crate) fn endpoint(&self) -> &str {
        &self.address
    }

    /// Every span so far.
    pub(crate) fn spans(&self) -> Vec<Sent> {
        let requests = self.received.0.lock().unwrap();
        let resources = requests.iter().flat_map(|request| &request.resource_spans);
        let spans = resources.flat_map(|resource| {
            let attributes = resource.resource.iter().flat_map(|resource| &resource.attributes);
            let service = text(attributes, "service.name");
            let spans = resource.scope_spans.iter().flat_map(|scope| &scope.spans);
            spans.map(move |span| Sent { service: service.clone(), span: span.clone() })
        });
        spans.collect()
    }

    /// All that was received, to be searched.
    pub(crate) fn everything(&self) -> String {
        format!("{:?}", self.received.0.lock().unwrap())
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.tasks.stop();
    }
}

impl Sent {
    pub(crate) fn text(&self, key: &str) -> String {
        text(&self.span.attributes, key)
    }
}

fn text<'a>(attributes: impl IntoIterator<Item = &'a KeyValue>, key: &str) -> String {
    let found = attributes.into_iter().find(|attribute| attribute.key == key);
    match found.and_then(|attribute| attribute.value.clone()?.value) {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        _ => String::new(),
    }
}

#[tonic::async_trait]
impl TraceService for Received {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        self.0.lock().unwrap().push(request.into_inner());
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

//! One trace from the client to the model API, over both services and their deaths.

use std::time::Duration;

use taskfleet_proto::v1::{HttpRequest, TaskSpec, TaskState};
use tokio::time::Instant;
use tonic::{Request, metadata::MetadataValue};

use crate::fleet::{Collector, Fleet, Parrot, Plan, Sent, until, until_within};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const CLIENT: &str = "b7ad6b7169203331";

/// Nothing is sent before somebody stops: what arrives then was flushed.
const NEVER: &str = "3600000";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

async fn submit_traced(fleet: &Fleet, content: &str) -> String {
    let spec = TaskSpec { content: content.into(), ..TaskSpec::default() };
    submit_as(fleet, spec, "01").await
}

/// With these flags of the client's: sampled is 01.
async fn submit_as(fleet: &Fleet, spec: TaskSpec, flags: &str) -> String {
    let mut request = Request::new(spec);
    let traceparent = format!("00-{TRACE}-{CLIENT}-{flags}");
    let traceparent = MetadataValue::try_from(traceparent).unwrap();
    request.metadata_mut().insert("traceparent", traceparent);
    request.metadata_mut().insert("tracestate", MetadataValue::from_static("vendor=1"));
    fleet.tasks().submit_task(request).await.unwrap().into_inner().task_id
}

fn only(spans: &[Sent], name: &str) -> Sent {
    let found: Vec<&Sent> = spans.iter().filter(|sent| sent.span.name == name).collect();
    assert_eq!(found.len(), 1, "spans called {name} in {spans:#?}");
    found[0].clone()
}

fn assert_one_trace(spans: &[Sent]) {
    let (task, execution) = (only(spans, "task"), only(spans, "execution"));
    let call = only(spans, "chat simulated");
    for sent in spans {
        assert_eq!(hex(&sent.span.trace_id), TRACE, "{sent:?}");
    }
    assert_eq!(hex(&task.span.parent_span_id), CLIENT);
    assert_eq!(execution.span.parent_span_id, task.span.span_id);
    assert_eq!(call.span.parent_span_id, execution.span.span_id);
    let services = [&task, &execution, &call].map(|sent| sent.service.as_str());
    assert_eq!(services, ["taskfleet-supervisor", "taskfleet-supervisor", "taskfleet-worker"]);
    assert!(task.span.start_time_unix_nano <= execution.span.start_time_unix_nano);
    assert!(task.span.end_time_unix_nano >= call.span.start_time_unix_nano);
}

async fn stop(process: &mut crate::fleet::Process) {
    process.terminate();
    assert!(process.ended().await.success(), "{} stops cleanly", process.name());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clients_trace_goes_through_both_services_to_the_api_and_is_flushed_at_sigterm() {
    let (collector, parrot) = (Collector::start().await, Parrot::start("hello").await);
    let plan = Plan::new(1)
        .variable("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint())
        .variable("OTEL_BSP_SCHEDULE_DELAY", NEVER)
        .worker_variable("OPENAI_BASE_URL", parrot.base_url());
    let mut fleet = plan.start().await;
    let id = submit_traced(&fleet, "hello").await;
    assert_eq!(fleet.ended(&id).await.state(), TaskState::Completed);
    assert!(collector.spans().is_empty(), "nothing is sent yet");

    stop(fleet.worker(0)).await;
    let spans = collector.spans();
    let call = only(&spans, "chat simulated");
    assert_eq!(spans.len(), 1, "the worker's last span came with its end");
    assert_eq!(call.text("gen_ai.operation.name"), "chat");
    assert_eq!(call.text("gen_ai.response.model"), "parrot");
    assert_eq!(call.text("gen_ai.usage.output_tokens"), "2");
    assert_eq!(call.text("taskfleet.task.id"), id);

    stop(fleet.supervisor()).await;
    assert_one_trace(&collector.spans());
    let [head] = &parrot.heads()[..] else { panic!("one call") };
    let carried = format!("traceparent: 00-{TRACE}-{}-01", hex(&call.span.span_id));
    assert!(head.contains(&carried) && head.contains("tracestate: vendor=1"), "{head}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_supervisor_leaves_no_hole_in_the_trace() {
    let collector = Collector::start().await;
    let plan = Plan::new(1)
        .variable("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint())
        .variable("OTEL_BSP_SCHEDULE_DELAY", "100");
    let mut fleet = plan.start().await;
    let id = submit_traced(&fleet, "slow [sim:ok,deltas=40,delay=50]").await;
    until("it is called", || async { (fleet.calls().await.open == 1).then_some(()) }).await;
    fleet.supervisor().kill();
    fleet.supervisor().restart().await;
    assert_eq!(fleet.ended(&id).await.state(), TaskState::Completed);
    until("all spans are there", || async { (collector.spans().len() >= 3).then_some(()) }).await;
    assert_one_trace(&collector.spans());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_has_spans_if_its_client_samples_it_whatever_the_others_do() {
    let collector = Collector::start().await;
    let plan = Plan::new(1)
        .variable("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint())
        .variable("OTEL_BSP_SCHEDULE_DELAY", NEVER);
    let mut fleet = plan.start().await;
    let request = |body: &str| TaskSpec {
        request: Some(HttpRequest { endpoint: "/v1/chat/completions".into(), body: body.into() }),
        ..TaskSpec::default()
    };
    let named = request(r#"{"model": "asked-for", "messages": []}"#);
    let refused = TaskSpec { content: "[sim:400]".into(), ..TaskSpec::default() };
    for spec in [&named, &refused] {
        let (sampled, unsampled) = (
            submit_as(&fleet, spec.clone(), "01").await,
            submit_as(&fleet, spec.clone(), "00").await,
        );
        fleet.ended(&sampled).await;
        fleet.ended(&unsampled).await;
    }
    stop(fleet.worker(0)).await;
    stop(fleet.supervisor()).await;
    let spans = collector.spans();
    let mut names: Vec<_> = spans.iter().map(|sent| sent.span.name.as_str()).collect();
    names.sort_unstable();
    let calls = ["chat asked-for", "chat simulated"];
    assert_eq!(names, [&calls[..], &["execution"; 2], &["task"; 2]].concat());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_that_never_answers_changes_nothing() {
    // Accepts, for the kernel does, and never answers.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", silent.local_addr().unwrap());
    let plan = Plan::new(1)
        .variable("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint)
        .variable("OTEL_EXPORTER_OTLP_TIMEOUT", "200")
        .variable("OTEL_BSP_SCHEDULE_DELAY", "10")
        .variable("OTEL_BSP_MAX_QUEUE_SIZE", "16")
        .variable("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "4");
    let mut fleet = plan.start().await;
    for n in 0..100 {
        let id = submit_traced(&fleet, &format!("task {n}")).await;
        assert_eq!(fleet.ended(&id).await.state(), TaskState::Completed);
    }
    let told = "spans do not reach their collector";
    until_within(Duration::from_secs(10), "both said so", || async {
        let both = [fleet.log("supervisor"), fleet.log("worker-0")];
        both.iter().all(|log| log.contains(told)).then_some(())
    })
    .await;
    let began = Instant::now();
    stop(fleet.worker(0)).await;
    stop(fleet.supervisor()).await;
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    for name in ["supervisor", "worker-0"] {
        assert_eq!(fleet.log(name).matches(told).count(), 1, "{name} says it once");
    }
}

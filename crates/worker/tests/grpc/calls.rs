//! Content tasks that end well.

use taskfleet_core::{
    failure::Delivery,
    outcome::{End, Payload},
};
use taskfleet_proto::worker::{TaskRequest, WorkerStatus};

use taskfleet_worker::Settings;
use tokio::task::JoinSet;

use crate::support::{CountedApi, Rig, settings};

#[tokio::test]
async fn a_prompt_is_answered_and_the_answer_says_what_it_cost() {
    let rig = Rig::start().await;
    let supervisor = rig.supervisor().await;
    let last = supervisor.start(1, 7, "hello").await.last().await;
    assert_eq!(last.response.status(), WorkerStatus::Completed);
    assert_eq!(last.response.lease, 7);
    assert_eq!(last.response.result, last.deltas);
    let call = last.call().clone();
    assert_eq!((call.delivery, call.http_status), (Delivery::Answered, Some(200)));
    assert_eq!((call.finish_reason.as_str(), call.served_model.as_str()), ("stop", "gpt-4o-mini"));
    assert!(call.provider_request_id.starts_with("req_"));
    assert_eq!(call.usage.unwrap().output_tokens, 24);
    let digest = openai_sim::digest("hello");
    assert!(last.text().starts_with(&format!("digest:{digest} ")));
}

#[tokio::test]
async fn the_provider_learns_which_call_of_which_task_it_was() {
    let rig = Rig::start().await;
    let supervisor = rig.supervisor().await;
    supervisor.start(1, 7, "hello").await.last().await;
    let id = format!("{}.7", crate::support::task(1));
    assert_eq!(rig.calls().await["calls"][id]["count"], 1);
}

#[tokio::test]
async fn model_instructions_and_parameters_reach_the_api() {
    let rig = Rig::start().await;
    let supervisor = rig.supervisor().await;
    let request = TaskRequest {
        model: "other".into(),
        instructions: "be kind".into(),
        parameters_json: r#"{"max_tokens": 3}"#.into(),
        ..supervisor.request(1, 1, "hello")
    };
    let last = supervisor.send(request).await.unwrap().last().await;
    assert_eq!(last.call().served_model, "other");
    assert_eq!(last.call().finish_reason, "length");
    assert_eq!(last.call().usage.unwrap().output_tokens, 3);
    assert!(matches!(last.outcome.end, End::Completed(Payload::Text(_))));
}

#[tokio::test]
async fn an_odd_reason_to_stop_does_not_lose_the_answer() {
    let rig = Rig::start().await;
    let supervisor = rig.supervisor().await;
    for (number, reason) in [(1, "length"), (2, "abort")] {
        let last = supervisor.start(number, 1, &format!("[sim:{reason}]")).await.last().await;
        assert_eq!(last.call().finish_reason, reason);
        assert!(last.text().starts_with("digest:"));
    }
}

#[tokio::test]
async fn a_large_answer_comes_whole_and_one_that_is_too_large_fails_in_words() {
    let rig = Rig::start().await;
    let supervisor = rig.supervisor().await;
    let large = supervisor.start(1, 1, "[sim:ok,bytes=3000000]").await.last().await;
    assert_eq!(large.deltas, large.response.result);
    assert!(large.text().len() >= 3_000_000);
    let deltas = "[sim:ok,deltas=1000,bytes=16777216]";
    let too_large = supervisor.start(2, 1, deltas).await.last().await;
    assert_eq!(too_large.failure().kind, taskfleet_core::failure::FailureKind::BadResponse);
    assert!(too_large.failure().message.contains("larger than 16 MiB"), "{too_large:?}");
    assert!(too_large.failure().permanent, "it would be as large when it is paid for again");
}

#[tokio::test]
async fn a_connection_to_the_api_is_kept_for_the_next_call() {
    let rig = Rig::start().await;
    let (counter, settings) = CountedApi::before(&rig).await;
    let counted = Rig::start_with(settings).await;
    let supervisor = counted.supervisor().await;
    for number in 1..=10 {
        supervisor.start(number, 1, "x").await.last().await;
    }
    assert_eq!(counter.connections(), 1);
}

#[tokio::test]
async fn hundreds_run_at_once_and_each_is_called_once() {
    let many = Settings { slots: 1_000, ..settings() };
    let rig = Rig::start_with(many).await;
    let supervisor = rig.supervisor().await;
    let mut running = JoinSet::new();
    for number in 0..200 {
        let supervisor = supervisor.clone();
        let content = format!("{number} [sim:ok,deltas=20,delay=5]");
        running.spawn(async move {
            let last = supervisor.start(number, 1, &content).await.last().await;
            assert_eq!(last.deltas, last.response.result);
            assert!(last.text().starts_with(&format!("digest:{}", openai_sim::digest(&content))));
        });
    }
    running.join_all().await;
    let calls = rig.calls().await;
    assert_eq!((&calls["total"], &calls["open"]), (&200.into(), &0.into()));
}

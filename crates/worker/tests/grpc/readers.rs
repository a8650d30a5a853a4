//! Streams come and go; what they read from goes on, or not.

use taskfleet_proto::worker::{TaskRequest, WorkerStatus};
use tonic::Code;

use crate::support::Rig;

#[tokio::test]
async fn every_offset_is_replayed_without_cutting_a_character() {
    let rig = Rig::start().await;
    let supervisor = rig.supervisor().await;
    let text = supervisor.start(1, 1, "[sim:ok,deltas=40]").await.last().await.text();
    assert!(!text.is_ascii());
    for offset in 0..=text.len() + 2 {
        let request = supervisor.attach(1, 1, offset as u64);
        let mut stream = supervisor.send(request).await.unwrap();
        let start = usize::try_from(stream.started().await.offset).unwrap();
        assert_eq!(start, text.floor_char_boundary(offset));
        let last = stream.last().await;
        assert_eq!(last.deltas, text[start..]);
        assert_eq!(last.text(), text);
    }
    assert_eq!(rig.calls().await["total"], 1);
}

#[tokio::test]
async fn the_newest_reader_wins_and_goes_on_where_it_wants() {
    let rig = Rig::start().await;
    let supervisor = rig.supervisor().await;
    let mut older = supervisor.start(1, 1, "[sim:ok,deltas=60,delay=20]").await;
    let seen = older.delta().await;
    let newer = supervisor.send(supervisor.attach(1, 1, seen.len() as u64)).await.unwrap();
    let superseded = older.broken().await;
    assert_eq!(superseded.code(), Code::Aborted);
    assert_eq!(superseded.message(), "superseded by a newer attach");
    let last = newer.last().await;
    assert_eq!(seen + &last.deltas, last.text());
}

#[tokio::test]
async fn text_comes_while_the_model_still_writes() {
    let rig = Rig::start().await;
    let supervisor = rig.supervisor().await;
    let mut stream = supervisor.start(1, 1, "[sim:hangmid]").await;
    stream.started().await;
    assert!(stream.delta().await.starts_with("digest:"));
    rig.until_open(1, 1).await;
}

#[tokio::test]
async fn a_leased_call_outlives_its_stream() {
    let rig = Rig::start().await;
    let supervisor = rig.supervisor().await;
    let mut stream = supervisor.start(1, 1, "[sim:ok,latency=300]").await;
    stream.started().await;
    rig.until_open(1, 1).await;
    drop(stream);
    let last = supervisor.send(supervisor.attach(1, 1, 0)).await.unwrap().last().await;
    assert_eq!(last.text(), last_of_prompt(&rig, "[sim:ok,latency=300]").await);
    assert_eq!(rig.calls().await["closed_early"], 0);
}

/// What the published part alone gets for this prompt.
async fn last_of_prompt(rig: &Rig, content: &str) -> String {
    let supervisor = rig.supervisor().await;
    let request = TaskRequest { content: content.into(), ..TaskRequest::default() };
    supervisor.send(request).await.unwrap().last().await.text()
}

#[tokio::test]
async fn an_unleased_call_ends_with_its_stream() {
    let rig = Rig::start().await;
    let supervisor = rig.supervisor().await;
    let request = TaskRequest {
        task_id: "whatever they call it".into(),
        content: "[sim:hang]".into(),
        ..TaskRequest::default()
    };
    let mut stream = supervisor.send(request).await.unwrap();
    assert_eq!(stream.started().await.task_id, "whatever they call it");
    rig.until_open(1, 1).await;
    drop(stream);
    rig.until_open(1, 0).await;
    assert_eq!(rig.calls().await["closed_early"], 1);
}

#[tokio::test]
async fn the_published_part_is_enough_and_every_call_runs() {
    let rig = Rig::start().await;
    let supervisor = rig.supervisor().await;
    for _ in 0..2 {
        let request =
            TaskRequest { task_id: "t".into(), content: "hi".into(), ..TaskRequest::default() };
        let last = supervisor.send(request).await.unwrap().last().await;
        assert_eq!(last.response.status(), WorkerStatus::Completed);
        assert_eq!((last.response.task_id.as_str(), last.response.lease), ("t", 0));
        assert_eq!(last.response.result, last.deltas);
    }
    assert_eq!(rig.calls().await["total"], 2);
}

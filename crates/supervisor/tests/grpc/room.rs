//! A queue that is full takes nothing new, and knows what it has.

use taskfleet_proto::v1::{SubmitTaskResponse, SubmitTasksRequest, TaskSpec};
use taskfleet_supervisor::Settings;
use tonic::{Code, Status};

use crate::support::{Rig, fields, memory, prompt};

fn keyed(key: &str) -> TaskSpec {
    TaskSpec { idempotency_key: key.to_owned(), ..prompt("hi") }
}

async fn submit(rig: &Rig, tasks: &[TaskSpec]) -> Result<Vec<SubmitTaskResponse>, Status> {
    let request = SubmitTasksRequest { tasks: tasks.to_vec() };
    rig.tasks().submit_tasks(request).await.map(|answer| answer.into_inner().tasks)
}

#[tokio::test]
async fn a_full_queue_answers_a_repeated_submission_with_its_first_ids() {
    for settings in [
        Settings { max_queued: 2, ..Settings::default() },
        Settings { max_queued_bytes: 4, ..Settings::default() },
    ] {
        let rig = Rig::start_with(memory(), settings).await;
        let both = [keyed("a"), keyed("b")];
        let first = submit(&rig, &both).await.unwrap();
        let again = submit(&rig, &both).await.unwrap();
        for (first, again) in first.iter().zip(&again) {
            assert_eq!((&again.task_id, again.existing), (&first.task_id, true));
        }
        let alone = rig.tasks().submit_task(keyed("b")).await.unwrap().into_inner();
        assert_eq!((&alone.task_id, alone.existing), (&first[1].task_id, true));
        let another = TaskSpec { idempotency_key: "a".to_owned(), ..prompt("another") };
        let refused = rig.tasks().submit_task(another).await.unwrap_err();
        assert_eq!(refused.code(), Code::AlreadyExists);
        assert_eq!(fields(&refused), ["idempotency_key"]);

        for new in [vec![prompt("hi")], vec![keyed("a"), keyed("c")]] {
            let refused = submit(&rig, &new).await.unwrap_err();
            assert_eq!(refused.code(), Code::ResourceExhausted);
        }
        assert_eq!(rig.store.counts().queued, 2, "nothing of a refused submission is kept");
    }
}

#[tokio::test]
async fn what_is_known_takes_no_room_from_what_is_new() {
    let settings = Settings { max_queued: 3, ..Settings::default() };
    let rig = Rig::start_with(memory(), settings).await;
    submit(&rig, &[keyed("a"), keyed("b")]).await.unwrap();
    let tasks = [keyed("a"), keyed("c"), keyed("c"), keyed("b")];
    let answer = submit(&rig, &tasks).await.unwrap();
    let existing: Vec<bool> = answer.iter().map(|task| task.existing).collect();
    assert_eq!(existing, [true, false, true, true]);
}

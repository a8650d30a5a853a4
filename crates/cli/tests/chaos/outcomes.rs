//! Each accepted task has one outcome, its own.

use taskfleet_proto::v1::{AttemptEnd::Completed, TaskState};

use crate::{
    chaos::{history::History, judge::judge},
    made_up::{Told, task},
};

fn completed() -> History {
    task().ran(1, 0, 10, Completed)
}

#[track_caller]
fn breaks(task: History, words: &str) {
    let broken = judge(&[task], &[]).broken;
    assert!(broken.iter().any(|broken| broken.words.contains(words)), "{broken:?}");
}

#[test]
fn a_task_that_did_not_complete_breaks_a_promise() {
    for state in [TaskState::Queued, TaskState::Running, TaskState::Failed, TaskState::Cancelled] {
        breaks(History { state, ..completed() }, state.as_str_name());
    }
}

#[test]
fn another_tasks_answer_breaks_a_promise() {
    breaks(History { is_own: false, ..completed() }, "own prompt");
}

#[test]
fn an_outcome_that_was_never_called_for_breaks_a_promise() {
    breaks(History { calls: [].into(), ..completed() }, "no call was made");
}

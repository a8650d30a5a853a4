//! What went wrong, in plain words for people: for each way in which a lease or a task can
//! end without a message from its worker.

use taskfleet_core::{machine::Event, outcome::End};

use crate::types::Attempt;

/// Why a task ended that did not complete; empty if it did. `last` is how its last execution
/// ended, of one whose time was over.
pub(crate) fn of_task(event: &Event, last: Option<&Attempt>) -> String {
    let words = match event {
        Event::TooLarge { max_request_bytes } => {
            return format!(
                "the request is too large for every worker that could run it: with what stands \
                 around it, {max_request_bytes} bytes are taken"
            );
        }
        Event::Cancel | Event::CancelIf { .. } => "cancelled by its client",
        Event::Expire => return of_deadline(last),
        Event::Lost { .. } => "workers died, hung or were cut off with it too often",
        Event::NotStarted { .. } => "workers handed it back too often",
        Event::CutOff { .. } => "supervisors died too often while it ran",
        Event::Ended { outcome, .. } => match &outcome.end {
            End::Released => "workers handed it back too often",
            end => return of_end(end),
        },
        Event::Claim { .. } | Event::Adopt { .. } | Event::TakenBack { .. } => "",
    };
    words.to_owned()
}

/// What kept the task from ending in time is what its last execution ended with.
fn of_deadline(last: Option<&Attempt>) -> String {
    let words = "its deadline passed";
    let Some(last) = last.filter(|last| !last.error.is_empty()) else { return words.to_owned() };
    let kind = last.kind.map(|kind| format!(" ({})", kind.name())).unwrap_or_default();
    format!("{words}; its last try before that{kind}: {}", last.error)
}

/// Why one lease of a task ended; empty if it completed.
pub(crate) fn of_lease(event: &Event) -> String {
    let words = match event {
        Event::Cancel | Event::CancelIf { .. } => "cancelled by its client",
        Event::Expire => "the task's deadline passed",
        Event::Lost { .. } => "the worker died, hung or was cut off",
        Event::NotStarted { .. } => "the worker did not start it",
        Event::TakenBack { .. } => "another supervisor served the worker, which did not start it",
        Event::CutOff { .. } => "the supervisor died, and with it the connection it ran by",
        Event::Adopt { .. } => "a worker reported a later lease",
        Event::Ended { outcome, .. } => return of_end(&outcome.end),
        Event::Claim { .. } | Event::TooLarge { .. } => "",
    };
    words.to_owned()
}

fn of_end(end: &End) -> String {
    match end {
        End::Completed(_) => String::new(),
        End::Released => "the worker handed it back".to_owned(),
        End::Cancelled => "the worker aborted it though nobody asked for that".to_owned(),
        End::Failed(failure) if failure.message.is_empty() => {
            format!("the worker reported {} without words", failure.kind.name())
        }
        End::Failed(failure) => failure.message.clone(),
    }
}

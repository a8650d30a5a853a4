//! Runs one call and books its end.

use std::{mem, sync::Arc};

use taskfleet_core::failure::FailureKind;

use super::{
    Executions, Job,
    execution::{Ending, Execution},
    span::{CallSpan, operation},
};
use crate::{
    api::{Answer, ApiCall, failure},
    metrics::Ended,
};

/// Makes the call, within its time, unless it is aborted; then frees the slot and tells the
/// readers, in this order, so that whoever reads of the end finds the slot free.
pub(super) async fn run(executions: Executions, execution: Arc<Execution>, mut job: Job) {
    let limit = job.limit;
    let api = Arc::clone(&executions.shared.api);
    let began_ms = executions.shared.clock.unix_millis();
    let operation = operation(&job.work);
    let span = CallSpan::begin(&mut job, began_ms);
    let mut booking = Booking { executions, execution, ending: unforeseen(), operation, span };
    let call = api.call(call(&booking.execution, job), Arc::clone(booking.execution.progress()));
    // Whichever comes first, the call is dropped here, and with it its connection.
    booking.ending = tokio::select! {
        biased;
        cause = booking.execution.aborted() => Ending::Aborted(cause),
        answered = tokio::time::timeout(limit, call) => match answered {
            Ok(Ok(answer)) => Ending::Answered(answer),
            Ok(Err(failure)) => Ending::Failed(failure),
            Err(_) => Ending::Failed(out_of_time(limit)),
        },
    };
}

fn call(execution: &Execution, job: Job) -> ApiCall {
    let identity = execution.identity();
    let Job { work, key, trace, limit_key, .. } = job;
    ApiCall { task: identity.task(), lease: identity.lease(), work, key, trace, limit_key }
}

fn out_of_time(limit: std::time::Duration) -> taskfleet_core::outcome::Failure {
    failure(FailureKind::Timeout, format!("no whole answer within {} ms", limit.as_millis()))
}

fn unforeseen() -> Ending {
    Ending::Failed(failure(FailureKind::Internal, "the call broke off inside the worker"))
}

/// Books the end when it is dropped: also when the call panicked, for otherwise its slot would
/// be lost and its reader would wait for ever.
struct Booking {
    executions: Executions,
    execution: Arc<Execution>,
    ending: Ending,
    operation: &'static str,
    span: Option<CallSpan>,
}

impl Booking {
    fn measure(&self, ending: &Ending) {
        let progress = self.execution.progress();
        self.executions.shared.figures.called(&Ended {
            operation: self.operation,
            outcome: ending.failed().unwrap_or("completed"),
            took: progress.took(),
            first_text: progress.first_text(),
        });
    }
}

impl Drop for Booking {
    fn drop(&mut self) {
        let ending = mem::replace(&mut self.ending, unforeseen());
        self.execution.progress().ended();
        let bytes = match &ending {
            Ending::Answered(Answer::Text) => self.execution.progress().text_len(),
            Ending::Answered(Answer::Body(body)) => body.len(),
            Ending::Failed(_) | Ending::Aborted(_) => 0,
        };
        self.measure(&ending);
        let identity = self.execution.identity();
        if let Some(span) = self.span.take() {
            let now = self.executions.shared.clock.unix_millis();
            span.end(identity, &ending, self.execution.progress(), now);
        }
        self.executions.change(|book, now| book.finish(identity, bytes, now));
        self.execution.end(ending);
    }
}

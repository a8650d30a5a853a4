//! The model API: takes simulated time, does what the plan says, and keeps account.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use taskfleet_core::{
    failure::{Delivery, FailureKind},
    outcome::{Failure, Usage},
    task::Work,
};
use taskfleet_worker::api::{Answer, ApiCall, ModelApi, Progress};

use crate::{
    journal::{Journal, now},
    plan::{CallEnd, CallPlan, Plan},
};

/// A call that was made, and paid for.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    /// Its number in the plan.
    pub(crate) task: usize,
    pub(crate) lease: u64,
    pub(crate) worker: usize,
    pub(crate) began: Duration,
    /// When and how it ended; not while it goes on.
    pub(crate) ended: Option<(Duration, Ended)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// By the API.
    Said(CallEnd),
    /// Dropped: aborted, or its process died.
    Dropped,
}

/// Every call of the simulation, in the order of their beginnings. Clones are the same one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ledger(Arc<Mutex<Vec<Call>>>);

impl Ledger {
    pub(crate) fn calls(&self) -> Vec<Call> {
        self.lock().clone()
    }

    /// A call begins: its index, and how many of this task went before it.
    fn begin(&self, call: Call) -> (usize, usize) {
        let mut calls = self.lock();
        let before = calls.iter().filter(|known| known.task == call.task).count();
        calls.push(call);
        (calls.len() - 1, before)
    }

    fn end(&self, index: usize, end: Ended) {
        self.lock()[index].ended.get_or_insert((now(), end));
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Call>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The API as one worker sees it.
pub(crate) struct SimApi {
    pub(crate) worker: usize,
    pub(crate) plan: Arc<Plan>,
    pub(crate) ledger: Ledger,
    pub(crate) journal: Journal,
}

#[async_trait]
impl ModelApi for SimApi {
    async fn call(&self, call: ApiCall, progress: Arc<Progress>) -> Result<Answer, Failure> {
        let Some(task) = task_of(&call.work) else {
            self.journal.violation(format!("a call for no task of the plan: {}", call.task));
            return Err(Failure::new(FailureKind::InvalidRequest, "no task of the plan"));
        };
        let (mut open, nth) = self.begin(task, &call);
        progress.reached(Delivery::Sent);
        let plan = self.plan.tasks[task].call(nth);
        let answered = answer(task, plan, &progress).await;
        open.end(Ended::Said(plan.end));
        answered
    }
}

fn task_of(work: &Work) -> Option<usize> {
    match work {
        Work::Content(content) => Plan::task_of(&content.text),
        Work::Request(_) => None,
    }
}

async fn answer(task: usize, plan: CallPlan, progress: &Progress) -> Result<Answer, Failure> {
    let failed = |kind, status, retry_after| {
        progress.response_started(status, Some("req-sim"));
        Err(Failure { retry_after, ..Failure::new(kind, "as planned") })
    };
    if plan.end != CallEnd::Answer {
        tokio::time::sleep(plan.takes).await;
    }
    match plan.end {
        CallEnd::Answer => {
            stream(task, plan, progress).await;
            Ok(Answer::Text)
        }
        CallEnd::Broken => failed(FailureKind::ApiError, 500, None),
        CallEnd::SlowDown(retry_after) => failed(FailureKind::RateLimited, 429, retry_after),
        CallEnd::Refused => failed(FailureKind::InvalidRequest, 400, None),
    }
}

async fn stream(task: usize, plan: CallPlan, progress: &Progress) {
    let pieces = plan.pieces.max(1);
    let whole = Plan::answer(task, pieces);
    progress.response_started(200, Some("req-sim"));
    for piece in whole.split_inclusive("; ") {
        tokio::time::sleep(plan.takes / pieces).await;
        progress.push(piece);
    }
    progress.used(Usage { input_tokens: 1, output_tokens: 1, total_tokens: 2, ..Usage::default() });
    progress.finished_with("stop".to_owned());
}

impl SimApi {
    fn begin(&self, task: usize, call: &ApiCall) -> (Open<'_>, usize) {
        let (worker, lease) = (self.worker, call.lease.number());
        let made = Call { task, lease, worker, began: now(), ended: None };
        let (index, nth) = self.ledger.begin(made);
        self.journal.note(format!("worker-{worker} calls for task {task} ({lease:x}), no. {nth}"));
        (Open { api: self, task, index, end: Ended::Dropped }, nth)
    }
}

/// A call that goes on; dropped, it has ended.
struct Open<'a> {
    api: &'a SimApi,
    task: usize,
    index: usize,
    end: Ended,
}

impl Open<'_> {
    fn end(&mut self, end: Ended) {
        self.end = end;
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        let Self { api, task, index, end } = self;
        api.ledger.end(*index, *end);
        api.journal.note(format!("worker-{}: the call for task {task} ended: {end:?}", api.worker));
    }
}

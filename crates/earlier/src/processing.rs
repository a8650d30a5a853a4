//! WorkerService: streams of what executions write.

use std::{pin::Pin, sync::Arc};

use futures::{Stream, stream};
use tokio::sync::watch;
use tonic::{Request, Response, Status, async_trait};

use crate::{
    BOOT_ID,
    executions::{Executions, Progress},
    wire::worker::{
        Delivery, Disposition, Outcome, TaskRequest, TaskResponse, WorkerStatus,
        worker_service_server::WorkerService,
    },
};

pub(crate) struct Service(pub(crate) Arc<Executions>);

#[async_trait]
impl WorkerService for Service {
    type ProcessTaskStream = Pin<Box<dyn Stream<Item = Result<TaskResponse, Status>> + Send>>;

    async fn process_task(
        &self,
        request: Request<TaskRequest>,
    ) -> Result<Response<Self::ProcessTaskStream>, Status> {
        let task = request.into_inner();
        self.0.check(task.epoch)?;
        if task.boot_id != BOOT_ID {
            return Err(Status::failed_precondition("another process is meant"));
        }
        if !task.requires.is_empty() {
            return Err(Status::unimplemented("not known here"));
        }
        let held = (task.task_id.clone(), task.lease);
        let progress = self.0.process(held, &task.content, task.attach_only)?;
        let offset = usize::try_from(task.from_offset).unwrap_or(usize::MAX);
        let reader = Reader {
            task_id: task.task_id,
            lease: task.lease,
            progress,
            offset,
            sent: 0,
            over: false,
        };
        Ok(Response::new(Box::pin(stream::unfold(reader, Reader::next))))
    }
}

struct Reader {
    task_id: String,
    lease: u64,
    progress: watch::Receiver<Progress>,
    offset: usize,
    /// Messages so far.
    sent: u64,
    over: bool,
}

impl Reader {
    async fn next(mut self) -> Option<(Result<TaskResponse, Status>, Self)> {
        if self.over {
            return None;
        }
        let (from, first) = (self.offset, self.sent == 0);
        let news = self
            .progress
            .wait_for(|progress| first || progress.text.len() > from || progress.whole)
            .await;
        let Ok(progress) = news.map(|progress| progress.clone()) else {
            return Some((Err(Status::not_found("dropped")), Self { over: true, ..self }));
        };
        let message = self.message(&progress);
        self.sent += 1;
        Some((Ok(message), self))
    }

    fn message(&mut self, progress: &Progress) -> TaskResponse {
        let mut message = TaskResponse {
            task_id: self.task_id.clone(),
            lease: self.lease,
            sequence: self.sent,
            offset: self.offset as u64,
            ..TaskResponse::default()
        };
        message.set_status(WorkerStatus::Processing);
        let new = progress.text.get(self.offset..).unwrap_or_default();
        if self.sent > 0 && progress.whole && new.is_empty() {
            message.set_status(WorkerStatus::Completed);
            message.result.clone_from(&progress.text);
            let mut outcome = Outcome { http_status: 200, ..Outcome::default() };
            outcome.set_disposition(Disposition::Completed);
            outcome.set_delivery(Delivery::Answered);
            message.outcome = Some(outcome);
            self.over = true;
        } else {
            new.clone_into(&mut message.delta);
            self.offset += new.len();
        }
        message
    }
}

//! Submits what is open, in batches. Asking twice makes no task twice: each has its key.

use std::cell::RefCell;

use anyhow::Context;
use prost::Message;
use taskfleet_proto::v1::{SubmitTasksRequest, SubmitTasksResponse, TaskSpec, TaskState};
use tokio::sync::mpsc;

use super::{
    ask::Asker,
    conflicts,
    ledger::{Ledger, Standing},
    problems::Problems,
    source::{Source, Tasks},
};
use crate::{
    failure::{Failure, Usage},
    words::{self, counted},
};

/// So many at once that a commit is shared, and so few that progress shows.
const BATCH_TASKS: usize = 1_000;
/// Far below the 64 MiB that are taken, in bytes: a single task may be larger.
const BATCH_BYTES: usize = 8 << 20;

/// What became of a batch.
#[derive(Debug)]
pub(super) struct Accepted {
    /// Where WatchTasks starts so that no outcome of these tasks is missed.
    pub(super) cursor: String,
    /// Tasks that had ended before: no feed will tell of them.
    pub(super) ended: Vec<String>,
}

/// How many tasks were accepted.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tally {
    /// Of them, those that an earlier run had submitted.
    pub(super) existing: u64,
    pub(super) all: u64,
    /// Of them, those that an earlier run must have submitted and the supervisor does not know.
    pub(super) forgotten: u64,
}

/// Submits the open tasks of a source.
pub(super) struct Submitter<'a> {
    pub(super) asker: &'a Asker,
    pub(super) source: &'a Source,
    pub(super) ledger: &'a RefCell<Ledger>,
    /// What clashes is left out instead of ending it all.
    pub(super) skip_bad: bool,
    pub(super) problems: &'a RefCell<Problems>,
}

/// Tasks and the lines that they stand in.
type Batch = Vec<(u32, TaskSpec)>;

impl Submitter<'_> {
    /// Submits all; tells of each batch.
    ///
    /// # Errors
    /// When the supervisor refuses or stays away, or the input has changed meanwhile.
    pub(super) async fn run(
        self,
        accepted: Option<mpsc::Sender<Accepted>>,
    ) -> anyhow::Result<Tally> {
        let mut tally = Tally::default();
        let reached = self.ledger.borrow().reached();
        let mut reader = self.source.tasks()?;
        // Each task stands in the input again, also one that has ended meanwhile.
        let mut unseen = self.ledger.borrow().len();
        loop {
            let batch = self.next_batch(&mut reader, &mut unseen)?;
            if batch.is_empty() {
                break;
            }
            let answer = self.submit(batch, reached, &mut tally).await;
            let answer = answer.with_context(|| self.said_so_far(tally))?;
            if let (Some(answer), Some(accepted)) = (answer, &accepted) {
                // Fails only when all else has, and then that is told.
                let _ = accepted.send(answer).await;
            }
        }
        if tally.forgotten > 0 {
            self.asker.progress.say(&said_of_forgotten(tally.forgotten));
        }
        if unseen > 0 { Err(self.changed().into()) } else { Ok(tally) }
    }

    /// The next open tasks.
    fn next_batch(&self, reader: &mut Tasks<'_>, unseen: &mut usize) -> anyhow::Result<Batch> {
        let (mut batch, mut bytes) = (Batch::new(), 0);
        while batch.len() < BATCH_TASKS && bytes < BATCH_BYTES {
            let Some((line, task)) = reader.next()? else { break };
            let ledger = self.ledger.borrow();
            if line > ledger.last_line() {
                // It has grown since it was checked: the next run takes the rest.
                break;
            }
            let Ok((key, task)) = task else {
                if self.skip_bad { continue } else { return Err(self.changed().into()) }
            };
            match ledger.find(&task.client_ref) {
                // A later line with the same id.
                Some((at, _)) if at != line => {}
                Some((_, standing)) if ledger.key(&task.client_ref) == Some(key) => {
                    *unseen = unseen.saturating_sub(1);
                    if standing == Standing::Open {
                        bytes += task.encoded_len();
                        batch.push((line, task));
                    }
                }
                // A line that says something wrong was left out when all were checked.
                None if self.skip_bad => {}
                _ => return Err(self.changed().into()),
            }
        }
        Ok(batch)
    }

    /// Submits a batch; `None` when nothing of it was left.
    async fn submit(
        &self,
        mut batch: Batch,
        reached: u32,
        tally: &mut Tally,
    ) -> anyhow::Result<Option<Accepted>> {
        while !batch.is_empty() {
            let tasks: Vec<TaskSpec> = batch.iter().map(|(_, task)| task.clone()).collect();
            let request = SubmitTasksRequest { tasks };
            let call = |client: crate::client::Client| {
                let request = request.clone();
                async move { client.tasks().submit_tasks(request).await }
            };
            match self.asker.ask(call).await {
                Ok(answer) => return Ok(Some(take(&batch, answer, reached, tally)?)),
                Err(Failure::Refused(status)) => {
                    let wrong = conflicts::by_task(&status);
                    if wrong.is_empty() {
                        return Err(Failure::Refused(status).into());
                    }
                    self.note(&batch, &wrong);
                    anyhow::ensure!(self.skip_bad, self.refused());
                    let mut index = 0;
                    batch.retain(|_| {
                        index += 1;
                        !wrong.contains_key(&(index - 1))
                    });
                }
                Err(failure) => return Err(failure.into()),
            }
        }
        Ok(None)
    }

    fn note(&self, batch: &Batch, wrong: &conflicts::ByTask) {
        for (index, what) in wrong {
            let Some((line, task)) = batch.get(*index) else { continue };
            self.problems.borrow_mut().add(*line, what);
            self.ledger.borrow_mut().set(&task.client_ref, Standing::Skipped);
        }
    }

    fn refused(&self) -> Usage {
        self.problems.borrow_mut().tell(&self.source.input);
        Usage(format!(
            "the supervisor does not accept this batch of {}; --skip-bad leaves such lines out",
            self.source.input.name
        ))
    }

    fn changed(&self) -> Usage {
        let name = &self.source.input.name;
        Usage(format!("{name} was changed while it was read: run the same command again"))
    }

    fn said_so_far(&self, tally: Tally) -> String {
        let group = self.source.group();
        match tally.all {
            0 => format!("nothing was submitted in group {group}"),
            all => format!("{} before that were accepted in group {group}", counted(all, "task")),
        }
    }
}

/// What became of a batch; lines up to `reached` were submitted before.
fn take(
    batch: &Batch,
    answer: SubmitTasksResponse,
    reached: u32,
    tally: &mut Tally,
) -> anyhow::Result<Accepted> {
    anyhow::ensure!(answer.tasks.len() == batch.len(), "the supervisor's answer is not whole");
    let forgotten = batch.iter().zip(&answer.tasks);
    let forgotten = forgotten.filter(|((line, _), task)| *line <= reached && !task.existing);
    tally.forgotten += forgotten.count() as u64;
    tally.all += batch.len() as u64;
    tally.existing += answer.tasks.iter().filter(|task| task.existing).count() as u64;
    let ended = |state: TaskState| words::is_ended(state);
    let ended = answer.tasks.into_iter().filter(|task| task.existing && ended(task.state()));
    Ok(Accepted { cursor: answer.cursor, ended: ended.map(|task| task.task_id).collect() })
}

/// Nobody should find out by the bill.
fn said_of_forgotten(forgotten: u64) -> String {
    format!(
        "{} without a result stand before lines that have one, and the supervisor does not know \
         them: submitted by an earlier run, they ended longer ago than it keeps tasks \
         (retention_seconds). They are called again, and may be paid for again.",
        counted(forgotten, "task")
    )
}

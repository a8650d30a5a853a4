//! Waits for the ends of all tasks and writes each when it comes.

use std::{cell::RefCell, time::Duration};

use anyhow::Context;
use futures::{StreamExt, TryStreamExt, stream};
use taskfleet_proto::v1::{GetTaskRequest, Task, TaskState};
use tokio::{sync::mpsc, task::JoinSet, time::interval};

use super::{
    ask::Asker,
    feed::{Feed, News},
    ledger::{Ledger, Standing},
    results::Results,
    source::Source,
    submitter::Accepted,
};
use crate::{follow, words};

/// Tasks that are asked for at once.
const AT_ONCE: usize = 16;
/// Outcomes that wait to be written.
const WAITING: usize = 32;
const TICK: Duration = Duration::from_secs(1);

/// Collects the outcomes of a source's tasks.
pub(super) struct Collector<'a> {
    pub(super) asker: &'a Asker,
    pub(super) source: &'a Source,
    pub(super) ledger: &'a RefCell<Ledger>,
    pub(super) results: &'a Results,
}

impl Collector<'_> {
    /// Returns when every task that was accepted has ended and stands in the results.
    ///
    /// # Errors
    /// When the supervisor refuses or stays away, or a result cannot be written.
    pub(super) async fn run(self, mut accepted: mpsc::Receiver<Accepted>) -> anyhow::Result<()> {
        let (sender, mut news) = mpsc::channel(WAITING);
        let mut readers = JoinSet::new();
        let mut ticks = interval(TICK);
        let mut all_submitted = false;
        while !all_submitted || self.ledger.borrow().counts().open > 0 {
            tokio::select! {
                batch = accepted.recv(), if !all_submitted => match batch {
                    Some(batch) => {
                        if readers.is_empty() {
                            self.listen(&mut readers, batch.cursor, &sender);
                        }
                        self.fetch(batch.ended).await?;
                    }
                    None => all_submitted = true,
                },
                Some(news) = news.recv() => self.take_news(news).await?,
                _ = ticks.tick() => self.asker.progress.tick(),
            }
        }
        Ok(())
    }

    /// From the first batch's cursor on: what ends later is in the feed, whichever batch
    /// submitted it.
    fn listen(&self, readers: &mut JoinSet<()>, cursor: String, news: &mpsc::Sender<News>) {
        let (tenant, group) = (self.source.tenant().to_owned(), self.source.group().to_owned());
        let feed = Feed { asker: self.asker.clone(), tenant, group, cursor };
        readers.spawn(feed.clone().run(news.clone()));
        readers.spawn(feed.count(news.clone()));
    }

    /// Asks for tasks that had ended before they were submitted again.
    async fn fetch(&self, ids: Vec<String>) -> anyhow::Result<()> {
        let asked = stream::iter(ids).map(|id| self.get(id)).buffer_unordered(AT_ONCE);
        asked.try_for_each(|task| self.take(task)).await
    }

    async fn get(&self, task_id: String) -> anyhow::Result<Task> {
        let request = GetTaskRequest { task_id };
        let call = |client: crate::client::Client| {
            let request = request.clone();
            async move { client.tasks().get_task(request).await }
        };
        let answer = self.asker.ask(call).await?;
        answer.task.ok_or_else(|| anyhow::anyhow!("the answer holds no task"))
    }

    async fn take_news(&self, news: News) -> anyhow::Result<()> {
        match news {
            News::Ended(task) => self.take(*task).await,
            News::Running(running) => {
                self.asker.progress.running(running);
                Ok(())
            }
            News::Broken(failure) => Err(failure.into()),
        }
    }

    /// Writes a task that has ended, once.
    async fn take(&self, task: Task) -> anyhow::Result<()> {
        if !self.is_awaited(&task) {
            return Ok(());
        }
        let truncated = task.result.as_ref().is_some_and(|result| result.truncated);
        let whole = match truncated {
            true => {
                let read = || follow::whole_result(&self.asker.client, &task);
                Some(self.asker.persist(read).await?)
            }
            false => None,
        };
        let standing = match task.state() {
            TaskState::Completed => Standing::Completed,
            TaskState::Cancelled => Standing::Cancelled,
            _ => Standing::Failed,
        };
        // It may have come on both ways while its result was read.
        if self.ledger.borrow_mut().set(&task.client_ref, standing) {
            self.write(&task, whole.as_deref())?;
        }
        self.asker.progress.counts(self.ledger.borrow().counts());
        Ok(())
    }

    fn is_awaited(&self, task: &Task) -> bool {
        let known = self.ledger.borrow().find(&task.client_ref);
        let is_open = matches!(known, Some((_, Standing::Open)));
        is_open && task.tenant == self.source.tenant() && words::is_ended(task.state())
    }

    fn write(&self, task: &Task, whole: Option<&[u8]>) -> anyhow::Result<()> {
        let key = self.ledger.borrow().key(&task.client_ref);
        let key = key.map(|key| key.to_string()).unwrap_or_default();
        let write = || self.results.write(task, &key, whole);
        let written = match self.results.is_standard_output() {
            true => self.asker.progress.beside(write),
            false => write(),
        };
        written.with_context(|| format!("cannot write {}", self.results.name()))
    }
}

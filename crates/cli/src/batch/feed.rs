//! The outcomes of a group, across broken connections and restarts of the supervisor.

use std::time::Duration;

use taskfleet_proto::v1::{GetStatsRequest, Task, WatchTasksRequest, WatchTasksResponse};
use tokio::{
    sync::mpsc,
    time::{Instant, MissedTickBehavior, interval_at},
};
use tonic::Streaming;

use super::ask::Asker;
use crate::{failure::Failure, patience::Patience};

/// It is asked so often how much runs: a number that the supervisor keeps, where a list of the
/// group's running tasks would be read again and again.
const COUNT_EVERY: Duration = Duration::from_secs(2);

/// What a feed brings.
#[derive(Debug)]
pub(super) enum News {
    /// A task has ended.
    Ended(Box<Task>),
    /// So many tasks of the fleet run.
    Running(u64),
    /// The feed cannot go on.
    Broken(Failure),
}

/// Which outcomes are wanted.
#[derive(Debug, Clone)]
pub(super) struct Feed {
    pub(super) asker: Asker,
    pub(super) tenant: String,
    pub(super) group: String,
    /// After which outcome it goes on.
    pub(super) cursor: String,
}

impl Feed {
    /// Sends every outcome after the cursor, until nobody listens.
    pub(super) async fn run(mut self, news: mpsc::Sender<News>) {
        let mut patience = Patience::new(self.asker.patience);
        let mut stream = None;
        loop {
            let failure = match self.receive(&mut stream).await {
                Ok(message) => {
                    patience.restore();
                    self.cursor = message.cursor;
                    let Some(task) = message.task else { continue };
                    if news.send(News::Ended(Box::new(task))).await.is_err() {
                        return;
                    }
                    continue;
                }
                Err(failure) => failure,
            };
            stream = None;
            if !patience.is_tried() {
                self.asker.progress.say("the connection broke; making it again");
            }
            let may_pass = matches!(failure, Failure::Unreachable { .. });
            if !may_pass || !patience.pause().await {
                // Nobody listening needs no words.
                let _ = news.send(News::Broken(failure)).await;
                return;
            }
        }
    }

    async fn receive(
        &self,
        stream: &mut Option<Streaming<WatchTasksResponse>>,
    ) -> Result<WatchTasksResponse, Failure> {
        let client = &self.asker.client;
        let stream = match stream {
            Some(stream) => stream,
            none => {
                let request = WatchTasksRequest {
                    tenant: self.tenant.clone(),
                    group: self.group.clone(),
                    cursor: self.cursor.clone(),
                    ..WatchTasksRequest::default()
                };
                none.insert(client.answer(client.tasks().watch_tasks(request)).await?)
            }
        };
        let message = stream.message().await.map_err(|status| client.failure(status))?;
        // The feed has no end: a supervisor that stops ends its streams.
        message.ok_or_else(|| client.unreachable("it ended the stream".to_owned()))
    }

    /// Sends how many tasks of the fleet run, now and then, until nobody listens.
    pub(super) async fn count(self, news: mpsc::Sender<News>) {
        let mut ticks = interval_at(Instant::now() + COUNT_EVERY, COUNT_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let Ok(running) = self.running().await else { continue };
            if news.send(News::Running(running)).await.is_err() {
                return;
            }
        }
    }

    async fn running(&self) -> Result<u64, Failure> {
        let client = &self.asker.client;
        let stats = client.answer(client.fleet().get_stats(GetStatsRequest {})).await?;
        Ok(stats.running)
    }
}

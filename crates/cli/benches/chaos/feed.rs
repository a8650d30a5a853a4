//! Watchers that read the feed of outcomes all the time, over every break, by its cursor.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::future::join_all;
use taskfleet_proto::v1::{Task, WatchTasksRequest, WatchTasksResponse};
use tokio::{sync::watch, task::JoinSet, time::sleep};
use tonic::Streaming;

use crate::{
    chaos::shape::Shape,
    client::Client,
    load::{self, GROUP, TENANTS},
};

const PAUSE: Duration = Duration::from_millis(100);

/// The watchers of a run.
pub(crate) struct Feeds {
    feeds: Vec<Feed>,
    reading: JoinSet<()>,
}

/// Whether a watcher is to see the task with this number.
type Wants = fn(u32) -> bool;

/// One watcher.
struct Feed {
    name: &'static str,
    wants: Wants,
    seen: Arc<Mutex<Seen>>,
    count: watch::Receiver<usize>,
}

/// What a watcher saw.
#[derive(Default)]
struct Seen {
    times: BTreeMap<String, u32>,
    /// Tasks with another task's answer.
    strange: Vec<String>,
}

impl Feeds {
    /// Begins to watch; returns once every feed has its first cursor, so that whatever is
    /// submitted from now on is seen.
    pub(crate) async fn begin(shape: &Shape, client: &Client) -> Self {
        let watched = || WatchTasksRequest { group: GROUP.into(), ..WatchTasksRequest::default() };
        let odd = [("parity".to_owned(), "odd".to_owned())].into();
        let mut feeds = Self { feeds: Vec::new(), reading: JoinSet::new() };
        let reader = |request| Reader::new(shape, client, request);
        feeds.add("by group", |_| true, reader(watched())).await;
        let request = WatchTasksRequest { labels: odd, ..watched() };
        feeds.add("by label", |number| load::parity(number) == "odd", reader(request)).await;
        let request = WatchTasksRequest { tenant: TENANTS[1].into(), ..watched() };
        feeds.add("by tenant", |number| load::tenant(number) == TENANTS[1], reader(request)).await;
        feeds
    }

    /// Waits until each has seen as many outcomes as it is to see of `tasks`.
    pub(crate) async fn complete(&self, tasks: &BTreeMap<u32, String>) {
        join_all(self.feeds.iter().map(|feed| feed.complete(tasks))).await;
    }

    /// What is wrong with what they saw, each with the task's id.
    pub(crate) fn wrong(
        &self,
        tasks: &BTreeMap<u32, String>,
    ) -> impl Iterator<Item = (String, String)> {
        self.feeds.iter().flat_map(|feed| feed.wrong(tasks))
    }

    async fn add(&mut self, name: &'static str, wants: Wants, mut reader: Reader) {
        let (seen, count) = (Arc::clone(&reader.seen), reader.counting.subscribe());
        let mut stream = reader.open().await.expect("the fleet is ready");
        let first = stream.message().await.expect("the fleet is ready");
        reader.take(first.expect("a feed has no end"));
        self.reading.spawn(reader.read(stream));
        self.feeds.push(Feed { name, wants, seen, count });
    }
}

impl Feed {
    async fn complete(&self, tasks: &BTreeMap<u32, String>) {
        let wanted = tasks.keys().filter(|number| (self.wants)(**number)).count();
        // Fails only when the reader is gone, and then there is nothing to wait for.
        let _ = self.count.clone().wait_for(|count| *count >= wanted).await;
    }

    fn wrong(&self, tasks: &BTreeMap<u32, String>) -> Vec<(String, String)> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let mut times = seen.times.clone();
        let mut wrong = Vec::new();
        for (_, id) in tasks.iter().filter(|(number, _)| (self.wants)(**number)) {
            match times.remove(id) {
                Some(1) => {}
                None => wrong.push((id.clone(), "did not bring its outcome".to_owned())),
                Some(times) => wrong.push((id.clone(), format!("brought it {times} times"))),
            }
        }
        wrong.extend(times.into_keys().map(|id| (id, "brought it, unasked".to_owned())));
        let strange = seen.strange.iter();
        wrong.extend(strange.map(|id| (id.clone(), "brought another task's answer".to_owned())));
        wrong.into_iter().map(|(id, what)| (id, format!("the feed {} {what}", self.name))).collect()
    }
}

struct Reader {
    shape: Shape,
    client: Client,
    request: WatchTasksRequest,
    seen: Arc<Mutex<Seen>>,
    counting: watch::Sender<usize>,
}

impl Reader {
    fn new(shape: &Shape, client: &Client, request: WatchTasksRequest) -> Self {
        Self {
            shape: shape.clone(),
            client: client.clone(),
            request,
            seen: Arc::default(),
            counting: watch::Sender::default(),
        }
    }

    async fn open(&self) -> Option<Streaming<WatchTasksResponse>> {
        let opened = self.client.tasks().watch_tasks(self.request.clone()).await;
        opened.ok().map(tonic::Response::into_inner)
    }

    async fn read(mut self, first: Streaming<WatchTasksResponse>) {
        let mut stream = Some(first);
        loop {
            if let Some(mut stream) = stream.take() {
                while let Ok(Some(event)) = stream.message().await {
                    self.take(event);
                }
            }
            sleep(PAUSE).await;
            stream = self.open().await;
        }
    }

    fn take(&mut self, event: WatchTasksResponse) {
        self.request.cursor = event.cursor;
        let Some(task) = event.task else { return };
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if !is_own(&self.shape, &task) {
            seen.strange.push(task.id.clone());
        }
        *seen.times.entry(task.id).or_default() += 1;
        self.counting.send_replace(seen.times.len());
    }
}

/// Whether the result is the answer to the task's own prompt.
pub(crate) fn is_own(shape: &Shape, task: &Task) -> bool {
    let Ok(number) = task.client_ref.parse() else { return false };
    let result = task.result.clone().unwrap_or_default();
    let own = load::answer(shape, number);
    result.text.starts_with(&own) || String::from_utf8_lossy(&result.body).contains(&own)
}

//! Submissions beside watchers that never read.

use std::time::Duration;

use serde_json::json;
use taskfleet_proto::v1::{
    SubmitTasksRequest, WatchTasksRequest, WatchTasksResponse,
    task_service_client::TaskServiceClient,
};
use tokio::{
    task::JoinSet,
    time::{interval, sleep},
};
use tonic::{
    Streaming,
    transport::{Channel, Endpoint},
};

use super::{Size, stats, submissions};
use crate::{
    WORKERS,
    e2e::fleet::{Fleet, until},
    plan,
    report::Figures,
    shape::Shape,
};

const WATCHERS: usize = 100;
const GROUP: &str = "watched";
/// What goes through the fleet all the time, with watchers and without: so many tasks …
const TASKS: usize = 50;
/// … so often.
const EVERY: Duration = Duration::from_millis(50);
/// HTTP/2's own default of a stream and of a connection, in bytes (RFC 9113, 6.9.2); that of our
/// client's library is 2 MiB, which somebody would have to read.
const WINDOW: u32 = 65_535;
/// Outcomes that fill this window, and what the server's library puts aside for a stream (400 KiB).
const FILL: u64 = 3_000;

/// By turns without watchers and with them, while the tasks that they watch go through the fleet.
/// It is measured from when nothing more goes into their streams.
pub(crate) async fn measure(size: Size) -> Figures {
    let mut fleet = plan(WORKERS).start().await;
    let mut flow = JoinSet::new();
    flow.spawn(submit_for_ever(fleet.tasks()));
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for _ in 0..size.rounds {
        without.extend(submissions::until(&fleet, sleep(size.beside)).await);
        let watchers = watch(&mut fleet).await;
        until_ended(&fleet, FILL).await;
        with.extend(submissions::until(&fleet, sleep(size.beside)).await);
        drop(watchers);
    }
    let mut figures = Figures::new("watchers");
    let per_second = TASKS as f64 / EVERY.as_secs_f64();
    figures.say(format!("{per_second} tasks/s of 20 deltas each go through the fleet meanwhile"));
    figures.set("background_tasks_per_second", json!(per_second));
    let what = format!("beside {WATCHERS} watchers that never read");
    submissions::compare(&mut figures, &what, without, with);
    figures
}

async fn submit_for_ever(mut client: TaskServiceClient<Channel>) {
    let mut ticks = interval(EVERY);
    loop {
        ticks.tick().await;
        let tasks = vec![Shape::Content.task(GROUP); TASKS];
        client.submit_tasks(SubmitTasksRequest { tasks }).await.unwrap();
    }
}

/// Streams on connections of their own, of which nobody reads more than the beginning.
async fn watch(fleet: &mut Fleet) -> Vec<Streaming<WatchTasksResponse>> {
    let uri = format!("http://{}", fleet.supervisor().address());
    let endpoint = Endpoint::from_shared(uri).unwrap();
    let endpoint =
        endpoint.initial_stream_window_size(WINDOW).initial_connection_window_size(WINDOW);
    let mut watchers = Vec::new();
    for _ in 0..WATCHERS {
        let mut client = TaskServiceClient::new(endpoint.connect_lazy());
        let request = WatchTasksRequest { group: GROUP.to_owned(), ..Default::default() };
        let mut feed = client.watch_tasks(request).await.unwrap().into_inner();
        feed.message().await.unwrap();
        watchers.push(feed);
    }
    watchers
}

/// Waits until so many more tasks have ended.
async fn until_ended(fleet: &Fleet, tasks: u64) {
    let goal = stats(fleet).await.completed + tasks;
    until("tasks have ended", || async { (stats(fleet).await.completed >= goal).then_some(()) })
        .await;
}

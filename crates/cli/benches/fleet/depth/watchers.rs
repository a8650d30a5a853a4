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
use tonic::{Streaming, transport::Channel};

use super::{Size, submissions};
use crate::{WORKERS, e2e::fleet::Fleet, plan, report::Figures, shape::Shape};

const WATCHERS: usize = 100;
const GROUP: &str = "watched";
/// What goes through the fleet all the time, with watchers and without: so many tasks …
const TASKS: usize = 50;
/// … so often.
const EVERY: Duration = Duration::from_millis(50);

/// By turns without watchers and with them, while the tasks that they watch go through the fleet.
/// Each has a connection of its own, with the windows that HTTP/2 has by default.
pub(crate) async fn measure(size: Size) -> Figures {
    let fleet = plan(WORKERS).start().await;
    let mut flow = JoinSet::new();
    flow.spawn(submit_for_ever(fleet.tasks()));
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for _ in 0..size.rounds {
        without.extend(submissions::until(&fleet, sleep(size.beside)).await);
        let watchers = watch(&fleet).await;
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

/// Streams that carry something, as long as anybody reads them.
async fn watch(fleet: &Fleet) -> Vec<Streaming<WatchTasksResponse>> {
    let mut watchers = Vec::new();
    for _ in 0..WATCHERS {
        let request = WatchTasksRequest { group: GROUP.to_owned(), ..Default::default() };
        let mut feed = fleet.tasks().watch_tasks(request).await.unwrap().into_inner();
        feed.message().await.unwrap();
        watchers.push(feed);
    }
    watchers
}

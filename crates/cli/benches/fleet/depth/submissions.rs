//! Submissions at a steady pace, beside whatever goes on.

use std::{pin::pin, time::Duration};

use taskfleet_proto::v1::task_service_client::TaskServiceClient;
use tokio::{
    task::JoinSet,
    time::{Instant, interval},
};
use tonic::transport::Channel;

use crate::{e2e::fleet::Fleet, report::Figures, report::Quantiles, shape::Shape};

/// A call begins so often, whether the one before has been answered or not.
const EVERY: Duration = Duration::from_millis(10);
/// How many times as long as without a disturbance the 99th percentile may be.
const GOAL: f64 = 2.0;

/// How long each call took that began before `over`.
pub(crate) async fn until(fleet: &Fleet, over: impl Future<Output = ()>) -> Vec<Duration> {
    let (client, mut calls) = (fleet.tasks(), JoinSet::new());
    let (mut over, mut ticks) = (pin!(over), interval(EVERY));
    loop {
        tokio::select! {
            () = &mut over => return calls.join_all().await,
            _ = ticks.tick() => {
                calls.spawn(submit(client.clone()));
            }
        }
    }
}

async fn submit(mut client: TaskServiceClient<Channel>) -> Duration {
    let start = Instant::now();
    client.submit_task(Shape::Batches.task("single")).await.unwrap();
    start.elapsed()
}

/// Says how those with a disturbance compare with those without.
pub(super) fn compare(
    figures: &mut Figures,
    what: &str,
    without: Vec<Duration>,
    with: Vec<Duration>,
) {
    let (without, with) = (Quantiles::of(without), Quantiles::of(with));
    let ratio = with.at(99).as_secs_f64() / without.at(99).as_secs_f64();
    figures.say(format!("SubmitTask every {EVERY:?} without: {without}"));
    figures.say(format!("{what}: {with}; its p99 is {ratio:.2} of that without (goal {GOAL})"));
    figures.set("without", without.to_json());
    figures.set("with", with.to_json());
    figures.set("p99_ratio", serde_json::json!(ratio));
}

//! Lists and stats of a deep queue.

use std::time::Duration;

use serde_json::json;
use taskfleet_proto::v1::{
    GetStatsRequest, ListTasksRequest, TaskFilter, TaskState,
    task_service_client::TaskServiceClient,
};
use tokio::time::Instant;
use tonic::transport::Channel;

use super::fill::{GROUPS, LABEL, SHARDS, TENANTS};
use crate::{
    e2e::fleet::Fleet,
    report::{Figures, Quantiles},
};

/// What the slowest may take.
const GOAL: &str = "50 ms";
/// Looks of each kind.
const LOOKS: usize = 200;
/// Tasks of an ordinary page, and of the largest.
const ORDINARY: u32 = 100;
const LARGEST: u32 = 1_000;

pub(super) async fn measure(fleet: &Fleet, queued: usize, figures: &mut Figures) {
    for (name, filter, matching) in filters(queued) {
        let mut list = List { client: fleet.tasks(), filter, next: String::new() };
        let first = list.ordinary(|list| list.next.clear()).await;
        let large = list.walk(matching / 2).await;
        let deep = list.next.clone();
        let deep = list.ordinary(|list| list.next.clone_from(&deep)).await;
        figures.say(format!(
            "ListTasks, {name} (goal {GOAL}): pages of {ORDINARY} at the start {first}; at half of \
             it {deep}; pages of {LARGEST} between {large}"
        ));
        let all = [("start", &first), ("half", &deep), ("large", &large)];
        let all = all.map(|(place, times)| (place.to_owned(), times.to_json()));
        figures.set(
            &format!("list_{}", name.replace(' ', "_")),
            json!(serde_json::Map::from_iter(all)),
        );
    }
    let stats = stats(fleet).await;
    figures.say(format!("GetStats (goal {GOAL}): {stats}"));
    figures.set("stats", stats.to_json());
}

/// Some filters, and how many tasks each finds.
fn filters(queued: usize) -> [(&'static str, TaskFilter, usize); 6] {
    let all = TaskFilter::default;
    let state = TaskState::Queued.into();
    let label = |value: &str| [(LABEL.to_owned(), value.to_owned())].into();
    [
        ("all", all(), queued),
        ("by state", TaskFilter { states: vec![state], ..all() }, queued),
        ("by tenant", TaskFilter { tenant: "tenant-1".into(), ..all() }, queued / TENANTS),
        ("by group", TaskFilter { group: "group-1".into(), ..all() }, queued / GROUPS),
        ("by label", TaskFilter { labels: label("1"), ..all() }, queued / SHARDS),
        ("with no match", TaskFilter { group: "group-1".into(), labels: label("2"), ..all() }, 0),
    ]
}

/// A way through the tasks of one filter.
struct List {
    client: TaskServiceClient<Channel>,
    filter: TaskFilter,
    /// Where the next page begins.
    next: String,
}

impl List {
    /// Ordinary pages, always from where `begin` sets the way.
    async fn ordinary(&mut self, begin: impl Fn(&mut Self)) -> Quantiles {
        let mut times = Vec::new();
        for _ in 0..LOOKS {
            begin(self);
            times.push(self.page(ORDINARY).await.0);
        }
        Quantiles::of(times)
    }

    /// Large pages, until so many tasks were seen; one at least.
    async fn walk(&mut self, tasks: usize) -> Quantiles {
        let (mut times, mut seen) = (Vec::new(), 0);
        self.next.clear();
        while times.is_empty() || (seen < tasks && !self.next.is_empty()) {
            let (took, found) = self.page(LARGEST).await;
            times.push(took);
            seen += found;
        }
        Quantiles::of(times)
    }

    async fn page(&mut self, page_size: u32) -> (Duration, usize) {
        let filter = Some(self.filter.clone());
        let request = ListTasksRequest { filter, page_size, page_token: self.next.clone() };
        let start = Instant::now();
        let page = self.client.list_tasks(request).await.unwrap().into_inner();
        let took = start.elapsed();
        self.next = page.next_page_token;
        (took, page.tasks.len())
    }
}

async fn stats(fleet: &Fleet) -> Quantiles {
    let mut client = fleet.fleet();
    let mut times = Vec::new();
    for _ in 0..LOOKS {
        let start = Instant::now();
        client.get_stats(GetStatsRequest {}).await.unwrap();
        times.push(start.elapsed());
    }
    Quantiles::of(times)
}

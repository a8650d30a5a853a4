//! Whether a task's cost grows with the number of tasks, or with that of the workers.

use serde_json::{Value, json};

use crate::{
    AT_ONCE, WORKERS,
    cost::{Costs, PerTask},
    e2e::fleet::Plan,
    report::Figures,
    shape::Shape,
    throughput::run,
};

/// Tasks that go through each fleet before it is measured.
const WARM_UP: usize = 500;
/// So many tasks at least are measured in each row, over several fleets: the operating system
/// counts CPU time in hundredths of a second.
const LEAST: usize = 10_000;

/// How far it grows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    tasks: &'static [usize],
    workers: &'static [usize],
    /// Tasks with each number of workers.
    with_workers: usize,
}

impl Size {
    pub(crate) const LONG: Self = Self {
        tasks: &[1_000, 10_000, 100_000, 1_000_000],
        workers: &[1, 3, 10, 30],
        with_workers: 100_000,
    };
    pub(crate) const SHORT: Self =
        Self { tasks: &[1_000, 10_000, 100_000], workers: &[1, 3, 10, 30], with_workers: 20_000 };
}

/// What a task cost with so many tasks and workers: means of all fleets.
struct Row {
    tasks: usize,
    workers: usize,
    fleets: usize,
    per_second: f64,
    supervisor: f64,
    all_workers: f64,
    /// What the supervisor has resident at the end, and the largest worker, in MiB.
    resident: (f64, f64),
}

pub(crate) async fn measure(size: Size) -> Figures {
    let mut figures = Figures::new("growth");
    let mut rows = Vec::new();
    for &tasks in size.tasks {
        rows.push(Row::measure(tasks, WORKERS).await);
    }
    show("by_tasks", "tasks", &rows, &mut figures);
    rows.clear();
    for &workers in size.workers {
        rows.push(Row::measure(size.with_workers, workers).await);
    }
    show("by_workers", "workers", &rows, &mut figures);
    figures
}

impl Row {
    /// As many calls at once whatever the number of workers.
    async fn measure(tasks: usize, workers: usize) -> Self {
        let slots = (AT_ONCE / workers).to_string();
        let plan = Plan::new(workers).worker_variable("TASKFLEET_WORKER__SLOTS", &slots);
        let fleets = LEAST.div_ceil(tasks);
        let mut measured = Vec::new();
        for _ in 0..fleets {
            let mut fleet = plan.clone().start().await;
            run(&fleet, Shape::Batches, WARM_UP).await;
            let before = Costs::of(&mut fleet);
            let took = run(&fleet, Shape::Batches, tasks).await;
            measured.push((took.as_secs_f64(), Costs::of(&mut fleet).since(&before, tasks)));
        }
        Self::mean(tasks, workers, &measured)
    }

    fn mean(tasks: usize, workers: usize, measured: &[(f64, PerTask)]) -> Self {
        let mean = |value: &dyn Fn(&(f64, PerTask)) -> f64| {
            measured.iter().map(value).sum::<f64>() / measured.len() as f64
        };
        Self {
            tasks,
            workers,
            fleets: measured.len(),
            per_second: tasks as f64 / mean(&|(took, _)| *took),
            supervisor: mean(&|(_, costs)| costs.supervisor_micros()),
            all_workers: mean(&|(_, costs)| costs.workers_micros()),
            resident: (
                mean(&|(_, costs)| costs.resident_mib().0),
                mean(&|(_, costs)| costs.resident_mib().1),
            ),
        }
    }

    /// CPU time of supervisor and workers.
    const fn micros(&self) -> f64 {
        self.supervisor + self.all_workers
    }

    fn line(&self) -> String {
        let Self { tasks, workers, fleets, per_second, supervisor, all_workers, .. } = self;
        let (of_supervisor, of_worker) = self.resident;
        format!(
            "{tasks:>9} {workers:>7} {fleets:>6} {per_second:>7.0} {supervisor:>13.1} \
             {all_workers:>10.1} {:>7.1} {of_supervisor:>14.0} {of_worker:>10.0}",
            self.micros()
        )
    }

    fn to_json(&self) -> Value {
        json!({
            "tasks": self.tasks,
            "workers": self.workers,
            "fleets": self.fleets,
            "tasks_per_second": self.per_second,
            "supervisor_cpu_micros": self.supervisor,
            "workers_cpu_micros": self.all_workers,
            "supervisor_resident_mib": self.resident.0,
            "largest_worker_resident_mib": self.resident.1,
        })
    }
}

/// A table, and how much more the dearest row costs than the cheapest.
fn show(name: &str, what: &str, rows: &[Row], figures: &mut Figures) {
    figures.say(format!("by the number of {what}; CPU time a task in µs, resident in MiB"));
    figures.say(
        "    tasks workers fleets tasks/s supervisor µs workers µs  sum µs supervisor MiB worker MiB"
            .to_owned(),
    );
    rows.iter().for_each(|row| figures.say(row.line()));
    let most = rows.iter().map(Row::micros).fold(f64::MIN, f64::max);
    let least = rows.iter().map(Row::micros).fold(f64::MAX, f64::min);
    figures.say(format!("dearest to cheapest {:.2} (goal: flat, 1)", most / least));
    figures.set(name, rows.iter().map(Row::to_json).collect());
    figures.set(&format!("{name}_dearest_to_cheapest"), json!(most / least));
}

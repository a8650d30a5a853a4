//! What the processes cost, from /proc: CPU time and resident memory.

use serde_json::{Value, json};

use crate::e2e::fleet::{Fleet, Process};

/// Clock ticks a second of /proc/PID/stat: 100 on every Linux that we know (man 5 proc).
const TICKS_PER_SECOND: f64 = 100.0;

/// What this process has resident now.
pub(crate) fn resident_mib(process: &Process) -> f64 {
    Cost::of(process).resident_kib as f64 / 1024.0
}

/// The most that it ever had resident.
pub(crate) fn peak_mib(process: &Process) -> f64 {
    status_kib(process.pid(), "VmHWM:") as f64 / 1024.0
}

/// The costs of each process so far.
pub(crate) struct Costs {
    supervisor: Cost,
    workers: Vec<Cost>,
    sim: Cost,
    client: Cost,
}

#[derive(Default)]
struct Cost {
    cpu_seconds: f64,
    resident_kib: u64,
}

/// What a task cost.
pub(crate) struct PerTask {
    supervisor: f64,
    workers: f64,
    sim: f64,
    client: f64,
    supervisor_mib: f64,
    worker_mib: f64,
}

impl Costs {
    pub(crate) fn of(fleet: &mut Fleet) -> Self {
        let (supervisor, workers) = fleet.processes();
        Self {
            supervisor: Cost::of(supervisor),
            workers: workers.iter().map(Cost::of).collect(),
            sim: Cost::of(fleet.sim()),
            client: Cost::read(std::process::id()),
        }
    }

    /// What each of `tasks` cost since `before`.
    pub(crate) fn since(&self, before: &Self, tasks: usize) -> PerTask {
        let micros = |now: f64, then: f64| (now - then) * 1e6 / tasks as f64;
        let all = |costs: &Self| costs.workers.iter().map(|cost| cost.cpu_seconds).sum::<f64>();
        let largest = self.workers.iter().map(|cost| cost.resident_kib).max();
        PerTask {
            supervisor: micros(self.supervisor.cpu_seconds, before.supervisor.cpu_seconds),
            workers: micros(all(self), all(before)),
            sim: micros(self.sim.cpu_seconds, before.sim.cpu_seconds),
            client: micros(self.client.cpu_seconds, before.client.cpu_seconds),
            supervisor_mib: self.supervisor.resident_kib as f64 / 1024.0,
            worker_mib: largest.unwrap_or_default() as f64 / 1024.0,
        }
    }
}

impl PerTask {
    /// CPU time of the supervisor.
    pub(crate) const fn supervisor_micros(&self) -> f64 {
        self.supervisor
    }

    /// CPU time of all workers together.
    pub(crate) const fn workers_micros(&self) -> f64 {
        self.workers
    }

    /// What the supervisor and the largest worker have resident, in MiB.
    pub(crate) const fn resident_mib(&self) -> (f64, f64) {
        (self.supervisor_mib, self.worker_mib)
    }

    pub(crate) fn line(&self) -> String {
        let Self { supervisor, workers, sim, client, supervisor_mib, worker_mib } = self;
        format!(
            "CPU a task: supervisor {supervisor:.1} µs, workers {workers:.1} µs (API {sim:.1}, \
             client {client:.1}); resident: supervisor {supervisor_mib:.0} MiB, each worker at \
             most {worker_mib:.0} MiB"
        )
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({
            "supervisor_cpu_micros": self.supervisor,
            "workers_cpu_micros": self.workers,
            "sim_cpu_micros": self.sim,
            "client_cpu_micros": self.client,
            "supervisor_resident_mib": self.supervisor_mib,
            "largest_worker_resident_mib": self.worker_mib,
        })
    }
}

impl Cost {
    fn of(process: &Process) -> Self {
        Self::read(process.pid())
    }

    fn read(pid: u32) -> Self {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        // After the name, which may hold spaces: fields 14 and 15 are user and system time.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        let ticks: f64 = fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap();
        Self { cpu_seconds: ticks / TICKS_PER_SECOND, resident_kib: status_kib(pid, "VmRSS:") }
    }
}

fn status_kib(pid: u32, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let value = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    value.trim().trim_end_matches(" kB").parse().unwrap()
}

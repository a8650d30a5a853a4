//! What the processes cost, from /proc: CPU time and resident memory.

use crate::e2e::fleet::{Fleet, Process};

/// Clock ticks a second of /proc/PID/stat: 100 on every Linux that we know (man 5 proc).
const TICKS_PER_SECOND: f64 = 100.0;

/// The costs of each process so far.
pub(crate) struct Costs {
    processes: Vec<Cost>,
}

struct Cost {
    name: String,
    cpu_seconds: f64,
    resident_kib: u64,
}

impl Costs {
    pub(crate) fn of(fleet: &mut Fleet) -> Self {
        let mut processes = vec![Cost::of(fleet.supervisor()), Cost::of(fleet.sim())];
        processes.extend((0..3).map(|index| Cost::of(fleet.worker(index))));
        Self { processes }
    }

    pub(crate) fn print_since(&self, before: &Self, tasks: usize) {
        for (now, then) in self.processes.iter().zip(&before.processes) {
            let micros = (now.cpu_seconds - then.cpu_seconds) * 1e6 / tasks as f64;
            let mib = now.resident_kib as f64 / 1024.0;
            println!("{:12} {micros:6.0} µs CPU a task, {mib:6.1} MiB resident", now.name);
        }
    }
}

impl Cost {
    fn of(process: &Process) -> Self {
        let pid = process.pid();
        let read = |file: &str| std::fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap();
        let stat = read("stat");
        // After the name, which may hold spaces: fields 14 and 15 are user and system time.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        let ticks: f64 = fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap();
        let status = read("status");
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        let resident_kib = resident.trim().trim_end_matches(" kB").parse().unwrap();
        Self { name: process.name().into(), cpu_seconds: ticks / TICKS_PER_SECOND, resident_kib }
    }
}

//! On what and with what is measured.

use std::{fs::File, io::Write as _, path::Path, time::Duration};

use serde_json::{Value, json};
use tokio::time::Instant;

/// Syncs that are timed.
const SYNCS: usize = 51;

/// What figures mean nothing without.
pub(crate) fn describe() -> Value {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    json!({
        "taskfleet": env!("CARGO_PKG_VERSION"),
        "build": if cfg!(debug_assertions) { "debug" } else { "release" },
        "processor": processor(),
        "cores": cores,
        "kernel": read("/proc/sys/kernel/osrelease"),
        "durability": "SQLite, write-ahead log, synchronous=FULL; answered after the commit",
        "load_at_start": read("/proc/loadavg"),
    })
}

fn processor() -> String {
    let info = read("/proc/cpuinfo");
    let name = info.lines().find_map(|line| line.strip_prefix("model name"));
    name.map(|name| name.trim_matches([' ', '\t', ':']).to_owned()).unwrap_or_default()
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).map(|text| text.trim().to_owned()).unwrap_or_default()
}

/// How long it takes to write 4 KiB at the end of a file in this directory and to sync it: the
/// median.
pub(crate) fn sync_time(directory: &Path) -> Duration {
    let path = directory.join("sync");
    let mut file = File::create(&path).unwrap();
    let mut times: Vec<Duration> = (0..SYNCS)
        .map(|_| {
            let start = Instant::now();
            file.write_all(&[1; 4096]).unwrap();
            file.sync_data().unwrap();
            start.elapsed()
        })
        .collect();
    std::fs::remove_file(path).unwrap();
    times.sort();
    times[SYNCS / 2]
}

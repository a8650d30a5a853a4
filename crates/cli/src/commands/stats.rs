//! `taskfleet stats`: the fleet in numbers.

use std::{process::ExitCode, time::Duration};

use taskfleet_proto::v1::{GetStatsRequest, GetStatsResponse};

use crate::{
    args::Global,
    client::Client,
    json, output,
    table::Table,
    words::{self, grouped},
};

/// Prints the numbers.
///
/// # Errors
/// When the supervisor does not answer.
pub(crate) async fn run(global: &Global) -> anyhow::Result<ExitCode> {
    let client = Client::connect(&global.address).await?;
    let stats = client.answer(client.fleet().get_stats(GetStatsRequest {})).await?;
    if global.json {
        output::line(&json::pretty("GetStatsResponse", &stats)?)?;
    } else {
        output::table(&table(&stats))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn table(stats: &GetStatsResponse) -> Table {
    let mut table = Table::of_pairs();
    table.pair("queued", queued(stats));
    table.pair("running", grouped(stats.running));
    table.pair("completed", grouped(stats.completed));
    table.pair("failed", grouped(stats.failed));
    table.pair("cancelled", grouped(stats.cancelled));
    let slots = format!("{} of {} slots in use", stats.slots_in_use, stats.slots);
    table.pair("workers", format!("{} ready, {slots}", stats.workers_ready));
    table.pair("failed attempts", grouped(stats.attempts_failed));
    table.pair("executions lost", lost(stats.worker_losses));
    table.pair("throttles", grouped(stats.throttles));
    table.pair("requeues", grouped(stats.requeues));
    table.pair("stale results", grouped(stats.stale_results));
    table.pair("store", &stats.store_id);
    table.pair("epoch", stats.epoch.to_string());
    table.pair("started", words::moment(stats.started_at));
    if stats.superseded_by > 0 {
        let by =
            format!("by epoch {}: hands out nothing until it is restarted", stats.superseded_by);
        table.pair("superseded", by);
    }
    table
}

/// Each task that a lost worker had counts, so one worker may count many times.
fn lost(executions: u64) -> String {
    match executions {
        0 => "0".to_owned(),
        lost => format!("{}, with their workers", grouped(lost)),
    }
}

/// "1,200 (3.4 MiB), the oldest for 5 min".
fn queued(stats: &GetStatsResponse) -> String {
    let mut said = grouped(stats.queued);
    if stats.queued_bytes > 0 {
        said.push_str(&format!(" ({})", words::bytes(stats.queued_bytes)));
    }
    let oldest = stats.oldest_queued_age.and_then(|age| Duration::try_from(age).ok());
    if let Some(oldest) = oldest.filter(|_| stats.queued > 0) {
        said.push_str(&format!(", the oldest for {}", words::duration(oldest)));
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_queue_says_how_much_waits_and_how_long() {
        let age = prost_types::Duration { seconds: 300, nanos: 0 };
        let stats = GetStatsResponse {
            queued: 1_200,
            queued_bytes: 3_565_158,
            oldest_queued_age: Some(age),
            workers_ready: 2,
            slots: 128,
            slots_in_use: 64,
            worker_losses: 1_000,
            ..GetStatsResponse::default()
        };
        let lines: Vec<String> = table(&stats)
            .lines()
            .map(|line| console::strip_ansi_codes(&line).into_owned())
            .collect();
        assert_eq!(lines[0], "queued           1,200 (3.4 MiB), the oldest for 5 min");
        assert_eq!(lines[7], "executions lost  1,000, with their workers");
        assert_eq!(lines[5], "workers          2 ready, 64 of 128 slots in use");
    }
}

//! `taskfleet workers`: who is in the fleet.

use std::{process::ExitCode, time::Duration};

use taskfleet_proto::v1::{ListWorkersRequest, Worker};

use crate::{args::Global, client::Client, json, output, table::Table, words};

/// Prints the workers.
///
/// # Errors
/// When the supervisor does not answer.
pub(crate) async fn run(global: &Global) -> anyhow::Result<ExitCode> {
    let client = Client::connect(&global.address).await?;
    let workers = client.answer(client.fleet().list_workers(ListWorkersRequest {})).await?;
    if global.json {
        output::line(&json::pretty("ListWorkersResponse", &workers)?)?;
    } else if workers.workers.is_empty() {
        output::talk("There are no workers.");
    } else {
        output::table(&table(&workers.workers))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The workers as a table, by name.
pub(crate) fn table(workers: &[Worker]) -> Table {
    let mut sorted: Vec<&Worker> = workers.iter().collect();
    sorted.sort_by_key(|worker| (&worker.name, &worker.boot_id));
    let mut table =
        Table::new(["name", "state", "address", "slots", "models", "heard", "version", "remarks"]);
    for worker in sorted {
        table.row([
            worker.name.clone(),
            words::worker_state(worker.state()).to_string(),
            worker.address.clone(),
            format!("{}/{}", worker.slots_in_use, worker.slots),
            models(worker),
            heard(worker),
            worker.version.clone(),
            remarks(worker),
        ]);
    }
    table
}

/// Why it gets no work, and what it keeps that is not this store's to settle.
fn remarks(worker: &Worker) -> String {
    let held = |count: u64, whose| (count > 0).then(|| format!("holds {count} {whose}"));
    let detail = Some(worker.detail.clone()).filter(|detail| !detail.is_empty());
    let all = [
        detail,
        held(worker.foreign_held, "of another store"),
        held(worker.newer_held, "of a newer copy of this store"),
    ];
    all.into_iter().flatten().collect::<Vec<_>>().join("; ")
}

fn models(worker: &Worker) -> String {
    if worker.models.is_empty() { "any".to_owned() } else { worker.models.join(", ") }
}

fn heard(worker: &Worker) -> String {
    let since = worker.since_heard.and_then(|since| Duration::try_from(since).ok());
    since.map(|since| format!("{} ago", words::duration(since))).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_worker_keeps_for_others_stands_in_its_remarks() {
        let mut worker = Worker { foreign_held: 2, ..Worker::default() };
        assert_eq!(remarks(&worker), "holds 2 of another store");
        worker.detail = "it is stopping".to_owned();
        (worker.foreign_held, worker.newer_held) = (0, 1);
        assert_eq!(remarks(&worker), "it is stopping; holds 1 of a newer copy of this store");
        assert_eq!(remarks(&Worker::default()), "");
    }
}

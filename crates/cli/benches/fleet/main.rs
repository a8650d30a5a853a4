//! What a fleet costs and how fast it is, with release builds of the real processes on one
//! machine: `cargo bench -p taskfleet --bench fleet -- --help`.
//!
//! Everything shares the machine: the client, the supervisor, three workers and the simulated
//! API. The bare loop is measured in the same run; compare the ratio and the CPU time a task, for
//! rates of different runs on a busy machine say little.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "this program prints figures")]
#![expect(clippy::unwrap_used, reason = "a measurement that fails says where")]

#[expect(dead_code, unused_imports, reason = "the tests use all of it")]
#[path = "../../tests/e2e"]
mod e2e {
    pub(crate) mod fleet;
}

mod arrival;
mod bare;
mod cost;
mod depth;
mod growth;
mod idle;
mod in_flight;
mod machine;
mod neighbours;
mod options;
mod report;
mod shape;
mod single;
mod throughput;

use clap::Parser;

use crate::{
    e2e::fleet::Plan,
    options::{Options, Scenario},
    report::Report,
    shape::Shape,
};

/// Workers of the fleet.
const WORKERS: usize = 3;
/// Calls at once, in the bare loop and over the workers.
const AT_ONCE: usize = 96;

#[tokio::main]
async fn main() {
    let options = Options::parse();
    let mut report = Report::new(machine::describe());
    let plan = plan(WORKERS);
    if options.wants(Scenario::Idle) {
        report.add(idle::measure(plan.clone(), options.singles()).await);
    }
    for shape in Shape::ALL {
        if options.wants(shape.scenario()) {
            report.add(throughput::measure(&plan, shape, options.tasks()).await);
        }
    }
    if options.wants(Scenario::Depth) {
        report.add(depth::measure(options.depth()).await);
    }
    if options.wants(Scenario::Pruning) {
        report.add(depth::pruning::measure(options.depth()).await);
    }
    if options.wants(Scenario::Watchers) {
        report.add(depth::watchers::measure(options.depth()).await);
    }
    if options.wants(Scenario::InFlight) {
        report.add(in_flight::measure(options.waves()).await);
    }
    if options.wants(Scenario::Growth) {
        report.add(growth::measure(options.growth()).await);
    }
    if options.wants(Scenario::Neighbours) {
        for calls in neighbours::Calls::ALL {
            report.add(neighbours::measure(calls, options.batch()).await);
        }
    }
    report.finish(options.json.as_deref());
}

/// A fleet of so many workers, or of none yet; each has its share of the slots of [`WORKERS`].
fn plan(workers: usize) -> Plan {
    let slots = (AT_ONCE / WORKERS).to_string();
    Plan::new(workers).worker_variable("TASKFLEET_WORKER__SLOTS", &slots)
}

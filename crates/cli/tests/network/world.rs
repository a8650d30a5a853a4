//! The simulation of one plan: machines on a network, and the faults that befall them.

use std::{
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use turmoil::{Builder, Sim};

use crate::{
    api::Ledger,
    checks,
    client::{self, Seen},
    disk::Disk,
    faulty::Faulty,
    journal::Journal,
    machines::Machines,
    net::Network,
    plan::{Host, Plan},
    software,
};

/// What everyone in the simulation knows. Clones are the same.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) plan: Arc<Plan>,
    pub(crate) journal: Journal,
    pub(crate) ledger: Ledger,
    pub(crate) disk: Disk,
    pub(crate) network: Network,
    pub(crate) machines: Machines,
    pub(crate) seen: Arc<Mutex<Seen>>,
}

/// The grain of simulated time: messages take whole ticks.
const TICK: Duration = Duration::from_millis(5);
/// After the last fault everything has ended within this. Connections that went deaf without a
/// word are found by their pings after 45 s; the longest call and backoffs come on top.
pub(crate) const SETTLED_WITHIN: Duration = Duration::from_secs(100);
/// Segments that a connection holds unread.
const SOCKET: usize = 16_384;

/// Runs a plan to its end: what happened, and which promises were broken.
pub(crate) fn run(plan: Plan) -> Journal {
    let shared = Shared::new(plan);
    let mut sim = sim(&shared);
    let ended = drive(&mut sim, &shared);
    if let Err(error) = ended {
        shared.journal.violation_at(sim.elapsed(), error);
    }
    let seen = shared.seen.lock().unwrap_or_else(PoisonError::into_inner);
    checks::check(&shared, &seen, sim.elapsed());
    shared.journal.clone()
}

impl Shared {
    fn new(plan: Plan) -> Self {
        let journal = Journal::default();
        Self {
            disk: Disk::new(plan.seed, journal.clone()),
            plan: Arc::new(plan),
            journal,
            ledger: Ledger::default(),
            network: Network::default(),
            machines: Machines::default(),
            seen: Arc::default(),
        }
    }

    /// Every machine, in the order in which each step lets them run.
    pub(crate) fn hosts(&self) -> Vec<Host> {
        let workers = (0..self.plan.workers.len()).map(Host::Worker);
        [Host::Supervisor].into_iter().chain(workers).chain([Host::Client]).collect()
    }
}

fn sim(shared: &Shared) -> Sim<'static> {
    let plan = &shared.plan;
    let mut sim = Builder::new()
        .rng_seed(plan.seed)
        .tick_duration(TICK)
        .simulation_duration(Duration::MAX)
        .min_message_latency(Duration::from_millis(1))
        .max_message_latency(plan.latency)
        .tcp_capacity(SOCKET)
        .build();
    for host in shared.hosts() {
        // In this order they get their addresses.
        let _: IpAddr = sim.lookup(host.name());
    }
    let supervisor = shared.clone();
    shared.machines.want(Host::Supervisor);
    sim.host(Host::Supervisor.name(), move || software::supervisor(supervisor.clone()));
    for index in 0..plan.workers.len() {
        let worker = shared.clone();
        shared.machines.want(Host::Worker(index));
        sim.host(Host::Worker(index).name(), move || software::worker(worker.clone(), index));
    }
    sim.client(Host::Client.name(), client::run(shared.clone()));
    sim
}

/// Steps through the plan's faults and on, until the client has seen all it waits for.
fn drive(sim: &mut Sim<'_>, shared: &Shared) -> Result<(), String> {
    let mut faulty = Faulty::new(shared.clone());
    let mut faults = shared.plan.faults.iter().peekable();
    let mut healed = false;
    while sim.elapsed() < shared.plan.heal_at + SETTLED_WITHIN {
        while let Some((_, fault)) = faults.next_if(|(at, _)| !healed && *at <= sim.elapsed()) {
            faulty.happens(sim, *fault);
        }
        if !healed && sim.elapsed() >= shared.plan.heal_at {
            healed = true;
            faulty.heal(sim);
        }
        faulty.clear_away(sim);
        if sim.step().map_err(|error| format!("a service failed: {error}"))? && healed {
            return Ok(());
        }
    }
    Err(format!("not everything ended within {SETTLED_WITHIN:?} after the last fault"))
}

//! Lets the planned faults strike, and notes what was done when.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use futures::future::join_all;
use taskfleet_core::Timestamp;
use taskfleet_runtime::Clock;
use tokio::time::{Instant, sleep, sleep_until};

use crate::{
    cable::Cable,
    chaos::{
        history::Fault,
        kind::Kind,
        plan::{Planned, Target},
    },
    e2e::fleet::Process,
};

/// The faults that have struck, in the order in which they ended.
pub(crate) struct Log {
    start: Instant,
    pub(crate) began: Timestamp,
    clock: Clock,
    faults: Mutex<Vec<Fault>>,
}

impl Log {
    pub(crate) fn starting() -> Self {
        let clock = Clock::system();
        let began = Timestamp::from_unix_millis(clock.unix_millis());
        Self { start: Instant::now(), began, clock, faults: Mutex::default() }
    }

    pub(crate) fn into_faults(self) -> Vec<Fault> {
        let mut faults = self.faults.into_inner().unwrap_or_else(PoisonError::into_inner);
        faults.sort_by_key(|fault| fault.began);
        faults
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_unix_millis(self.clock.unix_millis())
    }

    fn begins(&self, fault: &Planned) -> Fault {
        let at = self.start.elapsed().as_secs_f64();
        eprintln!("{at:7.1} s  {}: {}", fault.target, fault.kind.words());
        let (kind, target, began) = (fault.kind, fault.target, self.now());
        Fault { kind, target, began, until: began, started: None, healed: began }
    }

    fn ends(&self, mut fault: Fault) {
        fault.healed = self.now();
        if !matches!(fault.kind, Kind::WorkerKilled | Kind::SupervisorKilled) {
            fault.until = fault.healed;
        }
        let (at, lasted) = (self.start.elapsed(), fault.healed.since(fault.began));
        let (at, lasted) = (at.as_secs_f64(), lasted.as_secs_f64());
        eprintln!("{at:7.1} s  {}: back after {lasted:.1} s", fault.target);
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).push(fault);
    }
}

/// Lets all of them strike, each at its time or when its target's fault before it has ended;
/// returns when everything runs again.
pub(crate) async fn all(
    plan: &[Planned],
    supervisor: &mut Process,
    workers: &mut [Process],
    cables: &mut [Cable],
    log: &Log,
) {
    let of = |target: Target| plan.iter().filter(move |fault| fault.target == target);
    let workers = workers.iter_mut().zip(cables).enumerate().map(|(index, (process, cable))| {
        let own = of(Target::Worker(index));
        async move {
            for fault in own {
                sleep_until(log.start + fault.at).await;
                strike_worker(fault, process, cable, log).await;
            }
        }
    });
    let supervisor = async {
        for fault in of(Target::Supervisor) {
            sleep_until(log.start + fault.at).await;
            strike_supervisor(fault, supervisor, log).await;
        }
    };
    tokio::join!(join_all(workers), supervisor);
}

async fn strike_worker(planned: &Planned, process: &mut Process, cable: &mut Cable, log: &Log) {
    let mut fault = log.begins(planned);
    match planned.kind {
        Kind::WorkerKilled => {
            cable.to_worker.refuse().await;
            process.kill();
            fault.until = log.now();
            sleep(planned.lasts).await;
            cable.to_worker.listen_again();
            fault.started = Some(log.now());
            process.restart().await;
        }
        Kind::WorkerHung | Kind::WorkerPaused => pause(process, planned.lasts).await,
        Kind::WorkerCutOff => {
            cable.cut();
            sleep(planned.lasts).await;
            cable.mend();
        }
        Kind::WorkerUnheard => {
            cable.cut_towards_supervisor();
            sleep(planned.lasts).await;
            cable.mend_towards_supervisor();
        }
        Kind::WorkerBlip => cable.mend(),
        Kind::WorkerStalled => {
            cable.stall(true);
            sleep(planned.lasts).await;
            cable.stall(false);
        }
        _ => restart(process, planned.lasts, &mut fault, log).await,
    }
    log.ends(fault);
}

async fn strike_supervisor(planned: &Planned, process: &mut Process, log: &Log) {
    let mut fault = log.begins(planned);
    match planned.kind {
        Kind::SupervisorKilled => {
            process.kill();
            fault.until = log.now();
            sleep(planned.lasts).await;
            fault.started = Some(log.now());
            process.restart().await;
        }
        Kind::SupervisorPaused => pause(process, planned.lasts).await,
        _ => restart(process, planned.lasts, &mut fault, log).await,
    }
    log.ends(fault);
}

async fn pause(process: &Process, lasts: Duration) {
    process.stop();
    sleep(lasts).await;
    process.cont();
}

async fn restart(process: &mut Process, away: Duration, fault: &mut Fault, log: &Log) {
    process.terminate();
    process.ended().await;
    sleep(away).await;
    fault.started = Some(log.now());
    process.restart().await;
}

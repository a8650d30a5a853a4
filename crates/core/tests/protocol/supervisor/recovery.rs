//! Connections made anew, workers lost, and what a restarted supervisor finds.

use std::collections::BTreeSet;

use taskfleet_core::{
    BootId, Lease, TaskId,
    adoption::{self, Held},
    machine::Event,
    task::{TaskRecord, TaskState},
};

use super::{Link, Outside, Supervisor, held, holder};
use crate::{
    network::{Request, Route},
    store::execution,
};

impl Supervisor {
    /// Dials a worker, whatever connection there was before, and takes it over.
    pub(crate) fn dial(&mut self, worker: usize, out: &mut Outside<'_>) {
        self.hang_up(worker, false, out);
        let route = out.net.connect(worker, self.caller);
        out.net.ask(route, Request::Adopt);
        self.links.insert(worker, Link { route, boot: None });
    }

    pub(crate) fn is_linked(&self, worker: usize) -> bool {
        self.links.contains_key(&worker)
    }

    /// The connection broke; what was read from it before may still be handled.
    pub(crate) fn hang_up(&mut self, worker: usize, read: bool, out: &mut Outside<'_>) {
        if let Some(link) = self.links.remove(&worker) {
            out.net.cut(link.route, read);
        }
    }

    /// The process dies, and its connections with it.
    pub(crate) fn crash(mut self, out: &mut Outside<'_>) {
        let workers: Vec<usize> = self.links.keys().copied().collect();
        for worker in workers {
            self.hang_up(worker, false, out);
        }
    }

    /// Declares the worker at this address lost, rightly or wrongly.
    pub(crate) fn declare_lost(&mut self, worker: usize, out: &mut Outside<'_>) {
        let linked = self.links.get(&worker).and_then(|link| link.boot);
        self.hang_up(worker, false, out);
        let mut boots = boots_at(&out.store.running(), &worker.to_string());
        boots.extend(linked);
        for boot in boots {
            self.lose(boot, out);
        }
    }

    /// Everything that this process had of ours is lost, the stale included: it is the
    /// store that knows what is live.
    pub(super) fn lose(&mut self, boot: BootId, out: &mut Outside<'_>) {
        let running = out.store.running();
        let at_boot = running.iter().filter(|task| is_at(task, boot)).map(execution);
        let mut lost: Vec<Held> = at_boot.collect();
        let given = self.debt(boot).given.iter();
        lost.extend(given.map(|(task, lease)| held(*task, *lease)));
        for of in lost {
            let _ = self.record(of, &Event::Lost { lease: of.lease }, out);
        }
    }

    /// A worker says who it is and what it holds.
    pub(super) fn adopted(
        &mut self,
        route: Route,
        boot: BootId,
        held: &[Held],
        out: &mut Outside<'_>,
    ) {
        let Some(link) = self.links.get_mut(&route.worker).filter(|link| link.route == route)
        else {
            return; // The answer of a connection that is given up.
        };
        link.boot = Some(boot);
        for other in boots_at(&out.store.running(), &route.worker.to_string()) {
            if other != boot {
                self.lose(other, out);
                self.debts.remove(&other);
            }
        }
        self.reconcile(route.worker, boot, held, out);
        self.resolve(route.worker, boot, held, out);
    }

    fn reconcile(&mut self, worker: usize, boot: BootId, held: &[Held], out: &mut Outside<'_>) {
        let believed = self.left_by_predecessors(boot, out);
        let (adopt, missing) = adoption::reconcile(&holder(worker, boot), held, &believed);
        for (of, event) in adopt {
            self.debt(boot).given.insert((of.task, of.lease));
            match self.record(of, &event, out) {
                Ok(()) => self.process(of, worker, boot, true, out.net),
                Err(_) => self.over(of),
            }
        }
        for (of, event) in missing {
            let _ = self.record(of, &event, out);
        }
    }

    /// The leases of earlier epochs: their requests are refused from now on, so what is
    /// not held was never started. One of our own may still lie in a broken connection.
    fn left_by_predecessors(&self, boot: BootId, out: &Outside<'_>) -> Vec<Held> {
        let running = out.store.running();
        let at_boot = running.iter().filter(|task| is_at(task, boot));
        at_boot.map(execution).filter(|of| of.lease.epoch() < self.caller.epoch).collect()
    }

    /// What we gave to this worker and it does not hold. What the store would still take
    /// is asked for with `attach_only`: it is found after all, or it never comes to be.
    /// What is over is settled, in case it comes to be.
    fn resolve(&mut self, worker: usize, boot: BootId, has: &[Held], out: &mut Outside<'_>) {
        let given: Vec<(TaskId, Lease)> = self.debt(boot).given.iter().copied().collect();
        for (task, lease) in given {
            let of = held(task, lease);
            if has.contains(&of) {
                continue;
            }
            let task = out.store.get(task).filter(|task| task.lease == lease);
            match task.map(|task| (task.state, task.lease_unheard)) {
                Some((TaskState::Running, _)) => self.process(of, worker, boot, true, out.net),
                Some((TaskState::Queued, true)) => {
                    self.process(of, worker, boot, true, out.net);
                    self.executions.remove(&of.task);
                }
                _ => self.over(of),
            }
        }
    }

    /// An execution that was given up has started all the same.
    pub(super) fn found(&mut self, route: Route, of: Held, out: &mut Outside<'_>) {
        let Some(boot) = self.links.get(&route.worker).and_then(|link| link.boot) else {
            return;
        };
        if !self.is_current(route) {
            return; // Asked for again when the worker is adopted.
        }
        let holder = holder(route.worker, boot);
        match self.record(of, &Event::Adopt { lease: of.lease, holder }, out) {
            Ok(()) => self.process(of, route.worker, boot, true, out.net),
            Err(_) => self.over(of),
        }
    }

    pub(super) fn is_current(&self, route: Route) -> bool {
        self.links.get(&route.worker).is_some_and(|link| link.route == route)
    }
}

fn is_at(task: &TaskRecord, boot: BootId) -> bool {
    task.holder.as_ref().is_some_and(|holder| holder.boot_id == boot)
}

fn boots_at(running: &[TaskRecord], address: &str) -> BTreeSet<BootId> {
    let holders = running.iter().filter_map(|task| task.holder.as_ref());
    holders.filter(|holder| holder.address == address).map(|holder| holder.boot_id).collect()
}

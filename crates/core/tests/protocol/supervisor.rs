//! A supervisor process: everything in it is gone when it dies. What it does is what
//! protocol.md says; `recovery` holds what it does about broken connections and restarts.

mod recovery;

use std::collections::{BTreeMap, BTreeSet};

use taskfleet_core::{
    BootId, Lease, TaskId, Timestamp,
    adoption::Held,
    execution::Caller,
    machine::{Event, Refusal},
    outcome::Outcome,
    task::{Holder, TaskRecord, TaskState},
};

use crate::{
    network::{Answer, Network, Request, Route, StreamId},
    store::{Store, execution},
};

/// What a supervisor does about a start that no PROCESSING follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoWord {
    /// Attach to it or, if it has not started, forbid it to.
    Ask,
    /// Cancel it, whatever it does, and requeue when that is answered.
    Cancel,
}

#[derive(Debug)]
struct Link {
    route: Route,
    /// Known, and free to be used, once Adopt is answered.
    boot: Option<BootId>,
}

#[derive(Debug)]
struct Execution {
    lease: Lease,
    worker: usize,
    boot: BootId,
    stream: StreamId,
    heard: bool,
}

/// What a worker process may still have of ours, until it says that it has not.
#[derive(Debug, Default)]
struct Debt {
    /// Sent to it in this epoch, or reported by it.
    given: BTreeSet<(TaskId, Lease)>,
    /// Over; a Settle for it is not acknowledged yet.
    to_settle: BTreeSet<(TaskId, Lease)>,
}

pub(crate) struct Supervisor {
    caller: Caller,
    no_word: NoWord,
    links: BTreeMap<usize, Link>,
    executions: BTreeMap<TaskId, Execution>,
    debts: BTreeMap<BootId, Debt>,
    streams: StreamId,
}

/// What outlives the supervisor, lent to it for one step.
pub(crate) struct Outside<'a> {
    pub(crate) store: &'a mut Store,
    pub(crate) net: &'a mut Network,
    pub(crate) now: Timestamp,
}

/// Dispatches numbered from here on do not look at the task first.
const STALE_WINDOW: usize = 10;

impl Supervisor {
    pub(crate) fn new(caller: Caller, no_word: NoWord) -> Self {
        Self {
            caller,
            no_word,
            links: BTreeMap::new(),
            executions: BTreeMap::new(),
            debts: BTreeMap::new(),
            streams: 0,
        }
    }

    /// Claims a ready task for a worker; with `dies` the process dies before it is sent.
    pub(crate) fn dispatch(
        &mut self,
        task: usize,
        worker: usize,
        dies: bool,
        out: &mut Outside<'_>,
    ) {
        // The window in memory is a cache: what it calls ready need not be.
        let stale = task >= STALE_WINDOW;
        let window: Vec<TaskId> = out
            .store
            .tasks()
            .filter(|task| stale || task.is_ready(out.now))
            .map(|task| task.id)
            .collect();
        let (Some(at), Some(link)) = (task.checked_rem(window.len()), self.links.get(&worker))
        else {
            return;
        };
        let Some(boot) = link.boot else { return };
        let (id, holder) = (window[at], holder(worker, boot));
        let claim = Event::Claim { holder, epoch: self.caller.epoch };
        if out.store.apply(id, &claim, out.now).is_ok()
            && !dies
            && let Some(task) = out.store.get(id)
        {
            self.process(execution(task), worker, boot, false, out.net);
        }
    }

    fn process(&mut self, of: Held, worker: usize, boot: BootId, attach: bool, net: &mut Network) {
        let Some(route) = self.links.get(&worker).map(|link| link.route) else {
            return;
        };
        self.streams += 1;
        let stream = self.streams;
        let lease = of.lease;
        self.executions.insert(of.task, Execution { lease, worker, boot, stream, heard: false });
        self.debt(boot).given.insert((of.task, of.lease));
        net.ask(route, Request::Process { stream, boot, of, attach_only: attach });
    }

    pub(crate) fn handle(&mut self, route: Route, answer: Answer, out: &mut Outside<'_>) {
        if route.caller != self.caller {
            return; // It was for a supervisor that is dead.
        }
        match answer {
            Answer::Adopted { boot, held } => self.adopted(route, boot, &held, out),
            Answer::NotServed if self.is_current(route) => self.dial(route.worker, out),
            Answer::NotServed => {}
            Answer::WrongBoot { asked } => {
                self.lose(asked, out);
                self.dial(route.worker, out);
            }
            Answer::Started { stream, of } => self.started(route, stream, of, out),
            Answer::Superseded { stream, of } => self.superseded(stream, of, out.net),
            Answer::Ended { of, outcome } => self.ended(of, outcome, out),
            // Whatever the reason: it has not started and never will.
            Answer::Refused { of } | Answer::Cancelled { of } => self.not_started(of, out),
            Answer::Settled(leases) => self.settled(&leases),
        }
    }

    fn started(&mut self, route: Route, stream: StreamId, of: Held, out: &mut Outside<'_>) {
        match self.executions.get_mut(&of.task) {
            Some(known) if known.stream == stream => known.heard = true,
            Some(known) if known.lease == of.lease => {}
            _ => self.found(route, of, out),
        }
    }

    /// If it was not we who attached anew, it was an old request of ours, come late.
    fn superseded(&mut self, stream: StreamId, of: Held, net: &mut Network) {
        if let Some(execution) = self.executions.get(&of.task)
            && execution.stream == stream
        {
            let (worker, boot) = (execution.worker, execution.boot);
            self.process(of, worker, boot, true, net);
        }
    }

    /// An outcome is valid by (task, lease), whatever connection it came on.
    fn ended(&mut self, of: Held, outcome: Outcome, out: &mut Outside<'_>) {
        let _ = self.record(of, &Event::Ended { lease: of.lease, outcome }, out);
        self.over(of);
    }

    fn not_started(&mut self, of: Held, out: &mut Outside<'_>) {
        let _ = self.record(of, &Event::NotStarted { lease: of.lease }, out);
        for debt in self.debts.values_mut() {
            debt.given.remove(&(of.task, of.lease));
        }
    }

    fn record(&mut self, of: Held, event: &Event, out: &mut Outside<'_>) -> Result<(), Refusal> {
        let answer = out.store.apply(of.task, event, out.now);
        let live = out
            .store
            .get(of.task)
            .is_some_and(|task| task.state == TaskState::Running && task.lease == of.lease);
        if !live && self.executions.get(&of.task).is_some_and(|known| known.lease == of.lease) {
            self.executions.remove(&of.task);
        }
        answer
    }

    /// The lease is over in the store: its worker is told until it says that it knows.
    fn over(&mut self, of: Held) {
        for debt in self.debts.values_mut() {
            if debt.given.contains(&(of.task, of.lease)) {
                debt.to_settle.insert((of.task, of.lease));
            }
        }
    }

    fn settled(&mut self, leases: &[Held]) {
        for debt in self.debts.values_mut() {
            for of in leases {
                if debt.to_settle.remove(&(of.task, of.lease)) {
                    debt.given.remove(&(of.task, of.lease));
                }
            }
        }
    }

    /// Sends what is to be settled; again, until it is acknowledged.
    pub(crate) fn settle(&mut self, worker: usize, net: &mut Network) {
        let Some(Link { route, boot: Some(boot) }) = self.links.get(&worker) else {
            return;
        };
        let Some(debt) = self.debts.get(boot) else {
            return;
        };
        let leases: Vec<Held> =
            debt.to_settle.iter().map(|(task, lease)| held(*task, *lease)).collect();
        if !leases.is_empty() {
            net.ask(*route, Request::Settle(leases));
        }
    }

    /// No PROCESSING came in time for one of the executions.
    pub(crate) fn time_out(&mut self, nth: usize, net: &mut Network) {
        let silent: Vec<(Held, usize, BootId)> = self
            .executions
            .iter()
            .filter(|(_, execution)| !execution.heard)
            .map(|(task, known)| (held(*task, known.lease), known.worker, known.boot))
            .collect();
        let Some(at) = nth.checked_rem(silent.len()) else {
            return;
        };
        let (of, worker, boot) = silent[at];
        match (self.links.get(&worker), self.no_word) {
            (None, _) => {}
            (Some(_), NoWord::Ask) => self.process(of, worker, boot, true, net),
            (Some(link), NoWord::Cancel) => net.ask(link.route, Request::Cancel { boot, of }),
        }
    }

    /// A client cancels a task.
    pub(crate) fn cancel(&mut self, nth: usize, out: &mut Outside<'_>) {
        let tasks: Vec<TaskRecord> = out.store.tasks().cloned().collect();
        let Some(at) = nth.checked_rem(tasks.len()) else {
            return;
        };
        self.end(&tasks[at], &Event::Cancel, out);
    }

    /// Deadlines that have passed.
    pub(crate) fn expire(&mut self, out: &mut Outside<'_>) {
        let tasks: Vec<TaskRecord> = out.store.tasks().cloned().collect();
        for task in tasks {
            self.end(&task, &Event::Expire, out);
        }
    }

    fn end(&mut self, task: &TaskRecord, event: &Event, out: &mut Outside<'_>) {
        if self.record(execution(task), event, out).is_ok() {
            self.over(execution(task));
        }
    }

    /// Whether calls to this address are open that would break if its process died.
    pub(crate) fn has_calls_to(&self, worker: usize) -> bool {
        self.executions.values().any(|execution| execution.worker == worker)
            || self.links.get(&worker).is_some_and(|link| link.boot.is_none())
    }

    pub(crate) fn has_nothing_to_settle(&self) -> bool {
        self.links
            .values()
            .filter_map(|link| link.boot)
            .all(|boot| self.debts.get(&boot).is_none_or(|debt| debt.to_settle.is_empty()))
    }

    fn debt(&mut self, boot: BootId) -> &mut Debt {
        self.debts.entry(boot).or_default()
    }
}

fn holder(worker: usize, boot_id: BootId) -> Holder {
    Holder { boot_id, name: String::new(), address: worker.to_string() }
}

const fn held(task: TaskId, lease: Lease) -> Held {
    Held { task, lease }
}

//! The whole fleet in one place, moved one action at a time, and what must always hold.

use std::{collections::BTreeSet, time::Duration};

use taskfleet_core::{
    Epoch, Instant, StoreId, TaskId, Timestamp,
    execution::Caller,
    task::{Content, TaskRecord, TaskSpec, TaskState, Work},
};

use crate::{
    action::Action,
    api::{self, Api, Reply},
    network::{Body, Network, Packet},
    store::{Store, execution},
    supervisor::{NoWord, Outside, Supervisor},
    worker::Worker,
};

pub(crate) const WORKERS: usize = 2;
const MAX_TASKS: usize = 4;
const START: u64 = 1_700_000_000_000;
const STEP: Duration = Duration::from_millis(10);

/// What is promised under the faults at hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Promise {
    /// No call is ever repeated.
    NoRepeat,
    /// Each repeated call is counted on its task.
    EveryRepeatCounted,
    /// No execution calls twice: all that can be promised when the store forgets.
    NoExecutionTwice,
}

pub(crate) struct World {
    promise: Promise,
    no_word: NoWord,
    elapsed: Duration,
    store: Store,
    net: Network,
    api: Api,
    workers: Vec<Worker>,
    supervisor: Option<Supervisor>,
    submitted: u8,
}

impl World {
    pub(crate) fn new(promise: Promise, no_word: NoWord) -> Self {
        let mut world = Self {
            promise,
            no_word,
            elapsed: Duration::ZERO,
            store: Store::default(),
            net: Network::default(),
            api: Api::default(),
            workers: (0..WORKERS).map(Worker::new).collect(),
            supervisor: None,
            submitted: 0,
        };
        for hurried in [false, false, true] {
            world.submit(hurried);
        }
        world.step(&Action::StartSupervisor);
        world.dial();
        world
    }

    pub(crate) fn step(&mut self, action: &Action) {
        self.elapsed += STEP;
        self.act(action);
        self.check();
    }

    fn act(&mut self, action: &Action) {
        let now = self.instant();
        match *action {
            Action::Submit { hurried } => self.submit(hurried),
            Action::Deliver(nth) => {
                let packet = self.net.take(nth);
                self.deliver(packet);
            }
            Action::DeliverLast => {
                let packet = self.net.take_last();
                self.deliver(packet);
            }
            Action::BeginCall(nth) => {
                self.workers[nth % WORKERS].begin_call(nth / WORKERS, &mut self.api);
            }
            Action::EndCall(nth, reply) => {
                let worker = nth % WORKERS;
                self.workers[worker].end_call(nth / WORKERS, reply, now, &mut self.net);
            }
            Action::Wait => self.wait(Duration::from_millis(500)),
            Action::Lose(nth) => self.net.lose(nth),
            Action::Duplicate(nth) => self.net.duplicate(nth),
            Action::Intrude { worker } => self.workers[worker].adopt(intruder(), now),
            Action::StartSupervisor => self.start(),
            Action::KillWorker { worker, silent, flush } => self.kill(worker, silent, flush),
            Action::Drain { worker, grace } => {
                self.workers[worker].drain(grace, now, &mut self.net);
            }
            Action::BackUp => self.store.back_up(),
            Action::Restore => {
                self.kill_supervisor();
                self.store.restore();
                // Longer than it was restarted since, in seconds: so the epoch still rises.
                self.elapsed += Duration::from_secs(20);
            }
            Action::KillSupervisor => self.kill_supervisor(),
            _ => self.supervise(action),
        }
    }

    /// What only a living supervisor does.
    fn supervise(&mut self, action: &Action) {
        let Some(mut supervisor) = self.supervisor.take() else {
            return;
        };
        let out = &mut self.outside();
        match *action {
            Action::Dispatch { task, worker } => supervisor.dispatch(task, worker, false, out),
            Action::Settle { worker } => supervisor.settle(worker, out.net),
            Action::Redial { worker } if !supervisor.is_linked(worker) => {
                supervisor.dial(worker, out);
            }
            Action::TimeOut(nth) => supervisor.time_out(nth, out.net),
            Action::Cancel(nth) => supervisor.cancel(nth, out),
            Action::Break { worker, read } => supervisor.hang_up(worker, read, out),
            Action::DeclareLost { worker } => supervisor.declare_lost(worker, out),
            Action::DieAfterClaim { task, worker } => {
                supervisor.dispatch(task, worker, true, out);
                return supervisor.crash(out);
            }
            _ => {}
        }
        self.supervisor = Some(supervisor);
    }

    fn submit(&mut self, hurried: bool) {
        if self.store.tasks().count() >= MAX_TASKS {
            return;
        }
        let mut spec = TaskSpec::new(Work::Content(Content::default()));
        if hurried {
            spec.deadline = Duration::from_secs(3);
        }
        self.submitted += 1;
        let id = TaskId::new(self.now(), [self.submitted; 10]);
        self.store.submit(spec.record(id, self.now()));
    }

    fn start(&mut self) {
        if self.supervisor.is_none() {
            let epoch = self.store.open(self.now());
            let caller = Caller { store: StoreId::from_bytes([1; 16]), epoch };
            self.supervisor = Some(Supervisor::new(caller, self.no_word));
        }
    }

    fn kill_supervisor(&mut self) {
        if let Some(supervisor) = self.supervisor.take() {
            supervisor.crash(&mut self.outside());
        }
    }

    fn kill(&mut self, worker: usize, silent: bool, flush: bool) {
        self.workers[worker].crash();
        if flush {
            self.net.lose_requests_to(worker);
        }
        let Some(mut supervisor) = self.supervisor.take() else {
            return;
        };
        // A channel without open calls reconnects, and nobody notices.
        if !silent || supervisor.has_calls_to(worker) {
            supervisor.hang_up(worker, !flush, &mut self.outside());
        }
        self.supervisor = Some(supervisor);
    }

    fn deliver(&mut self, packet: Option<Packet>) {
        let Some(packet) = packet else { return };
        let (route, now) = (packet.route, self.instant());
        match packet.body {
            Body::Request(request) => {
                self.workers[route.worker].handle(route, request, now, &mut self.net);
            }
            Body::Answer(answer) => {
                let Some(mut supervisor) = self.supervisor.take() else {
                    return;
                };
                supervisor.handle(route, answer, &mut self.outside());
                self.supervisor = Some(supervisor);
            }
        }
    }

    fn wait(&mut self, duration: Duration) {
        self.elapsed += duration;
        let Some(mut supervisor) = self.supervisor.take() else {
            return;
        };
        supervisor.expire(&mut self.outside());
        self.supervisor = Some(supervisor);
    }

    /// The faults stop, and everybody does what is to be done until nothing is left.
    pub(crate) fn come_to_rest(&mut self) {
        for _ in 0..200 {
            if self.is_at_rest() {
                return self.check_at_rest();
            }
            self.act(&Action::StartSupervisor);
            self.dial();
            self.deliver_all();
            for worker in 0..WORKERS {
                for task in 0..MAX_TASKS {
                    self.act(&Action::Dispatch { task, worker });
                }
                self.deliver_all();
                for nth in 0..MAX_TASKS {
                    self.act(&Action::BeginCall(worker + nth * WORKERS));
                    self.act(&Action::EndCall(worker + nth * WORKERS, Reply::Good));
                }
                self.deliver_all();
                self.act(&Action::Settle { worker });
                self.deliver_all();
                if self.workers[worker].is_draining() && self.workers[worker].is_empty() {
                    self.kill(worker, false, false);
                }
            }
            self.wait(Duration::from_secs(4));
            self.check();
        }
        panic!("the fleet does not come to rest");
    }

    fn dial(&mut self) {
        for worker in 0..WORKERS {
            self.act(&Action::Redial { worker });
        }
    }

    fn deliver_all(&mut self) {
        for _ in 0..1_000 {
            if self.net.is_silent() {
                return;
            }
            self.act(&Action::Deliver(0));
        }
        panic!("messages without end");
    }

    fn is_at_rest(&self) -> bool {
        self.net.is_silent()
            && self.supervisor.as_ref().is_some_and(Supervisor::has_nothing_to_settle)
            && self.workers.iter().all(Worker::is_empty)
            && self.store.tasks().all(|task| task.state.is_terminal())
    }

    fn check(&mut self) {
        let now = self.instant();
        let mut seen = BTreeSet::new();
        for worker in &mut self.workers {
            worker.assert_consistent(now);
            for key in worker.keys() {
                assert!(seen.insert(*key), "{key:?} is on two workers");
            }
        }
        for task in self.store.tasks() {
            self.check_calls(task);
        }
    }

    fn check_calls(&self, task: &TaskRecord) {
        let calls = self.api.calls(task.id);
        let counters = task.counters;
        let counted = counters.attempts + counters.losses + counters.throttles + counters.requeues;
        match self.promise {
            Promise::NoRepeat => assert!(calls <= 1, "{calls} calls of {task:?}"),
            Promise::EveryRepeatCounted => {
                assert!(calls <= 1 + counted as usize, "{calls} calls of {task:?}");
            }
            Promise::NoExecutionTwice => {}
        }
    }

    fn check_at_rest(&self) {
        for task in self.store.tasks() {
            let completed = task.state == TaskState::Completed;
            assert_eq!(self.store.result(task.id).is_some(), completed);
            if completed {
                self.check_result(task);
            }
            if self.promise == Promise::NoRepeat {
                assert_eq!((task.counters.attempts, task.counters.losses), (0, 0));
            }
        }
    }

    /// The result is of a call that was made, for this very task, under its lease.
    fn check_result(&self, task: &TaskRecord) {
        let by = execution(task);
        assert!(self.api.was_called_by(by), "a result without a call: {task:?}");
        assert_eq!(self.store.result(task.id), Some(&api::receipt(by)));
    }

    fn outside(&mut self) -> Outside<'_> {
        let now = self.now();
        Outside { store: &mut self.store, net: &mut self.net, now }
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_unix_millis(START) + self.elapsed
    }

    fn instant(&self) -> Instant {
        Instant::default() + self.elapsed
    }
}

/// A supervisor of some other store.
fn intruder() -> Caller {
    Caller { store: StoreId::from_bytes([2; 16]), epoch: Epoch::new(1) }
}

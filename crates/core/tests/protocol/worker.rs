//! A worker process around an [`ExecutionTable`]: it dies, comes back as another, drains.

use std::collections::BTreeMap;

use taskfleet_core::{
    BootId, Instant, Lease, TaskId,
    adoption::Held,
    execution::{Admitted, Bounds, Caller, ExecutionTable, Freed, Refused},
    failure::Delivery,
    outcome::{Call, End, Outcome},
};

use crate::{
    api::{self, Api, Reply},
    network::{Answer, Network, Request, Route, StreamId},
};

type Key = (TaskId, Lease);

const BOUNDS: Bounds = Bounds {
    slots: 2,
    max_held: 2,
    max_held_bytes: 1 << 20,
    hold_for: std::time::Duration::from_secs(3_600),
    max_remembered: 1_000,
};

pub(crate) struct Worker {
    index: usize,
    boots: u8,
    table: ExecutionTable,
    draining: bool,
    /// What runs, and whether its call was made yet.
    runs: BTreeMap<Key, bool>,
    held: BTreeMap<Key, Outcome>,
    attached: BTreeMap<Key, (Route, StreamId)>,
    /// Aborted, but their calls come back all the same.
    aborted: Vec<Held>,
    /// Who took the worker over last: nobody else may be followed.
    serves: Option<Caller>,
}

impl Worker {
    pub(crate) fn new(index: usize) -> Self {
        Self {
            index,
            boots: 0,
            table: ExecutionTable::new(BOUNDS),
            draining: false,
            runs: BTreeMap::new(),
            held: BTreeMap::new(),
            attached: BTreeMap::new(),
            aborted: Vec::new(),
            serves: None,
        }
    }

    /// The process dies; another one starts at the same address.
    pub(crate) fn crash(&mut self) {
        *self = Self { boots: self.boots.wrapping_add(1), ..Self::new(self.index) };
    }

    pub(crate) fn handle(
        &mut self,
        route: Route,
        request: Request,
        now: Instant,
        net: &mut Network,
    ) {
        let caller = route.caller;
        match request {
            Request::Adopt => {
                let adopted = self.table.adopt(caller, now);
                if adopted.is_ok() {
                    self.take_over(caller);
                }
                let boot = self.boot();
                let answer = adopted.map(|held| Answer::Adopted { boot, held });
                net.answer(route, answer.unwrap_or(Answer::NotServed));
            }
            Request::Process { boot, .. } | Request::Cancel { boot, .. } if boot != self.boot() => {
                net.answer(route, Answer::WrongBoot { asked: boot });
            }
            Request::Process { stream, of, attach_only, .. } => {
                match self.table.process(caller, of, attach_only, now) {
                    Ok(admitted) => {
                        assert_eq!(self.serves, Some(caller), "a dead supervisor was followed");
                        assert!(
                            !attach_only || admitted == Admitted::Attach,
                            "attached by a start"
                        );
                        self.admitted(route, stream, of, admitted, net);
                    }
                    Err(Refused::NotServed | Refused::Superseded { .. }) => {
                        net.answer(route, Answer::NotServed);
                    }
                    Err(_) => net.answer(route, Answer::Refused { of }),
                }
            }
            Request::Settle(leases) => {
                let all: Result<Vec<()>, Refused> =
                    leases.iter().map(|of| self.settle(caller, *of, now, net)).collect();
                net.answer(route, all.map_or(Answer::NotServed, |_| Answer::Settled(leases)));
            }
            Request::Cancel { of, .. } => {
                let done = self.settle(caller, of, now, net);
                net.answer(route, done.map_or(Answer::NotServed, |()| Answer::Cancelled { of }));
            }
        }
    }

    fn admitted(
        &mut self,
        route: Route,
        stream: StreamId,
        of: Held,
        admitted: Admitted,
        net: &mut Network,
    ) {
        if let Admitted::Start { abort } = admitted {
            if let Some(lease) = abort {
                assert!(lease < of.lease, "{of:?} aborted a later execution");
                self.abort(Held { lease, ..of }, net);
            }
            // Superseded outcomes are gone from the table too.
            self.held.retain(|(task, _), _| *task != of.task);
            self.attached.retain(|(task, _), _| *task != of.task);
            self.runs.insert(key(of), false);
        }
        if let Some((old, stream)) = self.attached.insert(key(of), (route, stream)) {
            net.answer(old, Answer::Superseded { stream, of });
        }
        net.answer(route, Answer::Started { stream, of });
        self.report(of, net);
    }

    fn settle(
        &mut self,
        caller: Caller,
        of: Held,
        now: Instant,
        net: &mut Network,
    ) -> Result<(), Refused> {
        let freed = self.table.settle(caller, of, now)?;
        assert_eq!(self.serves, Some(caller), "a dead supervisor was followed");
        match freed {
            Freed::Running => self.abort(of, net),
            Freed::Outcome => {
                self.held.remove(&key(of));
                self.attached.remove(&key(of));
            }
            Freed::Nothing => {}
        }
        Ok(())
    }

    fn abort(&mut self, of: Held, net: &mut Network) {
        let called = self.runs.remove(&key(of));
        assert!(called.is_some(), "{of:?} was to be aborted and does not run");
        self.aborted.push(of);
        if let Some((route, _)) = self.attached.remove(&key(of)) {
            let outcome = Outcome { end: End::Cancelled, call: Call::new(Delivery::Sent) };
            net.answer(route, Answer::Ended { of, outcome });
        }
    }

    /// An execution that has been started, but has not called yet, does so.
    pub(crate) fn begin_call(&mut self, nth: usize, api: &mut Api) {
        let waiting: Vec<Held> = self.executions(false);
        let Some(at) = nth.checked_rem(waiting.len()) else {
            return;
        };
        self.runs.insert(key(waiting[at]), true);
        api.call(waiting[at]);
    }

    pub(crate) fn end_call(&mut self, nth: usize, reply: Reply, now: Instant, net: &mut Network) {
        for of in self.aborted.drain(..) {
            assert!(!self.table.finish(of, 1, now), "{of:?} was aborted and is kept");
        }
        let calling = self.executions(true);
        let Some(at) = nth.checked_rem(calling.len()) else {
            return;
        };
        self.end(calling[at], api::outcome(calling[at], reply), now, net);
    }

    /// Told to stop: what has not called is handed back, and with no grace left what has.
    pub(crate) fn drain(&mut self, grace: bool, now: Instant, net: &mut Network) {
        self.draining = true;
        self.table.drain();
        for (called, delivery) in [(false, Delivery::NotSent), (true, Delivery::Sent)] {
            if called && grace {
                continue;
            }
            for of in self.executions(called) {
                let outcome = Outcome { end: End::Released, call: Call::new(delivery) };
                self.end(of, outcome, now, net);
            }
        }
    }

    fn end(&mut self, of: Held, outcome: Outcome, now: Instant, net: &mut Network) {
        self.runs.remove(&key(of));
        assert!(self.table.finish(of, 1, now), "{of:?} ran and nobody wants it");
        self.held.insert(key(of), outcome);
        self.report(of, net);
    }

    fn report(&self, of: Held, net: &mut Network) {
        let (Some(outcome), Some((route, _))) =
            (self.held.get(&key(of)), self.attached.get(&key(of)))
        else {
            return;
        };
        net.answer(*route, Answer::Ended { of, outcome: outcome.clone() });
    }

    fn executions(&self, called: bool) -> Vec<Held> {
        let runs = self.runs.iter().filter(|(_, is)| **is == called);
        runs.map(|((task, lease), _)| Held { task: *task, lease: *lease }).collect()
    }

    /// Of the same store only a later supervisor takes over from an earlier one.
    fn take_over(&mut self, caller: Caller) {
        let later = self
            .serves
            .is_none_or(|served| served.store != caller.store || served.epoch <= caller.epoch);
        assert!(later, "a dead supervisor took the worker over");
        self.serves = Some(caller);
    }

    /// Some other store's supervisor takes the worker over for a while.
    pub(crate) fn adopt(&mut self, caller: Caller, now: Instant) {
        let shown = self.table.adopt(caller, now);
        self.serves = Some(caller);
        assert_eq!(shown, Ok(vec![]), "another store's executions were shown");
        assert_eq!(self.table.foreign(), self.runs.len() + self.held.len());
    }

    /// Everything that this process runs or keeps.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &Key> {
        self.runs.keys().chain(self.held.keys())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.keys().next().is_none()
    }

    pub(crate) const fn is_draining(&self) -> bool {
        self.draining
    }

    pub(crate) fn boot(&self) -> BootId {
        boot(self.index, self.boots)
    }

    /// The table agrees with what really runs and is kept.
    pub(crate) fn assert_consistent(&mut self, now: Instant) {
        assert_eq!(self.table.running(), self.runs.len());
        assert_eq!(self.table.held(), self.held.len());
        assert_eq!(self.table.expire(now), 0, "an outcome was dropped before its time");
        assert!(self.runs.len() <= BOUNDS.slots, "more runs than there are slots");
    }
}

const fn key(of: Held) -> Key {
    (of.task, of.lease)
}

fn boot(worker: usize, nth: u8) -> BootId {
    let mut bytes = [nth; 16];
    bytes[0] = u8::try_from(worker).unwrap_or(u8::MAX);
    BootId::from_bytes(bytes)
}

//! A bounded memory of leases that must not run here any more.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use crate::{Instant, Lease, TaskId, adoption::Held};

/// How long an ended lease is remembered: far longer than a request can lie in a socket.
const REMEMBER_FOR: Duration = Duration::from_secs(300);

#[derive(Debug)]
pub(super) struct EndedLeases {
    highest: HashMap<TaskId, Lease>,
    order: VecDeque<(Instant, Held)>,
    max: usize,
}

impl EndedLeases {
    pub(super) fn new(max: usize) -> Self {
        Self { highest: HashMap::new(), order: VecDeque::new(), max }
    }

    /// This lease and all lower ones of the task are over.
    pub(super) fn remember(&mut self, ended: Held, now: Instant) {
        let highest = self.highest.entry(ended.task).or_default();
        if ended.lease <= *highest {
            return;
        }
        *highest = ended.lease;
        self.order.push_back((now, ended));
        if self.order.len() > self.max {
            self.forget_oldest();
        }
    }

    pub(super) fn covers(&self, wanted: Held) -> bool {
        self.highest.get(&wanted.task).is_some_and(|highest| wanted.lease <= *highest)
    }

    pub(super) fn forget(&mut self, now: Instant) {
        while self.order.front().is_some_and(|(at, _)| now.since(*at) >= REMEMBER_FOR) {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        let Some((_, ended)) = self.order.pop_front() else {
            return;
        };
        if self.highest.get(&ended.task) == Some(&ended.lease) {
            self.highest.remove(&ended.task);
        }
    }
}

//! A network that delays every message as long as it likes, in any order, and whose
//! connections break. What a broken connection had taken in may still arrive much later.

use std::collections::BTreeSet;

use taskfleet_core::{BootId, adoption::Held, execution::Caller, outcome::Outcome};

/// One ProcessTask call; its answers carry the number.
pub(crate) type StreamId = u32;

/// The connection that a message travels on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) connection: u32,
    /// The address that was dialled: whichever process listens there gets the message.
    pub(crate) worker: usize,
    /// The supervisor that dialled.
    pub(crate) caller: Caller,
}

/// From a supervisor to a worker.
#[derive(Debug, Clone)]
pub(crate) enum Request {
    Adopt,
    Process { stream: StreamId, boot: BootId, of: Held, attach_only: bool },
    Settle(Vec<Held>),
    Cancel { boot: BootId, of: Held },
}

/// From a worker to a supervisor.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    Adopted {
        boot: BootId,
        held: Vec<Held>,
    },
    /// Another supervisor has taken the worker over; nothing was done.
    NotServed,
    /// Another process listens at this address now.
    WrongBoot {
        asked: BootId,
    },
    Started {
        stream: StreamId,
        of: Held,
    },
    Superseded {
        stream: StreamId,
        of: Held,
    },
    Ended {
        of: Held,
        outcome: Outcome,
    },
    Refused {
        of: Held,
    },
    Settled(Vec<Held>),
    Cancelled {
        of: Held,
    },
}

#[derive(Debug, Clone)]
pub(crate) enum Body {
    Request(Request),
    Answer(Answer),
}

#[derive(Debug, Clone)]
pub(crate) struct Packet {
    pub(crate) route: Route,
    pub(crate) body: Body,
}

#[derive(Debug, Default)]
pub(crate) struct Network {
    flying: Vec<Packet>,
    open: BTreeSet<u32>,
    connections: u32,
}

impl Network {
    pub(crate) fn connect(&mut self, worker: usize, caller: Caller) -> Route {
        self.connections += 1;
        self.open.insert(self.connections);
        Route { connection: self.connections, worker, caller }
    }

    /// The connection breaks. Its requests may still arrive; of the answers that are on
    /// their way, those that the supervisor's side has read already do (`read`).
    pub(crate) fn cut(&mut self, route: Route, read: bool) {
        self.open.remove(&route.connection);
        self.flying.retain(|packet| {
            packet.route != route || read || matches!(packet.body, Body::Request(_))
        });
    }

    pub(crate) fn ask(&mut self, route: Route, request: Request) {
        self.flying.push(Packet { route, body: Body::Request(request) });
    }

    /// What is written to a broken connection is lost.
    pub(crate) fn answer(&mut self, route: Route, answer: Answer) {
        if self.open.contains(&route.connection) {
            self.flying.push(Packet { route, body: Body::Answer(answer) });
        }
    }

    /// Takes one message out, the `nth` in the order of sending.
    pub(crate) fn take(&mut self, nth: usize) -> Option<Packet> {
        let at = nth.checked_rem(self.flying.len())?;
        Some(self.flying.remove(at))
    }

    /// Takes out the message that was sent last, and lets the earlier ones wait.
    pub(crate) fn take_last(&mut self) -> Option<Packet> {
        self.flying.pop()
    }

    /// A request arrives once more than it was sent.
    pub(crate) fn duplicate(&mut self, nth: usize) {
        let Some(at) = nth.checked_rem(self.flying.len()) else {
            return;
        };
        if matches!(self.flying[at].body, Body::Request(_)) {
            self.flying.push(self.flying[at].clone());
        }
    }

    /// A message on a broken connection is lost for good.
    pub(crate) fn lose(&mut self, nth: usize) {
        let Some(at) = nth.checked_rem(self.flying.len()) else {
            return;
        };
        if !self.open.contains(&self.flying[at].route.connection) {
            self.flying.remove(at);
        }
    }

    /// A worker's process died with all that its sockets held.
    pub(crate) fn lose_requests_to(&mut self, worker: usize) {
        self.flying.retain(|packet| {
            packet.route.worker != worker || matches!(packet.body, Body::Answer(_))
        });
    }

    pub(crate) fn is_silent(&self) -> bool {
        self.flying.is_empty()
    }
}

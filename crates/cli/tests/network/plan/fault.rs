//! What can go wrong.

use std::{fmt, time::Duration};

/// A machine of the simulation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Host {
    Supervisor,
    Worker(usize),
    Client,
}

/// Something goes wrong, or is mended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The process dies; its machine lives, closes its connections and refuses new ones.
    Kill(Host),
    /// The machine dies: nobody says anything.
    SwitchOff(Host),
    /// The process is asked to stop.
    Stop(Host),
    /// A new process starts, unless one runs.
    Start(Host),
    /// Nothing arrives, in both directions, until it is released; then all of it does, as
    /// when a cable was out and TCP sends again.
    Hold(Host, Host),
    Release(Host, Host),
    /// What is sent from the first to the second is lost, and with it the connections that it
    /// belongs to, as when a firewall forgets them: nobody is told.
    Cut(Host, Host),
    /// New connections work again.
    Mend(Host, Host),
    /// What is on its way between the two is lost, and with it the connections.
    Lose(Host, Host),
    /// Every connection between the two breaks, and both are told.
    Reset(Host, Host),
    /// Nothing is read from the connections that are between the two, as from a socket whose
    /// buffer nobody looks at; new ones work.
    Stall(Host, Host),
    /// They are read again.
    GoOn(Host, Host),
    /// Messages between the two take up to this long.
    Slow(Host, Host, Duration),
    /// The wall clock jumps by so many seconds.
    Jump(Host, i64),
}

impl Host {
    pub(crate) fn name(self) -> String {
        match self {
            Self::Supervisor => "supervisor".to_owned(),
            Self::Worker(index) => format!("worker-{index}"),
            Self::Client => "client".to_owned(),
        }
    }
}

impl Fault {
    /// Whether it ends executions that run on this host.
    pub(crate) fn ends(self, host: Host) -> bool {
        matches!(self, Self::Kill(at) | Self::SwitchOff(at) | Self::Stop(at) if at == host)
    }

    /// Whether it disturbs the way between the two, so that one of them may seem dead. A broken
    /// connection does not: it is made anew.
    pub(crate) fn disturbs(self, one: Host, other: Host) -> bool {
        match self {
            Self::Hold(a, b)
            | Self::Release(a, b)
            | Self::Stall(a, b)
            | Self::GoOn(a, b)
            | Self::Cut(a, b)
            | Self::Mend(a, b)
            | Self::Lose(a, b)
            | Self::Slow(a, b, _) => (a, b) == (one, other) || (a, b) == (other, one),
            _ => false,
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kill(host) => write!(f, "{host} is killed"),
            Self::SwitchOff(host) => write!(f, "{host} is switched off"),
            Self::Stop(host) => write!(f, "{host} is asked to stop"),
            Self::Start(host) => write!(f, "{host} is started"),
            Self::Hold(a, b) => write!(f, "nothing arrives between {a} and {b}"),
            Self::Release(a, b) => write!(f, "all arrives between {a} and {b}"),
            Self::Cut(from, to) => write!(f, "{from} to {to} is cut"),
            Self::Mend(from, to) => write!(f, "{from} to {to} is mended"),
            Self::Lose(a, b) => write!(f, "what is on its way between {a} and {b} is lost"),
            Self::Reset(a, b) => write!(f, "every connection between {a} and {b} breaks"),
            Self::Stall(a, b) => write!(f, "what connects {a} and {b} stands still"),
            Self::GoOn(a, b) => write!(f, "what connected {a} and {b} goes on"),
            Self::Slow(a, b, up_to) => write!(f, "{a} and {b} are up to {up_to:?} apart"),
            Self::Jump(host, seconds) => write!(f, "the clock of {host} jumps by {seconds} s"),
        }
    }
}

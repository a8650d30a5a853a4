//! Does to the simulation what the plan says.

use std::{collections::BTreeSet, net::IpAddr, time::Duration};

use turmoil::Sim;

use crate::{
    net::Network,
    plan::{Fault, Host},
    world::Shared,
};

/// What is broken now.
pub(crate) struct Faulty {
    shared: Shared,
    held: BTreeSet<(Host, Host)>,
    cut: BTreeSet<(Host, Host)>,
}

impl Faulty {
    pub(crate) fn new(shared: Shared) -> Self {
        Self { shared, held: BTreeSet::new(), cut: BTreeSet::new() }
    }

    pub(crate) fn happens(&mut self, sim: &mut Sim<'_>, fault: Fault) {
        self.shared.journal.note_at(sim.elapsed(), format!("FAULT {fault}"));
        match fault {
            Fault::Kill(host) => self.kill(sim, host),
            Fault::SwitchOff(host) => self.switch_off(sim, host),
            Fault::Stop(host) => self.shared.machines.stop(host),
            Fault::Start(host) => self.start(sim, host),
            Fault::Jump(host, seconds) => self.shared.machines.jump(host, seconds),
            Fault::Slow(a, b, up_to) => {
                sim.set_link_max_message_latency(a.name(), b.name(), up_to);
            }
            Fault::Hold(a, b) => {
                self.held.insert((a, b));
                sim.hold(a.name(), b.name());
            }
            Fault::Release(a, b) => {
                self.held.remove(&(a, b));
                sim.release(a.name(), b.name());
            }
            Fault::Cut(from, to) => self.cut(sim, from, to),
            Fault::Mend(from, to) => self.mend(sim, from, to),
            Fault::Lose(a, b) => self.lose(sim, a, b),
            Fault::Reset(a, b) => self.on_the_way(sim, a, b, Network::reset),
            Fault::Stall(a, b) => self.on_the_way(sim, a, b, Network::stall),
            Fault::GoOn(a, b) => self.on_the_way(sim, a, b, Network::go_on),
        }
    }

    /// From now on everything works.
    pub(crate) fn heal(&mut self, sim: &mut Sim<'_>) {
        self.shared.journal.note_at(sim.elapsed(), "all is mended");
        for (a, b) in std::mem::take(&mut self.held) {
            sim.release(a.name(), b.name());
        }
        for (from, to) in self.cut.clone() {
            self.mend(sim, from, to);
        }
        for host in self.shared.hosts().into_iter().filter(|host| *host != Host::Client) {
            self.start(sim, host);
            let usual = Duration::from_millis(20);
            let others = self.shared.hosts().into_iter().filter(|other| *other != host);
            others.for_each(|other| {
                self.on_the_way(sim, host, other, Network::go_on);
                sim.set_link_max_message_latency(host.name(), other.name(), usual);
            });
        }
    }

    /// Takes down what is left of processes that have ended by themselves.
    pub(crate) fn clear_away(&self, sim: &mut Sim<'_>) {
        while let Some(host) = self.shared.machines.take_ended() {
            sim.crash(host.name());
            sim.bounce(host.name());
        }
    }

    /// Its machine goes on, without it: connections are closed, new ones are refused.
    fn kill(&self, sim: &mut Sim<'_>, host: Host) {
        self.shared.machines.dies(host);
        sim.crash(host.name());
        sim.bounce(host.name());
    }

    fn switch_off(&self, sim: &mut Sim<'_>, host: Host) {
        self.shared.machines.dies(host);
        let others = || self.shared.hosts().into_iter().filter(|other| *other != host);
        // Nobody hears of it: what a dying process would still say is lost.
        others().for_each(|other| sim.partition(host.name(), other.name()));
        sim.crash(host.name());
        others().for_each(|other| self.restore(sim, host, other));
    }

    fn start(&self, sim: &mut Sim<'_>, host: Host) {
        if self.shared.machines.want(host) {
            sim.bounce(host.name());
        }
    }

    fn on_the_way(
        &self,
        sim: &Sim<'_>,
        a: Host,
        b: Host,
        happens: impl Fn(&Network, IpAddr, IpAddr),
    ) {
        let (a, b) = addresses(sim, a, b);
        happens(&self.shared.network, a, b);
    }

    fn cut(&mut self, sim: &mut Sim<'_>, from: Host, to: Host) {
        self.cut.insert((from, to));
        let (a, b) = addresses(sim, from, to);
        self.shared.network.cut(a, b);
        sim.partition_oneway(a, b);
    }

    fn mend(&mut self, sim: &mut Sim<'_>, from: Host, to: Host) {
        self.cut.remove(&(from, to));
        let (a, b) = addresses(sim, from, to);
        self.shared.network.mend(a, b);
        sim.repair_oneway(a, b);
    }

    fn lose(&self, sim: &mut Sim<'_>, a: Host, b: Host) {
        sim.partition(a.name(), b.name());
        self.restore(sim, a, b);
    }

    /// After a partition of a moment the way is as it was before; what was on it is lost.
    fn restore(&self, sim: &mut Sim<'_>, a: Host, b: Host) {
        let (one, other) = addresses(sim, a, b);
        self.shared.network.lose(one, other);
        self.shared.network.lose(other, one);
        sim.repair(one, other);
        for (from, to) in [(a, b), (b, a)] {
            if self.held.contains(&(from, to)) {
                sim.hold(one, other);
            }
            if self.cut.contains(&(from, to)) {
                let (from, to) = addresses(sim, from, to);
                sim.partition_oneway(from, to);
            }
        }
    }
}

fn addresses(sim: &Sim<'_>, a: Host, b: Host) -> (IpAddr, IpAddr) {
    (sim.lookup(a.name()), sim.lookup(b.name()))
}

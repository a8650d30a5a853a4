//! Which faults a family draws: each host and each way between two has a course of its own,
//! in which what breaks is mended before it breaks again.

use std::time::Duration;

use super::{Family, Fault, Host};
use crate::chance::Chance;

type Timed = Vec<(Duration, Fault)>;

pub(super) fn of(family: Family, seed: u64, workers: usize, until: Duration) -> Timed {
    let mut drawing = Drawing { family, seed, until, faults: Vec::new() };
    let all: Vec<Host> = (0..workers).map(Host::Worker).collect();
    let each = all.iter().copied();
    match family {
        Family::SupervisorCrashes => {
            drawing.crashes(Host::Supervisor, 1);
            drawing.old_requests(&all);
        }
        Family::WorkerCrashes => each.for_each(|worker| drawing.crashes(worker, 2)),
        Family::Latency => drawing.ways(&all, Drawing::delays),
        Family::Loss => drawing.ways(&all, Drawing::losses),
        Family::Resets => drawing.ways(&all, Drawing::resets),
        Family::Partitions => drawing.ways(&all, Drawing::cuts),
        Family::Clocks => {
            drawing.crashes(Host::Supervisor, 2);
            drawing.jumps(Host::Supervisor);
            each.for_each(|worker| drawing.jumps(worker));
        }
        Family::Mixed => {
            drawing.crashes(Host::Supervisor, 3);
            drawing.jumps(Host::Supervisor);
            each.for_each(|worker| drawing.crashes(worker, 4));
            drawing.ways(&all, Drawing::anything);
        }
    }
    let mut faults = drawing.faults;
    faults.sort_by_key(|(at, _)| *at);
    faults
}

struct Drawing {
    family: Family,
    seed: u64,
    until: Duration,
    faults: Timed,
}

impl Drawing {
    fn chance(&self, of: &str) -> Chance {
        Chance::of(self.seed, &format!("{} {of}", self.family.name()))
    }

    /// Things happen one after the other: each call of `next` draws what happens, and how long
    /// until it is over.
    fn course(&mut self, of: &str, rarity: u64, next: impl Fn(&mut Chance) -> (Timed, Duration)) {
        let mut chance = self.chance(of);
        let mut at = chance.millis(500, 6_000 * rarity);
        while at < self.until {
            let (faults, over) = next(&mut chance);
            self.faults.extend(faults.into_iter().map(|(after, fault)| (at + after, fault)));
            at = at + over + chance.millis(200, 6_000 * rarity);
        }
    }

    /// A process ends and another one starts.
    fn crashes(&mut self, host: Host, rarity: u64) {
        self.course(&format!("crashes of {host}"), rarity, |chance| {
            let away = if chance.one_in(6) {
                chance.millis(5_000, 12_000)
            } else {
                chance.millis(5, 3_000)
            };
            let end = match chance.below(4) {
                0 => Fault::SwitchOff(host),
                1 => Fault::Stop(host),
                _ => Fault::Kill(host),
            };
            (vec![(Duration::ZERO, end), (away, Fault::Start(host))], away)
        });
    }

    fn jumps(&mut self, host: Host) {
        self.course(&format!("clock of {host}"), 1, |chance| {
            let seconds = chance.pick(&[-3_600, -60, -1, 1, 60, 3_600]);
            (vec![(Duration::ZERO, Fault::Jump(host, seconds))], Duration::ZERO)
        });
    }

    /// The ways between the supervisor and each worker, and the client.
    fn ways(&mut self, workers: &[Host], what: impl Fn(&mut Self, Host)) {
        workers.iter().chain([&Host::Client]).for_each(|host| what(self, *host));
    }

    fn delays(&mut self, host: Host) {
        self.course(&format!("delays of {host}"), 1, |chance| match chance.below(3) {
            0 => stall(chance, host),
            _ => delay(chance, host, 3_000, 150),
        });
    }

    /// What a supervisor sent before it died is read long after, when another one has been
    /// there: around half of its ends, workers stop reading.
    fn old_requests(&mut self, workers: &[Host]) {
        let ends: Vec<Duration> = self.times(|fault| fault.ends(Host::Supervisor)).collect();
        let starts: Vec<Duration> =
            self.times(|fault| fault == Fault::Start(Host::Supervisor)).collect();
        let mut chance = self.chance("old requests");
        for (end, start) in ends.into_iter().zip(starts) {
            for worker in workers {
                if chance.one_in(2) {
                    continue;
                }
                let (from, until) = (chance.millis(0, 150), chance.millis(0, 1_500));
                let (from, until) = (end.saturating_sub(from), start + until);
                self.faults.push((from, Fault::Stall(Host::Supervisor, *worker)));
                self.faults.push((until, Fault::GoOn(Host::Supervisor, *worker)));
            }
        }
    }

    fn times(&self, of: impl Fn(Fault) -> bool) -> impl Iterator<Item = Duration> {
        self.faults.iter().filter(move |(_, fault)| of(*fault)).map(|(at, _)| *at)
    }

    fn losses(&mut self, host: Host) {
        self.course(&format!("losses of {host}"), 2, |chance| match chance.below(3) {
            0 => delay(chance, host, 8_000, 700),
            _ => (vec![(Duration::ZERO, Fault::Lose(Host::Supervisor, host))], Duration::ZERO),
        });
    }

    fn resets(&mut self, host: Host) {
        self.course(&format!("resets of {host}"), 1, |_| reset(host));
    }

    fn cuts(&mut self, host: Host) {
        self.course(&format!("cuts of {host}"), 2, |chance| cut(chance, host));
    }

    fn anything(&mut self, host: Host) {
        self.course(&format!("network of {host}"), 4, |chance| match chance.below(6) {
            0 => delay(chance, host, 8_000, 700),
            5 => stall(chance, host),
            1 => reset(host),
            2 => (vec![(Duration::ZERO, Fault::Lose(Host::Supervisor, host))], Duration::ZERO),
            _ => cut(chance, host),
        });
    }
}

/// Nothing arrives for a while (shorter than `hold_ms`), or it all takes longer.
fn delay(chance: &mut Chance, host: Host, hold_ms: u64, slow_ms: u64) -> (Timed, Duration) {
    let supervisor = Host::Supervisor;
    if chance.one_in(2) {
        let lasts = chance.millis(50, hold_ms);
        let faults = vec![
            (Duration::ZERO, Fault::Hold(supervisor, host)),
            (lasts, Fault::Release(supervisor, host)),
        ];
        return (faults, lasts);
    }
    let (up_to, lasts) = (chance.millis(20, slow_ms), chance.millis(500, 5_000));
    let faults = vec![
        (Duration::ZERO, Fault::Slow(supervisor, host, up_to)),
        (lasts, Fault::Slow(supervisor, host, Duration::from_millis(20))),
    ];
    (faults, lasts)
}

/// Shorter than whoever waits for an answer on it waits.
fn stall(chance: &mut Chance, host: Host) -> (Timed, Duration) {
    let (supervisor, lasts) = (Host::Supervisor, chance.millis(50, 3_000));
    let faults = vec![
        (Duration::ZERO, Fault::Stall(supervisor, host)),
        (lasts, Fault::GoOn(supervisor, host)),
    ];
    (faults, lasts)
}

fn reset(host: Host) -> (Timed, Duration) {
    (vec![(Duration::ZERO, Fault::Reset(Host::Supervisor, host))], Duration::ZERO)
}

fn cut(chance: &mut Chance, host: Host) -> (Timed, Duration) {
    let supervisor = Host::Supervisor;
    let lasts =
        if chance.one_in(3) { chance.millis(5_000, 14_000) } else { chance.millis(50, 5_000) };
    let (there, back) = ((supervisor, host), (host, supervisor));
    let cut: Vec<(Host, Host)> = match chance.below(4) {
        0 => vec![there],
        1 => vec![back],
        _ => vec![there, back],
    };
    let begin = cut.iter().map(|(from, to)| (Duration::ZERO, Fault::Cut(*from, *to)));
    let end = cut.iter().map(|(from, to)| (lasts, Fault::Mend(*from, *to)));
    (begin.chain(end).collect(), lasts)
}

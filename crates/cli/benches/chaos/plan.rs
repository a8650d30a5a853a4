//! Which fault strikes what and when: all of it drawn from the seed beforehand.

use std::{fmt, time::Duration};

use taskfleet_runtime::Entropy;

use crate::chaos::{kind::Kind, shape::Shape};

/// What is struck.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Target {
    /// The supervisor.
    Supervisor,
    /// The worker with this index.
    Worker(usize),
}

/// One fault that is to come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Planned {
    /// Since the start of the run.
    pub(crate) at: Duration,
    pub(crate) kind: Kind,
    pub(crate) target: Target,
    /// Until what was struck is woken, healed or started again.
    pub(crate) lasts: Duration,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Supervisor => f.write_str("supervisor"),
            Self::Worker(index) => write!(f, "worker-{index}"),
        }
    }
}

/// Within this a silent worker is given up.
const MEASURED: Duration = Duration::from_secs(8);

/// Half of the workers hand back what runs when they are asked to stop, the others finish it.
pub(crate) const fn hands_back(worker: usize) -> bool {
    worker.is_multiple_of(2)
}

/// The faults of a run, in the order of time. Nothing is struck before it has recovered from
/// its last fault, at least half of the workers are unharmed at any time, and no more than a
/// quarter is silent, for over half would be the brake's case, which has tests of its own.
/// During every second silence the supervisor is left alone, so that it can be measured how
/// soon it gives up the worker.
pub(crate) fn faults(shape: &Shape) -> Vec<Planned> {
    let draw = Entropy::seeded(shape.seed);
    let mut board = Board::new(shape.workers);
    let mut planned = Vec::new();
    let mut at = shape.every;
    while at < shape.lasts {
        if let Some(fault) = board.draw(at, &draw) {
            planned.push(fault);
        }
        // On average one interval.
        at += shape.every.mul_f64(0.5 + draw.fraction());
    }
    planned
}

/// Who is struck until when.
struct Board {
    supervisor: Duration,
    workers: Vec<Struck>,
}

#[derive(Clone, Copy, Default)]
struct Struck {
    until: Duration,
    silent: bool,
}

impl Board {
    fn new(workers: usize) -> Self {
        Self { supervisor: Duration::ZERO, workers: vec![Struck::default(); workers] }
    }

    fn draw(&mut self, at: Duration, draw: &Entropy) -> Option<Planned> {
        let possible: Vec<(Kind, Vec<Target>)> = Kind::ALL
            .into_iter()
            .map(|kind| (kind, self.targets(kind, at)))
            .filter(|(_, targets)| !targets.is_empty())
            .collect();
        let weights: u32 = possible.iter().map(|(kind, _)| kind.weight()).sum();
        let mut left = draw.fraction() * f64::from(weights);
        let (kind, targets) = possible.into_iter().find(|(kind, _)| {
            left -= f64::from(kind.weight());
            left < 0.0
        })?;
        let target = targets[index(draw, targets.len())];
        let fault = Planned { at, kind, target, lasts: lasts(kind, draw) };
        self.strike(&fault);
        if kind.is_silence() && draw.fraction() < 0.5 {
            self.supervisor = self.supervisor.max(at + MEASURED);
        }
        Some(fault)
    }

    fn targets(&self, kind: Kind, at: Duration) -> Vec<Target> {
        if kind.is_supervisors() {
            return Vec::from_iter((self.supervisor <= at).then_some(Target::Supervisor));
        }
        let struck = self.workers.iter().filter(|worker| worker.until > at);
        let silent = struck.clone().filter(|worker| worker.silent).count();
        if (struck.count() + 1) * 2 > self.workers.len()
            || (kind.is_silence() && (silent + 1) * 4 > self.workers.len())
        {
            return Vec::new();
        }
        let free = (0..self.workers.len()).filter(|index| self.workers[*index].until <= at);
        let fitting = free.filter(|index| match kind {
            Kind::WorkerHandedBack => hands_back(*index),
            Kind::WorkerRestarted => !hands_back(*index),
            _ => true,
        });
        fitting.map(Target::Worker).collect()
    }

    fn strike(&mut self, fault: &Planned) {
        let until = fault.at + fault.lasts + fault.kind.recovery();
        match fault.target {
            Target::Supervisor => self.supervisor = until,
            Target::Worker(index) => {
                self.workers[index] = Struck { until, silent: fault.kind.is_silence() };
            }
        }
    }
}

fn lasts(kind: Kind, draw: &Entropy) -> Duration {
    let (least, most) = kind.lasts_millis().into_inner();
    Duration::from_millis(least) + Duration::from_millis(most - least).mul_f64(draw.fraction())
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a share of a small number"
)]
fn index(draw: &Entropy, len: usize) -> usize {
    ((draw.fraction() * len as f64) as usize).min(len - 1)
}

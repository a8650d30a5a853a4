//! What happens by chance.

use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::behaviour::Behaviour;
use crate::marker::Step;

/// Draws for each call whether it fails and how, and how long it takes.
#[derive(Debug)]
pub(crate) struct Chance {
    now: RwLock<Behaviour>,
    random: Mutex<StdRng>,
}

impl Chance {
    pub(crate) fn new(behaviour: Behaviour, seed: u64) -> Self {
        Self { now: RwLock::new(behaviour), random: Mutex::new(StdRng::seed_from_u64(seed)) }
    }

    /// What is in force.
    pub(crate) fn behaviour(&self) -> Behaviour {
        *self.now.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts another behaviour in force.
    pub(crate) fn behave(&self, behaviour: Behaviour) {
        *self.now.write().unwrap_or_else(PoisonError::into_inner) = behaviour;
    }

    /// What happens to the next call.
    pub(crate) fn draw(&self) -> Step {
        let shares = self.behaviour().faults.shares();
        // Without faults nothing is drawn and no lock taken.
        if shares.iter().all(|(_, share)| *share == 0.0) {
            return Step::OK;
        }
        at(&shares, self.random().random::<f64>())
    }

    /// Any duration from zero to this one.
    pub(crate) fn up_to(&self, most: Duration) -> Duration {
        if most.is_zero() { most } else { most.mul_f64(self.random().random::<f64>()) }
    }

    fn random(&self) -> MutexGuard<'_, StdRng> {
        self.random.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The shares lie side by side on 0..1, and what is left over is a good answer.
fn at(shares: &[(&'static str, f64)], drawn: f64) -> Step {
    let mut upto = 0.0;
    for (name, share) in shares {
        upto += share;
        if drawn < upto {
            return Step::named(name);
        }
    }
    Step::OK
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Faults;

    fn chance(faults: Faults, seed: u64) -> Chance {
        Chance::new(Behaviour { faults, ..Behaviour::default() }, seed)
    }

    #[test]
    fn shares_lie_side_by_side() {
        let faults = Faults { http_500: 0.25, hang: 0.25, ..Faults::default() };
        let names =
            [0.0, 0.24, 0.25, 0.49, 0.5, 0.99].map(|drawn| at(&faults.shares(), drawn).name);
        assert_eq!(names, ["500", "500", "hang", "hang", "ok", "ok"]);
    }

    #[test]
    fn every_share_is_that_of_its_own_step() {
        for (name, _) in Faults::default().shares() {
            let mut faults = Faults::default();
            assert!(faults.set(name, 1.0));
            assert_eq!(chance(faults, 0).draw().name, name);
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_faults_and_jitter() {
        let faults = Faults { http_429: 0.5, ..Faults::default() };
        let draw = |seed| {
            let chance = chance(faults, seed);
            let one = || (chance.draw().name, chance.up_to(Duration::from_secs(1)));
            (0..64).map(|_| one()).collect::<Vec<_>>()
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
        assert!(draw(7).iter().all(|(_, jitter)| *jitter < Duration::from_secs(1)));
    }
}

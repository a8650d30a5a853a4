//! Faults by chance.

use std::sync::{Mutex, PoisonError};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::marker::Step;
use crate::settings::Faults;

/// Draws for each call whether it fails and how.
#[derive(Debug)]
pub(crate) struct Chance {
    /// Without those whose share is zero, so that a simulator without faults takes no lock.
    shares: Vec<(f64, Step)>,
    random: Mutex<StdRng>,
}

impl Chance {
    pub(crate) fn new(faults: Faults, seed: u64) -> Self {
        let shares = [
            (faults.http_500, "500"),
            (faults.http_429, "429"),
            (faults.cut, "cut"),
            (faults.garbage, "garbage"),
            (faults.hang, "hang"),
        ];
        let shares = shares.into_iter().filter(|(share, _)| *share > 0.0);
        Self {
            shares: shares.map(|(share, name)| (share, Step::named(name))).collect(),
            random: Mutex::new(StdRng::seed_from_u64(seed)),
        }
    }

    /// What happens to the next call.
    pub(crate) fn draw(&self) -> Step {
        if self.shares.is_empty() {
            return Step::OK;
        }
        let drawn = self.random.lock().unwrap_or_else(PoisonError::into_inner).random::<f64>();
        self.at(drawn)
    }

    /// The shares lie side by side on 0..1, and what is left over is a good answer.
    fn at(&self, drawn: f64) -> Step {
        let mut upto = 0.0;
        for (share, step) in &self.shares {
            upto += share;
            if drawn < upto {
                return *step;
            }
        }
        Step::OK
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_lie_side_by_side() {
        let faults = Faults { http_500: 0.25, hang: 0.25, ..Faults::default() };
        let chance = Chance::new(faults, 0);
        let names = [0.0, 0.24, 0.25, 0.49, 0.5, 0.99].map(|drawn| chance.at(drawn).name);
        assert_eq!(names, ["500", "500", "hang", "hang", "ok", "ok"]);
    }

    #[test]
    fn the_same_seed_gives_the_same_faults() {
        let faults = Faults { http_429: 0.5, ..Faults::default() };
        let draw = |seed| {
            let chance = Chance::new(faults, seed);
            (0..64).map(|_| chance.draw().name).collect::<Vec<_>>()
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
    }
}

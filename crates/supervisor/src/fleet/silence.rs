//! How many rounds of probes in a row met silence.

/// One worker's silence. Times are monotonic, in microseconds.
#[derive(Debug, Default)]
pub(super) struct Silence {
    /// When the first of the probes began that were not answered.
    since: u64,
    rounds: u32,
}

impl Silence {
    /// A round is over whose probe began at `began`; the worker was last heard, by whatever it
    /// says, at `heard`. Returns the silent rounds so far.
    ///
    /// What was heard before the first of them began is no sign of life: a worker that hangs
    /// right after it spoke would be given up a whole round later than one that was idle.
    pub(super) fn after_round(&mut self, answered: bool, began: u64, heard: u64) -> u32 {
        if self.rounds == 0 {
            self.since = began;
        }
        let lives = answered || heard > self.since;
        self.rounds = if lives { 0 } else { self.rounds + 1 };
        self.rounds
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The silent rounds after probes that began at these times, none of them answered, where
    /// the worker was last heard at the other.
    fn unanswered<const N: usize>(rounds: [(u64, u64); N]) -> [u32; N] {
        let mut silence = Silence::default();
        rounds.map(|(began, heard)| silence.after_round(false, began, heard))
    }

    #[test]
    fn every_round_counts_of_a_worker_that_spoke_right_before_it_fell_silent() {
        assert_eq!(unanswered([(20, 19), (40, 19), (60, 19)]), [1, 2, 3]);
    }

    #[test]
    fn whatever_is_heard_during_the_silence_ends_it() {
        assert_eq!(unanswered([(20, 25), (40, 25), (60, 55), (80, 55)]), [0, 1, 0, 1]);
        let mut silence = Silence::default();
        assert_eq!(silence.after_round(false, 20, 0), 1);
        assert_eq!(silence.after_round(true, 40, 0), 0);
        assert_eq!(silence.after_round(false, 60, 50), 1);
    }

    #[test]
    fn one_that_no_probe_reaches_lives_by_its_heartbeats() {
        // Probes every 20, heartbeats every 30.
        let mut silence = Silence::default();
        let mut worst = 0;
        for began in (20..2_000).step_by(20) {
            let heard = (began + 9) / 30 * 30;
            worst = worst.max(silence.after_round(false, began, heard));
        }
        assert!(worst < 3, "{worst} silent rounds");
    }
}

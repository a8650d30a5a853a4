//! Sets workers aside whose calls fail before they reach a model: `taskfleet_core::conduct`
//! decides, here it takes effect.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use taskfleet_core::{
    Instant,
    conduct::{Allowance, Conduct},
    outcome::Outcome,
    retry::Jitter,
};

use super::{LinkState, Member};
use crate::engine::Engine;

/// A moment more than the pause, so that it is over when it is looked at.
const AFTER_PAUSE: Duration = Duration::from_millis(5);

/// What is known of a worker, and the time in which it is.
#[derive(Default)]
pub(super) struct Record {
    conduct: Mutex<Conduct>,
}

impl Record {
    fn with<T>(&self, look: impl FnOnce(&mut Conduct) -> T) -> T {
        look(&mut self.conduct.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Member {
    /// What the worker may get now.
    pub(crate) fn allowance(&self, engine: &Engine) -> Allowance {
        self.record.with(|conduct| conduct.allowance(now(engine)))
    }

    /// An execution that began at `began` has ended there.
    pub(crate) fn judge(self: &Arc<Self>, engine: &Arc<Engine>, outcome: &Outcome, began: Instant) {
        let (before, pause) = self.record.with(|conduct| {
            let before = conduct.allowance(now(engine));
            (before, conduct.ended(outcome, began, now(engine), jitter(engine)))
        });
        match pause {
            Some(pause) => self.set_aside(engine, pause),
            None if before != Allowance::All && self.allowance(engine) == Allowance::All => {
                tracing::info!(worker = self.name(), "a worker that was set aside works again");
                self.offer(engine);
            }
            None => {}
        }
    }

    /// It refused a task that it does not understand.
    pub(crate) fn not_understood(self: &Arc<Self>, engine: &Arc<Engine>) {
        let pause = self.record.with(|conduct| conduct.not_understood(now(engine), jitter(engine)));
        if let Some(pause) = pause {
            self.set_aside(engine, pause);
        }
    }

    /// It refused a task, for it serves another store.
    pub(crate) fn serves_another_store(self: &Arc<Self>, engine: &Arc<Engine>) {
        let taken = |conduct: &mut Conduct| conduct.taken_over(now(engine), jitter(engine));
        if let Some(pause) = self.record.with(taken) {
            self.set_aside(engine, pause);
        }
    }

    fn set_aside(self: &Arc<Self>, engine: &Arc<Engine>, pause: Duration) {
        let why = match self.allowance(engine) {
            Allowance::All => return,
            Allowance::One(cause) | Allowance::Nothing(cause, _) => cause.to_string(),
        };
        let pause_seconds = pause.as_secs_f64();
        tracing::warn!(worker = self.name(), why, pause_seconds, "a worker is set aside");
        self.offer(engine);
        let (member, shared) = (self.clone(), engine.clone());
        engine.tasks.spawn(async move {
            tokio::select! {
                () = tokio::time::sleep(pause + AFTER_PAUSE) => {}
                () = shared.tasks.stopping() => return,
            }
            if !matches!(member.link_state(), LinkState::Gone) {
                member.offer(&shared);
            }
        });
    }
}

fn now(engine: &Engine) -> Instant {
    Instant::from_micros(engine.time.micros())
}

fn jitter(engine: &Engine) -> Jitter {
    Jitter::new(engine.entropy.fraction())
}

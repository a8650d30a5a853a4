//! One worker, as long as its process is believed to live.

mod reach;

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use taskfleet_core::{BootId, adoption::Held, placement::Profile, task::Holder};
use taskfleet_proto::{
    feature,
    v1::{self, Settlement},
};
use tokio::sync::{Notify, Semaphore, mpsc, watch};

use super::{
    Description,
    conduct::Record,
    kept::Kept,
    settlements::{self, Verdict},
};
use crate::{board::Offer, engine::Engine};
pub(crate) use reach::LinkState;

/// A worker process.
pub(crate) struct Member {
    pub(crate) boot_id: BootId,
    description: Mutex<Description>,
    link: watch::Sender<LinkState>,
    redial: Notify,
    settlements: mpsc::Sender<Settlement>,
    heard_micros: AtomicU64,
    /// When its silence began; 0 while it is none.
    silent_since: AtomicU64,
    serving: AtomicBool,
    resting: AtomicBool,
    /// Held from before an offer is made until the board has it: of two that are made at
    /// once, the later one stands.
    offering: Mutex<()>,
    pub(super) record: Record,
    pub(super) kept: Kept,
    /// An operator wants nothing new for it.
    drained: AtomicBool,
    /// Held while the worker is told so.
    pub(super) telling: tokio::sync::Mutex<()>,
    /// Its connection takes nothing new.
    leaving: AtomicBool,
    /// Bounds the requests that wait for their first message: thousands of streams opened
    /// at once would overrun the connection.
    pub(crate) starts: Semaphore,
}

/// What a heartbeat says.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Beat {
    pub(crate) slots: u32,
    /// Of these, taken by calls of others.
    pub(crate) taken: u32,
    pub(crate) draining: bool,
}

/// Requests that wait for their first message at once.
const UNACKNOWLEDGED_STARTS: usize = 64;
/// How long a worker that refused work gets none.
const REST_AFTER_REFUSAL: Duration = Duration::from_millis(250);

impl Member {
    pub(super) fn new(
        boot_id: BootId,
        description: Description,
        settlements: mpsc::Sender<Settlement>,
    ) -> Self {
        Self {
            boot_id,
            description: Mutex::new(description),
            link: watch::Sender::new(LinkState::Connecting),
            redial: Notify::new(),
            settlements,
            heard_micros: AtomicU64::new(0),
            silent_since: AtomicU64::new(0),
            serving: AtomicBool::new(true),
            resting: AtomicBool::new(false),
            offering: Mutex::default(),
            record: Record::default(),
            kept: Kept::default(),
            drained: AtomicBool::new(false),
            telling: tokio::sync::Mutex::default(),
            leaving: AtomicBool::new(false),
            starts: Semaphore::new(UNACKNOWLEDGED_STARTS),
        }
    }

    /// Whether it knows the published messages only, so that there is nothing to adopt,
    /// attach to or settle.
    pub(crate) fn is_published_only(&self) -> bool {
        self.boot_id.is_of_connection()
    }

    /// Nothing new goes to it any more.
    pub(super) fn leave_work(&self, engine: &Engine) {
        self.leaving.store(true, Ordering::Relaxed);
        self.offer(engine);
    }

    pub(super) fn is_leaving(&self) -> bool {
        self.leaving.load(Ordering::Relaxed)
    }

    pub(crate) fn description(&self) -> Description {
        self.with(|description| description.clone())
    }

    pub(crate) fn name(&self) -> String {
        self.with(|description| description.name.clone())
    }

    pub(crate) fn holder(&self) -> Holder {
        self.with(|description| Holder {
            boot_id: self.boot_id,
            name: description.name.clone(),
            address: description.address.clone(),
        })
    }

    /// What its address is listed with, unless it has said of itself what holds.
    pub(super) fn describe_as_listed(&self, listed: Description) {
        self.replace(|known| (!known.registered).then_some(listed));
    }

    /// What its registration says.
    pub(crate) fn describe(&self, said: Description) {
        self.replace(|_| Some(said));
    }

    fn replace(&self, by: impl FnOnce(&Description) -> Option<Description>) {
        // While the worker is connected, its address is the one at which it was dialled back.
        let up = matches!(self.link_state(), LinkState::Up(_));
        self.with(|known| {
            let Some(description) = by(known) else { return };
            let address = if up { known.address.clone() } else { description.address };
            let (foreign_held, taken) = (known.foreign_held, known.taken);
            *known = Description { foreign_held, taken, address, ..description };
        });
    }

    /// What it holds for another store, which only that store's supervisor can settle: said
    /// loudly, for a store that is not mounted looks like this.
    pub(super) fn note_foreign(&self, said: &v1::AdoptResponse) {
        let (held, running) = (said.foreign_held, said.foreign_running);
        let news = self.with(|known| {
            known.taken = u32::try_from(running).unwrap_or(u32::MAX);
            std::mem::replace(&mut known.foreign_held, held) < held
        });
        if news {
            tracing::error!(
                worker = self.name(),
                held,
                running,
                "a worker holds executions of another store. They are kept there until their time \
                 is over. If the wrong store is mounted, stop this supervisor and start it with the \
                 right one, which finds them there"
            );
        }
    }

    /// What a heartbeat says.
    pub(crate) fn beat(&self, engine: &Engine, beat: Beat) {
        let Beat { slots, taken, draining } = beat;
        self.hear(engine.time.micros());
        self.with(|known| {
            (known.slots, known.taken, known.draining) = (slots, taken, draining);
        });
        self.offer(engine);
    }

    fn with<T>(&self, look: impl FnOnce(&mut Description) -> T) -> T {
        look(&mut self.description.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A sign of life.
    pub(crate) fn hear(&self, micros: u64) {
        self.heard_micros.fetch_max(micros, Ordering::Relaxed);
    }

    pub(crate) fn heard_micros(&self) -> u64 {
        self.heard_micros.load(Ordering::Relaxed)
    }

    /// A probe met silence: nothing new goes to it until it is heard again.
    pub(super) fn fall_silent(&self, engine: &Engine, micros: u64) {
        let began = self.silent_since.compare_exchange(
            0,
            micros.max(1),
            Ordering::Relaxed,
            Ordering::Relaxed,
        );
        if began.is_ok() {
            tracing::info!(worker = self.name(), "a worker does not answer its probe");
            self.offer(engine);
        }
    }

    /// It is heard, or starts anew.
    pub(super) fn wake(&self, engine: &Engine) {
        if self.silent_since.swap(0, Ordering::Relaxed) != 0 {
            self.offer(engine);
        }
    }

    /// Since when it has been silent, in microseconds.
    pub(super) fn silent_since(&self) -> Option<u64> {
        Some(self.silent_since.load(Ordering::Relaxed)).filter(|since| *since != 0)
    }

    /// Tells the board what this worker takes now.
    pub(crate) fn offer(&self, engine: &Engine) {
        if matches!(self.link_state(), LinkState::Gone) {
            return;
        }
        in_order(&self.offering, || self.present_offer(engine), |offer| engine.board.offer(offer));
        if matches!(self.link_state(), LinkState::Gone) {
            engine.board.leave(self.boot_id);
        }
    }

    fn present_offer(&self, engine: &Engine) -> Offer {
        let known = self.description();
        let standing = self.standing(engine);
        Offer {
            holder: self.holder(),
            // One that was set aside shows with one task whether it works again.
            slots: if standing.is_probation() { known.slots.min(1) } else { known.free_for_us() },
            profile: Profile {
                features: feature::known(&known.features),
                models: known.models,
                max_request_bytes: known.max_request_bytes,
            },
            open: standing.takes_work() && !self.resting.load(Ordering::Relaxed),
        }
    }

    pub(crate) fn is_drained(&self) -> bool {
        self.drained.load(Ordering::Relaxed)
    }

    pub(super) fn set_drained(&self, engine: &Engine, drained: bool) {
        if self.drained.swap(drained, Ordering::Relaxed) != drained {
            self.offer(engine);
        }
    }

    pub(crate) fn is_serving(&self) -> bool {
        self.serving.load(Ordering::Relaxed)
    }

    pub(super) fn set_serving(&self, engine: &Engine, serving: bool) {
        if self.serving.swap(serving, Ordering::Relaxed) != serving {
            tracing::info!(worker = self.name(), serving, "a worker's readiness changed");
            self.offer(engine);
        }
    }

    /// It refused work: nothing new for it, for a moment.
    pub(crate) fn rest(self: &Arc<Self>, engine: &Arc<Engine>) {
        if self.resting.swap(true, Ordering::Relaxed) {
            return;
        }
        self.offer(engine);
        let (member, shared) = (self.clone(), engine.clone());
        engine.tasks.spawn(async move {
            tokio::time::sleep(REST_AFTER_REFUSAL).await;
            member.resting.store(false, Ordering::Relaxed);
            if !matches!(member.link_state(), LinkState::Gone) {
                member.offer(&shared);
            }
        });
    }

    /// An ended lease that the worker may forget. Waits while too many wait.
    pub(crate) async fn settle(&self, held: Held, verdict: Verdict) {
        // Nobody takes them any more once the worker is gone; should it come back, it says
        // what it holds, and is told then.
        let _ = self.settlements.send(settlements::message(held, verdict)).await;
    }

    pub(crate) fn caller(engine: &Engine) -> Option<v1::Caller> {
        Some(engine.caller.clone())
    }
}

/// Looks and tells, so that what was looked at later is told later.
fn in_order<T>(order: &Mutex<()>, look: impl FnOnce() -> T, tell: impl FnOnce(T)) {
    let _order = order.lock().unwrap_or_else(PoisonError::into_inner);
    tell(look());
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc as channel;

    use super::*;

    #[test]
    fn what_was_looked_at_later_is_told_later() {
        let (order, told) = (&Mutex::default(), &Mutex::new(Vec::new()));
        let tell = |value| told.lock().unwrap().push(value);
        let (looked, looking) = channel::channel();
        let (overtook, overtaken) = channel::channel();
        std::thread::scope(|threads| {
            threads.spawn(move || {
                let slow = || {
                    looked.send(()).unwrap();
                    // The other one would be told meanwhile, were it not kept in order.
                    let _ = overtaken.recv_timeout(Duration::from_millis(200));
                    1
                };
                in_order(order, slow, tell);
            });
            looking.recv().unwrap();
            in_order(order, || 2, tell);
            let _ = overtook.send(());
        });
        assert_eq!(*told.lock().unwrap(), [1, 2]);
    }

    #[test]
    fn a_listing_describes_no_worker_that_registered() {
        let said = |slots, registered| Description { slots, registered, ..Description::default() };
        let (settlements, _) = mpsc::channel(1);
        let member = Member::new(BootId::from_bytes([1; 16]), said(1, false), settlements);
        member.describe_as_listed(said(2, false));
        assert_eq!(member.description().slots, 2);
        member.describe(said(64, true));
        member.describe_as_listed(said(2, false));
        assert_eq!(member.description().slots, 64);
        member.describe(said(8, true));
        assert_eq!(member.description().slots, 8);
    }
}

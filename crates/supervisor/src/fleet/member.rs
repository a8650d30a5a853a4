//! One worker, as long as its process is believed to live.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use taskfleet_core::{BootId, Timestamp, adoption::Held, task::Holder};
use taskfleet_proto::v1::{self, Settlement};
use taskfleet_runtime::transport::Link;
use tokio::sync::{Notify, Semaphore, mpsc, oneshot, watch};

use super::{
    dial::{self, DialError},
    probe,
    settlements::{self, Verdict},
};
use crate::{board::Offer, engine::Engine, settings::DIAL_TIMEOUT};

/// A worker process.
pub(crate) struct Member {
    pub(crate) boot_id: BootId,
    description: Mutex<Description>,
    link: watch::Sender<LinkState>,
    redial: Notify,
    settlements: mpsc::Sender<Settlement>,
    heard_micros: AtomicU64,
    serving: AtomicBool,
    resting: AtomicBool,
    /// Bounds the requests that wait for their first message: thousands of streams opened
    /// at once would overrun the connection.
    pub(crate) starts: Semaphore,
}

/// Whether a worker can be reached.
#[derive(Debug, Clone)]
pub(crate) enum LinkState {
    /// It is being dialled.
    Connecting,
    /// By this connection.
    Up(Link),
    /// Never again under this boot_id, unless it joins anew.
    Gone,
}

/// What a worker says of itself.
#[derive(Debug, Clone, Default)]
pub(crate) struct Description {
    pub(crate) name: String,
    pub(crate) address: String,
    /// 0: not registered; what it runs may end, and it gets nothing new.
    pub(crate) slots: u32,
    pub(crate) models: Vec<String>,
    pub(crate) features: Vec<String>,
    pub(crate) max_request_bytes: u64,
    pub(crate) account: String,
    pub(crate) version: String,
    pub(crate) draining: bool,
    pub(crate) registered_at: Timestamp,
    pub(crate) foreign_held: u64,
}

/// Requests that wait for their first message at once.
const UNACKNOWLEDGED_STARTS: usize = 64;
/// How long a worker that refused work gets none.
const REST_AFTER_REFUSAL: Duration = Duration::from_millis(250);

impl Description {
    pub(crate) fn of_holder(holder: &Holder) -> Self {
        Self { name: holder.name.clone(), address: holder.address.clone(), ..Self::default() }
    }
}

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
            serving: AtomicBool::new(true),
            resting: AtomicBool::new(false),
            starts: Semaphore::new(UNACKNOWLEDGED_STARTS),
        }
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

    pub(crate) fn describe(&self, description: Description) {
        // While the worker is connected, its address is the one at which it was dialled back.
        let up = matches!(self.link_state(), LinkState::Up(_));
        self.with(|known| {
            let address = if up { known.address.clone() } else { description.address };
            *known = Description { foreign_held: known.foreign_held, address, ..description };
        });
    }

    pub(crate) fn set_foreign_held(&self, foreign_held: u64) {
        self.with(|known| known.foreign_held = foreign_held);
    }

    /// What a heartbeat says.
    pub(crate) fn beat(&self, engine: &Engine, slots: u32, draining: bool) {
        self.hear(engine.time.micros());
        self.with(|known| (known.slots, known.draining) = (slots, draining));
        // Also when nothing changed: offers that cross each other are set right by the next.
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

    /// Tells the board what this worker takes now.
    pub(crate) fn offer(&self, engine: &Engine) {
        if matches!(self.link_state(), LinkState::Gone) {
            return;
        }
        let known = self.description();
        engine.board.offer(Offer {
            holder: self.holder(),
            slots: known.slots,
            models: known.models,
            max_request_bytes: known.max_request_bytes,
            open: self.takes_work(known.draining),
        });
        if matches!(self.link_state(), LinkState::Gone) {
            engine.board.leave(self.boot_id);
        }
    }

    fn takes_work(&self, draining: bool) -> bool {
        let up = matches!(*self.link.borrow(), LinkState::Up(_));
        up && !draining && self.is_serving() && !self.resting.load(Ordering::Relaxed)
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

    pub(crate) fn link_state(&self) -> LinkState {
        self.link.borrow().clone()
    }

    /// The connection, as soon as there is one; `None` when there never will be.
    pub(crate) async fn link(&self) -> Option<Link> {
        let mut link = self.link.subscribe();
        let settled = link
            .wait_for(|state| match state {
                LinkState::Connecting => false,
                // Gone already, and about to be replaced.
                LinkState::Up(link) => !link.is_closed(),
                LinkState::Gone => true,
            })
            .await;
        match settled.map(|state| state.clone()) {
            Ok(LinkState::Up(link)) => Some(link),
            _ => None,
        }
    }

    /// Waits until the worker is gone.
    pub(crate) async fn gone(&self) {
        let mut link = self.link.subscribe();
        // Fails only when the member itself is gone.
        let _ = link.wait_for(|state| matches!(state, LinkState::Gone)).await;
    }

    pub(super) async fn wait_up(&self) -> Result<(), DialError> {
        match tokio::time::timeout(DIAL_TIMEOUT, self.link()).await {
            Ok(Some(_)) => Ok(()),
            Ok(None) | Err(_) => Err(DialError::Silent),
        }
    }

    pub(super) fn come_up(&self, engine: &Engine, link: Link) {
        self.hear(engine.time.micros());
        self.link.send_replace(LinkState::Up(link));
        self.offer(engine);
    }

    fn go_down(&self, engine: &Engine) {
        self.link.send_replace(LinkState::Connecting);
        self.offer(engine);
    }

    pub(super) fn go(&self) {
        self.link.send_replace(LinkState::Gone);
        self.redial.notify_one();
    }

    /// It says that it can be reached: dial it now rather than later.
    pub(super) fn redial_now(&self) {
        self.redial.notify_one();
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

/// Dials back a worker that wants to join, says how that went, and serves it.
pub(super) async fn welcome(
    engine: Arc<Engine>,
    member: Arc<Member>,
    waiting: mpsc::Receiver<Settlement>,
    answer: oneshot::Sender<Result<(), DialError>>,
) {
    let mut unsent = Vec::new();
    let adopted = dial::adopt(&engine, &member, &mut unsent).await;
    let outcome = match adopted {
        Ok(link) => {
            member.come_up(&engine, link);
            Ok(())
        }
        Err(error) => {
            engine.fleet.forget(&member);
            member.go();
            Err(error)
        }
    };
    let joined = outcome.is_ok();
    // The worker may have given up waiting; it asks again, and finds itself known.
    let _ = answer.send(outcome);
    if joined {
        serve(engine, member, waiting, unsent).await;
    }
}

/// Declares the worker lost when serving it ends in a panic.
struct NotServed {
    engine: Arc<Engine>,
    member: Arc<Member>,
}

impl Drop for NotServed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let (engine, member) = (self.engine.clone(), self.member.clone());
            let lost = async move { engine.worker_lost(&member, "serving it failed").await };
            self.engine.tasks.spawn(lost);
        }
    }
}

/// Serves a worker whose link is up, until its process is gone.
async fn serve(
    engine: Arc<Engine>,
    member: Arc<Member>,
    mut waiting: mpsc::Receiver<Settlement>,
    mut unsent: Vec<Settlement>,
) {
    let _guard = NotServed { engine: engine.clone(), member: member.clone() };
    loop {
        let LinkState::Up(link) = member.link_state() else { return };
        let verdict = tokio::select! {
            () = link.closed() => None,
            evidence = probe::until_silent(&engine, &member) => Some(evidence),
            () = settlements::send(&engine, &link, &mut waiting, &mut unsent) => None,
            () = engine.tasks.stopping() => return,
        };
        let evidence = match verdict {
            Some(evidence) => evidence,
            None => {
                tracing::info!(worker = member.name(), "a worker's connection broke, dialling it");
                member.go_down(&engine);
                match dial::again(&engine, &member, &mut unsent).await {
                    Ok(link) => {
                        member.come_up(&engine, link);
                        continue;
                    }
                    Err(error) => error.to_string(),
                }
            }
        };
        engine.worker_lost(&member, &evidence).await;
        return;
    }
}

/// Looks for a worker that had tasks before this supervisor started.
pub(super) async fn recall(
    engine: Arc<Engine>,
    member: Arc<Member>,
    waiting: mpsc::Receiver<Settlement>,
) {
    let grace = engine.settings.start_grace();
    let mut unsent = Vec::new();
    let found = tokio::time::timeout(grace, async {
        loop {
            match dial::reach(&engine, &member).await {
                Ok(reached) => return Ok(reached),
                Err(error @ DialError::OtherProcess) => return Err(error),
                Err(_) => {}
            }
            let pause = engine.entropy.jittered(Duration::from_millis(500));
            // A registration brings the address where it can be reached now.
            let _ = tokio::time::timeout(pause, member.redial.notified()).await;
        }
    });
    let found = tokio::select! {
        found = found => found,
        () = engine.tasks.stopping() => return,
    };
    match found {
        Ok(Ok((link, answer))) => {
            dial::settle_differences(&engine, &member, &answer, &mut unsent).await;
            member.come_up(&engine, link);
            serve(engine, member, waiting, unsent).await;
        }
        Ok(Err(error)) => engine.worker_lost(&member, &error.to_string()).await,
        Err(_) => engine.worker_lost(&member, "not reachable within the start grace").await,
    }
}

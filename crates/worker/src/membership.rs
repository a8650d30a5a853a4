//! Belongs to a fleet: registers with the supervisor, for ever, and sends heartbeats.
//!
//! The supervisor being away is normal: nothing here holds up what runs, and it is told once
//! when it goes and once when it is back.

mod absence;
mod registration;

use std::{sync::Arc, time::Duration};

use secrecy::{ExposeSecret, SecretString};
use taskfleet_proto::v1::RegisterRequest;
use taskfleet_runtime::{Entropy, Tasks, transport::SharedConnector};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{executions::Load, metrics::Figures};
use absence::Absence;
use registration::{Lost, Registration};

/// The longest pause between two attempts to register: the supervisor's grace after its start
/// is at least three times this.
const MAX_BACKOFF: Duration = Duration::from_secs(2);
const FIRST_BACKOFF: Duration = Duration::from_millis(100);
/// Calls of others may come and go by the hundred a second; heartbeats need not.
const AFTER_OTHERS: Duration = Duration::from_millis(100);
/// The part that keeps a worker from being ready when no supervisor takes it as it is.
const REGISTRATION: &str = "registration";
/// To take leave, within the shutdown budget.
pub(crate) const LEAVE_WITHIN: Duration = Duration::from_secs(1);

/// What the worker says about itself when it registers, and where.
pub(crate) struct Announcement {
    /// Where the supervisor is: host:port.
    pub(crate) supervisor: String,
    /// What to say; without the token.
    pub(crate) request: RegisterRequest,
    pub(crate) join_token: Option<SecretString>,
    /// How long to look for a supervisor; none: for ever.
    pub(crate) give_up_after: Option<Duration>,
}

impl Announcement {
    fn request(&self) -> RegisterRequest {
        let token = self.join_token.as_ref().map_or("", |token| token.expose_secret());
        RegisterRequest { join_token: token.to_owned(), ..self.request.clone() }
    }
}

/// The worker's place in the fleet.
pub(crate) struct Membership {
    announcement: Announcement,
    connector: SharedConnector,
    entropy: Entropy,
    load: watch::Receiver<Load>,
    registration: Option<Registration>,
    absence: Absence,
    figures: Arc<Figures>,
    given_up: CancellationToken,
}

impl Membership {
    pub(crate) fn new(
        announcement: Announcement,
        connector: SharedConnector,
        entropy: Entropy,
        load: watch::Receiver<Load>,
        figures: Arc<Figures>,
    ) -> Self {
        Self {
            announcement,
            connector,
            entropy,
            load,
            registration: None,
            absence: Absence::default(),
            figures,
            given_up: CancellationToken::new(),
        }
    }

    /// Tells when no supervisor was found for too long.
    pub(crate) fn given_up(&self) -> CancellationToken {
        self.given_up.clone()
    }

    /// Stays a member until the tasks are asked to end; then leaves, if nothing is held that
    /// a supervisor would still want.
    pub(crate) async fn run(mut self, tasks: Tasks) {
        tokio::select! {
            () = self.stay() => {}
            () = tasks.stopping() => {}
        }
        let load = *self.load.borrow();
        if let Some(registration) = self.registration.take()
            && (load.running, load.held) == (0, 0)
        {
            registration.leave().await;
        }
    }

    async fn stay(&mut self) {
        let mut backoff = FIRST_BACKOFF;
        loop {
            let lost = match self.join().await {
                Ok(()) => {
                    backoff = FIRST_BACKOFF;
                    self.beat().await
                }
                Err(lost) => lost,
            };
            self.registration = None;
            self.figures.registered(false);
            self.absence.note(&self.announcement.supervisor, &lost);
            if lost.is_refusal() {
                // Until one registers it, this shows from outside, too.
                let reason = format!("the supervisor refuses this worker: {lost}");
                self.figures.readiness().block_silently(REGISTRATION, reason);
            }
            if self.is_of_no_use() {
                self.given_up.cancel();
            }
            tokio::time::sleep(self.entropy.jittered(backoff)).await;
            backoff = MAX_BACKOFF.min(backoff * 2);
        }
    }

    /// No supervisor was found for so long that none may ever come. Calls that were paid for are
    /// kept all the same, as long as any worker keeps them.
    fn is_of_no_use(&self) -> bool {
        let load = *self.load.borrow();
        let limit = self.announcement.give_up_after;
        (load.running, load.held) == (0, 0) && limit.is_some_and(|limit| self.absence.lasts(limit))
    }

    async fn join(&mut self) -> Result<(), Lost> {
        let Announcement { supervisor, .. } = &self.announcement;
        let request = self.announcement.request();
        let registration = Registration::make(&self.connector, supervisor, request).await?;
        self.absence.end(supervisor, registration.epoch());
        self.figures.readiness().clear(REGISTRATION);
        self.figures.registered(true);
        self.registration = Some(registration);
        Ok(())
    }

    /// Sends heartbeats until one fails. None of them waits for work.
    async fn beat(&mut self) -> Lost {
        let Some(registration) = &mut self.registration else {
            return Lost::Gone;
        };
        loop {
            let load = *self.load.borrow_and_update();
            if let Err(lost) = registration.heartbeat(load).await {
                return lost;
            }
            tokio::select! {
                () = tokio::time::sleep(registration.interval()) => {}
                () = changes(&mut self.load, load) => {}
                () = registration.closed() => return Lost::Gone,
            }
        }
    }
}

/// Draining the supervisor is to know of at once, and soon how many slots are taken by others,
/// or it sends what is then refused.
async fn changes(load: &mut watch::Receiver<Load>, known: Load) {
    let mut taken = load.clone();
    let drains = load.wait_for(|load| load.draining != known.draining);
    let others_come_or_go = async {
        let news = taken.wait_for(|load| load.taken != known.taken).await.is_ok();
        tokio::time::sleep(AFTER_OTHERS).await;
        news
    };
    let news = tokio::select! {
        drains = drains => drains.is_ok(),
        news = others_come_or_go => news,
    };
    if !news {
        std::future::pending::<()>().await;
    }
}

//! An address that is kept dialled: one that the settings list, or one that was registered
//! for a worker that knows the published messages only. What answers there changes; the
//! address and what is known of it stay.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{Notify, watch},
    time::Instant,
};

use taskfleet_runtime::transport::Link;

use super::{
    Beat, Description, Member,
    dial::{self, DialError, Peer},
};
use crate::{engine::Engine, trust::Trust};

/// An address, and what answers there now.
pub(crate) struct Post {
    pub(crate) address: String,
    /// Listed in the settings, and dialled for ever.
    pub(crate) is_static: bool,
    /// What holds for whoever answers there next. Of a listed address that is what the
    /// settings say: a registration there speaks of one process.
    description: Mutex<Description>,
    /// The connection that a registration was proved by, and what that said of it.
    found: Mutex<Option<(Link, Description)>>,
    answer: watch::Sender<Answer>,
    redial: Notify,
}

/// What came of dialling it.
#[derive(Clone)]
pub(crate) enum Answer {
    /// Nothing yet.
    Awaited,
    /// This worker.
    Up(Arc<Member>),
    /// None, and why.
    Away(String),
}

/// The pause after the first failure; it doubles with each further one …
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// … up to this. A worker that lived longer was no failure.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How long a registered address is dialled in vain before it is forgotten: longer than a
/// worker takes to be replaced, short enough not to gather addresses that are never used
/// again. One that heartbeats is told so, and registers again.
const FORGET_AFTER: Duration = Duration::from_secs(600);

impl Post {
    pub(super) fn new(description: Description, is_static: bool) -> Self {
        Self {
            address: description.address.clone(),
            is_static,
            description: Mutex::new(description),
            found: Mutex::default(),
            answer: watch::Sender::new(Answer::Awaited),
            redial: Notify::new(),
        }
    }

    pub(crate) fn description(&self) -> Description {
        self.description.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn answer(&self) -> Answer {
        self.answer.borrow().clone()
    }

    /// The worker that answers there, if it is believed to live.
    pub(crate) fn member(&self) -> Option<Arc<Member>> {
        match self.answer() {
            Answer::Up(member) => Some(member),
            Answer::Awaited | Answer::Away(_) => None,
        }
    }

    /// Who answers there now has not proved what a registration can.
    pub(super) fn is_unproven(&self) -> bool {
        self.member().is_some_and(|member| member.description().trust == Trust::Unproven)
    }

    /// What a registration says of it, for this worker and, unless the address is listed,
    /// those after it.
    pub(super) fn describe(&self, engine: &Engine, description: Description) {
        self.note(|known| description.clone_into(known));
        if let Some(member) = self.member().filter(|member| member.is_published_only()) {
            member.describe(description);
            member.offer(engine);
        }
        self.redial.notify_one();
    }

    /// A registration has found a worker there by this connection: it comes next, if none is
    /// up.
    pub(super) fn expect(&self, link: Link, description: Description) {
        if self.member().is_some() {
            return;
        }
        *self.found.lock().unwrap_or_else(PoisonError::into_inner) = Some((link, description));
        self.answer.send_if_modified(|answer| {
            let away = matches!(answer, Answer::Away(_));
            if away {
                *answer = Answer::Awaited;
            }
            away
        });
    }

    fn take_found(&self) -> Option<(Link, Description)> {
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner).take();
        found.filter(|(link, _)| !link.is_closed())
    }

    fn note(&self, change: impl FnOnce(&mut Description)) {
        if !self.is_static {
            change(&mut self.description.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }

    /// What a heartbeat says.
    pub(crate) fn beat(&self, engine: &Engine, beat: Beat) {
        self.note(|known| (known.slots, known.draining) = (beat.slots, beat.draining));
        if let Some(member) = self.member() {
            member.beat(engine, beat);
        }
    }

    /// Waits for the first answer.
    pub(super) async fn answered(&self) -> Answer {
        let mut answer = self.answer.subscribe();
        let settled = answer.wait_for(|answer| !matches!(answer, Answer::Awaited)).await;
        settled.map_or(Answer::Awaited, |answer| answer.clone())
    }

    fn up(&self, member: Arc<Member>) {
        self.answer.send_replace(Answer::Up(member));
    }

    /// Says so once, not at each try.
    fn away(&self, problem: String) {
        let worker = self.description().name;
        let told = matches!(self.answer(), Answer::Away(known) if known == problem);
        if told {
            tracing::debug!(worker, problem, "a worker's address is still not served");
        } else {
            tracing::warn!(worker, address = self.address, problem, "cannot reach a worker");
        }
        self.answer.send_replace(Answer::Away(problem));
    }

    /// Nobody waits for it any more.
    fn is_over(&self, last_seen: Instant) -> bool {
        let left = self.description().draining;
        !self.is_static && (left || last_seen.elapsed() > FORGET_AFTER)
    }
}

/// Keeps an address dialled until it is over or the supervisor stops.
pub(super) async fn keep(engine: Arc<Engine>, post: Arc<Post>) {
    let mut pause = FIRST_PAUSE;
    let mut last_seen = Instant::now();
    while !engine.tasks.is_stopping() {
        let dialled = Instant::now();
        match engine.raise(&post).await {
            Ok(member) => {
                post.up(member.clone());
                tokio::select! {
                    () = member.gone() => {}
                    () = engine.tasks.stopping() => return,
                }
                last_seen = Instant::now();
                post.away("its connection is gone".to_owned());
            }
            Err(error) => post.away(error.to_string()),
        }
        if post.is_over(last_seen) {
            engine.fleet.dismiss(&post);
            return;
        }
        if dialled.elapsed() > LONGEST_PAUSE {
            pause = FIRST_PAUSE;
        }
        tokio::select! {
            () = tokio::time::sleep(engine.entropy.jittered(pause)) => {}
            () = post.redial.notified() => {}
            () = engine.tasks.stopping() => return,
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

impl Engine {
    /// Makes whatever answers at an address a member of the fleet. Only what a registration
    /// found there has proved what that proved.
    async fn raise(self: &Arc<Self>, post: &Post) -> Result<Arc<Member>, DialError> {
        if let Some((link, description)) = post.take_found() {
            return Ok(self.take_in_connection(link, description));
        }
        let peer = dial::meet(self, &post.address).await?;
        let description = self.unproven(post.description());
        match peer {
            Peer::Process(boot_id) => self.take_in_listed(boot_id, description).await,
            Peer::PublishedOnly(link) => Ok(self.take_in_connection(link, description)),
        }
    }
}

//! What is known of a call while it goes on.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use taskfleet_core::{
    failure::Delivery,
    outcome::{Call, RateLimits, Usage},
    text::TextLog,
};
use tokio::{
    sync::{Notify, futures::Notified},
    time::Instant,
};

/// What is known of one call so far. The call itself may be dropped at any moment, at its
/// time limit or by a cancel; what stands here stays.
#[derive(Debug)]
pub struct Progress {
    known: Mutex<Known>,
    grew: Notify,
}

#[derive(Debug)]
struct Known {
    text: TextLog,
    asked_model: String,
    call: Call,
    started: Instant,
    sent: Option<Instant>,
    limits_came: Option<Instant>,
    first_text: Option<Duration>,
}

impl Default for Progress {
    fn default() -> Self {
        let known = Known {
            text: TextLog::default(),
            asked_model: String::new(),
            call: Call::new(Delivery::NotSent),
            started: Instant::now(),
            sent: None,
            limits_came: None,
            first_text: None,
        };
        Self { known: Mutex::new(known), grew: Notify::new() }
    }
}

impl Progress {
    /// The call came at least this far.
    pub fn reached(&self, delivery: Delivery) {
        self.lock().reached(delivery);
    }

    /// An HTTP status came, and perhaps the provider's id of the call.
    pub fn response_started(&self, status: u16, request_id: Option<&str>) {
        let mut known = self.lock();
        known.reached(Delivery::ResponseStarted);
        let first_byte = known.sent.map(|sent| sent.elapsed());
        let call = &mut known.call;
        call.facts.first_byte = first_byte;
        call.http_status = Some(status);
        call.provider_request_id = request_id.unwrap_or_default().to_owned();
    }

    /// What the answer says of the account's limits.
    pub fn limited_by(&self, limits: RateLimits) {
        let mut known = self.lock();
        known.limits_came = Some(Instant::now());
        known.call.facts.rate_limits = Some(limits);
    }

    /// The model that the call asks for.
    pub fn asked_for(&self, model: &str) {
        model.clone_into(&mut self.lock().asked_model);
    }

    /// The model that it asks for; empty: not known, or not yet.
    #[must_use]
    pub fn asked_model(&self) -> String {
        self.lock().asked_model.clone()
    }

    /// The budget that the call is charged to.
    pub fn charged_to(&self, limit_key: String) {
        self.lock().call.facts.limit_key = limit_key;
    }

    /// The call is over, however it ended.
    pub fn ended(&self) {
        let mut known = self.lock();
        let took = known.started.elapsed();
        known.call.facts.took.get_or_insert(took);
    }

    /// The model that answers, by its own word.
    pub fn served_by(&self, model: String) {
        self.lock().call.served_model = model;
    }

    /// The model's reason to stop.
    pub fn finished_with(&self, reason: String) {
        self.lock().call.finish_reason = reason;
    }

    /// What the call cost.
    pub fn used(&self, usage: Usage) {
        self.lock().call.usage = Some(usage);
    }

    /// The next piece of the text. Returns how long the whole text is now, in bytes.
    pub fn push(&self, delta: &str) -> usize {
        let len = {
            let mut known = self.lock();
            if known.first_text.is_none() {
                known.first_text = known.sent.map(|sent| sent.elapsed());
            }
            known.text.push(delta);
            known.text.len()
        };
        self.grew.notify_waiters();
        len
    }

    /// What is known of the call; the age of its limits is that of this moment.
    #[must_use]
    pub fn call(&self) -> Call {
        let known = self.lock();
        let mut call = known.call.clone();
        if let (Some(limits), Some(came)) = (&mut call.facts.rate_limits, known.limits_came) {
            limits.age = came.elapsed();
        }
        call
    }

    /// How long the call took as a whole; of one that goes on, until now.
    pub(crate) fn took(&self) -> Duration {
        let known = self.lock();
        known.call.facts.took.unwrap_or_else(|| known.started.elapsed())
    }

    /// From sending the call to the first piece of its text.
    pub(crate) fn first_text(&self) -> Option<Duration> {
        self.lock().first_text
    }

    /// The text so far.
    #[must_use]
    pub fn text(&self) -> String {
        self.lock().text.as_str().to_owned()
    }

    /// The length of the text so far, in bytes.
    #[must_use]
    pub fn text_len(&self) -> usize {
        self.lock().text.len()
    }

    /// The nearest place at or before `offset` where the text so far can be cut.
    pub(crate) fn cut_before(&self, offset: usize) -> usize {
        self.lock().text.as_str().floor_char_boundary(offset)
    }

    /// At most `max` bytes from `offset` on, and whether more is there.
    pub(crate) fn text_from(&self, offset: usize, max: usize) -> Option<(String, bool)> {
        let known = self.lock();
        let piece = known.text.from(offset, max).filter(|piece| !piece.is_empty())?;
        Some((piece.to_owned(), offset + piece.len() < known.text.len()))
    }

    /// Tells of text that comes after it was first polled or enabled.
    pub(crate) fn grew(&self) -> Notified<'_> {
        self.grew.notified()
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn reached(&mut self, delivery: Delivery) {
        self.call.delivery = self.call.delivery.max(delivery);
        if self.call.delivery >= Delivery::Sent {
            self.sent.get_or_insert_with(Instant::now);
        }
    }
}

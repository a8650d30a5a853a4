//! Is it alive? A health check on a connection of its own, every two seconds; and one on the
//! connection that work goes by, which may carry nothing while its worker lives.

use std::{sync::Arc, time::Duration};

use taskfleet_runtime::{
    patience::{OutOfPatience, answer_within},
    transport::{KeepAlive, Link, ping},
};
use tokio::time::{MissedTickBehavior, interval};
use tonic::{Code, Status};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use super::{Member, brake::Brake, silence::Silence};
use crate::engine::Engine;

/// What a probe learned.
enum Probe {
    Serving,
    NotServing,
    /// It lives, and says nothing of its readiness.
    Alive,
    Silent,
}

/// Why a worker is served no further by its connection.
pub(super) enum Verdict {
    /// Neither its probes nor anything else brought a sign of life.
    Silent(String),
    /// It lives, and its connection for work carries nothing any more.
    Deaf,
}

/// Probes until the worker, or its connection for work, has been silent for too long.
pub(super) async fn until_silent(
    engine: &Arc<Engine>,
    member: &Arc<Member>,
    work: &Link,
) -> Verdict {
    let settings = &engine.settings;
    let mut rounds = interval(settings.probe_interval());
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut link, mut brake) = (None, Brake::default());
    let (mut silence, mut deaf) = (Silence::default(), 0);
    let mut received = work.received_bytes();
    loop {
        rounds.tick().await;
        let began = engine.time.micros();
        let answered = is_alive(engine, member, &mut link).await;
        if !answered {
            // Another connection may bring what this one did not.
            link = None;
        }
        let misses = silence.after_round(answered, began, member.heard_micros());
        if misses == 0 {
            member.wake(engine);
            let is_deaf = answered && is_deaf(engine, member, work, received).await;
            deaf = if is_deaf { deaf + 1 } else { 0 };
        } else {
            member.fall_silent(engine, began);
        }
        if deaf >= settings.probe_misses {
            return Verdict::Deaf;
        }
        if misses >= settings.probe_misses && !brake.holds(engine, member) {
            return Verdict::Silent(format!("{misses} probes in a row without any sign of life"));
        }
        received = work.received_bytes();
    }
}

/// One probe; what it says of the worker's readiness is noted.
async fn is_alive(engine: &Arc<Engine>, member: &Arc<Member>, link: &mut Option<Link>) -> bool {
    let mut probe = once(engine, member, link).await;
    if matches!(probe, Probe::Silent) && member.is_published_only() {
        probe = pinged(engine, member).await;
    }
    match probe {
        Probe::Serving => member.set_serving(engine, true),
        Probe::NotServing => member.set_serving(engine, false),
        Probe::Alive => {}
        Probe::Silent => return false,
    }
    member.hear(engine.time.micros());
    true
}

/// Whether a worker that lives sends nothing by the connection that its work goes by, which
/// had brought `received` bytes a round ago. Bytes count, not messages: a large one may take
/// longer than a round. Of a worker that knows the published messages only this is not asked:
/// with its connection it would lose what it runs.
async fn is_deaf(engine: &Engine, member: &Member, work: &Link, received: u64) -> bool {
    if member.is_published_only() {
        return false;
    }
    let request = HealthCheckRequest { service: String::new() };
    let mut client = HealthClient::new(work.channel());
    let answer = answer_within(engine.settings.probe_timeout(), client.check(request)).await;
    answer.is_err() && work.received_bytes() == received
}

async fn once(engine: &Engine, member: &Member, link: &mut Option<Link>) -> Probe {
    let limit = engine.settings.probe_timeout();
    match answer_within(limit, check(engine, member, link, limit)).await {
        Ok(probe) => probe,
        Err(OutOfPatience) => Probe::Silent,
    }
}

/// A worker of another make may answer its health checks with the threads that are all busy
/// with tasks; pings are answered by its transport.
async fn pinged(engine: &Engine, member: &Member) -> Probe {
    let (address, limit) = (member.holder().address, engine.settings.probe_timeout());
    let ping = ping(&engine.connector, &address, 2 * limit);
    match answer_within(limit, ping).await {
        Ok(true) => Probe::Alive,
        Ok(false) | Err(OutOfPatience) => Probe::Silent,
    }
}

async fn check(
    engine: &Engine,
    member: &Member,
    link: &mut Option<Link>,
    limit: Duration,
) -> Probe {
    if link.as_ref().is_none_or(Link::is_closed) {
        let address = member.holder().address;
        // Twice the limit: the caller's own limit, which knows of our pauses, ends it.
        let connecting =
            Link::connect_as(keep_alive(member), &engine.connector, &address, 2 * limit);
        *link = connecting.await.ok();
    }
    let Some(link) = link else { return Probe::Silent };
    let request = HealthCheckRequest { service: String::new() };
    match HealthClient::new(link.channel()).check(request).await {
        Ok(answer) if answer.get_ref().status() == ServingStatus::Serving => Probe::Serving,
        Ok(_) => Probe::NotServing,
        Err(status) => of_status(&status),
    }
}

/// A worker of another make would take our pings for an attack.
fn keep_alive(member: &Member) -> KeepAlive {
    if member.is_published_only() { KeepAlive::Quiet } else { KeepAlive::Pings }
}

/// Any gRPC answer is life, UNIMPLEMENTED too; a broken connection is none.
fn of_status(status: &Status) -> Probe {
    let from_peer = std::error::Error::source(status).is_none();
    match status.code() {
        Code::Unavailable | Code::Unknown | Code::Cancelled | Code::Internal if !from_peer => {
            Probe::Silent
        }
        _ => Probe::Serving,
    }
}

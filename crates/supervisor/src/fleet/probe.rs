//! Is it alive? A health check on a connection of its own, every two seconds.

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

use super::Member;
use crate::engine::Engine;

/// What a probe learned.
enum Probe {
    Serving,
    NotServing,
    /// It lives, and says nothing of its readiness.
    Alive,
    Silent,
}

/// Probes until too many probes in a row met silence; says so.
pub(super) async fn until_silent(engine: &Arc<Engine>, member: &Arc<Member>) -> String {
    let settings = &engine.settings;
    let mut rounds = interval(settings.probe_interval());
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut link = None;
    let mut misses = 0;
    while misses < settings.probe_misses {
        rounds.tick().await;
        let began = engine.time.micros();
        let mut probe = once(engine, member, &mut link).await;
        if matches!(probe, Probe::Silent) && member.is_published_only() {
            probe = pinged(engine, member).await;
        }
        match probe {
            Probe::Serving => member.set_serving(engine, true),
            Probe::NotServing => member.set_serving(engine, false),
            Probe::Alive => {}
            Probe::Silent if member.heard_micros() > began => {}
            Probe::Silent => {
                link = None;
                misses += 1;
                continue;
            }
        }
        member.hear(engine.time.micros());
        misses = 0;
    }
    format!("{misses} probes in a row without any sign of life")
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

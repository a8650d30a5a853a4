//! Is it alive? A health check on a connection of its own, every two seconds.

use std::{sync::Arc, time::Duration};

use taskfleet_runtime::{
    patience::{OutOfPatience, answer_within},
    transport::Link,
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
        match once(engine, member, &mut link).await {
            Probe::Serving => member.set_serving(engine, true),
            Probe::NotServing => member.set_serving(engine, false),
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

async fn check(
    engine: &Engine,
    member: &Member,
    link: &mut Option<Link>,
    limit: Duration,
) -> Probe {
    if link.as_ref().is_none_or(Link::is_closed) {
        let address = member.holder().address;
        // Twice the limit: the caller's own limit, which knows of our pauses, ends it.
        *link = Link::connect(&engine.connector, &address, 2 * limit).await.ok();
    }
    let Some(link) = link else { return Probe::Silent };
    let request = HealthCheckRequest { service: String::new() };
    match HealthClient::new(link.channel()).check(request).await {
        Ok(answer) if answer.get_ref().status() == ServingStatus::Serving => Probe::Serving,
        Ok(_) => Probe::NotServing,
        Err(status) => of_status(&status),
    }
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

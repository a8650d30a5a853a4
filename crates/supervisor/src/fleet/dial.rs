//! Reaching a worker and taking it over: only who answers Adopt with the right boot_id is
//! the process that was meant.

use std::{sync::Arc, time::Duration};

use taskfleet_core::{
    Lease,
    adoption::{Held, reconcile},
};
use taskfleet_proto::{
    parse_id,
    v1::{AdoptRequest, AdoptResponse, Settlement, worker_control_client::WorkerControlClient},
};
use taskfleet_runtime::{
    patience::answer_within,
    transport::{Link, LinkError, MAX_MESSAGE_BYTES},
};
use tonic::Status;

use super::{
    Member,
    settlements::{self, Verdict},
};
use crate::{engine::Engine, settings::DIAL_TIMEOUT};

/// Why a worker could not be taken over.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DialError {
    #[error("nobody listens at its address")]
    Refused,
    #[error("its address could not be reached: {0}")]
    Unreachable(String),
    #[error("it did not answer in time")]
    Silent,
    #[error("another process answers at its address")]
    OtherProcess,
    #[error("it refused to be adopted: {0}")]
    Unwilling(String),
}

/// How long a worker whose connection broke has to answer again.
const REDIAL_FOR: Duration = Duration::from_secs(2);

/// Connects, adopts, and sets right what the store and the worker see differently; what the
/// worker is to forget goes into `unsent`.
pub(super) async fn adopt(
    engine: &Arc<Engine>,
    member: &Arc<Member>,
    unsent: &mut Vec<Settlement>,
) -> Result<Link, DialError> {
    let (link, answer) = reach(engine, member).await?;
    settle_differences(engine, member, &answer, unsent).await;
    Ok(link)
}

/// Connects and adopts.
pub(super) async fn reach(
    engine: &Arc<Engine>,
    member: &Arc<Member>,
) -> Result<(Link, AdoptResponse), DialError> {
    let address = member.holder().address;
    let link = Link::connect(&engine.connector, &address, DIAL_TIMEOUT).await?;
    let answer = ask(engine, &link).await?;
    if parse_id("boot_id", &answer.boot_id) != Ok(member.boot_id) {
        return Err(DialError::OtherProcess);
    }
    member.set_foreign_held(answer.foreign_held);
    member.offer(engine);
    Ok((link, answer))
}

/// The connection broke: the same process, or none.
pub(super) async fn again(
    engine: &Arc<Engine>,
    member: &Arc<Member>,
    unsent: &mut Vec<Settlement>,
) -> Result<Link, DialError> {
    let dialling = async {
        loop {
            match reach(engine, member).await {
                Err(DialError::Silent | DialError::Unreachable(_)) => {}
                decided => return decided,
            }
            tokio::time::sleep(engine.entropy.jittered(Duration::from_millis(100))).await;
        }
    };
    let reached = answer_within(REDIAL_FOR, dialling).await;
    let (link, answer) = reached.unwrap_or(Err(DialError::Silent))?;
    // It lives: how long our own store takes now is not held against it.
    settle_differences(engine, member, &answer, unsent).await;
    Ok(link)
}

async fn ask(engine: &Engine, link: &Link) -> Result<AdoptResponse, DialError> {
    let mut client =
        WorkerControlClient::new(link.channel()).max_decoding_message_size(MAX_MESSAGE_BYTES);
    let request = AdoptRequest { caller: Member::caller(engine) };
    match answer_within(DIAL_TIMEOUT, client.adopt(request)).await {
        Ok(Ok(answer)) => Ok(answer.into_inner()),
        Ok(Err(status)) => Err(status.into()),
        Err(_) => Err(DialError::Silent),
    }
}

/// Adopts what is held and open, settles what is held and over, requeues what is not held.
pub(super) async fn settle_differences(
    engine: &Arc<Engine>,
    member: &Arc<Member>,
    answer: &AdoptResponse,
    unsent: &mut Vec<Settlement>,
) {
    let epoch = engine.store.identity().epoch;
    let held: Vec<Held> = answer
        .held
        .iter()
        .filter_map(|held| {
            let task = parse_id("held.task_id", &held.task_id).ok()?;
            let lease = Lease::new(held.lease);
            // A lease of an epoch that has not been is none of ours.
            (lease.epoch() <= epoch).then_some(Held { task, lease })
        })
        .filter(|held| !engine.executions.is_ours(*held))
        .collect();
    // A request of our own epoch may still lie in a connection that broke: it is asked for
    // with attach_only, which forbids it to start. Older ones are refused since Adopt.
    let undriven = engine.undriven(member.boot_id).await.into_iter();
    let (believed, mut recent): (Vec<Held>, Vec<Held>) =
        undriven.partition(|row| row.lease.epoch() < epoch);
    recent.retain(|row| !held.contains(row));
    engine.follow_again(member, recent).await;
    let (adopt, missing) = reconcile(&member.holder(), &held, &believed);
    tracing::debug!(
        worker = member.name(),
        held = held.len(),
        missing = missing.len(),
        "adopting a worker"
    );
    let changes = adopt.iter().chain(&missing);
    let changes = changes.map(|(held, event)| engine.change(held.task, event.clone())).collect();
    let Some(results) = engine.apply_surely(changes).await else { return };
    for ((held, _), result) in adopt.iter().zip(results) {
        match result {
            Ok(applied) => engine.attach(member, &applied.record),
            Err(_) => unsent.push(settlements::message(*held, Verdict::Stale)),
        }
    }
}

impl From<LinkError> for DialError {
    fn from(error: LinkError) -> Self {
        match error {
            LinkError::Timeout(_) => Self::Silent,
            refused if refused.is_refused() => Self::Refused,
            other => Self::Unreachable(other.to_string()),
        }
    }
}

impl From<Status> for DialError {
    fn from(status: Status) -> Self {
        match status.code() {
            tonic::Code::Unavailable | tonic::Code::Unknown | tonic::Code::Cancelled => {
                Self::Unreachable(status.message().to_owned())
            }
            _ => Self::Unwilling(status.message().to_owned()),
        }
    }
}

//! Reaching a worker and taking it over: only who answers Adopt with the right boot_id is
//! the process that was meant.

use std::{sync::Arc, time::Duration};

use taskfleet_core::{
    BootId, Lease,
    adoption::{Held, reconcile},
};
use taskfleet_proto::{
    parse_id,
    v1::{AdoptRequest, AdoptResponse, Settlement, worker_control_client::WorkerControlClient},
};
use taskfleet_runtime::{
    patience::answer_within,
    transport::{KeepAlive, Link, LinkError, MAX_MESSAGE_BYTES},
};
use tonic::Status;

use super::{
    Member, drain,
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
    #[error("what it was given up with is still being written, it is to try again")]
    GivenUpStill,
    #[error("another process answers at its address")]
    OtherProcess,
    #[error(
        "connections to its address reach different processes in turn, as behind a load balancer"
    )]
    SeveralProcesses,
    #[error("it refused to be adopted: {0}")]
    Unwilling(String),
    #[error("a later epoch of this store serves it")]
    Superseded,
    #[error("it serves no WorkerControl, as a worker with leases does")]
    PublishedOnly,
}

/// Who answers at an address.
pub(super) enum Peer {
    /// A worker process that has WorkerControl.
    Process(BootId),
    /// A server that has not; by this connection.
    PublishedOnly(Link),
}

/// How long a worker whose connection broke has to answer again.
const REDIAL_FOR: Duration = Duration::from_secs(2);
/// How long who drove a worker's executions before it was given up has to say that they are
/// lost; its registration waits for that.
const OLD_DRIVERS_END_WITHIN: Duration = Duration::from_secs(2);

/// Connects, adopts, and sets right what the store and the worker see differently; what the
/// worker is to forget goes into `unsent`.
pub(super) async fn adopt(
    engine: &Arc<Engine>,
    member: &Arc<Member>,
    unsent: &mut Vec<Settlement>,
) -> Result<Link, DialError> {
    let (reached, elsewhere) = tokio::join!(reach(engine, member), leads_elsewhere(engine, member));
    let (link, answer) = reached?;
    if elsewhere {
        return Err(DialError::SeveralProcesses);
    }
    old_drivers_ended(engine, &answer).await?;
    settle_differences(engine, member, &answer, unsent).await;
    Ok(link)
}

/// A worker that was given up and comes back: those who drove its executions may still be
/// writing that they are lost. What they write afterwards would undo the adoption; a store
/// that takes so long lets it try again.
async fn old_drivers_ended(engine: &Engine, answer: &AdoptResponse) -> Result<(), DialError> {
    let held: Vec<Held> = ours(engine, answer).collect();
    let ended = tokio::time::timeout(OLD_DRIVERS_END_WITHIN, engine.executions.undriven(&held));
    ended.await.map_err(|_| DialError::GivenUpStill)
}

/// What it holds of this store, as far as that may be.
fn ours(engine: &Engine, answer: &AdoptResponse) -> impl Iterator<Item = Held> {
    let epoch = engine.store.identity().epoch;
    answer.held.iter().filter_map(move |held| {
        let task = parse_id("held.task_id", &held.task_id).ok()?;
        let lease = Lease::new(held.lease);
        // A lease of an epoch that has not been is none of ours.
        (lease.epoch() <= epoch).then_some(Held { task, lease })
    })
}

/// Whether one of two more connections reaches another process. Through a load balancer
/// probes would ask a worker that lives about one that hangs.
async fn leads_elsewhere(engine: &Engine, member: &Member) -> bool {
    let other = || async { matches!(identify(engine, member).await, Err(DialError::OtherProcess)) };
    let (one, another) = tokio::join!(other(), other());
    one || another
}

/// Connects and adopts.
pub(super) async fn reach(
    engine: &Arc<Engine>,
    member: &Arc<Member>,
) -> Result<(Link, AdoptResponse), DialError> {
    let (link, answer) = identify(engine, member).await?;
    member.note_foreign(&answer);
    drain::agree(engine, member, &link, answer.drained).await;
    member.offer(engine);
    Ok((link, answer))
}

/// Connects, and takes over who answers if it is the process that is meant.
async fn identify(engine: &Engine, member: &Member) -> Result<(Link, AdoptResponse), DialError> {
    let address = member.holder().address;
    let link = Link::connect(&engine.connector, &address, DIAL_TIMEOUT).await?;
    let answer = ask(engine, &member.name(), Some(member.boot_id), &link).await?;
    if parse_id("boot_id", &answer.boot_id) != Ok(member.boot_id) {
        return Err(DialError::OtherProcess);
    }
    Ok((link, answer))
}

/// Finds out who answers at an address, whoever it is.
pub(super) async fn meet(engine: &Arc<Engine>, address: &str) -> Result<Peer, DialError> {
    // A worker of another make would take our pings for an attack.
    let quiet = KeepAlive::Quiet;
    let link = Link::connect_as(quiet, &engine.connector, address, DIAL_TIMEOUT).await?;
    match ask(engine, address, None, &link).await {
        Err(DialError::PublishedOnly) => Ok(Peer::PublishedOnly(link)),
        Err(error) => Err(error),
        Ok(answer) => match parse_id::<BootId>("boot_id", &answer.boot_id) {
            Ok(boot_id) if !boot_id.is_of_connection() => Ok(Peer::Process(boot_id)),
            _ => Err(DialError::Unwilling("its boot_id is no UUID of its own".to_owned())),
        },
    }
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

/// Adopts the process that is meant by `boot_id`, or by none whoever answers; logs call it
/// `worker`.
async fn ask(
    engine: &Engine,
    worker: &str,
    boot_id: Option<BootId>,
    link: &Link,
) -> Result<AdoptResponse, DialError> {
    let mut client =
        WorkerControlClient::new(link.channel()).max_decoding_message_size(MAX_MESSAGE_BYTES);
    let boot_id = boot_id.map(|boot_id| boot_id.to_string()).unwrap_or_default();
    let request = AdoptRequest { caller: Member::caller(engine), boot_id };
    match answer_within(DIAL_TIMEOUT, client.adopt(request)).await {
        Ok(Ok(answer)) => Ok(answer.into_inner()),
        Ok(Err(status)) if engine.is_superseded(worker, &status) => Err(DialError::Superseded),
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
    let holds: Vec<Held> = ours(engine, answer).collect();
    let driven = |held: &Held| engine.executions.is_ours(*held);
    let held: Vec<Held> = holds.iter().filter(|held| !driven(held)).copied().collect();
    // A request of our own epoch may still lie in a connection that broke: it is asked for
    // with attach_only, which forbids it to start. Older ones are refused since Adopt.
    let undriven = engine.undriven(member.boot_id).await.into_iter();
    let (believed, mut recent): (Vec<Held>, Vec<Held>) =
        undriven.partition(|row| row.lease.epoch() < epoch);
    recent.retain(|row| !held.contains(row));
    let stale = |held: &Held| settlements::message(*held, Verdict::Stale);
    unsent.extend(engine.follow_again(member, recent).await.iter().map(stale));
    let (adopt, missing) = reconcile(&member.holder(), &held, &believed);
    tracing::debug!(
        worker = member.name(),
        held = held.len(),
        missing = missing.len(),
        "adopting a worker"
    );
    let changes = adopt.iter().chain(&missing);
    let changes = changes.map(|(held, event)| engine.change(held.task, event.clone())).collect();
    // From before it is committed: a cancel may come before the driver has begun.
    let marked = engine.executions.claiming(adopt.iter().map(|(held, _)| held.task).collect());
    let Some(results) = engine.apply_surely(changes).await else { return };
    let (mut kept, mut borrowed, mut abandoned) = (Vec::new(), 0, Vec::new());
    for ((held, _), result) in adopt.iter().zip(results) {
        match result {
            Ok(applied) => {
                let attached = engine.attach(member, &applied.record);
                if applied.record.lease_borrowed {
                    borrowed += 1;
                    kept.push(*held);
                } else if !attached {
                    abandoned.push(*held);
                }
            }
            Err(refusal) if engine.gave_out(*held, refusal).await => unsent.push(stale(held)),
            Err(_) => kept.push(*held),
        }
    }
    drop(marked);
    let over = engine.follow_or_leave(member, abandoned).await;
    unsent.extend(over.iter().map(stale));
    member.leave(engine, &holds, &kept, borrowed);
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
            tonic::Code::Unimplemented => Self::PublishedOnly,
            _ => Self::Unwilling(status.message().to_owned()),
        }
    }
}

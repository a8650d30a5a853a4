//! A worker's way: dialled back or looked for, served, and declared lost when it is gone.

use std::{sync::Arc, time::Duration};

use taskfleet_proto::v1::Settlement;
use tokio::sync::{mpsc, oneshot};

use super::{
    LinkState, Member,
    dial::{self, DialError},
    probe, settlements,
};
use crate::engine::Engine;

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
        let worker = member.name();
        let verdict = tokio::select! {
            () = link.closed() => None,
            verdict = probe::until_silent(&engine, &member, &link) => match verdict {
                probe::Verdict::Silent(evidence) => Some(evidence),
                probe::Verdict::Deaf => {
                    link.cut();
                    None
                }
            },
            () = settlements::send(&engine, &worker, &link, &mut waiting, &mut unsent) => None,
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
                Err(
                    error @ (DialError::OtherProcess
                    | DialError::PublishedOnly
                    | DialError::Superseded),
                ) => return Err(error),
                Err(_) => {}
            }
            let pause = engine.entropy.jittered(Duration::from_millis(500));
            // A registration brings the address where it can be reached now.
            let _ = tokio::time::timeout(pause, member.reachable()).await;
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

//! Why a task waits, for its client.

use taskfleet_core::{
    failure::FailureKind,
    placement::Obstacle,
    task::{TaskRecord, TaskState},
};
use taskfleet_proto::v1::{self, WaitReason};

use super::view;
use crate::{
    engine::Engine,
    fleet::{Standing, why_none_is_ready},
};

impl Engine {
    /// Why a queued task waits, and until when where that is known; `None` when it does not.
    pub(crate) fn why_it_waits(&self, record: &TaskRecord) -> Option<v1::Waiting> {
        if record.state != TaskState::Queued {
            return None;
        }
        let now = self.time.now();
        let until = record.not_before.filter(|at| *at > now);
        let (reason, detail) = match until {
            Some(_) => why_not_yet(record),
            None => self.why_no_slot(record),
        };
        let until = until.map(view::timestamp);
        let mut waiting = v1::Waiting { detail, until, ..v1::Waiting::default() };
        waiting.set_reason(reason);
        Some(waiting)
    }

    fn why_no_slot(&self, record: &TaskRecord) -> (WaitReason, String) {
        let (obstacle, is_next) = self.board.obstacle(record);
        match obstacle {
            Obstacle::NoWorker => self.why_no_worker(),
            Obstacle::Model => {
                let model = record.model.as_deref().unwrap_or_default();
                (WaitReason::NoWorkerForModel, format!("no worker serves the model {model}"))
            }
            Obstacle::Needs => {
                let names: Vec<_> = taskfleet_proto::feature::names(record.needs).collect();
                let detail = format!("no worker for it knows what it needs: {}", names.join(", "));
                (WaitReason::NoWorkerForFeature, detail)
            }
            Obstacle::Size(largest) => {
                let bytes = record.request_bytes();
                let patience = self.settings.start_grace().as_secs();
                let detail = format!(
                    "its request is {bytes} bytes; the workers for it take at most {largest}; it \
                     fails unless one that takes it comes within {patience} s"
                );
                (WaitReason::TooLarge, detail)
            }
            Obstacle::NotEmpty => {
                let detail = "workers died with it, so it waits for one that runs nothing else";
                (WaitReason::Alone, detail.to_owned())
            }
            Obstacle::NoFreeSlot { workers, slots } => {
                let others = if is_next { "" } else { "; others come before it" };
                let detail = format!(
                    "all {slots} slots of the workers that can take it ({workers}) are in use{others}"
                );
                (WaitReason::NoFreeSlot, detail)
            }
            Obstacle::None if is_next => {
                (WaitReason::Starting, "its turn is about to come".to_owned())
            }
            Obstacle::None => (WaitReason::BehindOthers, "others come before it".to_owned()),
        }
    }

    fn why_no_worker(&self) -> (WaitReason, String) {
        let standings: Vec<_> =
            self.fleet.members().iter().map(|member| member.standing(self)).collect();
        if standings.iter().any(|standing: &Standing| standing.takes_work()) {
            let detail = "the workers refused work just now; they are asked again in a moment";
            return (WaitReason::NoFreeSlot, detail.to_owned());
        }
        (WaitReason::NoWorker, why_none_is_ready(&standings))
    }
}

/// It came back and its time has not come: by what it came back last.
fn why_not_yet(record: &TaskRecord) -> (WaitReason, String) {
    use FailureKind::{Connection, Overloaded, QuotaExhausted, RateLimited};
    match record.kind {
        Some(kind @ (QuotaExhausted | RateLimited | Overloaded)) => {
            (WaitReason::Throttled, format!("the API said slow down: {}", kind.name()))
        }
        Some(Connection) if record.counters.throttles > 0 => {
            (WaitReason::Throttled, "the API could not be reached".to_owned())
        }
        Some(kind) => {
            (WaitReason::Backoff, format!("waits before the next try after {}", kind.name()))
        }
        None => (WaitReason::Backoff, "was handed back and waits for a moment".to_owned()),
    }
}

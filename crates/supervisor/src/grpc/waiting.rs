//! Why a task waits, for its client.

use std::sync::Arc;

use taskfleet_core::{
    BootId, Timestamp,
    failure::FailureKind,
    placement::Obstacle,
    task::{TaskRecord, TaskState},
};
use taskfleet_proto::v1::{self, WaitReason};

use super::view;
use crate::{
    engine::Engine,
    fleet::{Answer, Member, Standing, next_trial, who_is_away, why_none_is_ready},
    superseded,
};

/// What a task waits for.
struct Why {
    reason: WaitReason,
    detail: String,
    /// When it is looked at again, where that is known.
    until: Option<Timestamp>,
}

impl Engine {
    /// Why a queued task waits, and until when where that is known; `None` when it does not.
    /// `last_error` is what its last execution ended with, where that is at hand.
    pub(crate) fn why_it_waits(
        &self,
        record: &TaskRecord,
        last_error: Option<&str>,
    ) -> Option<v1::Waiting> {
        if record.state != TaskState::Queued {
            return None;
        }
        let now = self.time.now();
        let why = match record.not_before.filter(|at| *at > now) {
            Some(until) => why_not_yet(record, last_error, until),
            None => self.why_no_slot(record),
        };
        let until = why.until.map(view::timestamp);
        let mut waiting = v1::Waiting { detail: why.detail, until, ..v1::Waiting::default() };
        waiting.set_reason(why.reason);
        Some(waiting)
    }

    fn why_no_slot(&self, record: &TaskRecord) -> Why {
        if self.stands_back() {
            return why(WaitReason::NoWorker, superseded::WORDS);
        }
        let (obstacle, is_next) = self.board.obstacle(record);
        match obstacle {
            Obstacle::NoWorker => self.why_closed(&self.fleet.members()),
            Obstacle::Closed(workers) => {
                let member = |boot_id: &BootId| self.fleet.member(*boot_id);
                let members: Vec<_> = workers.iter().filter_map(member).collect();
                self.why_closed(&members)
            }
            Obstacle::Model => {
                let model = record.model.as_deref().unwrap_or_default();
                let detail = format!("no worker serves the model {model}");
                why(WaitReason::NoWorkerForModel, detail + &self.who_might())
            }
            Obstacle::Needs => {
                let names: Vec<_> = taskfleet_proto::feature::names(record.needs).collect();
                let detail = format!("no worker for it knows what it needs: {}", names.join(", "));
                why(WaitReason::NoWorkerForFeature, detail + &self.who_might())
            }
            Obstacle::Size(largest) => {
                let bytes = record.request_bytes();
                let patience = self.settings.start_grace().as_secs();
                let detail = format!(
                    "its request is {bytes} bytes; the workers for it take at most {largest}; it \
                     fails unless one that takes it comes within {patience} s"
                );
                why(WaitReason::TooLarge, detail)
            }
            Obstacle::NotEmpty => {
                let detail = "workers died with it, so it waits for one that runs nothing else";
                why(WaitReason::Alone, detail)
            }
            Obstacle::NoFreeSlot { workers, slots } => {
                let others = if is_next { "" } else { "; others come before it" };
                let detail = format!(
                    "all {slots} slots of the workers that can take it ({workers}) are in use{others}"
                );
                why(WaitReason::NoFreeSlot, detail)
            }
            Obstacle::None if is_next => why(WaitReason::Starting, "its turn is about to come"),
            Obstacle::None => why(WaitReason::BehindOthers, "others come before it"),
        }
    }

    /// Why none of these workers, which could run it, takes it.
    fn why_closed(&self, members: &[Arc<Member>]) -> Why {
        let standings: Vec<Standing> = members.iter().map(|member| member.standing(self)).collect();
        if standings.iter().any(Standing::takes_work) {
            let detail = "the workers refused work just now; they are asked again in a moment";
            return why(WaitReason::NoFreeSlot, detail);
        }
        let detail = why_none_is_ready(&standings, &self.away());
        let until = next_trial(&standings).map(|left| self.time.now() + left);
        Why { until, ..why(WaitReason::NoWorker, detail) }
    }

    /// Who may be able to run it once it can be reached; nothing when all can be.
    fn who_might(&self) -> String {
        let words = who_is_away(&self.away());
        if words.is_empty() { String::new() } else { format!("; {}", words.join(", ")) }
    }

    /// The addresses where no worker answers, each with why; always in the same order.
    fn away(&self) -> Vec<(String, String)> {
        let posts = self.fleet.posts().into_iter();
        let mut away: Vec<_> = posts
            .filter_map(|post| match post.answer() {
                Answer::Up(_) => None,
                Answer::Away(problem) => Some((post.address.clone(), problem)),
                Answer::Awaited => Some((post.address.clone(), "it is being dialled".to_owned())),
            })
            .collect();
        away.sort();
        away
    }
}

fn why(reason: WaitReason, detail: impl Into<String>) -> Why {
    Why { reason, detail: detail.into(), until: None }
}

/// It came back and its time has not come: by what it came back last.
fn why_not_yet(record: &TaskRecord, last_error: Option<&str>, until: Timestamp) -> Why {
    use FailureKind::{Connection, Overloaded, QuotaExhausted, RateLimited};
    let (reason, detail) = match record.kind {
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
    };
    let said = last_error.filter(|error| !error.is_empty() && record.kind.is_some());
    let detail = said.map_or_else(|| detail.clone(), |error| format!("{detail}: {error}"));
    Why { until: Some(until), ..why(reason, detail) }
}

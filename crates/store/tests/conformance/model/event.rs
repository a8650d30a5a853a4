//! The model's words as the events that the stores and the machine know.

use taskfleet_core::{
    Epoch, Lease, TaskId,
    failure::{Delivery, FailureKind},
    machine::Event,
    outcome::{Call, End, Failure, Outcome, Payload},
};

use super::task::What;
use crate::harness::{ended, failed, full_call, holder};

pub(super) fn event(what: What, task: TaskId, lease: Lease, epoch: Epoch) -> Event {
    match what {
        What::Claim => Event::Claim { holder: holder(2), epoch },
        What::Adopt => Event::Adopt { lease, holder: holder(3) },
        What::Complete => ended(lease, End::Completed(receipt(task, lease)), full_call(3)),
        What::Fail(kind) => failed(lease, kind, ""),
        What::FailForGood => {
            ended(lease, End::Failed(Failure::too_large()), Call::new(Delivery::Answered))
        }
        What::FailUnsent => {
            let outcome = Outcome::failed(FailureKind::Connection, Delivery::NotSent, "");
            Event::Ended { lease, outcome }
        }
        What::Release => ended(lease, End::Released, Call::new(Delivery::NotSent)),
        What::Abort => ended(lease, End::Cancelled, full_call(4)),
        What::Lose => Event::Lost { lease },
        What::NotStart => Event::NotStarted { lease },
        What::CutOff => Event::CutOff { lease },
        What::Cancel => Event::Cancel,
        What::CancelIf(state) => Event::CancelIf { state },
        What::Expire => Event::Expire,
        What::TooLarge => Event::TooLarge { max_request_bytes: 7 },
    }
}

/// A result names the lease that it came from: a stale one that won would be seen. Its second
/// byte is no boundary of characters, where it is cut.
pub(super) fn receipt(task: TaskId, lease: Lease) -> Payload {
    Payload::Text(format!("dö {task} {lease}"))
}

impl What {
    /// Whether it is said of one lease rather than of the task.
    pub(super) const fn is_of_a_lease(self) -> bool {
        !matches!(
            self,
            Self::Claim | Self::Cancel | Self::CancelIf(_) | Self::Expire | Self::TooLarge
        )
    }
}

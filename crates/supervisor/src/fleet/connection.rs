//! A worker that knows the published messages only: its connection is its incarnation. There
//! is nothing to adopt, attach to or settle; when the connection is gone, so is what it ran.

use std::sync::Arc;

use taskfleet_core::BootId;
use taskfleet_runtime::transport::Link;
use tokio::sync::mpsc;

use super::{Description, Member, probe};
use crate::engine::Engine;

/// What such a worker takes at most, in bytes of the encoded message: gRPC's own default.
pub(super) const MAX_REQUEST_BYTES: u64 = 4 << 20;

impl Engine {
    /// The worker at the other end of `link` is a member as long as this connection lasts.
    pub(super) fn take_in_connection(
        self: &Arc<Self>,
        link: Link,
        description: Description,
    ) -> Arc<Member> {
        let boot_id = BootId::of_connection(self.entropy.bytes());
        // Nobody takes settlements, for there is nothing to settle.
        let (settlements, _) = mpsc::channel(1);
        let member = Arc::new(Member::new(boot_id, description, settlements));
        self.fleet.admit(&member);
        member.come_up(self, link.clone());
        tracing::info!(
            worker = member.name(),
            %boot_id,
            "a worker joined that knows the published messages only"
        );
        self.tasks.spawn(serve(self.clone(), member.clone(), link));
        member
    }
}

async fn serve(engine: Arc<Engine>, member: Arc<Member>, link: Link) {
    let evidence = tokio::select! {
        () = link.closed() => "its connection broke".to_owned(),
        verdict = probe::until_silent(&engine, &member, &link) => match verdict {
            probe::Verdict::Silent(evidence) => evidence,
            probe::Verdict::Deaf => "its connection carries nothing any more".to_owned(),
        },
        evidence = left(&engine, &member, &link) => evidence,
        () = engine.tasks.stopping() => return,
    };
    drop(link);
    engine.worker_lost(&member, &evidence).await;
}

/// It said goodbye on this connection: what runs on it may end, and then another is made.
async fn left(engine: &Arc<Engine>, member: &Arc<Member>, link: &Link) -> String {
    link.leaving().await;
    member.leave_work(engine);
    while engine.board.in_use(member.boot_id) > 0 {
        // Its slots are given back one by one, and nobody tells of the last.
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    "it took leave of its connection".to_owned()
}

//! A client that watches over breaks, and checks that what it sees is one clean sequence.

use taskfleet_proto::v1::{
    Task, WatchTaskRequest, task_service_client::TaskServiceClient, watch_task_response::Event,
};
use tokio::sync::watch;
use tonic::transport::Channel;

use crate::fleet::{BOUND, until};

/// Follows one task to its end, from break to break, and keeps what it saw.
pub(crate) struct Watcher {
    task_id: String,
    cursor: String,
    lease: u64,
    text: String,
    /// How often the text began anew.
    pub(crate) resets: u32,
}

/// What a watcher saw in the end.
pub(crate) struct Seen {
    pub(crate) task: Task,
    pub(crate) text: String,
    pub(crate) resets: u32,
}

impl Watcher {
    pub(crate) fn new(task_id: &str) -> Self {
        Self {
            task_id: task_id.to_owned(),
            cursor: String::new(),
            lease: 0,
            text: String::new(),
            resets: 0,
        }
    }

    /// Watches until the task has ended, on a new connection after each break. Says through
    /// `bytes` how much text it has.
    ///
    /// # Panics
    /// When a piece of text does not follow the one before, or comes after the end.
    pub(crate) async fn follow(
        mut self,
        connect: impl Fn() -> TaskServiceClient<Channel>,
        bytes: watch::Sender<usize>,
    ) -> Seen {
        let ended = async {
            loop {
                if let Some(task) = self.one_stream(connect(), &bytes).await {
                    return task;
                }
                // Gone: ask again soon, as a client would.
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        };
        let task = tokio::time::timeout(BOUND, ended).await.expect("the task ends in time");
        Seen { task, text: self.text, resets: self.resets }
    }

    async fn one_stream(
        &mut self,
        mut client: TaskServiceClient<Channel>,
        bytes: &watch::Sender<usize>,
    ) -> Option<Task> {
        let request =
            WatchTaskRequest { task_id: self.task_id.clone(), cursor: self.cursor.clone() };
        let mut events = client.watch_task(request).await.ok()?.into_inner();
        while let Ok(Some(message)) = events.message().await {
            self.cursor = message.cursor;
            match message.event.expect("an event") {
                Event::Ended(task) => {
                    let after = events.message().await;
                    assert!(matches!(after, Ok(None)), "the terminal event is the last");
                    return Some(task);
                }
                event => self.take(event),
            }
            bytes.send_replace(self.text.len());
        }
        None
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::TextDelta(delta) => {
                let fits = self.lease == delta.lease || self.text.is_empty();
                assert!(fits, "text of another lease without a reset");
                assert_eq!(delta.offset, self.text.len() as u64, "text is missing or repeated");
                self.lease = delta.lease;
                self.text.push_str(&delta.text);
            }
            Event::TextSnapshot(snapshot) => {
                self.resets += 1;
                (self.lease, self.text) = (snapshot.lease, snapshot.text);
            }
            Event::StateChanged(_) | Event::Ended(_) => {}
        }
    }
}

/// Waits until a watcher has more than `bytes` of text.
pub(crate) async fn until_text(mut seen: watch::Receiver<usize>, bytes: usize) {
    let what = format!("a watcher has more than {bytes} bytes");
    until(&what, || {
        let enough = *seen.borrow_and_update() > bytes;
        async move { enough.then_some(()) }
    })
    .await;
}

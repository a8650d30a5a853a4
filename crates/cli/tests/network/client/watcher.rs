//! Follows one task: its text comes in order, and its end is the last that is told.

use std::time::Duration;

use taskfleet_proto::v1::{WatchTaskRequest, WatchTaskResponse, watch_task_response::Event};

use super::Client;
use crate::plan::Plan;

const SILENT_FOR: Duration = Duration::from_secs(20);

/// What a watcher has of the text.
#[derive(Default)]
struct Text {
    lease: u64,
    text: String,
}

impl Client {
    pub(super) async fn watch(&self, task: usize, id: &str) {
        let (mut cursor, mut text) = (String::new(), Text::default());
        while !self.watch_once(task, id, &mut cursor, &mut text).await {
            self.connection.pause().await;
        }
        let pieces = self.shared.plan.tasks[task].last().pieces;
        if !Plan::answer(task, pieces).starts_with(&text.text) {
            self.violates(task, "was told a text that is not its own");
        }
    }

    /// True when the end was told.
    async fn watch_once(
        &self,
        task: usize,
        id: &str,
        cursor: &mut String,
        text: &mut Text,
    ) -> bool {
        let request = || WatchTaskRequest { task_id: id.to_owned(), cursor: cursor.clone() };
        let opened = self
            .connection
            .ask_once(async |connected| connected.tasks().watch_task(request()).await)
            .await;
        let Some(mut events) = opened else { return false };
        let mut ended = false;
        loop {
            match tokio::time::timeout(SILENT_FOR, events.message()).await {
                Ok(Ok(Some(_))) if ended => self.violates(task, "was told something after its end"),
                Ok(Ok(Some(event))) => {
                    cursor.clone_from(&event.cursor);
                    ended = self.take(task, event, text);
                }
                Ok(Ok(None)) if ended => return true,
                Ok(Ok(None)) => return false,
                Ok(Err(status)) => {
                    self.connection.judge(&status);
                    return ended;
                }
                Err(_) => {
                    self.connection.give_up();
                    return ended;
                }
            }
        }
    }

    /// True when this was the end.
    fn take(&self, task: usize, event: WatchTaskResponse, known: &mut Text) -> bool {
        match event.event {
            Some(Event::TextDelta(delta)) => {
                if delta.lease != known.lease {
                    *known = Text { lease: delta.lease, text: String::new() };
                }
                if delta.offset != known.text.len() as u64 {
                    self.violates(task, "was told a text with a hole, or a piece of it twice");
                }
                known.text.push_str(&delta.text);
            }
            Some(Event::TextSnapshot(whole)) => {
                *known = Text { lease: whole.lease, text: whole.text };
            }
            Some(Event::Ended(_)) => {
                self.shared.journal.note(format!("client: task {task} was watched to its end"));
                return true;
            }
            Some(Event::StateChanged(_)) | None => {}
        }
        false
    }

    fn violates(&self, task: usize, how: &str) {
        self.shared.journal.violation(format!("a watcher of task {task} {how}"));
    }
}

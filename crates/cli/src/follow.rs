//! One task's events, across broken connections and restarts of the supervisor.

mod transcript;

use std::{collections::VecDeque, time::Duration};

use taskfleet_proto::v1::{
    GetResultRequest, Task, TaskStateChanged, WatchTaskRequest, WatchTaskResponse,
    watch_task_response::Event as WireEvent,
};
use tonic::Streaming;

use crate::{client::Client, failure::Failure, patience::Patience};
pub(crate) use transcript::result_text;
use transcript::{Change, Transcript};

/// A restarted supervisor recovers in seconds; one that needs more than this is down.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a reader learns.
#[derive(Debug)]
pub(crate) enum Event {
    /// The task changed its state.
    State(TaskStateChanged),
    /// What was read of the text is void: another execution began it anew.
    StartedAgain,
    /// The next piece of the text; never a piece that was there before.
    Text(String),
    /// The connection broke; it is being made again.
    Interrupted,
    /// The task has ended. Always the last event.
    Ended(Box<Task>),
}

/// Follows one task.
#[derive(Debug)]
pub(crate) struct Follow {
    client: Client,
    task_id: String,
    cursor: String,
    stream: Option<Streaming<WatchTaskResponse>>,
    patience: Patience,
    transcript: Transcript,
    /// Who ran it last: an ended task runs nowhere, and people want to know.
    worker: String,
    events: VecDeque<Event>,
}

impl Follow {
    /// Follows `task_id` from what is known now on.
    pub(crate) fn new(client: Client, task_id: String) -> Self {
        Self {
            client,
            task_id,
            cursor: String::new(),
            stream: None,
            patience: Patience::new(PATIENCE),
            transcript: Transcript::default(),
            worker: String::new(),
            events: VecDeque::new(),
        }
    }

    /// Whom to ask about which task.
    pub(crate) fn target(&self) -> (Client, String) {
        (self.client.clone(), self.task_id.clone())
    }

    /// The next event. After [`Event::Ended`] there is none.
    ///
    /// # Errors
    /// When the supervisor refuses, or stays away for longer than a minute.
    pub(crate) async fn next(&mut self) -> Result<Event, Failure> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok(event);
            }
            match self.message().await? {
                Some(message) => self.take(message).await?,
                None => self.events.push_back(Event::Interrupted),
            }
        }
    }

    /// The next message as it came; `None`, once, when the connection broke.
    ///
    /// # Errors
    /// As [`Follow::next`].
    pub(crate) async fn message(&mut self) -> Result<Option<WatchTaskResponse>, Failure> {
        loop {
            match self.receive().await {
                Ok(message) => {
                    self.patience.restore();
                    self.cursor.clone_from(&message.cursor);
                    return Ok(Some(message));
                }
                Err(failure @ Failure::Unreachable { .. }) => {
                    self.stream = None;
                    let first = !self.patience.is_tried();
                    if !self.patience.pause().await {
                        return Err(failure);
                    }
                    if first {
                        return Ok(None);
                    }
                }
                Err(failure) => return Err(failure),
            }
        }
    }

    async fn receive(&mut self) -> Result<WatchTaskResponse, Failure> {
        let stream = match &mut self.stream {
            Some(stream) => stream,
            none => none.insert(open(&self.client, &self.task_id, &self.cursor).await?),
        };
        let message = stream.message().await.map_err(|status| self.client.failure(status))?;
        // Without the terminal event an end is a break: a supervisor that stops ends its streams.
        message.ok_or_else(|| self.client.unreachable("it ended the stream".to_owned()))
    }

    async fn take(&mut self, message: WatchTaskResponse) -> Result<(), Failure> {
        match message.event {
            Some(WireEvent::StateChanged(state)) => {
                if !state.worker.is_empty() {
                    self.worker.clone_from(&state.worker);
                }
                self.events.push_back(Event::State(state));
            }
            Some(WireEvent::TextDelta(delta)) => match self.transcript.delta(&delta) {
                Ok(change) => self.tell(change),
                // Text is missing: ask without a cursor, which brings all of it.
                Err(_) => {
                    self.stream = None;
                    self.cursor.clear();
                }
            },
            Some(WireEvent::TextSnapshot(snapshot)) => {
                let change = self.transcript.snapshot(&snapshot);
                self.tell(change);
            }
            Some(WireEvent::Ended(task)) => self.end(task).await?,
            None => {}
        }
        Ok(())
    }

    async fn end(&mut self, mut task: Task) -> Result<(), Failure> {
        let change = self.transcript.ended(&task);
        self.tell(change);
        if task.result.as_ref().is_some_and(|result| result.truncated) {
            let rest = self.rest_of_result().await?;
            self.events.push_back(Event::Text(rest));
        }
        if task.worker.is_empty() {
            task.worker.clone_from(&self.worker);
        }
        self.events.push_back(Event::Ended(Box::new(task)));
        Ok(())
    }

    /// What a result that is too large to stand in a message has beyond the known text.
    async fn rest_of_result(&mut self) -> Result<String, Failure> {
        let offset = self.transcript.len() as u64;
        let bytes = read_result(&self.client, &self.task_id, offset).await?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn tell(&mut self, change: Change) {
        if change.started_again {
            self.events.push_back(Event::StartedAgain);
        }
        if !change.text.is_empty() {
            self.events.push_back(Event::Text(change.text));
        }
    }
}

/// The whole text or body of an ended task.
///
/// # Errors
/// As [`Client::answer`].
pub(crate) async fn whole_result(client: &Client, task: &Task) -> Result<Vec<u8>, Failure> {
    match &task.result {
        Some(result) if result.truncated => read_result(client, &task.id, 0).await,
        Some(result) => Ok(result_text(result).into_owned().into_bytes()),
        None => Ok(Vec::new()),
    }
}

async fn read_result(client: &Client, task_id: &str, offset: u64) -> Result<Vec<u8>, Failure> {
    let request = GetResultRequest { task_id: task_id.to_owned(), offset };
    let mut stream = client.answer(client.tasks().get_result(request)).await?;
    let mut bytes = Vec::new();
    while let Some(part) = stream.message().await.map_err(|status| client.failure(status))? {
        bytes.extend_from_slice(&part.chunk);
    }
    Ok(bytes)
}

async fn open(
    client: &Client,
    task_id: &str,
    cursor: &str,
) -> Result<Streaming<WatchTaskResponse>, Failure> {
    let request = WatchTaskRequest { task_id: task_id.to_owned(), cursor: cursor.to_owned() };
    client.answer(client.tasks().watch_task(request)).await
}

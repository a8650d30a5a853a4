//! What a prompt tells the worker to do: `[do:work,wait=50,done]`.

use std::{collections::VecDeque, time::Duration};

use tonic::{Code, Status};

/// The steps of one call, in turn.
///
/// A prompt without `[do:…]` is worked on and done. Several lists, with semicolons between,
/// are for the first call with this prompt, the second, and so on; the last one repeats.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Script {
    pub(crate) steps: VecDeque<Step>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// `work`: PROCESSING.
    Work,
    /// `text=…`: PROCESSING with a result.
    Text(String),
    /// `wait=ms`: nothing for so long.
    Wait(Duration),
    /// `done`, `done=bytes`: COMPLETED with "done: " and the prompt, or so many bytes.
    Done(Option<usize>),
    /// `silent`: COMPLETED without a result.
    Silent,
    /// `both`: COMPLETED with a result and an error.
    Both,
    /// `anonymous`: COMPLETED without a task id.
    Anonymous,
    /// `other`: COMPLETED for another task.
    Other,
    /// `unknown`: a message without a status.
    Unknown,
    /// `fail=words`: FAILED.
    Fail(String),
    /// `key`: FAILED, with the key that it was handed.
    Key,
    /// `status=code`: a gRPC status, by its number.
    Status(i32),
    /// `hang`: nothing, for ever.
    Hang,
}

impl Script {
    /// The script of call number `nth` (from 0) with this prompt; the stream ends after the
    /// last step.
    ///
    /// # Errors
    /// INVALID_ARGUMENT names a step that is not known.
    pub fn read(prompt: &str, nth: usize) -> Result<Self, Status> {
        let marked = prompt.split_once("[do:").and_then(|(_, rest)| rest.split_once(']'));
        let Some((lists, _)) = marked else {
            return Ok(Self { steps: [Step::Work, Step::Done(None)].into() });
        };
        let lists: Vec<&str> = lists.split(';').collect();
        let list = lists.get(nth).or(lists.last()).copied().unwrap_or_default();
        let steps = list.split(',').filter(|step| !step.is_empty()).map(step);
        Ok(Self { steps: steps.collect::<Result<_, _>>()? })
    }

    /// Takes the wait that it begins with. Some servers send nothing, not even headers,
    /// before their first message.
    pub(crate) fn first_wait(&mut self) -> Duration {
        match self.steps.front() {
            Some(Step::Wait(wait)) => {
                let wait = *wait;
                self.steps.pop_front();
                wait
            }
            _ => Duration::ZERO,
        }
    }

    /// Takes the status that it begins with.
    pub(crate) fn first_status(&mut self) -> Option<Status> {
        match self.steps.front() {
            Some(Step::Status(code)) => Some(status(*code)),
            _ => None,
        }
    }
}

pub(crate) fn status(code: i32) -> Status {
    Status::new(Code::from_i32(code), "as the script says")
}

fn step(text: &str) -> Result<Step, Status> {
    let (name, value) = text.split_once('=').unwrap_or((text, ""));
    let wrong = |_| Status::invalid_argument(format!("{text} has no number"));
    Ok(match name {
        "work" => Step::Work,
        "text" => Step::Text(value.to_owned()),
        "wait" => Step::Wait(Duration::from_millis(value.parse().map_err(wrong)?)),
        "done" if value.is_empty() => Step::Done(None),
        "done" => Step::Done(Some(value.parse().map_err(wrong)?)),
        "silent" => Step::Silent,
        "both" => Step::Both,
        "anonymous" => Step::Anonymous,
        "other" => Step::Other,
        "unknown" => Step::Unknown,
        "fail" => Step::Fail(value.to_owned()),
        "key" => Step::Key,
        "status" => Step::Status(value.parse().map_err(wrong)?),
        "hang" => Step::Hang,
        _ => return Err(Status::invalid_argument(format!("{name} is no step"))),
    })
}

//! The wire's values in words for people.

use std::time::Duration;

use console::{StyledObject, style};
use prost_types::Timestamp;
use taskfleet_proto::{
    v1::{self, TaskState, WorkerState},
    worker::{self, FailureKind},
};
use taskfleet_runtime::Clock;

/// "TASK_STATE_RUNNING" without its prefix, in lower case: "running".
pub(crate) fn short(name: &str, prefix: &str) -> String {
    name.trim_start_matches(prefix).to_lowercase().replace('_', " ")
}

/// A task's state, in colour where there is one.
pub(crate) fn task_state(state: TaskState) -> StyledObject<String> {
    let word = style(short(state.as_str_name(), "TASK_STATE_"));
    match state {
        TaskState::Completed => word.green(),
        TaskState::Failed => word.red(),
        TaskState::Running => word.cyan(),
        TaskState::Cancelled => word.yellow(),
        TaskState::Queued | TaskState::Unspecified => word,
    }
}

/// A worker's state, in colour where there is one.
pub(crate) fn worker_state(state: WorkerState) -> StyledObject<String> {
    let word = style(short(state.as_str_name(), "WORKER_STATE_"));
    match state {
        WorkerState::Ready => word.green(),
        WorkerState::Lost | WorkerState::SetAside => word.red(),
        WorkerState::Suspect | WorkerState::Draining | WorkerState::NotServing => word.yellow(),
        WorkerState::Connecting | WorkerState::Unspecified => word,
    }
}

/// A failure's kind by the name that it has in logs and documents; empty for none.
pub(crate) fn kind(kind: FailureKind) -> &'static str {
    kind.known().map_or("", |kind| kind.name())
}

/// Whether a task has ended.
pub(crate) fn is_ended(state: TaskState) -> bool {
    matches!(state, TaskState::Completed | TaskState::Failed | TaskState::Cancelled)
}

/// A duration as people say it: "0.4 s", "12 s", "3 min", "2.5 h", "4 d".
pub(crate) fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    match seconds {
        ..10.0 => format!("{seconds:.1} s"),
        ..120.0 => format!("{seconds:.0} s"),
        ..7_200.0 => format!("{:.0} min", seconds / 60.0),
        ..172_800.0 => format!("{:.1} h", seconds / 3_600.0),
        _ => format!("{:.0} d", seconds / 86_400.0),
    }
}

/// How long after `from` `to` was; `None` when one of them is unknown.
pub(crate) fn between(from: Option<Timestamp>, to: Option<Timestamp>) -> Option<Duration> {
    Some(Duration::from_millis(millis(to?).saturating_sub(millis(from?))))
}

/// A moment with its distance from now: "2026-11-22T08:41:28Z (3 s ago)"; empty for none.
pub(crate) fn moment(at: Option<Timestamp>) -> String {
    let Some(at) = at else { return String::new() };
    let now = Clock::system().unix_millis();
    let (past, future) = (now.saturating_sub(millis(at)), millis(at).saturating_sub(now));
    let distance = match future {
        0 => format!("{} ago", duration(Duration::from_millis(past))),
        _ => format!("in {}", duration(Duration::from_millis(future))),
    };
    format!("{} ({distance})", Timestamp { nanos: 0, ..at })
}

/// How long ago that was: "3 min ago"; empty for no moment.
pub(crate) fn ago(at: Option<Timestamp>) -> String {
    let now = Clock::system().unix_millis();
    let past = at.map(|at| Duration::from_millis(now.saturating_sub(millis(at))));
    past.map(|past| format!("{} ago", duration(past))).unwrap_or_default()
}

/// How long it still is until `at`; zero when it has passed.
pub(crate) fn until(at: Timestamp) -> Duration {
    Duration::from_millis(millis(at).saturating_sub(Clock::system().unix_millis()))
}

fn millis(at: Timestamp) -> u64 {
    let millis = at.seconds.saturating_mul(1_000).saturating_add(i64::from(at.nanos / 1_000_000));
    u64::try_from(millis).unwrap_or(0)
}

/// Tokens in and out: "12 + 24"; empty when they are not known.
pub(crate) fn tokens(usage: Option<&worker::Usage>) -> String {
    usage
        .map(|usage| format!("{} + {}", usage.input_tokens, usage.output_tokens))
        .unwrap_or_default()
}

/// Why a queued task waits: "no free slot: all 64 slots are in use, until …".
pub(crate) fn waiting(waiting: &v1::Waiting) -> String {
    let reason = short(waiting.reason().as_str_name(), "WAIT_REASON_");
    let detail =
        if waiting.detail.is_empty() { String::new() } else { format!(": {}", waiting.detail) };
    let until = waiting.until.map(|at| format!(", for {}", duration(until(at))));
    format!("{reason}{detail}{}", until.unwrap_or_default())
}

/// What has happened so far: "2 failed attempts, 1 throttle"; empty for nothing.
pub(crate) fn counters(counters: &v1::Counters) -> String {
    let counted = [
        (counters.attempts, "failed attempt", "failed attempts"),
        (counters.worker_losses, "worker lost", "workers lost"),
        (counters.throttles, "throttle", "throttles"),
        (counters.requeues, "requeue", "requeues"),
    ];
    let said = counted
        .iter()
        .filter(|(count, ..)| *count > 0)
        .map(|(count, one, many)| format!("{count} {}", if *count == 1 { one } else { many }));
    said.collect::<Vec<_>>().join(", ")
}

/// A size as people say it: "512 bytes", "3.4 MiB".
pub(crate) fn bytes(bytes: u64) -> String {
    let size = bytes as f64 / 1_024.0;
    match size {
        ..1.0 => counted(bytes, "byte"),
        ..1_024.0 => format!("{size:.1} KiB"),
        ..1_048_576.0 => format!("{:.1} MiB", size / 1_024.0),
        _ => format!("{:.1} GiB", size / 1_048_576.0),
    }
}

/// The words with a capital at their beginning.
pub(crate) fn capital(words: &str) -> String {
    let mut rest = words.chars();
    rest.next().map(|first| first.to_uppercase().chain(rest).collect()).unwrap_or_default()
}

/// How a task ended, on one line: "completed on worker-1 by gpt-4o in 1.2 s, 12 + 24 tokens".
pub(crate) fn ending(task: &v1::Task) -> String {
    let result = task.result.clone().unwrap_or_default();
    let mut words = task_state(task.state()).for_stderr().to_string();
    let mut add = |before: &str, value: &str, after: &str| {
        if !value.is_empty() {
            words.push_str(&format!("{before}{value}{after}"));
        }
    };
    add(" on ", &task.worker, "");
    add(" by ", &result.served_model, "");
    add(" in ", &between(task.created_at, task.finished_at).map(duration).unwrap_or_default(), "");
    add(", ", &tokens(result.usage.as_ref()), " tokens");
    add(": ", kind(result.kind()), "");
    add(": ", &result.error, "");
    words
}

/// "1 line", "2 lines", with commas in what is large.
pub(crate) fn counted(count: u64, one: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {one}{plural}", grouped(count))
}

/// A number with commas between its thousands.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_and_nouns_agree() {
        assert_eq!(counted(1, "task"), "1 task");
        assert_eq!(counted(999, "task"), "999 tasks");
        assert_eq!(counted(1_234_567, "line"), "1,234,567 lines");
    }

    #[test]
    fn durations_are_short() {
        let said = |millis| duration(Duration::from_millis(millis));
        assert_eq!(said(420), "0.4 s");
        assert_eq!(said(42_000), "42 s");
        assert_eq!(said(300_000), "5 min");
        assert_eq!(said(9_000_000), "2.5 h");
        assert_eq!(said(864_000_000), "10 d");
    }

    #[test]
    fn an_ending_says_what_is_known() {
        let mut task = v1::Task { worker: "worker-1".into(), ..v1::Task::default() };
        task.set_state(TaskState::Failed);
        let mut result = v1::TaskResult { error: "status 401".into(), ..v1::TaskResult::default() };
        result.set_kind(FailureKind::Authentication);
        task.result = Some(result);
        let words = console::strip_ansi_codes(&ending(&task)).into_owned();
        assert_eq!(words, "failed on worker-1: authentication: status 401");
    }
}

//! Every limit that the rules name, in one place.

use std::time::Duration;

/// Worker losses after which a task fails as `worker_lost`.
pub const MAX_WORKER_LOSSES: u32 = 5;
/// From this loss on a task runs alone on a worker, so that a task which kills workers
/// takes no neighbours along.
pub const LOSSES_TO_RUN_ALONE: u32 = 2;
/// Hand-backs and refusals after which a task fails as `internal`: they cost nothing, so
/// nothing else would end a loop of them.
pub const MAX_REQUEUES: u32 = 20;
/// A provider's Retry-After is believed up to this.
pub const MAX_RETRY_AFTER: Duration = Duration::from_secs(600);

/// How long a worker holds an outcome that nobody settles, and how long a supervisor leaves
/// with workers what another copy of its store gave out.
pub const HOLD_UNSETTLED: Duration = Duration::from_secs(3_600);

/// The largest content or request body, in bytes.
pub const MAX_CONTENT_BYTES: usize = 8 << 20;
/// What stands around content or body in the request to a worker, in bytes at most, but for
/// the model's name and a long trace state.
pub const REQUEST_OVERHEAD_BYTES: u64 = 512;
/// The largest result, in bytes.
pub const MAX_RESULT_BYTES: usize = 16 << 20;
/// The most tasks in one submission.
pub const MAX_BATCH_TASKS: usize = 10_000;
/// The largest submission of many tasks, in bytes.
pub const MAX_BATCH_BYTES: usize = 64 << 20;

/// Tasks on a page of a list, unless the client says otherwise.
pub const DEFAULT_PAGE_TASKS: u32 = 100;
/// The most tasks on a page of a list.
pub const MAX_PAGE_TASKS: u32 = 1_000;

/// Priorities: from this (last) …
pub const MIN_PRIORITY: i32 = -100;
/// … to this (first).
pub const MAX_PRIORITY: i32 = 100;

/// How long one attempt may take, unless the task says otherwise.
pub const DEFAULT_ATTEMPT_TIMEOUT: Duration = Duration::from_secs(120);
/// The shortest attempt timeout and deadline.
pub const MIN_TIMEOUT: Duration = Duration::from_secs(1);
/// The longest attempt timeout.
pub const MAX_ATTEMPT_TIMEOUT: Duration = Duration::from_secs(3_600);
/// From submission to the end, unless the task says otherwise.
pub const DEFAULT_DEADLINE: Duration = Duration::from_secs(24 * 3_600);
/// The longest deadline.
pub const MAX_DEADLINE: Duration = Duration::from_secs(30 * 24 * 3_600);

/// Attempts unless the task says otherwise.
pub const DEFAULT_ATTEMPTS: u32 = 3;
/// The most attempts that a task may ask for.
pub const MAX_ATTEMPTS: u32 = 20;

/// Executions at once on a worker, unless it says otherwise.
pub const DEFAULT_SLOTS: u32 = 64;
/// The most executions at once on a worker.
pub const MAX_SLOTS: u32 = 10_000;

//! The supervisor: accepts tasks, keeps them, hands them to workers, and recovers.
//!
//! A task's way: [`grpc`](self) converts it once, `intake` commits it, `dispatcher` decides
//! (with `board`, what waits and who has room) and commits the claim, `execution` follows it
//! on a worker of the `fleet`, the outcome is applied through `engine`, and `hub` shows it to
//! watchers. `recovery` and `sweep` find what a crash or a missed notification left behind.

mod board;
mod dispatcher;
mod engine;
mod execution;
mod executions;
mod fleet;
mod grpc;
mod hub;
mod intake;
mod local;
mod metrics;
mod pace;
mod process;
mod recovery;
mod retention;
mod settings;
mod spans;
mod superseded;
mod supervisor;
mod sweep;
mod trust;
mod watchdog;

pub use process::{WorkerProgram, run_process};
pub use settings::{Settings, StaticWorker};
pub use supervisor::{Error, Parts, SHUTDOWN_BUDGET, Supervisor};

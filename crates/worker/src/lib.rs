//! A worker: an agent that serves `worker.WorkerService/ProcessTask` and runs each task as
//! one call to an OpenAI-compatible API.
//!
//! - [`api`]: the model API behind one trait, and [`OpenAi`], which speaks it over HTTP;
//! - `executions`: what runs and what is held, each (task, lease) once: the rules are
//!   `taskfleet_core::execution`, here they meet tasks, time and readers;
//! - `service` and `control`: the two gRPC services, ProcessTask and WorkerControl;
//! - `membership`: registers with the supervisor, for ever, and sends heartbeats;
//! - `metrics`: what is measured;
//! - `shutdown`: what a clean stop does, in order, and how long each step may take;
//! - [`Worker`] puts them together: bind, then run; [`run_process`] is the whole program.
//!
//! The network is a parameter ([`Parts`]): a simulated one fits, and so does a simulated API.

pub mod api;
mod control;
mod error;
mod executions;
mod membership;
mod metrics;
mod process;
mod service;
mod settings;
mod shutdown;
mod worker;

pub use api::openai::OpenAi;
pub use error::Error;
pub use process::run_process;
pub use settings::{ApiSettings, Settings};
pub use shutdown::{SHUTDOWN_BUDGET, Stop};
pub use worker::{Parts, Worker};

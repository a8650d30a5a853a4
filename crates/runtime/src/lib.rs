//! The chassis that the services are bolted onto. It knows no domain type.
//!
//! - [`Clock`] and [`Entropy`]: time and randomness, injected;
//! - [`transport`]: listeners, connectors, and links that never reconnect behind one's back;
//! - [`Tasks`]: background tasks, each with an owner and a word on what its end means;
//! - [`Threads`], [`process`] and [`signals`]: how a service starts, when it stops, how it ends;
//! - [`patience`]: time limits that do not blame others for our own pauses;
//! - [`trace`]: spans of what is over;
//! - [`metrics`] and [`http`]: what a service measures, and where it tells of itself;
//! - [`health`], [`telemetry`], [`settings`], [`files`].

mod clock;
mod entropy;
pub mod files;
pub mod health;
pub mod http;
mod memory;
pub mod metrics;
pub mod patience;
pub mod process;
pub mod settings;
pub mod signals;
mod tasks;
pub mod telemetry;
mod threads;
pub mod trace;
pub mod transport;

pub use clock::Clock;
pub use entropy::Entropy;
/// For every program's `#[global_allocator]`. A task is some hundred small pieces of memory, made on
/// one thread and freed on another: the system's allocator takes about a tenth longer for all.
pub use mimalloc::MiMalloc as Allocator;
pub use tasks::{Finished, Tasks};
pub use threads::Threads;

//! The services, as clients, operators and workers see them.

mod backup;
mod bodies;
mod cancel;
mod cursor;
mod fleet_service;
mod list;
mod refusals;
mod registry;
mod retry;
pub(crate) mod status;
mod task_service;
mod view;
mod waiting;
mod watch;

pub(crate) use bodies::{Bodies, Bounded, Room};
pub(crate) use fleet_service::{FleetApi, workers};
pub(crate) use registry::RegistryApi;
pub(crate) use task_service::TaskApi;

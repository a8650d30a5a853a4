//! The services, as clients, operators and workers see them.

mod cursor;
mod fleet_service;
mod registry;
pub(crate) mod status;
mod task_service;
mod view;
mod watch;

pub(crate) use fleet_service::FleetApi;
pub(crate) use registry::RegistryApi;
pub(crate) use task_service::TaskApi;

//! Workers on the same machine, started by the supervisor and watched by the same
//! registration and probes as any other.
//!
//! They outlive a supervisor that is killed or stopped, so that no call is repeated because of
//! it. Its successor finds them by a mark in their environment (Linux' /proc), counts them, and
//! starts only what is missing. One that finds no supervisor for a minute ends itself, once it
//! holds nothing.

mod marked;
mod place;
mod starter;

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc};

use futures::future::join_all;
use rustix::process::Signal;

use crate::engine::Engine;
use marked::{Mark, Marked};
use place::Place;
use starter::Starter;

pub(crate) use marked::{Home, is_local};

/// Keeps as many local workers running as the settings say, until the supervisor stops.
pub(crate) async fn keep(engine: Arc<Engine>, listens: SocketAddr) {
    let wanted = u32::from(engine.settings.local_workers);
    let mut found = find(&engine, wanted);
    if !found.is_empty() {
        tracing::info!(count = found.len(), "found local workers of an earlier supervisor");
    }
    let starter = Arc::new(Starter::new(&engine, listens));
    let places = (1..=wanted).map(|number| {
        let place = Place::new(engine.clone(), starter.clone(), number);
        place.keep(found.remove(&number))
    });
    join_all(places).await;
    engine.tasks.stopping().await;
}

/// The process of each place that is filled already. Those beyond the wanted number are asked
/// to end.
fn find(engine: &Engine, wanted: u32) -> BTreeMap<u32, Marked> {
    let mut found = BTreeMap::new();
    for one in marked::find(&engine.home) {
        let (number, pid) = (one.number, one.pid);
        if number > wanted || found.contains_key(&number) {
            tracing::info!(number, pid, "a local worker is one too many: it is asked to end");
            one.mark.signal(pid, Signal::TERM);
        } else {
            found.insert(number, one);
        }
    }
    found
}

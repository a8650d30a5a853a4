//! Memory for requests: what all clients together may have sent and not yet been answered for.
//!
//! Without this bound a few dozen clients with submissions of 64 MiB would end the process for
//! everybody. The first bytes of each request come from a reserve, so that single tasks are
//! taken while large submissions fill the rest; and no connection gets more than its share.

use std::{
    collections::{HashMap, hash_map::Entry},
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Sleep, sleep};
use tonic::{
    Code, Status, codegen::Service, server::NamedService, transport::server::TcpConnectInfo,
};
use tonic_types::{ErrorDetails, StatusExt};

use crate::supervisor::MAX_REQUEST_BYTES;

/// So much of each request comes from the reserve.
const SMALL_REQUEST: usize = 64 << 10;
/// Bytes that are counted for a request however small it is: its stream, its place in queues.
const LEAST: usize = 1 << 10;
/// The reserve, in bytes.
const RESERVE: usize = 32 << 20;
/// What goes beyond the reserve, in bytes. Decoded and on its way to the disk a request takes
/// up to four times this.
const BEYOND: usize = 2 * MAX_REQUEST_BYTES;
/// How long one request may take to arrive.
const ARRIVES_WITHIN: Duration = Duration::from_secs(120);
/// When to ask again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The bytes of all requests that are under way. Clones are the same one.
#[derive(Clone, Default)]
pub(crate) struct Bodies {
    taken: Arc<Mutex<Taken>>,
}

#[derive(Default)]
struct Taken {
    all: Share,
    /// By connection, which its peer's address names.
    peers: HashMap<Option<SocketAddr>, Share>,
}

/// Bytes of the reserve, and of the rest.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Share {
    reserve: usize,
    beyond: usize,
}

/// What one request takes. It is given back when the last clone is dropped.
#[derive(Clone)]
pub(crate) struct Room(Arc<Mutex<Held>>);

struct Held {
    bodies: Bodies,
    peer: Option<SocketAddr>,
    bytes: usize,
}

impl Bodies {
    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn room(&self, peer: Option<SocketAddr>) -> Room {
        Room(Arc::new(Mutex::new(Held { bodies: self.clone(), peer, bytes: 0 })))
    }
}

impl Share {
    const fn of(bytes: usize) -> Self {
        let reserve = if bytes < SMALL_REQUEST { bytes } else { SMALL_REQUEST };
        Self { reserve, beyond: bytes - reserve }
    }

    const fn plus(self, more: Self) -> Self {
        Self { reserve: self.reserve + more.reserve, beyond: self.beyond + more.beyond }
    }

    const fn minus(self, less: Self) -> Self {
        Self { reserve: self.reserve - less.reserve, beyond: self.beyond - less.beyond }
    }

    const fn fits(self, reserve: usize, beyond: usize) -> bool {
        self.reserve <= reserve && self.beyond <= beyond
    }
}

impl Room {
    /// Takes `bytes` more.
    fn take(&self, bytes: usize) -> Result<(), Status> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let total = held.bytes + bytes;
        let more = Share::of(total).minus(Share::of(held.bytes));
        let mut taken = held.bodies.lock();
        let all = taken.all.plus(more);
        let own = taken.peers.get(&held.peer).copied().unwrap_or_default().plus(more);
        // Of each connection's share a whole submission fits into the rest.
        if !all.fits(RESERVE, BEYOND) || !own.fits(RESERVE / 2, BEYOND / 2) {
            return Err(too_much());
        }
        taken.all = all;
        taken.peers.insert(held.peer, own);
        drop(taken);
        held.bytes = total;
        Ok(())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let share = Share::of(self.bytes);
        let mut taken = self.bodies.lock();
        taken.all = taken.all.minus(share);
        if let Entry::Occupied(mut peer) = taken.peers.entry(self.peer) {
            let left = peer.get().minus(share);
            if left == Share::default() {
                peer.remove();
            } else {
                peer.insert(left);
            }
        }
    }
}

fn too_much() -> Status {
    let problem = "too many bytes of requests are under way: ask again later, with the same \
                   idempotency key";
    let details = ErrorDetails::with_retry_info(Some(RETRY_AFTER));
    Status::with_error_details(Code::ResourceExhausted, problem, details)
}

/// A service whose requests need room. They carry it in their extensions as [`Room`].
#[derive(Clone)]
pub(crate) struct Bounded<S> {
    inner: S,
    bodies: Bodies,
}

impl<S> Bounded<S> {
    pub(crate) fn new(inner: S, bodies: Bodies) -> Self {
        Self { inner, bodies }
    }
}

impl<S: NamedService> NamedService for Bounded<S> {
    const NAME: &'static str = S::NAME;
}

type Request = http::Request<tonic::body::Body>;

impl<S: Service<Request>> Service<Request> for Bounded<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> S::Future {
        let (mut parts, body) = request.into_parts();
        let peer = parts.extensions.get::<TcpConnectInfo>().and_then(TcpConnectInfo::remote_addr);
        let room = self.bodies.room(peer);
        parts.extensions.insert(room.clone());
        let body = Arriving { body, room, unpaid: LEAST, late: None };
        self.inner.call(http::Request::from_parts(parts, tonic::body::Body::new(body)))
    }
}

/// A body that takes room as it arrives.
struct Arriving {
    body: tonic::body::Body,
    room: Room,
    /// Bytes that no room was taken for yet.
    unpaid: usize,
    late: Option<Pin<Box<Sleep>>>,
}

impl Body for Arriving {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let unpaid = std::mem::take(&mut self.unpaid);
        self.room.take(unpaid)?;
        let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) else {
            let late = self.late.get_or_insert_with(|| Box::pin(sleep(ARRIVES_WITHIN)));
            ready!(late.as_mut().poll(cx));
            let problem = format!("the request did not arrive within {ARRIVES_WITHIN:?}");
            return Poll::Ready(Some(Err(Status::deadline_exceeded(problem))));
        };
        if let Some(Ok(frame)) = &frame {
            self.room.take(frame.data_ref().map_or(0, Bytes::len))?;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1 << 20;

    fn peer(port: u16) -> Option<SocketAddr> {
        Some(SocketAddr::from(([127, 0, 0, 1], port)))
    }

    #[test]
    fn one_connection_fills_its_share_and_leaves_room_for_others() {
        let bodies = Bodies::default();
        let large: Vec<Room> = (0..9).map(|_| bodies.room(peer(1))).collect();
        let taken = large.iter().filter(|room| room.take(8 * MIB).is_ok()).count();
        assert_eq!(taken, 9, "a whole submission fits");
        let refused = bodies.room(peer(1)).take(8 * MIB).unwrap_err();
        assert_eq!(refused.code(), Code::ResourceExhausted);
        assert!(refused.get_error_details().retry_info().is_some());
        assert!(bodies.room(peer(1)).take(SMALL_REQUEST).is_ok(), "single tasks are taken");
        assert!(bodies.room(peer(2)).take(8 * MIB).is_ok(), "others are not concerned");
        drop(large);
        assert!(bodies.room(peer(1)).take(8 * MIB).is_ok(), "room is given back");
    }

    #[test]
    fn all_connections_together_fill_the_whole_and_leave_the_reserve() {
        let bodies = Bodies::default();
        let rooms: Vec<Room> = (0..40).map(|port| bodies.room(peer(port))).collect();
        let taken = rooms.iter().filter(|room| room.take(16 * MIB).is_ok()).count();
        assert_eq!(taken, BEYOND / (16 * MIB - SMALL_REQUEST));
        assert!(bodies.room(peer(99)).take(LEAST).is_ok());
        drop(rooms);
        let taken = bodies.lock();
        assert_eq!((taken.all, taken.peers.len()), (Share::default(), 0), "nothing is left over");
    }
}

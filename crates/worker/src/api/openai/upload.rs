//! A request's body that says when it is sent.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use reqwest::Body;
use taskfleet_core::failure::Delivery;

use crate::api::Progress;

/// A body that notes when it is asked for: that is when there is a connection and the request
/// goes out. What fails or runs out of time before cost nothing, what does so after may have.
pub(super) struct Upload {
    inner: Body,
    progress: Arc<Progress>,
}

impl Upload {
    pub(super) fn new(body: Body, progress: Arc<Progress>) -> Self {
        Self { inner: body, progress }
    }
}

impl http_body::Body for Upload {
    type Data = Bytes;
    type Error = reqwest::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, reqwest::Error>>> {
        self.progress.reached(Delivery::Sent);
        Pin::new(&mut self.inner).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

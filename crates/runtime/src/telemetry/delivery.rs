//! Says when spans do not arrive: once, not with each batch.

use std::{
    fmt,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{SpanData, SpanExporter},
};

/// An exporter that tells when its collector goes away and when it is back.
pub(super) struct Telling<E> {
    inner: E,
    failing: AtomicBool,
}

impl<E> Telling<E> {
    pub(super) fn new(inner: E) -> Self {
        Self { inner, failing: AtomicBool::new(false) }
    }

    fn tell(&self, result: &OTelSdkResult) {
        let failing = result.is_err();
        if failing == self.failing.swap(failing, Ordering::Relaxed) {
            return;
        }
        match result {
            Err(error) => tracing::warn!(%error, "spans do not reach their collector"),
            Ok(()) => tracing::info!("spans reach their collector again"),
        }
    }
}

impl<E: SpanExporter> SpanExporter for Telling<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let result = self.inner.export(batch).await;
        self.tell(&result);
        result
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}

impl<E> fmt::Debug for Telling<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Telling")
    }
}

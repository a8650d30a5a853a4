//! Whatever bytes come in at whatever method: an answer that blames nobody inside, and a
//! service that goes on.

#![cfg(test)]

mod message;
mod method;
mod services;

use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::{collection::vec, prelude::*};
use tonic::Code;

use message::message;
use method::{Method, methods};
use services::Services;

/// Panics anywhere in this process, also where nobody waits for the answer.
static PANICS: AtomicUsize = AtomicUsize::new(0);

fn count_panics() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        PANICS.fetch_add(1, Ordering::Relaxed);
        before(panic);
    }));
}

/// Any method, and bytes for it made from any other bytes.
fn calls(make: fn(&Method, &[u8]) -> Vec<u8>) -> impl Strategy<Value = (Method, Vec<u8>)> {
    let method = proptest::sample::select(methods());
    (method, vec(any::<u8>(), 0..160)).prop_map(move |(method, bytes)| {
        let message = make(&method, &bytes);
        (method, message)
    })
}

fn is_bearable(code: Code) -> bool {
    !matches!(code, Code::Internal | Code::Unknown | Code::DataLoss)
}

fn bear(make: fn(&Method, &[u8]) -> Vec<u8>, cases: u32) {
    count_panics();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let services = runtime.block_on(Services::start());
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases) };
    proptest!(config, |((method, message) in calls(make))| {
        let code = runtime.block_on(services.send(&method, &message));
        prop_assert!(is_bearable(code), "{}: {code:?} for {message:?}", method.path);
        prop_assert_eq!(PANICS.load(Ordering::Relaxed), 0);
    });
    runtime.block_on(services.assert_serving());
    assert_eq!(PANICS.load(Ordering::Relaxed), 0);
}

#[test]
fn random_bytes_harm_no_service() {
    bear(|_, bytes| bytes.to_vec(), 600);
}

#[test]
fn messages_with_random_fields_harm_no_service() {
    bear(|method, bytes| message(&method.input, bytes), 1_200);
}

#[test]
fn a_request_that_is_no_message_is_its_senders_mistake() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let services = runtime.block_on(Services::start());
    for method in methods() {
        // A field of a wire type that does not exist.
        let code = runtime.block_on(services.send(&method, &[0x0f, 0xff]));
        assert_eq!(code, Code::InvalidArgument, "{}", method.path);
    }
}

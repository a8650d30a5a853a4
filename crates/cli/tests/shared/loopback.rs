//! Addresses that stay with their test, for servers that come back where they were.

use std::sync::atomic::{AtomicU32, Ordering};

/// Where a server of a test listens, with a port of the system's choice.
///
/// Linux has 16 million loopback addresses. Everybody else listens on and connects from
/// 127.0.0.1, so on an address of its own a port stays free while its server is away.
pub(crate) fn own_address() -> String {
    static TAKEN: AtomicU32 = AtomicU32::new(0);
    if !cfg!(target_os = "linux") {
        return "127.0.0.1:0".to_owned();
    }
    let number = TAKEN.fetch_add(1, Ordering::Relaxed);
    // Spread by the golden ratio: tests in neighbouring processes get addresses far apart.
    let spread = std::process::id().wrapping_mul(0x9E37_79B1).wrapping_add(number);
    let [high, middle, low, _] = spread.to_le_bytes();
    // Neither 127.0.0.x, where everybody is, nor the broadcast address.
    format!("127.{}.{middle}.{low}:0", 1 + high % 254)
}

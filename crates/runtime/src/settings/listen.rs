//! Where a service listens.

use std::net::SocketAddr;

use serde::{Deserialize, Deserializer, de::Error};

/// IP:port. A name is refused: it may stand for several addresses, and one must not be picked
/// by chance.
///
/// # Errors
/// Says what would be right.
pub fn listen<'de, D: Deserializer<'de>>(input: D) -> Result<SocketAddr, D::Error> {
    let text = String::deserialize(input)?;
    let wrong = |_| {
        let right = "127.0.0.1:50051, [::1]:50051 or 0.0.0.0:50051";
        D::Error::custom(format!("\"{text}\" must be IP:port and no name, such as {right}"))
    };
    text.trim().parse().map_err(wrong)
}

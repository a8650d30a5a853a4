//! A worker's registration, from the wire: the one place where what workers say of
//! themselves is checked.

use std::{net::IpAddr, ops::RangeInclusive};

use taskfleet_core::{BootId, limits};

use crate::{FieldError, parse_id, v1};

/// What a worker says of itself, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// For people; the address where it gave none.
    pub name: String,
    /// host:port to dial.
    pub address: String,
    /// The process; `None`: whoever answers at the address.
    pub boot_id: Option<BootId>,
    /// Executions at once, 1 to 10,000.
    pub slots: u32,
    /// Models that it serves; none: any.
    pub models: Vec<String>,
    /// What it knows.
    pub features: Vec<String>,
    /// The largest request that it takes, in bytes.
    pub max_request_bytes: u64,
    /// A fingerprint of the account that it spends.
    pub account: String,
    /// Of its software.
    pub version: String,
    /// A fingerprint of the model API's address.
    pub provider: String,
    /// The local worker that it says it is.
    pub local: Option<v1::LocalProcess>,
}

/// What a worker takes that announced nothing: gRPC's own default.
const DEFAULT_REQUEST_BYTES: u64 = 4 << 20;
/// Less holds no task; more holds no gRPC message.
const REQUEST_BYTES: RangeInclusive<u64> = 1 << 10..=u32::MAX as u64;
const MAX_NAME: usize = 128;
const MAX_HOST: usize = 249;
const MAX_MODELS: usize = 1_000;
const MAX_MODEL: usize = 256;
const MAX_FEATURES: usize = 64;
const MAX_FEATURE: usize = 64;
const MAX_FINGERPRINT: usize = 64;
const MAX_VERSION: usize = 64;

/// What a worker at `peer` registers as.
///
/// # Errors
/// Every field that is wrong.
pub fn read_registration(
    wire: v1::RegisterRequest,
    peer: Option<IpAddr>,
) -> Result<Registration, Vec<FieldError>> {
    let mut errors = Vec::new();
    check_sizes(&wire, &mut errors);
    let address = kept(reachable_address(&wire.address, peer), &mut errors);
    let boot_id = kept(announced(&wire.boot_id), &mut errors);
    let (Some(address), Some(boot_id), true) = (address, boot_id, errors.is_empty()) else {
        return Err(errors);
    };
    let announced = wire.max_request_bytes;
    Ok(Registration {
        name: if wire.name.is_empty() { address.clone() } else { wire.name },
        address,
        boot_id,
        slots: wire.slots,
        models: wire.models,
        features: wire.features,
        max_request_bytes: if announced == 0 { DEFAULT_REQUEST_BYTES } else { announced },
        account: wire.account,
        version: wire.version,
        provider: wire.provider,
        local: wire.local,
    })
}

/// Who registers a worker for somebody else need not know its boot_id, and a worker that
/// knows the published messages only has none.
fn announced(boot_id: &str) -> Result<Option<BootId>, FieldError> {
    if boot_id.is_empty() {
        return Ok(None);
    }
    let boot_id: BootId = parse_id("boot_id", boot_id)?;
    if boot_id.is_of_connection() {
        let problem = "is of the kind that a supervisor mints for connections";
        return Err(FieldError::new("boot_id", problem));
    }
    Ok(Some(boot_id))
}

fn kept<T>(result: Result<T, FieldError>, errors: &mut Vec<FieldError>) -> Option<T> {
    result.map_err(|error| errors.push(error)).ok()
}

fn check_sizes(wire: &v1::RegisterRequest, errors: &mut Vec<FieldError>) {
    let mut wrong = |field: &str, problem: String| errors.push(FieldError::new(field, problem));
    if !(1..=limits::MAX_SLOTS).contains(&wire.slots) {
        wrong("slots", format!("must be from 1 to {}", limits::MAX_SLOTS));
    }
    if wire.max_request_bytes != 0 && !REQUEST_BYTES.contains(&wire.max_request_bytes) {
        let (from, to) = (REQUEST_BYTES.start(), REQUEST_BYTES.end());
        wrong("max_request_bytes", format!("must be from {from} to {to}, or 0 for 4 MiB"));
    }
    let texts = [
        ("name", &wire.name, MAX_NAME),
        ("account", &wire.account, MAX_FINGERPRINT),
        ("provider", &wire.provider, MAX_FINGERPRINT),
        ("version", &wire.version, MAX_VERSION),
    ];
    for (field, text, max) in texts {
        if !is_plain(text, max) {
            wrong(field, format!("must be at most {max} bytes, without control characters"));
        }
    }
    let lists = [
        ("models", &wire.models, MAX_MODELS, MAX_MODEL),
        ("features", &wire.features, MAX_FEATURES, MAX_FEATURE),
    ];
    for (field, list, most, max) in lists {
        let fit = |text: &String| !text.is_empty() && is_plain(text, max);
        if list.len() > most || !list.iter().all(fit) {
            let problem = format!(
                "must have at most {most} entries, each of 1 to {max} bytes, without control \
                 characters"
            );
            wrong(field, problem);
        }
    }
}

/// Fit for a line of a log and a cell of a table.
fn is_plain(text: &str, max: usize) -> bool {
    text.len() <= max && !text.chars().any(char::is_control)
}

/// The advertised address, or the peer's with the advertised port.
fn reachable_address(address: &str, peer: Option<IpAddr>) -> Result<String, FieldError> {
    let wrong = || {
        let problem = "must be host:port, or :port for the caller's host, with a port from 1 to \
                       65535, and at most 255 bytes";
        FieldError::new("address", problem)
    };
    let (host, port) = address.rsplit_once(':').ok_or_else(wrong)?;
    let port: u16 = port.parse().ok().filter(|port| *port > 0).ok_or_else(wrong)?;
    match (host, peer) {
        ("", None) => Err(wrong()),
        ("", Some(IpAddr::V6(peer))) => Ok(format!("[{peer}]:{port}")),
        ("", Some(IpAddr::V4(peer))) => Ok(format!("{peer}:{port}")),
        (host, _) if is_host(host) => Ok(format!("{host}:{port}")),
        _ => Err(wrong()),
    }
}

/// A name, an IPv4 address, or an IPv6 address in brackets; neither a path nor a password.
fn is_host(host: &str) -> bool {
    if let Some(inner) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return inner.parse::<std::net::Ipv6Addr>().is_ok();
    }
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    host.len() <= MAX_HOST && host.bytes().all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> v1::RegisterRequest {
        v1::RegisterRequest {
            address: ":50052".into(),
            boot_id: BootId::from_bytes([1; 16]).to_string(),
            slots: 1,
            ..v1::RegisterRequest::default()
        }
    }

    fn read(wire: v1::RegisterRequest) -> Result<Registration, Vec<FieldError>> {
        read_registration(wire, Some(IpAddr::from([10, 0, 0, 7])))
    }

    fn fields(wire: v1::RegisterRequest) -> Vec<String> {
        read(wire).unwrap_err().into_iter().map(|error| error.field).collect()
    }

    #[test]
    fn what_is_left_out_is_filled_in() {
        let registration = read(good()).unwrap();
        assert_eq!(registration.address, "10.0.0.7:50052");
        assert_eq!(registration.name, registration.address);
        assert_eq!(registration.max_request_bytes, 4 << 20);
    }

    #[test]
    fn addresses_that_cannot_be_dialled_are_refused() {
        let address = |text: &str| read(v1::RegisterRequest { address: text.into(), ..good() });
        for good in ["worker-1.fleet:50052", "10.0.0.8:1", "[::1]:50052", ":65535", "a_b:1"] {
            assert!(address(good).is_ok(), "{good}");
        }
        let long = format!("{}:1", "a".repeat(256));
        for bad in ["", "host", "host:", ":0", "host:0", "host:65536", "::1:5", "http://host:1"] {
            assert!(address(bad).is_err(), "{bad}");
        }
        for bad in ["user:pw@host:1", "host/path:1", "ho st:1", "[nope]:1", long.as_str()] {
            assert!(address(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn every_wrong_field_is_named_at_once() {
        let nonsense = v1::RegisterRequest {
            name: "a\nb".into(),
            address: "nowhere".into(),
            boot_id: "me".into(),
            slots: 0,
            max_request_bytes: 5,
            models: vec![String::new()],
            features: vec!["f".into(); 65],
            account: "a".repeat(65),
            version: "v".repeat(65),
            ..v1::RegisterRequest::default()
        };
        let named = [
            "slots",
            "max_request_bytes",
            "name",
            "account",
            "version",
            "models",
            "features",
            "address",
            "boot_id",
        ];
        assert_eq!(fields(nonsense), named);
        assert_eq!(fields(v1::RegisterRequest { slots: 10_001, ..good() }), ["slots"]);
        let models = vec!["m".repeat(257)];
        assert_eq!(fields(v1::RegisterRequest { models, ..good() }), ["models"]);
        let max_request_bytes = u64::MAX;
        let huge = v1::RegisterRequest { max_request_bytes, ..good() };
        assert_eq!(fields(huge), ["max_request_bytes"]);
    }
}

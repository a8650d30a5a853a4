//! Identifiers, one type for each thing that is identified.

use std::{fmt, str::FromStr};

use uuid::Uuid;

use crate::Timestamp;

/// The text is not a UUID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a UUID such as 0190b6f0-7f3c-7c3a-9d5e-2f6a1c0b4e21")]
pub struct InvalidId;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// A random identifier (UUID version 4) from 16 random bytes.
            #[must_use]
            pub fn from_random(random: [u8; 16]) -> Self {
                Self(uuid::Builder::from_random_bytes(random).into_uuid())
            }

            /// The identifier of these bytes, as they were stored.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }

            /// The bytes to store.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Uuid::try_parse(text).map(Self).map_err(|_| InvalidId)
            }
        }
    };
}

id!(
    /// One task, for ever. Version 7: it sorts by the time of its submission.
    TaskId
);
id!(
    /// One store file, minted with it.
    StoreId
);
id!(
    /// One supervisor process, minted at its start.
    SupervisorId
);
id!(
    /// One worker process, minted at its start: it alone proves whether executions survived.
    BootId
);
id!(
    /// One registration of a worker, minted by the supervisor: for slots and heartbeats only.
    RegistrationId
);

/// How the identifiers begin that stand for a connection: "conn".
const CONNECTION: &[u8; 4] = b"conn";

impl BootId {
    /// For a worker that has no identifier of its own: the supervisor mints one for each
    /// connection to it (UUID version 8), and with the connection ends all that it ran.
    #[must_use]
    pub fn of_connection(random: [u8; 16]) -> Self {
        let mut bytes = random;
        bytes[..4].copy_from_slice(CONNECTION);
        Self(uuid::Builder::from_custom_bytes(bytes).into_uuid())
    }

    /// Whether it stands for a connection rather than a process, which is also known of one
    /// that was found in the store.
    #[must_use]
    pub fn is_of_connection(&self) -> bool {
        self.0.get_version_num() == 8 && self.as_bytes().starts_with(CONNECTION)
    }
}

impl TaskId {
    /// A time-ordered identifier (UUID version 7).
    #[must_use]
    pub fn new(now: Timestamp, random: [u8; 10]) -> Self {
        Self(uuid::Builder::from_unix_timestamp_millis(now.unix_millis(), &random).into_uuid())
    }

    /// When it was minted, by the clock of the supervisor that did.
    #[must_use]
    pub fn minted_at(&self) -> Timestamp {
        let mut millis = [0; 8];
        millis[2..].copy_from_slice(&self.as_bytes()[..6]);
        Timestamp::from_unix_millis(u64::from_be_bytes(millis))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connections_identifier_is_told_from_a_processs_after_it_was_stored() {
        let connection = BootId::of_connection([0xff; 16]);
        assert!(BootId::from_bytes(*connection.as_bytes()).is_of_connection());
        assert!(!BootId::from_random([0x63; 16]).is_of_connection());
    }

    #[test]
    fn task_ids_sort_by_time_and_survive_text_and_bytes() {
        let early = TaskId::new(Timestamp::from_unix_millis(1_000), [0xff; 10]);
        let late = TaskId::new(Timestamp::from_unix_millis(1_001), [0; 10]);
        assert!(early < late);
        assert_eq!(late.minted_at(), Timestamp::from_unix_millis(1_001));
        assert_eq!(early.to_string().parse(), Ok(early));
        assert_eq!(TaskId::from_bytes(*late.as_bytes()), late);
        assert_eq!("seven".parse::<TaskId>(), Err(InvalidId));
    }
}

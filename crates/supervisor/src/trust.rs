//! Who may join: the token that registration can demand.

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use taskfleet_core::account::account;
use taskfleet_proto::FieldError;
use tonic::{Code, Status};

use crate::{
    engine::Engine,
    fleet::{Description, Member},
};

/// What a worker's registration proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Trust {
    /// Nothing: no token is demanded, or nobody has registered.
    #[default]
    Unproven,
    /// It knew the join token.
    Proven,
}

/// Compares what a worker sent with what is demanded, in a time that tells nothing of either.
///
/// # Errors
/// UNAUTHENTICATED, in words that show neither.
pub(crate) fn check_token(demanded: Option<&SecretString>, sent: &str) -> Result<Trust, Status> {
    let Some(demanded) = demanded else { return Ok(Trust::Unproven) };
    if sent.is_empty() {
        return Err(refused(
            "is missing: this supervisor takes only workers that send its join token \
             (TASKFLEET_WORKER__JOIN_TOKEN)",
        ));
    }
    // Digests are of one length, so that the length is not told either.
    let digest = |token: &str| Sha256::digest(token.as_bytes());
    if bool::from(digest(demanded.expose_secret()).ct_eq(&digest(sent))) {
        Ok(Trust::Proven)
    } else {
        Err(refused("is not the one that this supervisor demands"))
    }
}

fn refused(problem: &str) -> Status {
    FieldError::status_as(Code::Unauthenticated, &[FieldError::new("join_token", problem)])
}

impl Engine {
    /// The key that a worker is to call with, where it is not to be its own: empty.
    pub(crate) fn key_for(&self, member: &Member) -> String {
        let trusted = member.description().trust == Trust::Proven;
        let key = self.settings.api_key.as_ref().filter(|_| trusted);
        key.map_or_else(String::new, |key| key.expose_secret().to_owned())
    }

    /// What a registration says of an address, for another than the process that it found.
    /// One that would miss our key gets no task before it registers too.
    pub(crate) fn unproven(&self, said: Description) -> Description {
        if said.trust == Trust::Proven && self.settings.api_key.is_some() {
            return Description {
                trust: Trust::Unproven,
                account: String::new(),
                slots: 0,
                ..said
            };
        }
        Description { trust: Trust::Unproven, ..said }
    }

    /// The account that a worker spends: the one that it names, or that of our key when it is
    /// handed over.
    pub(crate) fn account_of(&self, trust: Trust, named: String, provider: &str) -> String {
        let key = self.settings.api_key.as_ref().filter(|_| trust == Trust::Proven);
        key.map_or(named, |key| account(provider, Some(key.expose_secret())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_very_token_is_taken_and_no_answer_shows_it() {
        let demanded = SecretString::from("letmein");
        assert_eq!(check_token(Some(&demanded), "letmein").unwrap(), Trust::Proven);
        for wrong in ["", "letmei", "letmein2", "LETMEIN"] {
            let status = check_token(Some(&demanded), wrong).unwrap_err();
            assert_eq!(status.code(), Code::Unauthenticated);
            assert!(status.message().starts_with("join_token: "), "{}", status.message());
            assert!(!status.message().contains("letmei"), "{}", status.message());
        }
        assert_eq!(check_token(None, "letmein").unwrap(), Trust::Unproven);
    }
}

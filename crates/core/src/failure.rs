//! What can go wrong with an execution, and what follows from it: one table.

/// Why an execution failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FailureKind {
    /// The request itself is wrong (HTTP 400, 404, 413, 422).
    InvalidRequest,
    /// The key is wrong (401, 403).
    Authentication,
    /// Money or quota is used up (some 429s).
    QuotaExhausted,
    /// Too fast (the other 429s).
    RateLimited,
    /// The provider has no capacity (503).
    Overloaded,
    /// The provider failed (500, 502, 504, 408, 409).
    ApiError,
    /// The connection to the provider failed.
    Connection,
    /// The attempt's time was over.
    Timeout,
    /// An answer that cannot be used: no JSON, cut, fields missing, too large.
    BadResponse,
    /// The provider refused the content.
    ContentFiltered,
    /// Workers died or hung with the task too often.
    WorkerLost,
    /// Cancelled by the client.
    Cancelled,
    /// The task's deadline passed.
    DeadlineExceeded,
    /// A fault of our own.
    Internal,
}

/// How far the call to the model API came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Delivery {
    /// Nothing was sent; it cost nothing.
    NotSent,
    /// The request was sent, perhaps in part.
    Sent,
    /// A status or a part of the answer came.
    ResponseStarted,
    /// The answer came whole.
    Answered,
}

/// What a failed execution counts as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consequence {
    /// The task fails at once: trying again cannot help.
    Fail,
    /// It costs an attempt; the retry policy decides.
    Attempt,
    /// It costs nothing but time; the deadline decides.
    Throttle,
}

impl FailureKind {
    /// Every kind.
    pub const ALL: [Self; 14] = [
        Self::InvalidRequest,
        Self::Authentication,
        Self::QuotaExhausted,
        Self::RateLimited,
        Self::Overloaded,
        Self::ApiError,
        Self::Connection,
        Self::Timeout,
        Self::BadResponse,
        Self::ContentFiltered,
        Self::WorkerLost,
        Self::Cancelled,
        Self::DeadlineExceeded,
        Self::Internal,
    ];

    /// The name that clients and operators see.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::Authentication => "authentication",
            Self::QuotaExhausted => "quota_exhausted",
            Self::RateLimited => "rate_limited",
            Self::Overloaded => "overloaded",
            Self::ApiError => "api_error",
            Self::Connection => "connection",
            Self::Timeout => "timeout",
            Self::BadResponse => "bad_response",
            Self::ContentFiltered => "content_filtered",
            Self::WorkerLost => "worker_lost",
            Self::Cancelled => "cancelled",
            Self::DeadlineExceeded => "deadline_exceeded",
            Self::Internal => "internal",
        }
    }

    /// The kind with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// What an execution that failed in this way counts as.
    #[must_use]
    pub const fn consequence(self, delivery: Delivery) -> Consequence {
        match self {
            Self::QuotaExhausted | Self::RateLimited | Self::Overloaded => Consequence::Throttle,
            // DNS, a refused connection, TLS: no attempt was made.
            Self::Connection if matches!(delivery, Delivery::NotSent) => Consequence::Throttle,
            Self::ApiError
            | Self::Connection
            | Self::Timeout
            | Self::BadResponse
            | Self::Cancelled
            | Self::WorkerLost
            | Self::Internal => Consequence::Attempt,
            Self::InvalidRequest
            | Self::Authentication
            | Self::ContentFiltered
            | Self::DeadlineExceeded => Consequence::Fail,
        }
    }

    /// Whether the provider may have charged for a call that ended in this way.
    #[must_use]
    pub const fn possibly_paid(self, delivery: Delivery) -> bool {
        !matches!(
            (self, delivery),
            (_, Delivery::NotSent)
                | (
                    Self::InvalidRequest
                        | Self::Authentication
                        | Self::QuotaExhausted
                        | Self::RateLimited
                        | Self::Overloaded,
                    _
                )
        )
    }

    /// The kind of an HTTP error status with the provider's `error.code` and `error.type`.
    ///
    /// The codes that mean an empty account rather than a fast one are those that OpenAI
    /// documents for 429 (platform.openai.com/docs/guides/error-codes).
    #[must_use]
    pub fn of_http_status(status: u16, code: &str, error_type: &str) -> Self {
        match status {
            401 | 403 => Self::Authentication,
            429 if is_quota(code) || is_quota(error_type) => Self::QuotaExhausted,
            429 => Self::RateLimited,
            503 => Self::Overloaded,
            408 | 409 => Self::ApiError,
            400..=499 => Self::InvalidRequest,
            _ => Self::ApiError,
        }
    }

    /// The kind of an `error` object inside a stream whose HTTP status was 200.
    #[must_use]
    pub fn of_stream_error(code: &str, error_type: &str) -> Self {
        let either = |name: &str| code == name || error_type == name;
        if is_quota(code) || is_quota(error_type) {
            Self::QuotaExhausted
        } else if either("rate_limit_exceeded") || either("slow_down") {
            Self::RateLimited
        } else if either("server_is_overloaded") || either("overloaded_error") {
            Self::Overloaded
        } else if either("invalid_request_error") || either("context_length_exceeded") {
            Self::InvalidRequest
        } else if either("invalid_api_key") || either("authentication_error") {
            Self::Authentication
        } else if either("content_filter") || either("content_policy_violation") {
            Self::ContentFiltered
        } else {
            Self::ApiError
        }
    }
}

fn is_quota(code: &str) -> bool {
    matches!(
        code,
        "insufficient_quota"
            | "credit_balance_exhausted"
            | "organization_usage_limit_exceeded"
            | "organization_spend_limit_exceeded"
            | "project_spend_limit_exceeded"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back_to_their_kinds() {
        for kind in FailureKind::ALL {
            assert_eq!(FailureKind::from_name(kind.name()), Some(kind));
        }
    }

    #[test]
    fn statuses_and_codes_map_as_documented() {
        let kind = FailureKind::of_http_status;
        assert_eq!(kind(429, "", ""), FailureKind::RateLimited);
        assert_eq!(kind(429, "insufficient_quota", ""), FailureKind::QuotaExhausted);
        assert_eq!(kind(429, "", "insufficient_quota"), FailureKind::QuotaExhausted);
        assert_eq!(kind(503, "server_is_overloaded", ""), FailureKind::Overloaded);
        assert_eq!(kind(500, "", ""), FailureKind::ApiError);
        assert_eq!(kind(409, "", ""), FailureKind::ApiError);
        assert_eq!(kind(422, "", ""), FailureKind::InvalidRequest);
        assert_eq!(kind(403, "", ""), FailureKind::Authentication);
    }

    #[test]
    fn what_was_never_sent_costs_no_attempt_and_no_money() {
        let connection = FailureKind::Connection;
        assert_eq!(connection.consequence(Delivery::NotSent), Consequence::Throttle);
        assert_eq!(connection.consequence(Delivery::Sent), Consequence::Attempt);
        assert!(!connection.possibly_paid(Delivery::NotSent));
        assert!(connection.possibly_paid(Delivery::Sent));
        assert!(!FailureKind::RateLimited.possibly_paid(Delivery::Answered));
    }
}

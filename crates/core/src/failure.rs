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

    /// What an execution that failed in this way counts as, with this HTTP status. A call
    /// that is refused with an error status costs nothing but time; one that is answered, and
    /// broken off in the same words, may be paid for, and again with each try.
    #[must_use]
    pub const fn consequence(self, delivery: Delivery, http_status: Option<u16>) -> Consequence {
        match self {
            Self::QuotaExhausted | Self::RateLimited | Self::Overloaded
                if is_an_answer(http_status) =>
            {
                Consequence::Attempt
            }
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

    /// Whether the provider may have charged for a call that ended in this way, with this
    /// HTTP status. A refusal with an error status costs nothing; the same words inside an
    /// answer come after what was answered already.
    #[must_use]
    pub fn possibly_paid(self, delivery: Delivery, http_status: Option<u16>) -> bool {
        let refusal = matches!(
            self,
            Self::InvalidRequest
                | Self::Authentication
                | Self::QuotaExhausted
                | Self::RateLimited
                | Self::Overloaded
        );
        delivery != Delivery::NotSent && (!refusal || is_an_answer(http_status))
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

    /// The kind of an `error` object inside an answer whose HTTP status was 200.
    ///
    /// Some servers write an HTTP status as its code. The codes of the Responses API are those
    /// of its `ResponseError` (platform.openai.com/docs/api-reference/responses/object).
    #[must_use]
    pub fn of_stream_error(code: &str, error_type: &str) -> Self {
        if let Some(status) = code.parse().ok().filter(|status| (400..600).contains(status)) {
            return Self::of_http_status(status, code, error_type);
        }
        let either = |name: &str| code == name || error_type == name;
        if is_quota(code) || is_quota(error_type) {
            Self::QuotaExhausted
        } else if either("rate_limit_exceeded") || either("slow_down") {
            Self::RateLimited
        } else if either("server_is_overloaded") || either("overloaded_error") {
            Self::Overloaded
        } else if either("invalid_api_key") || either("authentication_error") {
            Self::Authentication
        } else if either("content_filter") || is_policy(code) {
            Self::ContentFiltered
        } else if either("invalid_request_error") || is_bad_input(code) {
            Self::InvalidRequest
        } else {
            Self::ApiError
        }
    }
}

/// The call was taken: what went wrong stands inside an answer.
const fn is_an_answer(http_status: Option<u16>) -> bool {
    matches!(http_status, Some(..400))
}

/// The content was looked at and refused.
fn is_policy(code: &str) -> bool {
    matches!(
        code,
        "content_policy_violation"
            | "image_content_policy_violation"
            | "misalignment_policy_violation"
            | "bio_policy"
    )
}

/// What was sent can never be answered.
fn is_bad_input(code: &str) -> bool {
    matches!(
        code,
        "context_length_exceeded"
            | "invalid_prompt"
            | "invalid_image"
            | "invalid_image_format"
            | "invalid_base64_image"
            | "invalid_image_url"
            | "invalid_image_mode"
            | "image_too_large"
            | "image_too_small"
            | "image_parse_error"
            | "image_file_too_large"
            | "image_file_not_found"
            | "unsupported_image_media_type"
            | "empty_image_file"
            | "data_residency_mismatch"
    )
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
    fn errors_inside_an_answer_map_by_their_code() {
        let kind = |code| FailureKind::of_stream_error(code, "");
        assert_eq!(kind("rate_limit_exceeded"), FailureKind::RateLimited);
        assert_eq!(kind("project_spend_limit_exceeded"), FailureKind::QuotaExhausted);
        assert_eq!(kind("server_error"), FailureKind::ApiError);
        assert_eq!(kind("vector_store_timeout"), FailureKind::ApiError);
        assert_eq!(kind("invalid_prompt"), FailureKind::InvalidRequest);
        assert_eq!(kind("image_content_policy_violation"), FailureKind::ContentFiltered);
        assert_eq!(kind("503"), FailureKind::Overloaded);
        assert_eq!(kind("400"), FailureKind::InvalidRequest);
    }

    #[test]
    fn what_was_never_sent_costs_no_attempt_and_no_money() {
        let connection = FailureKind::Connection;
        assert_eq!(connection.consequence(Delivery::NotSent, None), Consequence::Throttle);
        assert_eq!(connection.consequence(Delivery::Sent, None), Consequence::Attempt);
        assert!(!connection.possibly_paid(Delivery::NotSent, None));
        assert!(connection.possibly_paid(Delivery::Sent, None));
    }

    #[test]
    fn a_refusal_is_free_unless_it_came_inside_an_answer() {
        for kind in [FailureKind::RateLimited, FailureKind::Overloaded, FailureKind::InvalidRequest]
        {
            assert!(!kind.possibly_paid(Delivery::Answered, Some(429)));
            assert!(kind.possibly_paid(Delivery::ResponseStarted, Some(200)));
        }
    }

    #[test]
    fn a_throttle_inside_an_answer_is_an_attempt_for_it_may_be_paid_again_and_again() {
        for kind in [FailureKind::RateLimited, FailureKind::Overloaded, FailureKind::QuotaExhausted]
        {
            let after = |status| kind.consequence(Delivery::ResponseStarted, status);
            assert_eq!(after(Some(200)), Consequence::Attempt);
            assert_eq!(after(Some(429)), Consequence::Throttle);
            assert_eq!(after(None), Consequence::Throttle);
        }
    }
}

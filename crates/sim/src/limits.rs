//! Rate limits as the real API has them: requests and tokens a minute for each model, also enforced
//! over shorter spans, charged when a call is admitted, with the headers that tell of them.

mod bucket;
mod headers;

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::http::StatusCode;
use tokio::time::Instant;

use crate::errors::ApiError;
use crate::settings::Limits;
use bucket::Bucket;
pub(crate) use headers::{Standing, retry_after};

/// The budgets of all models.
#[derive(Debug)]
pub(crate) struct Limiter {
    limits: Limits,
    budgets: Mutex<HashMap<String, Budget>>,
}

/// What a model has left.
#[derive(Debug)]
struct Budget {
    requests: Option<Bucket>,
    tokens: Option<Bucket>,
}

/// Why a call was not admitted, and when it would be.
#[derive(Debug)]
pub(crate) struct Rejected {
    pub(crate) error: ApiError,
    /// `None`: never.
    pub(crate) wait: Option<Duration>,
}

impl Limiter {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { limits, budgets: Mutex::default() }
    }

    /// Charges a call of `tokens` tokens, or at least the try; tells where the account stands
    /// then. Without limits nothing is charged and nothing told.
    pub(crate) fn admit(
        &self,
        model: &str,
        tokens: u32,
        now: Instant,
    ) -> Option<(Standing, Result<(), Rejected>)> {
        if self.limits.requests.is_none() && self.limits.tokens.is_none() {
            return None;
        }
        let mut budgets = self.budgets.lock().unwrap_or_else(PoisonError::into_inner);
        let budget = match budgets.get_mut(model) {
            Some(known) => known,
            None => budgets.entry(model.to_owned()).or_insert_with(|| self.limits.budget(now)),
        };
        let admitted = budget.admit(model, f64::from(tokens), now);
        Some((budget.standing(), admitted))
    }
}

impl Limits {
    fn budget(&self, now: Instant) -> Budget {
        let bucket = |limit: Option<u32>| limit.map(|limit| Bucket::full(limit, self.span, now));
        Budget { requests: bucket(self.requests), tokens: bucket(self.tokens) }
    }
}

impl Budget {
    fn admit(&mut self, model: &str, tokens: f64, now: Instant) -> Result<(), Rejected> {
        let both = [(&mut self.requests, 1.0), (&mut self.tokens, tokens)];
        let [requests, tokens] = both.map(|(bucket, cost)| {
            bucket.as_mut().map(|bucket| {
                bucket.refill(now);
                (bucket, cost)
            })
        });
        let rejected = [(&requests, "requests", "RPM"), (&tokens, "tokens", "TPM")]
            .into_iter()
            .find_map(|(charged, kind, unit)| {
                let (bucket, cost) = charged.as_ref()?;
                bucket.reject(*cost, model, kind, unit)
            });
        if let Some(rejected) = rejected {
            // Asking again and again uses up what there is: that counts, too.
            if let Some((bucket, cost)) = requests {
                bucket.take_what_is_left(cost);
            }
            return Err(rejected);
        }
        for (bucket, cost) in [requests, tokens].into_iter().flatten() {
            bucket.take(cost);
        }
        Ok(())
    }

    fn standing(&self) -> Standing {
        let of = |bucket: &Option<Bucket>| bucket.as_ref().map(Bucket::standing);
        Standing { requests: of(&self.requests), tokens: of(&self.tokens) }
    }
}

impl Bucket {
    fn reject(&self, cost: f64, model: &str, kind: &'static str, unit: &str) -> Option<Rejected> {
        let limit = self.limit();
        let head = format!("for {model} on {kind} per min ({unit}): Limit {limit},");
        let (words, wait) = if cost > f64::from(limit) {
            let words =
                format!("Request too large {head} Requested {cost}. It can never be served.");
            (words, None)
        } else {
            let wait = self.wait(cost)?;
            let again = headers::go_duration(wait);
            let used = self.used();
            let words = format!(
                "Rate limit reached {head} Used {used}, Requested {cost}. Please try again in {again}."
            );
            (words, Some(wait))
        };
        let error = ApiError {
            status: StatusCode::TOO_MANY_REQUESTS,
            kind,
            code: Some("rate_limit_exceeded"),
            param: None,
            message: words.into(),
        };
        Some(Rejected { error, wait })
    }
}

#[cfg(test)]
mod tests;

//! Rate limits, applied to requests.
//!
//! # What is guaranteed
//!
//! - The limits of a request are asked one after the other, and none after one that refuses: what is refused by address
//!   does not use up what an account may.
//! - A refusal is 429 `rate_limited` with `Retry-After`. Whatever a request that was counted is answered, in success or
//!   not, carries `RateLimit-Limit`, `RateLimit-Remaining` and `RateLimit-Reset` of the limit that refuses it, or of that of
//!   which the least is left. `RateLimit-Reset` says in how many seconds one more will be left, and is never later than
//!   `Retry-After`.
//!   <https://datatracker.ietf.org/doc/html/draft-ietf-httpapi-ratelimit-headers-03>
//! - An address is what API Gateway saw, never what a header says.
//!
//! # How it fails
//!
//! Open: if a limit cannot be counted, because the table throttles, fails, or takes longer than [`BUDGET`], the request
//! goes on; a warning and a metric say so. Who floods the table must not lock everybody out.
//!
//! # What is not limited
//!
//! Refreshing a session: a refresh token cannot be guessed, and a refresh hashes no password. Signing parts: a large file
//! needs ten thousand. Both are left to the throttling of API Gateway. Views of players by stream token: one a token and day
//! is recorded anyway.

mod log_in;
mod per_user;
mod sign_up;

use std::time::Duration;

use aws_types::SdkConfig;
use domain::{Email, RateLimit, RateLimitName, RateLimitSubject, UnixMicroseconds, Verdict};
use ring::digest::{SHA256, digest};
use table::{RateLimits, TableError, Taken};

use crate::environment::{Clock, Environment, EnvironmentError};
use crate::metrics::RATE_LIMITS_UNCHECKED;
use crate::problem::Problem;
use crate::request::Request;

pub use log_in::{LogInAttempt, LogInLimits};
pub use per_user::UserLimit;
pub use sign_up::SignUpLimits;

/// What counting one request under one limit may take.
const BUDGET: Duration = Duration::from_secs(1);

/// Counts requests.
#[derive(Debug)]
struct RateLimiter {
    items: RateLimits,
    clock: Clock,
}

impl RateLimiter {
    /// Counts in `TABLE_NAME`.
    fn of(environment: &Environment, aws: &SdkConfig) -> Result<Self, EnvironmentError> {
        Ok(Self { items: environment.rate_limits(aws)?, clock: environment.clock() })
    }

    /// Counts `requests` of a subject, unless there were too many. `None` if there is no such limit, or they could not be
    /// counted.
    async fn count(
        &self,
        limit: Option<RateLimit>,
        subject: &RateLimitSubject,
        requests: u32,
    ) -> Option<Taken> {
        let limit = limit?;
        let limited = limit.request(self.now(), requests);
        within_budget(limit.name(), self.items.take(limit.name(), subject, &limited)).await
    }

    fn now(&self) -> UnixMicroseconds {
        self.clock.now_in_microseconds()
    }
}

/// Goes on unless a limit refuses the request; either way the client is told what is left.
fn unless_refused(request: &Request, taken: Option<Taken>) -> Result<(), Problem> {
    let Some(Taken { verdict, quota, .. }) = taken else { return Ok(()) };
    match verdict {
        Verdict::Allowed => {
            request.tell(quota);
            Ok(())
        }
        Verdict::Refused { retry_after } => {
            request.tell_refusal(quota);
            Err(Problem::rate_limited(retry_after))
        }
    }
}

/// What a call of the limiter answers, if it does so in time. If not, that is logged and counted.
async fn within_budget<T>(
    name: RateLimitName,
    call: impl Future<Output = Result<T, TableError>>,
) -> Option<T> {
    let limit = name.as_str();
    // On the heap, because it is large.
    let reason = match tokio::time::timeout(BUDGET, Box::pin(call)).await {
        Ok(Ok(answer)) => return Some(answer),
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("it took longer than {BUDGET:?}"),
    };
    tracing::warn!({ RATE_LIMITS_UNCHECKED } = 1, limit, reason, "a rate limit was passed over");
    None
}

impl Environment {
    /// A limit, or none where its variable says 0.
    fn rate_limit(&self, name: RateLimitName) -> Result<Option<RateLimit>, EnvironmentError> {
        self.parsed(variable(name)).map(|requests| RateLimit::new(name, requests))
    }
}

/// The variable that says how many requests a limit has.
fn variable(name: RateLimitName) -> &'static str {
    match name {
        RateLimitName::SignUpsPerIp => "SIGN_UPS_PER_IP_PER_HOUR",
        RateLimitName::SignUpsPerEmail => "SIGN_UPS_PER_EMAIL_PER_HOUR",
        RateLimitName::LogInsPerIp => "LOG_INS_PER_IP_PER_MINUTE",
        RateLimitName::LogInsPerAccountAndIp => "LOG_INS_PER_ACCOUNT_AND_IP_PER_HOUR",
        RateLimitName::LogInsPerAccount => "LOG_INS_PER_ACCOUNT_PER_HOUR",
        RateLimitName::PasswordChangesPerUser => "PASSWORD_CHANGES_PER_USER_PER_HOUR",
        RateLimitName::UploadsPerUser => "UPLOADS_PER_USER_PER_HOUR",
        RateLimitName::ViewsPerViewer => "VIEWS_PER_VIEWER_PER_MINUTE",
    }
}

fn sha256(email: &Email) -> [u8; 32] {
    let digest = digest(&SHA256, email.as_str().as_bytes());
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest.as_ref());
    bytes
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;
    use crate::log::tests::lines;

    #[test]
    fn what_cannot_be_counted_is_logged_and_counted() {
        let throttled =
            || TableError::Unavailable { operation: "UpdateItem", reason: "ThrottlingException".to_owned() };
        let lines = lines(Level::ERROR, || {
            let call = within_budget(RateLimitName::LogInsPerIp, async { Err::<(), _>(throttled()) });
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
            assert_eq!(runtime.block_on(call), None);
        });
        let [line] = lines.as_slice() else { panic!("{lines:?}") };
        assert_eq!((&line["rate_limits_unchecked"], &line["limit"]), (&1.into(), &"log_ins_per_ip".into()));
        assert!(line["reason"].as_str().unwrap().contains("ThrottlingException"), "{line}");
        assert_eq!(line["_aws"]["CloudWatchMetrics"][0]["Metrics"][0]["Name"], "rate_limits_unchecked");
    }
}

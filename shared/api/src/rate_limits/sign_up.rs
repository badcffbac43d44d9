//! The limits of sign-ups.

use aws_types::SdkConfig;
use domain::{ClientNetwork, Email, RateLimit, RateLimitName, RateLimitSubject};

use super::{RateLimiter, sha256, unless_refused};
use crate::environment::{Environment, EnvironmentError};
use crate::problem::Problem;
use crate::request::Request;

/// How often accounts may be asked for.
#[derive(Debug)]
pub struct SignUpLimits {
    limiter: RateLimiter,
    per_ip: Option<RateLimit>,
    per_email: Option<RateLimit>,
}

impl SignUpLimits {
    /// With `TABLE_NAME`, `SIGN_UPS_PER_IP_PER_HOUR` and `SIGN_UPS_PER_EMAIL_PER_HOUR`.
    pub fn of(environment: &Environment, aws: &SdkConfig) -> Result<Self, EnvironmentError> {
        Ok(Self {
            limiter: RateLimiter::of(environment, aws)?,
            per_ip: environment.rate_limit(RateLimitName::SignUpsPerIp)?,
            per_email: environment.rate_limit(RateLimitName::SignUpsPerEmail)?,
        })
    }

    /// Counts a request for an account with this e-mail, unless there were too many.
    pub async fn count(&self, request: &Request, email: &Email) -> Result<(), Problem> {
        let network = RateLimitSubject::network(ClientNetwork::of(request.source_ip()));
        unless_refused(request, self.limiter.count(self.per_ip, &network, 1).await)?;
        let account = RateLimitSubject::account(sha256(email));
        unless_refused(request, self.limiter.count(self.per_email, &account, 1).await)
    }
}

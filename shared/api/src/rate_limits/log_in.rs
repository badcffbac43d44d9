//! The limits of log-ins: passwords cannot be tried at will, and nobody can shut the owner of an account out.
//!
//! Log-ins are counted by address, by account and address, and by account. The last of these is for those who try from
//! many addresses, and alone it would let them shut out the owner. So it refuses nothing where the account is *known*: at an
//! address from which its right password came within [`KNOWN_FOR`]. From there the owner gets in whatever others do. At an
//! address that is not known, a right password is refused as a wrong one is while the account's limit is used up: to let
//! it pass would tell those who try that they have found it.
//!
//! The right password also clears what was counted by account and address: of somebody who knows it, no number of log-ins
//! is too many, but for what their address may.
//!
//! An account that does not exist is counted like one that does, and one that is known like one that is not, so that the
//! time that it takes tells nothing.

use std::time::Duration;

use aws_types::SdkConfig;
use domain::{ClientNetwork, Email, RateLimit, RateLimitName, RateLimitSubject};
use table::Taken;

use super::{RateLimiter, sha256, unless_refused, within_budget};
use crate::environment::{Environment, EnvironmentError};
use crate::problem::Problem;
use crate::request::Request;

/// How long an account is known at an address from which its right password came.
const KNOWN_FOR: Duration = Duration::from_hours(30 * 24);

/// From when on that is written anew.
const RENEWED_AFTER: Duration = Duration::from_hours(24);

/// How often somebody may try to log in. Without a limit by account and address no account is known anywhere.
#[derive(Debug)]
pub struct LogInLimits {
    limiter: RateLimiter,
    per_ip: Option<RateLimit>,
    per_account_and_ip: Option<RateLimit>,
    per_account: Option<RateLimit>,
}

/// A log-in that was counted.
#[derive(Debug)]
pub struct LogInAttempt {
    account_from: RateLimitSubject,
    /// Under the limit by account and address, if there is one.
    taken: Option<Taken>,
}

impl LogInLimits {
    /// With `TABLE_NAME`, `LOG_INS_PER_IP_PER_MINUTE`, `LOG_INS_PER_ACCOUNT_AND_IP_PER_HOUR` and
    /// `LOG_INS_PER_ACCOUNT_PER_HOUR`.
    pub fn of(environment: &Environment, aws: &SdkConfig) -> Result<Self, EnvironmentError> {
        Ok(Self {
            limiter: RateLimiter::of(environment, aws)?,
            per_ip: environment.rate_limit(RateLimitName::LogInsPerIp)?,
            per_account_and_ip: environment.rate_limit(RateLimitName::LogInsPerAccountAndIp)?,
            per_account: environment.rate_limit(RateLimitName::LogInsPerAccount)?,
        })
    }

    /// Counts a log-in to the account with this e-mail, unless there were too many.
    pub async fn count(&self, request: &Request, email: &Email) -> Result<LogInAttempt, Problem> {
        let (network, email_sha256) = (ClientNetwork::of(request.source_ip()), sha256(email));
        let network_wide = self.limiter.count(self.per_ip, &RateLimitSubject::network(network), 1).await;
        unless_refused(request, network_wide)?;
        let account_from = RateLimitSubject::account_from(email_sha256, network);
        let taken = self.limiter.count(self.per_account_and_ip, &account_from, 1).await;
        unless_refused(request, taken)?;
        let account_wide =
            self.limiter.count(self.per_account, &RateLimitSubject::account(email_sha256), 1).await;
        if !self.is_known(taken) {
            unless_refused(request, account_wide)?;
        }
        Ok(LogInAttempt { account_from, taken })
    }

    /// Whether the account is known at an address. Where that could not be found out, nobody is to be shut out for it.
    fn is_known(&self, taken: Option<Taken>) -> bool {
        let Some(Taken { known_until, .. }) = taken else { return self.per_account_and_ip.is_some() };
        known_until.is_some_and(|known_until| known_until > self.limiter.now().rounded_up())
    }

    /// The password was right: the account is known at this address. Written where it changes something, once a day or
    /// when half of what may be tried is used up.
    pub async fn succeeded(&self, attempt: LogInAttempt) {
        let LogInAttempt { account_from, taken: Some(Taken { quota, known_until, .. }) } = attempt else {
            return;
        };
        let now = self.limiter.now();
        let until = now.plus(KNOWN_FOR).rounded_up();
        let is_fresh = known_until.is_some_and(|known_until| known_until > until.minus(RENEWED_AFTER));
        if is_fresh && quota.remaining > quota.limit / 2 {
            return;
        }
        let name = RateLimitName::LogInsPerAccountAndIp;
        within_budget(name, self.limiter.items.know(name, &account_from, now, until)).await;
    }
}

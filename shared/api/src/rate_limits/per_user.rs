//! Limits of what somebody does who is signed in.

use aws_types::SdkConfig;
use domain::{RateLimit, RateLimitName, RateLimitSubject, UserId};

use super::{RateLimiter, unless_refused};
use crate::environment::{Environment, EnvironmentError};
use crate::problem::Problem;
use crate::request::Request;

/// How often each user may do something.
#[derive(Debug)]
pub struct UserLimit {
    limiter: RateLimiter,
    limit: Option<RateLimit>,
}

impl UserLimit {
    /// How many files may be announced, with `TABLE_NAME` and `UPLOADS_PER_USER_PER_HOUR`.
    pub fn of_uploads(environment: &Environment, aws: &SdkConfig) -> Result<Self, EnvironmentError> {
        Self::of(environment, aws, RateLimitName::UploadsPerUser)
    }

    /// How often the own password may be changed, or tried to, with `TABLE_NAME` and
    /// `PASSWORD_CHANGES_PER_USER_PER_HOUR`.
    pub fn of_password_changes(environment: &Environment, aws: &SdkConfig) -> Result<Self, EnvironmentError> {
        Self::of(environment, aws, RateLimitName::PasswordChangesPerUser)
    }

    /// How many views may be told of, with `TABLE_NAME` and `VIEWS_PER_VIEWER_PER_MINUTE`.
    pub fn of_views(environment: &Environment, aws: &SdkConfig) -> Result<Self, EnvironmentError> {
        Self::of(environment, aws, RateLimitName::ViewsPerViewer)
    }

    fn of(environment: &Environment, aws: &SdkConfig, name: RateLimitName) -> Result<Self, EnvironmentError> {
        Ok(Self { limiter: RateLimiter::of(environment, aws)?, limit: environment.rate_limit(name)? })
    }

    /// Counts a request as `count`, unless there were too many.
    pub async fn count(&self, request: &Request, user_id: UserId, count: usize) -> Result<(), Problem> {
        let user = RateLimitSubject::user(user_id);
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        unless_refused(request, self.limiter.count(self.limit, &user, count).await)
    }
}

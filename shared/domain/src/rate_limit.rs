//! Rate limits: how many requests a subject may make in a window of time that slides.
//!
//! The generic cell rate algorithm: each request occupies its subject for an *interval*, the window divided by the number
//! of requests. All that is remembered is the moment up to which the subject is occupied. A request is allowed if that
//! moment, with the request added, is at most a window ahead.
//! <https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm>
//!
//! # Why not two windows and an estimate
//!
//! One number decides, and it is compared with constants of the request alone. So DynamoDB can carry a decision out as a
//! condition, which cannot calculate: two conditional writes are enough whoever else writes at the same time. The estimate
//! multiplies two stored counts. It also has edges: what it allows jumps where a window ends.
//!
//! # What is guaranteed
//!
//! - In any stretch of time as long as `d` at most `requests + d / interval` are allowed. A subject that was idle gets
//!   `requests` at once and not one more; after that one each interval, and all of them again after a window.
//! - What a refusal says is exact: after `retry_after` the same request is allowed, if nobody else came in
//!   between, and a microsecond before that it is not.
//! - Instances whose clocks differ, by less than [`CLOCK_TOLERANCE`], allow no more than if the stretch were longer by the
//!   difference.
//! - Nobody is locked out by a clock that ran ahead: an occupation that no clock of today can have written counts for
//!   nothing.

#[cfg(test)]
mod tests;

use std::num::NonZeroU32;
use std::time::Duration;

use crate::{ClientNetwork, Timestamp, UserId};

/// How far the clocks of two instances may be apart. Those of AWS differ by milliseconds.
pub const CLOCK_TOLERANCE: Duration = Duration::from_mins(1);

/// A moment in microseconds since 1970-01-01T00:00:00Z: an interval may be a fraction of a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnixMicroseconds(u64);

impl UnixMicroseconds {
    /// From microseconds since the epoch.
    pub fn new(microseconds: u64) -> Self {
        Self(microseconds)
    }

    /// Microseconds since the epoch.
    pub fn get(self) -> u64 {
        self.0
    }

    /// This moment and a duration later.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(microseconds(duration)))
    }

    /// How long from `self` until `later`; zero if that is in the past.
    pub fn until(self, later: Self) -> Duration {
        Duration::from_micros(later.0.saturating_sub(self.0))
    }

    /// The first whole second that is not before this moment.
    pub fn rounded_up(self) -> Timestamp {
        Timestamp::from_unix_seconds(i64::try_from(self.0.div_ceil(1_000_000)).unwrap_or(i64::MAX))
    }
}

fn microseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// What is limited, and by what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RateLimitName {
    /// Sign-ups by address.
    SignUpsPerIp,
    /// Sign-ups by the e-mail that is asked for.
    SignUpsPerEmail,
    /// Log-ins by address.
    LogInsPerIp,
    /// Log-ins to one account from one address.
    LogInsPerAccountAndIp,
    /// Log-ins to one account from anywhere.
    LogInsPerAccount,
    /// Changes of the own password, which tell whether the one before was guessed.
    PasswordChangesPerUser,
    /// Files that are announced, by user.
    UploadsPerUser,
    /// Views that are told of, by viewer.
    ViewsPerViewer,
}

impl RateLimitName {
    /// All limits.
    pub const ALL: [Self; 8] = [
        Self::SignUpsPerIp,
        Self::SignUpsPerEmail,
        Self::LogInsPerIp,
        Self::LogInsPerAccountAndIp,
        Self::LogInsPerAccount,
        Self::PasswordChangesPerUser,
        Self::UploadsPerUser,
        Self::ViewsPerViewer,
    ];

    /// As it is spelled in keys and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SignUpsPerIp => "sign_ups_per_ip",
            Self::SignUpsPerEmail => "sign_ups_per_email",
            Self::LogInsPerIp => "log_ins_per_ip",
            Self::LogInsPerAccountAndIp => "log_ins_per_account_and_ip",
            Self::LogInsPerAccount => "log_ins_per_account",
            Self::PasswordChangesPerUser => "password_changes_per_user",
            Self::UploadsPerUser => "uploads_per_user",
            Self::ViewsPerViewer => "views_per_viewer",
        }
    }

    /// Its window.
    pub fn window(self) -> Duration {
        match self {
            Self::LogInsPerIp | Self::ViewsPerViewer => Duration::from_mins(1),
            Self::SignUpsPerIp
            | Self::SignUpsPerEmail
            | Self::LogInsPerAccountAndIp
            | Self::LogInsPerAccount
            | Self::PasswordChangesPerUser
            | Self::UploadsPerUser => Duration::from_hours(1),
        }
    }
}

/// Whom a limit counts. Its items outlive the request, so of an e-mail they have only the digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateLimitSubject(String);

impl RateLimitSubject {
    /// Whoever comes from there.
    pub fn network(network: ClientNetwork) -> Self {
        Self(network.to_string())
    }

    /// A user.
    pub fn user(id: UserId) -> Self {
        Self(id.to_string())
    }

    /// An account, whether there is one or not, by the SHA-256 of its e-mail.
    pub fn account(email_sha256: [u8; 32]) -> Self {
        Self(email_sha256.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}")))
    }

    /// The same, for whoever comes from there.
    pub fn account_from(email_sha256: [u8; 32], network: ClientNetwork) -> Self {
        Self(format!("{}#{network}", Self::account(email_sha256).0))
    }

    /// As it is spelled in keys.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A limit: so many requests in the window of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    name: RateLimitName,
    requests: NonZeroU32,
}

/// What is left of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// How many requests there are in a window.
    pub limit: u32,
    /// How many are left now.
    pub remaining: u32,
    /// After how long one more will be left.
    pub reset_after: Duration,
}

/// What a limit says to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may go on, and is counted.
    Allowed,
    /// It may not, and is not counted.
    Refused {
        /// After how long it may.
        retry_after: Duration,
    },
}

/// A request that arrives under a limit: the constants that its subject's occupation is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitedRequest {
    limit: RateLimit,
    now: UnixMicroseconds,
    cost: Duration,
}

impl RateLimit {
    /// So many requests; 0 stands for no limit.
    pub fn new(name: RateLimitName, requests: u32) -> Option<Self> {
        NonZeroU32::new(requests).map(|requests| Self { name, requests })
    }

    /// What is limited.
    pub fn name(self) -> RateLimitName {
        self.name
    }

    /// How long one request occupies its subject. Rounded up, so that there is never one too many.
    fn interval(self) -> Duration {
        let requests = u64::from(self.requests.get());
        Duration::from_micros(microseconds(self.name.window()).div_ceil(requests))
    }

    /// How far ahead a subject may be occupied: the window, but for what the interval was rounded.
    fn span(self) -> Duration {
        self.interval() * self.requests.get()
    }

    /// A request that counts for `requests`, one that counts for more than all of them for all.
    pub fn request(self, now: UnixMicroseconds, requests: u32) -> LimitedRequest {
        let cost = self.interval() * requests.clamp(1, self.requests.get());
        LimitedRequest { limit: self, now, cost }
    }
}

impl LimitedRequest {
    /// When it arrives.
    pub fn now(&self) -> UnixMicroseconds {
        self.now
    }

    /// How long it occupies its subject.
    pub fn cost(&self) -> Duration {
        self.cost
    }

    /// What a subject that was idle is occupied to.
    pub fn first_occupation(&self) -> UnixMicroseconds {
        self.now.plus(self.cost)
    }

    /// Up to when a subject may be occupied already.
    pub fn latest(&self) -> UnixMicroseconds {
        self.now.plus(self.limit.span().saturating_sub(self.cost))
    }

    /// What is later than this was written by a clock that was wrong.
    pub fn horizon(&self) -> UnixMicroseconds {
        self.now.plus(self.limit.span()).plus(CLOCK_TOLERANCE)
    }

    /// From when on what is remembered of the subject means nothing, if nothing more arrives.
    pub fn forgotten_at(&self) -> Timestamp {
        self.horizon().rounded_up()
    }

    /// Whether a subject that is occupied up to then is idle now.
    pub fn is_idle(&self, occupied_until: UnixMicroseconds) -> bool {
        occupied_until <= self.now || occupied_until > self.horizon()
    }

    /// What a subject that is occupied up to then is told.
    pub fn verdict(&self, occupied_until: UnixMicroseconds) -> Verdict {
        if self.is_idle(occupied_until) || occupied_until <= self.latest() {
            return Verdict::Allowed;
        }
        self.refusal(occupied_until)
    }

    /// What a subject that is occupied for too long is told.
    pub fn refusal(&self, occupied_until: UnixMicroseconds) -> Verdict {
        let wait = self.latest().until(occupied_until);
        Verdict::Refused { retry_after: wait.min(self.limit.span()) }
    }

    /// What is left to a subject that is occupied up to then.
    pub fn quota(&self, occupied_until: UnixMicroseconds) -> Quota {
        let interval = microseconds(self.limit.interval()).max(1);
        let limit = self.limit.requests.get();
        let occupied = microseconds(self.now.until(occupied_until));
        let used = u32::try_from(occupied.div_ceil(interval)).unwrap_or(u32::MAX).min(limit);
        let freed_at = u64::from(used.saturating_sub(1)) * interval;
        Quota {
            limit,
            remaining: limit - used,
            reset_after: Duration::from_micros(occupied.saturating_sub(freed_at)),
        }
    }
}

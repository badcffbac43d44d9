//! Moments, to the second, in UTC.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::{Invalid, serde_as_text};

/// A moment in whole seconds since 1970-01-01T00:00:00Z. As text it is RFC 3339 in UTC: `2026-11-20T08:15:30Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// 9999-12-31T23:59:59Z, the last second that RFC 3339 can write.
const LAST_SECOND: i64 = 253_402_300_799;

impl Timestamp {
    /// From seconds since the epoch; kept within the years 1970 to 9999.
    pub fn from_unix_seconds(seconds: i64) -> Self {
        Self(seconds.clamp(0, LAST_SECOND))
    }

    /// Seconds since the epoch.
    pub fn unix_seconds(self) -> i64 {
        self.0
    }

    /// This moment and a duration later, rounded down to the second.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self::from_unix_seconds(self.0.saturating_add(i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)))
    }

    /// This moment and a duration earlier, in whole seconds.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        Self::from_unix_seconds(self.0.saturating_sub(i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)))
    }

    /// How long from `self` until `later`; zero if that is in the past.
    pub fn until(self, later: Self) -> Duration {
        Duration::from_secs(u64::try_from(later.0 - self.0).unwrap_or(0))
    }
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        let since_epoch = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self::from_unix_seconds(i64::try_from(since_epoch.as_secs()).unwrap_or(i64::MAX))
    }
}

impl From<Timestamp> for SystemTime {
    fn from(timestamp: Timestamp) -> Self {
        SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(timestamp.0).unwrap_or(0))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let moment = OffsetDateTime::from_unix_timestamp(self.0).map_err(|_| fmt::Error)?;
        formatter.write_str(&moment.format(&Rfc3339).map_err(|_| fmt::Error)?)
    }
}

impl FromStr for Timestamp {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let moment = OffsetDateTime::parse(text, &Rfc3339)
            .map_err(|_| Invalid::new("must be an RFC 3339 time such as 2026-11-20T08:15:30Z"))?;
        Ok(Self::from_unix_seconds(moment.unix_timestamp()))
    }
}

serde_as_text!(Timestamp);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_rfc_3339_in_utc_both_ways() {
        let moment = Timestamp::from_unix_seconds(1_795_162_530);
        assert_eq!(moment.to_string(), "2026-11-20T08:15:30Z");
        assert_eq!("2026-11-20T09:15:30+01:00".parse::<Timestamp>().unwrap(), moment);
        assert!("2026-11-20".parse::<Timestamp>().is_err());
    }

    #[test]
    fn arithmetic_saturates() {
        let last = Timestamp::from_unix_seconds(i64::MAX);
        assert_eq!(last.to_string(), "9999-12-31T23:59:59Z");
        assert_eq!(last.plus(Duration::from_secs(u64::MAX)), last);
        assert_eq!(last.until(Timestamp::from_unix_seconds(0)), Duration::ZERO);
        assert_eq!(last.minus(Duration::from_secs(u64::MAX)).to_string(), "1970-01-01T00:00:00Z");
    }
}

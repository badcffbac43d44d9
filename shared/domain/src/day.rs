//! Days in UTC, as calendars write them: `2026-11-20` (RFC 3339, `full-date`).

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::{Invalid, Timestamp, serde_as_text};

const SECONDS: i64 = 86_400;

/// A day in UTC, from midnight to midnight. Days sort as their texts do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day {
    /// Since 1970-01-01.
    number: i64,
}

impl Day {
    /// The day that a moment is in.
    pub fn of(moment: Timestamp) -> Self {
        Self { number: moment.unix_seconds() / SECONDS }
    }

    /// So many days earlier; none is earlier than 1970-01-01.
    #[must_use]
    pub fn minus(self, days: u16) -> Self {
        Self { number: (self.number - i64::from(days)).max(0) }
    }

    /// Its first second.
    pub fn start(self) -> Timestamp {
        Timestamp::from_unix_seconds(self.number * SECONDS)
    }

    /// The first second after it.
    pub fn end(self) -> Timestamp {
        self.start().plus(Duration::from_hours(24))
    }

    /// The days from this one to `last`, both included.
    pub fn through(self, last: Self) -> impl DoubleEndedIterator<Item = Self> {
        (self.number..=last.number).map(|number| Self { number })
    }
}

impl fmt::Display for Day {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A timestamp is its day, then its time.
        formatter.write_str(self.start().to_string().split('T').next().unwrap_or_default())
    }
}

impl FromStr for Day {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let invalid = || Invalid::new("must be a day such as 2026-11-20");
        let start: Timestamp = format!("{text}T00:00:00Z").parse().map_err(|_| invalid())?;
        // Years before 1970 come out as another day.
        Some(Self::of(start)).filter(|day| day.to_string() == text).ok_or_else(invalid)
    }
}

serde_as_text!(Day);

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Day {
        text.parse().unwrap()
    }

    #[test]
    fn a_day_begins_and_ends_at_midnight_in_utc() {
        let moment = |text: &str| Day::of(text.parse().unwrap());
        assert_eq!(moment("2026-11-20T00:00:00Z"), day("2026-11-20"));
        assert_eq!(moment("2026-11-20T23:59:59Z"), day("2026-11-20"));
        assert_eq!(moment("2026-11-21T00:00:00Z"), day("2026-11-21"));
        // The same second is still yesterday in Greenwich.
        assert_eq!(moment("2026-11-20T00:59:59+01:00"), day("2026-11-19"));
        assert_eq!(day("2026-11-20").start().to_string(), "2026-11-20T00:00:00Z");
        assert_eq!(day("2026-11-20").end(), day("2026-11-21").start());
    }

    #[test]
    fn days_are_written_as_calendars_do() {
        for text in ["1970-01-01", "2024-02-29", "2026-12-31", "9999-12-31"] {
            assert_eq!(day(text).to_string(), text);
        }
        for wrong in
            ["2026-02-29", "2026-11-20T00:00:00Z", "20261120", "2026-1-1", "1969-12-31", "+2026-11-20", ""]
        {
            assert!(wrong.parse::<Day>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn days_are_counted_over_months_and_years() {
        assert_eq!(day("2024-03-01").minus(1), day("2024-02-29"));
        assert_eq!(day("2026-01-01").minus(365), day("2025-01-01"));
        assert_eq!(day("1970-01-05").minus(30), day("1970-01-01"));
        let days: Vec<String> =
            day("2025-12-31").through(day("2026-01-02")).map(|day| day.to_string()).collect();
        assert_eq!(days, ["2025-12-31", "2026-01-01", "2026-01-02"]);
        assert_eq!(day("2026-01-02").through(day("2026-01-01")).count(), 0);
    }
}

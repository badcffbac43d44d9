//! The time, read in one place, so that everything behind the AWS port agrees about it.
//!
//! Presigned S3 requests are the exception: s3s reads the system clock itself.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The current time.
pub(crate) fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

/// The current time in milliseconds since 1970.
pub(crate) fn now_ms() -> i64 {
    milliseconds(now())
}

/// Milliseconds since 1970.
pub(crate) fn milliseconds(time: OffsetDateTime) -> i64 {
    time.unix_timestamp() * 1000 + i64::from(time.millisecond())
}

/// The time that lies `milliseconds` after 1970; the epoch itself where a year does not fit.
pub(crate) fn from_milliseconds(milliseconds: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(milliseconds) * 1_000_000)
        .unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

/// `2026-01-31T12:00:00.000Z`, as S3 events and STS write times.
pub(crate) fn iso_8601(time: OffsetDateTime) -> String {
    from_milliseconds(milliseconds(time)).format(&Rfc3339).map_or_else(
        |_| String::new(),
        |text| match text.strip_suffix('Z') {
            Some(seconds) if !seconds.contains('.') => format!("{seconds}.000Z"),
            Some(seconds) => {
                let fraction = seconds.len() - seconds.find('.').unwrap_or(seconds.len()) - 1;
                format!("{seconds}{}Z", "0".repeat(3_usize.saturating_sub(fraction)))
            }
            None => text,
        },
    )
}

#[cfg(test)]
mod tests {
    use super::{from_milliseconds, iso_8601};

    #[test]
    fn times_always_have_three_decimals() {
        assert_eq!(iso_8601(from_milliseconds(1_700_000_000_000)), "2023-11-14T22:13:20.000Z");
        assert_eq!(iso_8601(from_milliseconds(1_700_000_000_120)), "2023-11-14T22:13:20.120Z");
        assert_eq!(iso_8601(from_milliseconds(1_700_000_000_123)), "2023-11-14T22:13:20.123Z");
    }
}

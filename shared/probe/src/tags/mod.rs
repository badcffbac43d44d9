//! Tag formats that several containers share. Each fills [`Tags`](crate::metadata::Tags) under `ffprobe`'s names.

pub(crate) mod genre;
pub(crate) mod id3v2;
pub(crate) mod text;

use time::OffsetDateTime;
use time::UtcOffset;
use time::format_description::well_known::Rfc3339;

/// A `creation_time` tag as RFC 3339 in UTC; `None` for what is no point in time.
pub(crate) fn created_at(value: &str) -> Option<String> {
    let moment = OffsetDateTime::parse(value.trim(), &Rfc3339).ok()?;
    moment.to_offset(UtcOffset::UTC).format(&Rfc3339).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn creation_times_become_utc() {
        assert_eq!(created_at("2024-05-06T07:08:09.000000Z").as_deref(), Some("2024-05-06T07:08:09Z"));
        assert_eq!(created_at("2024-05-06T09:08:09+02:00 ").as_deref(), Some("2024-05-06T07:08:09Z"));
        assert_eq!(created_at("2024"), None);
    }
}

//! Tag formats that several containers share. Each fills [`Tags`](crate::metadata::Tags) under `ffprobe`'s names.

pub(crate) mod ape;
pub(crate) mod genre;
pub(crate) mod id3v1;
pub(crate) mod id3v2;
pub(crate) mod text;
pub(crate) mod trailing;
pub(crate) mod vorbis_comment;

pub(crate) use id3v2::LeadingTags;

use time::OffsetDateTime;
use time::UtcOffset;
use time::format_description::well_known::Rfc3339;

/// A `creation_time` tag as RFC 3339 in UTC; `None` for what is no point in time.
pub(crate) fn created_at(value: &str) -> Option<String> {
    let moment = OffsetDateTime::parse(value.trim(), &Rfc3339).ok()?;
    moment.to_offset(UtcOffset::UTC).format(&Rfc3339).ok()
}

/// Seconds since the start of 1970 in the same form.
pub(crate) fn created_at_unix(seconds: i64) -> Option<String> {
    OffsetDateTime::from_unix_timestamp(seconds).ok()?.format(&Rfc3339).ok()
}

/// The MIME type of a picture: by the picture's own first bytes, else by the `format` that the tag says.
pub(crate) fn picture_type(format: &str, picture: &[u8]) -> &'static str {
    match picture {
        [0xff, 0xd8, 0xff, ..] => return "image/jpeg",
        [0x89, b'P', b'N', b'G', ..] => return "image/png",
        [b'G', b'I', b'F', b'8', ..] => return "image/gif",
        [b'B', b'M', ..] => return "image/bmp",
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => return "image/webp",
        _ => {}
    }
    match format.to_ascii_lowercase().trim_start_matches("image/") {
        "jpg" | "jpeg" => "image/jpeg",
        "png" => "image/png",
        "gif" => "image/gif",
        "bmp" => "image/bmp",
        "webp" => "image/webp",
        "tif" | "tiff" => "image/tiff",
        _ => "application/octet-stream",
    }
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

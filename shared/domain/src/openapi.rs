//! How the types of this crate that are a text or a number look in the OpenAPI document: the bounds that parsing holds them
//! to, as far as JSON Schema can say them, and one example each. The examples are of one story, so that those of bodies,
//! which are made of them, fit together.
//! <https://json-schema.org/draft/2020-12/json-schema-validation>

use std::borrow::Cow;

use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, SchemaFormat, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::idempotency::MAX_KEY_BYTES;
use crate::part::MAX_ETAG_BYTES;
use crate::texts::{
    MAX_DESCRIPTION_CHARACTERS, MAX_DISPLAY_NAME_CHARACTERS, MAX_FILENAME_BYTES, MAX_TAG_CHARACTERS,
    MAX_THUMBNAIL_URL_BYTES, MAX_TITLE_CHARACTERS,
};
use crate::user::MAX_EMAIL_BYTES;
use crate::view::MAX_VIEW_ID_BYTES;
use crate::{
    ContentType, Crc64NvmeChecksum, Day, Description, DisplayName, ETag, Email, Filename, IdempotencyKey,
    ImageType, Ipv4Block, MAX_PARTS, MediaId, PartNumber, Sha256Checksum, Status, Tag, ThumbnailKey,
    ThumbnailUrl, Timestamp, Title, UploadId, UserId, ViewId,
};

/// Something that is not white space, and no control characters.
const ONE_LINE: &str =
    r"^[^\u0000-\u001f\u007f-\u009f]*[^\s\u0000-\u001f\u007f-\u009f][^\u0000-\u001f\u007f-\u009f]*$";
/// No control characters but tabs and line breaks.
const LINES: &str = r"^[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]*$";
/// No separators of folders, and no control characters.
const FILENAME: &str = r"^[^/\\\u0000-\u001f\u007f-\u009f]+$";
const VISIBLE_ASCII: &str = "^[!-~]+$";
const HTTPS_URL: &str =
    "^https://[A-Za-z0-9._-]+(:[0-9]{0,5})?([/?#]([A-Za-z0-9._~!$&'()*+,;=:@/?#-]|%[0-9A-Fa-f]{2})*)?$";
const CONTENT_TYPE: &str = r"^(video|audio)/[a-z0-9!#$&^_.+-]{1,127}$";
const ETAG: &str = r#"^("[!#-~]+"|[!#-~]+)$"#;
const IPV4_BLOCK: &str = r"^[0-9]{1,3}(\.[0-9]{1,3}){3}(/[0-9]{1,2})?$";

/// A text that is described by these keywords, with this example.
macro_rules! texts {
    ($($name:ty, $text:literal, $description:literal, $example:expr $(, $keyword:ident($($value:expr),+))*;)+) => {$(
        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                let text = ObjectBuilder::new().schema_type(Type::String).description(Some($description));
                text$(.$keyword($($value),+))*.examples([$example]).into()
            }
        }

        impl ToSchema for $name {
            fn name() -> Cow<'static, str> {
                Cow::Borrowed($text)
            }
        }
    )+};
}

const UUID: SchemaFormat = SchemaFormat::KnownFormat(KnownFormat::Uuid);
const DATE_TIME: SchemaFormat = SchemaFormat::KnownFormat(KnownFormat::DateTime);
const DATE: SchemaFormat = SchemaFormat::KnownFormat(KnownFormat::Date);
const EMAIL: SchemaFormat = SchemaFormat::KnownFormat(KnownFormat::Email);
const INT32: SchemaFormat = SchemaFormat::KnownFormat(KnownFormat::Int32);

texts! {
    UserId, "UserId", "A user's id: a UUID of version 7, in lower case.", "01a1f7f8-3000-7c3a-9b51-6f2d4c8e0a17",
        format(Some(UUID));
    MediaId, "MediaId", "A media's id: a UUID of version 7, in lower case.", "01a1f806-60d0-7abc-8def-0123456789ab",
        format(Some(UUID));
    UploadId, "UploadId", "An upload's id: a UUID of version 7, in lower case.", "01a1f806-60d0-7d21-a3b4-95c6d7e8f901",
        format(Some(UUID));
    Timestamp, "Timestamp", "A time: RFC 3339, in whole seconds UTC.", "2026-11-20T08:15:30Z",
        format(Some(DATE_TIME));
    Day, "Day", "A day in UTC.", "2026-11-20", format(Some(DATE));
    Email, "Email", "An e-mail address. It is kept in lower case.", "ada@example.com",
        format(Some(EMAIL)), max_length(Some(MAX_EMAIL_BYTES));
    DisplayName, "DisplayName", "A user's name as shown to others, on one line.", "Ada Lovelace",
        min_length(Some(1)), max_length(Some(MAX_DISPLAY_NAME_CHARACTERS)), pattern(Some(ONE_LINE));
    Title, "Title", "A media's title, on one line.", "A walk in the Alps",
        min_length(Some(1)), max_length(Some(MAX_TITLE_CHARACTERS)), pattern(Some(ONE_LINE));
    Description, "Description", "A media's description, on as many lines as it likes.", "From the hut to the summit.",
        max_length(Some(MAX_DESCRIPTION_CHARACTERS)), pattern(Some(LINES));
    Tag, "Tag", "A tag, on one line.", "mountains",
        min_length(Some(1)), max_length(Some(MAX_TAG_CHARACTERS)), pattern(Some(ONE_LINE));
    Filename, "Filename", "A file's name on the client's side, at most 255 bytes of UTF-8.", "walk.mp4",
        min_length(Some(1)), max_length(Some(MAX_FILENAME_BYTES)), pattern(Some(FILENAME));
    ThumbnailUrl, "ThumbnailUrl", "Where a client's own thumbnail is.", "https://example.com/walk.jpg",
        format(Some(SchemaFormat::Custom("uri".to_owned()))), max_length(Some(MAX_THUMBNAIL_URL_BYTES)), pattern(Some(HTTPS_URL));
    ContentType, "ContentType", "A media type, without parameters. Which of them are taken, the deployment says.", "video/mp4",
        pattern(Some(CONTENT_TYPE));
    ImageType, "ImageType", "The media type of a thumbnail. Which of them are taken, the deployment says.", "image/jpeg",
        enum_values(Some(ImageType::ALL.map(ImageType::as_str)));
    Sha256Checksum, "Sha256Checksum", "A SHA-256 digest in base64.", "tJTHeOtVRpZYRcZBmpJ6wzAaeRJpKWUGfWZEzgOFN9E=",
        min_length(Some(44)), max_length(Some(44)), pattern(Some("^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$"));
    Crc64NvmeChecksum, "Crc64NvmeChecksum", "A CRC-64/NVME in base64.", "rosUhgp5mIg=",
        min_length(Some(12)), max_length(Some(12)), pattern(Some("^[A-Za-z0-9+/]{10}[AEIMQUYcgkosw048]=$"));
    ETag, "ETag", "S3's tag of an object or a part.", "5d41402abc4b2a76b9719d911017c592",
        min_length(Some(1)), max_length(Some(MAX_ETAG_BYTES + 2)), pattern(Some(ETAG));
    ThumbnailKey, "ThumbnailKey", "The part of a thumbnail's address that nobody can guess.", "9f86d081884c7d659a2feaa0c55ad015",
        pattern(Some("^[0-9a-f]{32}$"));
    IdempotencyKey, "IdempotencyKey", "A client's own name for one request.", "3fa85f64-5717-4562-b3fc-2c963f66afa6",
        min_length(Some(1)), max_length(Some(MAX_KEY_BYTES)), pattern(Some(VISIBLE_ASCII));
    ViewId, "ViewId", "A client's own name for one view.", "4f5d1c9e-2c1b-4b7e-9a0d-8f3e2d1c0b9a",
        min_length(Some(1)), max_length(Some(MAX_VIEW_ID_BYTES)), pattern(Some(VISIBLE_ASCII));
    Ipv4Block, "Ipv4Block", "An IPv4 address, or a block of them in CIDR notation.", "203.0.113.0/24",
        pattern(Some(IPV4_BLOCK));
    Status, "Status", "The state of a media. `awaiting_upload`, `completing` and `processing` come before `ready`; `rejected` \
        says that the file broke a rule, `failed` that processing did, `expired` that the file never came.", "ready",
        enum_values(Some(SHOWN_STATUSES));
}

/// Those that a client gets to see: all but the one of a media that is being deleted.
const SHOWN_STATUSES: [&str; 7] =
    ["awaiting_upload", "completing", "processing", "ready", "rejected", "failed", "expired"];

impl PartialSchema for PartNumber {
    fn schema() -> RefOr<Schema> {
        let number = ObjectBuilder::new().schema_type(Type::Integer).format(Some(INT32));
        let number = number.description(Some("A part's number, from 1."));
        number.minimum(Some(1)).maximum(Some(i32::from(MAX_PARTS))).examples([1]).into()
    }
}

impl ToSchema for PartNumber {}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;
    use std::str::FromStr;

    use serde_json::Value;

    use super::*;

    /// The example is valid, and nothing is as soon as it is longer than the schema says.
    fn agrees<T: ToSchema + FromStr<Err: Debug>>() {
        let schema = serde_json::to_value(T::schema()).unwrap();
        let example = schema["examples"][0].as_str().unwrap();
        assert!(example.parse::<T>().is_ok(), "{}: {example}", T::name());
        for value in schema["enum"].as_array().into_iter().flatten() {
            assert!(value.as_str().unwrap().parse::<T>().is_ok(), "{}: {value}", T::name());
        }
        if let Some(max_length) = schema["maxLength"].as_u64() {
            let longer = example.repeat(usize::try_from(max_length).unwrap());
            assert!(longer.parse::<T>().is_err(), "{} is not bounded", T::name());
        }
        if schema["minLength"] != Value::Null {
            assert!("".parse::<T>().is_err(), "{} may be empty", T::name());
        }
    }

    #[test]
    fn what_is_said_is_what_is_parsed() {
        agrees::<UserId>();
        agrees::<MediaId>();
        agrees::<UploadId>();
        agrees::<Timestamp>();
        agrees::<Email>();
        agrees::<DisplayName>();
        agrees::<Title>();
        agrees::<Description>();
        agrees::<Tag>();
        agrees::<Filename>();
        agrees::<ThumbnailUrl>();
        agrees::<ContentType>();
        agrees::<ImageType>();
        agrees::<Sha256Checksum>();
        agrees::<Crc64NvmeChecksum>();
        agrees::<ETag>();
        agrees::<ThumbnailKey>();
        agrees::<IdempotencyKey>();
        agrees::<ViewId>();
        agrees::<Ipv4Block>();
        agrees::<Status>();
    }
}

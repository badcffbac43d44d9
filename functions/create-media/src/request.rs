//! What a client asks for, parsed.

use api::{Fields, Problem, Request, integer, list, text};
use domain::{
    ContentType, Crc64NvmeChecksum, Description, Filename, Invalid, MAX_TAGS, Sha256Checksum, SizeBytes, Tag,
    ThumbnailUrl, Title, Visibility,
};
use serde_json::Value;
use utoipa::ToSchema;

use crate::Limits;

const CANONICAL: &str = "POST /media";

/// A file to be uploaded.
#[derive(ToSchema)]
pub(crate) struct CreateMedia {
    #[schema(value_type = String, min_length = 1, max_length = 200)]
    pub(crate) title: Title,
    /// The file's name on the client's side.
    #[schema(value_type = String, min_length = 1, max_length = 255)]
    pub(crate) filename: Filename,
    #[schema(value_type = String, example = "video/mp4")]
    pub(crate) content_type: ContentType,
    /// The file's exact size: a file of another size is refused.
    #[schema(minimum = 1)]
    pub(crate) size_bytes: SizeBytes,
    #[schema(value_type = Option<String>, max_length = 5000)]
    pub(crate) description: Description,
    #[schema(value_type = Option<Vec<String>>, max_items = 20)]
    pub(crate) tags: Vec<Tag>,
    /// `members` by default.
    #[schema(value_type = Option<String>, pattern = "^(members|private)$")]
    pub(crate) visibility: Visibility,
    /// SHA-256 of the file in base64: S3 refuses a file with another one.
    #[schema(value_type = Option<String>)]
    pub(crate) checksum_sha256: Option<Sha256Checksum>,
    /// CRC-64/NVME of the file in base64, compared with S3's own, unless a SHA-256 is declared too.
    #[schema(value_type = Option<String>)]
    pub(crate) checksum_crc64nvme: Option<Crc64NvmeChecksum>,
    #[schema(value_type = Option<String>, format = "uri", max_length = 2048)]
    pub(crate) thumbnail_url: Option<ThumbnailUrl>,
}

impl CreateMedia {
    /// Takes a request apart, within the deployment's limits.
    pub(crate) fn parse(request: &Request, limits: &Limits) -> Result<Self, Problem> {
        Self::take(request.json_fields(CANONICAL)?, limits)
    }

    fn take(mut fields: Fields, limits: &Limits) -> Result<Self, Problem> {
        let title = fields.required("title", text);
        let filename = fields.required("filename", text);
        let content_type = fields.required("content_type", |value| allowed_content_type(value, limits));
        let size_bytes = fields.required("size_bytes", |value| integer(value, 1..=limits.max_upload_bytes));
        let description = fields.optional("description", text).unwrap_or_else(Description::empty);
        let tags = fields.optional("tags", distinct_tags).unwrap_or_default();
        let visibility = fields.optional("visibility", visibility).unwrap_or_default();
        let checksum_sha256 = fields.optional("checksum_sha256", text);
        let checksum_crc64nvme = fields.optional("checksum_crc64nvme", text);
        let thumbnail_url = fields.optional("thumbnail_url", text);
        fields.optional("upload_method", upload_method);
        let required = title.zip(filename).zip(content_type.zip(size_bytes));
        let ((title, filename), (content_type, size_bytes)) = fields.finish_with(required)?;
        Ok(Self {
            title,
            filename,
            content_type,
            size_bytes,
            description,
            tags,
            visibility,
            checksum_sha256,
            checksum_crc64nvme,
            thumbnail_url,
        })
    }
}

fn allowed_content_type(value: &Value, limits: &Limits) -> Result<ContentType, Invalid> {
    let content_type: ContentType = text(value)?;
    if limits.content_types.allows(&content_type) {
        Ok(content_type)
    } else {
        Err(Invalid::new(format!("is not taken here; these are: {}", limits.content_types)))
    }
}

/// Each tag once, in the order given.
fn distinct_tags(value: &Value) -> Result<Vec<Tag>, Invalid> {
    let mut tags: Vec<Tag> = Vec::new();
    for tag in list(value, MAX_TAGS, text)? {
        if !tags.contains(&tag) {
            tags.push(tag);
        }
    }
    Ok(tags)
}

fn visibility(value: &Value) -> Result<Visibility, Invalid> {
    match value.as_str() {
        Some("members") => Ok(Visibility::Members),
        Some("private") => Ok(Visibility::Private),
        _ => Err(Invalid::new("must be members or private")),
    }
}

/// `auto` is one PUT too, up to the largest size that is taken.
fn upload_method(value: &Value) -> Result<(), Invalid> {
    match value.as_str() {
        Some("auto" | "put") => Ok(()),
        _ => Err(Invalid::new("must be auto or put")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use api::UnknownFields;
    use serde_json::json;
    use std::time::Duration;

    fn parse(value: Value) -> Result<CreateMedia, Problem> {
        let limits = Limits {
            content_types: "video/*,audio/flac".parse().unwrap(),
            max_upload_bytes: 1_000,
            upload_deadline: Duration::from_hours(1),
        };
        let Value::Object(object) = value else { panic!("no object") };
        CreateMedia::take(Fields::new(object, UnknownFields::Refused), &limits)
    }

    fn pointers(value: Value) -> Vec<String> {
        let Err(problem) = parse(value) else { return Vec::new() };
        let body = serde_json::to_value(problem.body("id")).unwrap();
        let errors = body["errors"].as_array().unwrap().iter();
        errors.map(|error| error["pointer"].as_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn what_is_optional_has_a_default() {
        let asked = parse(
            json!({"title": "T", "filename": "a.mp4", "content_type": "video/mp4", "size_bytes": 1000}),
        );
        let asked = asked.unwrap();
        assert_eq!(
            (asked.visibility, asked.description.as_str(), asked.tags.len()),
            (Visibility::Members, "", 0)
        );
    }

    #[test]
    fn every_wrong_field_is_named_at_once() {
        let wrong = json!({
            "title": "", "filename": "a/b", "content_type": "audio/mp4", "size_bytes": 1001, "tags": ["a", ""],
            "visibility": "public", "checksum_sha256": "x", "thumbnail_url": "http://x", "upload_method": "post",
            "colour": "red",
        });
        let expected = [
            "/title",
            "/filename",
            "/content_type",
            "/size_bytes",
            "/tags",
            "/visibility",
            "/checksum_sha256",
            "/thumbnail_url",
            "/upload_method",
            "/colour",
        ];
        assert_eq!(pointers(wrong), expected);
        assert_eq!(pointers(json!({})), ["/title", "/filename", "/content_type", "/size_bytes"]);
    }

    #[test]
    fn tags_are_kept_once_and_in_order() {
        let asked = parse(json!({
            "title": "T", "filename": "a", "content_type": "video/mp4", "size_bytes": 1, "tags": ["b", "a", " b "],
        }));
        let tags: Vec<String> = asked.unwrap().tags.iter().map(ToString::to_string).collect();
        assert_eq!(tags, ["b", "a"]);
    }
}

//! What a client asks for when it announces a file, parsed.

use domain::{
    ContentType, Crc64NvmeChecksum, Description, Filename, ImageType, Invalid, MAX_TAGS, MethodError,
    PlannedMethod, RequestedMethod, Sha256Checksum, SizeBytes, Tag, ThumbnailUrl, Title, Visibility,
};
use ring::digest::{SHA256, digest};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::fields::{Fields, integer, list, text};
use crate::problem::Problem;
use crate::uploads::UploadLimits;

/// A file to be uploaded.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct FileRequest {
    /// The media's title.
    pub title: Title,
    /// The file's name on the client's side.
    pub filename: Filename,
    /// Its media type.
    pub content_type: ContentType,
    /// The file's exact size: a file of another size is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = u64, minimum = 1, maximum = 53_687_091_200_000_u64, example = 1_048_576)]
    pub size_bytes: Option<SizeBytes>,
    /// The media's description.
    #[schema(value_type = Option<Description>)]
    pub description: Description,
    /// The media's tags.
    #[schema(value_type = Option<Vec<Tag>>, max_items = 20)]
    pub tags: Vec<Tag>,
    /// `members` by default.
    #[schema(value_type = Option<Visibility>)]
    pub visibility: Visibility,
    /// SHA-256 of the file in base64. S3 refuses a file with another one where it comes in one piece; a file that the
    /// caller has already is not uploaded again.
    pub checksum_sha256: Option<Sha256Checksum>,
    /// CRC-64/NVME of the file in base64, compared with S3's own, unless a SHA-256 was.
    pub checksum_crc64nvme: Option<Crc64NvmeChecksum>,
    /// Where a thumbnail is, if the client has one of its own.
    pub thumbnail_url: Option<ThumbnailUrl>,
    /// `auto` by default: in parts from 64 MiB up, by one PUT below.
    #[serde(rename = "upload_method")]
    #[schema(value_type = Option<RequestedMethod>)]
    pub(crate) requested_method: RequestedMethod,
    /// How long each part is, of an upload in parts; the last one may be shorter.
    #[schema(value_type = Option<u64>, minimum = 5_242_880, maximum = 5_368_709_120_u64)]
    pub(crate) part_size_bytes: Option<SizeBytes>,
    /// A thumbnail to be uploaded too.
    pub miniature: Option<MiniatureRequest>,
    /// How that comes to be sent.
    #[serde(skip)]
    #[schema(ignore)]
    pub(crate) method: PlannedMethod,
    /// How long it plays, as far as the client knows.
    #[schema(ignore)]
    pub duration_seconds: Option<f64>,
}

/// A thumbnail to be uploaded in a slot of its own.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct MiniatureRequest {
    /// The file's name on the client's side.
    #[schema(value_type = String, min_length = 1, max_length = 255, example = "walk.jpg")]
    pub filename: Filename,
    /// Its media type.
    pub content_type: ImageType,
    /// The file's exact size.
    #[schema(value_type = u64, minimum = 1, maximum = 5_368_709_120_u64, example = 20_480)]
    pub size_bytes: SizeBytes,
    /// SHA-256 of the file, where it came with the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(ignore)]
    pub(super) checksum_sha256: Option<Sha256Checksum>,
}

impl FileRequest {
    /// Takes a request apart, within the deployment's limits.
    pub fn take(mut fields: Fields, limits: &UploadLimits) -> Result<Self, Problem> {
        let title = fields.required("title", text);
        let filename = fields.required("filename", text);
        let content_type =
            fields.required("content_type", |value| allowed_content_type(text(value)?, limits));
        let size_bytes = fields.required("size_bytes", |value| integer(value, 1..=limits.max_upload_bytes));
        let description = fields.optional("description", text).unwrap_or_else(Description::empty);
        let tags = fields.optional("tags", distinct_tags).unwrap_or_default();
        let visibility = fields.optional("visibility", visibility).unwrap_or_default();
        let checksum_sha256 = fields.optional("checksum_sha256", text);
        let checksum_crc64nvme = fields.optional("checksum_crc64nvme", text);
        let thumbnail_url = fields.optional("thumbnail_url", text);
        let requested_method = fields.optional("upload_method", text).unwrap_or_default();
        let part_size_bytes = fields.optional("part_size_bytes", |value| integer(value, 1..=u64::MAX));
        let miniature = fields.nested("miniature", |fields| MiniatureRequest::take(fields, limits));
        let method = size_bytes.and_then(|size_bytes| {
            match PlannedMethod::of(requested_method, size_bytes, part_size_bytes) {
                Ok(method) => Some(method),
                Err(error) => {
                    let (name, invalid) = match error {
                        MethodError::Method(invalid) => ("upload_method", invalid),
                        MethodError::PartSize(invalid) => ("part_size_bytes", invalid),
                    };
                    fields.refuse(name, invalid);
                    None
                }
            }
        });
        let required = title.zip(filename).zip(content_type.zip(size_bytes)).zip(method);
        let (((title, filename), (content_type, size_bytes)), method) = fields.finish_with(required)?;
        Ok(Self {
            title,
            filename,
            content_type,
            size_bytes: Some(size_bytes),
            description,
            tags,
            visibility,
            checksum_sha256,
            checksum_crc64nvme,
            thumbnail_url,
            requested_method,
            part_size_bytes,
            miniature,
            method,
            duration_seconds: None,
        })
    }

    /// A file whose size its client does not tell, as Uppy does not; all else is as for a file of which nothing is said.
    pub fn of_unknown_size(
        filename: Filename,
        title: Title,
        content_type: ContentType,
        method: PlannedMethod,
    ) -> Self {
        Self {
            title,
            filename,
            content_type,
            size_bytes: None,
            description: Description::empty(),
            tags: Vec::new(),
            visibility: Visibility::default(),
            checksum_sha256: None,
            checksum_crc64nvme: None,
            thumbnail_url: None,
            requested_method: RequestedMethod::default(),
            part_size_bytes: None,
            miniature: None,
            method,
            duration_seconds: None,
        }
    }

    /// SHA-256, in hexadecimal, of all that is asked: what an idempotency key stands for.
    pub(crate) fn sha256(&self) -> Result<String, Problem> {
        let written = serde_json::to_vec(self).map_err(Problem::internal)?;
        let digest = digest(&SHA256, &written);
        Ok(digest.as_ref().iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}")))
    }
}

impl MiniatureRequest {
    fn take(fields: &mut Fields, limits: &UploadLimits) -> Option<Self> {
        let filename = fields.required("filename", text);
        let content_type = fields.required("content_type", |value| allowed_image_type(text(value)?, limits));
        let size_bytes =
            fields.required("size_bytes", |value| integer(value, 1..=limits.max_miniature_bytes));
        let ((filename, content_type), size_bytes) = filename.zip(content_type).zip(size_bytes)?;
        Some(Self { filename, content_type, size_bytes, checksum_sha256: None })
    }
}

/// A media type that the deployment takes.
pub fn allowed_content_type(
    content_type: ContentType,
    limits: &UploadLimits,
) -> Result<ContentType, Invalid> {
    if limits.content_types.allows(&content_type) {
        Ok(content_type)
    } else {
        Err(Invalid::new(format!("is not taken here; these are: {}", limits.content_types)))
    }
}

pub(super) fn allowed_image_type(image_type: ImageType, limits: &UploadLimits) -> Result<ImageType, Invalid> {
    if limits.image_types.allows(image_type) {
        Ok(image_type)
    } else {
        Err(Invalid::new(format!("is not taken here; these are: {}", limits.image_types)))
    }
}

/// Tags, each once, in the order given.
pub fn distinct_tags(value: &Value) -> Result<Vec<Tag>, Invalid> {
    let mut tags: Vec<Tag> = Vec::new();
    for tag in list(value, MAX_TAGS, text)? {
        if !tags.contains(&tag) {
            tags.push(tag);
        }
    }
    Ok(tags)
}

/// Who may see a media.
pub fn visibility(value: &Value) -> Result<Visibility, Invalid> {
    match value.as_str() {
        Some("members") => Ok(Visibility::Members),
        Some("private") => Ok(Visibility::Private),
        _ => Err(Invalid::new("must be members or private")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::UnknownFields;
    use serde_json::json;
    use std::time::Duration;

    fn parse(value: Value) -> Result<FileRequest, Problem> {
        let limits = UploadLimits {
            content_types: "video/*,audio/flac".parse().unwrap(),
            max_upload_bytes: 10_000_000_000,
            image_types: "image/png".parse().unwrap(),
            max_miniature_bytes: 1_000,
            user_quota_bytes: 1_000,
            deadline: Duration::from_hours(1),
        };
        let Value::Object(object) = value else { panic!("no object") };
        FileRequest::take(Fields::new(object, UnknownFields::Refused), &limits)
    }

    fn file() -> Value {
        json!({"title": "T", "filename": "a.mp4", "content_type": "video/mp4", "size_bytes": 1000})
    }

    fn with(fields: Value) -> Value {
        let mut file = file();
        let (Value::Object(all), Value::Object(fields)) = (&mut file, fields) else { panic!("no object") };
        all.extend(fields);
        file
    }

    fn pointers(value: Value) -> Vec<String> {
        let Err(problem) = parse(value) else { return Vec::new() };
        let body = serde_json::to_value(problem.body("id")).unwrap();
        let errors = body["errors"].as_array().unwrap().iter();
        errors.map(|error| error["pointer"].as_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn what_is_optional_has_a_default() {
        let asked = parse(file()).unwrap();
        assert_eq!(
            (asked.visibility, asked.description.as_str(), asked.tags.len(), asked.method),
            (Visibility::Members, "", 0, PlannedMethod::Put)
        );
    }

    #[test]
    fn every_wrong_field_is_named_at_once() {
        let wrong = json!({
            "title": "", "filename": "a/b", "content_type": "audio/mp4", "size_bytes": 10_000_000_001_u64,
            "tags": ["a", ""], "visibility": "public", "checksum_sha256": "x", "thumbnail_url": "http://x",
            "upload_method": "ftp", "colour": "red",
            "miniature": {"filename": "", "content_type": "image/gif", "size_bytes": 1001, "colour": "red"},
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
            "/miniature/filename",
            "/miniature/content_type",
            "/miniature/size_bytes",
            "/miniature/colour",
            "/colour",
        ];
        assert_eq!(pointers(wrong), expected);
        assert_eq!(pointers(json!({})), ["/title", "/filename", "/content_type", "/size_bytes"]);
        assert_eq!(pointers(with(json!({"miniature": "x"}))), ["/miniature"]);
    }

    #[test]
    fn a_method_has_to_take_the_file() {
        assert_eq!(
            pointers(with(json!({"upload_method": "put", "size_bytes": 6_000_000_000_u64}))),
            ["/upload_method"]
        );
        assert_eq!(pointers(with(json!({"part_size_bytes": 1}))), ["/part_size_bytes"]);
        assert_eq!(
            pointers(with(json!({"upload_method": "post", "part_size_bytes": 5_242_880}))),
            ["/part_size_bytes"]
        );
        let parted = parse(with(json!({"part_size_bytes": 5_242_880}))).unwrap();
        assert!(matches!(parted.method, PlannedMethod::Multipart(_)));
    }

    #[test]
    fn tags_are_kept_once_and_in_order() {
        let asked = parse(with(json!({"tags": ["b", "a", " b "]}))).unwrap();
        let tags: Vec<String> = asked.tags.iter().map(ToString::to_string).collect();
        assert_eq!(tags, ["b", "a"]);
    }

    #[test]
    fn the_digest_is_of_what_is_asked_not_of_how_it_is_written() {
        let digest = |value| parse(value).unwrap().sha256().unwrap();
        assert_eq!(
            digest(file()),
            digest(with(json!({"tags": [], "visibility": "members", "description": null})))
        );
        assert_ne!(digest(file()), digest(with(json!({"title": "U"}))));
        assert_ne!(digest(file()), digest(with(json!({"upload_method": "post"}))));
    }
}

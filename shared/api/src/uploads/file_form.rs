//! A file that comes in a form, with what its client asks for it.
//!
//! What JSON and forms have in common is parsed by the same rules. A form declares no size and no checksum: they are
//! those of the file that is in it.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use domain::{
    ContentType, Description, ImageType, Invalid, MAX_DECLARED_DURATION_SECONDS, MediaKind, PlannedMethod,
    RequestedMethod, Sha256Checksum, Tag, ThumbnailUrl, Title, Visibility,
};
use probe::{MemorySource, probe, probe_image};
use ring::digest::{SHA256, digest};
use serde_json::Value;
use utoipa::ToSchema;

use super::file_request::{allowed_content_type, allowed_image_type, distinct_tags, visibility};
use crate::fields::{Fields, text, to_the_microsecond};
use crate::form::FormFile;
use crate::problem::Problem;
use crate::uploads::{FileRequest, MiniatureRequest, UploadLimits};

/// What clients send as the type of a file of which they know none.
const OCTET_STREAM: &str = "application/octet-stream";

/// The form of `POST /media`, as the OpenAPI document describes it.
#[derive(Debug, ToSchema)]
pub struct MediaForm {
    /// The file.
    #[schema(
        value_type = String,
        format = Binary,
        content_media_type = "application/octet-stream",
        example = "(the bytes of walk.mp4)"
    )]
    pub file: Vec<u8>,
    /// The media's title.
    pub title: Title,
    /// The media's description.
    pub description: Option<Description>,
    /// The file's media type, or `video` or `audio`: then the type that the file is sent with, if it is of that kind, or
    /// else the usual type of what the file is. Without it the type that the file is sent with.
    #[schema(pattern = "^(video|audio)(/[A-Za-z0-9!#$&^_.+-]{1,127})?$", example = "video")]
    pub content_type: Option<String>,
    /// How long it plays in seconds, shown until that is measured.
    #[schema(exclusive_minimum = 0, maximum = 31_536_000, example = 12.5)]
    pub duration: Option<f64>,
    /// The media's tags, separated by commas: at most 20, of 1 to 50 characters.
    #[schema(example = "mountains, 2026")]
    pub tags: Option<String>,
    /// `members` by default.
    pub visibility: Option<Visibility>,
    /// Where a thumbnail is, if the client has one of its own.
    pub thumbnail_url: Option<ThumbnailUrl>,
    /// A thumbnail.
    #[schema(value_type = Option<String>, format = Binary, content_media_type = "application/octet-stream")]
    pub miniature: Option<Vec<u8>>,
}

/// The form of `POST /api/v1/s3-media/upload`, as the OpenAPI document describes it. It may have the other fields of
/// [`MediaForm`] too.
#[derive(Debug, ToSchema)]
pub struct VideoForm {
    /// The file, a video.
    #[schema(
        value_type = String,
        format = Binary,
        content_media_type = "application/octet-stream",
        example = "(the bytes of walk.mp4)"
    )]
    pub file: Vec<u8>,
    /// The media's title; the file's name by default.
    pub title: Option<Title>,
}

/// The bytes of a file, with their digest.
#[derive(Clone, Debug)]
pub(super) struct Content {
    pub(super) bytes: Bytes,
    pub(super) sha256: Sha256Checksum,
}

impl Content {
    fn of(bytes: Bytes) -> Result<Self, Invalid> {
        let sha256 = BASE64_STANDARD.encode(digest(&SHA256, &bytes)).parse()?;
        Ok(Self { bytes, sha256 })
    }

    pub(super) fn size_bytes(&self) -> u64 {
        self.bytes.len() as u64
    }
}

/// A file that came in a form, and what is asked for it.
#[derive(Debug)]
pub struct FileForm {
    pub(super) asked: FileRequest,
    pub(super) file: Content,
    pub(super) miniature: Option<Content>,
}

/// What a client says of a file's type.
#[derive(Debug)]
enum DeclaredType {
    Kind(MediaKind),
    Whole(ContentType),
}

impl FileForm {
    /// Takes a form apart, within the deployment's limits.
    pub async fn take(mut fields: Fields, limits: &UploadLimits) -> Result<Self, Problem> {
        let title = fields.required("title", text);
        let file = fields.required_file("file");
        let declared = fields.optional("content_type", declared_type);
        Self::take_others(fields, title, file, declared, limits).await
    }

    /// Takes a form apart that has to have a video, and may leave its title to the file's name.
    pub async fn take_video(mut fields: Fields, limits: &UploadLimits) -> Result<Self, Problem> {
        let file = fields.required_file("file");
        let title = fields.optional("title", text);
        let title = match (title, &file) {
            (None, Some(file)) => match Title::of_file(&file.filename) {
                Ok(title) => Some(title),
                Err(invalid) => refuse(&mut fields, "title", invalid),
            },
            (title, _) => title,
        };
        let video = Some(DeclaredType::Kind(MediaKind::Video));
        Self::take_others(fields, title, file, video, limits).await
    }

    async fn take_others(
        mut fields: Fields,
        title: Option<Title>,
        file: Option<FormFile>,
        declared: Option<DeclaredType>,
        limits: &UploadLimits,
    ) -> Result<Self, Problem> {
        let description = fields.optional("description", text).unwrap_or_else(Description::empty);
        let tags = fields.optional("tags", separated_tags).unwrap_or_default();
        let visibility = fields.optional("visibility", visibility).unwrap_or_default();
        let thumbnail_url = fields.optional("thumbnail_url", text);
        let duration_seconds = fields.optional("duration", duration_seconds);
        let content_type = match &file {
            Some(file) => content_type(&mut fields, file, declared, limits).await,
            None => None,
        };
        let filename = file.as_ref().map(|file| file.filename.clone());
        let content = file.and_then(|file| content(&mut fields, "file", file, limits.max_upload_bytes));
        let miniature = match fields.optional_file("miniature") {
            Some(file) => miniature(&mut fields, file, limits).await,
            None => None,
        };
        let required = title.zip(filename).zip(content_type.zip(content));
        let ((title, filename), (content_type, file)) = fields.finish_with(required)?;
        let (miniature_asked, miniature) = miniature.unzip();
        let asked = FileRequest {
            title,
            filename,
            content_type,
            size_bytes: Some(file.size_bytes()),
            description,
            tags,
            visibility,
            checksum_sha256: Some(file.sha256.clone()),
            checksum_crc64nvme: None,
            thumbnail_url,
            requested_method: RequestedMethod::Put,
            part_size_bytes: None,
            miniature: miniature_asked,
            method: PlannedMethod::Put,
            duration_seconds,
        };
        Ok(Self { asked, file, miniature })
    }
}

fn refuse<T>(fields: &mut Fields, name: &str, invalid: Invalid) -> Option<T> {
    fields.refuse(name, invalid);
    None
}

/// A file's content, if there is some and it is not too long.
fn content(fields: &mut Fields, name: &str, file: FormFile, max_bytes: u64) -> Option<Content> {
    if !(1..=max_bytes).contains(&(file.bytes.len() as u64)) {
        return refuse(fields, name, Invalid::new(format!("must be 1 to {max_bytes} bytes long")));
    }
    match Content::of(file.bytes) {
        Ok(content) => Some(content),
        Err(invalid) => refuse(fields, name, invalid),
    }
}

/// The media type of a file: what the client says of it, as far as that goes, and else what it is.
async fn content_type(
    fields: &mut Fields,
    file: &FormFile,
    declared: Option<DeclaredType>,
    limits: &UploadLimits,
) -> Option<ContentType> {
    let (name, found) = match declared {
        Some(DeclaredType::Whole(content_type)) => ("content_type", Ok(content_type)),
        Some(DeclaredType::Kind(kind)) => ("file", type_of_kind(file, kind).await),
        None => ("file", own_type(file).await),
    };
    match found.and_then(|content_type| allowed_content_type(content_type, limits)) {
        Ok(content_type) => Some(content_type),
        Err(invalid) => refuse(fields, name, invalid),
    }
}

async fn own_type(file: &FormFile) -> Result<ContentType, Invalid> {
    match file.content_type.as_deref() {
        None | Some(OCTET_STREAM) => type_by_content(file, None).await,
        Some(own) => own.parse(),
    }
}

async fn type_of_kind(file: &FormFile, kind: MediaKind) -> Result<ContentType, Invalid> {
    let own: Option<ContentType> = file.content_type.as_deref().and_then(|own| own.parse().ok());
    match own.filter(|own| own.kind() == kind) {
        Some(own) => Ok(own),
        None => type_by_content(file, Some(kind)).await,
    }
}

/// The usual media type of what a file is, which has to be of this kind.
async fn type_by_content(file: &FormFile, wanted: Option<MediaKind>) -> Result<ContentType, Invalid> {
    let metadata = probe(&MemorySource::new(file.bytes.clone()))
        .await
        .map_err(|error| Invalid::new(format!("does not tell its media type: {error}")))?;
    let kind = match metadata.kind() {
        probe::MediaKind::Video => MediaKind::Video,
        probe::MediaKind::Audio => MediaKind::Audio,
    };
    if let Some(wanted) = wanted.filter(|wanted| *wanted != kind) {
        return Err(Invalid::new(format!("must be {wanted}; this is {kind}")));
    }
    ContentType::of_container(kind, &metadata.container).ok_or_else(|| {
        Invalid::new(format!(
            "is {} of {kind}, which has no usual media type: say it in content_type",
            metadata.container
        ))
    })
}

async fn miniature(
    fields: &mut Fields,
    file: FormFile,
    limits: &UploadLimits,
) -> Option<(MiniatureRequest, Content)> {
    const NAME: &str = "miniature";
    let image_type = match image_type(&file).await.and_then(|own| allowed_image_type(own, limits)) {
        Ok(image_type) => Some(image_type),
        Err(invalid) => refuse(fields, NAME, invalid),
    };
    let filename = file.filename.clone();
    let content = content(fields, NAME, file, limits.max_miniature_bytes);
    let (content_type, content) = image_type.zip(content)?;
    let asked = MiniatureRequest {
        filename,
        content_type,
        size_bytes: content.size_bytes(),
        checksum_sha256: Some(content.sha256.clone()),
    };
    Some((asked, content))
}

async fn image_type(file: &FormFile) -> Result<ImageType, Invalid> {
    match file.content_type.as_deref() {
        None | Some(OCTET_STREAM) => {
            let image = probe_image(&MemorySource::new(file.bytes.clone())).await;
            image
                .map_err(|error| Invalid::new(format!("does not tell its media type: {error}")))?
                .content_type
                .parse()
        }
        Some(own) => own.parse(),
    }
}

fn declared_type(value: &Value) -> Result<DeclaredType, Invalid> {
    match value.as_str() {
        Some("video") => Ok(DeclaredType::Kind(MediaKind::Video)),
        Some("audio") => Ok(DeclaredType::Kind(MediaKind::Audio)),
        _ => text(value)
            .map(DeclaredType::Whole)
            .map_err(|invalid| Invalid::new(format!("{invalid}, or just video or audio"))),
    }
}

fn separated_tags(value: &Value) -> Result<Vec<Tag>, Invalid> {
    let tags = value.as_str().into_iter().flat_map(|tags| tags.split(','));
    distinct_tags(&tags.map(Value::from).collect())
}

fn duration_seconds(value: &Value) -> Result<f64, Invalid> {
    let seconds: Option<f64> = value.as_str().and_then(|seconds| seconds.trim().parse().ok());
    seconds
        .map(to_the_microsecond)
        .filter(|seconds| *seconds > 0.0 && *seconds <= MAX_DECLARED_DURATION_SECONDS)
        .ok_or_else(|| {
            Invalid::new(format!(
                "must be a number of seconds above 0 and up to {MAX_DECLARED_DURATION_SECONDS}"
            ))
        })
}

#[cfg(test)]
mod tests;

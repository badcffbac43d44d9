//! What clients get to see of a thing. The one spelling of each shape of the HTTP contract.

use domain::{
    ChecksumAlgorithm, Failure, Job, JobStatus, JobType, Media, MediaKind, PartNumber, Role, Status,
    Timestamp, Upload, User, Visibility,
};
use probe::Metadata;
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::thumbnail_urls::ThumbnailBase;
use crate::uploads::Begun;

/// A user.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = User)]
pub struct UserBody<'a> {
    /// Their id, a UUID of version 7.
    pub id: domain::UserId,
    /// Their e-mail, normalised.
    pub email: &'a domain::Email,
    /// Their name as shown to others.
    #[schema(required)]
    pub display_name: Option<&'a domain::DisplayName>,
    /// What they may do.
    pub role: Role,
    /// Whether they are shut out.
    #[schema(example = false)]
    pub disabled: bool,
    /// `true` where an admin chose their password and they have not changed it since; absent otherwise.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    pub password_change_required: bool,
    /// When the account was made.
    pub created_at: Timestamp,
}

impl<'a> From<&'a User> for UserBody<'a> {
    fn from(user: &'a User) -> Self {
        Self {
            id: user.id,
            email: &user.email,
            display_name: user.display_name.as_ref(),
            role: user.role,
            disabled: user.disabled,
            password_change_required: user.password_change_required,
            created_at: user.created_at,
        }
    }
}

/// Why a media is not to be had.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Failure)]
pub struct FailureBody<'a> {
    /// A stable code, for programs, e.g. `size_mismatch`.
    pub code: &'a str,
    /// What went wrong and what to do.
    pub detail: &'a str,
}

impl<'a> From<&'a Failure> for FailureBody<'a> {
    fn from(failure: &'a Failure) -> Self {
        Self { code: &failure.code, detail: &failure.detail }
    }
}

/// A media.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Media)]
pub struct MediaBody<'a> {
    /// Its id, a UUID of version 7.
    pub id: domain::MediaId,
    /// Its title.
    pub title: &'a domain::Title,
    /// Its description.
    pub description: &'a domain::Description,
    /// Its tags.
    #[schema(max_items = 20)]
    pub tags: &'a [domain::Tag],
    /// Whether it is watched or listened to.
    pub kind: MediaKind,
    /// The declared media type.
    pub content_type: &'a domain::ContentType,
    /// The client's name of the file.
    pub filename: &'a domain::Filename,
    /// Its size in bytes; `null` where it was not declared and the file is not there yet.
    #[schema(required, minimum = 1, example = 1_048_576)]
    pub size_bytes: Option<u64>,
    /// SHA-256 of what was uploaded, in base64, where it was declared.
    #[schema(required)]
    pub checksum_sha256: Option<&'a domain::Sha256Checksum>,
    /// CRC-64/NVME of what was uploaded, in base64.
    #[schema(required)]
    pub checksum_crc64nvme: Option<&'a domain::Crc64NvmeChecksum>,
    /// Which of the declared checksums was compared with the object.
    #[schema(required)]
    pub checksum_verified: Option<ChecksumAlgorithm>,
    /// Who may see it.
    pub visibility: Visibility,
    /// Its state.
    pub status: Status,
    /// Why it was rejected or failed.
    #[schema(required)]
    pub failure: Option<FailureBody<'a>>,
    /// Whose it is.
    pub owner_id: domain::UserId,
    /// How long it plays: as a form declared it, if one did, and once processed as measured.
    #[schema(required, minimum = 0, example = 12.48)]
    pub duration_seconds: Option<f64>,
    /// Where its thumbnail is.
    #[schema(required, format = "uri", example = "https://example.com/walk.jpg")]
    pub thumbnail_url: Option<String>,
    /// What the file is, once read; always `null` in lists, where a media comes without it.
    #[schema(required)]
    pub metadata: Option<&'a Metadata>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Raised by every change.
    #[schema(minimum = 1, example = 3)]
    pub version: u64,
}

impl<'a> MediaBody<'a> {
    /// Of a media and its technical metadata. A miniature of the media's own is shown in place of the thumbnail that the
    /// client named.
    pub fn new(media: &'a Media, metadata: Option<&'a Metadata>, thumbnails: &ThumbnailBase) -> Self {
        let thumbnail_url = media
            .thumbnail()
            .map(|key| thumbnails.of(media.id, key))
            .or_else(|| media.thumbnail_url.as_ref().map(ToString::to_string));
        Self {
            id: media.id,
            title: &media.title,
            description: &media.description,
            tags: &media.tags,
            kind: media.kind,
            content_type: &media.content_type,
            filename: &media.filename,
            size_bytes: media.size_bytes,
            checksum_sha256: media.checksum_sha256.as_ref(),
            checksum_crc64nvme: media.checksum_crc64nvme.as_ref(),
            checksum_verified: media.checksum_verified,
            visibility: media.visibility,
            status: media.status(),
            failure: media.failure().map(FailureBody::from),
            owner_id: media.owner_id,
            duration_seconds: media.duration_seconds,
            thumbnail_url,
            metadata,
            created_at: media.created_at,
            updated_at: media.updated_at,
            version: media.version,
        }
    }
}

/// One attempt at a job: the background work on a media.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Job)]
pub struct JobBody<'a> {
    /// Its id, a UUID of version 7.
    #[schema(example = "01a1f806-7a10-7e42-8c11-5d6e7f8091a2")]
    pub id: Uuid,
    /// What it does.
    #[serde(rename = "type")]
    pub job_type: JobType,
    /// Where it stands. One whose function died stays `running`, and the next attempt is a job of its own.
    pub status: JobStatus,
    /// Which attempt at this type of job for this media, from 1.
    #[schema(minimum = 1, example = 1)]
    pub attempt: u32,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    #[schema(required)]
    pub finished_at: Option<Timestamp>,
    /// Why it failed.
    #[schema(required)]
    pub error: Option<&'a str>,
}

impl<'a> From<&'a Job> for JobBody<'a> {
    fn from(job: &'a Job) -> Self {
        Self {
            id: job.id,
            job_type: job.job_type,
            status: job.status,
            attempt: job.attempt,
            started_at: job.started_at,
            finished_at: job.finished_at,
            error: job.error.as_deref(),
        }
    }
}

/// How to send the bytes of an upload.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "method", rename_all = "lowercase")]
#[schema(as = Upload)]
pub enum UploadBody {
    /// One PUT of all bytes to `url`, with exactly these `headers`.
    Put {
        /// The upload's id, a UUID of version 7.
        upload_id: domain::UploadId,
        /// Where to send the bytes. It is signed: whoever has it can send them.
        #[schema(
            format = "uri",
            example = "https://ingest.s3.eu-central-1.amazonaws.com/uploads/01a1f806-60d0-7d21-a3b4-95c6d7e8f901?X-Amz-Signature=5d672d79c15b13162d9279b0855cfba6"
        )]
        url: String,
        /// What to send with them; `Content-Length` is signed too, and set by the HTTP client.
        #[schema(example = json!({"content-type": "video/mp4", "if-none-match": "*"}))]
        headers: BTreeMap<String, String>,
        /// When `url` ends.
        expires_at: Timestamp,
    },
    /// One form to `url` as `multipart/form-data`: all `fields`, then the field `file` with the bytes.
    Post {
        /// The upload's id, a UUID of version 7.
        upload_id: domain::UploadId,
        /// Where to send the form.
        #[schema(format = "uri", example = "https://ingest.s3.eu-central-1.amazonaws.com/")]
        url: String,
        /// What the form has in front of the file.
        #[schema(example = json!({"key": "uploads/01a1f806-60d0-7d21-a3b4-95c6d7e8f901", "Content-Type": "video/mp4", "policy": "eyJleHBpcmF0aW9uIjoi", "x-amz-signature": "5d672d79c15b13162d9279b0855cfba6"}))]
        fields: BTreeMap<String, String>,
        /// When the form ends.
        expires_at: Timestamp,
    },
    /// A PUT for each part; then `complete_url`.
    Multipart {
        /// The upload's id, a UUID of version 7.
        upload_id: domain::UploadId,
        /// How long every part but the last is.
        #[schema(minimum = 5_242_880, maximum = 5_368_709_120_u64, example = 16_777_216)]
        part_size_bytes: u64,
        /// How many parts there are.
        #[schema(minimum = 1, maximum = 10_000, example = 8)]
        part_count: u16,
        /// The first parts, signed; the others are signed on demand.
        #[schema(max_items = 10)]
        parts: Vec<PartBody>,
        /// POST here when all parts are there.
        #[schema(
            format = "uri",
            example = "https://api.example.com/api/v1/01a1f806-60d0-7d21-a3b4-95c6d7e8f901/complete"
        )]
        complete_url: String,
        /// DELETE here to give the upload up.
        #[schema(
            format = "uri",
            example = "https://api.example.com/api/v1/01a1f806-60d0-7d21-a3b4-95c6d7e8f901"
        )]
        abort_url: String,
        /// GET here to learn which parts are there and which are missing.
        #[schema(
            format = "uri",
            example = "https://api.example.com/api/v1/01a1f806-60d0-7d21-a3b4-95c6d7e8f901/parts"
        )]
        list_parts_url: String,
    },
}

/// What announcing a file came to.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AnnouncedMedia)]
pub struct AnnouncedBody<'a> {
    /// The media.
    pub media: MediaBody<'a>,
    /// How to send the file, unless it is there already.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upload: Option<&'a UploadBody>,
    /// How to send the miniature, if one was announced and is awaited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub miniature_upload: Option<&'a UploadBody>,
    /// `true` if the caller has uploaded the same bytes before, and nothing is to be sent.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    pub duplicate: bool,
}

impl<'a> AnnouncedBody<'a> {
    /// Of a file that was announced.
    pub fn new(begun: &'a Begun, thumbnails: &ThumbnailBase) -> Self {
        Self {
            media: MediaBody::new(&begun.media, None, thumbnails),
            upload: begun.upload.as_ref(),
            miniature_upload: begun.miniature_upload.as_ref(),
            duplicate: begun.is_known && begun.upload.is_none(),
        }
    }

    /// Of a file that came with its request, and is stored.
    pub fn stored(media: &'a Media, is_known: bool, thumbnails: &ThumbnailBase) -> Self {
        let media = MediaBody::new(media, None, thumbnails);
        Self { media, upload: None, miniature_upload: None, duplicate: is_known }
    }
}

/// A part to be sent: one PUT of just its bytes.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SignedPart)]
pub struct PartBody {
    /// Its number, from 1.
    pub part_number: PartNumber,
    /// Where to send its bytes.
    #[schema(
        format = "uri",
        example = "https://ingest.s3.eu-central-1.amazonaws.com/uploads/01a1f806-60d0-7d21-a3b4-95c6d7e8f901?partNumber=1&uploadId=VXBsb2FkIElE&X-Amz-Signature=5d672d79c15b13162d9279b0855cfba6"
    )]
    pub url: String,
    /// How many bytes it has; part `n` begins at `(n - 1) * part_size_bytes` of the file. `null` where the file's size was
    /// not declared.
    #[schema(required, minimum = 1, maximum = 5_368_709_120_u64, example = 16_777_216)]
    pub size_bytes: Option<u64>,
    /// When `url` ends.
    pub expires_at: Timestamp,
}

impl From<buckets::SignedPart> for PartBody {
    fn from(part: buckets::SignedPart) -> Self {
        Self {
            part_number: part.number,
            url: part.url,
            size_bytes: part.size_bytes,
            expires_at: part.expires_at,
        }
    }
}

impl UploadBody {
    /// Of an upload by one PUT.
    pub(crate) fn put(upload: &Upload, presigned: buckets::PresignedPut) -> Self {
        Self::Put {
            upload_id: upload.id,
            url: presigned.url,
            headers: presigned.headers,
            expires_at: presigned.expires_at,
        }
    }

    /// Of an upload by a form.
    pub(crate) fn post(upload: &Upload, presigned: buckets::PresignedPost) -> Self {
        Self::Post {
            upload_id: upload.id,
            url: presigned.url,
            fields: presigned.fields.into_iter().collect(),
            expires_at: presigned.expires_at,
        }
    }

    /// Of an upload in parts, with some of them signed, to the API at `api_url`.
    pub(crate) fn multipart(upload: &Upload, parts: Vec<buckets::SignedPart>, api_url: &str) -> Self {
        let upload_url = format!("{api_url}/api/v1/{}", upload.id);
        let plan = upload.part_rules().and_then(|rules| rules.plan().copied());
        Self::Multipart {
            upload_id: upload.id,
            part_size_bytes: plan.map_or(0, |plan| plan.part_size_bytes()),
            part_count: plan.map_or(0, |plan| plan.part_count()),
            parts: parts.into_iter().map(PartBody::from).collect(),
            complete_url: format!("{upload_url}/complete"),
            list_parts_url: format!("{upload_url}/parts"),
            abort_url: upload_url,
        }
    }
}

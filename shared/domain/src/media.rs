//! Media: the record, and the machine of its states.
//!
//! ```text
//! awaiting_upload ←─→ completing
//!        │      └──────────┐ │
//!        │      ┌──────────┼─┘
//!        ↓      ↓          ↓
//!        expired       processing ─→ ready
//!                          │  ↑ └──→ rejected   the object broke a rule
//!                          ↓  │
//!                         failed                ours to fix; a redrive processes it again
//! ```
//!
//! Every change is a pure function from one record to the next with `version` one higher, and is written on condition
//! that the stored record still has the version that was read. So a step that runs twice, late or out of order finds
//! that the record has moved on, and decides again from what it is now.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{
    ChecksumAlgorithm, ContentType, Crc64NvmeChecksum, Description, Filename, Invalid, MediaId, MediaKind,
    Miniature, ObjectVersion, Sha256Checksum, SizeBytes, Tag, ThumbnailKey, ThumbnailUrl, Timestamp, Title,
    UploadId, UserId, Work,
};

mod edits;
mod steps;

pub use edits::MediaEdit;
pub use steps::{Arrival, Measurement};

/// Who may see a media.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Visibility {
    /// Any signed-in user, once it is ready.
    #[default]
    Members,
    /// Its owner and admins.
    Private,
}

/// Why a media is not to be had: a stable code, and a sentence that a person can act on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The code, e.g. `size_mismatch`.
    pub code: String,
    /// What went wrong and what to do.
    pub detail: String,
}

impl Failure {
    /// With this code and this sentence.
    pub fn new(code: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { code: code.into(), detail: detail.into() }
    }

    /// The accepted object is lost.
    pub fn source_missing() -> Self {
        let detail = "The uploaded file is not there any more. Create a new media and upload it again.";
        Self::new("source_missing", detail)
    }

    /// The file, whose size was not declared, does not fit into its owner's quota.
    pub fn quota_exceeded(quota_bytes: SizeBytes) -> Self {
        let detail = format!(
            "Your files may take {quota_bytes} bytes in all, and with this one they would take more. Delete some, then \
             upload it again."
        );
        Self::new("quota_exceeded", detail)
    }

    /// Nothing more is tried by itself.
    pub fn processing_failed() -> Self {
        let detail = "The file could not be processed. It is kept; ask the operator to try again.";
        Self::new("processing_failed", detail)
    }
}

/// Where the published file is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishedObject {
    /// Its key in the media bucket.
    pub key: String,
    /// Its ETag, without quotes.
    pub etag: String,
}

/// A media's state, with what only exists in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum State {
    /// The object is awaited.
    AwaitingUpload,
    /// The parts are there and S3 is joining them.
    Completing,
    /// An object was accepted and is being verified, read and published.
    Processing {
        /// The accepted object.
        source: ObjectVersion,
        /// S3's id of the multipart upload that a large file is being published by. Whoever goes on, goes on with it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        copy_upload_id: Option<String>,
    },
    /// It can be played.
    Ready {
        /// The accepted object.
        source: ObjectVersion,
        /// The published file.
        published: PublishedObject,
    },
    /// The object broke a rule.
    Rejected {
        /// The object.
        source: ObjectVersion,
        /// The rule.
        failure: Failure,
    },
    /// Processing failed for reasons of ours, more often than is tried by itself.
    Failed {
        /// The accepted object.
        source: ObjectVersion,
        /// What failed.
        failure: Failure,
    },
    /// It was never uploaded.
    Expired,
    /// It is being deleted.
    Deleting,
}

/// The name of a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// The object is awaited.
    AwaitingUpload,
    /// The parts are being joined.
    Completing,
    /// The object is being verified, read and published.
    Processing,
    /// It can be played.
    Ready,
    /// The object broke a rule.
    Rejected,
    /// Processing failed.
    Failed,
    /// It was never uploaded.
    Expired,
    /// It is being deleted; never shown.
    Deleting,
}

impl FromStr for Status {
    type Err = Invalid;

    /// One that is shown.
    fn from_str(text: &str) -> Result<Self, Invalid> {
        Ok(match text {
            "awaiting_upload" => Self::AwaitingUpload,
            "completing" => Self::Completing,
            "processing" => Self::Processing,
            "ready" => Self::Ready,
            "rejected" => Self::Rejected,
            "failed" => Self::Failed,
            "expired" => Self::Expired,
            _ => {
                return Err(Invalid::new(
                    "must be awaiting_upload, completing, processing, ready, rejected, failed or expired",
                ));
            }
        })
    }
}

/// A media.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Media {
    /// Its id.
    pub id: MediaId,
    /// Whose it is.
    pub owner_id: UserId,
    /// Its title.
    pub title: Title,
    /// Its description.
    pub description: Description,
    /// Its tags, at most 20, each once.
    pub tags: Vec<Tag>,
    /// Whether it is watched or listened to.
    pub kind: MediaKind,
    /// The declared media type.
    pub content_type: ContentType,
    /// The client's name of the file.
    pub filename: Filename,
    /// The size: as declared, if it was, and once the object is there as measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size_bytes: Option<SizeBytes>,
    /// SHA-256 of what was uploaded, where it was declared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksum_sha256: Option<Sha256Checksum>,
    /// CRC-64/NVME of what was uploaded: as declared, and once processed as S3 computed it, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksum_crc64nvme: Option<Crc64NvmeChecksum>,
    /// Which of the declared checksums was compared with the object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksum_verified: Option<ChecksumAlgorithm>,
    /// Who may see it.
    pub visibility: Visibility,
    /// Its state.
    #[serde(flatten)]
    pub state: State,
    /// How long it plays: as a form may have declared it, and once processed as measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_seconds: Option<f64>,
    /// The client's own thumbnail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thumbnail_url: Option<ThumbnailUrl>,
    /// The thumbnail that was announced with it. Once published it is shown instead of the client's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub miniature: Option<Miniature>,
    /// Keys that its miniature was published under before somebody lost sight of it, until what is there is removed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub retired_thumbnail_keys: Vec<ThumbnailKey>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Raised by every change; a change is conditional on it.
    pub version: u64,
    /// The upload of its source.
    pub upload_id: UploadId,
    /// What is still owed for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub work: Option<Work>,
    /// What counts against its owner's quota.
    pub reserved_bytes: SizeBytes,
    /// Whether it is the one that its owner's uploads of the same SHA-256 and size are duplicates of.
    #[serde(default)]
    pub claims_digest: bool,
    /// How often its metadata extraction was begun.
    pub extract_metadata_attempts: u32,
    /// How often its publishing was begun.
    pub upload_to_cdn_attempts: u32,
}

#[cfg(test)]
pub(crate) mod tests;

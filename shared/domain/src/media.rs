//! Media: the record, and the machine of its states.
//!
//! ```text
//! awaiting_upload ─→ (completing ─→) processing ─→ ready
//!        │                             │  ↑ └────→ rejected   the object broke a rule
//!        ↓                             ↓  │
//!     expired                         failed                  ours to fix; a redrive processes it again
//! ```
//!
//! Every change is a pure function from one record to the next with `version` one higher, and is written on condition
//! that the stored record still has the version that was read. So a step that runs twice, late or out of order finds
//! that the record has moved on, and decides again from what it is now.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    ChecksumAlgorithm, ContentType, Crc64NvmeChecksum, Description, Filename, JobType, MediaId, MediaKind,
    ObjectVersion, Sha256Checksum, SizeBytes, Tag, ThumbnailUrl, Timestamp, Title, UploadId, UserId, Work,
};

/// Who may see a media.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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
    /// The size: as declared, and once processed as measured.
    pub size_bytes: SizeBytes,
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
    /// How long it plays, once measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_seconds: Option<f64>,
    /// The client's own thumbnail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thumbnail_url: Option<ThumbnailUrl>,
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
    /// How often its metadata extraction was begun.
    pub extract_metadata_attempts: u32,
    /// How often its publishing was begun.
    pub upload_to_cdn_attempts: u32,
}

/// What was measured of an accepted object.
#[derive(Clone, Debug, PartialEq)]
pub struct Measurement {
    /// How long it plays.
    pub duration_seconds: f64,
    /// Its size.
    pub size_bytes: SizeBytes,
    /// S3's CRC-64/NVME of it.
    pub checksum_crc64nvme: Option<Crc64NvmeChecksum>,
    /// The declared checksum that was compared.
    pub checksum_verified: Option<ChecksumAlgorithm>,
}

/// What to do about an object that arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// The first one: accept it and process it. Also: the accepted one, whose processing has not ended.
    Process,
    /// The accepted one, dealt with already: nothing.
    Settled,
    /// Not the accepted one: delete this version. The first accepted object wins.
    Discard,
}

impl Media {
    /// The name of its state.
    pub fn status(&self) -> Status {
        match self.state {
            State::AwaitingUpload => Status::AwaitingUpload,
            State::Completing => Status::Completing,
            State::Processing { .. } => Status::Processing,
            State::Ready { .. } => Status::Ready,
            State::Rejected { .. } => Status::Rejected,
            State::Failed { .. } => Status::Failed,
            State::Expired => Status::Expired,
            State::Deleting => Status::Deleting,
        }
    }

    /// Why it is not to be had, if that is so.
    pub fn failure(&self) -> Option<&Failure> {
        match &self.state {
            State::Rejected { failure, .. } | State::Failed { failure, .. } => Some(failure),
            _ => None,
        }
    }

    /// What to do about an object that arrived under its source key.
    pub fn on_arrival(&self, object: &ObjectVersion) -> Arrival {
        match &self.state {
            State::AwaitingUpload | State::Completing => Arrival::Process,
            State::Processing { source } | State::Failed { source, .. } if source.is_same_version(object) => {
                Arrival::Process
            }
            State::Ready { source, .. } | State::Rejected { source, .. }
                if source.is_same_version(object) =>
            {
                Arrival::Settled
            }
            _ => Arrival::Discard,
        }
    }

    /// Whether `object` is the accepted one and its processing has not ended: the condition under which a step of that
    /// processing may still change the record.
    pub fn is_processing(&self, object: &ObjectVersion) -> bool {
        matches!(&self.state, State::Processing { source } if source.is_same_version(object))
    }

    /// An attempt at processing `source` begins; the sweep looks after it at `work.due`.
    #[must_use]
    pub fn begin_processing(&self, source: ObjectVersion, work: Work, now: Timestamp) -> Self {
        Self {
            extract_metadata_attempts: self.extract_metadata_attempts.saturating_add(1),
            work: Some(work),
            ..self.changed(State::Processing { source }, now)
        }
    }

    /// The metadata is read, and publishing begins.
    #[must_use]
    pub fn begin_publishing(&self, now: Timestamp) -> Self {
        let upload_to_cdn_attempts = self.upload_to_cdn_attempts.saturating_add(1);
        Self { upload_to_cdn_attempts, ..self.changed(self.state.clone(), now) }
    }

    /// It is published: ready.
    #[must_use]
    pub fn publish(
        &self,
        source: ObjectVersion,
        published: PublishedObject,
        measurement: Measurement,
        now: Timestamp,
    ) -> Self {
        Self {
            duration_seconds: Some(measurement.duration_seconds),
            size_bytes: measurement.size_bytes,
            checksum_crc64nvme: measurement.checksum_crc64nvme,
            checksum_verified: measurement.checksum_verified,
            reserved_bytes: measurement.size_bytes,
            work: None,
            ..self.changed(State::Ready { source, published }, now)
        }
    }

    /// The object broke a rule. What it reserved is released.
    #[must_use]
    pub fn reject(&self, source: ObjectVersion, failure: Failure, now: Timestamp) -> Self {
        Self { reserved_bytes: 0, work: None, ..self.changed(State::Rejected { source, failure }, now) }
    }

    /// Processing failed as often as it is tried by itself. The object is kept for a redrive.
    #[must_use]
    pub fn fail(&self, source: ObjectVersion, failure: Failure, now: Timestamp) -> Self {
        Self { work: None, ..self.changed(State::Failed { source, failure }, now) }
    }

    /// Only a job of it changed.
    #[must_use]
    pub fn noted(&self, now: Timestamp) -> Self {
        self.changed(self.state.clone(), now)
    }

    /// Whether what was found in the file is what was announced, and within `max_duration`.
    pub fn judge(
        &self,
        kind: MediaKind,
        container: &str,
        duration_seconds: f64,
        max_duration: Duration,
    ) -> Result<(), Failure> {
        if kind != self.kind {
            let detail =
                format!("A {} file was announced, but this is {kind}. Upload it as {kind}/….", self.kind);
            return Err(Failure::new("kind_mismatch", detail));
        }
        if !self.content_type.admits(container) {
            let detail =
                format!("The file was announced as {}, but its content is {container}.", self.content_type);
            return Err(Failure::new("content_type_mismatch", detail));
        }
        if duration_seconds > max_duration.as_secs_f64() {
            let longest = max_duration.as_secs();
            let detail = format!("The file plays {duration_seconds:.0} seconds; {longest} are allowed here.");
            return Err(Failure::new("too_long", detail));
        }
        Ok(())
    }

    /// Which attempt at this type of job is the latest begun.
    pub fn attempt(&self, job_type: JobType) -> u32 {
        match job_type {
            JobType::ExtractMetadata => self.extract_metadata_attempts,
            JobType::UploadToCdn => self.upload_to_cdn_attempts,
        }
    }

    fn changed(&self, state: State, now: Timestamp) -> Self {
        Self { state, updated_at: now, version: self.version + 1, ..self.clone() }
    }
}

#[cfg(test)]
mod tests;

//! Uploads: one client's right to send bytes for one slot of one media, and what those bytes have to be.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    ChecksumAlgorithm, ContentType, Crc64NvmeChecksum, Failure, MediaId, Sha256Checksum, SizeBytes, Slot,
    Timestamp, UploadId, UserId,
};

/// How the bytes are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UploadMethod {
    /// One presigned PUT.
    Put,
}

/// Where an upload stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UploadState {
    /// The object is awaited.
    Open,
    /// The object arrived and was accepted or rejected.
    Completed,
    /// The client gave it up.
    Aborted,
    /// The deadline passed.
    Expired,
}

/// An upload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upload {
    /// Its id.
    pub id: UploadId,
    /// The media that it is for.
    pub media_id: MediaId,
    /// Whose it is.
    pub owner_id: UserId,
    /// What the object is to the media.
    pub slot: Slot,
    /// How the bytes are sent.
    pub method: UploadMethod,
    /// Where it stands.
    pub state: UploadState,
    /// The declared media type.
    pub content_type: ContentType,
    /// The declared size.
    pub size_bytes: SizeBytes,
    /// The declared SHA-256, enforced by S3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksum_sha256: Option<Sha256Checksum>,
    /// The declared CRC-64/NVME, compared with S3's own; only if no SHA-256 was declared, see [`Self::verify`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksum_crc64nvme: Option<Crc64NvmeChecksum>,
    /// When it was begun.
    pub created_at: Timestamp,
    /// Until when it can be signed again; after that the sweep ends it.
    pub deadline: Timestamp,
    /// Once it has ended: when DynamoDB may delete the record, in seconds since the epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<i64>,
}

/// What S3 says of an uploaded object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectHead {
    /// Its size.
    pub size_bytes: SizeBytes,
    /// Its `Content-Type`.
    pub content_type: Option<String>,
    /// Its SHA-256, where the client sent one.
    pub checksum_sha256: Option<String>,
    /// Its CRC-64/NVME over the full object.
    pub checksum_crc64nvme: Option<String>,
}

/// How long the record of an ended upload is kept, for clients that ask again.
const KEPT_AFTER_END: Duration = Duration::from_hours(24 * 7);

impl Upload {
    /// Compares what arrived with what was declared. Returns the checksum that was compared, if one was declared.
    ///
    /// S3 has enforced size, type and SHA-256 through the signature already; this is the second look, at the object
    /// itself, which does not depend on how it got there.
    pub fn verify(&self, head: &ObjectHead) -> Result<Option<ChecksumAlgorithm>, Failure> {
        if head.size_bytes != self.size_bytes {
            let detail = format!(
                "The file is {} bytes long; {} bytes were declared. Upload it again with its true size.",
                head.size_bytes, self.size_bytes
            );
            return Err(Failure::new("size_mismatch", detail));
        }
        let arrived_type = head.content_type.as_deref().unwrap_or("none");
        if !arrived_type.eq_ignore_ascii_case(self.content_type.as_str()) {
            let detail =
                format!("The file was declared as {}, but sent as {arrived_type}.", self.content_type);
            return Err(Failure::new("content_type_mismatch", detail));
        }
        // S3 keeps one checksum of an object: the one that came with it, and a CRC-64/NVME of its own only if none did.
        match (&self.checksum_sha256, &self.checksum_crc64nvme) {
            (Some(declared), _) => {
                same_checksum(declared.as_str(), head.checksum_sha256.as_deref(), "SHA-256")?;
                Ok(Some(ChecksumAlgorithm::Sha256))
            }
            (None, Some(declared)) => {
                same_checksum(declared.as_str(), head.checksum_crc64nvme.as_deref(), "CRC-64/NVME")?;
                Ok(Some(ChecksumAlgorithm::Crc64nvme))
            }
            (None, None) => Ok(None),
        }
    }

    /// The upload, ended in `state`.
    #[must_use]
    pub fn end(self, state: UploadState, now: Timestamp) -> Self {
        Self { state, expires_at: Some(now.plus(KEPT_AFTER_END).unix_seconds()), ..self }
    }
}

fn same_checksum(declared: &str, arrived: Option<&str>, name: &str) -> Result<(), Failure> {
    if arrived == Some(declared) {
        return Ok(());
    }
    let detail = format!(
        "The file's {name} is {}; {declared} was declared. It was damaged on the way, or is another file.",
        arrived.unwrap_or("unknown")
    );
    Err(Failure::new("checksum_mismatch", detail))
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn upload() -> Upload {
        let now = Timestamp::from_unix_seconds(1_000);
        Upload {
            id: UploadId::new(Uuid::nil()),
            media_id: MediaId::new(Uuid::nil()),
            owner_id: UserId::new(Uuid::nil()),
            slot: Slot::Source,
            method: UploadMethod::Put,
            state: UploadState::Open,
            content_type: "video/mp4".parse().unwrap(),
            size_bytes: 10,
            checksum_sha256: None,
            checksum_crc64nvme: None,
            created_at: now,
            deadline: now.plus(Duration::from_hours(24)),
            expires_at: None,
        }
    }

    fn head() -> ObjectHead {
        ObjectHead {
            size_bytes: 10,
            content_type: Some("video/mp4".to_owned()),
            checksum_sha256: None,
            checksum_crc64nvme: Some("rosUhgp5mIg=".to_owned()),
        }
    }

    fn code(upload: &Upload, head: &ObjectHead) -> String {
        upload.verify(head).unwrap_err().code
    }

    #[test]
    fn what_arrived_is_compared_with_what_was_declared() {
        assert_eq!(upload().verify(&head()), Ok(None));
        assert_eq!(code(&upload(), &ObjectHead { size_bytes: 11, ..head() }), "size_mismatch");
        assert_eq!(code(&upload(), &ObjectHead { content_type: None, ..head() }), "content_type_mismatch");
    }

    #[test]
    fn a_declared_checksum_has_to_be_there() {
        let crc64 = Some("rosUhgp5mIg=".parse().unwrap());
        let declared = Upload { checksum_crc64nvme: crc64, ..upload() };
        assert_eq!(declared.verify(&head()), Ok(Some(ChecksumAlgorithm::Crc64nvme)));
        assert_eq!(code(&declared, &ObjectHead { checksum_crc64nvme: None, ..head() }), "checksum_mismatch");

        let sha256: Sha256Checksum = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=".parse().unwrap();
        let declared = Upload { checksum_sha256: Some(sha256.clone()), ..declared };
        assert_eq!(code(&declared, &head()), "checksum_mismatch");
        let head =
            ObjectHead { checksum_sha256: Some(sha256.to_string()), checksum_crc64nvme: None, ..head() };
        assert_eq!(declared.verify(&head), Ok(Some(ChecksumAlgorithm::Sha256)));
    }

    #[test]
    fn an_ended_upload_is_forgotten_after_a_week() {
        let ended = upload().end(UploadState::Completed, Timestamp::from_unix_seconds(1_000));
        assert_eq!((ended.state, ended.expires_at), (UploadState::Completed, Some(1_000 + 7 * 86_400)));
    }
}

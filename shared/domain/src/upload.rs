//! Uploads: one client's right to send bytes for one slot of one media, and what those bytes have to be.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    AUTO_MULTIPART_FROM_BYTES, ChecksumAlgorithm, ContentType, Crc64NvmeChecksum, DeclaredSize, Failure,
    ImageType, Invalid, MAX_PUT_SIZE_BYTES, MediaId, PartPlan, PartRules, Sha256Checksum, SizeBytes, Slot,
    SourceKey, Timestamp, UploadId, UserId, serde_as_text,
};

/// How a client asks to send the bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum RequestedMethod {
    /// As suits the size: in parts from 64 MiB up, by one PUT below.
    #[default]
    Auto,
    /// By one presigned PUT.
    Put,
    /// By a browser's form.
    Post,
    /// In parts.
    Multipart,
}

impl FromStr for RequestedMethod {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        match text {
            "auto" => Ok(Self::Auto),
            "put" => Ok(Self::Put),
            "post" => Ok(Self::Post),
            "multipart" => Ok(Self::Multipart),
            _ => Err(Invalid::new("must be auto, put, post or multipart")),
        }
    }
}

/// How the bytes will be sent, before S3 has been told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlannedMethod {
    /// By one presigned PUT.
    Put,
    /// By a browser's form.
    Post,
    /// In these parts.
    Multipart(PartPlan),
    /// In parts that the client cuts as it likes: the size of the file is not declared.
    FreeParts,
}

impl PlannedMethod {
    /// What a client's wish comes to for a file of this size, with parts of `part_size_bytes` if they chose one.
    pub fn of(
        requested: RequestedMethod,
        size_bytes: SizeBytes,
        part_size_bytes: Option<SizeBytes>,
    ) -> Result<Self, MethodError> {
        let is_multipart = match requested {
            RequestedMethod::Auto => part_size_bytes.is_some() || size_bytes >= AUTO_MULTIPART_FROM_BYTES,
            RequestedMethod::Put | RequestedMethod::Post => false,
            RequestedMethod::Multipart => true,
        };
        if !is_multipart && size_bytes > MAX_PUT_SIZE_BYTES {
            return Err(MethodError::Method(Invalid::new(format!(
                "takes files up to {MAX_PUT_SIZE_BYTES} bytes; ask for multipart"
            ))));
        }
        match (requested, part_size_bytes) {
            (RequestedMethod::Put | RequestedMethod::Post, Some(_)) => {
                Err(MethodError::PartSize(Invalid::new("goes with upload_method multipart or auto only")))
            }
            (RequestedMethod::Post, None) => Ok(Self::Post),
            (_, Some(part_size_bytes)) => PartPlan::with_part_size(size_bytes, part_size_bytes)
                .map(Self::Multipart)
                .map_err(MethodError::PartSize),
            (_, None) if is_multipart => Ok(Self::Multipart(PartPlan::of(size_bytes))),
            (_, None) => Ok(Self::Put),
        }
    }
}

/// Why a file cannot be sent as it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MethodError {
    /// The method does not take such a file.
    Method(Invalid),
    /// The part size does not fit.
    PartSize(Invalid),
}

/// How the bytes are sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "method", rename_all = "lowercase")]
pub enum UploadMethod {
    /// One presigned PUT.
    Put,
    /// A browser's form, by a POST policy.
    Post,
    /// Parts, each a presigned PUT.
    Multipart {
        /// S3's own id of the multipart upload. Never shown to a client.
        s3_upload_id: String,
        /// How long every part but the last is; at least, where the file's size is not declared.
        part_size_bytes: SizeBytes,
    },
}

/// The media type that an upload was declared with: of the media, or of its miniature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UploadContentType {
    /// `video/…` or `audio/…`.
    Media(ContentType),
    /// `image/…`.
    Image(ImageType),
}

impl UploadContentType {
    /// As a `Content-Type`.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Media(content_type) => content_type.as_str(),
            Self::Image(image_type) => image_type.as_str(),
        }
    }
}

impl fmt::Display for UploadContentType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl FromStr for UploadContentType {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        text.parse().map(Self::Image).or_else(|_| text.parse().map(Self::Media))
    }
}

serde_as_text!(UploadContentType);

/// Where an upload stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UploadState {
    /// The object is awaited.
    Open,
    /// The client says that all bytes are there. No more are taken, unless S3 finds that some are missing after all.
    Completing,
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
    #[serde(flatten)]
    pub method: UploadMethod,
    /// Where it stands.
    pub state: UploadState,
    /// The declared media type.
    pub content_type: UploadContentType,
    /// What is declared of the size.
    #[serde(flatten)]
    pub size: DeclaredSize,
    /// The declared SHA-256, enforced by S3 where the object comes in one piece.
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
    pub checksum_sha256: Option<Sha256Checksum>,
    /// Its CRC-64/NVME over the full object.
    pub checksum_crc64nvme: Option<Crc64NvmeChecksum>,
}

/// How long the record of an ended upload is kept, for clients that ask again.
const KEPT_AFTER_END: Duration = Duration::from_hours(24 * 7);

impl Upload {
    /// Under which key its object is stored.
    pub fn key(&self) -> SourceKey {
        SourceKey { media_id: self.media_id, slot: self.slot }
    }

    /// What its parts have to be, if it comes in parts.
    pub fn part_rules(&self) -> Option<PartRules> {
        match (&self.method, self.size) {
            (UploadMethod::Multipart { part_size_bytes, .. }, DeclaredSize::Exact { size_bytes }) => {
                Some(PartRules::Planned(PartPlan::recorded(size_bytes, *part_size_bytes)))
            }
            (UploadMethod::Multipart { .. }, DeclaredSize::Unknown { max_size_bytes }) => {
                Some(PartRules::Free { max_size_bytes })
            }
            (UploadMethod::Put | UploadMethod::Post, _) => None,
        }
    }

    /// Whether this is what was declared, as far as anything was.
    pub fn declares(
        &self,
        content_type: &UploadContentType,
        size_bytes: SizeBytes,
        sha256: &Sha256Checksum,
    ) -> bool {
        self.content_type == *content_type
            && self.size == DeclaredSize::exact(size_bytes)
            && self.checksum_sha256.as_ref().is_none_or(|declared| declared == sha256)
    }

    /// Compares what arrived with what was declared. Returns the checksum that was compared, if one was declared.
    ///
    /// S3 has enforced size, type and SHA-256 through the signature already; this is the second look, at the object
    /// itself, which does not depend on how it got there.
    pub fn verify(&self, head: &ObjectHead) -> Result<Option<ChecksumAlgorithm>, Failure> {
        self.size.verify(head.size_bytes)?;
        let arrived_type = head.content_type.as_deref().unwrap_or("none");
        if !arrived_type.eq_ignore_ascii_case(self.content_type.as_str()) {
            let detail =
                format!("The file was declared as {}, but sent as {arrived_type}.", self.content_type);
            return Err(Failure::new("content_type_mismatch", detail));
        }
        // S3 keeps one checksum of an object: the one that came with it, and a CRC-64/NVME of its own only if none did.
        // Of an object that came in parts it knows no SHA-256; but a file that is announced in parts may come in one
        // piece, in a form.
        let is_known = self.part_rules().is_none() || head.checksum_sha256.is_some();
        let sha256 = self.checksum_sha256.as_ref().filter(|_| is_known);
        match (sha256, &self.checksum_crc64nvme) {
            (Some(declared), _) => {
                let arrived = head.checksum_sha256.as_ref().map(Sha256Checksum::as_str);
                same_checksum(declared.as_str(), arrived, "SHA-256")?;
                Ok(Some(ChecksumAlgorithm::Sha256))
            }
            (None, Some(declared)) => {
                let arrived = head.checksum_crc64nvme.as_ref().map(Crc64NvmeChecksum::as_str);
                same_checksum(declared.as_str(), arrived, "CRC-64/NVME")?;
                Ok(Some(ChecksumAlgorithm::Crc64nvme))
            }
            (None, None) => Ok(None),
        }
    }

    /// Whether more bytes of it can be signed: until its deadline, and as long as the object is awaited.
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.state == UploadState::Open && now < self.deadline
    }

    /// The upload, whose client says that all bytes are there.
    #[must_use]
    pub fn complete(self) -> Self {
        Self { state: UploadState::Completing, ..self }
    }

    /// The upload, open again.
    #[must_use]
    pub fn reopen(self) -> Self {
        Self { state: UploadState::Open, ..self }
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
            size: DeclaredSize::exact(10),
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
            checksum_crc64nvme: Some("rosUhgp5mIg=".parse().unwrap()),
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
        let head = ObjectHead { checksum_sha256: Some(sha256), checksum_crc64nvme: None, ..head() };
        assert_eq!(declared.verify(&head), Ok(Some(ChecksumAlgorithm::Sha256)));
    }

    #[test]
    fn of_parts_only_the_crc64nvme_is_known() {
        let sha256: Sha256Checksum = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=".parse().unwrap();
        let method = UploadMethod::Multipart { s3_upload_id: "u".to_owned(), part_size_bytes: 5 << 20 };
        let declared = Upload { method, checksum_sha256: Some(sha256), ..upload() };
        assert_eq!(declared.verify(&head()), Ok(None));
        let declared = Upload { checksum_crc64nvme: Some("rosUhgp5mIg=".parse().unwrap()), ..declared };
        assert_eq!(declared.verify(&head()), Ok(Some(ChecksumAlgorithm::Crc64nvme)));
        // It came in one piece all the same.
        let checksum_sha256 = declared.checksum_sha256.clone();
        let whole = ObjectHead { checksum_sha256, checksum_crc64nvme: None, ..head() };
        assert_eq!(declared.verify(&whole), Ok(Some(ChecksumAlgorithm::Sha256)));
    }

    #[test]
    fn what_is_declared_is_type_size_and_digest() {
        let sha256: Sha256Checksum = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=".parse().unwrap();
        let other: Sha256Checksum = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=".parse().unwrap();
        let (video, image) = ("video/mp4".parse().unwrap(), "image/png".parse().unwrap());
        assert!(upload().declares(&video, 10, &sha256) && upload().declares(&video, 10, &other));
        assert!(!upload().declares(&video, 11, &sha256) && !upload().declares(&image, 10, &sha256));
        let declared = Upload { checksum_sha256: Some(sha256.clone()), ..upload() };
        assert!(declared.declares(&video, 10, &sha256) && !declared.declares(&video, 10, &other));
    }

    #[test]
    fn the_method_follows_from_wish_and_size() {
        use RequestedMethod::{Auto, Multipart, Post, Put};
        let planned = |requested, size_bytes| PlannedMethod::of(requested, size_bytes, None);
        let parts = |size_bytes| PlannedMethod::Multipart(PartPlan::of(size_bytes));
        assert_eq!(planned(Auto, AUTO_MULTIPART_FROM_BYTES - 1), Ok(PlannedMethod::Put));
        assert_eq!(planned(Auto, AUTO_MULTIPART_FROM_BYTES), Ok(parts(AUTO_MULTIPART_FROM_BYTES)));
        assert_eq!(planned(Multipart, 1), Ok(parts(1)));
        assert_eq!(planned(Put, MAX_PUT_SIZE_BYTES), Ok(PlannedMethod::Put));
        assert_eq!(planned(Post, 1), Ok(PlannedMethod::Post));
        for requested in [Put, Post] {
            assert!(matches!(planned(requested, MAX_PUT_SIZE_BYTES + 1), Err(MethodError::Method(_))));
            let parted = PlannedMethod::of(requested, 1, Some(5 << 20));
            assert!(matches!(parted, Err(MethodError::PartSize(_))));
        }
        // Who names a part size wants parts.
        assert!(matches!(PlannedMethod::of(Auto, 1, Some(5 << 20)), Ok(PlannedMethod::Multipart(_))));
        assert!(matches!(PlannedMethod::of(Multipart, 1, Some(1)), Err(MethodError::PartSize(_))));
    }

    #[test]
    fn how_it_is_sent_is_stored_with_the_upload() {
        let method = UploadMethod::Multipart { s3_upload_id: "u".to_owned(), part_size_bytes: 5 << 20 };
        let size = DeclaredSize::Unknown { max_size_bytes: 50 << 30 };
        for upload in
            [upload(), Upload { method: method.clone(), ..upload() }, Upload { method, size, ..upload() }]
        {
            let stored = serde_json::to_value(&upload).unwrap();
            assert!(stored["method"].is_string(), "{stored}");
            assert_eq!(stored["size_bytes"].as_u64(), upload.size.size_bytes(), "{stored}");
            assert_eq!(serde_json::from_value::<Upload>(stored).unwrap(), upload);
        }
    }

    #[test]
    fn bytes_are_signed_while_the_object_is_awaited_and_until_the_deadline() {
        let upload = upload();
        let last_second = Timestamp::from_unix_seconds(upload.deadline.unix_seconds() - 1);
        assert!(upload.is_open(last_second) && !upload.is_open(upload.deadline));
        let completing = upload.complete();
        assert!(!completing.is_open(last_second) && completing.clone().reopen().is_open(last_second));
        assert!(!completing.end(UploadState::Completed, last_second).is_open(last_second));
    }

    #[test]
    fn an_ended_upload_is_forgotten_after_a_week() {
        let ended = upload().end(UploadState::Completed, Timestamp::from_unix_seconds(1_000));
        assert_eq!((ended.state, ended.expires_at), (UploadState::Completed, Some(1_000 + 7 * 86_400)));
    }
}

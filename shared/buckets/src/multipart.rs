//! What both buckets do with a multipart upload once it is begun: list its parts, and end it.
//!
//! Follows "Uploading and copying objects using multipart upload" and the API reference of `ListParts`,
//! `CompleteMultipartUpload` and `AbortMultipartUpload`. Each may be called again: an upload that has ended is told
//! from one that goes on, never an error.

use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{RequestChecksumCalculation, StalledStreamProtectionConfig};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart, Part};
use aws_smithy_types::timeout::TimeoutConfig;
use domain::{MAX_PARTS, ObjectVersion, PartNumber, UploadedPart};

use crate::error::BucketError;

/// What S3 lists in one answer at most.
const PARTS_PER_PAGE: u16 = 1_000;

/// What `CompleteMultipartUpload` says of parts that are not, or no longer, those that it was given.
const PARTS_CHANGED: [&str; 3] = ["InvalidPart", "InvalidPartOrder", "EntityTooSmall"];

/// How completing a multipart upload ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Completed {
    /// The parts are one object now.
    Done(ObjectVersion),
    /// There is no such upload: it was completed before, or aborted. Whether the object is there tells which.
    NoSuchUpload,
    /// The parts are not what was listed, or too small. The upload goes on.
    PartsChanged,
    /// S3 did not answer in time. It may go on and finish, or never have begun.
    StillWorking,
}

/// A multipart upload that was begun.
pub(crate) struct Multipart<'a> {
    pub(crate) client: &'a Client,
    pub(crate) bucket: &'a str,
    pub(crate) key: &'a str,
    pub(crate) s3_upload_id: &'a str,
}

impl Multipart<'_> {
    /// The parts that are there, in order. `None` if the upload has ended.
    pub(crate) async fn parts(&self) -> Result<Option<Vec<UploadedPart>>, BucketError> {
        const OPERATION: &str = "ListParts";
        let mut parts = Vec::new();
        let mut marker = None;
        for _ in 0..MAX_PARTS / PARTS_PER_PAGE {
            let page = self
                .client
                .list_parts()
                .bucket(self.bucket)
                .key(self.key)
                .upload_id(self.s3_upload_id)
                .max_parts(PARTS_PER_PAGE.into())
                .set_part_number_marker(marker)
                .send()
                .await;
            let page = match page {
                Ok(page) => page,
                Err(error) if is_over(&error) => return Ok(None),
                Err(error) => return Err(BucketError::of(OPERATION, &error)),
            };
            for part in page.parts() {
                parts.push(uploaded(part).ok_or_else(|| BucketError::unreadable(OPERATION, "part"))?);
            }
            if page.is_truncated() != Some(true) {
                return Ok(Some(parts));
            }
            marker = page.next_part_number_marker;
        }
        Err(BucketError::unreadable(OPERATION, "end"))
    }

    /// Makes one object of the parts, within this time.
    pub(crate) async fn complete(
        &self,
        parts: &[UploadedPart],
        within: Duration,
    ) -> Result<Completed, BucketError> {
        const OPERATION: &str = "CompleteMultipartUpload";
        let listed = parts.iter().map(|part| {
            let number = u16::from(part.number);
            CompletedPart::builder().part_number(number.into()).e_tag(format!("\"{}\"", part.etag)).build()
        });
        let result = self
            .client
            .complete_multipart_upload()
            .bucket(self.bucket)
            .key(self.key)
            .upload_id(self.s3_upload_id)
            .multipart_upload(CompletedMultipartUpload::builder().set_parts(Some(listed.collect())).build())
            .customize()
            .config_override(patient(within, within))
            .send()
            .await;
        match result {
            Ok(answer) => {
                let version = object_version(answer.version_id, answer.e_tag);
                version.map(Completed::Done).ok_or_else(|| BucketError::unreadable(OPERATION, "version"))
            }
            Err(SdkError::TimeoutError(_)) => Ok(Completed::StillWorking),
            Err(error) if is_over(&error) => Ok(Completed::NoSuchUpload),
            Err(error) if error.code().is_some_and(|code| PARTS_CHANGED.contains(&code)) => {
                Ok(Completed::PartsChanged)
            }
            Err(error) => Err(BucketError::of(OPERATION, &error)),
        }
    }

    /// Ends the upload and removes its parts; it may have ended already.
    pub(crate) async fn abort(&self) -> Result<(), BucketError> {
        let abort = self.client.abort_multipart_upload().bucket(self.bucket).key(self.key);
        match abort.upload_id(self.s3_upload_id).send().await {
            Ok(_) => Ok(()),
            Err(error) if is_over(&error) => Ok(()),
            Err(error) => Err(BucketError::of("AbortMultipartUpload", &error)),
        }
    }
}

/// Whether an error says that the upload has ended.
pub(crate) fn is_over<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> bool {
    error.code() == Some("NoSuchUpload")
}

/// For requests that S3 answers only when the work is done: how long one attempt and all of them may take. Meanwhile
/// nothing but white space may come, which is no stalled stream.
pub(crate) fn patient(attempt: Duration, all_attempts: Duration) -> aws_sdk_s3::config::Builder {
    let timeouts = TimeoutConfig::builder()
        .read_timeout(attempt)
        .operation_attempt_timeout(attempt)
        .operation_timeout(all_attempts)
        .build();
    aws_sdk_s3::Config::builder()
        .timeout_config(timeouts)
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
}

/// For beginning an upload whose parts come without checksums: by default the SDK declares an algorithm of its own, and
/// S3 refuses what comes without it.
pub(crate) fn without_own_checksum() -> aws_sdk_s3::config::Builder {
    aws_sdk_s3::Config::builder().request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
}

/// The version that an answer tells of.
pub(crate) fn object_version(version_id: Option<String>, etag: Option<String>) -> Option<ObjectVersion> {
    Some(ObjectVersion { version_id: version_id?, etag: etag?.trim_matches('"').to_owned() })
}

fn uploaded(part: &Part) -> Option<UploadedPart> {
    let number = u16::try_from(part.part_number?).ok()?;
    Some(UploadedPart {
        number: PartNumber::try_from(number).ok()?,
        size_bytes: u64::try_from(part.size?).ok()?,
        etag: part.e_tag()?.parse().ok()?,
    })
}
